//! Where others write the records too: consents, and who belongs to what, are read again now and then, and nothing is decided by what is
//! too old.

use super::{ConsentOffice, Gateway};
use crate::fhir::{Instant, Refusal};
use crate::store::{RecordStore, Shared};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;
use tokio::sync::Mutex;

/// When the consents were last read, and who reads them.
#[derive(Debug)]
pub(super) struct Freshness {
    shared: Option<Shared>,
    /// Milliseconds; when the last reading that succeeded began.
    read: AtomicI64,
    reading: Mutex<()>,
    /// The server behind could not be asked what it can do when the gateway began.
    unlearned: AtomicBool,
}

impl Freshness {
    /// They were read just now.
    pub(super) fn new(store: &dyn RecordStore, now: Instant) -> Self {
        Self { shared: store.shared(), read: AtomicI64::new(now.0), reading: Mutex::new(()), unlearned: AtomicBool::new(false) }
    }

    /// They could not be read when the gateway began. Where others keep them it begins all the same, and decides nothing until they can.
    ///
    /// # Errors
    /// The refusal, for a store of the gateway's own.
    pub(super) fn begin_without(&self, refusal: Refusal) -> Result<(), Refusal> {
        if self.shared.is_none() {
            return Err(refusal);
        }
        tracing::error!(code = refusal.told().code, "the consents cannot be read: everything is refused until they can");
        self.read.store(i64::MIN, Ordering::Release);
        self.unlearned.store(true, Ordering::Release);
        Ok(())
    }

    fn is_within(&self, age: Duration, now: Instant) -> bool {
        let age = i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
        now.0.saturating_sub(self.read.load(Ordering::Acquire)) < age
    }

    /// Reads them again, unless somebody has meanwhile.
    async fn refresh(&self, age: Duration, now: Instant, office: &ConsentOffice, store: &dyn RecordStore) -> Result<(), Refusal> {
        let _reading = self.reading.lock().await;
        if self.is_within(age, now) {
            return Ok(());
        }
        office.reload(store).await?;
        self.read.store(now.0, Ordering::Release);
        Ok(())
    }
}

impl Gateway {
    /// To be called before a decision: what it will be made with is not older than the site permits.
    ///
    /// # Errors
    /// [`Refusal::ConsentsStale`] when it is, and cannot be read again.
    pub(super) async fn demand_fresh_consents(&self, now: Instant) -> Result<(), Refusal> {
        let Some(shared) = self.freshness.shared.filter(|shared| !self.freshness.is_within(shared.oldest, now)) else {
            return Ok(());
        };
        let refreshed = self.freshness.refresh(shared.oldest, now, &self.parts.consent, self.parts.store.as_ref()).await;
        refreshed.map_err(|refusal| {
            tracing::error!(code = refusal.told().code, "the consents are too old and cannot be read again");
            Refusal::ConsentsStale
        })
    }

    /// Reads what others may have changed, when it is time to. To be called every second.
    pub(super) async fn tend_consents(&self) -> Result<(), Refusal> {
        let now = self.parts.clock.now();
        match self.freshness.shared.filter(|shared| !self.freshness.is_within(shared.poll, now)) {
            Some(shared) => self.freshness.refresh(shared.poll, now, &self.parts.consent, self.parts.store.as_ref()).await?,
            None => return Ok(()),
        }
        if self.freshness.unlearned.swap(false, Ordering::AcqRel) {
            self.restate();
        }
        Ok(())
    }
}
