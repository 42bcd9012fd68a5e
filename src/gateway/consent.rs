//! What the patients allow, kept ready: the directory of consents and the verdicts made of it.

use crate::access::{Caller, Permit};
use crate::consent::{self, Actions, Directory, Filing, Question, Requester, Ruling, Site};
use crate::disclosure::{ConsentChange, Draft, consent_of, consent_problems};
use crate::fhir::{Instant, Problem, Refusal};
use crate::store::RecordStore;
use arc_swap::ArcSwap;
use quick_cache::sync::Cache;
use std::sync::{Arc, Mutex};

/// Contexts whose verdicts are kept.
const CONTEXTS: usize = 10_000;

/// Keeps the consents of the store compiled, and the verdicts for recent callers.
pub struct ConsentOffice {
    site: Site,
    directory: ArcSwap<Directory>,
    writing: Mutex<()>,
    verdicts: Cache<Context, Arc<Kept>>,
}

/// A verified token and what is done with it. The address stands for the caller as long as [`Kept`] holds on to it.
type Context = (usize, Actions);

struct Kept {
    epoch: u64,
    ruling: Ruling,
    _caller: Arc<Caller>,
}

impl ConsentOffice {
    /// An office without consents yet.
    pub fn new(site: Site) -> Self {
        Self {
            site,
            directory: ArcSwap::from_pointee(Directory::default()),
            writing: Mutex::new(()),
            verdicts: Cache::new(CONTEXTS),
        }
    }

    /// Reads every current Consent.
    pub(super) async fn load(&self, store: &dyn RecordStore) -> Result<(), Refusal> {
        let rows = store.consents().await?;
        let mut directory = Directory::default();
        for row in &rows {
            directory.put(&row.facts.key, row.facts.version, Some(consent_of(row, &self.site)?));
        }
        self.directory.store(Arc::new(directory));
        Ok(())
    }

    /// The site, as consents are read.
    pub(super) fn site(&self) -> &Site {
        &self.site
    }

    /// What speaks against storing a Consent, and what its author should know.
    pub(super) fn problems(&self, draft: &Draft, now: Instant) -> Result<Vec<Problem>, Refusal> {
        let directory = self.directory.load();
        consent_problems(draft, &Filing { site: &self.site, resolves: &|_| true, directory: &directory, now })
    }

    /// Takes changes over, before the write that made them is acknowledged: they bite on the next request.
    pub(super) fn changed(&self, changes: Vec<ConsentChange>) {
        if changes.is_empty() {
            return;
        }
        let _writing = self.writing.lock();
        let mut directory = Directory::clone(&self.directory.load());
        for (key, version, compiled) in changes {
            directory.put(&key, version, compiled);
        }
        self.directory.store(Arc::new(directory));
    }

    /// The permit on the rows that the patients let this caller see.
    pub(super) fn narrow(&self, permit: Permit, now: Instant) -> Permit {
        let directory = self.directory.load();
        let caller = Arc::clone(permit.caller());
        let actions = Actions::of(permit.interaction());
        let context = (Arc::as_ptr(&caller) as usize, actions);
        if let Some(kept) =
            self.verdicts.get(&context).filter(|kept| kept.epoch == directory.epoch() && now < kept.ruling.valid_until)
        {
            return consent::narrow(permit, &kept.ruling.verdicts);
        }
        let requester = Requester::new(&caller, actions);
        let question = Question { requester: &requester, site: &self.site, resolves: &|_| false, now };
        let ruling = consent::verdicts(&directory, &question);
        let permit = consent::narrow(permit, &ruling.verdicts);
        self.verdicts.insert(context, Arc::new(Kept { epoch: directory.epoch(), ruling, _caller: caller }));
        permit
    }
}
