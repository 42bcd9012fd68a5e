use super::super::compile::{Searched, choose};
use super::super::select;
use super::super::statement::Statement;
use super::*;
use crate::access::{Condition, Verdicts};
use crate::fhir::CompartmentOwner;
use crate::fhir::search::{Include, Sort, SortKey, Total};
use crate::store::{Cursor, StoreError};
use diesel::sql_types::{BigInt, Text};

/// Two patients with observations, one shared.
async fn world() -> World {
    let world = World::new();
    let p = parameters();
    for (patient, family) in [("p1", "Smith"), ("p2", "Jones")] {
        world.put(Record::new(&format!("Patient/{patient}"), &[patient]).add(&p.family, text(family))).await;
    }
    for n in 0..10_i64 {
        let patient = if n % 2 == 0 { "p1" } else { "p2" };
        let record = Record::new(&format!("Observation/o{n}"), &[patient])
            .add(&p.patient, reference(&format!("Patient/{patient}")))
            .add(&p.code, token("http://loinc.org", if n < 5 { "a" } else { "b" }))
            .add(&p.date, IndexValue::Date { low: Instant(100 - n), high: Instant(101 - n) });
        world.put(record).await;
    }
    world.put(Record::new("Observation/both", &["p1", "p2"]).add(&p.patient, reference("Patient/p1"))).await;
    world.put(Record::new("Observation/none", &[]).add(&p.code, token("", "a"))).await;
    world
}

fn by(parameter: &'static SearchParameter, descending: bool) -> Sort {
    Sort { by: SortKey::Parameter(parameter), descending }
}

async fn walk(world: &World, permit: &Permit, query: &SearchQuery, count: u32, between: impl AsyncFn(usize)) -> Vec<String> {
    let mut seen = Vec::new();
    let mut from: Option<Cursor> = None;
    loop {
        let page = world.store.search(permit, query, from.as_ref(), PageBounds { count, ..BOUNDS }).await.unwrap();
        assert!(page.matches.len() <= count as usize);
        seen.extend(ids(&page.matches));
        between(seen.len()).await;
        match page.next {
            Some(next) => from = Some(next),
            None => return seen,
        }
    }
}

#[tokio::test]
async fn criteria_and_permit_hold_together() {
    let world = world().await;
    let query = observations(vec![matching(&parameters().patient, about("p1")), matching(&parameters().code, coded("a"))]);
    assert_eq!(world.ids(&everything(), &query).await, ["o0", "o2", "o4"]);
    assert!(world.ids(&permit(Predicate::Patient(id("p2"))), &query).await.is_empty());
    let every = Predicate::EveryPatient(Verdicts::new(Condition::All, [(id("p2"), Condition::None)]));
    let about_one = observations(vec![matching(&parameters().patient, about("p1"))]);
    assert_eq!(world.ids(&permit(every.clone()), &about_one).await, ["o0", "o2", "o4", "o6", "o8"], "not the shared one");
    let page = world.search(&permit(every), &observations(Vec::new())).await;
    assert_eq!(page.total, Some(6));
}

#[tokio::test]
async fn a_deleted_record_is_not_found() {
    let world = world().await;
    let p = parameters();
    let gone = Record::new("Observation/o0", &["p1"])
        .over(1)
        .deleted()
        .remove(&p.patient, reference("Patient/p1"))
        .remove(&p.code, token("http://loinc.org", "a"))
        .remove(&p.date, IndexValue::Date { low: Instant(100), high: Instant(101) });
    world.put(gone).await;
    for criteria in [vec![], vec![matching(&p.code, coded("a"))], vec![Criterion::Id(vec![id("o0")])]] {
        assert!(!world.ids(&everything(), &observations(criteria)).await.contains(&"o0".to_owned()));
    }
    let own = permit(Predicate::Patient(id("p1")));
    assert!(!world.ids(&own, &observations(Vec::new())).await.contains(&"o0".to_owned()));
}

