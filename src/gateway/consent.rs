//! What the patients allow, kept ready: the directory of consents and the verdicts made of it.

use crate::access::{BreakGlass, Caller, Permit};
use crate::consent::{self, Actions, Compiled, Directory, Filing, Question, Requester, Ruling, Site, Standing, Succession};
use crate::disclosure::{ConsentChange, Draft, consent_of, consent_problems};
use crate::fhir::{Id, Instant, Problem, Refusal};
use crate::store::RecordStore;
use arc_swap::ArcSwap;
use quick_cache::sync::Cache;
use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};

/// Contexts whose verdicts are kept.
const CONTEXTS: usize = 10_000;

/// Changes that are remembered, so that a ruling from before them is revised instead of made anew.
const CHANGES: usize = 256;

/// Patients whose verdicts are decided one by one; beyond, all are decided anew.
const REVISED: usize = 1_000;

/// Keeps the consents of the store compiled, and the verdicts for recent callers.
pub struct ConsentOffice {
    site: Site,
    state: ArcSwap<State>,
    writing: Mutex<()>,
    verdicts: Cache<Context, Arc<Kept>>,
}

/// What decisions are made with, of one moment.
#[derive(Clone, Default)]
struct State {
    directory: Directory,
    /// The epoch that each change led to, and whom it concerned; the newest last.
    recent: VecDeque<(u64, Arc<BTreeSet<Id>>)>,
}

/// A verified token and what is done with it. The address stands for the caller as long as [`Kept`] holds on to it; a grant belongs to
/// a token, and a token whose grant has ended comes no further than the door.
type Context = (usize, Actions);

struct Kept {
    epoch: u64,
    requester: Requester,
    ruling: Ruling,
    valid_until: Instant,
    _caller: Arc<Caller>,
}

impl State {
    /// Whom the changes since an epoch concern; `None` when they are not remembered that far, or are too many.
    fn changed_since(&self, epoch: u64) -> Option<BTreeSet<&Id>> {
        let behind = self.recent.front().is_none_or(|(first, _)| *first > epoch + 1);
        if behind && epoch != self.directory.epoch() {
            return None;
        }
        let later = self.recent.iter().filter(|(at, _)| *at > epoch);
        let patients: BTreeSet<&Id> = later.flat_map(|(_, patients)| patients.iter()).collect();
        (patients.len() <= REVISED).then_some(patients)
    }
}

impl ConsentOffice {
    /// An office without consents yet.
    pub fn new(site: Site) -> Self {
        Self { site, state: ArcSwap::default(), writing: Mutex::new(()), verdicts: Cache::new(CONTEXTS) }
    }

    /// Reads every current Consent.
    pub(super) async fn load(&self, store: &dyn RecordStore) -> Result<(), Refusal> {
        let rows = store.consents().await?;
        let mut directory = Directory::default();
        for row in &rows {
            directory.put(&row.facts.key, row.facts.version, Some(consent_of(row, &self.site)?));
        }
        self.state.store(Arc::new(State { directory, recent: VecDeque::new() }));
        Ok(())
    }

    /// The site, as consents are read.
    pub(super) fn site(&self) -> &Site {
        &self.site
    }

    /// What speaks against storing a Consent, and what its author should know.
    pub(super) fn problems(&self, draft: &Draft, now: Instant) -> Result<Vec<Problem>, Refusal> {
        let state = self.state.load();
        consent_problems(draft, &Filing { site: &self.site, resolves: &|_| true, directory: &state.directory, now })
    }

    /// Takes changes over, before the write that made them is acknowledged: they bite on the next request.
    pub(super) fn changed(&self, changes: Vec<ConsentChange>) {
        if changes.is_empty() {
            return;
        }
        let _writing = self.writing.lock();
        let mut state = State::clone(&self.state.load());
        for (key, version, compiled) in changes {
            let before = state.directory.epoch();
            let touched = state.directory.put(&key, version, compiled);
            if state.directory.epoch() != before {
                state.recent.push_back((state.directory.epoch(), Arc::new(touched)));
            }
        }
        while state.recent.len() > CHANGES {
            state.recent.pop_front();
        }
        self.state.store(Arc::new(state));
    }

    /// What a new consent means for those on file.
    pub(super) fn succession(&self, new: &Compiled) -> Succession {
        consent::succession(&self.state.load().directory, new)
    }

    /// The permit on the rows that the patients let this caller see, under this grant if there is one.
    pub(super) fn narrow(&self, permit: Permit, grant: Option<&BreakGlass>, now: Instant) -> Permit {
        let state = self.state.load();
        let caller = Arc::clone(permit.caller());
        let context = (Arc::as_ptr(&caller) as usize, Actions::of(permit.interaction()));
        let kept = self.verdicts.get(&context).filter(|kept| now < kept.valid_until);
        if let Some(kept) = kept.as_ref().filter(|kept| kept.epoch == state.directory.epoch()) {
            return consent::narrow(permit, &kept.ruling.verdicts);
        }
        let fresh = self.ruled(&state, kept.as_deref(), &caller, context.1, grant, now);
        let permit = consent::narrow(permit, &fresh.ruling.verdicts);
        self.verdicts.insert(context, Arc::new(fresh));
        permit
    }

    /// The ruling for a caller: the one kept from before, revised for those whom changes since concern, or a new one.
    fn ruled(
        &self,
        state: &State,
        kept: Option<&Kept>,
        caller: &Arc<Caller>,
        actions: Actions,
        grant: Option<&BreakGlass>,
        now: Instant,
    ) -> Kept {
        let standing = self.standing(caller, grant);
        let requester = Requester::of(caller, actions, &standing);
        let question = Question { requester: &requester, site: &self.site, resolves: &|_| false, now };
        let same = kept.filter(|kept| kept.requester == requester);
        let changed = same.and_then(|kept| state.changed_since(kept.epoch).map(|patients| (kept, patients)));
        let ruling = match changed {
            Some((kept, patients)) => kept.ruling.revised(&state.directory, &question, patients),
            None => consent::verdicts(&state.directory, &question),
        };
        let valid_until = ruling.valid_until.min(standing.valid_until);
        Kept { epoch: state.directory.epoch(), ruling, valid_until, requester, _caller: Arc::clone(caller) }
    }

    /// Everything that stands for a caller, their grant with it.
    fn standing(&self, caller: &Caller, grant: Option<&BreakGlass>) -> Standing {
        let mut standing = Standing::of_token(caller);
        standing.grants.extend(grant.map(|grant| grant.patient.clone()));
        standing
    }
}
