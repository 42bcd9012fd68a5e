//! The trail as evidence in the ledger. One chain, so that a row's number is its place in the tree.

use super::SqlStore;
use super::connection::Connection;
use super::statement::Statement;
use crate::fhir::Instant;
use crate::store::evidence::{EvidenceStore, KeptCheckpoint, LeafRow, Position, Sealed};
use crate::store::{Answering, StoreError};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary, Text};

/// The setting with the tree at the newest checkpoint.
const FRONTIER: &str = "tree-frontier";

type Row = (BigInt, Binary, Binary);
type RowValues = (i64, Vec<u8>, Vec<u8>);
type Check = (BigInt, BigInt, Text);
type CheckValues = (i64, i64, String);

fn leaf_row((seq, leaf, hash): RowValues) -> LeafRow {
    LeafRow { seq, leaf, hash }
}

fn checkpoint((size, made, note): CheckValues) -> KeptCheckpoint {
    KeptCheckpoint { size, made: Instant(made), note }
}

fn put_setting(connection: &mut Connection, name: &str, value: Vec<u8>) -> QueryResult<()> {
    let text = "INSERT INTO setting (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    Statement::new(text).bind(name).bind(value).run(connection).map(drop)
}

fn seal(connection: &mut Connection, sealed: Sealed) -> QueryResult<()> {
    Statement::new("DELETE FROM trail WHERE seq <= ? AND seq < (SELECT max(seq) FROM trail)")
        .bind(sealed.upto)
        .run(connection)?;
    Statement::new("INSERT INTO trail_sealed (upto, hash, frontier, file, digest, made) VALUES (?, ?, ?, ?, ?, ?)")
        .bind(sealed.upto)
        .bind(sealed.hash)
        .bind(sealed.frontier)
        .bind(sealed.file)
        .bind(sealed.digest)
        .bind(sealed.made.0)
        .run(connection)
        .map(drop)
}

