//! Index rows of search parameters that came later than the records.

use super::connection::{Connection, number};
use super::index::{self, Adding};
use super::rows::{Columns, Whole, WholeRow, whole_columns};
use super::statement::Statement;
use super::writer::Writer;
use crate::fhir::search::{IndexEntry, ParameterId};
use crate::fhir::{ResourceType, Version};
use crate::store::{Row, StoreError};

/// Under which name the state of the parameters is kept.
pub(super) const SETTING: &str = "search_parameters";

/// Under which name it is told that the state has changed; nodes of a server hear of it.
pub(super) const READY: &str = "search_parameters_ready";

/// Under which name it is kept how far the index is what this release makes of the records.
pub(super) const EXTRACTION: &str = "extraction";

/// Records at once: few, so that others get to write in between.
const RECORDS: i64 = 128;

const AFTER: &str = concat!(
    "SELECT ",
    whole_columns!(),
    " FROM record r INDEXED BY record_live WHERE r.type = ? AND r.deleted = 0 AND r.rid > ? ORDER BY r.rid LIMIT ?"
);

/// One live record, the first of an index: without an order PostgreSQL reads the table from its beginning, past all that was ever deleted.
const ANY: &str = "SELECT r.rid FROM record r INDEXED BY record_live WHERE r.deleted = 0 ORDER BY r.type, r.rid LIMIT 1";

/// Keeps the state of the parameters, and lets other nodes know in the same commit.
pub(super) fn keep(connection: &mut Connection, state: Vec<u8>, tell: bool) -> Result<(), StoreError> {
    let text = "INSERT INTO setting (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    Statement::new(text).bind(SETTING).bind(state).run(connection)?;
    if tell {
        Statement::new(text).bind(READY).bind(Vec::new()).run(connection)?;
    }
    Ok(())
}

/// The question for any live record.
pub(super) fn any_live() -> Statement {
    Statement::new(ANY)
}

/// Whether there is a live record.
pub(super) fn any(connection: &mut Connection) -> Result<bool, StoreError> {
    Ok(number(connection, any_live())?.is_some())
}

/// The next live records of a type.
pub(super) fn after(connection: &mut Connection, of: ResourceType, place: i64) -> Result<Vec<(i64, Row)>, StoreError> {
    let statement = Statement::new(AFTER).bind(i64::from(of.code())).bind(place).bind(RECORDS);
    let rows = statement.rows::<Columns, WholeRow>(connection)?;
    rows.into_iter().map(|row| Whole::read(row).map(|whole| (whole.rid, whole.row))).collect()
}

/// Adds index rows to records that still have these versions.
pub(super) fn add(writer: &mut Writer, records: Vec<(i64, Version, Vec<IndexEntry>)>) -> Result<(), StoreError> {
    let mut adding = Adding::begin(false);
    for (rid, version, entries) in records {
        if is_current(writer, rid, version)? {
            adding.add(&mut writer.connection, &mut writer.names, rid, entries, true)?;
        }
    }
    Ok(adding.finish(&mut writer.connection)?)
}

/// Sees to it that records that still have these versions have these rows. Some of them are there: they are taken out first, so that
/// each is there once.
pub(super) fn anew(writer: &mut Writer, records: Vec<(i64, Version, Vec<IndexEntry>)>) -> Result<(), StoreError> {
    let mut adding = Adding::begin(false);
    for (rid, version, entries) in records {
        if is_current(writer, rid, version)? {
            index::remove(&mut writer.connection, &mut writer.names, rid, entries.clone())?;
            // Dates are found by the record: those that this release makes no more go.
            Statement::new("DELETE FROM index_date WHERE rid = ?").bind(rid).run(&mut writer.connection)?;
            adding.add(&mut writer.connection, &mut writer.names, rid, entries, true)?;
        }
    }
    Ok(adding.finish(&mut writer.connection)?)
}

fn is_current(writer: &mut Writer, rid: i64, version: Version) -> Result<bool, StoreError> {
    let current = Statement::new("SELECT version FROM record WHERE rid = ? AND deleted = 0").bind(rid);
    Ok(number(&mut writer.connection, current)? == Some(version.0))
}

/// Takes out every row of a parameter, of whatever kind, and those of contained resources.
pub(super) fn remove(connection: &mut Connection, parameter: ParameterId) -> Result<(), StoreError> {
    for table in index::tables() {
        for id in [parameter, parameter.inside()] {
            let text = format!("DELETE FROM {table} WHERE param BETWEEN ? AND ?");
            Statement::new(text).bind(i64::from(id.0)).bind(i64::from(id.identifier().0)).run(connection)?;
        }
    }
    Ok(())
}
