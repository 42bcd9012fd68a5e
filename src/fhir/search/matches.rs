//! Whether a criterion holds for a record, from the record's index values alone.
//!
//! Slow and obvious on purpose: it decides granular scopes on writes, and it is what the compiler to SQL is tested against.

use super::globe::{Globe, chord_square};
use super::index::{IndexEntry, IndexValue};
use super::parameter::{ParameterId, SearchParameter};
use super::query::{
    Circle, Criterion, DateValue, Modifier, NumberValue, Prefix, QuantityValue, ReferenceValue, SystemMatch, TokenValue, Value,
};
use crate::fhir::{Instant, Key, ResourceType};
use std::collections::BTreeSet;

/// Whether the criterion holds for the record with this address, update time and values (see [`super::extract`]).
/// `None` for chains and reverse chains: they depend on other records; and for contained resources, which have values of their own.
pub fn holds(criterion: &Criterion, key: &Key, updated: Instant, entries: &[IndexEntry]) -> Option<bool> {
    let each = |all: &[Criterion], decisive: bool| {
        let mut outcome = Some(!decisive);
        for one in all {
            match holds(one, key, updated, entries) {
                Some(holds) if holds == decisive => return Some(decisive),
                Some(_) => {}
                None => outcome = None,
            }
        }
        outcome
    };
    Some(match criterion {
        Criterion::Id(ids) => ids.contains(&key.id),
        Criterion::LastUpdated(dates) => {
            let next = Instant(updated.0.saturating_add(1));
            dates.iter().any(|date| date_holds(date, updated, next))
        }
        Criterion::Missing { parameter, missing } => is_missing(parameter, entries) == *missing,
        Criterion::Match { parameter, modifier: Modifier::Not, values } => {
            !values.iter().any(|value| any(parameter.id, entries, |found| value_holds(value, &Modifier::Plain, parameter, found)))
        }
        Criterion::Match { parameter, modifier: Modifier::Unequal, values } => {
            any(parameter.id, entries, |found| !values.iter().any(|value| value_holds(value, &Modifier::Equal, parameter, found)))
        }
        Criterion::Match { parameter, modifier, values } => values.iter().any(|value| match value {
            Value::Composite(parts) => composite_holds(parameter, parts, entries),
            value => any(rows(parameter, modifier), entries, |found| value_holds(value, modifier, parameter, found)),
        }),
        Criterion::OfEach(each) => match each.iter().find(|(of, _)| *of == key.resource_type) {
            Some((_, criterion)) => return holds(criterion, key, updated, entries),
            None => false,
        },
        Criterion::All(all) => return each(all, false),
        Criterion::Any(any) => return each(any, true),
        Criterion::Not(inner) => return holds(inner, key, updated, entries).map(|holds| !holds),
        Criterion::Words(id, wanted) => {
            any(*id, entries, |found| matches!(found, IndexValue::Words(words) if wanted.hold(words)))
        }
        Criterion::Near { parameter, circles } => circles.iter().any(|circle| is_near(circle, parameter, entries)),
        Criterion::Has { .. } | Criterion::Chain { .. } | Criterion::Contained { .. } => return None,
    })
}

/// The rows that a modifier looks at.
fn rows(parameter: &SearchParameter, modifier: &Modifier) -> ParameterId {
    match modifier {
        Modifier::Text => parameter.id.text(),
        Modifier::Identifier => parameter.id.identifier(),
        Modifier::OfType => parameter.id.typed(),
        _ => parameter.id,
    }
}

fn is_near(circle: &Circle, parameter: &SearchParameter, entries: &[IndexEntry]) -> bool {
    let at = |n: i32| {
        entries.iter().find_map(|entry| match entry.value {
            IndexValue::Number { low, .. } if entry.parameter == parameter.id.component(n) => Some(low),
            _ => None,
        })
    };
    let (Some(x), Some(y), Some(z)) = (at(0), at(1), at(2)) else { return false };
    circle.centre.square(Globe { x, y, z }) <= chord_square(circle.radius)
}

