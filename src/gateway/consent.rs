//! What the patients allow, kept ready: the directory of consents and the verdicts made of it.

use crate::access::{Permit, Verdicts};
use crate::consent::{self, ConsentSettings, Directory};
use crate::disclosure::{ConsentChange, consent_of};
use crate::fhir::{Instant, Refusal};
use crate::store::RecordStore;
use arc_swap::ArcSwap;
use quick_cache::sync::Cache;
use std::sync::{Arc, Mutex};

/// Contexts whose verdicts are kept.
const CONTEXTS: usize = 10_000;

/// Keeps the consents of the store compiled, and the verdicts for recent callers.
pub struct ConsentOffice {
    settings: ConsentSettings,
    directory: ArcSwap<Directory>,
    writing: Mutex<()>,
    verdicts: Cache<String, Arc<Kept>>,
}

struct Kept {
    epoch: u64,
    valid_until: Instant,
    verdicts: Verdicts,
}

impl ConsentOffice {
    /// An office without consents yet.
    pub fn new(settings: ConsentSettings) -> Self {
        Self { settings, directory: ArcSwap::from_pointee(Directory::default()), writing: Mutex::new(()), verdicts: Cache::new(CONTEXTS) }
    }

    /// Reads every current Consent.
    pub(super) async fn load(&self, store: &dyn RecordStore) -> Result<(), Refusal> {
        let rows = store.consents().await?;
        let mut directory = Directory::default();
        for row in &rows {
            directory = directory.with(&row.facts.key, row.facts.version, Some(consent_of(row)?));
        }
        self.directory.store(Arc::new(directory));
        Ok(())
    }

    /// Takes changes over, before the write that made them is acknowledged: they bite on the next request.
    pub(super) fn changed(&self, changes: Vec<ConsentChange>) {
        if changes.is_empty() {
            return;
        }
        let _writing = self.writing.lock();
        let mut directory = Directory::clone(&self.directory.load());
        for (key, version, compiled) in changes {
            directory = directory.with(&key, version, compiled);
        }
        self.directory.store(Arc::new(directory));
    }

    /// The permit on the rows that the patients let this caller see.
    pub(super) fn narrow(&self, permit: Permit, now: Instant) -> Permit {
        let directory = self.directory.load();
        let caller = permit.caller();
        let context = format!("{}\u{1f}{}\u{1f}{}", caller.binding(), caller.organization.as_deref().unwrap_or(""), caller.purposes.join(" "));
        if let Some(kept) = self.verdicts.get(&context).filter(|kept| kept.epoch == directory.epoch() && now < kept.valid_until) {
            return consent::narrow(permit, &kept.verdicts);
        }
        let (verdicts, valid_until) = consent::verdicts(&directory, caller, &self.settings, now);
        let kept = Kept { epoch: directory.epoch(), valid_until, verdicts };
        let permit = consent::narrow(permit, &kept.verdicts);
        self.verdicts.insert(context, Arc::new(kept));
        permit
    }
}
