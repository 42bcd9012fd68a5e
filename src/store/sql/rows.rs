//! From table row to [`Row`].

use super::marks::{self, MarkColumns, MarkRow};
use crate::disclosure::{Sealed, SealedContent};
use crate::fhir::{Facts, Id, Instant, Key, ResourceType, Version};
use crate::store::{Row, StoreError};
use diesel::sql_types::{BigInt, Nullable, Text};

/// The columns of facts, of alias `r`.
macro_rules! facts_columns {
    () => {
        concat!(
            "r.rid, r.type, r.id, r.version, r.updated, r.deleted, r.patients, ",
            $crate::store::sql::marks::mark_columns!("r.")
        )
    };
}
/// The columns of a whole row, of alias `r`.
macro_rules! whole_columns {
    () => {
        concat!($crate::store::sql::rows::facts_columns!(), ", r.content")
    };
}
pub(super) use {facts_columns, whole_columns};

/// The columns of facts, of alias `r`.
pub(super) const FACTS: &str = facts_columns!();
/// The columns of a whole row, of alias `r`.
pub(super) const COLUMNS: &str = whole_columns!();

/// The SQL types of [`FACTS`].
pub(super) type FactsColumns = (BigInt, BigInt, Text, BigInt, BigInt, BigInt, Text, MarkColumns);
/// The SQL types of [`COLUMNS`].
pub(super) type Columns = (FactsColumns, Nullable<SealedContent>);

/// [`FACTS`] as values.
pub(super) type FactsRow = (i64, i64, String, i64, i64, i64, String, MarkRow);
/// [`COLUMNS`] as values.
pub(super) type WholeRow = (FactsRow, Option<Sealed>);

/// The facts of a version, with its place.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) rid: i64,
    pub(super) facts: Facts,
}

impl Found {
    /// Reads the columns [`FACTS`].
    pub(super) fn read((rid, code, id, version, updated, deleted, patients, marks): FactsRow) -> Result<Self, StoreError> {
        let damaged = || StoreError::Unavailable(format!("row {rid} is damaged"));
        let key = Key::new(resource_type(code).ok_or_else(damaged)?, Id::parse(&id).ok_or_else(damaged)?);
        let patients = patients_of(&patients).collect();
        Ok(Self {
            rid,
            facts: Facts {
                key,
                version: Version(version),
                updated: Instant(updated),
                deleted: deleted != 0,
                patients,
                marks: marks::read(marks).ok_or_else(damaged)?,
            },
        })
    }
}

/// A version with its content, and its place.
#[derive(Debug)]
pub(super) struct Whole {
    pub(super) rid: i64,
    pub(super) row: Row,
}

impl Whole {
    /// Reads the columns [`COLUMNS`].
    pub(super) fn read((facts, content): WholeRow) -> Result<Self, StoreError> {
        let found = Found::read(facts)?;
        Ok(Self { rid: found.rid, row: Row::new(found.facts, content) })
    }

    /// Bytes of content.
    pub(super) fn bytes(&self) -> usize {
        self.row.content.as_ref().map_or(0, Sealed::len)
    }
}

pub(super) fn resource_type(code: i64) -> Option<ResourceType> {
    i16::try_from(code).ok().and_then(ResourceType::from_code)
}

/// Reads the `patients` column: ids separated by blanks, which no id contains.
pub(super) fn patients_of(column: &str) -> impl Iterator<Item = Id> + '_ {
    column.split(' ').filter_map(Id::parse)
}

/// Writes the `patients` column.
pub(super) fn patients_column(patients: &[Id]) -> String {
    patients.iter().map(Id::as_str).collect::<Vec<_>>().join(" ")
}