fn any(rows: ParameterId, entries: &[IndexEntry], test: impl Fn(&IndexValue) -> bool) -> bool {
    entries.iter().any(|entry| entry.parameter == rows && test(&entry.value))
}

/// A parameter is missing when none of its eight kinds of rows is there: an element with a text alone is not missing.
fn is_missing(parameter: &SearchParameter, entries: &[IndexEntry]) -> bool {
    let rows = parameter.id.0..=parameter.id.identifier().0;
    !entries.iter().any(|entry| rows.contains(&entry.parameter.0))
}

/// All components must hold for one element.
fn composite_holds(parameter: &SearchParameter, parts: &[Value], entries: &[IndexEntry]) -> bool {
    let within = parameter.id.component(0)..=parameter.id.component(4);
    let groups: BTreeSet<i32> =
        entries.iter().filter(|entry| within.contains(&entry.parameter)).map(|entry| entry.group).collect();
    groups.into_iter().any(|group| {
        parameter.components.iter().zip(parts).all(|(component, part)| {
            let mut values = entries.iter().filter(|entry| entry.group == group && entry.parameter == component.id);
            values.any(|entry| value_holds(part, &Modifier::Plain, parameter, &entry.value))
        })
    })
}

fn value_holds(value: &Value, modifier: &Modifier, parameter: &SearchParameter, found: &IndexValue) -> bool {
    match (value, found) {
        (Value::Token(wanted), IndexValue::Token { system, code }) => token_holds(wanted, system, code),
        (Value::Codes(wanted), IndexValue::Token { system, code }) => wanted.contains(system, code),
        (Value::Text(wanted), IndexValue::Token { code, .. } | IndexValue::Uri(code)) => written_so(modifier, code, wanted),
        (Value::Records(wanted), IndexValue::Reference { resource_type, id }) => {
            wanted.iter().any(|key| key.resource_type == *resource_type && key.id.as_str() == id)
        }
        (Value::Text(wanted), IndexValue::Text { folded, exact }) => match modifier {
            Modifier::Exact => exact == wanted,
            Modifier::Contains => folded.contains(wanted.as_str()),
            Modifier::Equal => folded == wanted,
            Modifier::Ends => folded.ends_with(wanted.as_str()),
            _ => folded.starts_with(wanted.as_str()),
        },
        (Value::Reference(ReferenceValue::Url(wanted)), IndexValue::Uri(found)) if *modifier == Modifier::Below => {
            is_version_below(found, wanted)
        }
        (Value::Reference(ReferenceValue::Url(wanted)), IndexValue::Uri(found)) if *modifier == Modifier::Above => {
            found == wanted || (found.contains('|') && is_version_below(wanted, found))
        }
        (Value::Reference(wanted), found) => reference_holds(wanted, modifier, parameter, found),
        (Value::Date(wanted), IndexValue::Date { low, high }) => date_holds(wanted, *low, *high),
        (Value::Number(wanted), IndexValue::Number { low, high }) => number_holds(wanted, *low, *high),
        (Value::Quantity(wanted), found) => quantity_holds(wanted, found),
        (Value::Uri(wanted), IndexValue::Uri(found)) => match modifier {
            Modifier::Above => is_below(wanted, found),
            Modifier::Below => is_below(found, wanted),
            _ => found == wanted,
        },
        _ => false,
    }
}

fn token_holds(wanted: &TokenValue, system: &str, code: &str) -> bool {
    let right_system = match &wanted.system {
        SystemMatch::Any => true,
        SystemMatch::Absent => system.is_empty(),
        SystemMatch::Is(wanted) => system == wanted,
    };
    right_system && wanted.code.as_ref().is_none_or(|wanted| code == wanted)
}

