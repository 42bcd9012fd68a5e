//! Reads by key.

use super::connection::{Connection, number, snapshot};
use super::gate;
use super::marks;
use super::rows::{Columns, Whole, WholeRow, whole_columns};
use super::statement::Statement;
use crate::access::Predicate;
use crate::fhir::{Facts, Key, ResourceType, Version};
use crate::store::{Row, StoreError};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable};
use std::sync::Arc;

const BY_KEY: &str = concat!("SELECT ", whole_columns!(), " FROM record r WHERE r.type = ? AND r.id = ?");
const BY_VERSION: &str = concat!("SELECT ", whole_columns!(), " FROM record_version r WHERE r.rid = ? AND r.version = ?");
const LIVE: &str = concat!(
    "SELECT ",
    whole_columns!(),
    " FROM record r INDEXED BY record_live WHERE r.type = ? AND r.deleted = 0 ORDER BY r.rid"
);

fn by_key(connection: &mut Connection, key: &Key) -> Result<Option<Whole>, StoreError> {
    let statement = Statement::new(BY_KEY).bind(i64::from(key.resource_type.code())).bind(key.id.as_str());
    statement.row::<Columns, WholeRow>(connection)?.map(Whole::read).transpose()
}

/// The current version, when the predicate shows it.
pub(super) fn read(connection: &mut Connection, predicate: &Predicate, key: &Key) -> Result<Option<Row>, StoreError> {
    let Some(found) = by_key(connection, key)? else { return Ok(None) };
    match gate::by_facts(predicate, &found.row.facts) {
        Some(decided) => Ok(decided.then_some(found.row)),
        // Row and index values must be of one moment.
        None => snapshot(connection, |connection| {
            let Some(found) = by_key(connection, key)? else { return Ok(None) };
            let shown = gate::current(connection, predicate, found.rid, &found.row.facts)?;
            Ok(shown.then_some(found.row))
        }),
    }
}

/// One version, current or superseded, when the predicate shows it.
pub(super) fn vread(
    connection: &mut Connection,
    predicate: &Predicate,
    key: &Key,
    version: Version,
) -> Result<Option<Row>, StoreError> {
    let place = Statement::new("SELECT rid, version, conf, sens, handling FROM record WHERE type = ? AND id = ?")
        .bind(i64::from(key.resource_type.code()))
        .bind(key.id.as_str())
        .row::<PlaceColumns, PlaceRow>(connection)?;
    match place {
        Some((_, current, ..)) if current == version.0 => {
            read(connection, predicate, key).map(|row| row.filter(|row| row.facts.version == version))
        }
        Some((rid, _, conf, sens, handling)) => {
            let row = Statement::new(BY_VERSION).bind(rid).bind(version.0).row::<Columns, WholeRow>(connection)?;
            let Some(mut found) = row.map(Whole::read).transpose()? else { return Ok(None) };
            marks::raise(&mut Arc::make_mut(&mut found.row.facts).marks, (conf, sens, handling));
            let shown = gate::superseded(connection, predicate, &found.row.facts)?;
            Ok(shown.then_some(found.row))
        }
        None => Ok(None),
    }
}

type PlaceColumns = (BigInt, BigInt, BigInt, Nullable<BigInt>, Nullable<BigInt>);
type PlaceRow = (i64, i64, i64, Option<i64>, Option<i64>);

/// Current version and whether it is a deletion, whoever may see it.
pub(super) fn version(connection: &mut Connection, key: &Key) -> QueryResult<Option<(Version, bool)>> {
    let row = Statement::new("SELECT version, deleted FROM record WHERE type = ? AND id = ?")
        .bind(i64::from(key.resource_type.code()))
        .bind(key.id.as_str())
        .row::<(BigInt, BigInt), (i64, i64)>(connection)?;
    Ok(row.map(|(version, deleted)| (Version(version), deleted != 0)))
}

/// Every live record of a type, whoever may see it.
pub(super) fn all(connection: &mut Connection, of: ResourceType) -> Result<Vec<Row>, StoreError> {
    let rows = Statement::new(LIVE).bind(i64::from(of.code())).rows::<Columns, WholeRow>(connection)?;
    rows.into_iter().map(|row| Whole::read(row).map(|whole| whole.row)).collect()
}

/// The facts of the live ones of these, whoever may see them.
pub(super) fn facts(connection: &mut Connection, keys: &[Key]) -> Result<Vec<Facts>, StoreError> {
    let found = keys.iter().map(|key| by_key(connection, key)).collect::<Result<Vec<_>, _>>()?;
    Ok(found.into_iter().flatten().map(|whole| whole.row.into_facts()).filter(|facts| !facts.deleted).collect())
}

/// The facts of a live record, whoever may see it.
pub(super) fn facts_of(connection: &mut Connection, key: &Key) -> Result<Option<Facts>, StoreError> {
    Ok(by_key(connection, key)?.map(|found| found.row.into_facts()).filter(|facts| !facts.deleted))
}

/// Every version of a record, whoever may see it; the current one first.
pub(super) fn versions(connection: &mut Connection, key: &Key) -> Result<Vec<Row>, StoreError> {
    let Some(current) = by_key(connection, key)? else { return Ok(Vec::new()) };
    let superseded = Statement::new("SELECT version FROM record_version WHERE rid = ? ORDER BY version DESC").bind(current.rid);
    let mut all = Vec::new();
    for version in superseded.rows::<BigInt, i64>(connection)? {
        let row = Statement::new(BY_VERSION).bind(current.rid).bind(version).row::<Columns, WholeRow>(connection)?;
        all.extend(row.map(Whole::read).transpose()?.map(|found| found.row));
    }
    all.insert(0, current.row);
    Ok(all)
}

/// The number of the last change.
pub(super) fn last_change(connection: &mut Connection) -> QueryResult<i64> {
    Ok(number(
        connection,
        Statement::new(
            "SELECT coalesce((SELECT change FROM record INDEXED BY record_change ORDER BY updated DESC, change DESC LIMIT 1), 0)",
        ),
    )?
    .unwrap_or(0))
}
