//! How the database goes about the searches that `scripts/scale` measures: by an index at every table, whether what is asked for is rare
//! or everywhere.

use super::super::reindex::any_live;
use super::super::shared::question;
use super::super::statement::Statement;
use super::searches::{plan, plan_of_server, steps_of};
use super::*;
use crate::access::{Condition, Verdicts};
use crate::fhir::definitions::search_parameter;
use crate::fhir::search::{ParseOptions, STANDARD, parse_search};
use crate::store::StoreError;
use crate::store::shared::Epoch;
use diesel::connection::SimpleConnection as _;
use diesel::sql_types::Text;
use serde_json::Value as Json;

/// Those of `docs/performance.md`, and some that are asked in the same way.
const SEARCHES: [(ResourceType, &str); 14] = [
    (ResourceType::Patient, "_id=p1"),
    (ResourceType::Observation, "patient=p1&category=laboratory"),
    (ResourceType::Observation, "patient=p1&code=http://loinc.org|a&_sort=-date"),
    (ResourceType::Observation, "encounter=Encounter/e1"),
    (ResourceType::Patient, "identifier=urn:mrn|1"),
    (ResourceType::Patient, "family=smith&gender=female"),
    (ResourceType::Observation, "code=http://loinc.org|a"),
    (ResourceType::Observation, "date=ge2020-01-01&date=lt2020-02-01"),
    (ResourceType::Observation, "code=a&value-quantity=gt5"),
    (ResourceType::Observation, "patient.family=smith&code=http://loinc.org|a"),
    (ResourceType::Patient, "_has:Observation:patient:code=a&family=smith"),
    (ResourceType::Observation, "_lastUpdated=ge2020-01-01&code=a"),
    (ResourceType::Observation, "code=a,b&status=final"),
    (ResourceType::Patient, "name=smith&_sort=birthdate"),
];

fn parsed(of: ResourceType, text: &str) -> SearchQuery {
    let pairs: Vec<(String, String)> = text
        .split('&')
        .map(|pair| pair.split_once('=').unwrap())
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let options = ParseOptions { base: "https://b.example", now: START, lenient: false, max_count: 1000, known: &STANDARD };
    parse_search(&[of], None, &pairs, &options).unwrap()
}

/// More records than are counted to compare drivers, all of them with the values that the searches ask for.
async fn crowd() -> World {
    let world = World::new();
    let of = |of, code: &str| search_parameter(of, code).unwrap();
    for some in (0..1_200).collect::<Vec<i64>>().chunks(300) {
        let records = some.iter().flat_map(|n| {
            let patient = format!("p{n}");
            let moment = IndexValue::Date { low: Instant(1_577_836_800_000 + n), high: Instant(1_577_836_800_001 + n) };
            let person = Record::new(&format!("Patient/{patient}"), &[&patient])
                .add(of(ResourceType::Patient, "family"), text("Smith"))
                .add(of(ResourceType::Patient, "gender"), token("", "female"));
            let result = Record::new(&format!("Observation/o{n}"), &[&patient])
                .add(of(ResourceType::Observation, "patient"), reference(&format!("Patient/{patient}")))
                .add(of(ResourceType::Observation, "code"), token("http://loinc.org", "a"))
                .add(of(ResourceType::Observation, "date"), moment);
            [person, result]
        });
        world.store.commit(commit(records.collect())).await.unwrap();
    }
    world
}

async fn look(world: &World, (of, text): (ResourceType, &str), permit: &Permit) {
    let query = parsed(of, text);
    if server().is_some() {
        let steps = plan_of_server(world, permit, &query).await;
        assert!(steps.iter().all(|step| !step.contains("Seq Scan")), "{of}?{text}: {steps:#?}");
        return;
    }
    let steps = plan(world, permit, &query);
    // Lists that came with the query are read, and what was found already; no table of the store is.
    let of_store = |step: &&String| {
        let name = step.strip_prefix("SCAN ").and_then(|rest| rest.split(' ').next()).unwrap_or_default();
        (matches!(name, "d" | "r" | "s") || name.starts_with('x')) && !step.contains("VIRTUAL TABLE")
    };
    let scanned: Vec<&String> = steps.iter().filter(of_store).collect();
    assert!(scanned.is_empty(), "{of}?{text}: {steps:#?}");
}

#[tokio::test]
async fn the_measured_searches_read_no_table_whole() {
    let every = Predicate::EveryPatient(Verdicts::new(Condition::All, [(id("p2"), Condition::None)]));
    for world in [World::new(), crowd().await] {
        for search in SEARCHES {
            for narrowing in [Predicate::All, Predicate::Patient(id("p1")), every.clone()] {
                look(&world, search, &permit(narrowing)).await;
            }
        }
    }
}