fn reference_holds(wanted: &ReferenceValue, modifier: &Modifier, parameter: &SearchParameter, found: &IndexValue) -> bool {
    match (wanted, found) {
        (ReferenceValue::Id(wanted), IndexValue::Reference { resource_type, id }) => {
            wanted.as_str() == id && allowed(parameter, modifier, *resource_type)
        }
        (ReferenceValue::Local(wanted_type, wanted), IndexValue::Reference { resource_type, id }) => {
            wanted_type == resource_type && wanted.as_str() == id
        }
        (ReferenceValue::Url(wanted), IndexValue::Uri(found)) => wanted == found,
        _ => false,
    }
}

fn allowed(parameter: &SearchParameter, modifier: &Modifier, found: ResourceType) -> bool {
    match modifier {
        Modifier::Type(wanted) => *wanted == found,
        _ => parameter.targets.is_empty() || parameter.targets.contains(&found),
    }
}

/// R4 search § 3.1.1.4.8: `low..high` is what the record's date stands for.
fn date_holds(wanted: &DateValue, low: Instant, high: Instant) -> bool {
    let contained = wanted.low <= low && high <= wanted.high;
    match wanted.prefix {
        Prefix::Eq => contained,
        Prefix::Ne => !contained,
        Prefix::Gt => high > wanted.high,
        Prefix::Lt => low < wanted.low,
        Prefix::Ge => high > wanted.high || contained,
        Prefix::Le => low < wanted.low || contained,
        Prefix::Sa => low >= wanted.high,
        Prefix::Eb => high <= wanted.low,
        Prefix::Ap => low < wanted.high && wanted.low < high,
    }
}

/// R4 search § 3.1.1.4.7: equality goes by precision, comparison by the number itself.
fn number_holds(wanted: &NumberValue, low: f64, high: f64) -> bool {
    let contained = wanted.low <= low && high < wanted.high;
    match wanted.prefix {
        Prefix::Eq => contained,
        Prefix::Ne => !contained,
        Prefix::Gt => high > wanted.exact,
        Prefix::Lt => low < wanted.exact,
        Prefix::Ge => high >= wanted.exact,
        Prefix::Le => low <= wanted.exact,
        Prefix::Sa => low > wanted.exact,
        Prefix::Eb => high < wanted.exact,
        Prefix::Ap => low < wanted.high && wanted.low <= high,
    }
}

fn quantity_holds(wanted: &QuantityValue, found: &IndexValue) -> bool {
    let IndexValue::Quantity { low, high, system, unit } = found else { return false };
    let right_system = wanted.system.as_ref().is_none_or(|wanted| wanted == system);
    let right_unit = wanted.unit.as_ref().is_none_or(|wanted| wanted == unit);
    right_system && right_unit && number_holds(&wanted.number, *low, *high)
}

/// `co`, `sw` and `ew` of a `_filter` on codes and addresses, which are compared as they are written.
fn written_so(modifier: &Modifier, found: &str, wanted: &str) -> bool {
    match modifier {
        Modifier::Contains => found.contains(wanted),
        Modifier::Begins => found.starts_with(wanted),
        Modifier::Ends => found.ends_with(wanted),
        _ => found == wanted,
    }
}

/// Whether a canonical is another one, or one of its versions: `url|1.2.3` is below `url|1.2`, and that below `url|1`.
fn is_version_below(canonical: &str, above: &str) -> bool {
    canonical.strip_prefix(above).is_some_and(|rest| rest.is_empty() || (above.contains('|') && rest.starts_with('.')))
}

/// Whether a URI is another one or lies below it: begins with it, when both are URLs (R4 search § 3.1.1.4.9). Below a version of a canonical
/// are its own versions alone.
fn is_below(uri: &str, above: &str) -> bool {
    let names = |text: &str| text.starts_with("urn:");
    uri == above
        || if above.contains('|') { is_version_below(uri, above) } else { !names(uri) && !names(above) && uri.starts_with(above) }
}

#[cfg(test)]
mod tests;
