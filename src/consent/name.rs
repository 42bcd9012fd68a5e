//! Names of people and organizations, and whether one is the caller's (`consent` § 2.1, § 5).

use crate::fhir::json::Element;
use crate::fhir::{Key, ResourceType};

/// One way in which a consent or a token names somebody.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Name {
    /// A record here.
    Local(Key),
    /// A URL elsewhere, or of the own server where its base is not known.
    Elsewhere(String),
    /// `system` and `value`.
    Identifier(String, String),
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
    /// Reads a literal reference: version and own base stripped.
    pub(super) fn of_reference(text: &str, base: &str) -> Self {
        let own = text.strip_prefix(base).filter(|_| !base.is_empty()).and_then(|rest| rest.strip_prefix('/')).unwrap_or(text);
        let unversioned = own.split_once("/_history/").map_or(own, |(key, _)| key);
        Key::parse(unversioned).map_or_else(|| Self::Elsewhere(text.to_owned()), Self::Local)
    }

    /// Reads what a token or a registration says: `Type/id`, a URL, or `system|value`.
    pub(super) fn of_claim(text: &str) -> Self {
        match (Key::parse(text), text.split_once('|')) {
            (Some(key), _) => Self::Local(key),
            (None, Some((system, value))) => Self::Identifier(system.to_owned(), value.to_owned()),
            (None, None) => Self::Elsewhere(text.to_owned()),
        }
    }

    /// Every name in a Reference element: the literal one and the identifier. One that holds neither is unreadable.
    pub(super) fn of_element(reference: Element<'_>, base: &str) -> Vec<Self> {
        let literal = reference.text_at("reference").map(|text| Self::of_reference(&text, base));
        let identifier = reference.get("identifier").and_then(|identifier| {
            let value = identifier.text_at("value")?.into_owned();
            Some(Self::Identifier(identifier.text_at("system").unwrap_or_default().into_owned(), value))
        });
        let names: Vec<Self> = literal.into_iter().chain(identifier).collect();
        if names.is_empty() { vec![Self::Unreadable] } else { names }
    }

    /// The type, when the name tells it.
    pub(super) fn resource_type(&self) -> Option<ResourceType> {
        match self {
            Self::Local(key) => Some(key.resource_type),
            _ => None,
        }
    }

    /// False for a URL elsewhere that ends like the address of a record of another type.
    pub(super) fn seems_an_organization(&self) -> bool {
        let Self::Elsewhere(url) = self else { return true };
        let unversioned = url.split_once("/_history/").map_or(url.as_str(), |(url, _)| url);
        let named = unversioned.rsplit('/').nth(1).and_then(ResourceType::parse);
        named.is_none_or(|one| one == ResourceType::Organization)
    }

    /// Is this name one of `known`? Another name of the same kind says no; names of other kinds leave it open.
    pub(super) fn among<'n>(&self, known: impl IntoIterator<Item = &'n Self>) -> Recognition {
        let mut found = Recognition::Unknown;
        for one in known {
            match (self, one) {
                (one, other) if one == other && *one != Self::Unreadable => return Recognition::Is,
                (Self::Local(_), Self::Local(_)) | (Self::Elsewhere(_), Self::Elsewhere(_)) => found = Recognition::IsNot,
                (Self::Identifier(system, _), Self::Identifier(other, _)) if system == other => found = Recognition::IsNot,
                _ => {}
            }
        }
        found
    }
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
