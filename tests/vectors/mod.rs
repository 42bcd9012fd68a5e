//! The worked consent vectors of the requirement through the API: consents and records written to a real gateway, asked by real tokens.

mod asker;

use crate::support::Server;
use asker::Asker;
use diesel::prelude::*;
use diesel::sql_types::{Binary, Text};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Mutex;

fn file(name: &str) -> Option<Value> {
    let corpora =
        std::env::var("AMANAT_CORPORA").unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/corpora").to_owned());
    let path = format!("{corpora}/../requirements/consent-vectors/{name}");
    let Ok(bytes) = std::fs::read(&path) else {
        println!("skipped: no vectors at {path}");
        return None;
    };
    Some(serde_json::from_slice(&bytes).unwrap())
}

fn strings(value: &Value) -> BTreeSet<String> {
    value.as_array().into_iter().flatten().map(|one| one.as_str().unwrap().to_owned()).collect()
}

/// The sections of the configuration, behind the implicit policy.
fn sections(vector: &Value, fixture: &Value) -> (String, String) {
    let given = &vector["settings"];
    let word = |name: &str, usual: &str| given[name].as_str().unwrap_or(usual).to_owned();
    let flag = |name: &str| given[name].as_bool().unwrap_or(false);
    let sections = format!(
        "implicit_max_conf = \"{}\"\nuntyped = \"{}\"\ntime_zone = \"{}\"\ncustodian = [{}]\nlocal_purposes = {}\n\
         [consent.break_glass]\noverride = {}\noverride_absolute = {}\n{}",
        word("implicit_max_conf", "N"),
        word("untyped", "deny"),
        word("time_zone", "UTC"),
        fixture["custodian"],
        fixture["local_purposes"],
        flag("break_glass_override"),
        flag("break_glass_override_absolute"),
        asker::EMERGENCY,
    );
    (word("implicit_policy", "Policy-deny"), sections)
}

/// Puts a consent on file; below the API when the API refuses it, as for one that came in before a table changed.
fn file_consent(server: Server, consent: &Value, refused: &mut usize) -> Server {
    let id = consent["id"].as_str().unwrap();
    let officer = server.system("system/*.cruds system/Consent.cruds");
    let place = format!("Consent/{id}");
    let reply = server.put(&place, &officer, consent);
    if reply.status < 300 {
        return server;
    }
    assert_eq!(reply.status, 422, "{place}: {}", reply.text());
    assert!(reply.json()["issue"][0]["expression"][0].as_str().is_some_and(|at| at.starts_with("Consent")), "{}", reply.text());
    *refused += 1;
    if let Some(behind) = &server.behind {
        // Into the server behind, by somebody else.
        let (status, text) = behind.put(&place, consent);
        assert_eq!(status, 201, "{text}");
        return server.restart(|_| {});
    }
    let mut plain = crate::support::records::consent(id, "p1", "deny");
    plain["dateTime"] = json!("2015-01-01T00:00:00Z");
    let _ = server.put(&place, &officer, &plain).expect(201);
    let stored: Vec<u8> = std::iter::once(0).chain(consent.to_string().into_bytes()).collect();
    server.restart(|database| {
        let mut connection = SqliteConnection::establish(database.to_str().unwrap()).unwrap();
        let update = diesel::sql_query("UPDATE record SET content = ? WHERE id = ?");
        let update = update.bind::<Binary, _>(stored).bind::<Text, _>(id.to_owned());
        assert_eq!(update.execute(&mut connection).unwrap(), 1);
    })
}

/// How a gateway with this implicit policy and these sections is made.
type Made = fn(&str, &str) -> Server;

