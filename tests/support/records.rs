//! Small records to test with.

use serde_json::{Value, json};

const OBSERVATION_CATEGORY: &str = "http://terminology.hl7.org/CodeSystem/observation-category";

pub(crate) fn patient(id: &str, family: &str) -> Value {
    json!({
        "resourceType": "Patient", "id": id, "active": true,
        "identifier": [{"system": "urn:mrn", "value": format!("mrn-{id}")}],
        "name": [{"family": family}], "generalPractitioner": [{"reference": "Practitioner/d1"}], "gender": "female", "birthDate": "1980-02-29",
    })
}

/// `category`: `laboratory` or `vital-signs`.
pub(crate) fn observation(id: &str, patient: &str, category: &str) -> Value {
    json!({
        "resourceType": "Observation", "id": id, "status": "final",
        "identifier": [{"system": "urn:obs", "value": id}],
        "category": [{"coding": [{"system": OBSERVATION_CATEGORY, "code": category}]}],
        "code": {"coding": [{"system": "http://loinc.org", "code": "718-7"}]},
        "subject": {"reference": format!("Patient/{patient}")},
        "effectiveDateTime": "2026-05-01T08:00:00Z",
        "valueQuantity": {"value": 13.5, "unit": "g/dL"},
    })
}

pub(crate) fn encounter(id: &str, patient: &str) -> Value {
    json!({
        "resourceType": "Encounter", "id": id, "status": "finished",
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"},
        "subject": {"reference": format!("Patient/{patient}")},
    })
}

pub(crate) fn condition(id: &str, patient: &str) -> Value {
    json!({
        "resourceType": "Condition", "id": id,
        "code": {"coding": [{"system": "http://snomed.info/sct", "code": "38341003"}]},
        "subject": {"reference": format!("Patient/{patient}")},
        "encounter": {"reference": format!("Encounter/e-{patient}")},
    })
}

pub(crate) fn practitioner(id: &str, family: &str) -> Value {
    json!({"resourceType": "Practitioner", "id": id, "name": [{"family": family}]})
}

pub(crate) fn organization(id: &str, name: &str) -> Value {
    json!({"resourceType": "Organization", "id": id, "name": name})
}

/// What a patient signed: `permit` or `deny`, to everybody, for every purpose.
pub(crate) fn consent(id: &str, patient: &str, verdict: &str) -> Value {
    json!({
        "resourceType": "Consent", "id": id, "status": "active",
        "scope": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "patient-privacy"}]},
        "category": [{"coding": [{"system": "http://loinc.org", "code": "59284-0"}]}],
        "patient": {"reference": format!("Patient/{patient}")},
        "dateTime": "2026-01-01T00:00:00Z",
        "policy": [{"uri": "urn:policy:exchange"}],
        "provision": {"type": verdict},
    })
}