#[tokio::test]
async fn an_update_moves_a_record_in_the_index_and_among_patients() {
    let world = world().await;
    let p = parameters();
    let moved = Record::new("Observation/o0", &["p2"])
        .over(1)
        .remove(&p.code, token("http://loinc.org", "a"))
        .add(&p.code, token("http://loinc.org", "c"));
    world.put(moved).await;
    assert_eq!(world.ids(&everything(), &observations(vec![matching(&p.code, coded("c"))])).await, ["o0"]);
    assert!(!world.ids(&everything(), &observations(vec![matching(&p.code, coded("a"))])).await.contains(&"o0".to_owned()));
    assert!(world.ids(&permit(Predicate::Patient(id("p2"))), &observations(Vec::new())).await.contains(&"o0".to_owned()));
    assert!(!world.ids(&permit(Predicate::Patient(id("p1"))), &observations(Vec::new())).await.contains(&"o0".to_owned()));
}

#[tokio::test]
async fn totals_are_those_under_the_permit() {
    let world = world().await;
    let own = permit(Predicate::Patient(id("p2")));
    let mut query = observations(Vec::new());
    assert_eq!(world.search(&own, &query).await.total, Some(6));
    query.shape.count = Some(2);
    assert_eq!(world.search(&own, &query).await.total, None);
    query.shape.total = Total::Accurate;
    assert_eq!(world.search(&own, &query).await.total, Some(6));
    query.shape.total = Total::None;
    query.shape.count = None;
    assert_eq!(world.search(&own, &query).await.total, None);
    query.shape.count = Some(0);
    let counted = world.search(&own, &query).await;
    assert_eq!((counted.total, counted.matches.len(), counted.next), (Some(6), 0, None));
    assert_eq!(world.search(&permit(Predicate::None), &observations(Vec::new())).await.total, Some(0));
}

#[tokio::test]
async fn pages_neither_repeat_nor_miss_while_records_come() {
    let world = world().await;
    let mut sorted = observations(Vec::new());
    sorted.shape.sort = vec![by(&parameters().code, true), by(&parameters().date, false)];
    let several = of(vec![ResourceType::Observation, ResourceType::Patient], Vec::new());
    for (name, query) in [("plain", observations(Vec::new())), ("sorted", sorted), ("several", several)] {
        let whole = world.ids(&everything(), &query).await;
        let permit = everything();
        let walked = walk(&world, &permit, &query, 3, async |at| {
            let new = Record::new(&format!("Observation/{name}{at}"), &["p1"])
                .add(&parameters().code, token("", "a"))
                .add(&parameters().date, IndexValue::Date { low: Instant(50), high: Instant(51) });
            world.put(new).await;
        });
        assert_eq!(walked.await, whole, "{name}");
    }
}

#[tokio::test]
async fn pages_neither_repeat_nor_miss_while_sort_keys_change() {
    let p = parameters();
    for descending in [false, true] {
        let world = world().await;
        let mut query = observations(Vec::new());
        query.shape.sort = vec![by(&p.code, descending), by(&p.date, !descending)];
        let whole = world.ids(&everything(), &query).await;
        let permit = everything();
        let walked = walk(&world, &permit, &query, 2, async |at| {
            // One that was shown goes to the end, and one that was not goes to the beginning; each time once more.
            for (n, to) in [(at - 1, i64::MAX / 2), (at + 3, -100)] {
                move_result(&world, &whole, n, to - i64::try_from(at).unwrap()).await;
            }
        });
        assert_eq!(walked.await, whole, "{descending}");
        let now = world.ids(&everything(), &query).await;
        assert_ne!(now, whole, "who begins anew sees the order of now");
        assert_eq!(now.len(), whole.len());
    }
}

/// Gives the result at this place of an order a date of its own, and no code.
async fn move_result(world: &World, whole: &[String], at: usize, to: i64) {
    let p = parameters();
    let Some(name) = whole.get(at).filter(|name| name.starts_with('o')) else { return };
    let n: i64 = name[1..].parse().unwrap();
    let had = world.store.versions(&[key(&format!("Observation/{name}"))]).await.unwrap()[0].unwrap().0;
    let date = |low| IndexValue::Date { low: Instant(low), high: Instant(low + 1) };
    let (code, was) = (if n < 5 { "a" } else { "b" }, if had == Version::FIRST { 100 - n } else { 7 });
    let moved = Record::new(&format!("Observation/{name}"), &[if n % 2 == 0 { "p1" } else { "p2" }]).over(had.0);
    let (text, moment) = (OrderKey::Text(code.to_owned()), OrderKey::Moment(was));
    let moved = if had == Version::FIRST {
        let moved = moved.remove(&p.code, token("http://loinc.org", code)).remove(&p.date, date(was)).add(&p.date, date(to));
        moved.before(&p.code, OrderKind::Token, Some((text.clone(), text)))
    } else {
        moved.add(&p.date, date(to))
    };
    world.put(moved.before(&p.date, OrderKind::Date, Some((moment.clone(), moment)))).await;
}

