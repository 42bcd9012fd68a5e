//! Reading old records anew for marks.

use super::*;
use crate::consent::{Labelling, bit_of};
use crate::disclosure::Marking;
use crate::fhir::Confidentiality;
use crate::store::{Marked, UnmarkedBatch};
use diesel_migrations::MigrationHarness;

const LABELLED: &str = r#"{"resourceType":"Observation","status":"final","code":{},
    "meta":{"security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"HIV"}]}}"#;
const PLAIN: &str = r#"{"resourceType":"Observation","status":"final","code":{"coding":[{"system":"s","code":"1"}]}}"#;

fn stored(key: &str, content: &str) -> Record {
    let mut record = Record::new(key, &["p1"]);
    record.content = Some(content.to_owned());
    record.marks = Marks::unread();
    record
}

async fn world() -> World {
    let world = World::new();
    world.put(stored("Observation/o1", LABELLED)).await;
    world.put(stored("Observation/o1", PLAIN).over(1)).await;
    world.put(stored("Observation/o2", PLAIN)).await;
    world.put(stored("Observation/o2", PLAIN).over(1).deleted()).await;
    world
}

fn marked(labelling: &Labelling, batch: &UnmarkedBatch) -> Vec<Marked> {
    let marking = Marking { labelling, base: "", known: &crate::fhir::search::STANDARD };
    let of = |record: &crate::store::Unmarked| {
        let marks = marking.chain(&record.versions).unwrap();
        let versions = record.versions.iter().map(|row| row.facts.version);
        Marked { place: record.place, marks: versions.zip(marks).collect(), patients: None }
    };
    batch.records.iter().map(of).collect()
}

/// Runs to the end; `between` once, after records were read and before they are marked. How many were marked.
async fn run(world: &World, labelling: &Labelling, mut between: impl AsyncFnMut()) -> usize {
    let (ruleset, mut count) = (labelling.ruleset(), 0);
    while let Some(batch) = world.store.unmarked(ruleset).await.unwrap() {
        let all = marked(labelling, &batch);
        if !all.is_empty() {
            between().await;
        }
        count += all.len();
        world.store.mark(ruleset, all, batch.reached, batch.last).await.unwrap();
    }
    count
}

async fn marks_of(world: &World, of: &str, version: i64) -> Marks {
    let row = world.store.vread(&everything(), &key(of), crate::fhir::Version(version)).await.unwrap();
    row.unwrap().into_facts().marks
}

#[tokio::test]
async fn old_records_are_marked_once_with_what_any_version_said() {
    let (world, labelling) = (world().await, Labelling::default());
    assert!(marks_of(&world, "Observation/o1", 2).await.is_unread());
    assert_eq!(world.store.marked(labelling.ruleset()).await.unwrap(), (2, 0));
    assert_eq!(run(&world, &labelling, async || ()).await, 2);
    assert_eq!(world.store.marked(labelling.ruleset()).await.unwrap(), (2, 2));
    for version in [1, 2] {
        let marks = marks_of(&world, "Observation/o1", version).await;
        assert_eq!((marks.confidentiality, marks.sensitivity), (Confidentiality::R, bit_of("HIV")), "{version}");
        assert_eq!(marks.ruleset, labelling.ruleset());
    }
    let gone = marks_of(&world, "Observation/o2", 2).await;
    assert!(gone.facts.contains(crate::fhir::Fact::coding("s", "1")), "a deletion has the marks of what it deleted");
    assert_eq!(gone.confidentiality, Confidentiality::N);
    assert_eq!(run(&world, &labelling, async || ()).await, 0, "nothing is left");
    let rules = "version = 2\n[[rule]]\nname = 'x'\nsystems = ['s']\ncodes = ['1']\nsensitivity = ['STD']";
    let words = crate::consent::Vocabulary::default();
    let rules = crate::consent::LabelRules::parse(rules, &words).unwrap();
    let changed = Labelling::new(words, rules, jiff::tz::TimeZone::UTC);
    assert_eq!(run(&world, &changed, async || ()).await, 2, "other rules, all anew");
    assert_eq!(marks_of(&world, "Observation/o1", 2).await.sensitivity, bit_of("HIV") | bit_of("STD"));
}

#[tokio::test]
async fn a_record_that_changes_meanwhile_goes_through_again() {
    let (world, labelling) = (world().await, Labelling::default());
    let mut changed = false;
    run(&world, &labelling, async || {
        if !std::mem::replace(&mut changed, true) {
            let mut record = stored("Observation/o1", PLAIN).over(2);
            record.marks = Marks::default();
            world.put(record).await;
        }
    })
    .await;
    for version in [1, 2, 3] {
        let marks = marks_of(&world, "Observation/o1", version).await;
        assert_eq!((marks.sensitivity, marks.ruleset), (bit_of("HIV"), labelling.ruleset()), "{version}");
    }
}

#[tokio::test]
async fn a_store_of_an_earlier_release_is_taken_over_and_can_go_back() {
    let world = world().await;
    if server().is_some() {
        return;
    }
    world.store.close();
    let place = super::super::connection::FilePlace::new(&world.folder.path().join("amanat.db"), 0).unwrap();
    let mut connection = place.open(super::super::connection::Use::Write).unwrap();
    connection.revert_last_migration(super::super::MIGRATIONS).unwrap();
    drop(connection);
    let store = open(world.folder.path(), &world.clock);
    for (of, gone) in [("Observation/o1", false), ("Observation/o2", true)] {
        let row = store.read(&everything(), Need::Read, &key(of)).await.unwrap().unwrap();
        assert_eq!((row.facts.version.0, row.content.is_none()), (2, gone));
        assert!(row.facts.marks.is_unread() && row.facts.marks.confidentiality == Confidentiality::R);
    }
    let before = store.vread(&everything(), &key("Observation/o1"), crate::fhir::Version(1)).await.unwrap().unwrap();
    assert!(before.facts.marks.is_unread() && before.content.is_some());
}
