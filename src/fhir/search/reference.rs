//! What the text of a reference points at.

use crate::fhir::json::Element;
use crate::fhir::{Id, ResourceType};
use std::collections::HashMap;

/// Where a reference leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pointer {
    /// A record of this server; the version is dropped.
    Local(ResourceType, Id),
    /// Somewhere else: another server, a `urn:`, or a text that is no address of a record here.
    Elsewhere(String),
    /// A resource contained in the same record (`#...`), or nothing at all.
    Inside,
}

impl Pointer {
    /// Reads the text of a reference. `base` is the server's own base URL: what lies below it is local.
    pub fn read(text: &str, base: &str) -> Self {
        let text = text.trim();
        if text.is_empty() || text.starts_with('#') {
            return Self::Inside;
        }
        let below = below_base(text, base).unwrap_or(text);
        let unversioned = below.split_once("/_history/").map_or(below, |(before, _)| before);
        let parts = unversioned.split_once('/').and_then(|(name, id)| Some((ResourceType::parse(name)?, Id::parse(id)?)));
        parts.map_or_else(|| Self::Elsewhere(text.to_owned()), |(resource_type, id)| Self::Local(resource_type, id))
    }
}

/// The resources that a record contains, by what refers to them (`#id`).
#[derive(Debug, Default)]
pub(crate) struct Inside(HashMap<String, ResourceType>);

impl Inside {
    /// Those of a record.
    pub(crate) fn of(record: Element<'_>) -> Self {
        let each = record.get("contained").into_iter().flat_map(Element::items);
        let named = |one: Element<'_>| {
            let id = one.text_at("id").filter(|id| Id::parse(id).is_some())?;
            Some((id.into_owned(), ResourceType::parse(&one.text_at("resourceType")?)?))
        };
        Self(each.filter_map(named).collect())
    }

    /// The type of what this text refers to, when it is contained.
    pub(crate) fn type_of(&self, reference: &str) -> Option<ResourceType> {
        reference.strip_prefix('#').and_then(|id| self.0.get(id)).copied()
    }
}

/// The path below the base, when the text is an absolute URL under it.
fn below_base<'t>(text: &'t str, base: &str) -> Option<&'t str> {
    let base = base.trim_end_matches('/');
    if base.is_empty() {
        return None;
    }
    text.strip_prefix(base)?.strip_prefix('/')
}

#[cfg(test)]
mod tests {
    use super::Pointer;
    use crate::fhir::{Id, ResourceType};

    #[test]
    fn own_records_are_local_in_every_spelling() {
        let local = Pointer::Local(ResourceType::Patient, Id::parse("p1").unwrap());
        for text in
            ["Patient/p1", "Patient/p1/_history/3", "https://own/fhir/Patient/p1", "https://own/fhir/Patient/p1/_history/3"]
        {
            assert_eq!(Pointer::read(text, "https://own/fhir"), local, "{text}");
            assert_eq!(Pointer::read(text, "https://own/fhir/"), local, "{text}");
        }
    }

    #[test]
    fn all_else_is_elsewhere_or_inside() {
        for text in [
            "https://own/fhirx/Patient/p1",
            "https://other/fhir/Patient/p1",
            "urn:uuid:1",
            "p1",
            "patient/p1",
            "Patient/",
            "Patient/a/b",
        ] {
            assert_eq!(Pointer::read(text, "https://own/fhir"), Pointer::Elsewhere(text.to_owned()));
        }
        assert_eq!(Pointer::read("#p1", ""), Pointer::Inside);
        assert_eq!(Pointer::read("", ""), Pointer::Inside);
    }
}
