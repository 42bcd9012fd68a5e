//! The bench's records: as many patients as asked for, all alike in size, with ids that a load generator can guess.

use serde_json::{Value, json};
use std::ops::RangeInclusive;

use super::{
    SITE, at,
    cast::{HOSPITAL, LABORATORY},
    coding::{ATC, LOINC, SNOMED, UCUM, code_alone, concept, hl7, hl7_code, reference},
    consents::{purpose, recipient},
    days_before,
    medicine::{
        ANEMIA, ARTHROSIS, CHOLESTEROL, CREATININE, DIABETES, GLUCOSE, HBA1C, HEMOGLOBIN, HYPERTENSION, HYPOTHYROIDISM, Illness,
        LEUKOCYTES, POTASSIUM, TRIGLYCERIDES, TSH, Test,
    },
    random::Random,
    record, synthetic,
    text::{decimal, transaction},
};

/// Observations of each patient; one in five is a laboratory result, the others are heart rates.
const OBSERVATIONS: u32 = 100;
const ENCOUNTERS: u32 = 5;
static TESTS: [&Test; 9] =
    [&HBA1C, &GLUCOSE, &CREATININE, &POTASSIUM, &CHOLESTEROL, &TRIGLYCERIDES, &HEMOGLOBIN, &LEUKOCYTES, &TSH];
static ILLNESSES: [&Illness; 4] = [&DIABETES, &HYPERTENSION, &HYPOTHYROIDISM, &ARTHROSIS];

/// One transaction Bundle a patient, 114 records each: `Patient/b000001`, `Observation/b000001-1` to `-100`, five Encounters, four Conditions,
/// three `MedicationRequest`s and, unless they are `open`, a Consent that lets the hospital and the laboratory treat. No bundle refers to a
/// record of another.
pub fn workload(patients: RangeInclusive<usize>, open: bool) -> impl Iterator<Item = String> {
    patients.map(move |number| transaction(&patient(number, open)))
}

fn patient(number: usize, open: bool) -> Vec<Value> {
    let id = format!("b{number:06}");
    let mut random = Random::new(number as u64 ^ 0x000A_3A7A_7000);
    let mut records = vec![person(&id, number, &mut random)];
    records.extend((!open).then(|| consent(&id)));
    records.extend((1..=ENCOUNTERS).map(|count| encounter(&id, count)));
    records.extend(ILLNESSES.iter().zip(1..).map(|(illness, count)| condition(&id, count, illness)));
    records.extend([&DIABETES, &HYPERTENSION, &ANEMIA].iter().zip(1..).filter_map(|(illness, count)| order(&id, count, illness)));
    records.extend((1..=OBSERVATIONS).map(|count| observation(&id, count, &mut random)));
    records
}

fn subject(patient: &str) -> Value {
    reference(&format!("Patient/{patient}"))
}

fn organization(id: &str) -> Value {
    // By identifier: the bench loads no Organization, and a reference by identifier is never dangling.
    json!({ "type": "Organization", "identifier": { "system": format!("{SITE}/organizations"), "value": id } })
}

fn person(id: &str, number: usize, random: &mut Random) -> Value {
    let gender = if number.is_multiple_of(2) { "female" } else { "male" };
    let born = days_before(random.between(1_000, 30_000));
    let body = json!({
        "meta": synthetic(),
        "identifier": [{ "system": format!("{SITE}/bench/mrn"), "value": format!("MRN-{number:06}") }],
        "name": [{ "use": "official", "family": format!("Family{}", number % 500), "given": [format!("Given{number}")] }],
        "gender": gender,
        "birthDate": born.to_string(),
        "address": [{ "line": [format!("{} Long Street", number % 300)], "city": format!("City{}", number % 40) }],
    });
    record("Patient", id, body)
}

fn consent(patient: &str) -> Value {
    let body = json!({
        "status": "active",
        "scope": hl7_code("consentscope", "patient-privacy"),
        "category": [code_alone(LOINC, "59284-0")],
        "patient": subject(patient),
        "dateTime": at(days_before(1_000), "08:00:00"),
        "policy": [{ "uri": format!("{SITE}/policies/exchange") }],
        "provision": {
            "type": "permit",
            "actor": [recipient(HOSPITAL), recipient(LABORATORY)],
            "purpose": [purpose("TREAT")],
        },
    });
    record("Consent", &format!("{patient}-1"), body)
}

fn encounter(patient: &str, count: u32) -> Value {
    let day = days_before(count * 90);
    let body = json!({
        "status": "finished",
        "class": { "system": hl7("v3-ActCode"), "code": "AMB" },
        "type": [concept(SNOMED, "185349003", "Encounter for check up")],
        "subject": subject(patient),
        "period": { "start": at(day, "09:00:00"), "end": at(day, "09:30:00") },
        "serviceProvider": organization("ORG-001"),
    });
    record("Encounter", &format!("{patient}-{count}"), body)
}

fn condition(patient: &str, count: u32, illness: &Illness) -> Value {
    let body = json!({
        "clinicalStatus": hl7_code("condition-clinical", "active"),
        "verificationStatus": hl7_code("condition-ver-status", "confirmed"),
        "category": [hl7_code("condition-category", "problem-list-item")],
        "code": concept(SNOMED, illness.snomed, illness.name),
        "subject": subject(patient),
        "onsetDateTime": days_before(count * 400).to_string(),
    });
    record("Condition", &format!("{patient}-{count}"), body)
}

fn order(patient: &str, count: u32, illness: &Illness) -> Option<Value> {
    let medicine = illness.medicine.as_ref()?;
    let body = json!({
        "status": "active",
        "intent": "order",
        "medicationCodeableConcept": concept(ATC, medicine.atc, medicine.name),
        "subject": subject(patient),
        "authoredOn": at(days_before(count * 30), "09:25:00"),
        "dosageInstruction": [{ "text": medicine.instruction }],
    });
    Some(record("MedicationRequest", &format!("{patient}-{count}"), body))
}

fn observation(patient: &str, count: u32, random: &mut Random) -> Value {
    let laboratory = TESTS.iter().cycle().nth(count as usize / 5).filter(|_| count.is_multiple_of(5));
    let (category, code, value, unit) = match laboratory {
        Some(test) => {
            let value = decimal(random.between(test.span.0, test.span.1), test.places);
            ("laboratory", concept(LOINC, test.loinc, test.name), value, test.unit)
        }
        None => ("vital-signs", concept(LOINC, "8867-4", "Heart rate"), decimal(random.between(55, 110), 0), "/min"),
    };
    let visit = count % ENCOUNTERS + 1;
    let body = json!({
        "status": "final",
        "category": [hl7_code("observation-category", category)],
        "code": code,
        "subject": subject(patient),
        "encounter": reference(&format!("Encounter/{patient}-{visit}")),
        "effectiveDateTime": at(days_before(visit * 90), &format!("09:{:02}:00", count % 60)),
        "performer": [organization("ORG-002")],
        "valueQuantity": { "value": value, "unit": unit, "system": UCUM, "code": unit },
    });
    record("Observation", &format!("{patient}-{count}"), body)
}
