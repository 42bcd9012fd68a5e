//! Whose turn it is to write, and where the one who wrote before left off.
//!
//! In the embedded store SQLite's own lock decides; another process that writes is the exception, and shows in a count that SQLite keeps.
//! On a server the nodes take turns by a lock that a transaction holds until it ends. So there is one order of changes and entries,
//! which is that of their commits: a page of a search can be bounded by the number of a change, the trail is one chain, whichever node an
//! entry is of, and a condition that was looked at within the turn still holds when the change is made.

use super::connection::{Place, Use, number};
use super::postgres::{Lock, answers};
use super::statement::Statement;
use super::writer::Writer;
use crate::store::StoreError;
use diesel::connection::SimpleConnection as _;
use diesel::sql_types::{BigInt, Binary, Nullable};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

/// What a writer knows of the others.
pub(super) struct Turn {
    place: Place,
    /// SQLite's own count of what other connections committed.
    others: i64,
    /// The connection may be gone.
    broken: bool,
    leads: Arc<AtomicBool>,
    known: Arc<AtomicI64>,
}

/// What the rest of the store may see of it.
#[derive(Debug, Clone, Default)]
pub(super) struct Seen {
    /// This node does what only one should do.
    pub(super) leads: Arc<AtomicBool>,
    /// The newest change that a request may have seen.
    pub(super) known: Arc<AtomicI64>,
}

impl Turn {
    pub(super) fn new(place: Place) -> Self {
        let alone = matches!(place, Place::File(_));
        Self { place, others: -1, broken: false, leads: Arc::new(AtomicBool::new(alone)), known: Arc::default() }
    }

    /// What is remembered no longer holds.
    pub(super) fn lost(&mut self) {
        self.others = -1;
        self.broken = true;
    }

    pub(super) fn seen(&self) -> Seen {
        Seen { leads: Arc::clone(&self.leads), known: Arc::clone(&self.known) }
    }
}

type Standing = (Nullable<BigInt>, Nullable<Binary>, Nullable<BigInt>, Nullable<BigInt>);
type StandingRow = (Option<i64>, Option<Vec<u8>>, Option<i64>, Option<i64>);

/// The ends of the trail and of the changes.
const STANDING: &str = "SELECT t.seq, t.hash, r.change, r.updated FROM (SELECT 1 AS one) o \
     LEFT JOIN (SELECT seq, hash FROM trail ORDER BY seq DESC LIMIT 1) t ON TRUE \
     LEFT JOIN (SELECT change, updated FROM record ORDER BY updated DESC, change DESC LIMIT 1) r ON TRUE";

impl Writer {
    /// Begins a transaction beside which nobody else writes, and takes up where the last one left off.
    pub(super) fn begin(&mut self) -> Result<(), StoreError> {
        if !self.connection.dialect().is_postgres() {
            Statement::new("BEGIN IMMEDIATE").run(&mut self.connection)?;
            return self.catch_up();
        }
        if self.turn.broken {
            self.reconnect()?;
        }
        // The lock comes before the first look, which then sees what was committed by those who had it before.
        let begin = format!("BEGIN; SELECT pg_advisory_xact_lock({})", Lock::Writes.key());
        crate::on!(&mut self.connection, c => c.batch_execute(&begin))?;
        self.catch_up()
    }

    /// Makes it durable.
    pub(super) fn finish(&mut self) -> Result<(), StoreError> {
        self.commit()?;
        self.turn.known.fetch_max(self.last_change(), Ordering::AcqRel);
        Ok(())
    }

    /// Takes over what others wrote since.
    pub(super) fn catch_up(&mut self) -> Result<(), StoreError> {
        if self.connection.dialect().is_postgres() {
            let row = Statement::new(STANDING).row::<Standing, StandingRow>(&mut self.connection)?;
            let (seq, hash, change, updated) = row.unwrap_or_default();
            let hash = hash.unwrap_or_else(|| vec![0; 32]);
            let hash = hash.try_into().map_err(|_| StoreError::Unavailable("the head of the trail is damaged".into()))?;
            self.take_over((seq.unwrap_or(0), hash), (change.unwrap_or(0), updated.unwrap_or(0)));
        } else {
            let others = number(&mut self.connection, Statement::new("PRAGMA data_version"))?.unwrap_or(0);
            if others != self.turn.others {
                self.reload()?;
                self.turn.others = others;
            }
        }
        self.turn.known.fetch_max(self.last_change(), Ordering::AcqRel);
        Ok(())
    }

    fn reconnect(&mut self) -> Result<(), StoreError> {
        // After an error that was only the statement's the connection is as good as before.
        if !answers(&mut self.connection) {
            self.turn.leads.store(false, Ordering::Release);
            self.connection = self.turn.place.connect(Use::Write)?;
        }
        self.names.forget();
        self.turn.broken = false;
        Ok(())
    }

    /// When nobody asks for anything: sees whether another process has written to the file; on a server, whether it is there, and whether
    /// this node leads.
    pub(super) fn look_around(&mut self) {
        if !self.connection.dialect().is_postgres() {
            if let Err(error) = self.catch_up() {
                tracing::warn!(%error, "the store cannot be read");
            }
            return;
        }
        if !self.turn.leads.load(Ordering::Acquire) {
            self.seek_lead();
        } else if !self.turn.broken && !answers(&mut self.connection) {
            self.away(&"no answer");
        }
    }

    /// Leads from now on, unless another node of the server does.
    pub(super) fn seek_lead(&mut self) {
        if self.turn.broken || self.turn.leads.load(Ordering::Acquire) {
            return;
        }
        let text = format!("SELECT CAST(CASE WHEN pg_try_advisory_lock({}) THEN 1 ELSE 0 END AS BIGINT)", Lock::Leads.key());
        match number(&mut self.connection, Statement::new(text)) {
            Ok(got) => self.turn.leads.store(got == Some(1), Ordering::Release),
            Err(error) => self.away(&error),
        }
    }

    fn away(&mut self, error: &dyn std::fmt::Display) {
        tracing::error!(%error, "the database does not answer");
        self.turn.leads.store(false, Ordering::Release);
        self.turn.lost();
        self.set_troubled(true);
    }
}
