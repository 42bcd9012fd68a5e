//! The index rows of a record: put in, taken out.

use super::names::Names;
use super::statement::{Bind, Statement};
use crate::fhir::search::{IndexEntry, IndexValue};
use diesel::prelude::*;

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

/// Rows in one statement: few sizes, so that few statements are kept prepared.
const CHUNKS: [usize; 3] = [16, 4, 1];

/// Puts index rows in.
pub(super) fn add(connection: &mut SqliteConnection, names: &mut Names, rid: i64, entries: &[IndexEntry]) -> QueryResult<()> {
    for (at, table) in TABLES.iter().enumerate() {
        let mut rest: Vec<&IndexEntry> = entries.iter().filter(|entry| table_of(&entry.value) == at).collect();
        for size in CHUNKS {
            while rest.len() >= size {
                let chunk = rest.split_off(rest.len() - size);
                let mut statement = Statement::new(table.insert(size));
                for entry in chunk {
                    for value in values(connection, names, rid, entry)? {
                        statement = statement.bind(value);
                    }
                }
                statement.run(connection)?;
            }
        }
    }
    Ok(())
}

/// Takes index rows out, each by its whole key.
pub(super) fn remove(connection: &mut SqliteConnection, names: &mut Names, rid: i64, entries: &[IndexEntry]) -> QueryResult<()> {
    for entry in entries {
        let Some(table) = TABLES.get(table_of(&entry.value)) else { continue };
        let mut statement = Statement::new(table.delete());
        for value in values(connection, names, rid, entry)? {
            statement = statement.bind(value);
        }
        statement.run(connection)?;
    }
    Ok(())
}

impl Table {
    fn insert(&self, rows: usize) -> String {
        let row = format!("({})", vec!["?"; self.columns.len()].join(", "));
        // A record may say the same thing twice; once is enough to find it.
        format!("INSERT OR IGNORE INTO {} ({}) VALUES {}", self.name, self.columns.join(", "), vec![row; rows].join(", "))
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

/// The values of a row, in the order of the table's columns.
fn values(connection: &mut SqliteConnection, names: &mut Names, rid: i64, entry: &IndexEntry) -> QueryResult<Vec<Bind>> {
    let mut all: Vec<Bind> = vec![i64::from(entry.parameter.0).into(), i64::from(entry.group).into(), rid.into()];
    match &entry.value {
        IndexValue::Token { system, code } => {
            all.push(names.system(connection, system)?.into());
            all.push(code.as_str().into());
        }
        IndexValue::Text { folded, exact } => all.extend([folded.as_str().into(), exact.as_str().into()]),
        IndexValue::Reference { resource_type, id } => {
            all.extend([i64::from(resource_type.code()).into(), id.as_str().into()]);
        }
        IndexValue::Uri(uri) => all.push(uri.as_str().into()),
        IndexValue::Date { low, high } => all.extend([low.0.into(), high.0.into()]),
        IndexValue::Number { low, high } => all.extend([(*low).into(), (*high).into()]),
        IndexValue::Quantity { low, high, system, unit } => {
            let system = names.system(connection, system)?;
            all.extend([(*low).into(), (*high).into(), system.into(), unit.as_str().into()]);
        }
    }
    Ok(all)
}
