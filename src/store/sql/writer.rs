//! The one who writes: a thread's own state, and how it settles a batch of jobs.

use super::answered::Answers;
use super::connection::{Connection, Place, Use, number};
use super::fold::Fold;
use super::names::Names;
use super::recent::{Recent, Slot};
use super::spooling::Spooling;
use super::statement::Statement;
use super::turn::Turn;
use crate::audit::{Agent, Chain, Entry, Event, Link};
use crate::clock::Clock;
use crate::fhir::{Instant, Key};
use crate::store::StoreError;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The writer's connection and everything that it alone decides: the order of changes, the times, the chain.
pub(super) struct Writer {
    pub(super) connection: Connection,
    pub(super) names: Names,
    chain: Chain,
    node: String,
    clock: Clock,
    latest: Instant,
    change: i64,
    pub(super) turn: Turn,
    /// The entries of this batch, in their places, to be written before it is committed.
    entered: Vec<Link>,
    /// Whether this batch had entries.
    tells: bool,
    /// Whether the last entries or the last commit failed.
    troubled: Arc<AtomicBool>,
    /// The rows that readers keep.
    recent: Arc<Recent>,
    /// Those of them that this batch changes.
    touched: Vec<Slot>,
    /// Whether the job at hand has written anything.
    wrote: bool,
    /// How many batches still get a savepoint for each job.
    wary: u32,
    /// Where entries wait while the database does not take them.
    pub(super) spooling: Option<Spooling>,
    /// Very many records are being loaded (`load`).
    pub(super) loading: bool,
    /// Folds the log, of a file.
    fold: Option<Fold>,
}

/// How many batches get savepoints after one was lost because a job failed while it wrote.
const WARY: u32 = 1_000;

/// Entries in one statement at most.
const ENTRIES: usize = 32;

/// One piece of work for the writer.
pub(super) trait Job: Send {
    /// Does it, inside the batch's transaction. `false` undoes what it did, and only that.
    fn run(&mut self, writer: &mut Writer) -> bool;

    /// How it can fail.
    fn failing(&self) -> Failing;

    /// The entry of the trail that is all of it: that can wait beside the database.
    fn entry(&self) -> Option<&Entry> {
        None
    }

    /// Says that it does wait there, durable.
    fn spooled(&mut self) {}

    /// Answers whoever waits: durable, or why not. What is added to `answers` is given when the whole batch is settled.
    fn settle(self: Box<Self>, outcome: Result<(), &str>, answers: &mut Answers);
}

/// How a job can fail, and what it takes to undo it alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failing {
    /// Not by itself: an entry of the trail, which the writer writes with the others of the batch at its end.
    Never,
    /// Before it writes anything, and says so by [`Writer::writing`]. A savepoint would have SQLite copy every page that the job
    /// changes, for an error that only a defect of the database itself can be: then the batch is lost.
    Early,
    /// At any time.
    Anywhere,
}

impl Writer {
    /// Takes up where the database stands.
    pub(super) fn resume(place: Place, clock: Clock, node: &str, recent: Arc<Recent>) -> Result<Self, StoreError> {
        let connection = place.connect(Use::Write)?;
        let fold = match &place {
            Place::File(file) => Some(Fold::start(file)?),
            Place::Server(_) => None,
        };
        let chain = Chain::resume(0, [0; 32]);
        let (names, node) = (Names::default(), node.to_owned());
        let (latest, troubled) = (Instant(0), Arc::default());
        let mut writer = Self {
            connection,
            names,
            chain,
            node,
            clock,
            latest,
            change: 0,
            turn: Turn::new(place),
            entered: Vec::new(),
            tells: false,
            troubled,
            recent,
            touched: Vec::new(),
            wrote: false,
            wary: 0,
            spooling: None,
            loading: false,
            fold,
        };
        writer.catch_up()?;
        super::SqlStore::finish_interrupted(&mut writer)?;
        Ok(writer)
    }

    /// Reads its state anew: at the start, and after a transaction was lost.
    pub(super) fn reload(&mut self) -> Result<(), StoreError> {
        self.recent.forget();
        self.names.forget();
        let head = Statement::new("SELECT seq, hash FROM trail ORDER BY seq DESC LIMIT 1");
        let (seq, hash) = head.row::<(BigInt, Binary), (i64, Vec<u8>)>(&mut self.connection)?.unwrap_or((0, vec![0; 32]));
        let hash = hash.try_into().map_err(|_| StoreError::Unavailable("the head of the trail is damaged".into()))?;
        self.chain = Chain::resume(seq, hash).on_node(&self.node);
        for table in ["record", "record_version"] {
            let last = Statement::new(format!("SELECT change, updated FROM {table} ORDER BY updated DESC, change DESC LIMIT 1"));
            if let Some((change, updated)) = last.row::<(BigInt, BigInt), (i64, i64)>(&mut self.connection)? {
                self.change = self.change.max(change);
                self.latest = self.latest.max(Instant(updated));
            }
        }
        Ok(())
    }

