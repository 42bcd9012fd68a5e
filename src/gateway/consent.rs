//! What the patients allow, kept ready: the directory of consents and the verdicts made of it.

use crate::access::{BreakGlass, Caller, Permit, Verdicts};
use crate::consent::reference::{self, Trace};
use crate::consent::{
    self, Actions, Compiled, Directory, Filing, Memberships, Question, Requester, Ruling, Site, Standing, Succession,
};
use crate::disclosure::{Draft, Stored, consent_changes, consent_of, consent_problems, print_of, take_membership};
use crate::fhir::json::Document;
use crate::fhir::{Facts, Id, Instant, Key, Problem, Refusal, ResourceType, Version};
use crate::store::{RecordStore, Row};
use arc_swap::ArcSwap;
use quick_cache::sync::Cache;
use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
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
    deciding: Cache<(usize, Id), Arc<Deciding>>,
}

/// The consents of one patient that disclosures to one caller rest on. Holds the caller, so that its address stays its own.
struct Deciding {
    epochs: (u64, u64),
    valid_until: Instant,
    consents: Vec<Key>,
    _caller: Arc<Caller>,
}

/// What decisions are made with, of one moment.
#[derive(Clone, Default)]
struct State {
    directory: Directory,
    memberships: Memberships,
    /// The epoch that each change led to, and whom it concerned; the newest last.
    recent: VecDeque<(u64, Arc<BTreeSet<Id>>)>,
    /// By what each record that was read is known again.
    prints: Arc<HashMap<Key, u64>>,
}

/// A verified token and what is done with it. The address stands for the caller as long as [`Kept`] holds on to it; a grant belongs to
/// a token, and a token whose grant has ended comes no further than the door.
type Context = (usize, Actions);

struct Kept {
    /// Of the directory and of the memberships.
    epochs: (u64, u64),
    requester: Requester,
    ruling: Ruling,
    residual: Option<Verdicts>,
    valid_until: Instant,
    _caller: Arc<Caller>,
}

impl Kept {
    fn narrow(&self, permit: Permit) -> Permit {
        let permit = consent::narrow(permit, &self.ruling.verdicts);
        self.residual.iter().fold(permit, consent::narrow)
    }
}

impl State {
    fn epochs(&self) -> (u64, u64) {
        (self.directory.epoch(), self.memberships.epoch())
    }

    /// Takes one change of the directory over, and remembers whom it concerns.
    fn put(&mut self, key: &Key, version: Version, compiled: Option<Compiled>) {
        let before = self.directory.epoch();
        let touched = self.directory.put(key, version, compiled);
        if self.directory.epoch() != before {
            self.recent.push_back((self.directory.epoch(), Arc::new(touched)));
        }
        while self.recent.len() > CHANGES {
            self.recent.pop_front();
        }
    }

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

/// By what these are known again.
fn prints(rows: &[Row]) -> HashMap<Key, u64> {
    rows.iter().map(|row| (row.facts.key.clone(), print_of(row))).collect()
}

/// Whether this version of a record is to be taken over, of which a version was known before it was read, and is now: it is newer, or other
/// than what was read the last time, and nothing came meanwhile. A server need not count versions, nor only upwards.
fn is_news([before, now]: [Option<Version>; 2], version: Version, same: bool) -> bool {
    now.is_none_or(|now| now < version) || (now == before && !same)
}

impl ConsentOffice {
    /// An office without consents yet.
    pub fn new(site: Site) -> Self {
        Self {
            site,
            state: ArcSwap::default(),
            writing: Mutex::new(()),
            verdicts: Cache::new(CONTEXTS),
            deciding: Cache::new(CONTEXTS),
        }
    }

    /// Reads every current Consent, and who belongs to what.
    pub(super) async fn load(&self, store: &dyn RecordStore) -> Result<(), Refusal> {
        let rows = store.consents().await?;
        let mut directory = Directory::default();
        for row in &rows {
            directory.put(&row.facts.key, row.facts.version, Some(consent_of(row, &self.site)?));
        }
        let mut memberships = Memberships::default();
        let mut prints = prints(&rows);
        for of in Memberships::TYPES {
            let members = store.current(of).await?;
            prints.extend(self::prints(&members));
            for row in &members {
                take_membership(&mut memberships, (&row.facts.key, row.facts.version), row.content.as_ref(), &self.site)?;
            }
        }
        let prints = Arc::new(prints);
        self.state.store(Arc::new(State { directory, memberships, recent: VecDeque::new(), prints }));
        Ok(())
    }

