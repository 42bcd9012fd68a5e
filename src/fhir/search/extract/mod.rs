//! The index values of a record: every search parameter of its type, by the definitions alone.

mod contained;
mod ordering;
mod quantities;
mod references;
mod tokens;

pub use contained::matching as contained_matching;
pub use ordering::order;

use super::custom::CustomParameters;
use super::date;
use super::decimal::finite;
use super::element_type::ElementType;
use super::expression::{Branch, Program, Reached, Yields};
use super::folding::fold;
use super::globe::Globe;
use super::index::{IndexEntry, IndexValue};
use super::parameter::{ParameterId, ParameterType, SearchParameter};
use super::reference::Inside;
use super::words::{content, narrative};
use crate::fhir::definitions::{Definition, Values, definitions};
use crate::fhir::json::{Document, Element};
use crate::fhir::partial::{Partial, may_hold_inline_labels, partial};
use crate::fhir::{Instant, ResourceType};

/// Which values are extracted, as a number that grows whenever that changes: records that were stored before are then indexed again, in the
/// background, with the first start of the new release.
pub const EXTRACTION: i64 = 3;

/// Every value of every search parameter of the record, without repetition, except `_id` and `_lastUpdated`, which the record
/// store keeps by itself. `base` is the server's own base URL: references below it are local ones.
///
/// A reference to a contained resource makes an entry with its `#id`, which is no id of a record. No entry makes an element with an inline security
/// label: who may not see it must not find the record by it (`consent` L9), and an index knows no callers.
///
/// Beside them, the values of what it contains (`_contained`), each under the numbers of [`ParameterId::inside`].
pub fn extract(document: &Document, resource_type: ResourceType, base: &str, known: &CustomParameters) -> Vec<IndexEntry> {
    in_the_open(document, |root| {
        let from = Source { base, known, inside: &Inside::of(root) };
        let mut entries = values(root, resource_type, from, &|_| true);
        entries.append(&mut contained::values(root, from));
        entries
    })
}

/// The values of some of the parameters: those that [`extract`] gives for them, what is contained aside.
pub fn extract_some(
    document: &Document,
    resource_type: ResourceType,
    base: &str,
    known: &CustomParameters,
    parameters: &[ParameterId],
) -> Vec<IndexEntry> {
    in_the_open(document, |root| {
        let from = Source { base, known, inside: &Inside::of(root) };
        values(root, resource_type, from, &|id| parameters.contains(&id))
    })
}

/// The record without what only some may see of it.
fn in_the_open<T>(document: &Document, read: impl FnOnce(Element<'_>) -> T) -> T {
    let labelled = may_hold_inline_labels(document.text().as_bytes());
    let open =
        labelled.then(|| partial(document, &Partial { shows: &|_| false, tells: &|_, _| true, hushes: &|_| None })).flatten();
    let open = open.and_then(|text| Document::parse(text.as_bytes()).ok());
    read(open.as_ref().unwrap_or(document).root())
}

/// What the values of a resource depend on beside itself.
#[derive(Clone, Copy)]
struct Source<'s> {
    base: &'s str,
    known: &'s CustomParameters,
    /// What its record contains.
    inside: &'s Inside,
}

/// The values of one resource, of the parameters that are wanted.
fn values(
    resource: Element<'_>,
    resource_type: ResourceType,
    from: Source<'_>,
    wanted: &dyn Fn(ParameterId) -> bool,
) -> Vec<IndexEntry> {
    let mut collector = Collector { base: from.base, inside: from.inside, entries: Vec::with_capacity(64) };
    for definition in definitions(resource_type).iter().chain(from.known.extracted(resource_type)) {
        if wanted(definition.parameter.id) && !matches!(definition.parameter.code.as_str(), "_id" | "_lastUpdated") {
            let from = collector.entries.len();
            collector.parameter(definition, resource);
            ordering::without_repetition(&mut collector.entries, from);
        }
    }
    collector.entries
}

/// The values of one parameter of a resource, which may be a part of a document; what it contains is not referred to.
pub(crate) fn values_of(definition: &Definition, resource: Element<'_>, base: &str) -> Vec<IndexEntry> {
    let mut collector = Collector { base, inside: &Inside::default(), entries: Vec::new() };
    collector.parameter(definition, resource);
    collector.entries
}

/// Where a value goes: rows, group.
#[derive(Clone, Copy)]
struct Place<'p> {
    id: ParameterId,
    group: i32,
    /// The types that the parameter may point at; empty is any.
    targets: &'p [ResourceType],
}

struct Collector<'b> {
    base: &'b str,
    inside: &'b Inside,
    entries: Vec<IndexEntry>,
}

