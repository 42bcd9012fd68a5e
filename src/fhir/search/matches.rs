//! Whether a criterion holds for a record, from the record's index values alone.
//!
//! Slow and obvious on purpose: it decides granular scopes on writes, and it is what the compiler to SQL is tested against.

use super::index::{IndexEntry, IndexValue};
use super::parameter::{ParameterId, SearchParameter};
use super::query::{
    Criterion, DateValue, Modifier, NumberValue, Prefix, QuantityValue, ReferenceValue, SystemMatch, TokenValue, Value,
};
use crate::fhir::{Instant, Key, ResourceType};
use std::collections::BTreeSet;

/// Whether the criterion holds for the record with this address, update time and values (see [`super::extract`]).
/// `None` for chains and reverse chains: they depend on other records.
pub fn holds(criterion: &Criterion, key: &Key, updated: Instant, entries: &[IndexEntry]) -> Option<bool> {
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
        Criterion::Match { parameter, modifier, values } => values.iter().any(|value| match value {
            Value::Composite(parts) => composite_holds(parameter, parts, entries),
            value => any(rows(parameter, modifier), entries, |found| value_holds(value, modifier, parameter, found)),
        }),
        Criterion::OfEach(each) => match each.iter().find(|(of, _)| *of == key.resource_type) {
            Some((_, criterion)) => return holds(criterion, key, updated, entries),
            None => false,
        },
        Criterion::Has { .. } | Criterion::Chain { .. } => return None,
    })
}

/// The rows that a modifier looks at.
fn rows(parameter: &SearchParameter, modifier: &Modifier) -> ParameterId {
    match modifier {
        Modifier::Text => parameter.id.text(),
        Modifier::Identifier => parameter.id.identifier(),
        _ => parameter.id,
    }
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
        (Value::Text(wanted), IndexValue::Text { folded, exact }) => match modifier {
            Modifier::Exact => exact == wanted,
            Modifier::Contains => folded.contains(wanted.as_str()),
            _ => folded.starts_with(wanted.as_str()),
        },
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

/// Whether a URI is another one or lies below it, by whole path segments.
fn is_below(uri: &str, above: &str) -> bool {
    uri.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || above.ends_with('/'))
}

#[cfg(test)]
mod tests;
