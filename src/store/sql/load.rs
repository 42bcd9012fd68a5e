//! Loading very many records: what would be written all over the database for each of them is gathered, and put in its place at the end.
//!
//! Codes and addresses are ordered by value, so that the rows of one record lie in as many places. While a load is on they are appended to
//! tables without an order; when it ends, they are sorted once and put in. Indexes of values that nothing reads meanwhile are made anew at
//! the end. Everything else is written as always, by the same transactions, with the entries of the trail.
//!
//! A load that did not come to its end is finished when the store is opened the next time: until then nobody searches. One that goes on in
//! another process is left alone ([`alive`]): whoever opened the store beside it neither searches nor changes records.

mod alive;

pub(super) use alive::Alive;

use super::SqlStore;
use super::connection::{Connection, WRITES_CACHED};
use super::dialect::Dialect;
use super::statement::Statement;
use super::writer::{Failing, Writer};
use crate::store::StoreError;
use diesel::prelude::*;
use diesel::sql_types::{Binary, Text};
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

/// The tables that are gathered, each with its gathering table and the columns of both, in the order of its key.
const GATHERED: [(&str, &str, &str); 2] =
    [("index_token", "load_token", "param, code, rid, system, grp"), ("index_uri", "load_uri", "param, value, rid, grp")];

/// The indexes that are made anew. Those that are not there are not.
const REMADE: [&str; 7] = [
    "index_string_value",
    "index_date_value",
    "index_date_long",
    "index_number_value",
    "index_quantity_value",
    "text_narrative_words",
    "text_content_words",
];

/// Under which name the indexes that are to be made anew are kept, one statement a line. It is there while a load is on.
const SETTING: &str = "load";

/// Why records are neither searched nor changed by whoever opened the store beside a load.
const LOADING: &str = "records are being loaded into this store (`amanat import`); wait until that has ended";

impl SqlStore {
    /// Begins to gather. Until [`SqlStore::finish_load`], nobody may search.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn begin_load(&self) -> Result<(), StoreError> {
        self.demand_whole().await?;
        let begin = |writer: &mut Writer| {
            writer.seek_lead();
            if !writer.turn.seen().leads.load(Ordering::Acquire) {
                let why = "another node serves this store: stop it, since nobody may search while records are loaded";
                return Err(StoreError::Unavailable(why.to_owned()));
            }
            let alive = Alive::take(&mut writer.connection)?.ok_or_else(|| StoreError::Unavailable(LOADING.to_owned()))?;
            writer.writing();
            begin(&mut writer.connection)?;
            never_whole(&mut writer.connection, true)?;
            writer.loading = true;
            Ok(alive)
        };
        let alive = self.ledger.submit_failing(Failing::Early, 0, begin).await?;
        *self.alive.lock().unwrap_or_else(PoisonError::into_inner) = Some(alive);
        Ok(())
    }

    /// Puts what was gathered in its place, and makes the indexes anew.
    ///
    /// # Errors
    /// When the database fails; then the next start does it.
    pub async fn finish_load(&self) -> Result<(), StoreError> {
        let finish = |writer: &mut Writer| {
            writer.writing();
            never_whole(&mut writer.connection, false)?;
            finish(&mut writer.connection)?;
            writer.loading = false;
            // Whoever takes it now waits for its turn to write, and then finds nothing to finish.
            Alive::give_back(&mut writer.connection)
        };
        self.ledger.submit_failing(Failing::Early, 0, finish).await?;
        drop(self.alive.lock().unwrap_or_else(PoisonError::into_inner).take());
        Ok(())
    }

    /// Finishes a load that did not come to its end, and leaves one alone that goes on.
    pub(super) fn finish_interrupted(writer: &mut Writer) -> Result<(), StoreError> {
        if state(&mut writer.connection)?.is_none() {
            return Ok(());
        }
        let Some(_alive) = Alive::take(&mut writer.connection)? else {
            tracing::info!("{LOADING}");
            return Ok(());
        };
        tracing::warn!("a load did not come to its end; what it gathered is put in its place now");
        writer.begin()?;
        finish(&mut writer.connection)?;
        writer.finish()?;
        Alive::give_back(&mut writer.connection)
    }

    /// Whether another process was loading records when this one opened the store, and is still as far as was asked: then this one must
    /// not serve.
    pub fn is_being_loaded(&self) -> bool {
        self.being_loaded.load(Ordering::Acquire)
    }

    /// Not for whoever opened the store beside a load, until that has ended.
    pub(super) async fn demand_whole(&self) -> Result<(), StoreError> {
        if !self.is_being_loaded() {
            return Ok(());
        }
        if self.ledger.peek(is_on).await? {
            return Err(StoreError::Unavailable(LOADING.to_owned()));
        }
        self.being_loaded.store(false, Ordering::Release);
        Ok(())
    }
}