#[tokio::test]
async fn sorts_by_keys_with_the_keyless_last() {
    let world = world().await;
    let p = parameters();
    let mut query = observations(Vec::new());
    query.shape.sort = vec![by(&p.date, false)];
    let by_date = ["o9", "o8", "o7", "o6", "o5", "o4", "o3", "o2", "o1", "o0"];
    let ascending = world.ids(&everything(), &query).await;
    assert_eq!(ascending[..10], by_date);
    query.shape.sort = vec![by(&p.date, true)];
    let descending = world.ids(&everything(), &query).await;
    assert!(descending[..10].iter().eq(by_date.iter().rev()));
    assert_eq!(ascending[10..], descending[10..]);
    query.shape.sort = vec![by(&p.code, true), Sort { by: SortKey::Id, descending: true }];
    let by_code = world.ids(&everything(), &query).await;
    assert_eq!(by_code, ["o9", "o8", "o7", "o6", "o5", "o4", "o3", "o2", "o1", "o0", "none", "both"]);
    assert_eq!(walk(&world, &everything(), &query, 2, async |_| ()).await, by_code);
    query.shape.sort = vec![Sort { by: SortKey::LastUpdated, descending: true }];
    assert_eq!(walk(&world, &everything(), &query, 5, async |_| ()).await.len(), 12);
}

#[tokio::test]
async fn pages_end_at_the_bound_in_bytes_and_never_empty() {
    let world = world().await;
    let bounds = PageBounds { bytes: 1, ..BOUNDS };
    let page = world.store.search(&everything(), &observations(Vec::new()), None, bounds).await.unwrap();
    assert_eq!(page.matches.len(), 1);
    assert!(page.next.is_some());
}

#[tokio::test]
async fn a_sorted_cursor_does_not_fit_another_order() {
    let world = world().await;
    let mut query = observations(Vec::new());
    query.shape.sort = vec![by(&parameters().date, false)];
    let page = world.store.search(&everything(), &query, None, PageBounds { count: 2, ..BOUNDS }).await.unwrap();
    let cursor = page.next.unwrap();
    let other = world.store.search(&everything(), &observations(Vec::new()), Some(&cursor), BOUNDS).await;
    assert!(matches!(other, Err(StoreError::Cursor)));
}

#[tokio::test]
async fn includes_bring_what_may_be_read_once() {
    let world = world().await;
    let include = |source, iterate| Include { source, parameters: vec![parameters().patient.id], target: None, iterate };
    let mut query = observations(vec![matching(&parameters().code, coded("a"))]);
    query.shape.includes = vec![include(ResourceType::Observation, false)];
    assert_eq!(ids(&world.search(&everything(), &query).await.included), ["p1", "p2"]);
    assert_eq!(ids(&world.search(&permit(Predicate::Patient(id("p2"))), &query).await.included), ["p2"]);
    let mut back = of(vec![ResourceType::Patient], vec![Criterion::Id(vec![id("p1")])]);
    back.shape.reverse_includes = vec![include(ResourceType::Observation, false)];
    let included = ids(&world.search(&everything(), &back).await.included);
    assert_eq!(included, ["o0", "o2", "o4", "o6", "o8", "both"]);
    let every = Predicate::EveryPatient(Verdicts::new(Condition::All, [(id("p2"), Condition::None)]));
    assert_eq!(ids(&world.search(&permit(every), &back).await.included), ["o0", "o2", "o4", "o6", "o8"]);
    let bounds = PageBounds { included: 2, ..BOUNDS };
    let page = world.store.search(&everything(), &back, None, bounds).await.unwrap();
    assert_eq!((page.matches.len(), page.included.len(), page.cut), (1, 2, true));
    let mut both = of(vec![ResourceType::Patient], Vec::new());
    both.shape.reverse_includes = vec![include(ResourceType::Observation, false)];
    let room = PageBounds { included: 6, ..BOUNDS };
    let page = world.store.search(&everything(), &both, None, room).await.unwrap();
    assert_eq!(
        (ids(&page.matches), page.included.len(), page.cut),
        (vec!["p1".to_owned()], 6, false),
        "fewer matches, and the rest later"
    );
    let page = world.store.search(&everything(), &both, page.next.as_ref(), room).await.unwrap();
    assert_eq!((ids(&page.matches), page.included.len(), page.cut), (vec!["p2".to_owned()], 5, false));
    let mut round = of(vec![ResourceType::Observation], vec![Criterion::Id(vec![id("o1")])]);
    round.shape.includes = vec![include(ResourceType::Observation, true)];
    round.shape.reverse_includes = vec![include(ResourceType::Observation, true)];
    let mut all = ids(&world.search(&everything(), &round).await.included);
    all.sort();
    assert_eq!(all, ["o3", "o5", "o7", "o9", "p2"], "the others of the same patient, and not the match again");
}

