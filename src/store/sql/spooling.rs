//! What the writer does while the database takes nothing: entries alone go to the spool, everything else is refused at once, and now and then
//! the writer tries to hand over what waits (decision 57).

use super::SqlStore;
use super::postgres::answers;
use super::spool::{CHANGED, Held, KEY, Spool, Taken};
use super::statement::Statement;
use super::writer::{Failing, Job, Writer};
use crate::audit::{Agent, Entry, Event};
use crate::fhir::{Instant, Outcome};
use crate::store::StoreError;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant as Tick};

/// How long nothing is tried after an attempt that failed; longer, when attempts themselves take long.
const PAUSE: Duration = Duration::from_secs(1);
/// So many times as long as an attempt took.
const TIMES: u32 = 4;

/// What SQLite says when it cannot write now, whatever is to be written.
const AWAY: [&str; 5] = ["is locked", "disk is full", "disk I/O error", "readonly database", "unable to open"];

/// The spool, and how things stand with it.
pub(super) struct Spooling {
    spool: Spool,
    /// When the first entry that waits was put there.
    since: Instant,
    /// When to try again.
    next: Tick,
    waiting: Arc<AtomicUsize>,
    /// What was found when it was opened.
    fault: Option<&'static str>,
    /// It takes nothing any more.
    full: bool,
    /// The database is there and takes no entry.
    refused: bool,
}

impl Spooling {
    /// An opened spool. What waits in it from before is handed over first of all.
    pub(super) fn new(mut spool: Spool, taken: Taken, waiting: Arc<AtomicUsize>) -> std::io::Result<Self> {
        let held = spool.begin(taken)?;
        if let Some(fault) = held.fault {
            tracing::warn!(
                code = "AMANAT-TRAIL-0007",
                fault,
                after = held.mark.0,
                "the spool ends with something that cannot be read"
            );
        }
        let since = held.entries.first().map_or(Instant(0), |entry| entry.recorded);
        let one = Self { spool, since, next: Tick::now(), waiting, fault: held.fault, full: false, refused: false };
        one.count();
        Ok(one)
    }

    /// Whether entries wait, or were lost, so that what comes must wait behind them.
    fn is_in_use(&self) -> bool {
        self.spool.waiting() > 0 || self.fault == Some(CHANGED)
    }

    fn count(&self) {
        self.waiting.store(self.spool.waiting(), Ordering::Release);
    }

    fn put(&mut self, entries: &[&Entry], now: Instant) -> std::io::Result<()> {
        if entries.is_empty() {
            return Ok(());
        }
        if self.spool.waiting() == 0 {
            self.since = now;
            self.next = Tick::now() + PAUSE;
            tracing::error!(
                code = "AMANAT-TRAIL-0006",
                spool = %self.spool.path().display(),
                "the database does not take entries of the trail: they wait in the spool"
            );
        }
        let put = self.spool.append(entries);
        if let (Err(error), false) = (&put, self.full) {
            tracing::error!(code = "AMANAT-TRAIL-0001", %error, "the spool takes no more entries: nothing is disclosed");
        }
        self.full = put.is_err();
        self.count();
        put
    }
}

impl Writer {
    /// Takes a spool into use.
    pub(super) fn adopt(&mut self, spooling: Spooling) {
        self.spooling = Some(spooling);
    }

    /// Whether this batch has to do without the database: entries wait for it, and it does not take them now.
    pub(super) fn is_cut_off(&mut self) -> bool {
        let Some(spooling) = self.spooling.as_ref().filter(|spooling| spooling.is_in_use()) else { return false };
        Tick::now() < spooling.next || self.hand_over().is_err()
    }

    /// Whether entries wait beside the database.
    pub(super) fn has_spooled(&self) -> bool {
        self.spooling.as_ref().is_some_and(Spooling::is_in_use)
    }

    /// Makes the entries among these jobs durable beside the database. Everything else is refused.
    pub(super) fn settle_beside(&mut self, batch: &mut [Box<dyn Job>]) -> bool {
        let now = self.now();
        let Some(spooling) = self.spooling.as_mut() else { return false };
        if spooling.refused {
            self.set_troubled(true);
            return false;
        }
        let entries: Vec<&Entry> = batch.iter().filter_map(|job| job.entry()).collect();
        let kept = spooling.put(&entries, now).is_ok();
        if entries.is_empty() {
            return false;
        }
        if kept {
            for job in batch.iter_mut() {
                job.spooled();
            }
        }
        self.set_troubled(!kept);
        kept
    }

    /// Writes what waits into the trail, in its order, and how far the spool has come, in one transaction.
    ///
    /// # Errors
    /// When the database still does not take it.
    pub(super) fn hand_over(&mut self) -> Result<(), StoreError> {
        let begun = Tick::now();
        self.hurry(true);
        let done = self.drain();
        self.hurry(false);
        let failed = done.is_err();
        if let Err(error) = &done {
            self.abandon();
            self.judge(error);
        }
        let Some(spooling) = self.spooling.as_mut() else { return done };
        spooling.next = Tick::now() + PAUSE.max(begun.elapsed() * TIMES);
        if let Err(error) = &done {
            tracing::warn!(%error, "what waits in the spool cannot be handed over yet");
        }
        spooling.count();
        if !failed {
            self.set_troubled(false);
        }
        done
    }

