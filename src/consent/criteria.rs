//! The criteria of a provision, read element by element. Codes become what they mean here; what means nothing stays as unknown.

use super::codes;
use super::name::Name;
use super::requester::Actions;
use super::rule::{Actor, Class, Concept, Datum, Labels, ListedActions, Meaning};
use super::sensitivity::Label;
use super::site::Site;
use crate::fhir::ResourceType;
use crate::fhir::json::Element;

/// Types of resources.
const RESOURCE_TYPES: &str = "http://hl7.org/fhir/resource-types";
/// URIs as codes: here of profiles.
const URI: &str = "urn:ietf:rfc:3986";
/// MIME types.
const MIME: &str = "urn:ietf:bcp:13";

/// The codings of a `CodeableConcept` or a Coding, as canonical system (empty when there is none) and code.
pub(super) fn codes_of(concept: Element<'_>) -> Vec<(String, String)> {
    let codings = concept.get("coding").map_or_else(|| concept.flattened(), Element::flattened);
    codings.map(coding).collect()
}

fn coding(coding: Element<'_>) -> (String, String) {
    let part = |name: &str| coding.text_at(name).unwrap_or_default();
    (codes::canonical(&part("system")).to_owned(), part("code").into_owned())
}

pub(super) fn actor(element: Element<'_>, base: &str) -> Actor {
    let roles = element.get("role").map(codes_of).unwrap_or_default();
    let custodian = roles.iter().any(|(system, code)| system == codes::PARTICIPATION && code == "CST");
    let names = element.get("reference").map_or_else(|| vec![Name::Unreadable], |one| Name::of_element(one, base));
    Actor { custodian, names }
}

/// Each concept is one alternative; one that none of its codings makes known is unknown.
pub(super) fn action(concept: Element<'_>) -> Option<Actions> {
    codes_of(concept).iter().filter(|(system, _)| system == codes::ACTION).find_map(|(_, code)| Actions::parse(code))
}

pub(super) fn actions(listed: &[Option<Actions>]) -> ListedActions {
    ListedActions { known: listed.iter().flatten().copied().collect(), any_unknown: listed.contains(&None) }
}

/// What a label listed as a criterion says: confidentiality or sensitivity. Handling and integrity are no criteria, so that such a one is
/// as good as unknown.
pub(super) fn label(element: Element<'_>, site: &Site) -> Option<Label> {
    let (system, code) = coding(element);
    site.words.label(&system, &code).filter(|one| matches!(one, Label::Confidentiality(_) | Label::Sensitivity(_)))
}

pub(super) fn labels(listed: &[Option<Label>], site: &Site) -> Labels {
    let mut all = Labels::default();
    for one in listed {
        match one {
            Some(Label::Confidentiality(one)) => all.confidentiality.push(*one),
            Some(Label::Sensitivity(bit)) => all.sensitivity.push(site.words.closure(*bit)),
            _ => all.any_unknown = true,
        }
    }
    all
}

pub(super) fn class(element: Element<'_>) -> Class {
    let (system, code) = coding(element);
    match system.as_str() {
        _ if code.is_empty() => Class::Unknown,
        RESOURCE_TYPES => ResourceType::parse(&code).map_or(Class::Unknown, Class::Type),
        URI => Class::Profile(code),
        MIME => Class::Mime(code),
        _ => Class::Unknown,
    }
}

pub(super) fn concept(element: Element<'_>) -> Concept {
    let codings = element.get("coding").into_iter().flat_map(Element::flattened);
    Concept(codings.map(coding).collect())
}

/// `None` when the meaning is missing or unknown.
pub(super) fn datum(element: Element<'_>, base: &str) -> Option<Datum> {
    let meaning = match element.text_at("meaning")?.as_ref() {
        "instance" => Meaning::Instance,
        "related" => Meaning::Related,
        "dependents" => Meaning::Dependents,
        "authoredby" => Meaning::AuthoredBy,
        _ => return None,
    };
    let names = element.get("reference").map_or_else(|| vec![Name::Unreadable], |one| Name::of_element(one, base));
    Some(Datum { meaning, names })
}
