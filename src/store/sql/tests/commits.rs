use super::*;
use crate::access::{Condition, Verdicts};
use crate::disclosure::Guard;

#[tokio::test]
async fn versions_count_from_one_and_go_on_after_a_deletion() {
    let world = World::new();
    let record = Record::new("Observation/o1", &["p1"]);
    let first = world.put(record.clone()).await;
    assert_eq!((first.stored[0].version, first.stored[0].updated), (Version(1), START));
    world.clock.set(Instant(START.0 + 5));
    world.put(record.clone().over(1)).await;
    let gone = world.put(record.clone().over(2).deleted()).await;
    assert_eq!(gone.stored[0].version, Version(3));
    assert!(gone.stored[0].content.is_none());
    let row = world.store.read(&everything(), Need::Read, &key("Observation/o1")).await.unwrap().unwrap();
    assert!(row.facts.deleted && row.content.is_none());
    assert_eq!(
        world.store.versions(&[record.key.clone(), key("Observation/no")]).await.unwrap(),
        [Some((Version(3), true)), None]
    );
    let back = world.put(record.clone().over(3)).await;
    assert_eq!(back.stored[0].version, Version(4));
    for (version, there) in [(1, true), (2, true), (3, true), (4, true), (5, false)] {
        let row = world.store.vread(&everything(), &record.key, Version(version)).await.unwrap();
        assert_eq!(row.as_ref().map(|row| row.facts.version.0), there.then_some(version));
        assert_eq!(row.is_some_and(|row| row.content.is_none()), version == 3);
    }
}

#[tokio::test]
async fn time_never_runs_backwards() {
    let world = World::new();
    world.put(Record::new("Observation/o1", &[])).await;
    world.clock.set(Instant(START.0 - 60_000));
    let second = world.put(Record::new("Observation/o1", &[]).over(1)).await;
    assert_eq!(second.stored[0].updated, START);
}

#[tokio::test]
async fn a_change_that_meets_another_state_changes_nothing() {
    let world = World::new();
    world.put(Record::new("Observation/o1", &["p1"])).await;
    let head = world.store.trail_head().await.unwrap();
    for stale in [
        Record::new("Observation/o1", &["p1"]),
        Record::new("Observation/o1", &["p1"]).over(2),
        Record::new("Observation/o2", &[]).over(1),
    ] {
        let both = commit(vec![Record::new("Observation/other", &["p1"]), stale]);
        assert!(is_stale(&world.store.commit(both).await));
    }
    assert_eq!(world.store.versions(&[key("Observation/other")]).await.unwrap(), [None]);
    assert_eq!(world.store.trail_head().await.unwrap(), head, "no entry for what was not done");
}

