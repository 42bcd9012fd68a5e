//! The index rows of a record: put in, taken out.

use super::connection::Connection;
use super::names::Names;
use super::statement::{Bind, Statement};
use crate::fhir::search::{IndexEntry, IndexValue};
use diesel::prelude::*;
use std::sync::LazyLock;

/// The index tables.
const TABLES: [Table; 7] = [
    Table { name: "index_token", columns: &["param", "grp", "rid", "system", "code"] },
    Table { name: "index_string", columns: &["param", "grp", "rid", "folded", "exact"] },
    Table { name: "index_reference", columns: &["param", "grp", "rid", "target_type", "target_id"] },
    Table { name: "index_uri", columns: &["param", "grp", "rid", "value"] },
    Table { name: "index_date", columns: &["param", "grp", "rid", "low", "high"] },
    Table { name: "index_number", columns: &["param", "grp", "rid", "low", "high"] },
    Table { name: "index_quantity", columns: &["param", "grp", "rid", "low", "high", "system", "unit"] },
];

struct Table {
    name: &'static str,
    columns: &'static [&'static str],
}

/// Rows in one statement at most. Each number up to it has a statement of its own, so that most records need one a table.
const MOST: usize = 16;

/// The texts of the statements, by table and number of rows: fixed, so that none is put together again and all stay prepared.
static INSERTS: LazyLock<Vec<Vec<String>>> =
    LazyLock::new(|| TABLES.iter().map(|table| (0..=MOST).map(|rows| table.insert(rows)).collect()).collect());

/// Puts index rows in.
pub(super) fn add(connection: &mut Connection, names: &mut Names, rid: i64, entries: Vec<IndexEntry>) -> QueryResult<()> {
    let mut rows: [(usize, Vec<Bind>); TABLES.len()] = Default::default();
    for entry in entries {
        let at = table_of(&entry.value);
        let Some((count, binds)) = rows.get_mut(at) else { continue };
        values(connection, names, rid, entry, binds)?;
        *count += 1;
        if *count == MOST {
            insert(connection, at, std::mem::take(count), std::mem::take(binds))?;
        }
    }
    for (at, (count, binds)) in rows.into_iter().enumerate().filter(|(_, (count, _))| *count > 0) {
        insert(connection, at, count, binds)?;
    }
    Ok(())
}

fn insert(connection: &mut Connection, table: usize, rows: usize, binds: Vec<Bind>) -> QueryResult<()> {
    let text = INSERTS.get(table).and_then(|texts| texts.get(rows)).ok_or(diesel::result::Error::NotFound)?;
    Statement::with(text.as_str(), binds).run(connection).map(drop)
}

/// Takes index rows out, each by its whole key.
pub(super) fn remove(connection: &mut Connection, names: &mut Names, rid: i64, entries: Vec<IndexEntry>) -> QueryResult<()> {
    for entry in entries {
        let Some(table) = TABLES.get(table_of(&entry.value)) else { continue };
        let mut binds = Vec::with_capacity(table.columns.len());
        values(connection, names, rid, entry, &mut binds)?;
        Statement::with(table.delete(), binds).run(connection)?;
    }
    Ok(())
}

impl Table {
    fn insert(&self, rows: usize) -> String {
        let row = format!("({})", vec!["?"; self.columns.len()].join(", "));
        // A record may say the same thing twice; once is enough to find it.
        format!(
            "INSERT INTO {} ({}) VALUES {} ON CONFLICT DO NOTHING",
            self.name,
            self.columns.join(", "),
            vec![row; rows].join(", ")
        )
    }

    fn delete(&self) -> String {
        let all: Vec<String> = self.columns.iter().map(|column| format!("{column} = ?")).collect();
        format!("DELETE FROM {} WHERE {}", self.name, all.join(" AND "))
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
