//! Conditions in SQL against [`Condition::holds`], on random records, and what must not leak.

use super::*;
use crate::access::{Condition, Look, OneOf, Test, Verdicts};
use crate::fhir::{Confidentiality, Dates, Fact, FactSet, Facts, Interval, is_hub};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use std::collections::BTreeMap;

const PATIENTS: [&str; 3] = ["p1", "p2", "p3"];
const TYPES: [&str; 3] = ["Observation", "Organization", "Patient"];
const CODES: [&str; 3] = ["a", "b", "c"];
/// Of each type, so many records exist or could.
const EACH: usize = 4;

fn some_key() -> impl Strategy<Value = Key> {
    (select(&TYPES[..]), 0..=EACH).prop_map(|(of, n)| key(&format!("{of}/{}{n}", &of[..1].to_lowercase())))
}

fn some_interval() -> impl Strategy<Value = Interval> {
    let end = || prop_oneof![5 => 0..8_i64, 1 => Just(i64::MIN), 1 => Just(i64::MAX)];
    (end(), end()).prop_map(|(a, b)| Interval { low: Instant(a.min(b)), high: Instant(a.max(b)) })
}

fn some_dates() -> impl Strategy<Value = Dates> {
    let span = (0..7_i64, 1..3_i64).prop_map(|(low, wide)| Interval { low: Instant(low), high: Instant(low + wide) });
    let open = Just(Interval { low: Instant(3), high: Instant(i64::MAX) });
    prop_oneof![
        1 => Just(Dates::Timeless),
        5 => proptest::collection::vec(prop_oneof![4 => span, 1 => open], 0..4).prop_map(Dates::At),
    ]
}

#[derive(Debug, Clone)]
struct Version {
    patients: Vec<&'static str>,
    marks: Marks,
    names: Vec<Key>,
}

fn some_version() -> impl Strategy<Value = Version> {
    let labels = (0..6_i64, select(vec![0, 1, 2, 3, 1 << 62]), select(vec![0, 1, 2]));
    let facts = (proptest::collection::vec(some_key(), 0..4), subsequence(CODES.to_vec(), 0..=2));
    let unread = prop_oneof![5 => Just(false), 1 => Just(true)];
    (subsequence(PATIENTS.to_vec(), 0..=2), labels, some_dates(), facts, unread).prop_map(
        |(patients, (rank, sensitivity, handling), dates, (names, codes), unread)| {
            let others = names.iter().map(Fact::names).chain(codes.into_iter().map(|code| Fact::coding("s", code)));
            let placeless = FactSet::of(&key("Basic/x"), others);
            let facts = FactSet::packed(placeless.bytes()[8..].to_vec());
            let confidentiality = Confidentiality::of_rank(rank);
            let marks = Marks { confidentiality, sensitivity, handling, dates, facts, ruleset: 1 };
            let marks = if unread { Marks { confidentiality, ..Marks::unread() } } else { marks };
            Version { patients, marks, names }
        },
    )
}

impl Version {
    /// The marks as those of this record: its own name before its other facts.
    fn marks_of(&self, own: &Key) -> Marks {
        let mut marks = self.marks.clone();
        if !marks.is_unread() {
            let others = self.marks.facts.bytes();
            marks.facts = FactSet::packed(Fact::names(own).bytes().iter().chain(others).copied().collect());
        }
        marks
    }
}

fn one_of<T: Ord + std::fmt::Debug>(one: impl Strategy<Value = T>) -> impl Strategy<Value = OneOf<T>> {
    proptest::collection::vec(one, 1..4).prop_map(|all| all.into_iter().collect())
}