    /// Takes over how far the store has come, as another node left it.
    pub(super) fn take_over(&mut self, (seq, head): (i64, [u8; 32]), (change, updated): (i64, i64)) {
        if change != self.change {
            self.names.forget_places();
        }
        self.chain = Chain::resume(seq, head).on_node(&self.node);
        (self.change, self.latest) = (change, Instant(updated));
    }

    /// The number of the last change.
    pub(super) fn last_change(&self) -> i64 {
        self.change
    }

    /// Makes the transaction durable; readers who keep rows hear of it.
    pub(super) fn commit(&mut self) -> QueryResult<()> {
        let (recent, touched) = (Arc::clone(&self.recent), std::mem::take(&mut self.touched));
        recent.changing(touched, || Statement::new("COMMIT").run(&mut self.connection))?;
        Ok(())
    }

    /// Says that the job at hand begins to write.
    pub(super) fn writing(&mut self) {
        self.wrote = true;
    }

    /// Notes that the batch changes a record.
    pub(super) fn touch(&mut self, key: &Key) {
        self.touched.push(self.recent.slot(key));
    }

    /// Notes that the batch may change any record.
    pub(super) fn touch_all(&mut self) {
        self.touched.extend(Recent::everywhere());
    }

    /// The number of the next change. Numbers may be left out, never given twice.
    pub(super) fn next_change(&mut self) -> i64 {
        self.change += 1;
        self.change
    }

    /// The time of a change: now, and never before that of an earlier change, whatever the machine's clock does.
    pub(super) fn stamp(&mut self) -> Instant {
        self.latest = self.latest.max(self.clock.now());
        self.latest
    }

    /// The time.
    pub(super) fn now(&self) -> Instant {
        self.clock.now()
    }

    /// Whether from now on writes do not succeed, until one does.
    pub(super) fn set_troubled(&self, troubled: bool) {
        self.troubled.store(troubled, Ordering::Release);
    }

