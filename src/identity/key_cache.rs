//! Public keys that change while the gateway runs: read again when due, by one caller at a time, never by a token's will.

use super::fetch::{Fetch, FetchFault, Fetched};
use super::jws::Header;
use super::key_set::{KeySet, KeySetFault};
use super::settings::KeysAt;
use crate::fhir::Instant;
use arc_swap::{ArcSwap, ArcSwapOption};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::SystemTime;

/// An unknown `kid`, and a failed fetch, lead to at most one more fetch in this many seconds.
pub const REFETCH_INTERVAL: i64 = 10;

/// How long a fetched set is kept when its answer does not say, in seconds.
const USUAL_AGE: u64 = 300;

/// How old a set may grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Freshness {
    /// Fetched no more often than this, in seconds.
    pub shortest: u64,
    /// Fetched again at least after this, in seconds.
    pub longest: u64,
    /// Is the last good set used while its source fails?
    pub keep_last_good: bool,
}

impl Freshness {
    /// For a configured issuer: an outage at its side does not lock everybody out.
    pub const ISSUER: Self = Self { shortest: 5, longest: 3600, keep_last_good: true };
    /// For a client's own key address: never longer than the answer allows (SMART: asymmetric client authentication).
    pub const CLIENT: Self = Self { shortest: 1, longest: 3600, keep_last_good: false };
}

/// Keys of the gateway itself, published by whoever holds the private halves.
#[derive(Debug, Default)]
pub struct PublishedKeys {
    set: ArcSwap<KeySet>,
    generation: AtomicU64,
}

impl PublishedKeys {
    /// Replaces the set.
    pub fn publish(&self, set: KeySet) {
        self.set.store(Arc::new(set));
        self.generation.fetch_add(1, Ordering::AcqRel);
    }
}

