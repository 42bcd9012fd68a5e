//! A load leaves the same rows as records that came one by one.

use super::*;
use crate::store::StoreError;
use diesel::sql_types::Text;

/// Tables, and their columns in one text.
const DUMPED: [(&str, &[&str]); 13] = [
    ("record", &["rid", "type", "id", "version", "updated", "deleted", "patients", "created", "change", "conf", "ruleset"]),
    ("record_version", &["rid", "version"]),
    ("record_patient", &["patient_no", "type", "rid"]),
    ("patient_no", &["id", "no"]),
    ("code_system", &["id", "url"]),
    ("index_token", &["param", "code", "rid", "system", "grp"]),
    ("index_string", &["rid", "param", "folded", "exact", "grp"]),
    ("index_reference", &["param", "target_id", "rid", "target_type", "grp"]),
    ("index_uri", &["param", "value", "rid", "grp"]),
    ("index_date", &["rid", "param", "low", "high", "grp"]),
    ("index_date_several", &["rid", "param"]),
    ("index_quantity", &["rid", "param", "low", "high", "system", "unit", "grp"]),
    ("index_before", &["rid", "param"]),
];

async fn dump(world: &World) -> Vec<String> {
    let read = |connection: &mut Connection| {
        let postgres = connection.dialect().is_postgres();
        let mut texts: Vec<String> = DUMPED
            .iter()
            .map(|(table, columns)| {
                let all: Vec<String> = columns.iter().map(|column| format!("CAST({column} AS TEXT)")).collect();
                format!("SELECT '{table} ' || {} FROM {table}", all.join(" || '|' || "))
            })
            .collect();
        // The content itself has an id of its own in these tests.
        texts.push("SELECT CAST(length(content) AS TEXT) FROM record".to_owned());
        texts.push(if postgres {
            "SELECT CAST(indexdef AS TEXT) FROM pg_indexes WHERE schemaname = current_schema()".to_owned()
        } else {
            "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL".to_owned()
        });
        let mut rows = Vec::new();
        for text in texts {
            let mut some = super::super::statement::Statement::new(text).rows::<Text, String>(connection)?;
            some.sort();
            rows.extend(some);
        }
        Ok::<_, StoreError>(rows)
    };
    let rows = world.store.ledger.read(read).await.unwrap();
    // Two worlds on one server differ in the name of their schema.
    let own = |row: &String| row.split(' ').map(|word| word.rsplit('.').next().unwrap_or_default()).collect::<Vec<_>>().join(" ");
    rows.iter().map(own).collect()
}

/// Records of several patients and types, some values in several of them and some twice in one.
fn crowd(some: std::ops::Range<i64>) -> Commit {
    let p = parameters();
    let records = some.map(|n| {
        let patient = format!("p{}", n * 7 % 20);
        let moment = |low: i64| IndexValue::Date { low: Instant(low), high: Instant(low + 1) };
        let amount = IndexValue::Quantity { low: 1.5, high: 2.5, system: "u".into(), unit: "mg".into() };
        let record = Record::new(&format!("Observation/o{n}"), &[&patient])
            .add(&p.code, token("http://loinc.org", ["a", "b", "c"][usize::try_from(n % 3).unwrap()]))
            .add(&p.code, token("http://loinc.org", "a"))
            .add(&p.category, token("", "x"))
            .add(&p.patient, reference(&format!("Patient/{patient}")))
            .add(&p.date, moment(n * 13 % 50))
            .add(&p.note, text("A note"))
            .add(&p.value, amount)
            .add(&p.profile, IndexValue::Uri(format!("http://profile/{}", n % 4)));
        let record = if n % 5 == 0 { record.add(&p.date, moment(99)) } else { record };
        let words = crate::fhir::definitions::search_parameter(ResourceType::Observation, "_content").unwrap();
        record.add(words, IndexValue::Words(format!("word{} other", n % 3)))
    });
    commit(records.collect())
}