fn some_test() -> impl Strategy<Value = Test> {
    let conf = || (0..6_i64).prop_map(Confidentiality::of_rank);
    let bits = || select(vec![0_u64, 1, 2, 3, 1 << 62, (1 << 62) | 1, !0]);
    prop_oneof![
        conf().prop_map(Test::ConfidentialityAtMost),
        conf().prop_map(Test::ConfidentialityAtLeast),
        bits().prop_map(Test::SensitiveToAny),
        bits().prop_map(Test::SensitiveOnlyTo),
        bits().prop_map(Test::Handled),
        one_of(select(&TYPES[..]).prop_map(|of| ResourceType::parse(of).unwrap())).prop_map(Test::Type),
        one_of(some_key()).prop_map(Test::Record),
        one_of(select(&CODES[..]).prop_map(|code| Fact::coding("s", code))).prop_map(Test::Has),
        one_of(some_key().prop_map(|named| Fact::names(&named))).prop_map(Test::Has),
        one_of(some_key().prop_map(|named| Fact::names(&named))).prop_map(Test::RefersTo),
        one_of(some_key()).prop_map(Test::ReferredToBy),
        one_of(some_key()).prop_map(Test::ReferredToBy),
        one_of(some_interval()).prop_map(Test::DatesInside),
        one_of(some_interval()).prop_map(Test::DatesMeet),
    ]
}

fn some_condition() -> impl Strategy<Value = Condition> {
    let leaf = prop_oneof![8 => some_test().prop_map(Condition::Test), 1 => Just(Condition::All), 1 => Just(Condition::None)];
    leaf.prop_recursive(3, 10, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|one| Condition::Not(Box::new(one))),
            proptest::collection::vec(inner.clone(), 0..3).prop_map(Condition::And),
            proptest::collection::vec(inner, 0..3).prop_map(Condition::Or),
        ]
    })
}

fn some_verdicts() -> impl Strategy<Value = Verdicts> {
    let own = proptest::collection::vec(some_condition(), PATIENTS.len());
    (some_condition(), own, subsequence(vec![0, 1, 2], 0..=3)).prop_map(|(otherwise, own, which)| {
        let exceptions = which.into_iter().map(|at| (id(PATIENTS[at]), own[at].clone()));
        Verdicts::new(otherwise, exceptions.collect::<Vec<_>>())
    })
}

#[derive(Debug, Clone)]
struct Case {
    /// By address: its versions; `true` for one that ends deleted.
    records: BTreeMap<Key, (Vec<Version>, bool)>,
    verdicts: Vec<Verdicts>,
}

fn some_case() -> impl Strategy<Value = Case> {
    let versions = (proptest::collection::vec(some_version(), 1..3), prop_oneof![6 => Just(false), 1 => Just(true)]);
    let keys: Vec<Key> =
        TYPES.iter().flat_map(|of| (0..EACH).map(move |n| key(&format!("{of}/{}{n}", &of[..1].to_lowercase())))).collect();
    let records = proptest::collection::vec(versions, keys.len());
    (records, proptest::collection::vec(some_verdicts(), 24))
        .prop_map(move |(records, verdicts)| Case { records: keys.iter().cloned().zip(records).collect(), verdicts })
}

/// What each version is decided on, with whether the caller sees it by an evaluation that knows every record.
fn expected(case: &Case, verdicts: &Verdicts, own: &Key, at: usize) -> bool {
    let (versions, deleted) = &case.records[own];
    let last = versions.last().unwrap();
    let version = versions.get(at).unwrap_or(last);
    let mut marks = version.marks_of(own);
    let current = last.marks_of(own);
    if at + 1 < versions.len() || (*deleted && at < versions.len()) {
        let unread = current.is_unread() || marks.is_unread();
        marks = marks.raised_to(&current);
        if unread {
            marks = Marks { confidentiality: marks.confidentiality, ..Marks::unread() };
        }
    }
    let patients = version.patients.iter().map(|one| id(one)).collect();
    let facts = Facts { key: own.clone(), version: crate::fhir::Version(1), updated: START, deleted: false, patients, marks };
    let mut refers = |named: &Key| match case.records.get(named) {
        Some((versions, false)) => {
            let named = versions.last().unwrap();
            (!named.marks.is_unread()).then(|| named.names.contains(own))
        }
        _ => Some(false),
    };
    assert!(!is_hub(ResourceType::Observation) && is_hub(ResourceType::Patient));
    verdicts.permit_given(&facts, &mut refers) == Some(true)
}

