use super::*;
use crate::audit::Trail;
use crate::store::StoreError;
use std::time::Instant as Tick;

#[tokio::test]
async fn entries_that_wait_together_are_chained_in_order() {
    let world = World::new();
    let appends = (0..200).map(|_| {
        let store = Arc::clone(&world.store);
        tokio::spawn(async move { store.append(entry()).await.unwrap().seq() })
    });
    let mut seqs = Vec::new();
    for append in appends.collect::<Vec<_>>() {
        seqs.push(append.await.unwrap());
    }
    seqs.sort_unstable();
    assert_eq!(seqs, (1..=200).collect::<Vec<i64>>());
    let rows = world.store.trail_entries(1, 1000).await.unwrap();
    assert_eq!(rows.len(), 200);
    assert_eq!(world.store.trail_head().await.unwrap().as_ref(), rows.last());
    assert_eq!(world.store.trail_entries(150, 2).await.unwrap().iter().map(|row| row.seq).collect::<Vec<_>>(), [150, 151]);
}

#[tokio::test]
async fn a_write_that_fails_or_panics_undoes_itself_and_nobody_else() {
    let world = World::new();
    let write = |name: &'static str, end: fn() -> Result<(), StoreError>| {
        let store = Arc::clone(&world.store);
        tokio::spawn(async move {
            let insert = move |connection: &mut Connection| {
                super::super::statement::Statement::new("INSERT INTO setting (name, value) VALUES (?, ?)")
                    .bind(name)
                    .bind(vec![1_u8])
                    .run(connection)?;
                end()
            };
            store.ledger().write(insert).await
        })
    };
    let good = write("good", || Ok(()));
    let bad = write("bad", || Err(StoreError::Cursor));
    let worse = write("worse", || panic!("a defect"));
    let after = write("after", || Ok(()));
    assert!(good.await.unwrap().is_ok());
    assert!(matches!(bad.await.unwrap(), Err(StoreError::Cursor)));
    assert!(matches!(worse.await.unwrap(), Err(StoreError::Unavailable(_))));
    assert!(after.await.unwrap().is_ok());
    for (name, there) in [("good", true), ("bad", false), ("worse", false), ("after", true)] {
        assert_eq!(world.store.setting(name).await.unwrap().is_some(), there, "{name}");
    }
    assert!(world.store.ready());
}

#[tokio::test]
async fn settings_are_kept_and_the_first_of_two_stays() {
    let world = World::new();
    world.store.set_setting("key", vec![1]).await.unwrap();
    world.store.set_setting("key", vec![2]).await.unwrap();
    assert_eq!(world.store.setting("key").await.unwrap(), Some(vec![2]));
    assert_eq!(world.store.setting_or("key", vec![3]).await.unwrap(), vec![2]);
    assert_eq!(world.store.setting_or("other", vec![3]).await.unwrap(), vec![3]);
}

#[tokio::test]
async fn what_was_written_is_there_after_reopening_and_the_chain_goes_on() {
    let World { store, clock, folder } = World::new();
    store.commit(Record::new("Observation/o1", &["p1"]).into_commit()).await.unwrap();
    let head = store.trail_head().await.unwrap().unwrap();
    store.close();
    assert!(!store.ready());
    assert!(store.append(entry()).await.is_err(), "a closed store takes nothing");
    drop(store);
    let store = open(folder.path(), &clock);
    let row = store.read(&everything(), Need::Read, &key("Observation/o1")).await.unwrap().unwrap();
    assert_eq!(row.facts.patients, [id("p1")]);
    let next = store.append(entry()).await.unwrap();
    assert_eq!(next.seq(), head.seq + 1);
    let links = store.trail_entries(1, 10).await.unwrap();
    assert_eq!(links.first(), Some(&head));
    assert!(links[1].hash != head.hash);
}

#[tokio::test]
async fn a_database_of_a_newer_release_is_refused() {
    let World { store, clock, folder } = World::new();
    let newer = "INSERT INTO __diesel_schema_migrations (version, run_on) VALUES ('99991231000000', '2030-01-01 00:00:00')";
    let run =
        move |connection: &mut Connection| Ok::<_, StoreError>(super::super::statement::Statement::new(newer).run(connection)?);
    store.ledger().write(run).await.unwrap();
    drop(store);
    let outcome = match server() {
        Some(server) => SqlStore::connect(&PostgresOptions::new(&schema_of(folder.path(), &server)), clock),
        None => SqlStore::open(&folder.path().join("amanat.db"), clock, &SqliteOptions::default()),
    };
    assert!(matches!(outcome, Err(StoreError::Unavailable(why)) if why.contains("newer release")));
}

