//! References that tell more of a record than where it lies (`consent` § 9, L8).

use super::definitions::compartment_parameters;
use super::json::{Element, Kind};
use super::search::Pointer;
use super::{Key, ResourceType};

/// What stays of a reference to a record that is not shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Silence {
    /// The address alone.
    Words,
    /// Nothing.
    Whole,
}

/// Whether records of a type may belong to patients, so that patients may hide them.
pub fn belongs_to_patients(of: ResourceType) -> bool {
    match of {
        // Containers, and what is attached to another record, have patients though no compartment lists them.
        ResourceType::Patient | ResourceType::Bundle | ResourceType::Binary | ResourceType::Parameters => true,
        of => !compartment_parameters(ResourceType::Patient, of).is_empty(),
    }
}

/// The record here that an object names, when it is a reference to one that may belong to patients. `base` is the server's own base URL.
pub fn patients_record(value: Element<'_>, base: &str) -> Option<Key> {
    let text = (value.kind() == Kind::Object).then(|| value.text_at("reference")).flatten()?;
    match Pointer::read(&text, base) {
        Pointer::Local(of, id) if belongs_to_patients(of) => Some(Key::new(of, id)),
        _ => None,
    }
}

/// What must go of a reference, were the record that it names hidden; `None` when it tells nothing but where that lies. Ids carry no
/// meaning; the number of a version tells how often a record was changed.
pub fn silence(reference: Element<'_>) -> Option<Silence> {
    if reference.text_at("reference").is_some_and(|text| text.contains("/_history/")) {
        return Some(Silence::Whole);
    }
    let plain = |name: &str| matches!(name.strip_prefix('_').unwrap_or(name), "reference" | "type" | "id");
    reference.members().any(|(name, _)| !plain(&name)).then_some(Silence::Words)
}

#[cfg(test)]
mod tests {
    use super::{Silence, belongs_to_patients, patients_record, silence};
    use crate::fhir::ResourceType;
    use crate::fhir::json::Document;

    fn told(json: &str) -> Option<Silence> {
        let document = Document::parse(json.as_bytes()).unwrap();
        patients_record(document.root(), "https://own").and_then(|_| silence(document.root()))
    }

    #[test]
    fn an_address_alone_tells_nothing() {
        assert_eq!(told(r#"{"reference":"Observation/b000001-5","type":"Observation"}"#), None);
        assert_eq!(told(r#"{"reference":"https://own/Observation/1"}"#), None);
        assert_eq!(told(r#"{"reference":"Observation/1/_history/7"}"#), Some(Silence::Whole));
        assert_eq!(told(r#"{"reference":"Observation/1","display":"HIV"}"#), Some(Silence::Words));
        assert_eq!(told(r#"{"reference":"Observation/1","identifier":{"value":"HIV"}}"#), Some(Silence::Words));
        assert_eq!(told(r#"{"reference":"Observation/1","_display":{"extension":[]}}"#), Some(Silence::Words));
    }

    #[test]
    fn only_records_that_patients_may_hide_count() {
        assert_eq!(told(r#"{"reference":"Practitioner/house","display":"Dr. House"}"#), None);
        assert_eq!(told(r#"{"reference":"https://other/Observation/hiv","display":"HIV"}"#), None);
        assert_eq!(told(r##"{"reference":"#hiv","display":"HIV"}"##), None);
        assert!(belongs_to_patients(ResourceType::DocumentReference) && !belongs_to_patients(ResourceType::Medication));
    }
}
