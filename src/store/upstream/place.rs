//! Where in an answer of the server behind a page begins. Travels sealed, so that no address of that server shows.

use super::fault::Fault;
use crate::store::Cursor;
use serde::{Deserialize, Serialize};

/// A place in a search.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Place {
    /// The type.
    #[serde(rename = "t")]
    pub(super) of: String,
    /// Which of the queries that the search became.
    #[serde(rename = "l")]
    pub(super) leg: usize,
    /// The page, below the base; the first one when there is none.
    #[serde(rename = "u", default, skip_serializing_if = "Option::is_none")]
    pub(super) page: Option<String>,
    /// Entries of it that are done.
    #[serde(rename = "s")]
    pub(super) skip: usize,
}

/// A place in an order that the gateway made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct SortedPlace {
    /// The keys of the last record.
    #[serde(rename = "k")]
    pub(super) keys: Vec<super::sort::SortedBy>,
    /// Its address.
    #[serde(rename = "r")]
    pub(super) record: String,
}

/// A place in the history of one record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct VersionPlace {
    /// The last version told.
    #[serde(rename = "v")]
    pub(super) version: i64,
}

/// Writes a place.
pub(super) fn write(place: &impl Serialize) -> Result<Cursor, Fault> {
    serde_json::to_string(place).map(Cursor).map_err(|_| Fault::Cursor)
}

/// Reads a place.
pub(super) fn read<'c, T: Deserialize<'c>>(cursor: &'c Cursor) -> Result<T, Fault> {
    serde_json::from_str(&cursor.0).map_err(|_| Fault::Cursor)
}
