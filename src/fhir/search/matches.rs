//! Whether a criterion holds for a record's values: the reference that the SQL is held against.

use super::{Criterion, IndexEntry};
use crate::fhir::{Instant, Key};

/// Decides a criterion on a record's values; `None` when it needs other records (a chain).
pub fn holds(criterion: &Criterion, key: &Key, _updated: Instant, _entries: &[IndexEntry]) -> Option<bool> {
    match criterion {
        Criterion::Id(ids) => Some(ids.contains(&key.id)),
        _ => None,
    }
}