impl Collector<'_> {
    fn parameter(&mut self, definition: &Definition, resource: Element<'_>) {
        match &definition.values {
            Values::Of(program) => self.plain(&definition.parameter, program, resource),
            Values::Composite(bases) => self.composite(&definition.parameter, bases, resource),
            Values::Narrative => self.words(&definition.parameter, narrative(resource)),
            Values::Content => self.words(&definition.parameter, content(resource)),
            Values::Position(program) => program.each(self.inside, resource, resource, &mut |reached| {
                self.position(&definition.parameter, reached.element);
            }),
        }
    }

    fn plain(&mut self, parameter: &SearchParameter, program: &Program, resource: Element<'_>) {
        let place = Place { id: parameter.id, group: 0, targets: &parameter.targets };
        if program.yields == Yields::Presence {
            let mut present = false;
            program.each(self.inside, resource, resource, &mut |reached| present |= reached.element.as_bool() != Some(false));
            return self.token(place, "", if present { "true" } else { "false" });
        }
        program.each(self.inside, resource, resource, &mut |reached| self.value(place, parameter.parameter_type, reached));
    }

    /// Components of one element share a group number; elements are numbered from 1.
    fn composite(&mut self, parameter: &SearchParameter, bases: &[(Branch, Vec<Program>)], resource: Element<'_>) {
        let mut group = 0;
        for (branch, programs) in bases {
            branch.each(self.inside, resource, &mut |context| {
                group += 1;
                for (component, program) in parameter.components.iter().zip(programs) {
                    let place = Place { id: component.id, group, targets: &component.targets };
                    program.each(self.inside, resource, context.element, &mut |reached| {
                        self.value(place, component.parameter_type, reached);
                    });
                }
            });
        }
    }

    fn value(&mut self, place: Place<'_>, parameter_type: ParameterType, reached: Reached<'_>) {
        match parameter_type {
            ParameterType::Token => self.tokens(place, reached),
            ParameterType::String => self.strings(place, reached),
            ParameterType::Reference => self.reference(place, reached),
            ParameterType::Date => self.dates(place, reached),
            ParameterType::Number => self.number(place, reached),
            ParameterType::Quantity => self.quantity(place, reached),
            ParameterType::Uri => self.uris(place, reached),
            ParameterType::Composite | ParameterType::Special => {}
        }
    }

    fn words(&mut self, parameter: &SearchParameter, words: String) {
        if !words.is_empty() {
            self.entries.push(IndexEntry { parameter: parameter.id, group: 0, value: IndexValue::Words(words) });
        }
    }

    /// A place, as a point of the unit sphere.
    fn position(&mut self, parameter: &SearchParameter, element: Element<'_>) {
        let degrees = |name: &str| element.get(name).and_then(Element::number_text).and_then(finite);
        let (Some(latitude), Some(longitude)) = (degrees("latitude"), degrees("longitude")) else { return };
        let Some(Globe { x, y, z }) = Globe::new(latitude, longitude) else { return };
        for (n, at) in (0..).zip([x, y, z]) {
            let place = Place { id: parameter.id.component(n), group: 1, targets: &[] };
            self.push(place, IndexValue::Number { low: at, high: at });
        }
    }

    fn push(&mut self, place: Place<'_>, value: IndexValue) {
        self.entries.push(IndexEntry { parameter: place.id, group: place.group, value });
    }

    fn text(&mut self, place: Place<'_>, exact: &str) {
        let folded = fold(exact);
        if !folded.is_empty() {
            self.push(place, IndexValue::Text { folded, exact: exact.to_owned() });
        }
    }

    fn strings(&mut self, place: Place<'_>, reached: Reached<'_>) {
        const NAME: [&str; 5] = ["family", "given", "prefix", "suffix", "text"];
        const ADDRESS: [&str; 7] = ["line", "city", "district", "state", "postalCode", "country", "text"];
        let parts: &[&str] = match reached.element_type {
            ElementType::HumanName => &NAME,
            ElementType::Address => &ADDRESS,
            ElementType::CodeableConcept => {
                for coding in reached.element.get("coding").into_iter().flat_map(Element::flattened) {
                    coding.text_at("display").into_iter().for_each(|text| self.text(place, &text));
                }
                &["text"]
            }
            _ => {
                return reached.element.as_str().into_iter().for_each(|text| self.text(place, &text));
            }
        };
        for value in parts.iter().filter_map(|name| reached.element.get(name)).flat_map(Element::flattened) {
            value.as_str().into_iter().for_each(|text| self.text(place, &text));
        }
    }

    fn dates(&mut self, place: Place<'_>, reached: Reached<'_>) {
        let interval = match reached.element_type {
            ElementType::Date => reached.element.as_str().and_then(|text| date::interval(&text)),
            ElementType::Period => period(reached.element),
            ElementType::Timing => timing(reached.element),
            _ => None,
        };
        if let Some((low, high)) = interval {
            self.push(place, IndexValue::Date { low, high });
        }
    }
}

/// The outer limits of a Timing, which are all of it that matters (R4 search § 3.1.1.4.7): those of its events and of the period that
/// bounds it. A duration is bound to no time.
fn timing(element: Element<'_>) -> Option<(Instant, Instant)> {
    let events = element.get("event").into_iter().flat_map(Element::flattened);
    let bounds = element.get("repeat").and_then(|repeat| repeat.get("boundsPeriod")).and_then(period);
    let all = events.filter_map(Element::as_str).filter_map(|text| date::interval(&text)).chain(bounds);
    all.reduce(|(low, high), (from, to)| (low.min(from), high.max(to)))
}

/// The interval of a Period; an end that is missing is open, a Period with neither is nothing.
fn period(element: Element<'_>) -> Option<(Instant, Instant)> {
    let end = |name: &str| element.text_at(name).and_then(|text| date::interval(&text));
    let (start, finish) = (end("start"), end("end"));
    if start.is_none() && finish.is_none() {
        return None;
    }
    Some((start.map_or(Instant(i64::MIN), |(low, _)| low), finish.map_or(Instant(i64::MAX), |(_, high)| high)))
}

#[cfg(test)]
mod tests;
