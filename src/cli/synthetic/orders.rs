//! What the doctor wrote: the problem list, prescriptions, notes, and who stands behind a report.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::{
    at,
    cast::{CLINICIAN, HOSPITAL, LABORATORY},
    chart::{Chart, Visit},
    coding::{ATC, LOINC, SNOMED, coding, concept, hl7, hl7_code, reference},
    days_before,
    medicine::{Illness, Medicine},
};

/// The problem list, and what is prescribed for each problem.
pub(super) fn problems(chart: &mut Chart<'_>) {
    for illness in chart.person.illnesses {
        let condition = problem(chart, illness);
        if let Some(medicine) = &illness.medicine {
            prescription(chart, medicine, &condition);
        }
    }
}

fn problem(chart: &mut Chart<'_>, illness: &Illness) -> String {
    let onset = days_before(chart.random.between(500, 3000));
    let lasting = illness.medicine.is_some();
    let mut body = json!({
        "clinicalStatus": hl7_code("condition-clinical", if lasting { "active" } else { "resolved" }),
        "verificationStatus": hl7_code("condition-ver-status", "confirmed"),
        "category": [{ "coding": [coding(&hl7("condition-category"), "problem-list-item", "Problem List Item")] }],
        "code": concept(SNOMED, illness.snomed, illness.name),
        "subject": chart.subject(),
        "onsetDateTime": onset.to_string(),
        "recordedDate": onset.to_string(),
        "recorder": reference(&format!("Practitioner/{CLINICIAN}")),
    });
    if let (false, Value::Object(members)) = (lasting, &mut body) {
        members.insert("abatementDateTime".to_owned(), days_before(450).to_string().into());
    }
    chart.add("Condition", body)
}

fn prescription(chart: &mut Chart<'_>, medicine: &Medicine, condition: &str) {
    let day = days_before(chart.random.between(20, 200));
    let body = json!({
        "status": "active",
        "intent": "order",
        "medicationCodeableConcept": concept(ATC, medicine.atc, medicine.name),
        "subject": chart.subject(),
        "authoredOn": at(day, "09:25:00"),
        "requester": reference(&format!("Practitioner/{CLINICIAN}")),
        "reasonReference": [reference(condition)],
        "dosageInstruction": [{
            "text": medicine.instruction,
            "timing": { "repeat": { "frequency": medicine.times, "period": 1, "periodUnit": "d" } },
        }],
    });
    chart.add("MedicationRequest", body);
}

/// The note of a visit.
pub(super) fn note(chart: &mut Chart<'_>, visit: &Visit) {
    let illnesses: Vec<_> = chart.person.illnesses.iter().map(|illness| illness.name).collect();
    let text = format!("Seen on {}. Known: {}. Feels well; plan unchanged.\n", visit.day, illnesses.join(", "));
    let body = json!({
        "status": "current",
        "type": concept(LOINC, "11506-3", "Progress note"),
        "category": [concept("http://hl7.org/fhir/us/core/CodeSystem/us-core-documentreference-category", "clinical-note", "Clinical Note")],
        "subject": chart.subject(),
        "date": at(visit.day, "09:40:00"),
        "author": [reference(&format!("Practitioner/{CLINICIAN}"))],
        "custodian": reference(&format!("Organization/{HOSPITAL}")),
        "content": [{ "attachment": { "contentType": "text/plain", "data": STANDARD.encode(text), "title": "Progress note" } }],
        "context": { "encounter": [reference(&visit.encounter)] },
    });
    chart.add("DocumentReference", body);
}

/// Who made the report and who sent it in.
pub(super) fn provenance(chart: &mut Chart<'_>, visit: &Visit, report: &str) {
    let agent = |role: &str, display: &str, who: &str| {
        json!({
            "type": { "coding": [coding(&hl7("provenance-participant-type"), role, display)] },
            "who": reference(&format!("Organization/{who}")),
        })
    };
    let body = json!({
        "target": [reference(report)],
        "recorded": at(visit.day, "16:01:00"),
        "agent": [agent("author", "Author", LABORATORY), agent("custodian", "Custodian", HOSPITAL)],
    });
    chart.add("Provenance", body);
}