#[tokio::test]
async fn chains_and_has_look_only_at_what_the_caller_sees() {
    let world = world().await;
    let p = parameters();
    let smith = matching(&p.family, Value::Text("smith".into()));
    let chain = Criterion::Chain { parameter: &p.patient, targets: vec![(ResourceType::Patient, smith)] };
    assert_eq!(world.ids(&everything(), &observations(vec![chain.clone()])).await, ["o0", "o2", "o4", "o6", "o8", "both"]);
    assert!(world.ids(&permit(Predicate::Patient(id("p2"))), &observations(vec![chain])).await.is_empty());
    let has = |code| Criterion::Has {
        resource_type: ResourceType::Observation,
        parameter: &p.patient,
        criterion: Box::new(matching(&p.code, coded(code))),
    };
    let patients = of(vec![ResourceType::Patient], vec![has("a")]);
    assert_eq!(world.ids(&everything(), &patients).await, ["p1", "p2"]);
    assert!(world.ids(&everything(), &of(vec![ResourceType::Patient], vec![has("zzz")])).await.is_empty());
}

#[tokio::test]
async fn a_compartment_in_the_path_confines() {
    let world = world().await;
    let mut query = observations(vec![matching(&parameters().code, coded("b"))]);
    query.compartment = Some(CompartmentOwner { resource_type: ResourceType::Patient, id: id("p2") });
    assert_eq!(world.ids(&everything(), &query).await, ["o5", "o7", "o9"]);
    query.types = Vec::new();
    query.criteria = Vec::new();
    let mut all = world.ids(&everything(), &query).await;
    all.sort();
    assert_eq!(all, ["both", "o1", "o3", "o5", "o7", "o9", "p2"]);
}

#[tokio::test]
async fn the_compartment_of_an_encounter_is_what_refers_to_it() {
    let world = World::new();
    let encounter = crate::fhir::definitions::search_parameter(ResourceType::Observation, "encounter").unwrap();
    world.put(Record::new("Observation/in", &["p1"]).add(encounter, reference("Encounter/e1"))).await;
    world.put(Record::new("Observation/elsewhere", &["p1"]).add(encounter, reference("Encounter/e2"))).await;
    let mut query = observations(Vec::new());
    query.compartment = Some(CompartmentOwner { resource_type: ResourceType::Encounter, id: id("e1") });
    assert_eq!(world.ids(&everything(), &query).await, ["in"]);
    query.types = vec![ResourceType::Location];
    assert!(world.ids(&everything(), &query).await.is_empty(), "no member by definition");
}