fn filled(made: Made, vector: &Value, fixture: &Value, refused: &mut usize) -> Server {
    let (policy, sections) = sections(vector, fixture);
    let mut server = made(&policy, &sections);
    server.clock.set(amanat::fhir::Instant::parse(vector["request"]["now"].as_str().unwrap()).unwrap());
    let entries = fixture["bundle"]["entry"].as_array().unwrap().iter().map(|entry| entry["resource"].clone());
    let extra = vector["extra_resources"].as_array().cloned().unwrap_or_default();
    server.seed(&entries.chain(extra).collect::<Vec<_>>());
    for (at, consent) in vector["consents"].as_array().unwrap().iter().enumerate() {
        let mut consent = consent.clone();
        if consent.get("id").is_none() {
            consent["id"] = json!(format!("vector-{at}"));
        }
        server = file_consent(server, &consent, refused);
    }
    server
}

/// What is shown to this token: by search of every type, with the counts that go with it, and by reads.
fn seen(server: &Server, asker: &Asker, judged: &BTreeSet<String>) -> BTreeSet<String> {
    let types: BTreeSet<&str> = judged.iter().map(|key| key.split('/').next().unwrap()).collect();
    let mut found = BTreeSet::new();
    for of in types {
        let reply = server.get(&format!("{of}?_count=100"), &asker.token).expect(200);
        let keys: BTreeSet<String> = reply.keys().into_iter().collect();
        let count = server.get(&format!("{of}?_summary=count"), &asker.token).expect(200).json()["total"].as_u64().unwrap();
        assert_eq!(count, u64::try_from(keys.len()).unwrap(), "{of}: the count agrees");
        found.extend(keys.into_iter().filter(|key| judged.contains(key)));
    }
    for key in judged {
        let status = server.get(key, &asker.token).status;
        assert_eq!(status == 200, found.contains(key), "{key}: the read agrees with the search ({status})");
        assert!(matches!(status, 200 | 404), "{key}: {status}");
    }
    found
}

#[test]
fn every_worked_vector_comes_out_through_the_api() {
    come_out(Server::with);
}

#[test]
fn every_worked_vector_comes_out_in_front_of_a_server() {
    come_out(Server::in_front);
}

/// What came of some of the vectors.
#[derive(Default)]
struct Tally {
    wrong: Vec<String>,
    left_out: Vec<String>,
    refused: usize,
    compared: usize,
}

/// Gateways at a time: each starts, and waits more than it works.
const ABREAST: usize = 4;

fn come_out(made: Made) {
    let (Some(vectors), Some(fixture)) = (file("vectors.json"), file("fixture.json")) else { return };
    let all = vectors["vectors"].as_array().unwrap();
    let tally = Mutex::new(Tally::default());
    std::thread::scope(|scope| {
        for lane in 0..ABREAST {
            let (tally, fixture) = (&tally, &fixture);
            scope.spawn(move || {
                for vector in all.iter().skip(lane).step_by(ABREAST) {
                    come_out_one(made, vector, fixture, tally);
                }
            });
        }
    });
    let Tally { wrong, left_out, refused, compared } = tally.into_inner().unwrap();
    println!("{compared} vectors through the API, {refused} consents loaded below it; left out: {left_out:#?}");
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(compared > 70, "{compared}");
}

fn come_out_one(made: Made, vector: &Value, fixture: &Value, tally: &Mutex<Tally>) {
    let name = format!("{} {}", vector["id"].as_str().unwrap(), vector["title"].as_str().unwrap_or_default());
    if let Some(why) = asker::beyond(vector) {
        return tally.lock().unwrap().left_out.push(format!("{name}: {why}"));
    }
    let mut refused = 0;
    let server = filled(made, vector, fixture, &mut refused);
    let asker = Asker::of(&server, vector);
    let judged = &strings(&vector["expect"]["visible"]) | &strings(&vector["expect"]["hidden"]);
    let reachable: BTreeSet<String> = judged.iter().filter(|key| asker.reaches(key)).cloned().collect();
    let found = seen(&server, &asker, &reachable);
    let expected = &strings(&vector["expect"]["visible"]) & &reachable;
    let mut tally = tally.lock().unwrap();
    tally.compared += 1;
    tally.refused += refused;
    if found != expected {
        tally.wrong.push(format!("{name}: {:?}", found.symmetric_difference(&expected).collect::<Vec<_>>()));
    }
}
