//! What a decision needs to know of a record, beside its content.

use super::compartment::compartments_of;
use super::json::{Document, Element};
use super::search::Pointer;
use super::{Id, Instant, Key, Marks, ResourceType, Version};
use std::collections::BTreeSet;

/// Facts of one version of a record. Stored beside the content; computed from it by `fhir`, never by hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Address.
    pub key: Key,
    /// Version.
    pub version: Version,
    /// `meta.lastUpdated`
    pub updated: Instant,
    /// True for the version that a delete made.
    pub deleted: bool,
    /// Every patient of whose compartment it is a member (R4 `CompartmentDefinition` patient), a Patient being its own; for containers
    /// also each patient that an entry, item or member names; sorted, without repetition.
    pub patients: Vec<Id>,
    /// Labels, dates and what it names.
    pub marks: Marks,
}

/// The patients that a record belongs to: sorted, without repetition.
///
/// Membership follows the definition of the patient compartment; a Patient belongs to itself alone, whatever it links to, because
/// a link is a claim by whoever wrote it. Containers (Bundle, Composition, List, Group, `DocumentManifest`, Parameters) belong to
/// each patient that an entry, item or member names, and contained and inline resources to theirs. A Binary belongs to the patient
/// that its `securityContext` names directly.
///
/// A Provenance is known by the Patients among its targets only: whose the others are ([`belongs_with`]) takes a look at those records. `base` is the server's own base URL.
pub fn patients_of(document: &Document, key: &Key, base: &str) -> Vec<Id> {
    let mut found = Found { base, patients: BTreeSet::new() };
    if key.resource_type == ResourceType::Patient {
        found.patients.insert(key.id.clone());
        found.contained(document.root());
    } else {
        found.resource(document.root(), key.resource_type);
    }
    found.patients.into_iter().collect()
}

/// The records, Patients aside, whose patients a record shares: the targets of a Provenance, the `securityContext` of a Binary.
pub fn belongs_with(document: &Document, of: ResourceType, base: &str) -> Vec<Key> {
    let name = match of {
        ResourceType::Provenance => "target",
        ResourceType::Binary => "securityContext",
        _ => return Vec::new(),
    };
    let mut found: Vec<Key> = each(document.root(), name)
        .filter_map(|reference| reference.text_at("reference").map(|text| Pointer::read(&text, base)))
        .filter_map(|pointer| match pointer {
            Pointer::Local(of, id) if of != ResourceType::Patient => Some(Key::new(of, id)),
            _ => None,
        })
        .collect();
    found.sort();
    found.dedup();
    found
}

struct Found<'b> {
    base: &'b str,
    patients: BTreeSet<Id>,
}

impl Found<'_> {
    /// A resource with its contained ones. JSON that was parsed nests to a bounded depth, so this ends.
    fn resource(&mut self, resource: Element<'_>, resource_type: ResourceType) {
        self.patients.extend(compartments_of(resource, resource_type, ResourceType::Patient, self.base));
        self.contained(resource);
        match resource_type {
            ResourceType::Bundle => self.entries(resource),
            ResourceType::Composition => self.sections(resource),
            ResourceType::List => self.named(resource, "entry", "item"),
            ResourceType::Group => self.named(resource, "member", "entity"),
            ResourceType::DocumentManifest => {
                self.references(resource, "content");
                self.named(resource, "related", "ref");
            }
            ResourceType::Parameters => self.parameters(resource, "parameter"),
            ResourceType::Binary => self.references(resource, "securityContext"),
            _ => {}
        }
    }

    fn contained(&mut self, resource: Element<'_>) {
        each(resource, "contained").for_each(|inner| self.part(inner, false));
    }

    /// A resource inside another. With an address of its own (an entry's, not a contained one's) a Patient names itself.
    fn part(&mut self, resource: Element<'_>, addressed: bool) {
        let Some(resource_type) = resource.text_at("resourceType").and_then(|name| ResourceType::parse(&name)) else { return };
        if resource_type == ResourceType::Patient {
            let id = resource.text_at("id").filter(|_| addressed).and_then(|id| Id::parse(&id));
            self.patients.extend(id);
            return self.contained(resource);
        }
        self.resource(resource, resource_type);
    }

    fn entries(&mut self, bundle: Element<'_>) {
        for entry in each(bundle, "entry") {
            entry.get("fullUrl").and_then(Element::as_str).into_iter().for_each(|url| self.pointer(&url));
            entry.get("resource").into_iter().for_each(|resource| self.part(resource, true));
        }
    }

    fn sections(&mut self, at: Element<'_>) {
        for section in each(at, "section") {
            for name in ["entry", "focus", "author"] {
                self.references(section, name);
            }
            self.sections(section);
        }
    }

    fn parameters(&mut self, at: Element<'_>, name: &str) {
        for parameter in each(at, name) {
            self.references(parameter, "valueReference");
            parameter.get("resource").into_iter().for_each(|resource| self.part(resource, true));
            self.parameters(parameter, "part");
        }
    }

    /// The references under `outer`.`inner`.
    fn named(&mut self, resource: Element<'_>, outer: &str, inner: &str) {
        each(resource, outer).for_each(|element| self.references(element, inner));
    }

    fn references(&mut self, at: Element<'_>, name: &str) {
        for reference in each(at, name) {
            reference.text_at("reference").into_iter().for_each(|text| self.pointer(&text));
        }
    }

    fn pointer(&mut self, text: &str) {
        if let Pointer::Local(ResourceType::Patient, id) = Pointer::read(text, self.base) {
            self.patients.insert(id);
        }
    }
}