impl EvidenceStore for SqlStore {
    fn rows(&self, after: i64, limit: u32) -> Answering<'_, Vec<LeafRow>> {
        Box::pin(self.ledger.read(move |connection| {
            let text = "SELECT seq, leaf, hash FROM trail WHERE seq > ? ORDER BY seq LIMIT ?";
            let rows = Statement::new(text).bind(after).bind(i64::from(limit)).rows::<Row, RowValues>(connection)?;
            Ok(rows.into_iter().map(leaf_row).collect())
        }))
    }

    fn hashes(&self, after: i64, limit: u32) -> Answering<'_, Vec<Vec<u8>>> {
        Box::pin(self.ledger.read(move |connection| {
            let text = "SELECT hash FROM trail WHERE seq > ? ORDER BY seq LIMIT ?";
            Ok(Statement::new(text).bind(after).bind(i64::from(limit)).rows::<Binary, Vec<u8>>(connection)?)
        }))
    }

    fn last_row(&self) -> Answering<'_, Option<LeafRow>> {
        Box::pin(self.ledger.read(|connection| {
            let text = "SELECT seq, leaf, hash FROM trail ORDER BY seq DESC LIMIT 1";
            Ok(Statement::new(text).row::<Row, RowValues>(connection)?.map(leaf_row))
        }))
    }

    fn checkpoints(&self, after: i64, limit: u32) -> Answering<'_, Vec<KeptCheckpoint>> {
        Box::pin(self.ledger.read(move |connection| {
            let text = "SELECT size, made, note FROM checkpoint WHERE size > ? ORDER BY size LIMIT ?";
            let rows = Statement::new(text).bind(after).bind(i64::from(limit)).rows::<Check, CheckValues>(connection)?;
            Ok(rows.into_iter().map(checkpoint).collect())
        }))
    }

    fn last_checkpoint(&self) -> Answering<'_, Option<KeptCheckpoint>> {
        Box::pin(self.ledger.read(|connection| {
            let text = "SELECT size, made, note FROM checkpoint ORDER BY size DESC LIMIT 1";
            Ok(Statement::new(text).row::<Check, CheckValues>(connection)?.map(checkpoint))
        }))
    }

    fn keep_checkpoint(&self, kept: KeptCheckpoint, frontier: Vec<u8>) -> Answering<'_, ()> {
        Box::pin(self.ledger.write(move |connection| {
            let text = "INSERT INTO checkpoint (size, made, note) VALUES (?, ?, ?) ON CONFLICT DO NOTHING";
            Statement::new(text).bind(kept.size).bind(kept.made.0).bind(kept.note).run(connection)?;
            put_setting(connection, FRONTIER, frontier)?;
            Ok::<_, StoreError>(())
        }))
    }

    fn frontier(&self) -> Answering<'_, Option<Vec<u8>>> {
        Box::pin(self.setting(FRONTIER))
    }

    fn position<'a>(&'a self, follower: &'a str) -> Answering<'a, Position> {
        let statement = Statement::new("SELECT position, at FROM follower WHERE name = ?").bind(follower);
        Box::pin(self.ledger.read(move |connection| {
            let found = statement.row::<(BigInt, BigInt), (i64, i64)>(connection)?;
            Ok(found.map(|(position, at)| Position { position, at }).unwrap_or_default())
        }))
    }

    fn advance<'a>(&'a self, follower: &'a str, position: Position) -> Answering<'a, ()> {
        let text = "INSERT INTO follower (name, position, at) VALUES (?, ?, ?) \
                    ON CONFLICT (name) DO UPDATE SET position = excluded.position, at = excluded.at";
        let statement = Statement::new(text).bind(follower).bind(position.position).bind(position.at);
        Box::pin(self.ledger.write(move |connection| {
            statement.run(connection)?;
            Ok::<_, StoreError>(())
        }))
    }

    fn kept_or<'a>(&'a self, name: &'a str, value: Vec<u8>) -> Answering<'a, Vec<u8>> {
        Box::pin(self.setting_or(name, value))
    }

    fn sealed(&self) -> Answering<'_, Option<Sealed>> {
        type Columns = (BigInt, Binary, Binary, Text, Text, BigInt);
        type Values = (i64, Vec<u8>, Vec<u8>, String, String, i64);
        Box::pin(self.ledger.read(|connection| {
            let text = "SELECT upto, hash, frontier, file, digest, made FROM trail_sealed ORDER BY upto DESC LIMIT 1";
            let found = Statement::new(text).row::<Columns, Values>(connection)?;
            Ok(found.map(|(upto, hash, frontier, file, digest, made)| Sealed {
                upto,
                hash,
                frontier,
                file,
                digest,
                made: Instant(made),
            }))
        }))
    }

    fn drop_sealed(&self, sealed: Sealed) -> Answering<'_, ()> {
        Box::pin(self.ledger.write(move |connection| {
            seal(connection, sealed)?;
            Ok::<_, StoreError>(())
        }))
    }

    fn before(&self, moment: Instant) -> Answering<'_, i64> {
        Box::pin(self.ledger.read(move |connection| Ok(last_before(connection, moment)?)))
    }
}

/// Numbers and moments rise together, but for a clock that was set back by a little: halving finds the place without an index.
fn last_before(connection: &mut Connection, moment: Instant) -> QueryResult<i64> {
    let ends = Statement::new("SELECT coalesce(min(seq), 1), coalesce(max(seq), 0) FROM trail");
    let (first, last) = ends.row::<(BigInt, BigInt), (i64, i64)>(connection)?.unwrap_or((1, 0));
    let (mut low, mut high) = (first - 1, last);
    while low < high {
        let middle = low + (high - low + 1) / 2;
        let recorded = Statement::new("SELECT recorded FROM trail WHERE seq = ?").bind(middle);
        match recorded.row::<BigInt, i64>(connection)? {
            Some(recorded) if recorded < moment.0 => low = middle,
            _ => high = middle - 1,
        }
    }
    Ok(low)
}