async fn store(case: &Case) -> World {
    let world = World::new();
    for (own, (versions, deleted)) in &case.records {
        for (n, version) in versions.iter().enumerate() {
            let mut record = Record::new(&own.to_string(), &version.patients);
            record.marks = version.marks_of(own);
            // A Patient is told from an absent one by a parameter too, so that hints meet those that are not there.
            record = record.add(&parameters().patient, reference(&format!("Patient/{}", own.id)));
            if n > 0 {
                record = record.over(i64::try_from(n).unwrap());
                record.remove.clone_from(&record.add);
            }
            world.put(record).await;
        }
        if *deleted {
            let last = versions.last().unwrap();
            let mut record = Record::new(&own.to_string(), &last.patients).over(i64::try_from(versions.len()).unwrap()).deleted();
            record.marks = last.marks_of(own);
            world.put(record.remove(&parameters().patient, reference(&format!("Patient/{}", own.id)))).await;
        }
    }
    world
}

async fn check(case: Case) {
    let world = store(&case).await;
    let (mut shown_at_all, mut hidden_at_all) = (0, 0);
    let types: Vec<ResourceType> = TYPES.iter().map(|of| ResourceType::parse(of).unwrap()).collect();
    for verdicts in &case.verdicts {
        let every = Predicate::EveryPatient(verdicts.clone());
        let seen = |own: &Key, at: usize| expected(&case, verdicts, own, at);
        let live = || case.records.iter().filter(|(_, (_, deleted))| !deleted);
        let current = |own: &Key| case.records[own].0.len() - 1;
        let permit = permit(every.clone());
        // A search of everything.
        let mut found: Vec<Key> = keys_of(&world.search(&permit, &of(types.clone(), Vec::new())).await.matches);
        found.sort();
        let mut wanted: Vec<Key> = live().map(|(own, _)| own.clone()).filter(|own| seen(own, current(own))).collect();
        wanted.sort();
        assert_eq!(found, wanted, "{verdicts:#?}");
        shown_at_all += wanted.len();
        hidden_at_all += live().count() - wanted.len();
        // Confined to one patient, and with a hint only: a patient that is there, and one that has no records.
        for patient in PATIENTS {
            let confined = super::permit(every.clone().and(Predicate::Patient(id(patient))));
            let mut found = keys_of(&world.search(&confined, &of(types.clone(), Vec::new())).await.matches);
            found.sort();
            let of_patient = |own: &&Key| case.records[*own].0.last().unwrap().patients.contains(&patient);
            let wanted: Vec<Key> = wanted.iter().filter(of_patient).cloned().collect();
            assert_eq!(found, wanted, "{patient} {verdicts:#?}");
        }
        for (own, _) in live().filter(|(own, _)| own.resource_type == ResourceType::Observation) {
            let query = observations(vec![matching(&parameters().patient, about(own.id.as_str()))]);
            let found = keys_of(&world.search(&permit, &query).await.matches);
            assert_eq!(found.contains(own), seen(own, current(own)), "{own} {verdicts:#?}");
        }
        // Each version, by itself and in the history.
        let listed = versions_of(&world, &permit, &history_of(HistoryScope::System)).await;
        let page = world.store.history(&permit, &history_of(HistoryScope::System), None, BOUNDS).await.unwrap();
        for row in &page.versions {
            let rows = permit.rows(row.facts.key.resource_type, Need::Search);
            assert!(rows.confirms(&Look::new(&row.facts, &Vec::new)), "{:?} {verdicts:#?}", row.facts);
        }
        for (own, (versions, deleted)) in &case.records {
            for at in 0..versions.len() + usize::from(*deleted) {
                let number = i64::try_from(at + 1).unwrap();
                let shown = seen(own, at);
                let row = world.store.vread(&permit, own, crate::fhir::Version(number)).await.unwrap();
                assert_eq!(row.is_some(), shown, "{own} version {number} {verdicts:#?}");
                assert_eq!(listed.iter().any(|(key, one, _)| *key == own.to_string() && *one == number), shown, "{own} {number}");
            }
            let read = world.store.read(&permit, Need::Read, own).await.unwrap();
            assert_eq!(read.is_some(), seen(own, versions.len() - 1 + usize::from(*deleted)), "{own}");
            // The look in memory never contradicts the one in the query.
            if let Some(row) = read {
                let rows = permit.rows(row.facts.key.resource_type, Need::Read);
                assert!(rows.confirms(&Look::new(&row.facts, &Vec::new)), "{own}");
            }
        }
    }
    assert!(shown_at_all > 0 && hidden_at_all > 0, "nothing was decided");
}

