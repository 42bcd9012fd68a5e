//! What becomes of requests and entries while the database takes nothing: they wait beside it, or nothing leaves.

use super::{EVERYTHING, observation, patient, with_records};
use crate::site::{Answer, Site, until};
use diesel::prelude::*;
use std::collections::BTreeMap;
use std::fs;

const FULL: &str = "CREATE TRIGGER full BEFORE INSERT ON trail BEGIN SELECT RAISE(ABORT, 'no space'); END";

/// With these settings of the spool, and a record.
fn site(spool: &str) -> (Site, String) {
    let mut site = Site::prepare(&format!("[alarms.notify]\nfile = \"alarms\"\n[audit.spool]\n{spool}\n"));
    let token = site.client("hospital", EVERYTHING);
    site.start();
    site.ask("PUT", &token, "Patient/a", Some(&patient("a"))).expect(201);
    (site, token)
}

/// Somebody else who has the database, so that nobody can write to it.
struct Held(SqliteConnection);

impl Held {
    fn of(site: &Site) -> Self {
        let mut other = site.database();
        let _begun = diesel::sql_query("BEGIN IMMEDIATE").execute(&mut other).unwrap();
        Self(other)
    }

    fn release(mut self) {
        let _ended = diesel::sql_query("ROLLBACK").execute(&mut self.0).unwrap();
    }
}

fn asked(site: &Site, token: &str, id: &str) -> Answer {
    site.send("GET", "Patient/a", &format!("Authorization: Bearer {token}\r\nX-Request-Id: {id}\r\n"), "")
}

/// How often each of these requests is told, and in which order they come first.
fn told(site: &Site, ids: &[String]) -> (BTreeMap<String, usize>, Vec<String>) {
    let (mut times, mut order) = (BTreeMap::new(), Vec::new());
    for entry in site.trail() {
        let id = entry.told()["request_id"].as_str().unwrap_or_default().to_owned();
        if ids.contains(&id) {
            *times.entry(id.clone()).or_insert(0) += 1;
            order.push(id);
        }
    }
    (times, order)
}

/// The words of the entries about recording, with outcome and reason.
fn recording(site: &Site) -> Vec<(String, String, String)> {
    let all = site.trail().into_iter().map(|entry| entry.told()).filter(|entry| entry["event"]["kind"] == "recording");
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    all.map(|entry| (text(&entry["event"]["word"]), text(&entry["outcome"]), text(&entry["reason"]))).collect()
}

fn refuses(site: &Site, token: &str) {
    for path in
        ["Patient/a", "Observation?patient=a", "Observation?code:text=haemoglobin", "Patient/a/_history", "Patient/nobody"]
    {
        let answer = site.get(token, path).expect(503);
        assert!(!answer.body.contains("confidential") && !answer.body.contains("\"active\""), "{answer:?}");
        assert_ne!(answer.header("retry-after"), "", "{answer:?}");
        assert_eq!(answer.json()["resourceType"], "OperationOutcome");
    }
    site.ask("POST", token, "Observation", Some(&observation("a"))).expect(503);
    site.get("no-token", "Patient/a").expect(503);
}

fn closes(spool: &str) {
    let (site, token) = site(spool);
    let before = site.get(&token, "Observation?_summary=count").expect(200).json()["total"].clone();
    assert!(site.ready());
    site.tamper(FULL);
    refuses(&site, &token);
    assert!(!site.ready(), "and whoever asks is told that the gateway is not ready");
    let form = "POST /token HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 29\r\n\r\ngrant_type=client_credentials";
    assert_eq!(site.raw(form).status, 503, "no token either");
    site.tamper("DROP TRIGGER full");
    until("it is ready again without being asked for anything", || site.ready());
    let after = site.get(&token, "Observation?_summary=count").expect(200).json()["total"].clone();
    assert_eq!(before, after, "what was refused was not stored");
    site.ask("POST", &token, "Observation", Some(&observation("a"))).expect(201);
    site.done(&["audit", "verify"]);
    assert_eq!(site.folder.path().join("amanat.spool").exists(), spool.is_empty());
}

#[test]
fn a_database_that_is_there_and_takes_no_entry_lets_nothing_out_and_nothing_in() {
    closes("");
    closes("bytes = 0");
}

