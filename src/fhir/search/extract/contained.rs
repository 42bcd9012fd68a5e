//! The values of contained resources, for `_contained`.

use super::Source;
use crate::fhir::json::{Document, Element};
use crate::fhir::search::custom::CustomParameters;
use crate::fhir::search::holds;
use crate::fhir::search::index::{IndexEntry, IndexValue};
use crate::fhir::search::parameter::{CONTAINED, ELEMENTS};
use crate::fhir::search::query::Contained;
use crate::fhir::search::reference::Inside;
use crate::fhir::{Id, Instant, Key, ResourceType, definitions};

/// Contained resources whose values are kept. A record with more has the rest of them in its content alone.
const MOST: i32 = 1 << 18;

/// The values of everything that a record contains.
pub(super) fn values(record: Element<'_>, from: Source<'_>) -> Vec<IndexEntry> {
    let mut entries = Vec::new();
    for (number, resource) in (1..MOST).zip(each(record)) {
        let Some(resource_type) = type_of(resource) else { continue };
        let kind = IndexValue::Token { system: String::new(), code: resource_type.name().to_owned() };
        entries.push(IndexEntry { parameter: CONTAINED, group: number * ELEMENTS, value: kind });
        let own = super::values(resource, resource_type, from, &|_| true).into_iter();
        let kept = own.filter(|entry| !matches!(entry.value, IndexValue::Words(_)) && entry.group < ELEMENTS);
        entries.extend(kept.map(|entry| inside(entry, number)));
        if let Some(id) = resource.text_at("id") {
            let value = IndexValue::Token { system: String::new(), code: id.into_owned() };
            let parameter = definitions::search_parameter(resource_type, "_id").map(|parameter| parameter.id);
            entries.extend(parameter.map(|parameter| inside(IndexEntry { parameter, group: 0, value }, number)));
        }
    }
    entries
}

fn inside(entry: IndexEntry, number: i32) -> IndexEntry {
    IndexEntry { parameter: entry.parameter.inside(), group: number * ELEMENTS + entry.group, value: entry.value }
}

/// The contained resources of a record that a search is about, as they lie.
pub fn matching<'d>(document: &'d Document, contained: &Contained, base: &str, known: &CustomParameters) -> Vec<Element<'d>> {
    let inside = Inside::of(document.root());
    let from = Source { base, known, inside: &inside };
    let wanted = |resource: &Element<'d>| {
        let Some(id) = resource.text_at("id").and_then(|id| Id::parse(&id)) else { return false };
        let entries = super::values(*resource, contained.of, from, &|_| true);
        let key = Key::new(contained.of, id);
        type_of(*resource) == Some(contained.of)
            && contained.criteria.iter().all(|criterion| holds(criterion, &key, Instant(0), &entries) == Some(true))
    };
    each(document.root()).filter(wanted).collect()
}

fn each(record: Element<'_>) -> impl Iterator<Item = Element<'_>> {
    record.get("contained").into_iter().flat_map(Element::items)
}

fn type_of(resource: Element<'_>) -> Option<ResourceType> {
    resource.text_at("resourceType").and_then(|name| ResourceType::parse(&name))
}
