//! Entries without repetition.

use crate::fhir::search::index::{IndexEntry, IndexValue};
use std::cmp::Ordering;

/// Entries up to which comparing each with each is the quickest.
const FEW: usize = 16;

/// Drops the repetitions among the entries behind `from`.
pub(super) fn without_repetition(entries: &mut Vec<IndexEntry>, from: usize) {
    let mut tail = entries.split_off(from);
    if tail.len() > FEW {
        tail.sort_unstable_by(order);
        tail.dedup();
        entries.append(&mut tail);
        return;
    }
    for entry in tail {
        if !entries.iter().skip(from).any(|earlier| *earlier == entry) {
            entries.push(entry);
        }
    }
}

/// An order in which equal entries are neighbours, and only they are equal.
pub fn order(a: &IndexEntry, b: &IndexEntry) -> Ordering {
    (a.parameter, a.group).cmp(&(b.parameter, b.group)).then_with(|| order_values(&a.value, &b.value))
}

fn order_values(a: &IndexValue, b: &IndexValue) -> Ordering {
    let key = |value: &IndexValue| -> (u8, f64, f64) {
        match value {
            IndexValue::Token { .. } => (0, 0.0, 0.0),
            IndexValue::Text { .. } => (1, 0.0, 0.0),
            IndexValue::Reference { .. } => (2, 0.0, 0.0),
            IndexValue::Uri(_) => (3, 0.0, 0.0),
            IndexValue::Date { .. } => (4, 0.0, 0.0),
            IndexValue::Number { low, high } => (5, *low, *high),
            IndexValue::Quantity { low, high, .. } => (6, *low, *high),
            IndexValue::Words(_) => (7, 0.0, 0.0),
        }
    };
    let (a_key, b_key) = (key(a), key(b));
    a_key
        .0
        .cmp(&b_key.0)
        .then(a_key.1.total_cmp(&b_key.1))
        .then(a_key.2.total_cmp(&b_key.2))
        .then_with(|| words(a).cmp(&words(b)))
}

/// The parts of a value that have a natural order.
fn words(value: &IndexValue) -> (&str, &str, i64, i64) {
    match value {
        IndexValue::Token { system, code } => (system, code, 0, 0),
        IndexValue::Text { folded, exact } => (folded, exact, 0, 0),
        IndexValue::Reference { resource_type, id } => (resource_type.name(), id, 0, 0),
        IndexValue::Uri(uri) => (uri, "", 0, 0),
        IndexValue::Words(words) => (words, "", 0, 0),
        IndexValue::Date { low, high } => ("", "", low.0, high.0),
        IndexValue::Number { .. } => ("", "", 0, 0),
        IndexValue::Quantity { system, unit, .. } => (system, unit, 0, 0),
    }
}
