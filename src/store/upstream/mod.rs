//! The record store port over any FHIR R4 server. Nothing that it sends is believed.
//!
//! * `peer`: the servers. `wire`: requests and answers, bounded; credentials; the circuit breaker.
//! * `page`, `fetch`: Bundles as they arrive, records by their address.
//! * `hunt`, `pushed`, `walk`: a search made of what was understood and what is permitted; each record that comes is held to all of it.
//! * `gate`: the permit's predicate in memory. `sort`, `include`, `search`, `history`: pages.
//! * `commit`, `locks`, `turns`, `labels`: writes.
//!
//! The gateway's own records (the trail as AuditEvent, and types that a site keeps here) stay in the store of its own, behind the same port.

mod abilities;
mod commit;
mod directory;
mod doubt;
mod fault;
mod fetch;
mod gate;
mod history;
mod hunt;
mod include;
mod labels;
mod legs;
mod locks;
mod needle;
mod page;
mod peer;
mod place;
mod probe;
mod pushed;
mod round;
mod search;
mod settings;
mod sort;
mod turns;
mod walk;
mod wire;

pub use labels::LabelLedger;
pub use probe::Noticed;
pub use settings::{Assertion, Credentials, Narrowing, UpstreamOptions};
pub use turns::{Begun, TurnLedger, Wanted};

use super::{
    Answering, CommitError, Cursor, HistoryPage, Marked, PageBounds, RecordStore, Row, SearchPage, Served, Shared, StoreError,
    UnmarkedBatch,
};
use crate::access::{Permit, Predicate};
use crate::audit::Trail;
use crate::clock::Clock;
use crate::disclosure::{Commit, Committed, Crossing};
use crate::fhir::search::{IndexEntry, SearchQuery};
use crate::fhir::{Facts, HistoryQuery, HistoryScope, Id, Key, Need, ResourceType, Version};
use directory::Standing;
use fault::Fault;
use fetch::Current;
use labels::Labels;
use locks::Locks;
use peer::{Peer, Peers};
use round::Round;
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use turns::Turns;

/// What of the gateway's own the store over a FHIR server leans on.
pub struct Ledger {
    /// The gateway's own records.
    pub records: Arc<dyn RecordStore>,
    /// The trail.
    pub trail: Arc<dyn Trail>,
    /// Labels of earlier versions.
    pub labels: Arc<dyn LabelLedger>,
    /// Whose turn it is to write, and what was begun.
    pub turns: Arc<dyn TurnLedger>,
    /// Whether other nodes use the same ledger.
    pub shared: bool,
    /// Keys the names of identifiers there.
    pub secret: Vec<u8>,
}

/// The store.
pub struct UpstreamStore {
    options: UpstreamOptions,
    peers: Peers,
    crossing: Crossing,
    own: Arc<dyn RecordStore>,
    trail: Arc<dyn Trail>,
    label_ledger: Arc<dyn LabelLedger>,
    labels: Labels,
    locks: Locks,
    turns: Turns,
    standing: Standing,
    clock: Clock,
}

impl UpstreamStore {
    /// Prepares the way to the server.
    ///
    /// # Errors
    /// When its certificates or the gateway's own tables cannot be read.
    pub async fn open(options: UpstreamOptions, crossing: Crossing, ledger: Ledger, clock: Clock) -> Result<Self, StoreError> {
        let peers = Peers::new(&options, &clock).map_err(StoreError::Unavailable)?;
        let labels = Labels::load(ledger.labels.as_ref()).await?;
        let turns = Turns::new(ledger.turns, ledger.shared, &ledger.secret, options.queue);
        Ok(Self {
            options,
            peers,
            crossing,
            own: ledger.records,
            trail: ledger.trail,
            label_ledger: ledger.labels,
            labels,
            locks: Locks::default(),
            turns,
            standing: Standing::default(),
            clock,
        })
    }

    async fn read_one(&self, permit: &Permit, need: Need, key: &Key) -> Result<Option<Row>, Fault> {
        let predicate = permit.rows(key.resource_type, need);
        if matches!(predicate, Predicate::None) {
            return Ok(None);
        }
        let mut round = Round::default();
        Ok(match self.current(key, &mut round).await? {
            Current::Live(taken) => {
                let shown = self.shows(&predicate, &taken.facts, Some(&taken), &mut round).await?;
                shown.then(|| taken.into_row())
            }
            Current::Deleted(facts) => {
                let shown = self.shows(&predicate, &facts, None, &mut round).await?;
                shown.then_some(Row { facts, content: None })
            }
            Current::Absent => None,
        })
    }

