//! The index rows of a record: put in, taken out.

use super::connection::Connection;
use super::names::Names;
use super::statement::{Bind, Statement};
use super::words;
use crate::fhir::search::{IndexEntry, IndexValue};
use diesel::prelude::*;

/// An index table: how rows are put in and one is taken out. The values come in the order of the columns here.
struct Table {
    name: &'static str,
    insert: &'static str,
    /// The same into the gathering table, where a load has one (`load`).
    gather: Option<&'static str>,
    delete: &'static str,
    columns: usize,
}

macro_rules! table {
    ($name:literal, $columns:literal, $($column:literal),+ $(; $gathering:literal)?) => {
        Table {
            name: $name,
            insert: concat!("INSERT INTO ", $name, " (param, grp, rid", $(", ", $column,)+ ") VALUES"),
            gather: table!(@gather ($($gathering)?) $($column),+),
            delete: concat!("DELETE FROM ", $name, " WHERE param = ? AND grp = ? AND rid = ?", $(" AND ", $column, " = ?",)+),
            columns: $columns,
        }
    };
    (@gather () $($column:literal),+) => { None };
    (@gather ($gathering:literal) $($column:literal),+) => {
        Some(concat!("INSERT INTO ", $gathering, " (param, grp, rid", $(", ", $column,)+ ") VALUES"))
    };
}

/// The index tables.
const TABLES: [Table; 7] = [
    table!("index_token", 5, "system", "code"; "load_token"),
    table!("index_string", 5, "folded", "exact"),
    table!("index_reference", 5, "target_type", "target_id"),
    table!("index_uri", 4, "value"; "load_uri"),
    table!("index_date", 5, "low", "high"),
    table!("index_number", 5, "low", "high"),
    table!("index_quantity", 7, "low", "high", "system", "unit"),
];

/// Their names.
pub(super) fn tables() -> impl Iterator<Item = &'static str> {
    TABLES.iter().map(|table| table.name)
}

/// Rows in one statement at most. Each number up to it has a statement of its own, so that most records need one a table.
const MOST: usize = 16;

/// Records with several dates of one parameter, listed once more; none is taken out while it is there.
const SEVERAL: &str = "INSERT INTO index_date_several (param, rid) SELECT param, rid FROM index_date WHERE rid = ? AND param = ? \
     GROUP BY rid, param HAVING count(*) > 1 ON CONFLICT DO NOTHING";

/// How rows are put in.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Adding {
    /// All that the record has of these parameters is among them.
    pub(super) whole: bool,
    /// A load gathers them.
    pub(super) gathered: bool,
}

/// Puts index rows in.
pub(super) fn add(
    connection: &mut Connection,
    names: &mut Names,
    rid: i64,
    entries: Vec<IndexEntry>,
    adding: Adding,
) -> QueryResult<()> {
    let several = dates(&entries, adding.whole);
    let mut rows: [Vec<Bind>; TABLES.len()] = Default::default();
    for entry in entries {
        if let IndexValue::Words(text) = entry.value {
            words::add(connection, rid, entry.parameter, text)?;
            continue;
        }
        let at = table_of(&entry.value);
        let (Some(table), Some(binds)) = (TABLES.get(at), rows.get_mut(at)) else { continue };
        values(connection, names, rid, entry, binds)?;
        if binds.len() == MOST * table.columns {
            table.insert(connection, std::mem::take(binds), adding.gathered)?;
        }
    }
    for (table, binds) in TABLES.iter().zip(rows).filter(|(_, binds)| !binds.is_empty()) {
        table.insert(connection, binds, adding.gathered)?;
    }
    for parameter in several {
        Statement::new(SEVERAL).bind(rid).bind(i64::from(parameter)).run(connection)?;
    }
    Ok(())
}

/// The date parameters of which the record may have several values once these are in.
fn dates(entries: &[IndexEntry], whole: bool) -> Vec<i32> {
    let mut all: Vec<i32> =
        entries.iter().filter(|entry| matches!(entry.value, IndexValue::Date { .. })).map(|entry| entry.parameter.0).collect();
    all.sort_unstable();
    if whole {
        all = all.windows(2).filter_map(|pair| (pair.first() == pair.last()).then(|| pair.first().copied()).flatten()).collect();
    }
    all.dedup();
    all
}

/// Takes index rows out, each by its whole key.
pub(super) fn remove(connection: &mut Connection, names: &mut Names, rid: i64, entries: Vec<IndexEntry>) -> QueryResult<()> {
    for entry in entries {
        if matches!(entry.value, IndexValue::Words(_)) {
            words::remove(connection, rid, entry.parameter)?;
            continue;
        }
        let Some(table) = TABLES.get(table_of(&entry.value)) else { continue };
        let mut binds = Vec::with_capacity(table.columns);
        values(connection, names, rid, entry, &mut binds)?;
        Statement::with(table.delete, binds).run(connection)?;
    }
    Ok(())
}

impl Table {
    fn insert(&self, connection: &mut Connection, binds: Vec<Bind>, gathered: bool) -> QueryResult<()> {
        if let Some(gather) = self.gather.filter(|_| gathered) {
            return Statement::insert(gather, self.columns, "", binds).run(connection).map(drop);
        }
        // A record may say the same thing twice; once is enough to find it.
        Statement::insert(self.insert, self.columns, " ON CONFLICT DO NOTHING", binds).run(connection).map(drop)
    }
}

/// Position in [`TABLES`].
const fn table_of(value: &IndexValue) -> usize {
    match value {
        IndexValue::Token { .. } => 0,
        IndexValue::Text { .. } => 1,
        IndexValue::Reference { .. } => 2,
        IndexValue::Uri(_) => 3,
        IndexValue::Date { .. } => 4,
        IndexValue::Number { .. } => 5,
        IndexValue::Quantity { .. } => 6,
        // Not in a table of this kind.
        IndexValue::Words(_) => TABLES.len(),
    }
}

/// Adds the values of a row, in the order of the table's columns.
fn values(connection: &mut Connection, names: &mut Names, rid: i64, entry: IndexEntry, all: &mut Vec<Bind>) -> QueryResult<()> {
    all.extend([i64::from(entry.parameter.0).into(), i64::from(entry.group).into(), rid.into()]);
    match entry.value {
        IndexValue::Token { system, code } => {
            all.extend([names.system(connection, &system)?.into(), key(connection, code).into()]);
        }
        IndexValue::Text { folded, exact } => all.extend([folded.into(), exact.into()]),
        IndexValue::Reference { resource_type, id } => all.extend([i64::from(resource_type.code()).into(), id.into()]),
        IndexValue::Uri(uri) => all.push(key(connection, uri).into()),
        IndexValue::Words(words) => all.push(words.into()),
        IndexValue::Date { low, high } => all.extend([low.0.into(), high.0.into()]),
        IndexValue::Number { low, high } => all.extend([low.into(), high.into()]),
        IndexValue::Quantity { low, high, system, unit } => {
            let system = names.system(connection, &system)?;
            all.extend([low.into(), high.into(), system.into(), key(connection, unit).into()]);
        }
    }
    Ok(())
}

/// A text as it is sought.
fn key(connection: &Connection, text: String) -> String {
    match connection.dialect().key(&text) {
        std::borrow::Cow::Owned(key) => key,
        std::borrow::Cow::Borrowed(_) => text,
    }
}
