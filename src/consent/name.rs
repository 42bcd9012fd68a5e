//! Names of people and organizations, and whether one is the caller's (`consent` § 2.1, § 5).

use super::standing::Identified;
use crate::fhir::json::Element;
use crate::fhir::search::Pointer;
use crate::fhir::{Key, ResourceType};

/// One way in which a consent or a token names somebody.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Name {
    /// A record here.
    Local(Key),
    /// A URL elsewhere, or of the own server where its base is not known.
    Elsewhere(String),
    /// `system` and `value`, and of what type of record when that was said.
    Identifier(Option<ResourceType>, String, String),
    /// Nothing that could be compared.
    Unreadable,
}

/// Whether a name is the caller's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Recognition {
    /// It is.
    Is,
    /// It is another's.
    IsNot,
    /// It cannot be told: a membership that is not resolved, or two names of different kinds. A deny takes it for yes, a permit for no.
    Unknown,
}

impl Name {
    /// Reads a literal reference: version and own base stripped. One into the same record leads to nobody who is known here.
    pub(super) fn of_reference(text: &str, base: &str) -> Self {
        match Pointer::read(text, base) {
            Pointer::Local(resource_type, id) => Self::Local(Key::new(resource_type, id)),
            Pointer::Elsewhere(url) => Self::Elsewhere(url),
            Pointer::Inside => Self::Unreadable,
        }
    }

    /// Reads what a token or a registration says of an organization: `Type/id`, a URL, or `system|value`.
    pub(super) fn of_claim(text: &str) -> Self {
        Self::of_identified(&Identified { kind: Some(ResourceType::Organization), text: text.to_owned() })
    }

    /// Reads `Type/id`, a URL, or `system|value`.
    pub(super) fn of_identified(one: &Identified) -> Self {
        match (Key::parse(&one.text), one.text.split_once('|')) {
            (Some(key), _) => Self::Local(key),
            (None, Some((system, value))) => Self::Identifier(one.kind, system.to_owned(), value.to_owned()),
            (None, None) => Self::Elsewhere(one.text.clone()),
        }
    }

    /// Every name in a Reference element: the literal one and the identifier. One that holds neither is unreadable.
    pub(super) fn of_element(reference: Element<'_>, base: &str) -> Vec<Self> {
        let literal = reference.text_at("reference").map(|text| Self::of_reference(&text, base));
        let kind = reference.text_at("type").and_then(|name| ResourceType::parse(name.rsplit('/').next().unwrap_or_default()));
        let identifier = reference.get("identifier").and_then(|identifier| Self::of_identifier(identifier, kind));
        let names: Vec<Self> = literal.into_iter().chain(identifier).collect();
        if names.is_empty() { vec![Self::Unreadable] } else { names }
    }

    /// The name in an Identifier element of a record of this type.
    pub(super) fn of_identifier(identifier: Element<'_>, kind: Option<ResourceType>) -> Option<Self> {
        let value = identifier.text_at("value")?.into_owned();
        Some(Self::Identifier(kind, identifier.text_at("system").unwrap_or_default().into_owned(), value))
    }

    /// The type, when the name tells it.
    pub(super) fn resource_type(&self) -> Option<ResourceType> {
        match self {
            Self::Local(key) => Some(key.resource_type),
            Self::Elsewhere(url) => type_in(url),
            Self::Identifier(kind, ..) => *kind,
            Self::Unreadable => None,
        }
    }

    /// Do both name the same? Identifiers of two different types do not.
    pub(super) fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Unreadable, _) => false,
            (Self::Identifier(kind, system, value), Self::Identifier(others, other_system, other_value)) => {
                system == other_system && value == other_value && (kind == others || kind.is_none() || others.is_none())
            }
            (one, other) => one == other,
        }
    }

    /// Is this name one of `known`? Another name of the same kind says no; names of other kinds leave it open.
    pub(super) fn among<'n>(&self, known: impl IntoIterator<Item = &'n Self>) -> Recognition {
        let mut found = Recognition::Unknown;
        for one in known {
            match (self, one) {
                (one, other) if one.same(other) => return Recognition::Is,
                (Self::Local(_), Self::Local(_)) | (Self::Elsewhere(_), Self::Elsewhere(_)) => found = Recognition::IsNot,
                (Self::Identifier(_, system, _), Self::Identifier(_, other, _)) if system == other => found = Recognition::IsNot,
                _ => {}
            }
        }
        found
    }
}

/// The type of record that a URL ends like the address of.
fn type_in(url: &str) -> Option<ResourceType> {
    let unversioned = url.split_once("/_history/").map_or(url, |(url, _)| url);
    unversioned.rsplit('/').nth(1).and_then(ResourceType::parse)
}

/// One somebody by several names: any that fits decides, else any that could be compared.
pub(super) fn recognize(names: &[Name], one: impl Fn(&Name) -> Recognition) -> Recognition {
    let mut found = Recognition::Unknown;
    for name in names {
        match one(name) {
            Recognition::Is => return Recognition::Is,
            Recognition::IsNot => found = Recognition::IsNot,
            Recognition::Unknown => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::{Name, Recognition};

    #[test]
    fn every_form_of_a_reference_means_the_same() {
        let plain = Name::of_reference("Patient/p1", "");
        let base = "https://localhost:8443/fhir";
        for text in [
            "Patient/p1/_history/3",
            "https://localhost:8443/fhir/Patient/p1",
            "https://localhost:8443/fhir/Patient/p1/_history/3",
        ] {
            assert_eq!(Name::of_reference(text, base), plain, "{text}");
        }
        for text in ["https://elsewhere.example/fhir/Patient/p1", "https://localhost:8443/fhirPatient/p1", "patient/p1"] {
            assert!(matches!(Name::of_reference(text, base), Name::Elsewhere(_)), "{text}");
        }
    }

    #[test]
    fn names_of_different_kinds_tell_nothing_about_each_other() {
        let here = Name::of_claim("Organization/a");
        let number = Name::of_claim("urn:oid:1.2|7");
        assert_eq!(here.among([&number]), Recognition::Unknown);
        assert_eq!(number.among([&Name::of_claim("urn:oid:9|7")]), Recognition::Unknown);
        assert_eq!(number.among([&Name::of_claim("urn:oid:1.2|8")]), Recognition::IsNot);
        assert_eq!(here.among([&number, &here]), Recognition::Is);
        assert_eq!(Name::Unreadable.among([&Name::Unreadable]), Recognition::Unknown);
    }
}