    /// Takes over what others have changed since: what has another version or other content, and what is no longer there. What changed
    /// meanwhile stays.
    pub(super) async fn reload(&self, store: &dyn RecordStore) -> Result<(), Refusal> {
        let before = self.state.load_full();
        let rows = store.consents().await?;
        let mut members = Vec::new();
        for of in Memberships::TYPES {
            members.extend(store.current(of).await?);
        }
        let _writing = self.writing.lock();
        let mut state = State::clone(&self.state.load());
        let mut there = HashSet::new();
        let prints = [prints(&rows), prints(&members)].into_iter().flatten().collect();
        let known = std::mem::replace(&mut state.prints, Arc::new(prints));
        let same = |row: &Row| known.get(&row.facts.key) == Some(&print_of(row));
        for row in &rows {
            let (key, version) = (&row.facts.key, row.facts.version);
            there.insert(key);
            let versions = [before.directory.version_of(key), state.directory.version_of(key)];
            if is_news(versions, version, same(row)) {
                state.directory.reopen(key);
                state.put(key, version, Some(consent_of(row, &self.site)?));
            }
        }
        for (key, version) in before.directory.standing().filter(|(key, _)| !there.contains(key)) {
            if state.directory.version_of(key) == Some(version) {
                state.put(key, version.next(), None);
            }
        }
        for row in &members {
            let (key, version) = (&row.facts.key, row.facts.version);
            there.insert(key);
            let versions = [before.memberships.version_of(key), state.memberships.version_of(key)];
            if is_news(versions, version, same(row)) {
                state.memberships.reopen(key);
                take_membership(&mut state.memberships, (key, version), row.content.as_ref(), &self.site)?;
            }
        }
        for (key, version) in before.memberships.standing_records().filter(|(key, _)| !there.contains(key)) {
            take_membership(&mut state.memberships, (key, version.next()), None, &self.site)?;
        }
        self.state.store(Arc::new(state));
        Ok(())
    }

    /// The site, as consents are read.
    pub(super) fn site(&self) -> &Site {
        &self.site
    }

    /// What speaks against storing a Consent, and what its author should know.
    pub(super) fn problems(&self, draft: &Draft, now: Instant) -> Result<Vec<Problem>, Refusal> {
        let state = self.state.load();
        let resolves = |key: &Key| state.memberships.resolves(key);
        consent_problems(draft, &Filing { site: &self.site, resolves: &resolves, directory: &state.directory, now })
    }

    /// Takes changes over, before the write that made them is acknowledged: they bite on the next request.
    ///
    /// # Errors
    /// [`Refusal::Internal`] when what was stored cannot be read back.
    pub(super) fn changed(&self, stored: &[Stored]) -> Result<(), Refusal> {
        let matters =
            |one: &Stored| one.key.resource_type == ResourceType::Consent || Memberships::TYPES.contains(&one.key.resource_type);
        if !stored.iter().any(matters) {
            return Ok(());
        }
        let changes = consent_changes(stored, &self.site)?;
        let _writing = self.writing.lock();
        let mut state = State::clone(&self.state.load());
        for one in stored {
            take_membership(&mut state.memberships, (&one.key, one.version), one.content.as_ref(), &self.site)?;
        }
        for (key, version, compiled) in changes {
            state.put(&key, version, compiled);
        }
        self.state.store(Arc::new(state));
        Ok(())
    }

    /// Takes a consent over that nobody filed: under its id, or else under the name of a draft.
    ///
    /// # Errors
    /// [`Refusal::Unprocessable`] when it is no consent that would decide anything.
    pub(super) fn suppose(&self, consent: &Document, at: usize) -> Result<(), Refusal> {
        let root = consent.root();
        let of = root.text_at("resourceType").is_some_and(|name| name == ResourceType::Consent.name());
        let compiled = consent::compile(consent, &self.site);
        if !of || !compiled.counts() {
            let text =
                "a draft must be a Consent about privacy, active or inactive, of a patient named by a reference to a record here";
            return Err(Refusal::Unprocessable(vec![Problem::of("invalid", text)]));
        }
        let named = root.text_at("id").and_then(|id| Id::parse(&id)).or_else(|| Id::parse(&format!("draft-{at}")));
        let key = Key::new(ResourceType::Consent, named.ok_or(Refusal::Internal)?);
        let _writing = self.writing.lock();
        let mut state = State::clone(&self.state.load());
        state.directory.put(&key, Version(i64::MAX), Some(compiled));
        self.state.store(Arc::new(state));
        Ok(())
    }

    /// Takes over what another node changed.
    ///
    /// # Errors
    /// As [`ConsentOffice::changed`].
    pub(super) fn heard(&self, rows: Vec<Row>) -> Result<(), Refusal> {
        let stored = |row: Row| Stored {
            key: row.facts.key.clone(),
            version: row.facts.version,
            updated: row.facts.updated,
            content: row.content,
        };
        let stored: Vec<Stored> = rows.into_iter().map(stored).collect();
        self.changed(&stored)
    }

    /// What a new consent means for those on file.
    pub(super) fn succession(&self, new: &Compiled) -> Succession {
        consent::succession(&self.state.load().directory, new)
    }

