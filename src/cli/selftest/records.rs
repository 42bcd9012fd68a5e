//! Small records for the worlds of the self-test: few words, used over and over, so that random requests meet them.

use serde_json::{Value, json};

const CATEGORY: &str = "http://terminology.hl7.org/CodeSystem/observation-category";
const ACT_CODE: &str = "http://terminology.hl7.org/CodeSystem/v3-ActCode";

fn to(key: &str) -> Value {
    json!({ "reference": key })
}

/// A reference that says more than where it leads.
pub(super) fn named(key: &str) -> Value {
    json!({"reference": key, "display": format!("Words on {key}"), "identifier": {"system": "urn:obs", "value": "named"}})
}

/// A list of references.
pub(super) fn all(keys: &[&str]) -> Value {
    keys.iter().map(|key| to(key)).collect()
}

/// The record with one more member.
pub(super) fn with(mut record: Value, name: &str, value: Value) -> Value {
    if let Some(members) = record.as_object_mut() {
        members.insert(name.to_owned(), value);
    }
    record
}

/// The record labelled.
pub(super) fn labelled(record: Value, code: &str) -> Value {
    with(record, "meta", json!({"security": [{"system": ACT_CODE, "code": code}], "tag": [{"system": "urn:tag", "code": "x"}]}))
}

pub(super) fn patient(id: &str, family: &str) -> Value {
    json!({
        "resourceType": "Patient", "id": id, "active": true,
        "identifier": [{"system": "urn:mrn", "value": format!("mrn-{id}")}],
        "name": [{"family": family, "given": ["Sana"]}], "gender": "female", "birthDate": "1980-02-29",
        "generalPractitioner": [to("Practitioner/d1")], "managingOrganization": to("Organization/h1"),
    })
}

/// `category`: `laboratory` or `vital-signs`.
pub(super) fn observation(id: &str, patient: &str, category: &str, when: &str) -> Value {
    json!({
        "resourceType": "Observation", "id": id, "status": "final",
        "identifier": [{"system": "urn:obs", "value": id}],
        "category": [{"coding": [{"system": CATEGORY, "code": category}]}],
        "code": {"coding": [{"system": "http://loinc.org", "code": "718-7", "display": "Hemoglobin"}]},
        "subject": to(&format!("Patient/{patient}")), "encounter": to(&format!("Encounter/e-{patient}")),
        "performer": [to("Practitioner/d1")],
        "effectiveDateTime": when, "valueQuantity": {"value": 13.5, "unit": "g/dL"},
    })
}

pub(super) fn encounter(id: &str, patient: &str) -> Value {
    json!({
        "resourceType": "Encounter", "id": id, "status": "finished",
        "class": {"system": ACT_CODE, "code": "AMB"}, "subject": to(&format!("Patient/{patient}")),
        "participant": [{"individual": to("Practitioner/d1")}], "period": {"start": "2026-05-01", "end": "2026-05-02"},
    })
}

pub(super) fn condition(id: &str, patient: &str) -> Value {
    json!({
        "resourceType": "Condition", "id": id,
        "code": {"coding": [{"system": "http://snomed.info/sct", "code": "38341003"}], "text": "Hypertension"},
        "subject": to(&format!("Patient/{patient}")), "encounter": to(&format!("Encounter/e-{patient}")),
        "onsetDateTime": "2026-04-01", "asserter": to("Practitioner/d1"),
    })
}

pub(super) fn report(id: &str, patient: &str, results: &[&str]) -> Value {
    json!({
        "resourceType": "DiagnosticReport", "id": id, "status": "final", "issued": "2026-05-03T00:00:00Z",
        "code": {"coding": [{"system": "http://loinc.org", "code": "58410-2"}]},
        "subject": to(&format!("Patient/{patient}")), "result": all(results), "performer": [to("Organization/h1")],
    })
}

pub(super) fn prescription(id: &str, patient: &str) -> Value {
    json!({
        "resourceType": "MedicationRequest", "id": id, "status": "active", "intent": "order",
        "medicationCodeableConcept": {"coding": [{"system": "http://www.nlm.nih.gov/research/umls/rxnorm", "code": "197361"}]},
        "subject": to(&format!("Patient/{patient}")), "requester": to("Practitioner/d1"), "authoredOn": "2026-05-04",
    })
}

pub(super) fn list(id: &str, patient: &str, items: &[&str]) -> Value {
    let entries: Vec<Value> = items.iter().map(|item| json!({ "item": to(item) })).collect();
    json!({
        "resourceType": "List", "id": id, "status": "current", "mode": "working", "date": "2026-05-05",
        "subject": to(&format!("Patient/{patient}")), "source": to("Practitioner/d1"), "entry": entries,
    })
}

pub(super) fn provenance(id: &str, targets: &[&str]) -> Value {
    json!({
        "resourceType": "Provenance", "id": id, "target": all(targets), "recorded": "2026-05-05T00:00:00Z",
        "agent": [{"who": to("Practitioner/d1")}],
    })
}

pub(super) fn practitioner(id: &str, family: &str) -> Value {
    json!({"resourceType": "Practitioner", "id": id, "name": [{"family": family}], "active": true})
}

pub(super) fn organization(id: &str, name: &str) -> Value {
    json!({"resourceType": "Organization", "id": id, "name": name, "active": true})
}

/// What a patient signed, to everybody and for every purpose.
pub(super) fn consent(id: &str, patient: &str, provision: &Value) -> Value {
    json!({
        "resourceType": "Consent", "id": id, "status": "active",
        "scope": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "patient-privacy"}]},
        "category": [{"coding": [{"system": "http://loinc.org", "code": "59284-0"}]}],
        "patient": to(&format!("Patient/{patient}")), "dateTime": "2026-01-01T00:00:00Z",
        "policy": [{"uri": "urn:policy:exchange"}], "provision": provision,
    })
}

/// A permit but for records labelled so, of this type, of these years.
pub(super) fn but_for(label: &str, class: &str, years: [&str; 2]) -> Value {
    json!({"type": "permit", "provision": [
        {"type": "deny", "securityLabel": [{"system": ACT_CODE, "code": label}]},
        {"type": "deny", "class": [{"system": "http://hl7.org/fhir/resource-types", "code": class}]},
        {"type": "deny", "dataPeriod": {"start": years[0], "end": years[1]}},
    ]})
}
