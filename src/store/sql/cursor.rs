//! Positions in an ordered answer, as text.

use super::compile::KeyKind;
use super::statement::Bind;
use crate::store::{Cursor, StoreError};
use serde::{Deserialize, Serialize};

/// Where a search goes on.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SearchPlace {
    /// Records created by a later change are not part of the answer.
    #[serde(rename = "s")]
    pub(super) snapshot: i64,
    /// The last record's number.
    #[serde(rename = "r")]
    pub(super) rid: i64,
    /// Its sort keys, as SQL literals.
    #[serde(rename = "k", default, skip_serializing_if = "Vec::is_empty")]
    pub(super) keys: Vec<String>,
}

/// Where a history goes on.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct HistoryPlace {
    /// The last version's time.
    #[serde(rename = "u")]
    pub(super) updated: i64,
    /// The last version's change.
    #[serde(rename = "c")]
    pub(super) change: i64,
}

/// Writes a place.
pub(super) fn write(place: &impl Serialize) -> Result<Cursor, StoreError> {
    serde_json::to_string(place).map(Cursor).map_err(|error| StoreError::Unavailable(error.to_string()))
}

/// Reads a place.
pub(super) fn read<'c, T: Deserialize<'c>>(cursor: &'c Cursor) -> Result<T, StoreError> {
    serde_json::from_str(&cursor.0).map_err(|_| StoreError::Cursor)
}

impl SearchPlace {
    /// The keys as values to compare with; `None` is a record without the key.
    pub(super) fn binds(&self, kinds: impl Iterator<Item = KeyKind>) -> Result<Vec<Option<Bind>>, StoreError> {
        let kinds: Vec<KeyKind> = kinds.collect();
        if kinds.len() != self.keys.len() {
            return Err(StoreError::Cursor);
        }
        kinds.iter().zip(&self.keys).map(|(kind, key)| literal(*kind, key)).collect()
    }
}

/// Reads what SQLite's `quote` wrote, which keeps every bit of a floating point number. `None` is `NULL`.
fn literal(kind: KeyKind, text: &str) -> Result<Option<Bind>, StoreError> {
    if text == "NULL" {
        return Ok(None);
    }
    let bind = match kind {
        KeyKind::Integer => text.parse().ok().map(Bind::Int),
        KeyKind::Real => text.parse().ok().map(Bind::Real),
        KeyKind::Text => {
            let inner = text.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\''));
            inner.map(|inner| Bind::from(inner.replace("''", "'")))
        }
    };
    bind.map(Some).ok_or(StoreError::Cursor)
}
