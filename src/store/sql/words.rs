//! The words of records in the full-text index of the database: put in, taken out, and asked for.

use super::connection::Connection;
use super::dialect::Dialect;
use super::pending::Pending;
use super::statement::Statement;
use crate::fhir::search::{ParameterId, Words};
use diesel::prelude::*;

/// The table that holds the words of a parameter.
pub(super) fn table(parameter: ParameterId) -> &'static str {
    if is_narrative(parameter) { "text_narrative" } else { "text_content" }
}

fn is_narrative(parameter: ParameterId) -> bool {
    crate::fhir::definitions::search_parameter_by_id(parameter).is_some_and(|one| one.code == "_text")
}

/// Puts the words of a record in.
pub(super) fn add(connection: &mut Connection, rid: i64, parameter: ParameterId, words: String) -> QueryResult<()> {
    let table = table(parameter);
    let text = match connection.dialect() {
        Dialect::Sqlite => format!("INSERT INTO {table} (rowid, words) VALUES (?, ?)"),
        Dialect::Postgres => format!("INSERT INTO {table} (rid, words) VALUES (?, to_tsvector('simple', ?))"),
    };
    Statement::new(text).bind(rid).bind(words).run(connection).map(drop)
}

/// The words of new records, put in when there are no more of them, in the order of their numbers: an index that is written in another
/// order begins a new part at each step back, and has many small ones to merge.
#[derive(Debug, Default)]
pub(super) struct WordsInOrder(Vec<(i64, ParameterId, String)>);

impl WordsInOrder {
    /// Takes words of a new record.
    pub(super) fn gather(&mut self, rid: i64, parameter: ParameterId, words: String) {
        self.0.push((rid, parameter, words));
    }

    /// Puts them in.
    pub(super) fn finish(mut self, connection: &mut Connection) -> QueryResult<()> {
        self.0.sort_by_key(|(rid, ..)| *rid);
        if !connection.dialect().is_postgres() {
            return self.0.into_iter().try_for_each(|(rid, parameter, words)| add(connection, rid, parameter, words));
        }
        let mut tables = [Pending::new(NARRATIVE, 2, INDEXED), Pending::new(CONTENT, 2, INDEXED)];
        let [narrative, content] = &mut tables;
        for (rid, parameter, words) in self.0 {
            let table = if is_narrative(parameter) { &mut *narrative } else { &mut *content };
            table.row::<diesel::result::Error>(connection, |_, binds| {
                binds.extend([rid.into(), words.into()]);
                Ok(())
            })?;
        }
        tables.into_iter().try_for_each(|table| table.finish(connection))
    }
}

/// How words are put in on a server, many at once.
const NARRATIVE: &str = "INSERT INTO text_narrative (rid, words) SELECT n.rid, to_tsvector('simple', n.words) FROM (VALUES";
const CONTENT: &str = "INSERT INTO text_content (rid, words) SELECT n.rid, to_tsvector('simple', n.words) FROM (VALUES";
const INDEXED: &str = ") AS n (rid, words)";

/// Takes the words of a record out.
pub(super) fn remove(connection: &mut Connection, rid: i64, parameter: ParameterId) -> QueryResult<()> {
    let name = if connection.dialect().is_postgres() { "rid" } else { "rowid" };
    let text = format!("DELETE FROM {} WHERE {name} = ?", table(parameter));
    Statement::new(text).bind(rid).run(connection).map(drop)
}

/// A query in the language of FTS5. Words hold letters and digits alone, and stand in quotation marks.
pub(super) fn fts5(words: &Words) -> String {
    match words {
        Words::Phrase(phrase) => format!("\"{}\"", phrase.join(" ")),
        Words::Begins(begin) => format!("\"{begin}\"*"),
        Words::All(parts) => joined(parts, " AND "),
        Words::Any(parts) => joined(parts, " OR "),
        Words::Without(one, other) => format!("({} NOT {})", fts5(one), fts5(other)),
    }
}

/// A query in the language of PostgreSQL. Words stand in apostrophes, which none of them holds.
pub(super) fn tsquery(words: &Words) -> String {
    let list = |parts: &[Words], by: &str| {
        let parts: Vec<String> = parts.iter().map(tsquery).collect();
        format!("({})", parts.join(by))
    };
    match words {
        Words::Phrase(phrase) => {
            let quoted: Vec<String> = phrase.iter().map(|word| format!("'{word}'")).collect();
            format!("({})", quoted.join(" <-> "))
        }
        Words::Begins(begin) => format!("'{begin}':*"),
        Words::All(parts) => list(parts, " & "),
        Words::Any(parts) => list(parts, " | "),
        Words::Without(one, other) => format!("({} & !{})", tsquery(one), tsquery(other)),
    }
}

fn joined(parts: &[Words], by: &str) -> String {
    let parts: Vec<String> = parts.iter().map(fts5).collect();
    format!("({})", parts.join(by))
}