    async fn read_version(&self, permit: &Permit, key: &Key, version: Version) -> Result<Option<Row>, Fault> {
        let predicate = permit.rows(key.resource_type, Need::Read);
        if matches!(predicate, Predicate::None) {
            return Ok(None);
        }
        let mut round = Round::default();
        let Some(mut taken) = self.version(key, version, &mut round).await? else {
            return self.deleted_version(&predicate, key, version, &mut round).await;
        };
        // A superseded version is decided by the stricter of its labels and the current ones.
        let current = match self.current(key, &mut round).await? {
            Current::Live(live) => live.facts,
            Current::Deleted(facts) => facts,
            Current::Absent => return Ok(None),
        };
        taken.raise(&current.marks);
        let valued = Some(&taken).filter(|_| current.version == version && !current.deleted);
        let shown = self.shows(&predicate, &taken.facts, valued, &mut round).await?;
        Ok(shown.then(|| taken.into_row()))
    }

    async fn deleted_version(
        &self,
        predicate: &Predicate,
        key: &Key,
        version: Version,
        round: &mut Round,
    ) -> Result<Option<Row>, Fault> {
        let versions = self.versions(key, round).await?;
        let found = versions.into_iter().map(|past| past.facts).find(|facts| facts.version == version && facts.deleted);
        let Some(facts) = found else { return Ok(None) };
        let shown = self.shows(predicate, &facts, None, round).await?;
        Ok(shown.then_some(Row { facts, content: None }))
    }

    async fn state_of(&self, key: &Key) -> Result<Option<(Version, bool)>, Fault> {
        Ok(match self.current(key, &mut Round::default()).await? {
            Current::Live(taken) => Some((taken.facts.version, false)),
            Current::Deleted(facts) => Some((facts.version, true)),
            Current::Absent => None,
        })
    }

    /// Asked of a thread that serves: it waits for one exchange, on a runtime of its own, while the thread of the wire does the talking.
    fn facts_now(&self, key: &Key) -> Result<Option<Facts>, StoreError> {
        let failed = |error: &dyn std::fmt::Display| StoreError::Unavailable(error.to_string());
        let look = || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().map_err(|error| failed(&error))?;
            Ok(runtime.block_on(self.facts_known(key, &mut Round::default()))?)
        };
        std::thread::scope(|scope| {
            scope.spawn(|| wire::passing(look)).join().unwrap_or_else(|_| Err(failed(&"a look at the upstream panicked")))
        })
    }
}