/// Whether a load is on: to be asked once the store is open, when an interrupted one is finished, so that it is of another process.
pub(super) fn is_on(connection: &mut Connection) -> Result<bool, StoreError> {
    Ok(state(connection)?.is_some())
}

fn state(connection: &mut Connection) -> QueryResult<Option<Vec<u8>>> {
    Statement::new("SELECT value FROM setting WHERE name = ?").bind(SETTING).row::<Binary, Vec<u8>>(connection)
}

fn begin(connection: &mut Connection) -> Result<(), StoreError> {
    if state(connection)?.is_some() {
        return Ok(());
    }
    for (table, gathering, columns) in GATHERED {
        once(connection, format!("CREATE TABLE {gathering} AS SELECT {columns} FROM {table} WHERE FALSE"))?;
    }
    let mut statements = Vec::new();
    for index in REMADE {
        if let Some(statement) = definition(connection, index)? {
            statements.push(statement.replace('\n', " "));
            once(connection, format!("DROP INDEX {index}"))?;
        }
    }
    let text = "INSERT INTO setting (name, value) VALUES (?, ?)";
    Statement::new(text).bind(SETTING).bind(statements.join("\n").into_bytes()).run(connection)?;
    Ok(())
}

/// The statement that makes an index.
fn definition(connection: &mut Connection, index: &str) -> QueryResult<Option<String>> {
    let text = match connection.dialect() {
        Dialect::Sqlite => "SELECT sql FROM sqlite_schema WHERE type = 'index' AND name = ?",
        Dialect::Postgres => {
            "SELECT CAST(indexdef AS TEXT) FROM pg_indexes WHERE schemaname = current_schema() AND indexname = ?"
        }
    };
    Statement::new(text).bind(index).row::<Text, String>(connection)
}

fn finish(connection: &mut Connection) -> Result<(), StoreError> {
    let Some(statements) = state(connection)? else { return Ok(()) };
    let server = connection.dialect().is_postgres();
    if server {
        // As long as it takes, for this transaction.
        once(connection, "SET LOCAL statement_timeout = 0".to_owned())?;
    } else {
        // What is sorted is larger than memory.
        sorting(connection, "FILE", 256 << 10)?;
    }
    for (table, gathering, columns) in GATHERED {
        // `WHERE TRUE` tells SQLite that what follows is no condition of a join.
        let text = format!(
            "INSERT INTO {table} ({columns}) SELECT {columns} FROM {gathering} WHERE TRUE ORDER BY {columns} ON CONFLICT DO NOTHING"
        );
        once(connection, text)?;
        once(connection, format!("DROP TABLE {gathering}"))?;
    }
    for statement in String::from_utf8_lossy(&statements).lines() {
        once(connection, statement.to_owned())?;
    }
    Statement::new("DELETE FROM setting WHERE name = ?").bind(SETTING).run(connection)?;
    if server {
        once(connection, "ANALYZE record, record_patient, index_token, index_string, index_reference, index_date".to_owned())?;
    } else {
        sorting(connection, "MEMORY", WRITES_CACHED)?;
    }
    Ok(())
}

/// Whether PostgreSQL is kept from reading whole tables on this connection. It plans a kept statement for a table that is empty, and stays
/// with that while a load fills it.
fn never_whole(connection: &mut Connection, never: bool) -> QueryResult<()> {
    if connection.dialect().is_postgres() {
        once(connection, format!("SET enable_seqscan = {}", if never { "off" } else { "on" }))?;
    }
    Ok(())
}

/// Where SQLite sorts, and how many KiB of pages it keeps.
fn sorting(connection: &mut Connection, place: &str, cache: i64) -> QueryResult<()> {
    once(connection, format!("PRAGMA temp_store = {place}"))?;
    once(connection, format!("PRAGMA cache_size = -{cache}")).map(drop)
}

fn once(connection: &mut Connection, text: String) -> QueryResult<usize> {
    Statement::new(text).once().run(connection)
}