/// Why there are no keys.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeysFault {
    /// The file cannot be read.
    #[error("the key file cannot be read: {0}")]
    File(String),
    /// The address gave nothing.
    #[error(transparent)]
    Fetch(#[from] FetchFault),
    /// No set has been read yet, or none that is still fresh.
    #[error("there is no key set at the moment")]
    Missing,
    /// What was read is no key set.
    #[error(transparent)]
    Set(#[from] KeySetFault),
}

#[derive(Debug)]
enum Source {
    Published(Arc<PublishedKeys>),
    Inline,
    File { path: PathBuf, modified: tokio::sync::Mutex<Option<SystemTime>> },
    Address { fetch: Fetch, gate: tokio::sync::Mutex<()> },
}

/// A key set and where it comes from.
#[derive(Debug)]
pub struct KeyCache {
    source: Source,
    freshness: Freshness,
    set: ArcSwapOption<KeySet>,
    /// Milliseconds at which the set must be looked at again.
    due: AtomicI64,
    /// Milliseconds of the last attempt.
    attempted: AtomicI64,
    /// How many fetches have come to an end.
    finished: AtomicU64,
    generation: AtomicU64,
}

impl KeyCache {
    /// A cache over a configured place. Nothing is read yet, but an inline set, which is checked now.
    ///
    /// # Errors
    /// [`KeysFault`] for an inline set that is none, or a URL that may not be fetched.
    pub fn new(at: &KeysAt, freshness: Freshness) -> Result<Self, KeysFault> {
        Ok(match at {
            KeysAt::Inline(text) => {
                let cache = Self::over(Source::Inline, freshness);
                cache.set.store(Some(Arc::new(KeySet::parse(text.as_bytes())?)));
                cache
            }
            KeysAt::File(path) => {
                Self::over(Source::File { path: path.clone(), modified: tokio::sync::Mutex::default() }, freshness)
            }
            KeysAt::Address { url, reach, authorities } => {
                let fetch = Fetch::new(url, *reach)?.trusting(authorities.clone());
                Self::over(Source::Address { fetch, gate: tokio::sync::Mutex::default() }, freshness)
            }
        })
    }

    /// A cache over the gateway's own keys.
    pub fn published(keys: Arc<PublishedKeys>) -> Self {
        Self::over(Source::Published(keys), Freshness::ISSUER)
    }

    fn over(source: Source, freshness: Freshness) -> Self {
        Self {
            source,
            freshness,
            set: ArcSwapOption::empty(),
            due: AtomicI64::new(i64::MIN),
            attempted: AtomicI64::new(i64::MIN),
            finished: AtomicU64::new(0),
            generation: AtomicU64::new(0),
        }
    }

    /// A number that changes whenever the set does. What was verified under another number must be verified again.
    pub fn generation(&self) -> u64 {
        match &self.source {
            Source::Published(keys) => keys.generation.load(Ordering::Acquire),
            _ => self.generation.load(Ordering::Acquire),
        }
    }

    /// Is it time to look at the source again?
    pub fn is_due(&self, now: Instant) -> bool {
        match self.source {
            Source::Published(_) | Source::Inline => false,
            Source::File { .. } | Source::Address { .. } => now.0 >= self.due.load(Ordering::Acquire),
        }
    }

    /// The set as it should be at this moment, read again when due.
    ///
    /// # Errors
    /// [`KeysFault`] when there is no set that may be used.
    pub async fn current(&self, now: Instant) -> Result<Arc<KeySet>, KeysFault> {
        if !self.is_due(now) {
            return self.last().ok_or(KeysFault::Missing);
        }
        self.refresh(now, false).await
    }

    /// The set in which a key for this header is to be sought: one more look at the source when the set in hand has none, but
    /// not more often than every [`REFETCH_INTERVAL`] seconds.
    ///
    /// # Errors
    /// As [`KeyCache::current`].
    pub async fn knowing(&self, header: &Header, now: Instant) -> Result<Arc<KeySet>, KeysFault> {
        let set = self.current(now).await?;
        let rested = now.0.saturating_sub(self.attempted.load(Ordering::Acquire)) >= REFETCH_INTERVAL * 1000;
        if set.knows(header) || !rested {
            return Ok(set);
        }
        self.refresh(now, true).await
    }

    fn last(&self) -> Option<Arc<KeySet>> {
        match &self.source {
            Source::Published(keys) => Some(keys.set.load_full()),
            _ => self.set.load_full(),
        }
    }

    async fn refresh(&self, now: Instant, forced: bool) -> Result<Arc<KeySet>, KeysFault> {
        match &self.source {
            Source::Published(_) | Source::Inline => self.last().ok_or(KeysFault::Missing),
            Source::File { path, modified } => self.reread(path, modified, now).await,
            Source::Address { fetch, gate } => self.refetch(fetch, gate, now, forced).await,
        }
    }

    /// At most once a second; the text is read only when the file's time changed.
    async fn reread(
        &self,
        path: &std::path::Path,
        modified: &tokio::sync::Mutex<Option<SystemTime>>,
        now: Instant,
    ) -> Result<Arc<KeySet>, KeysFault> {
        let mut seen = modified.lock().await;
        self.attempted.store(now.0, Ordering::Release);
        self.due.store(now.0.saturating_add(1000), Ordering::Release);
        let read = || {
            let at = std::fs::metadata(path).and_then(|file| file.modified()).map_err(|e| KeysFault::File(e.to_string()))?;
            if *seen == Some(at) {
                return Ok(None);
            }
            let text = std::fs::read(path).map_err(|e| KeysFault::File(e.to_string()))?;
            Ok(Some((at, KeySet::parse(&text)?)))
        };
        match read() {
            Ok(None) => self.last().ok_or(KeysFault::Missing),
            Ok(Some((at, set))) => {
                *seen = Some(at);
                Ok(self.replace(set))
            }
            Err(fault) => self.fallen_back(fault),
        }
    }

    async fn refetch(
        &self,
        fetch: &Fetch,
        gate: &tokio::sync::Mutex<()>,
        now: Instant,
        forced: bool,
    ) -> Result<Arc<KeySet>, KeysFault> {
        let before = self.finished.load(Ordering::Acquire);
        let _one = match (gate.try_lock(), self.last()) {
            (Ok(one), _) => one,
            // Somebody is fetching already: with a good set in hand nobody else needs to wait for it.
            (Err(_), Some(set)) if self.freshness.keep_last_good && !forced => return Ok(set),
            (Err(_), _) => gate.lock().await,
        };
        if self.finished.load(Ordering::Acquire) != before {
            return self.last().filter(|_| self.freshness.keep_last_good || !self.is_due(now)).ok_or(KeysFault::Missing);
        }
        self.attempted.store(now.0, Ordering::Release);
        let answer = fetch.run().await.map_err(KeysFault::from);
        self.finished.fetch_add(1, Ordering::AcqRel);
        match answer.and_then(|fetched| Ok((KeySet::parse(&fetched.body)?, self.age(&fetched)))) {
            Ok((set, age)) => {
                self.due.store(now.plus_seconds(age).0, Ordering::Release);
                Ok(self.replace(set))
            }
            Err(fault) => {
                self.due.store(now.plus_seconds(REFETCH_INTERVAL).0, Ordering::Release);
                self.fallen_back(fault)
            }
        }
    }

    fn age(&self, fetched: &Fetched) -> i64 {
        let age = fetched.max_age.unwrap_or(USUAL_AGE).clamp(self.freshness.shortest, self.freshness.longest);
        i64::try_from(age).unwrap_or(i64::MAX)
    }

    /// After a failure: the last good set where that is the rule; else none, until the next attempt succeeds.
    fn fallen_back(&self, fault: KeysFault) -> Result<Arc<KeySet>, KeysFault> {
        tracing::warn!(%fault, "a key set could not be read");
        if self.freshness.keep_last_good {
            return self.last().ok_or(fault);
        }
        self.set.store(None);
        self.generation.fetch_add(1, Ordering::AcqRel);
        Err(fault)
    }

    fn replace(&self, set: KeySet) -> Arc<KeySet> {
        if let Some(last) = self.set.load_full().filter(|last| **last == set) {
            return last;
        }
        let set = Arc::new(set);
        self.set.store(Some(Arc::clone(&set)));
        self.generation.fetch_add(1, Ordering::AcqRel);
        set
    }
}

#[cfg(test)]
#[path = "key_cache_tests.rs"]
mod tests;