#[tokio::test]
async fn of_64_conditional_creates_at_once_one_wins() {
    let world = World::new();
    let condition = observations(vec![matching(&parameters().code, coded("once"))]);
    let tasks: Vec<_> = (0..64)
        .map(|n| {
            let (store, condition) = (Arc::clone(&world.store), condition.clone());
            tokio::spawn(async move {
                let record = Record::new(&format!("Observation/o{n}"), &["p1"]).add(&parameters().code, token("s", "once"));
                let mut commit = record.into_commit();
                commit.guards = vec![Guard { permit: everything(), need: Need::Search, query: condition, selected: Vec::new() }];
                store.commit(commit).await
            })
        })
        .collect();
    let (mut won, mut lost) = (0, 0);
    for task in tasks {
        match task.await.unwrap() {
            Ok(_) => won += 1,
            Err(CommitError::Stale) => lost += 1,
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!((won, lost), (1, 63));
    assert_eq!(world.ids(&everything(), &condition).await.len(), 1);
}

#[tokio::test]
async fn a_guard_sees_with_the_eyes_of_its_permit() {
    let world = World::new();
    world.put(Record::new("Observation/hidden", &["p2"]).add(&parameters().code, token("s", "x"))).await;
    let query = observations(vec![matching(&parameters().code, coded("x"))]);
    let guard = |permit| Guard { permit, need: Need::Search, query: query.clone(), selected: Vec::new() };
    let mut blind = Record::new("Observation/o1", &["p1"]).into_commit();
    blind.guards = vec![guard(permit(Predicate::Patient(id("p1"))))];
    assert!(world.store.commit(blind).await.is_ok());
    let mut seeing = Record::new("Observation/o2", &["p1"]).into_commit();
    seeing.guards = vec![guard(everything())];
    assert!(is_stale(&world.store.commit(seeing).await));
}

#[tokio::test]
async fn a_read_shows_only_what_the_predicate_lets_through() {
    let world = World::new();
    world.put(Record::new("Observation/o1", &["p1"]).add(&parameters().category, token("", "lab"))).await;
    world.put(Record::new("Observation/o2", &["p1", "p2"])).await;
    world.put(Record::new("Observation/o3", &[])).await;
    let lab = Predicate::Criteria(Arc::new([matching(&parameters().category, coded("lab"))]));
    let denied = |otherwise: bool, who: &[&str]| {
        let exceptions = who.iter().map(|one| (id(one), Condition::always(!otherwise)));
        Predicate::EveryPatient(Verdicts::new(Condition::always(otherwise), exceptions))
    };
    let cases: Vec<(Predicate, [bool; 3])> = vec![
        (Predicate::All, [true, true, true]),
        (Predicate::None, [false, false, false]),
        (Predicate::Patient(id("p1")), [true, true, false]),
        (Predicate::Patient(id("p2")), [false, true, false]),
        (Predicate::Patient(id("nobody")), [false, false, false]),
        (Predicate::WithoutPatient, [false, false, true]),
        (lab.clone(), [true, false, false]),
        (Predicate::Patient(id("p2")).or(lab.clone()), [true, true, false]),
        (Predicate::Patient(id("p2")).and(lab), [false, false, false]),
        (denied(true, &[]), [true, true, true]),
        (denied(true, &["p2"]), [true, false, true]),
        (denied(true, &["p1"]), [false, false, true]),
        (denied(false, &[]), [false, false, true]),
        (denied(false, &["p1"]), [true, false, true]),
        (denied(false, &["p1", "p2"]), [true, true, true]),
        (Predicate::Patient(id("p1")).and(denied(true, &["p2"])), [true, false, false]),
    ];
    for (predicate, expected) in cases {
        let text = format!("{predicate:?}");
        let permit = permit(predicate);
        for (at, shown) in expected.into_iter().enumerate() {
            let key = key(&format!("Observation/o{}", at + 1));
            let read = world.store.read(&permit, Need::Read, &key).await.unwrap();
            assert_eq!(read.is_some(), shown, "read {key} under {text}");
            let vread = world.store.vread(&permit, &key, Version(1)).await.unwrap();
            assert_eq!(vread.is_some(), shown, "vread {key} under {text}");
            let found = world.ids(&permit, &observations(vec![Criterion::Id(vec![key.id.clone()])])).await;
            assert_eq!(found.len(), usize::from(shown), "search {key} under {text}");
            let all = world.ids(&permit, &observations(Vec::new())).await;
            assert_eq!(all.contains(&key.id.to_string()), shown, "scan {key} under {text}");
        }
    }
}

#[tokio::test]
async fn a_version_is_shown_by_its_own_patients() {
    let world = World::new();
    world.put(Record::new("Observation/o1", &["p1"])).await;
    world.put(Record::new("Observation/o1", &["p2"]).over(1)).await;
    let (one, two) = (permit(Predicate::Patient(id("p1"))), permit(Predicate::Patient(id("p2"))));
    let o1 = key("Observation/o1");
    assert!(world.store.read(&one, Need::Read, &o1).await.unwrap().is_none());
    assert!(world.store.vread(&one, &o1, Version(1)).await.unwrap().is_some());
    assert!(world.store.vread(&two, &o1, Version(1)).await.unwrap().is_none());
    let instance = history_of(HistoryScope::Instance(o1));
    assert_eq!(versions_of(&world, &one, &instance).await, [("Observation/o1".to_owned(), 1, false)]);
    assert_eq!(versions_of(&world, &two, &instance).await, [("Observation/o1".to_owned(), 2, false)]);
    assert!(world.ids(&one, &observations(Vec::new())).await.is_empty());
}

#[tokio::test]
async fn consents_are_the_live_ones() {
    let world = World::new();
    world.put(Record::new("Consent/c1", &["p1"])).await;
    world.put(Record::new("Consent/c2", &["p2"])).await;
    world.put(Record::new("Consent/c2", &["p2"]).over(1).deleted()).await;
    assert_eq!(ids(&world.store.consents().await.unwrap()), ["c1"]);
}
