//! By what a record is sorted, and what that was before a change: so that pages that began before it go on in their order.

use super::index::{IndexEntry, IndexValue};
use super::parameter::ParameterId;
use std::collections::BTreeMap;

/// A key of an order.
#[derive(Debug, Clone, PartialEq, PartialOrd)]
pub enum OrderKey {
    /// Compared by its bytes.
    Text(String),
    /// Milliseconds.
    Moment(i64),
    /// A number.
    Number(f64),
}

/// The kinds of values, which are sorted each among themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names are those of IndexValue")]
pub enum OrderKind {
    Token,
    Text,
    Reference,
    Uri,
    Date,
    Number,
    Quantity,
}

/// The ends of what a record had of one parameter before a change that moved one of them.
#[derive(Debug, Clone, PartialEq)]
pub struct OrderedBefore {
    /// The parameter.
    pub parameter: ParameterId,
    /// Of which values.
    pub kind: OrderKind,
    /// The lowest key and the highest; `None` when it had no value.
    pub ends: Option<(OrderKey, OrderKey)>,
}

type Ends = BTreeMap<(ParameterId, OrderKind), (OrderKey, OrderKey)>;

/// What a change moves in the orders that a record has a place in. Components of composites and contained resources have none.
pub fn ordered_before(old: &[IndexEntry], new: &[IndexEntry]) -> Vec<OrderedBefore> {
    let (old, new) = (ends(old), ends(new));
    let gained = new.keys().filter(|key| !old.contains_key(key)).map(|&(parameter, kind)| (parameter, kind, None));
    let moved = old.iter().filter(|(key, ends)| new.get(key) != Some(ends));
    let moved = moved.map(|(&(parameter, kind), ends)| (parameter, kind, Some(ends.clone())));
    gained.chain(moved).map(|(parameter, kind, ends)| OrderedBefore { parameter, kind, ends }).collect()
}

fn ends(entries: &[IndexEntry]) -> Ends {
    let mut all = Ends::new();
    for entry in entries.iter().filter(|entry| entry.parameter.is_its_own()) {
        let Some((kind, low, high)) = keys(&entry.value) else { continue };
        match all.entry((entry.parameter, kind)) {
            std::collections::btree_map::Entry::Vacant(place) => {
                place.insert((low, high));
            }
            std::collections::btree_map::Entry::Occupied(mut place) => {
                let (lowest, highest) = place.get_mut();
                if low < *lowest {
                    *lowest = low;
                }
                if high > *highest {
                    *highest = high;
                }
            }
        }
    }
    all
}

/// What a value is sorted by, ascending and descending. A period counts by its beginning, a range of numbers by either end.
fn keys(value: &IndexValue) -> Option<(OrderKind, OrderKey, OrderKey)> {
    let same = |kind, key: OrderKey| Some((kind, key.clone(), key));
    match value {
        IndexValue::Token { code, .. } => same(OrderKind::Token, OrderKey::Text(code.clone())),
        IndexValue::Text { folded, .. } => same(OrderKind::Text, OrderKey::Text(folded.clone())),
        IndexValue::Reference { id, .. } => same(OrderKind::Reference, OrderKey::Text(id.clone())),
        IndexValue::Uri(uri) => same(OrderKind::Uri, OrderKey::Text(uri.clone())),
        IndexValue::Date { low, .. } => same(OrderKind::Date, OrderKey::Moment(low.0)),
        IndexValue::Number { low, high } => Some((OrderKind::Number, OrderKey::Number(*low), OrderKey::Number(*high))),
        IndexValue::Quantity { low, high, .. } => Some((OrderKind::Quantity, OrderKey::Number(*low), OrderKey::Number(*high))),
        IndexValue::Words(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{OrderKey, OrderKind, OrderedBefore, ordered_before};
    use crate::fhir::Instant;
    use crate::fhir::search::{IndexEntry, IndexValue, ParameterId};

    fn entry(parameter: i32, value: IndexValue) -> IndexEntry {
        IndexEntry { parameter: ParameterId(parameter), group: 0, value }
    }

    fn token(parameter: i32, code: &str) -> IndexEntry {
        entry(parameter, IndexValue::Token { system: "s".to_owned(), code: code.to_owned() })
    }

    fn date(low: i64, high: i64) -> IndexEntry {
        entry(8, IndexValue::Date { low: Instant(low), high: Instant(high) })
    }

    #[test]
    fn only_what_moves_an_end_is_remembered() {
        let old = [token(16, "b"), token(16, "d"), date(3, 9)];
        assert!(ordered_before(&old, &[token(16, "d"), token(16, "c"), token(16, "b"), date(3, 5)]).is_empty());
        assert!(ordered_before(&old, &old).is_empty());
        let text = |text: &str| OrderKey::Text(text.to_owned());
        let was = OrderedBefore { parameter: ParameterId(16), kind: OrderKind::Token, ends: Some((text("b"), text("d"))) };
        assert_eq!(ordered_before(&old, &[token(16, "b"), date(3, 9)]), [was]);
    }

    #[test]
    fn what_comes_to_be_and_what_ends_is_remembered_too() {
        let none = OrderedBefore { parameter: ParameterId(8), kind: OrderKind::Date, ends: None };
        assert_eq!(ordered_before(&[], &[date(3, 9)]), [none]);
        let moment = OrderKey::Moment(3);
        let had = OrderedBefore { parameter: ParameterId(8), kind: OrderKind::Date, ends: Some((moment.clone(), moment)) };
        assert_eq!(ordered_before(&[date(3, 9)], &[]), [had]);
    }

    #[test]
    fn texts_beside_components_and_contained_resources_have_no_place() {
        let beside = [ParameterId(16).text().0, ParameterId(16).component(0).0, ParameterId(16).inside().0];
        assert!(ordered_before(&[], &beside.map(|parameter| token(parameter, "a"))).is_empty());
    }
}
