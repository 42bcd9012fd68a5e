//! The index rows of a record: put in, taken out.

use super::connection::Connection;
use super::names::Names;
use super::pending::Pending;
use super::statement::{Bind, Statement};
use super::words::{self, WordsInOrder};
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

/// Records with several dates of one parameter, listed once more; none is taken out while it is there.
const SEVERAL: &str = "INSERT INTO index_date_several (param, rid) SELECT param, rid FROM index_date WHERE rid = ? AND param = ? \
     GROUP BY rid, param HAVING count(*) > 1 ON CONFLICT DO NOTHING";

/// Index rows of records, put in together, so that few statements serve many records.
#[derive(Debug)]
pub(super) struct Adding {
    tables: [Pending; TABLES.len()],
    words: WordsInOrder,
    /// Records and parameters that may have several dates.
    several: Vec<(i64, i32)>,
}

impl Adding {
    /// Into the tables, or into the gathering ones of a load.
    pub(super) fn begin(gathered: bool) -> Self {
        Self {
            tables: TABLES.each_ref().map(|table| table.pending(gathered)),
            words: WordsInOrder::default(),
            several: Vec::new(),
        }
    }

    /// Adds the rows of a record. `whole`: all that it has of these parameters is among them.
    pub(super) fn add(
        &mut self,
        connection: &mut Connection,
        names: &mut Names,
        rid: i64,
        entries: Vec<IndexEntry>,
        whole: bool,
    ) -> QueryResult<()> {
        self.several.extend(dates(&entries, whole).into_iter().map(|parameter| (rid, parameter)));
        for entry in entries {
            if let IndexValue::Words(words) = entry.value {
                self.words.gather(rid, entry.parameter, words);
            } else if let Some(table) = self.tables.get_mut(table_of(&entry.value)) {
                table.row(connection, |connection, binds| values(connection, names, rid, entry, binds))?;
            }
        }
        Ok(())
    }

    /// Puts in what is left.
    pub(super) fn finish(self, connection: &mut Connection) -> QueryResult<()> {
        self.tables.into_iter().try_for_each(|table| table.finish(connection))?;
        for (rid, parameter) in self.several {
            Statement::new(SEVERAL).bind(rid).bind(i64::from(parameter)).run(connection)?;
        }
        self.words.finish(connection)
    }
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
    fn pending(&self, gathered: bool) -> Pending {
        match self.gather.filter(|_| gathered) {
            Some(gather) => Pending::new(gather, self.columns, ""),
            // A record may say the same thing twice; once is enough to find it.
            None => Pending::new(self.insert, self.columns, " ON CONFLICT DO NOTHING"),
        }
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
