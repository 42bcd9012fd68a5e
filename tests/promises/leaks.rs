//! The hunt for leaks: it finds none in the gateway, and each that is planted.

use crate::support::Plain;
use amanat::access::{Caller, Permit, Scopes, SignIn, authorize};
use amanat::cli::selftest::{Hunt, Outcome, Over, hunt_at, hunt_over};
use amanat::disclosure::{Commit, Committed, Row};
use amanat::fhir::search::{Criterion, SearchQuery};
use amanat::fhir::{Facts, HistoryQuery, Instant, Interaction, Key, Need, ResourceType, Version};
use amanat::store::{
    Answering, CommitError, Cursor, HistoryPage, Marked, PageBounds, RecordStore, SearchPage, StoreError, UnmarkedBatch,
};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Instant as Stopwatch;

/// Requests of a hunt.
const CASES: u64 = 10_000;
/// Of one in front of a server, each of which is many there.
const BEHIND: u64 = 800;

fn hunted(seed: u64, over: &Over<'_>) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(hunt_over(Hunt { seed, cases: CASES, time: None }, over)).unwrap()
}

#[test]
fn ten_thousand_random_requests_tell_nothing_of_hidden_records() {
    let begun = Stopwatch::now();
    let seed = std::env::var("AMANAT_LEAK_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(20_260_101);
    let outcome = hunted(seed, &|store| store);
    if let Some(leak) = &outcome.leak {
        panic!("{leak}");
    }
    println!(
        "{} requests, {} answers, {} of them telling, in {:?}",
        outcome.cases,
        outcome.answers,
        outcome.telling,
        begun.elapsed()
    );
    assert!(outcome.cases >= CASES);
    assert!(outcome.telling * 3 > outcome.answers, "many answers show something: {outcome:?}");
}

#[test]
fn nor_do_they_in_front_of_a_server() {
    let begun = Stopwatch::now();
    let cases = std::env::var("AMANAT_LEAK_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(BEHIND);
    let behind = Mutex::new(Vec::new());
    let places = |folder: &std::path::Path, clock: &amanat::clock::Clock| {
        let plain = Plain::start(folder, clock);
        let store = format!("[store]\nurl = \"{}\"\nledger = \"sqlite:selftest.db\"\n", plain.base());
        behind.lock().unwrap().push(plain);
        store
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let outcome = runtime.block_on(hunt_at(Hunt { seed: 20_260_101, cases, time: None }, &places)).unwrap();
    if let Some(leak) = &outcome.leak {
        panic!("{leak}");
    }
    println!(
        "{} requests, {} answers, {} of them telling, in {:?}",
        outcome.cases,
        outcome.answers,
        outcome.telling,
        begun.elapsed()
    );
    assert!(outcome.cases >= cases && outcome.telling * 3 > outcome.answers, "{outcome:?}");
}

/// A mistake that an evaluation could make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mistake {
    Totals,
    Includes,
    Reverse,
    Chains,
    Sort,
    Pages,
    Histories,
    Conditions,
    Changes,
}

/// A store that forgets the predicate in one place.
struct Leaky {
    inner: Arc<dyn RecordStore>,
    mistake: Mistake,
    /// Sees everything.
    wide: Permit,
}

impl Leaky {
    fn over(inner: Arc<dyn RecordStore>, mistake: Mistake) -> Arc<dyn RecordStore> {
        let caller = Caller {
            issuer: String::new(),
            subject: String::new(),
            client: String::new(),
            user: None,
            organization: None,
            scopes: Scopes::parse("system/*.cruds"),
            patient: None,
            encounter: None,
            purposes: Vec::new(),
            acr: None,
            sign_in: SignIn::default(),
            token_id: None,
            expires: Instant(i64::MAX),
        };
        let wide = authorize(&Arc::new(caller), Interaction::Bundle).unwrap();
        Arc::new(Self { inner, mistake, wide })
    }

    fn forgets(&self, mistake: Mistake) -> bool {
        self.mistake == mistake
    }

    /// Whether the whole search is evaluated without the predicate; the rows that come out pass a second look all the same.
    fn forgets_in(&self, query: &SearchQuery) -> bool {
        let any = |is: fn(&Criterion) -> bool| query.criteria.iter().any(is);
        match self.mistake {
            Mistake::Reverse => any(|one| matches!(one, Criterion::Has { .. })),
            Mistake::Chains => any(|one| matches!(one, Criterion::Chain { .. })),
            Mistake::Sort => !query.shape.sort.is_empty(),
            Mistake::Pages => query.shape.count == Some(3),
            _ => false,
        }
    }
}

impl RecordStore for Leaky {
    fn read<'a>(&'a self, permit: &'a Permit, need: Need, key: &'a Key) -> Answering<'a, Option<Row>> {
        let forgets = self.forgets(Mistake::Changes) && need != Need::Read;
        self.inner.read(if forgets { &self.wide } else { permit }, need, key)
    }

    fn vread<'a>(&'a self, permit: &'a Permit, key: &'a Key, version: Version) -> Answering<'a, Option<Row>> {
        self.inner.vread(permit, key, version)
    }

    fn search<'a>(
        &'a self,
        permit: &'a Permit,
        query: &'a SearchQuery,
        from: Option<&'a Cursor>,
        bounds: PageBounds,
    ) -> Answering<'a, SearchPage> {
        Box::pin(async move {
            let mut page = self.inner.search(permit, query, from, bounds).await?;
            if self.forgets_in(query) {
                let wide = self.inner.search(&self.wide, query, from, bounds).await?;
                page = SearchPage { total: page.total, ..wide };
            } else if self.forgets(Mistake::Totals) && page.total.is_some() {
                page.total = self.inner.search(&self.wide, query, from, bounds).await?.total;
            } else if self.forgets(Mistake::Includes) {
                page.included = self.inner.search(&self.wide, query, from, bounds).await?.included;
                // Whose they are is forgotten too, else the second look would withhold them.
                page.included.iter_mut().for_each(|row| std::sync::Arc::make_mut(&mut row.facts).patients.clear());
            }
            Ok(page)
        })
    }

    fn history<'a>(
        &'a self,
        permit: &'a Permit,
        query: &'a HistoryQuery,
        from: Option<&'a Cursor>,
        bounds: PageBounds,
    ) -> Answering<'a, HistoryPage> {
        let permit = if self.forgets(Mistake::Histories) { &self.wide } else { permit };
        self.inner.history(permit, query, from, bounds)
    }

    fn select<'a>(&'a self, permit: &'a Permit, need: Need, query: &'a SearchQuery, limit: u32) -> Answering<'a, Vec<Row>> {
        let permit = if self.forgets(Mistake::Conditions) { &self.wide } else { permit };
        self.inner.select(permit, need, query, limit)
    }

    fn commit(&self, commit: Commit) -> Answering<'_, Committed, CommitError> {
        self.inner.commit(commit)
    }

    fn consents(&self) -> Answering<'_, Vec<Row>> {
        self.inner.consents()
    }

    fn current(&self, of: ResourceType) -> Answering<'_, Vec<Row>> {
        self.inner.current(of)
    }

    fn facts_of(&self, key: &Key) -> Result<Option<Facts>, StoreError> {
        self.inner.facts_of(key)
    }

    fn all_versions<'a>(&'a self, key: &'a Key) -> Answering<'a, Vec<Row>> {
        self.inner.all_versions(key)
    }

    fn versions<'a>(&'a self, keys: &'a [Key]) -> Answering<'a, Vec<Option<(Version, bool)>>> {
        self.inner.versions(keys)
    }

    fn facts<'a>(&'a self, keys: &'a [Key]) -> Answering<'a, Vec<Facts>> {
        self.inner.facts(keys)
    }

    fn unmarked(&self, ruleset: i64) -> Answering<'_, Option<UnmarkedBatch>> {
        self.inner.unmarked(ruleset)
    }

    fn mark(&self, ruleset: i64, marked: Vec<Marked>, reached: i64, last: bool) -> Answering<'_, ()> {
        self.inner.mark(ruleset, marked, reached, last)
    }

    fn ready(&self) -> bool {
        self.inner.ready()
    }

    fn close(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        self.inner.close()
    }
}

#[test]
fn every_planted_leak_is_found() {
    use Mistake::{Chains, Changes, Conditions, Histories, Includes, Pages, Reverse, Sort, Totals};
    for mistake in [Totals, Includes, Reverse, Chains, Sort, Pages, Histories, Conditions, Changes] {
        let outcome = hunted(1, &|store| Leaky::over(store, mistake));
        let leak = outcome.leak.unwrap_or_else(|| panic!("{mistake:?} was not found"));
        println!("{mistake:?}: found by request {} of {:?}", outcome.cases, leak.world);
        assert_ne!(leak.with, leak.without, "{leak}");
    }
}