#[tokio::test]
async fn records_that_lie_with_another_patient_are_found() {
    let world = World::new();
    let p = parameters();
    let of = |name: &str, patients: &[&str], to: &str| {
        Record::new(name, patients).add(&p.code, token("http://s", "a")).add(&p.patient, reference(&format!("Patient/{to}")))
    };
    world.put(of("Observation/o1", &["p1"], "p1")).await;
    world.put(of("Observation/o2", &["p2"], "p2")).await;
    let query = |patient| observations(vec![matching(&p.patient, about(patient)), matching(&p.code, coded("a"))]);
    assert_eq!(world.ids(&everything(), &query("p2")).await, ["o2"]);
    // The first comes to belong to both: it stays where it lies, with the first patient.
    let shared = Record::new("Observation/o1", &["p1", "p2"]).over(1).add(&p.patient, reference("Patient/p2"));
    world.put(shared).await;
    for narrowing in [Predicate::All, Predicate::Patient(id("p2"))] {
        assert_eq!(world.ids(&permit(narrowing), &query("p2")).await, ["o1", "o2"]);
    }
    assert_eq!(world.ids(&everything(), &query("p1")).await, ["o1"]);
}

/// The steps of PostgreSQL's plan for the page of a query. So small a store is read whole: that must not count, so it is told to avoid
/// it, and does where an index would serve.
pub(super) async fn plan_of_server(world: &World, permit: &Permit, query: &SearchQuery) -> Vec<String> {
    let (permit, query) = (permit.clone(), query.clone());
    let read = move |connection: &mut Connection| {
        let searched = Searched::new(Dialect::Postgres, &permit, Need::Search, &query);
        let driver = choose(connection, &searched)?;
        let statement = select::statement(&searched, &driver, None, 20)?;
        Statement::new("SET enable_seqscan = off").run(connection)?;
        Ok::<_, StoreError>(statement.explained(Dialect::Postgres).rows::<Text, String>(connection)?)
    };
    world.store.ledger.read(read).await.unwrap()
}

/// The steps of SQLite's plan for the page of a query.
pub(super) fn plan(world: &World, permit: &Permit, query: &SearchQuery) -> Vec<String> {
    let searched = Searched::new(Dialect::Sqlite, permit, Need::Search, query);
    steps_of(world, |connection| {
        let driver = choose(connection, &searched)?;
        select::statement(&searched, &driver, None, 20)
    })
}

/// The steps of SQLite's plan for a statement.
pub(super) fn steps_of(world: &World, statement: impl FnOnce(&mut Connection) -> Result<Statement, StoreError>) -> Vec<String> {
    let read = |connection: &mut Connection| {
        let explained = statement(connection)?.explained(Dialect::Sqlite);
        let rows = explained.rows::<(BigInt, BigInt, BigInt, Text), (i64, i64, i64, String)>(connection)?;
        Ok::<_, StoreError>(rows.into_iter().map(|row| row.3).collect())
    };
    let Place::File(file) = world.store.ledger.place() else { return Vec::new() };
    file.inline(read).unwrap()
}

#[tokio::test]
async fn the_common_searches_scan_no_table_and_sort_nothing() {
    let world = world().await;
    let p = parameters();
    let every = Predicate::EveryPatient(Verdicts::new(Condition::All, [(id("p2"), Condition::None)]));
    let queries = [
        observations(vec![matching(&p.patient, about("p1")), matching(&p.category, coded("lab"))]),
        observations(vec![matching(&p.code, coded("a"))]),
        observations(Vec::new()),
        of(vec![ResourceType::Patient], vec![Criterion::Id(vec![id("p1")])]),
    ];
    for (at, query) in queries.iter().enumerate() {
        for narrowing in
            [Predicate::All, Predicate::Patient(id("p1")), every.clone(), Predicate::Patient(id("p1")).and(every.clone())]
        {
            let permit = permit(narrowing);
            if server().is_some() {
                let steps = plan_of_server(&world, &permit, query).await;
                assert!(steps.iter().all(|step| !step.contains("Seq Scan")), "query {at}: {steps:#?}");
                continue;
            }
            let steps = plan(&world, &permit, query);
            // A virtual table is the list of denied patients, read once.
            let bad =
                |step: &&String| (step.starts_with("SCAN") && !step.contains("VIRTUAL TABLE")) || step.contains("TEMP B-TREE");
            let found: Vec<_> = steps.iter().filter(bad).collect();
            assert!(found.is_empty(), "query {at}: {steps:#?}");
        }
    }
}