fn keys_of(rows: &[Row]) -> Vec<Key> {
    rows.iter().map(|row| row.facts.key.clone()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn the_sql_decides_as_the_conditions_do(case in some_case()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(check(case));
    }
}

#[tokio::test]
async fn the_denial_of_one_patient_stands_when_the_search_is_about_another_without_records() {
    let world = World::new();
    let record = Record::new("Observation/o1", &["p1"]).add(&parameters().patient, reference("Patient/nobody"));
    world.put(record).await;
    let verdicts = Verdicts::new(Condition::All, [(id("p1"), Condition::None)]);
    let query = observations(vec![matching(&parameters().patient, about("nobody"))]);
    assert!(world.ids(&permit(Predicate::EveryPatient(verdicts)), &query).await.is_empty());
}

#[tokio::test]
async fn thousands_of_patients_may_each_have_a_condition_of_their_own() {
    let world = World::new();
    let records = |n: usize| Record::new(&format!("Observation/o{n}"), &[&format!("q{n}")]);
    for part in 0..4 {
        world.store.commit(commit((part * 500..(part + 1) * 500).map(records).collect())).await.unwrap();
    }
    let hidden = |n: usize| key(&format!("Observation/o{}", if n.is_multiple_of(2) { n } else { n + 1 }));
    let own = |n: usize| (id(&format!("q{n}")), Condition::Test(Test::Record(hidden(n).into())).negated());
    let verdicts = Verdicts::new(Condition::All, (0..2000).map(own).collect::<Vec<_>>());
    let permit = permit(Predicate::EveryPatient(verdicts));
    let bounds = PageBounds { count: 5000, ..BOUNDS };
    let found = world.store.search(&permit, &observations(Vec::new()), None, bounds).await.unwrap().matches;
    assert_eq!(found.len(), 1000);
    assert!(ids(&found).iter().all(|id| !id[1..].parse::<usize>().unwrap().is_multiple_of(2)));
    // About one patient, alone and in company, and counted.
    world.put(Record::new("Observation/both", &["q1", "q2"])).await;
    world.put(Record::new("Observation/other", &["q3"]).add(&parameters().patient, reference("Patient/q1"))).await;
    let confined = super::permit(permit.rows(ResourceType::Observation, Need::Search).and(Predicate::Patient(id("q1"))));
    assert_eq!(world.ids(&confined, &observations(Vec::new())).await, ["o1", "both"]);
    let hidden = super::permit(permit.rows(ResourceType::Observation, Need::Search).and(Predicate::Patient(id("q2"))));
    assert_eq!(world.ids(&hidden, &observations(Vec::new())).await, ["both"]);
    let mut counting = observations(Vec::new());
    counting.rendering.summary = Some(crate::fhir::Summary::Count);
    assert_eq!(world.search(&hidden, &counting).await.total, Some(1));
}

#[tokio::test]
async fn conditions_with_more_values_than_a_statement_takes_are_asked_all_the_same() {
    let world = World::new();
    let records = |n: usize| Record::new(&format!("Observation/o{n}"), &[&format!("q{n}")]);
    world.store.commit(commit((0..330).map(records).collect())).await.unwrap();
    let denied = |n: usize| (0..100).map(move |at| Condition::Test(Test::Has(Fact::code(&format!("{n}-{at}")).into())));
    let own = |n: usize| {
        let other = Condition::Test(Test::Record(key(&format!("Observation/o{}", if n < 30 { n } else { 1_000 })).into()));
        (id(&format!("q{n}")), Condition::Or(denied(n).chain([other]).collect()).negated())
    };
    let verdicts = Verdicts::new(Condition::None, (0..330).map(own).collect::<Vec<_>>());
    let permit = permit(Predicate::EveryPatient(verdicts));
    let found = world.store.search(&permit, &observations(Vec::new()), None, PageBounds { count: 5000, ..BOUNDS }).await.unwrap();
    assert_eq!(found.matches.len(), 300);
}