/// The items under a member, or the member itself.
fn each<'d>(element: Element<'d>, name: &str) -> impl Iterator<Item = Element<'d>> {
    element.get(name).into_iter().flat_map(Element::flattened)
}

#[cfg(test)]
mod tests {
    use super::{belongs_with, patients_of};
    use crate::fhir::json::Document;
    use crate::fhir::{Key, ResourceType};

    fn patients(key: &str, json: &str) -> Vec<String> {
        let document = Document::parse(json.as_bytes()).unwrap();
        let found = patients_of(&document, &Key::parse(key).unwrap(), "https://own/fhir");
        found.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_patient_belongs_to_itself_whatever_it_links_to() {
        let json = r#"{"resourceType":"Patient","id":"p","link":[{"other":{"reference":"Patient/q"}}]}"#;
        assert_eq!(patients("Patient/p", json), ["p"]);
    }

    #[test]
    fn every_way_into_the_compartment_counts_once() {
        let json = r#"{"resourceType":"Observation","subject":{"reference":"Patient/b"},
            "performer":[{"reference":"https://own/fhir/Patient/a/_history/1"},{"reference":"Patient/b"},{"reference":"https://other/Patient/c"}]}"#;
        assert_eq!(patients("Observation/o", json), ["a", "b"]);
        assert!(patients("Medication/m", r#"{"resourceType":"Medication"}"#).is_empty());
    }

    #[test]
    fn a_bundle_belongs_to_the_patients_inside() {
        let json = r#"{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"Patient","id":"a"}},
            {"resource":{"resourceType":"Observation","subject":{"reference":"Patient/b"},
                "contained":[{"resourceType":"Patient","id":"inside"},{"resourceType":"Condition","subject":{"reference":"Patient/c"}}]}},
            {"fullUrl":"https://own/fhir/Patient/d","resource":{"resourceType":"Basic"}},
            {"resource":{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"Patient","id":"e"}}]}}]}"#;
        assert_eq!(patients("Bundle/x", json), ["a", "b", "c", "d", "e"]);
    }

    #[test]
    fn a_provenance_belongs_with_its_targets_and_a_binary_with_its_context() {
        let with = |json: &str| {
            let document = Document::parse(json.as_bytes()).unwrap();
            let of = ResourceType::parse(&document.root().text_at("resourceType").unwrap()).unwrap();
            belongs_with(&document, of, "https://own/fhir").iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        let targets = r#"{"resourceType":"Provenance","target":[{"reference":"Patient/a"},{"reference":"Observation/o/_history/1"},
            {"reference":"https://own/fhir/Condition/c"},{"reference":"https://else/Condition/d"}]}"#;
        assert_eq!(with(targets), ["Condition/c", "Observation/o"]);
        let context = r#"{"resourceType":"Binary","securityContext":{"reference":"DocumentReference/d"}}"#;
        assert_eq!(with(context), ["DocumentReference/d"]);
        assert!(with(r#"{"resourceType":"Observation","encounter":{"reference":"Encounter/e"}}"#).is_empty());
    }

    #[test]
    fn other_containers_belong_to_those_that_they_name() {
        for (key, json) in [
            ("List/x", r#"{"entry":[{"item":{"reference":"Patient/a"}}]}"#),
            ("Group/x", r#"{"member":[{"entity":{"reference":"Patient/a"}}]}"#),
            ("Composition/x", r#"{"section":[{"section":[{"entry":[{"reference":"Patient/a"}]}]}]}"#),
            ("DocumentManifest/x", r#"{"content":[{"reference":"Patient/a"}]}"#),
            ("Parameters/x", r#"{"parameter":[{"part":[{"valueReference":{"reference":"Patient/a"}}]}]}"#),
            ("Parameters/x", r#"{"parameter":[{"resource":{"resourceType":"Patient","id":"a"}}]}"#),
            ("Provenance/x", r#"{"target":[{"reference":"Patient/a"},{"reference":"Observation/o"}]}"#),
            ("AuditEvent/x", r#"{"entity":[{"what":{"reference":"Patient/a"}}]}"#),
            ("Binary/x", r#"{"securityContext":{"reference":"Patient/a"}}"#),
        ] {
            assert_eq!(patients(key, json), ["a"], "{key}");
        }
    }
}