    fn drain(&mut self) -> Result<(), StoreError> {
        let now = self.now();
        let Some(spooling) = self.spooling.as_ref() else { return Ok(()) };
        let unreadable = |error: std::io::Error| StoreError::Unavailable(format!("the spool cannot be read: {error}"));
        let mut held = spooling.spool.held().map_err(unreadable)?;
        // What was found when it was opened is told once.
        held.fault = held.fault.or(spooling.fault);
        if held.fault == Some(CHANGED) {
            let copy = spooling.spool.keep_a_copy().map_err(unreadable)?;
            tracing::error!(code = "AMANAT-TRAIL-0007", copy = %copy.display(), "the spool was changed: what follows in it cannot be read");
        }
        let since = if held.entries.is_empty() { now } else { spooling.since };
        let setting = spooling.spool.setting();
        self.begin()?;
        for entry in framed(&held, since, now) {
            self.enter(&entry);
        }
        self.write_entries()?;
        put_taken(self, &setting, held.mark)?;
        self.finish()?;
        if let Some(spooling) = self.spooling.as_mut() {
            spooling.spool.taken(held.mark);
            (spooling.fault, spooling.full, spooling.refused) = (None, false, false);
        }
        tracing::info!(entries = held.entries.len(), "what waited in the spool is in the trail");
        Ok(())
    }

    /// Notes whether the database is away, when it took nothing. One that is there and refuses has been tampered with, or is damaged: then no
    /// entry waits beside it, and nothing is disclosed.
    pub(super) fn judge(&mut self, error: &StoreError) {
        let text = error.to_string();
        let away = if self.connection.dialect().is_postgres() {
            !answers(&mut self.connection)
        } else {
            AWAY.iter().any(|words| text.contains(words))
        };
        if let Some(spooling) = self.spooling.as_mut() {
            spooling.refused = !away;
        }
    }

    /// An attempt must not hold up those whose entries could wait.
    fn hurry(&mut self, on: bool) {
        if !self.connection.dialect().is_postgres() {
            let patience = if on { "PRAGMA busy_timeout = 50" } else { "PRAGMA busy_timeout = 5000" };
            if let Err(error) = Statement::new(patience).once().rows::<diesel::sql_types::BigInt, i64>(&mut self.connection) {
                tracing::debug!(%error, "the patience of a connection cannot be set");
            }
        }
    }
}

/// What the trail is told: that it could not be written, what was entered meanwhile, and that it is again.
fn framed(held: &Held, since: Instant, now: Instant) -> Vec<Entry> {
    let agent = || Agent { client: "amanat".to_owned(), ..Agent::default() };
    let told = |word, at, text: &str| {
        Entry::concluded(Event::Recording(word), agent(), at, uuid::Uuid::now_v7().to_string()).asking(text)
    };
    let mut all = vec![told("stopped", since, &format!("spooled since={since}"))];
    all.extend(held.entries.iter().cloned());
    let ended = told("started", now, &format!("spooled={} after={since}", held.entries.len()));
    all.push(match held.fault {
        None => ended,
        Some(CHANGED) => Entry { outcome: Outcome::Serious, ..ended.because(format!("spool:{CHANGED}")) },
        Some(fault) => ended.because(format!("spool:{fault}")),
    });
    all
}

/// Notes how far the spool was taken over, where the entries are: both or none.
fn put_taken(writer: &mut Writer, setting: &str, (seq, hash): Taken) -> Result<(), StoreError> {
    let value = [&seq.to_be_bytes()[..], &hash].concat();
    let text = "INSERT INTO setting (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    Statement::new(text).bind(setting).bind(value).run(&mut writer.connection)?;
    Ok(())
}

/// Reads what [`put_taken`] noted; the beginning when there is nothing.
pub(super) fn taken(value: Option<&[u8]>) -> Taken {
    let read = |value: &[u8]| {
        let (seq, hash) = value.split_first_chunk::<8>()?;
        Some((i64::from_be_bytes(*seq), <[u8; 32]>::try_from(hash).ok()?))
    };
    value.and_then(read).unwrap_or((0, [0; 32]))
}

impl SqlStore {
    /// From now on entries of the trail wait in this file, at most so many bytes, while the database does not take them. What waits there
    /// from an earlier run is handed over first.
    ///
    /// # Errors
    /// When the file cannot be used: another process has it, it is something else, there is no room.
    pub async fn spool(&self, path: &Path, bytes: u64) -> Result<(), StoreError> {
        let failed = |error: std::io::Error| StoreError::Unavailable(format!("the spool `{}`: {error}", path.display()));
        let mut fresh = vec![0; KEY];
        aws_lc_rs::rand::fill(&mut fresh).map_err(|_| failed(std::io::Error::other("the system has no random numbers")))?;
        let key = self.setting_or("spool-key", fresh).await?;
        let spool = Spool::open(path, bytes, &key).map_err(failed)?;
        let from = taken(self.setting(&spool.setting()).await?.as_deref());
        let spooling = Spooling::new(spool, from, self.ledger.waiting()).map_err(failed)?;
        let adopt = move |writer: &mut Writer| {
            writer.adopt(spooling);
            Ok::<_, StoreError>(())
        };
        self.ledger.submit_failing(Failing::Early, 0, adopt).await
    }

    /// How many entries wait beside the database.
    pub fn spooled(&self) -> usize {
        self.ledger.waiting().load(Ordering::Acquire)
    }
}