#[test]
fn entries_wait_beside_the_database_in_order_and_are_taken_over_once() {
    let (site, token) = site("");
    let before = site.trail().len();
    let held = Held::of(&site);
    let ids: Vec<String> = (0..20).map(|number| format!("wait-{number}")).collect();
    for id in &ids {
        let answer = asked(&site, &token, id).expect(200);
        assert!(answer.body.contains("\"active\":true"), "{answer:?}");
    }
    site.ask("POST", &token, "Observation", Some(&observation("a"))).expect(503);
    site.get("no-token", "Patient/a").expect(401);
    assert_eq!(site.trail().len(), before, "the database has nothing of it");
    assert!(site.ready(), "it serves");
    until("somebody is told, without the database", || {
        fs::read_to_string(site.folder.path().join("alarms")).is_ok_and(|text| text.contains("wait in the spool"))
    });
    let spool = fs::read(site.folder.path().join("amanat.spool")).unwrap();
    assert!(!spool.windows(6).any(|part| part == b"wait-1"), "nobody reads it on the disk");
    held.release();
    until("what waited is in the trail", || told(&site, &ids).0.len() == ids.len());
    let (times, order) = told(&site, &ids);
    assert!(times.values().all(|times| *times == 1), "none twice: {times:?}");
    assert_eq!(order, ids, "in order");
    let words: Vec<String> = recording(&site).into_iter().map(|(word, outcome, _)| word + &outcome).collect();
    assert_eq!(words, ["stopped0", "started0"]);
    assert!(site.trail().iter().any(|entry| entry.told()["reason"].as_str().is_some_and(|reason| reason.starts_with("token:"))));
    asked(&site, &token, "after").expect(200);
    site.done(&["audit", "verify"]);
    until("the rules see it then", || {
        site.trail().iter().any(|entry| entry.told()["query"].as_str().is_some_and(|text| text.starts_with("R11")))
    });
}

#[test]
fn what_waits_outlives_a_kill_and_is_taken_over_before_anything_else() {
    let (mut site, token) = site("");
    for round in 0..3 {
        let held = Held::of(&site);
        let ids: Vec<String> = (0..10).map(|number| format!("round-{round}-{number}")).collect();
        for id in &ids {
            asked(&site, &token, id).expect(200);
        }
        site.process().kill().unwrap();
        drop(site.process().wait());
        held.release();
        site.start();
        let (times, order) = told(&site, &ids);
        assert!(times.len() == 10 && times.values().all(|times| *times == 1), "{times:?}");
        assert_eq!(order, ids);
        let words: Vec<String> =
            site.trail().iter().map(|entry| entry.told()["event"]["kind"].as_str().unwrap().to_owned()).collect();
        assert!(words.iter().rposition(|word| word == "start") > words.iter().rposition(|word| word == "recording"));
        site.done(&["audit", "verify"]);
    }
}

#[test]
fn a_full_spool_fails_closed_and_nothing_answered_is_missing() {
    let (site, token) = site("bytes = 12000");
    let held = Held::of(&site);
    let mut answered = Vec::new();
    for number in 0..60 {
        let id = format!("full-{number}");
        let answer = asked(&site, &token, &id);
        if answer.status == 200 {
            answered.push(id);
            continue;
        }
        let answer = answer.expect(503);
        assert!(!answer.body.contains("\"active\""), "{answer:?}");
        assert_ne!(answer.header("retry-after"), "");
    }
    assert!(answered.len() > 3 && answered.len() < 40, "{}", answered.len());
    assert!(!site.ready(), "closed, and not ready");
    held.release();
    until("it is ready again", || site.ready());
    until("what was answered is in the trail", || told(&site, &answered).0.len() == answered.len());
    assert_eq!(told(&site, &answered).1, answered);
    asked(&site, &token, "after").expect(200);
    site.done(&["audit", "verify"]);
}

#[test]
fn a_spool_that_somebody_changed_is_told_of() {
    let (mut site, token) = site("");
    let held = Held::of(&site);
    let ids: Vec<String> = (0..5).map(|number| format!("mine-{number}")).collect();
    for id in &ids {
        asked(&site, &token, id).expect(200);
    }
    site.process().kill().unwrap();
    drop(site.process().wait());
    let file = site.folder.path().join("amanat.spool");
    let mut bytes = fs::read(&file).unwrap();
    bytes[24 + 24 + 5] ^= 1;
    fs::write(&file, bytes).unwrap();
    held.release();
    site.start();
    assert!(told(&site, &ids).0.is_empty(), "nothing of it is believed");
    assert!(
        recording(&site).contains(&("started".to_owned(), "8".to_owned(), "spool:changed".to_owned())),
        "{:?}",
        recording(&site)
    );
    let kept =
        fs::read_dir(site.folder.path()).unwrap().any(|file| file.unwrap().file_name().to_string_lossy().contains("changed-"));
    assert!(kept, "a copy is kept for whoever looks into it");
    asked(&site, &token, "after").expect(200);
    site.done(&["audit", "verify"]);
}

#[test]
fn a_spool_that_is_named_and_cannot_be_used_keeps_the_gateway_from_starting() {
    let site = Site::prepare("[audit.spool]\nfile = \"notes\"\n");
    fs::write(site.folder.path().join("notes"), "what somebody wrote, and no spool").unwrap();
    let output = site.amanat(&["serve"]);
    assert_ne!(output.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&output.stderr).contains("is no spool"), "{output:?}");
}

#[test]
fn a_store_that_another_process_holds_is_waited_for_and_passes() {
    let (site, token) = with_records();
    let held = Held::of(&site);
    asked(&site, &token, "held").expect(200);
    site.ask("POST", &token, "Observation", Some(&observation("a"))).expect(503);
    assert!(site.entries_of("held").is_empty());
    held.release();
    until("its entry is in the trail", || site.entries_of("held").len() == 1);
    site.ask("POST", &token, "Observation", Some(&observation("a"))).expect(201);
    site.done(&["audit", "verify"]);
}