impl RecordStore for UpstreamStore {
    fn read<'a>(&'a self, permit: &'a Permit, need: Need, key: &'a Key) -> Answering<'a, Option<Row>> {
        if self.is_own(key.resource_type) {
            return self.own.read(permit, need, key);
        }
        Box::pin(async move { Ok(self.read_one(permit, need, key).await?) })
    }

    fn vread<'a>(&'a self, permit: &'a Permit, key: &'a Key, version: Version) -> Answering<'a, Option<Row>> {
        if self.is_own(key.resource_type) {
            return self.own.vread(permit, key, version);
        }
        Box::pin(async move { Ok(self.read_version(permit, key, version).await?) })
    }

    fn search<'a>(
        &'a self,
        permit: &'a Permit,
        query: &'a SearchQuery,
        from: Option<&'a Cursor>,
        bounds: PageBounds,
    ) -> Answering<'a, SearchPage> {
        Box::pin(async move { Ok(self.search_page(permit, query, from, bounds).await?) })
    }

    fn history<'a>(
        &'a self,
        permit: &'a Permit,
        query: &'a HistoryQuery,
        from: Option<&'a Cursor>,
        bounds: PageBounds,
    ) -> Answering<'a, HistoryPage> {
        let own = match &query.scope {
            HistoryScope::Instance(key) => self.is_own(key.resource_type),
            HistoryScope::Type(of) => self.is_own(*of),
            HistoryScope::System => false,
        };
        if own {
            return self.own.history(permit, query, from, bounds);
        }
        Box::pin(async move { Ok(self.history_page(permit, query, from, bounds).await?) })
    }

    fn select<'a>(&'a self, permit: &'a Permit, need: Need, query: &'a SearchQuery, limit: u32) -> Answering<'a, Vec<Row>> {
        Box::pin(async move { Ok(self.selected(permit, need, query, limit).await?) })
    }

    fn begun<'a>(&'a self, condition: &'a SearchQuery) -> Answering<'a, Option<Id>> {
        Box::pin(async move { Ok(self.begun_and_absent(condition).await?) })
    }

    fn commit(&self, commit: Commit) -> Answering<'_, Committed, CommitError> {
        Box::pin(self.apply(commit))
    }

    fn consents(&self) -> Answering<'_, Vec<Row>> {
        Box::pin(async {
            self.labels.reload(self.label_ledger.as_ref()).await?;
            // What could not be asked when the gateway began is asked before anything is decided.
            if self.peers.all().any(|peer| peer.abilities().served.is_none()) {
                self.probe(false).await;
            }
            RecordStore::current(self, ResourceType::Consent).await
        })
    }

    fn current(&self, of: ResourceType) -> Answering<'_, Vec<Row>> {
        if self.is_own(of) {
            return self.own.current(of);
        }
        Box::pin(async move { Ok(self.everything(of).await?) })
    }

    fn facts_of(&self, key: &Key) -> Result<Option<Facts>, StoreError> {
        if self.is_own(key.resource_type) { self.own.facts_of(key) } else { self.facts_now(key) }
    }

    fn all_versions<'a>(&'a self, key: &'a Key) -> Answering<'a, Vec<Row>> {
        if self.is_own(key.resource_type) {
            return self.own.all_versions(key);
        }
        Box::pin(async move {
            let versions = self.versions(key, &mut Round::default()).await?;
            let row = |past: fetch::Past| match past.taken {
                Some(taken) => taken.into_row(),
                None => Row { facts: past.facts, content: None },
            };
            Ok(versions.into_iter().map(row).collect())
        })
    }

    fn versions<'a>(&'a self, keys: &'a [Key]) -> Answering<'a, Vec<Option<(Version, bool)>>> {
        if keys.iter().all(|key| self.is_own(key.resource_type)) {
            return self.own.versions(keys);
        }
        Box::pin(async move {
            let mut all = Vec::with_capacity(keys.len());
            for key in keys {
                let own = self.is_own(key.resource_type);
                let one = if own {
                    self.own.versions(std::slice::from_ref(key)).await?.pop().flatten()
                } else {
                    self.state_of(key).await?
                };
                all.push(one);
            }
            Ok(all)
        })
    }

    fn facts<'a>(&'a self, keys: &'a [Key]) -> Answering<'a, Vec<Facts>> {
        Box::pin(async move {
            let (mut round, mut all) = (Round::default(), Vec::new());
            let mut asked: BTreeMap<ResourceType, Vec<Id>> = BTreeMap::new();
            for key in keys {
                asked.entry(key.resource_type).or_default().push(key.id.clone());
            }
            for (of, ids) in asked {
                if self.is_own(of) {
                    let keys: Vec<Key> = ids.into_iter().map(|id| Key::new(of, id)).collect();
                    all.extend(self.own.facts(&keys).await?);
                } else {
                    all.extend(
                        self.many(of, &ids, &mut round).await?.into_values().map(|taken| Arc::unwrap_or_clone(taken.facts)),
                    );
                }
            }
            Ok(all)
        })
    }

    /// Records behind are read for marks each time they come.
    fn unmarked(&self, ruleset: i64) -> Answering<'_, Option<UnmarkedBatch>> {
        self.own.unmarked(ruleset)
    }

    fn mark(&self, ruleset: i64, marked: Vec<Marked>, reached: i64, last: bool) -> Answering<'_, ()> {
        self.own.mark(ruleset, marked, reached, last)
    }

    /// Of the records that the gateway keeps itself; those behind have no index here.
    fn extraction_state(&self) -> Answering<'_, Option<Vec<u8>>> {
        self.own.extraction_state()
    }

    fn keep_extraction_state(&self, state: Vec<u8>) -> Answering<'_, ()> {
        self.own.keep_extraction_state(state)
    }

    fn any_indexed(&self) -> Answering<'_, bool> {
        self.own.any_indexed()
    }

    fn records_after(&self, of: ResourceType, place: i64) -> Answering<'_, Vec<(i64, Row)>> {
        self.own.records_after(of, place)
    }

    fn index_anew(&self, entries: Vec<(i64, Version, Vec<IndexEntry>)>) -> Answering<'_, ()> {
        self.own.index_anew(entries)
    }

    /// When each server has answered once, and not failed again and again since.
    fn ready(&self) -> bool {
        self.own.ready() && self.peers.all().all(Peer::ready)
    }

    fn shared(&self) -> Option<Shared> {
        Some(Shared { poll: self.options.consent_poll, oldest: self.options.consent_age })
    }

    fn served(&self) -> Option<Served> {
        self.all_served()
    }

    fn close(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        self.own.close()
    }
}