async fn filled(load: bool) -> World {
    let world = World::new();
    if load {
        world.store.begin_load().await.unwrap();
    }
    for begin in [0, 40, 80] {
        world.store.commit(crowd(begin..begin + 40)).await.unwrap();
    }
    world
}

fn with_word(word: &str) -> SearchQuery {
    let words = crate::fhir::definitions::search_parameter(ResourceType::Observation, "_content").unwrap();
    observations(vec![Criterion::Words(words.id, crate::fhir::search::Words::Phrase(vec![word.to_owned()]))])
}

#[tokio::test]
async fn a_load_leaves_the_same_rows_and_indexes() {
    let (one_by_one, loaded) = (filled(false).await, filled(true).await);
    loaded.store.finish_load().await.unwrap();
    assert_eq!(dump(&loaded).await, dump(&one_by_one).await);
    for query in [observations(vec![matching(&parameters().code, coded("b"))]), with_word("word1"), with_word("other")] {
        let found = loaded.ids(&everything(), &query).await;
        assert!(found.len() >= 40);
        assert_eq!(found, one_by_one.ids(&everything(), &query).await);
    }
}

#[tokio::test]
async fn a_load_that_was_interrupted_is_finished_when_the_store_is_opened() {
    let whole = filled(false).await;
    let World { store, clock, folder } = filled(true).await;
    store.close();
    drop(store);
    let store = Arc::new(open(folder.path(), &clock));
    let world = World { store, clock, folder };
    assert_eq!(dump(&world).await, dump(&whole).await);
    let changed = Record::new("Observation/o1", &["p7"]).over(1).remove(&parameters().category, token("", "x"));
    world.put(changed).await;
}

#[tokio::test]
async fn a_load_is_left_alone_by_whoever_opens_the_store_beside_it() {
    let (whole, world) = (filled(false).await, World::new());
    world.store.begin_load().await.unwrap();
    world.store.commit(crowd(0..40)).await.unwrap();
    let beside = open(world.folder.path(), &world.clock);
    assert!(beside.is_being_loaded() && !world.store.is_being_loaded());
    // It goes on, between what others write of their own.
    world.store.commit(crowd(40..80)).await.unwrap();
    beside.set_setting("other", vec![1]).await.unwrap();
    assert_eq!(beside.setting("other").await.unwrap(), Some(vec![1]));
    world.store.commit(crowd(80..120)).await.unwrap();
    let told = |why: String| assert!(why.contains("amanat import"), "{why}");
    told(beside.begin_load().await.unwrap_err().to_string());
    told(beside.commit(Record::new("Observation/o1", &["p7"]).over(1).into_commit()).await.unwrap_err().to_string());
    told(beside.select(&everything(), Need::Search, &with_word("other"), 2).await.unwrap_err().to_string());
    told(beside.search(&everything(), &with_word("other"), None, BOUNDS).await.unwrap_err().to_string());
    world.store.finish_load().await.unwrap();
    assert_eq!(dump(&world).await, dump(&whole).await);
    // Whoever waited goes on.
    assert!(!beside.search(&everything(), &with_word("other"), None, BOUNDS).await.unwrap().matches.is_empty());
    assert!(!beside.is_being_loaded());
    beside.commit(Record::new("Observation/o1", &["p7"]).over(1).into_commit()).await.unwrap();
    drop(beside);
    let World { store, clock, folder } = world;
    store.close();
    let after = open(folder.path(), &clock);
    assert!(!after.is_being_loaded());
    after.begin_load().await.unwrap();
    after.finish_load().await.unwrap();
}

#[tokio::test]
async fn a_load_only_adds() {
    let world = filled(true).await;
    let changed = world.store.commit(Record::new("Observation/o1", &["p7"]).over(1).into_commit()).await;
    assert!(matches!(changed, Err(CommitError::Unavailable(why)) if why.contains("only adds")));
    world.store.finish_load().await.unwrap();
    assert_eq!(world.ids(&everything(), &observations(vec![Criterion::Id(vec![id("o1")])])).await, ["o1"]);
}
