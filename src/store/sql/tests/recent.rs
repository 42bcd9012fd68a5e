//! Rows that are kept in memory, held against what happens to their records; and what a commit leaves that fails in the middle.

use super::super::statement::Statement;
use super::*;
use crate::audit::Trail as _;
use crate::store::Marked;

async fn version(store: &SqlStore, of: &str) -> Option<i64> {
    store.read(&everything(), Need::Read, &key(of)).await.unwrap().map(|row| row.facts.version.0)
}

#[tokio::test]
async fn a_read_sees_every_change_that_was_acknowledged() {
    let world = World::new();
    let record = Record::new("Observation/o1", &["p1"]);
    world.put(record.clone()).await;
    for before in 1..20 {
        assert_eq!(version(&world.store, "Observation/o1").await, Some(before));
        assert_eq!(version(&world.store, "Observation/o1").await, Some(before));
        world.put(record.clone().over(before)).await;
    }
    world.put(record.over(20).deleted()).await;
    let gone = world.store.read(&everything(), Need::Read, &key("Observation/o1")).await.unwrap().unwrap();
    assert!(gone.facts.deleted && gone.content.is_none());
}

#[tokio::test]
async fn a_row_that_one_caller_has_read_is_not_shown_to_another_who_may_not() {
    let world = World::new();
    world.put(Record::new("Observation/o1", &["p1"])).await;
    assert_eq!(version(&world.store, "Observation/o1").await, Some(1));
    for (patient, shown) in [("p1", true), ("p2", false)] {
        let permit = permit(Predicate::Patient(id(patient)));
        let row = world.store.read(&permit, Need::Read, &key("Observation/o1")).await.unwrap();
        assert_eq!(row.is_some(), shown, "{patient}");
    }
}

#[tokio::test]
async fn what_another_process_wrote_is_seen_after_the_next_commit() {
    let world = World::new();
    let other = open(world.folder.path(), &world.clock);
    let record = Record::new("Observation/o1", &["p1"]);
    world.put(record.clone()).await;
    assert_eq!(version(&world.store, "Observation/o1").await, Some(1));
    other.commit(record.over(1).into_commit()).await.unwrap();
    world.store.append(entry()).await.unwrap();
    assert_eq!(version(&world.store, "Observation/o1").await, Some(2));
}

#[tokio::test]
async fn new_marks_are_seen_at_once() {
    let world = World::new();
    let mut record = Record::new("Observation/o1", &["p1"]);
    record.marks = Marks::unread();
    world.put(record).await;
    let ruleset = async || {
        let row = world.store.read(&everything(), Need::Read, &key("Observation/o1")).await.unwrap().unwrap();
        row.facts.marks.ruleset
    };
    assert_eq!(ruleset().await, Marks::UNREAD);
    let batch = world.store.unmarked(7).await.unwrap().unwrap();
    let marks = Marks { ruleset: 7, ..Marks::default() };
    let marked = batch
        .records
        .iter()
        .map(|one| Marked { place: one.place, marks: vec![(Version(1), marks.clone())], patients: None })
        .collect();
    world.store.mark(7, marked, batch.reached, batch.last).await.unwrap();
    assert_eq!(ruleset().await, 7);
}

#[tokio::test]
async fn a_commit_that_breaks_in_the_middle_leaves_nothing_and_takes_others_along_once_at_most() {
    let world = World::new();
    let poison = "CREATE TRIGGER poison BEFORE INSERT ON index_token WHEN NEW.code = 'poison'
                  BEGIN SELECT RAISE(ABORT, 'broken'); END;";
    let trigger = move |connection: &mut super::super::Connection| {
        Ok::<_, crate::store::StoreError>(Statement::new(poison).run(connection)?)
    };
    world.store.ledger().write(trigger).await.unwrap();
    let head = world.store.trail_head().await.unwrap();
    let broken = |name: &str| Record::new(name, &["p1"]).add(&parameters().code, token("s", "poison")).into_commit();
    let first = world.store.commit(broken("Observation/o1")).await;
    assert!(matches!(first, Err(CommitError::Unavailable(_))));
    assert_eq!(version(&world.store, "Observation/o1").await, None);
    assert_eq!(world.store.trail_head().await.unwrap(), head, "no entry for what was not done");
    // From now on it fails alone, whoever shares the commit.
    let others = (0..20).map(|n| {
        let (store, broken) = (Arc::clone(&world.store), broken(&format!("Observation/b{n}")));
        let good = Record::new(&format!("Observation/g{n}"), &["p1"]).into_commit();
        tokio::spawn(async move {
            let (broken, good) = futures_util::future::join(store.commit(broken), store.commit(good)).await;
            (broken.is_err(), good.is_ok())
        })
    });
    for other in others.collect::<Vec<_>>() {
        assert_eq!(other.await.unwrap(), (true, true));
    }
    assert!(world.store.ready());
}

#[tokio::test]
async fn two_changes_of_one_record_in_a_commit_are_refused() {
    let world = World::new();
    let twice = commit(vec![Record::new("Observation/o1", &["p1"]), Record::new("Observation/o1", &["p1"])]);
    assert!(is_stale(&world.store.commit(twice).await));
    assert_eq!(version(&world.store, "Observation/o1").await, None);
}