/// Each request to a node of a server begins with this question: it takes the ends of indexes, however many records there are. What counts
/// is the plan that PostgreSQL keeps for whatever change was seen: it takes a third of all records for newer, where none is.
#[tokio::test]
async fn what_is_new_is_asked_of_the_ends_of_indexes() {
    if server().is_none() {
        return;
    }
    let world = World::new();
    let types = [ResourceType::Consent, ResourceType::Group, ResourceType::Observation].map(|of| i64::from(of.code()));
    let [consent, group, observation] = types;
    let seen = Epoch { change: 2_000_000_000, kept: 0 };
    let fill = format!(
        "INSERT INTO record (rid, type, id, version, updated, deleted, patients, created, change, conf, ruleset) \
         SELECT n, {observation}, n, 1, n, 0, '', n, n, 0, 0 FROM generate_series(1, {MANY}) n"
    );
    // What would be asked if the planner were to be relied on.
    let plain = format!("SELECT EXISTS (SELECT 1 FROM record WHERE type IN ({consent}, {group}, {observation}) AND change > ?)");
    let fill = move |connection: &mut Connection| {
        for text in [fill, "ANALYZE record".to_owned()] {
            Statement::new(text).once().run(connection)?;
        }
        Ok::<_, StoreError>(())
    };
    world.store.ledger.write(fill).await.unwrap();
    let read = move |connection: &mut Connection| {
        let plain = rows_read(connection, Statement::new(plain).bind(seen.change), &[seen.change])?;
        let values = [types.as_slice(), &[seen.change]].concat();
        Ok::<_, StoreError>((plain, rows_read(connection, question(Dialect::Postgres, &types, seen), &values)?))
    };
    let (plain, asked) = world.store.ledger.read(read).await.unwrap();
    assert!(plain >= f64::from(MANY), "the table is read whole where the planner believes that some record answers soon");
    // The newest of each type, and of all.
    assert!(asked <= 4.0, "{asked} rows were read");
}

/// Records beside which a handful is nothing.
const MANY: u32 = 20_000;

/// How many rows of `record` PostgreSQL looks at to answer a statement of numbers by the plan that it keeps for any values.
fn rows_read(connection: &mut Connection, statement: Statement, values: &[i64]) -> Result<f64, StoreError> {
    let list = |all: Vec<String>| if all.is_empty() { String::new() } else { format!("({})", all.join(", ")) };
    let types = list(values.iter().map(|_| "BIGINT".to_owned()).collect());
    let values = list(values.iter().map(ToString::to_string).collect());
    let text = statement.text_for_postgres();
    let prepare = format!("SET plan_cache_mode = force_generic_plan; PREPARE asked {types} AS {text}");
    crate::on!(connection, c => c.batch_execute(&prepare))?;
    let explain = Statement::new(format!("EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE asked {values}")).once();
    let plan = explain.row::<Text, String>(connection)?.unwrap();
    crate::on!(connection, c => c.batch_execute("DEALLOCATE asked; RESET plan_cache_mode"))?;
    let plan: Json = serde_json::from_str(&plan).unwrap();
    Ok(rows_of(&plan[0]["Plan"]))
}

/// Those of a step of a plan and of all below it.
fn rows_of(step: &Json) -> f64 {
    let number = |name: &str| step[name].as_f64().unwrap_or(0.0);
    let each = number("Actual Rows") + number("Rows Removed by Filter") + number("Rows Removed by Index Recheck");
    let own = if step["Relation Name"] == "record" { each * number("Actual Loops") } else { 0.0 };
    own + step["Plans"].as_array().into_iter().flatten().map(rows_of).sum::<f64>()
}

/// An import asks whether there is anything to be indexed: it takes the first of an index.
#[tokio::test]
async fn whether_there_is_any_record_is_asked_of_an_index() {
    let world = crowd().await;
    if server().is_some() {
        let read = move |connection: &mut Connection| {
            Statement::new("ANALYZE record").once().run(connection)?;
            rows_read(connection, any_live(), &[])
        };
        let asked = world.store.ledger.read(read).await.unwrap();
        assert!(asked <= 1.0, "{asked} rows were read");
        return;
    }
    let steps = steps_of(&world, |_| Ok(any_live()));
    assert_eq!(steps, ["SCAN r USING COVERING INDEX record_live"]);
}

/// What one patient has of a code lies in one stretch, of which both ends are sought: with one end alone everything behind it is read, and
/// the search becomes slower as the store grows.
#[tokio::test]
async fn one_patients_codes_are_sought_between_both_ends() {
    if server().is_some() {
        return;
    }
    let world = crowd().await;
    let every = Predicate::EveryPatient(Verdicts::new(Condition::All, [(id("p2"), Condition::None)]));
    for text in ["patient=p1&category=laboratory", "patient=p1&code=http://loinc.org|a", "patient=p1&code=a&_sort=-date"] {
        for narrowing in [Predicate::All, Predicate::Patient(id("p1")), every.clone()] {
            let steps = plan(&world, &permit(narrowing), &parsed(ResourceType::Observation, text));
            let both = steps.iter().any(|step| step.starts_with("SEARCH d ") && step.contains("rid>? AND rid<?"));
            assert!(both, "{text}: {steps:#?}");
        }
    }
}