#[tokio::test]
async fn another_process_may_write_in_between() {
    let World { store, clock, folder } = World::new();
    let other = open(folder.path(), &clock);
    for turn in 0..3_i64 {
        for (at, store) in [store.as_ref(), &other].into_iter().enumerate() {
            let record =
                Record::new(&format!("Observation/t{turn}s{at}"), &["p1"]).add(&parameters().code, token("http://s", "a"));
            store.commit(record.into_commit()).await.unwrap();
            assert_eq!(store.append(entry()).await.unwrap().seq(), 4 * turn + 2 * i64::try_from(at).unwrap() + 2);
        }
    }
    let found = store.search(&everything(), &observations(vec![matching(&parameters().code, coded("a"))]), None, BOUNDS).await;
    assert_eq!(found.unwrap().matches.len(), 6);
}

#[tokio::test]
async fn a_store_has_something_to_index_while_a_record_lives() {
    let world = World::new();
    assert!(!world.store.any_indexed().await.unwrap());
    world.put(Record::new("Observation/o1", &["p1"])).await;
    assert!(world.store.any_indexed().await.unwrap());
    world.put(Record::new("Observation/o1", &["p1"]).over(1).deleted()).await;
    assert!(!world.store.any_indexed().await.unwrap());
}

/// Not a promise, a figure to look at: `cargo test --lib ledger::costs -- --ignored --nocapture`.
#[tokio::test]
#[ignore = "prints times"]
async fn costs() {
    let world = World::new();
    let record = |name: &str, n: i64| {
        Record::new(&format!("Observation/{name}{n}"), &["p1"])
            .add(&parameters().code, token("http://loinc.org", &format!("c{}", n % 50)))
            .add(&parameters().category, token("http://cat", "lab"))
            .add(&parameters().patient, reference("Patient/p1"))
            .add(&parameters().date, IndexValue::Date { low: Instant(n), high: Instant(n + 1) })
    };
    let timed = Tick::now();
    futures_util::future::join_all((0..2_000).map(|n| world.store.commit(record("o", n).into_commit()))).await;
    println!("commit among 2000: {:?}", timed.elapsed() / 2_000);
    let permit = everything();
    let (wanted, timed) = (key("Observation/o77"), Tick::now());
    for _ in 0..20_000 {
        assert!(world.store.read(&permit, Need::Read, &wanted).await.unwrap().is_some());
    }
    println!("point read: {:?}", timed.elapsed() / 20_000);
    let timed = Tick::now();
    let appends: Vec<_> = (0..4_000).map(|_| world.store.append(entry())).collect();
    futures_util::future::join_all(appends).await;
    println!("trail append among 4000: {:?}", timed.elapsed() / 4_000);
    let cpu = || {
        let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
        std::time::Duration::from_nanos(text.split(' ').next().unwrap().parse().unwrap())
    };
    let query = observations(vec![matching(&parameters().patient, about("p1")), matching(&parameters().code, coded("c7"))]);
    let timed = Tick::now();
    for _ in 0..200 {
        assert_eq!(
            world.store.search(&permit, &query, None, PageBounds { count: 20, ..BOUNDS }).await.unwrap().matches.len(),
            20
        );
    }
    println!("search patient + code, 20 of 40: {:?}", timed.elapsed() / 200);
    let category =
        observations(vec![matching(&parameters().patient, about("p1")), matching(&parameters().category, coded("lab"))]);
    let own = super::permit(Predicate::Patient(id("p1")));
    for (name, permit, query) in [("code", &permit, &query), ("category", &permit, &category), ("own category", &own, &category)]
    {
        let (before, bounds) = (cpu(), PageBounds { count: 20, ..BOUNDS });
        for _ in 0..500 {
            let page = |connection: &mut Connection| super::super::search::page(connection, permit, query, None, bounds);
            let Place::File(file) = world.store.ledger.place() else { return };
            assert_eq!(file.inline(page).unwrap().matches.len(), 20);
        }
        println!("processor time of a search by patient + {name}: {:?}", cpu().saturating_sub(before) / 500);
    }
}