    /// The permit on the rows that the patients let this caller see, under this grant if there is one.
    ///
    /// # Errors
    /// [`Refusal::TokenInvalid`] when the token carries a restriction that cannot be understood: nothing could be relied on.
    pub(super) fn narrow(&self, permit: Permit, grant: Option<&BreakGlass>, now: Instant) -> Result<Permit, Refusal> {
        let state = self.state.load();
        let caller = Arc::clone(permit.caller());
        let context = (Arc::as_ptr(&caller) as usize, Actions::of(permit.interaction()));
        let kept = self.verdicts.get(&context).filter(|kept| now < kept.valid_until);
        if let Some(kept) = kept.as_ref().filter(|kept| kept.epochs == state.epochs()) {
            return Ok(kept.narrow(permit));
        }
        let fresh = self.ruled(&state, kept.as_deref(), &caller, context.1, grant, now)?;
        let permit = fresh.narrow(permit);
        self.verdicts.insert(context, Arc::new(fresh));
        Ok(permit)
    }

    /// What the issuer forbids beside what patients do.
    fn residual(&self, caller: &Caller) -> Result<Option<Verdicts>, Refusal> {
        let Some(text) = &caller.sign_in.residual else { return Ok(None) };
        let rules = Document::parse(text.as_bytes()).map_err(|_| Refusal::TokenInvalid("residual"))?;
        let condition = consent::residual(rules.root(), &self.site).map_err(|_| Refusal::TokenInvalid("residual"))?;
        Ok(Some(Verdicts::new(condition, [])))
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
    ) -> Result<Kept, Refusal> {
        let standing = Self::standing_in(state, caller, grant.map(|grant| &grant.patient), now);
        let requester = Requester::of(caller, actions, &standing);
        let question =
            Question { requester: &requester, site: &self.site, resolves: &|key| state.memberships.resolves(key), now };
        // Who is known to belong to what decides too: only among the same memberships does a ruling hold for others than those who changed.
        let same = kept.filter(|kept| kept.epochs.1 == state.memberships.epoch() && kept.requester == requester);
        let changed = same.and_then(|kept| state.changed_since(kept.epochs.0).map(|patients| (kept, patients)));
        let ruling = match changed {
            Some((kept, patients)) => kept.ruling.revised(&state.directory, &question, patients),
            None => consent::verdicts(&state.directory, &question),
        };
        let valid_until = ruling.valid_until.min(standing.valid_until);
        let residual = self.residual(caller)?;
        Ok(Kept { epochs: state.epochs(), residual, ruling, valid_until, requester, _caller: Arc::clone(caller) })
    }

    /// The records that stand for a caller.
    pub(super) fn stands_for(&self, caller: &Caller, now: Instant) -> BTreeSet<Key> {
        Self::standing_in(&self.state.load(), caller, None, now).references
    }

    /// Everything that stands for a caller, and those for whom grants are held.
    fn standing_in<'g>(state: &State, caller: &Caller, grants: impl IntoIterator<Item = &'g Id>, now: Instant) -> Standing {
        let mut standing = state.memberships.standing(caller.user.as_ref(), caller.organization.as_deref(), None, now);
        standing.grants.extend(grants.into_iter().cloned());
        standing
    }

    /// The consents of these patients that a disclosure to this caller rests on, under this grant if there is one. Kept like the verdicts:
    /// the same caller asks for the same patients again and again.
    pub(super) fn deciding(
        &self,
        caller: &Arc<Caller>,
        patients: &[Id],
        grant: Option<&BreakGlass>,
        now: Instant,
    ) -> Vec<(Id, Vec<Key>)> {
        let state = self.state.load();
        let epochs = state.epochs();
        let mut found = Vec::new();
        let mut standing = None;
        for patient in patients.iter().filter(|patient| state.directory.knows(patient)) {
            let name = (Arc::as_ptr(caller) as usize, patient.clone());
            let kept = self.deciding.get(&name).filter(|kept| kept.epochs == epochs && now < kept.valid_until);
            let consents = kept.unwrap_or_else(|| {
                let standing =
                    standing.get_or_insert_with(|| Self::standing_in(&state, caller, grant.map(|grant| &grant.patient), now));
                let requester = Requester::of(caller, Actions::ACCESS, standing);
                let resolves = |key: &Key| state.memberships.resolves(key);
                let question = Question { requester: &requester, site: &self.site, resolves: &resolves, now };
                let (consents, until) = consent::deciding(&state.directory, &question, patient);
                let valid_until = until.min(standing.valid_until);
                let fresh = Arc::new(Deciding { epochs, valid_until, consents, _caller: Arc::clone(caller) });
                self.deciding.insert(name, Arc::clone(&fresh));
                fresh
            });
            if !consents.consents.is_empty() {
                found.push((patient.clone(), consents.consents.clone()));
            }
        }
        found
    }

    /// Why a record is shown to a caller, or is not. `look` gives the facts of other records.
    pub(super) fn explain(
        &self,
        caller: &Caller,
        grants: &[Id],
        facts: &Facts,
        look: &dyn Fn(&Key) -> Option<Facts>,
        now: Instant,
    ) -> Trace {
        let state = self.state.load();
        let standing = Self::standing_in(&state, caller, grants, now);
        let requester = Requester::of(caller, Actions::ACCESS, &standing);
        let question =
            Question { requester: &requester, site: &self.site, resolves: &|key| state.memberships.resolves(key), now };
        reference::explain(&state.directory, &question, facts, look)
    }
}