    /// Told to whoever asks whether writes succeed.
    pub(super) fn troubled(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.troubled)
    }

    /// Notes how a batch ended. One without entries that could be committed says nothing about the trail.
    fn note(&mut self, committed: bool) {
        if std::mem::take(&mut self.tells) || !committed {
            self.troubled.store(!committed, Ordering::Release);
        }
    }

    /// Gives an entry its place in the chain; its number. It is written with the others of the batch, and if that fails nothing of
    /// the batch is committed.
    pub(super) fn enter(&mut self, entry: &Entry) -> i64 {
        #[cfg(feature = "bench")]
        if crate::layers::off(crate::layers::Layer::Trail) {
            return self.head();
        }
        let link = self.chain.link(entry);
        let seq = link.seq;
        self.tells = true;
        self.entered.push(link);
        seq
    }

    /// Writes the entries of the batch, many by one statement.
    pub(super) fn write_entries(&mut self) -> QueryResult<()> {
        let mut entered = std::mem::take(&mut self.entered).into_iter();
        while entered.len() > 0 {
            let values = |link: Link| [link.seq.into(), link.recorded.0.into(), link.leaf.into(), link.hash.to_vec().into()];
            let rows = entered.by_ref().take(ENTRIES).flat_map(values).collect();
            let text = "INSERT INTO trail (seq, recorded, leaf, hash) VALUES";
            Statement::insert(text, 4, "", rows).run(&mut self.connection)?;
        }
        Ok(())
    }

    /// After a failure, and when nobody asks for anything: writes an entry and a setting, so that it shows whether both can be written
    /// again. The entry is undone.
    pub(super) fn try_again(&mut self) {
        if self.has_spooled() {
            let _still = self.is_cut_off();
            return;
        }
        if !self.troubled.load(Ordering::Acquire) {
            return;
        }
        if self.rehearse().is_err() {
            self.abandon();
        } else {
            self.troubled.store(false, Ordering::Release);
            tracing::info!("the trail can be written again");
        }
    }

    fn rehearse(&mut self) -> Result<(), StoreError> {
        self.begin()?;
        let mark = self.chain.mark();
        Statement::new("SAVEPOINT job").run(&mut self.connection)?;
        self.enter(&Entry::concluded(Event::Start, Agent::default(), self.clock.now(), ""));
        self.write_entries()?;
        Statement::new("ROLLBACK TO job").run(&mut self.connection)?;
        self.chain.restore(mark);
        Statement::new("RELEASE job").run(&mut self.connection)?;
        Statement::new(
            "INSERT INTO setting (name, value) VALUES ('tried-again', ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        )
        .bind(self.clock.now().0.to_be_bytes().to_vec())
        .run(&mut self.connection)?;
        self.finish()
    }

    /// The number of the last entry.
    pub(super) fn head(&self) -> i64 {
        self.chain.mark().seq()
    }

    /// Runs a batch in one transaction and answers every job once the disk has it, or once it is lost.
    pub(super) fn settle(&mut self, mut batch: Vec<Box<dyn Job>>) {
        let lost = if self.is_cut_off() { Some("the database is away".to_owned()) } else { self.attempt(&mut batch) };
        let kept = lost.is_some() && self.settle_beside(&mut batch);
        let mut answers = Answers::default();
        for job in batch {
            let beside = kept && job.entry().is_some();
            let outcome = lost.as_deref().filter(|_| !beside).map_or(Ok(()), Err);
            job.settle(outcome, &mut answers);
        }
        answers.give();
    }

    /// Gives why it was lost, if it was.
    fn attempt(&mut self, batch: &mut [Box<dyn Job>]) -> Option<String> {
        let outcome = self.transact(batch);
        self.note(outcome.is_ok());
        outcome.err().map(|error| {
            tracing::error!(%error, jobs = batch.len(), "a batch could not be committed");
            self.abandon();
            self.judge(&error);
            error.to_string()
        })
    }

    fn transact(&mut self, batch: &mut [Box<dyn Job>]) -> Result<(), StoreError> {
        self.begin()?;
        self.wary = self.wary.saturating_sub(1);
        // There a statement that fails takes the whole transaction along, whatever was written before.
        let server = self.connection.dialect().is_postgres();
        for job in batch {
            let (mark, entered) = (self.chain.mark(), self.entered.len());
            let done = match job.failing() {
                Failing::Never => job.run(self),
                Failing::Early if self.wary == 0 && !server => self.run_unguarded(job.as_mut())?,
                Failing::Early | Failing::Anywhere => self.run_guarded(job.as_mut())?,
            };
            if !done {
                self.chain.restore(mark);
                self.entered.truncate(entered);
            }
        }
        self.write_entries()?;
        self.finish()
    }

    /// Runs a job that can be undone by itself, whatever it did.
    fn run_guarded(&mut self, job: &mut dyn Job) -> QueryResult<bool> {
        Statement::new("SAVEPOINT job").run(&mut self.connection)?;
        let done = job.run(self);
        if !done {
            Statement::new("ROLLBACK TO job").run(&mut self.connection)?;
            self.names.forget();
        }
        Statement::new("RELEASE job").run(&mut self.connection)?;
        Ok(done)
    }

    /// Runs a job that leaves nothing when it fails. Should one fail in the middle of its writes nevertheless, the batch is lost, and
    /// those after it are guarded for a while: whoever tries the same again must not take others along again.
    fn run_unguarded(&mut self, job: &mut dyn Job) -> Result<bool, StoreError> {
        self.wrote = false;
        let done = job.run(self);
        if !done && self.wrote {
            self.wary = WARY;
            return Err(StoreError::Unavailable("a change could not be written whole".into()));
        }
        Ok(done)
    }

    pub(super) fn abandon(&mut self) {
        self.entered.clear();
        self.touched.clear();
        // Fails when SQLite has already rolled back by itself (a full disk, an I/O error): then there is nothing left to undo.
        let undone = Statement::new("ROLLBACK").run(&mut self.connection);
        // Chain, names and counts go back to what the database says, now or, when it cannot be read, before the next batch.
        self.turn.lost();
        if let Err(error) = self.catch_up() {
            tracing::error!(%error, ?undone, "the store cannot be read after a failed commit");
        }
    }

    /// Sees to it that the log does not become too long. To be called between two batches, with about how many bytes the last one wrote.
    pub(super) fn fold(&mut self, bytes: usize) {
        if let Some(fold) = &mut self.fold {
            fold.written(&mut self.connection, bytes);
        }
    }

    /// The same when nobody asks for anything.
    pub(super) fn fold_rest(&mut self) {
        if let Some(fold) = &mut self.fold {
            fold.rested(&mut self.connection);
        }
    }

    /// Moves all of the log into the database file, where there is one, at the end.
    pub(super) fn checkpoint(&mut self) {
        self.fold = None;
        if self.connection.dialect().is_postgres() {
            return;
        }
        if let Err(error) = number(&mut self.connection, Statement::new("PRAGMA wal_checkpoint(TRUNCATE)").once()) {
            tracing::warn!(%error, "the write-ahead log could not be folded in; the next start does it");
        }
    }
}
