//! Orders, made here of the gateway's own values. An order that the server behind makes would tell of values that a caller may not see.

use crate::disclosure::Taken;
use crate::fhir::search::{IndexValue, ParameterType, Sort, SortKey};
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;

/// A key of an order; a record without one comes last in both directions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum SortedBy {
    /// A moment.
    Whole(i64),
    /// A number.
    Real(f64),
    /// A text.
    Text(String),
    /// None.
    Nothing,
}

impl SortedBy {
    /// Bytes that it takes beside itself.
    pub(super) fn bytes(&self) -> usize {
        if let Self::Text(text) = self { text.len() } else { 0 }
    }

    fn compare(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Whole(a), Self::Whole(b)) => a.cmp(b),
            (Self::Text(a), Self::Text(b)) => a.cmp(b),
            (a, b) => a.real().total_cmp(&b.real()),
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "a number written without a fraction is read back as a whole one")]
    fn real(&self) -> f64 {
        match self {
            Self::Whole(whole) => *whole as f64,
            Self::Real(real) => *real,
            Self::Text(_) | Self::Nothing => f64::NAN,
        }
    }
}

/// The keys of a record.
pub(super) fn keys(sort: &[Sort], taken: &Taken) -> Vec<SortedBy> {
    sort.iter().map(|one| key(one, taken)).collect()
}

/// Which of two comes first.
pub(super) fn order(sort: &[Sort], a: (&[SortedBy], &str), b: (&[SortedBy], &str)) -> Ordering {
    for ((one, x), y) in sort.iter().zip(a.0).zip(b.0) {
        let ordering = match (x, y) {
            (SortedBy::Nothing, SortedBy::Nothing) => Ordering::Equal,
            (SortedBy::Nothing, _) => Ordering::Greater,
            (_, SortedBy::Nothing) => Ordering::Less,
            (x, y) if one.descending => y.compare(x),
            (x, y) => x.compare(y),
        };
        if ordering != Ordering::Equal {
            return ordering;
        }
    }
    a.1.cmp(b.1)
}

/// The lowest value when ascending, the highest when descending. A period counts by its beginning.
fn key(sort: &Sort, taken: &Taken) -> SortedBy {
    let parameter = match &sort.by {
        SortKey::Id => return SortedBy::Text(taken.key().id.to_string()),
        SortKey::LastUpdated => return SortedBy::Whole(taken.facts.updated.0),
        SortKey::Parameter(parameter) => parameter,
    };
    let values = taken.values().iter().filter(|entry| entry.parameter == parameter.id);
    let found = values.filter_map(|entry| value(parameter.parameter_type, &entry.value, sort.descending));
    let best = if sort.descending { found.max_by(SortedBy::compare) } else { found.min_by(SortedBy::compare) };
    best.unwrap_or(SortedBy::Nothing)
}

fn value(of: ParameterType, value: &IndexValue, descending: bool) -> Option<SortedBy> {
    Some(match (of, value) {
        (ParameterType::Token, IndexValue::Token { code, .. }) => SortedBy::Text(code.clone()),
        (ParameterType::Uri, IndexValue::Uri(uri)) => SortedBy::Text(uri.clone()),
        (ParameterType::String, IndexValue::Text { folded, .. }) => SortedBy::Text(folded.clone()),
        (ParameterType::Reference, IndexValue::Reference { id, .. }) => SortedBy::Text(id.clone()),
        (ParameterType::Date, IndexValue::Date { low, .. }) => SortedBy::Whole(low.0),
        (ParameterType::Number, IndexValue::Number { low, high })
        | (ParameterType::Quantity, IndexValue::Quantity { low, high, .. }) => {
            SortedBy::Real(if descending { *high } else { *low })
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::{SortedBy, order};
    use crate::fhir::search::{Sort, SortKey};
    use std::cmp::Ordering;

    #[test]
    fn what_has_no_key_comes_last_in_both_directions() {
        for descending in [false, true] {
            let sort = [Sort { by: SortKey::LastUpdated, descending }];
            assert_eq!(order(&sort, (&[SortedBy::Nothing], "a"), (&[SortedBy::Whole(1)], "b")), Ordering::Greater);
            let lower_first = order(&sort, (&[SortedBy::Whole(1)], "a"), (&[SortedBy::Whole(2)], "b")) == Ordering::Less;
            assert_eq!(lower_first, !descending);
            assert_eq!(order(&sort, (&[SortedBy::Whole(1)], "a"), (&[SortedBy::Whole(1)], "b")), Ordering::Less);
        }
    }

    #[test]
    fn keys_read_what_they_write() {
        for key in [SortedBy::Whole(-5), SortedBy::Real(1.5), SortedBy::Text("x".into()), SortedBy::Nothing] {
            let text = serde_json::to_string(&key).unwrap();
            assert_eq!(serde_json::from_str::<SortedBy>(&text).unwrap(), key, "{text}");
        }
    }
}
