//! What surrounds the visits: cover, relatives, the team and its plan, vaccines, allergies, procedures, devices.

use serde_json::json;

use super::{
    at,
    cast::{CLINIC, CLINICIAN, HOSPITAL, INSURER, NURSE},
    chart::Chart,
    coding::{CVX, SNOMED, code_alone, concept, hl7, hl7_code, reference},
    days_before,
    medicine::{ALLERGIES, PROCEDURES, VACCINES},
};

/// Writes all of it. Only some charts have an allergy, a procedure, a relative, a device or a plan.
pub(super) fn around(chart: &mut Chart<'_>) {
    coverage(chart);
    immunization(chart);
    if chart.one_in(2) {
        team_and_plan(chart);
    }
    if chart.one_in(3) {
        allergy(chart);
        procedure(chart);
    }
    if chart.one_in(4) {
        relative(chart);
        device(chart);
    }
}

/// One of a fixed table, turn by turn over the charts.
fn turn<'t, T>(chart: &Chart<'_>, table: &'t [T]) -> Option<&'t T> {
    table.iter().cycle().nth(chart.number as usize)
}

fn coverage(chart: &mut Chart<'_>) {
    let body = json!({
        "status": "active",
        "type": concept(&hl7("v3-ActCode"), "EHCPOL", "extended healthcare"),
        "subscriberId": format!("S-{:06}", chart.number),
        "beneficiary": chart.subject(),
        "relationship": hl7_code("subscriber-relationship", "self"),
        "period": { "start": "2024-01-01" },
        "payor": [reference(&format!("Organization/{INSURER}"))],
    });
    chart.add("Coverage", body);
}

fn immunization(chart: &mut Chart<'_>) {
    let Some((code, words)) = turn(chart, &VACCINES) else { return };
    let day = days_before(chart.random.between(60, 700));
    let body = json!({
        "status": "completed",
        "vaccineCode": concept(CVX, code, words),
        "patient": chart.subject(),
        "occurrenceDateTime": day.to_string(),
        "primarySource": true,
        "location": reference(&format!("Location/{CLINIC}")),
        "lotNumber": format!("LOT-{:04}", chart.random.between(1, 9999)),
        "performer": [{ "actor": reference(&format!("Practitioner/{NURSE}")) }],
    });
    chart.add("Immunization", body);
}

fn allergy(chart: &mut Chart<'_>) {
    let Some((code, words, category)) = turn(chart, &ALLERGIES) else { return };
    let body = json!({
        "clinicalStatus": hl7_code("allergyintolerance-clinical", "active"),
        "verificationStatus": hl7_code("allergyintolerance-verification", "confirmed"),
        "type": "allergy",
        "category": [category],
        "criticality": "low",
        "code": concept(SNOMED, code, words),
        "patient": chart.subject(),
        "recordedDate": days_before(800).to_string(),
        "reaction": [{ "manifestation": [concept(SNOMED, "271807003", "Eruption of skin")], "severity": "mild" }],
    });
    chart.add("AllergyIntolerance", body);
}

fn procedure(chart: &mut Chart<'_>) {
    let Some((code, words)) = turn(chart, &PROCEDURES) else { return };
    let day = days_before(chart.random.between(700, 2500));
    let body = json!({
        "status": "completed",
        "code": concept(SNOMED, code, words),
        "subject": chart.subject(),
        "performedPeriod": { "start": at(day, "11:00:00"), "end": at(day, "12:15:00") },
        "performer": [{ "actor": reference(&format!("Practitioner/{CLINICIAN}")) }],
        "location": reference(&format!("Location/{CLINIC}")),
    });
    chart.add("Procedure", body);
}

fn relative(chart: &mut Chart<'_>) {
    let body = json!({
        "active": true,
        "patient": chart.subject(),
        "relationship": [concept(&hl7("v3-RoleCode"), "SIB", "sibling")],
        "name": [{ "family": chart.person.family, "given": ["Noor"] }],
        "telecom": [{ "system": "phone", "value": format!("+999-555-02{:02}", chart.number), "use": "mobile" }],
    });
    chart.add("RelatedPerson", body);
}

fn device(chart: &mut Chart<'_>) {
    let body = json!({
        "status": "active",
        "manufacturer": "Synthetic Instruments",
        "serialNumber": format!("SN-{:05}", chart.random.between(1, 99999)),
        "deviceName": [{ "name": "Home blood pressure monitor", "type": "user-friendly-name" }],
        "type": concept(SNOMED, "43770009", "Sphygmomanometer"),
        "patient": chart.subject(),
    });
    chart.add("Device", body);
}

fn team_and_plan(chart: &mut Chart<'_>) {
    let member = |role: &str, words: &str, who: &str| json!({ "role": [concept(SNOMED, role, words)], "member": reference(&format!("Practitioner/{who}")) });
    let team = json!({
        "status": "active",
        "name": format!("Care team of {} {}", chart.person.given, chart.person.family),
        "subject": chart.subject(),
        "participant": [member("309343006", "Physician", CLINICIAN), member("224535009", "Registered nurse", NURSE)],
        "managingOrganization": [reference(&format!("Organization/{HOSPITAL}"))],
    });
    let team = chart.add("CareTeam", team);
    let plan = json!({
        "text": {
            "status": "generated",
            "div": "<div xmlns=\"http://www.w3.org/1999/xhtml\"><p>A visit every six months; walk half an hour a day.</p></div>",
        },
        "status": "active",
        "intent": "plan",
        "category": [code_alone("http://hl7.org/fhir/us/core/CodeSystem/careplan-category", "assess-plan")],
        "subject": chart.subject(),
        "period": { "start": days_before(300).to_string() },
        "careTeam": [reference(&team)],
        "activity": [{ "detail": { "status": "in-progress", "description": "Walk half an hour a day" } }],
    });
    chart.add("CarePlan", plan);
}
