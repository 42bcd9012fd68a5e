use super::*;
use crate::fhir::Span;
use crate::store::{Cursor, StoreError};

async fn world() -> World {
    let world = World::new();
    world.put(Record::new("Observation/o1", &["p1"])).await;
    world.clock.set(Instant(START.0 + 10));
    world.put(Record::new("Observation/o2", &["p2"])).await;
    world.put(Record::new("Patient/p1", &["p1"])).await;
    world.clock.set(Instant(START.0 + 20));
    world.put(Record::new("Observation/o1", &["p1"]).over(1)).await;
    world.clock.set(Instant(START.0 + 30));
    world.put(Record::new("Observation/o1", &["p1"]).over(2).deleted()).await;
    world
}

fn told(all: &[(&str, i64, bool)]) -> Vec<(String, i64, bool)> {
    all.iter().map(|(key, version, gone)| ((*key).to_owned(), *version, *gone)).collect()
}

#[tokio::test]
async fn each_scope_lists_its_versions_newest_first() {
    let world = world().await;
    let o1 = [("Observation/o1", 3, true), ("Observation/o1", 2, false), ("Observation/o1", 1, false)];
    let instance = history_of(HistoryScope::Instance(key("Observation/o1")));
    assert_eq!(versions_of(&world, &everything(), &instance).await, told(&o1));
    let of_type = history_of(HistoryScope::Type(ResourceType::Observation));
    let [third, second, first] = o1;
    assert_eq!(versions_of(&world, &everything(), &of_type).await, told(&[third, second, ("Observation/o2", 1, false), first]));
    let system = history_of(HistoryScope::System);
    let all = [third, second, ("Patient/p1", 1, false), ("Observation/o2", 1, false), first];
    assert_eq!(versions_of(&world, &everything(), &system).await, told(&all));
    let two = permit(Predicate::Patient(id("p2")));
    assert_eq!(versions_of(&world, &two, &system).await, told(&[("Observation/o2", 1, false)]));
}

#[tokio::test]
async fn since_and_at_bound_it_in_time() {
    let world = world().await;
    let mut query = history_of(HistoryScope::System);
    query.since = Some(Instant(START.0 + 20));
    assert_eq!(
        versions_of(&world, &everything(), &query).await,
        told(&[("Observation/o1", 3, true), ("Observation/o1", 2, false)])
    );
    query.since = None;
    let moment = Instant(START.0 + 25);
    query.at = Some(Span { text: moment.to_string(), first: moment, last: moment });
    let current = [("Observation/o1", 2, false), ("Patient/p1", 1, false), ("Observation/o2", 1, false)];
    assert_eq!(versions_of(&world, &everything(), &query).await, told(&current));
}

#[tokio::test]
async fn pages_follow_one_another_while_versions_are_added() {
    let world = world().await;
    let query = history_of(HistoryScope::System);
    let whole = versions_of(&world, &everything(), &query).await;
    let mut seen = Vec::new();
    let mut from: Option<Cursor> = None;
    loop {
        let bounds = PageBounds { count: 2, ..BOUNDS };
        let page = world.store.history(&everything(), &query, from.as_ref(), bounds).await.unwrap();
        assert!(page.versions.len() <= 2);
        assert_eq!(page.total, None);
        seen.extend(page.versions.iter().map(|row| (row.facts.key.to_string(), row.facts.version.0, row.content.is_none())));
        world.put(Record::new(&format!("Observation/new{}", seen.len()), &["p1"])).await;
        match page.next {
            Some(next) => from = Some(next),
            None => break,
        }
    }
    assert_eq!(seen, whole);
}

#[tokio::test]
async fn a_cursor_that_is_not_ours_is_refused() {
    let world = world().await;
    for text in ["", "x", "{}", "[1]", r#"{"u":1}"#, r#"{"u":"1","c":2}"#] {
        let cursor = Cursor(text.to_owned());
        let history = world.store.history(&everything(), &history_of(HistoryScope::System), Some(&cursor), BOUNDS).await;
        assert!(matches!(history, Err(StoreError::Cursor)), "{text}");
        let search = world.store.search(&everything(), &observations(Vec::new()), Some(&cursor), BOUNDS).await;
        assert!(matches!(search, Err(StoreError::Cursor)), "{text}");
    }
}

#[tokio::test]
async fn histories_are_merged_from_two_indexes_without_sorting() {
    use diesel::sql_types::{BigInt, Text};
    let world = world().await;
    let Place::File(file) = world.store.ledger.place() else { return };
    for scope in [HistoryScope::Type(ResourceType::Observation), HistoryScope::System] {
        let after = super::super::cursor::HistoryPlace { updated: START.0 + 20, change: 4 };
        let statement =
            super::super::history::statement(Dialect::Sqlite, &history_of(scope), Some(&after)).explained(Dialect::Sqlite);
        let steps = file.inline(|connection| {
            Ok::<_, StoreError>(statement.rows::<(BigInt, BigInt, BigInt, Text), (i64, i64, i64, String)>(connection)?)
        });
        let steps: Vec<String> = steps.unwrap().into_iter().map(|row| row.3).collect();
        assert!(steps.iter().all(|step| !step.contains("TEMP B-TREE") && !step.starts_with("SCAN")), "{steps:#?}");
        assert!(steps.iter().any(|step| step.contains("MERGE")), "{steps:#?}");
    }
}
