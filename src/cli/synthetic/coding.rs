//! Small FHIR shapes that every record of the demo is made of.

use serde_json::{Value, json};

pub(super) const LOINC: &str = "http://loinc.org";
pub(super) const SNOMED: &str = "http://snomed.info/sct";
pub(super) const UCUM: &str = "http://unitsofmeasure.org";
pub(super) const ATC: &str = "http://www.whocc.no/atc";
pub(super) const CVX: &str = "http://hl7.org/fhir/sid/cvx";

/// A code system of HL7 terminology by its short name.
pub(super) fn hl7(name: &str) -> String {
    format!("http://terminology.hl7.org/CodeSystem/{name}")
}

/// A Coding with its display.
pub(super) fn coding(system: &str, code: &str, display: &str) -> Value {
    json!({ "system": system, "code": code, "display": display })
}

/// A `CodeableConcept` with one Coding and its display.
pub(super) fn concept(system: &str, code: &str, display: &str) -> Value {
    json!({ "coding": [coding(system, code, display)] })
}

/// A `CodeableConcept` with a Coding that needs no words.
pub(super) fn code_alone(system: &str, code: &str) -> Value {
    json!({ "coding": [{ "system": system, "code": code }] })
}

/// The same, in a code system of HL7 terminology by its short name.
pub(super) fn hl7_code(system: &str, code: &str) -> Value {
    code_alone(&hl7(system), code)
}

/// A Reference to `Type/id`.
pub(super) fn reference(target: &str) -> Value {
    json!({ "reference": target })
}

/// A Quantity in a UCUM unit.
pub(super) fn quantity(value: &Value, unit: &str) -> Value {
    json!({ "value": value, "unit": unit, "system": UCUM, "code": unit })
}
