//! Alarms end to end: what tips a rule over is answered by the gateway itself, entered, told, and put before a reviewer.

use crate::site::until;
use crate::support::records::{observation, patient};
use crate::support::{Server, postgres};
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use serde_json::{Value, json};
use std::fs;

fn watched(settings: &str) -> Server {
    let sections = format!("[alarms]\nlearn_days = 0\nspare = []\n{settings}\n[alarms.notify]\nfile = \"alarms\"\n");
    let server = Server::with("Policy-all-normal", &sections);
    server.seed(&[patient("p1", "Amin"), patient("p2", "Bano"), observation("o1", "p1", "laboratory")]);
    server
}

/// A person's token in the wrong hands.
fn thief(server: &Server) -> String {
    server.token(json!({"scope": "user/*.rs", "fhirUser": "Practitioner/d9", "client_id": "ward", "jti": "stolen"}))
}

/// The words of what the gateway did by itself.
fn guarded(server: &Server) -> Vec<String> {
    let guard = server.trail().into_iter().filter(|leaf| leaf["event"]["kind"] == "guard");
    guard.map(|leaf| leaf["event"]["word"].as_str().unwrap().to_owned()).collect()
}

/// What was told to the file.
fn told(server: &Server) -> Vec<Value> {
    let file = server.database().with_file_name("alarms");
    let text = fs::read_to_string(file).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn rules(server: &Server) -> Vec<String> {
    told(server).iter().map(|notice| notice["rule"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn whoever_tries_ids_loses_the_token_and_no_one_else_does() {
    let server = watched("hidden_reads = 5");
    let (thief, other) = (thief(&server), server.system("system/*.rs"));
    for number in 0..5 {
        server.get(&format!("Patient/guess-{number}"), &thief).expect(404);
    }
    until("the token is revoked", || server.get("Patient/p1", &thief).status == 401);
    server.refused(&server.get("Patient/p1", &thief), 401, "AMANAT-AUTH-0002", "token:revoked");
    let _ = server.get("Patient/p1", &other).expect(200);
    until("somebody is told", || rules(&server) == ["R2"]);
    assert_eq!(guarded(&server), ["alarm", "revoked"], "the alarm and the action are entries");
    let notice = &told(&server)[0];
    assert_eq!((&notice["subject"], &notice["action"]), (&json!("stolen"), &json!("suspend")), "{notice}");
}

#[test]
fn bad_tokens_slow_down_who_has_them_and_not_their_neighbours() {
    let server = watched("failed_tokens = 4");
    let bad = server.token(json!({"scope": "system/*.rs", "exp": server.clock.now().seconds() - 60}));
    for _ in 0..4 {
        server.get("Patient/p1", &bad).expect(401);
    }
    until("the address is slowed down", || server.get("Patient/p1", &bad).status == 429);
    let reply = server.get("Patient/p1", &bad);
    assert_eq!((reply.status, reply.code().as_str()), (429, "AMANAT-RATE-0001"));
    let _ = server.get("Patient/p1", &server.system("system/*.rs")).expect(200);
    assert_eq!(guarded(&server), ["alarm", "throttled"]);
    server.wait(1_000);
    until("a throttle ends", || server.get("Patient/p1", &server.token(json!({"scope": "x", "aud": "elsewhere"}))).status == 401);
}

#[test]
fn mass_deletion_locks_writing_and_reading_goes_on() {
    let server = watched("mass_deletes = 3");
    let token = server.system("system/*.cruds");
    for number in 0..3 {
        let id = format!("d{number}");
        let _ = server.put(&format!("Observation/{id}"), &token, &observation(&id, "p2", "laboratory")).expect(201);
        let _ = server.delete(&format!("Observation/{id}"), &token).expect(204);
    }
    until("writing is locked", || server.delete("Observation/none", &token).status == 503);
    let locked = server.put("Patient/p3", &token, &patient("p3", "x"));
    assert_eq!((locked.status, locked.code().as_str()), (503, "AMANAT-HOLD-0002"));
    let entries = server.trail_of(&locked);
    assert_eq!((entries.len(), &entries[0]["reason"], &entries[0]["outcome"]), (1, &json!("suspended:writes"), &json!("4")));
    let _ = server.get("Observation/o1", &token).expect(200);
    let entry = json!({"request": {"method": "DELETE", "url": "Observation/o1"}});
    let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": [entry]});
    assert_eq!(server.post("", &token, &bundle).status, 503, "not by a bundle either");
}

#[test]
fn a_canary_and_a_relative_are_told_of_and_nothing_is_refused() {
    let server = watched("canaries = [\"Patient/p2\"]");
    let doctor = json!({
        "resourceType": "Practitioner", "id": "d1", "name": [{"family": "امین"}], "identifier": [{"system": "urn:x", "value": "1"}]
    });
    server.seed(&[doctor]);
    let token = server.clinician("d1", "user/*.rs");
    let _ = server.get("Patient/p2", &token).expect(200);
    let _ = server.get("Patient/p1", &token).expect(200);
    until("both are told", || {
        let rules = rules(&server);
        rules.contains(&"R13".to_owned()) && rules.contains(&"R6".to_owned())
    });
    let _ = server.get("Patient/p2", &token).expect(200);
    assert!(!fs::read_to_string(server.database().with_file_name("alarms")).unwrap().contains("p1\""), "patients by pseudonym");
}

#[test]
fn rules_that_may_not_act_only_tell() {
    let server = watched("act = false\nhidden_reads = 3");
    let token = server.system("system/*.rs");
    for number in 0..4 {
        server.get(&format!("Patient/guess-{number}"), &token).expect(404);
    }
    until("it is told", || rules(&server) == ["R2"]);
    let _ = server.get("Patient/p1", &token).expect(200);
    assert_eq!(guarded(&server), ["alarm"]);
}

#[test]
fn an_alarm_waits_for_a_reviewer_and_accesses_are_drawn_at_random() {
    #[derive(QueryableByName)]
    struct Counted {
        #[diesel(sql_type = BigInt)]
        count: i64,
    }
    let sections = "[audit]\nreview_percent = 100\n[alarms]\ncanaries = [\"Patient/p2\"]\n";
    let server = Server::with("Policy-all-normal", sections);
    server.seed(&[patient("p1", "Amin"), patient("p2", "Bano")]);
    let token = server.clinician("d1", "user/*.rs");
    let _ = server.get("Patient/p1", &token).expect(200);
    let _ = server.get("Patient/p2", &token).expect(200);
    let waiting = |kind: &str| {
        let text = format!("SELECT count(*) AS count FROM review_case WHERE kind = '{kind}' AND state = 'open'");
        match server.schema() {
            Some(url) => postgres::ask(&url, &text)[0].parse::<i64>().unwrap(),
            None => diesel::sql_query(text).get_result::<Counted>(&mut server.connect()).unwrap().count,
        }
    };
    until("all are there", || waiting("sample") == 2 && waiting("alarm") >= 1);
}

#[test]
fn in_its_first_week_a_gateway_only_tells_what_it_finds_unusual() {
    let server = Server::with("Policy-all-normal", "[alarms]\nhidden_reads = 3\n[alarms.notify]\nfile = \"alarms\"\n");
    server.seed(&[patient("p1", "Amin")]);
    let token = thief(&server);
    let guess = |token: &str, from: usize| {
        for number in from..from + 3 {
            server.get(&format!("Patient/guess-{number}"), token).expect(404);
        }
    };
    guess(&token, 0);
    until("it is told", || rules(&server) == ["R2"]);
    let _ = server.get("Patient/p1", &token).expect(200);
    server.wait(8 * 24 * 3_600);
    let token = thief(&server);
    guess(&token, 10);
    until("and acted on from then on", || server.get("Patient/p1", &token).status == 401);
    assert_eq!(guarded(&server), ["alarm", "alarm", "revoked"]);
}

#[test]
fn a_site_chooses_what_a_rule_does() {
    let server = watched("canaries = [\"Patient/p2\"]\nhidden_reads = 3\n[alarms.actions]\nR13 = \"suspend\"\nR2 = \"notify\"");
    let (curious, other) = (server.clinician("d1", "user/*.rs"), server.clinician("d2", "user/*.rs"));
    for number in 0..3 {
        server.get(&format!("Patient/guess-{number}"), &other).expect(404);
    }
    let _ = server.get("Patient/p2", &curious).expect(200);
    until("who touched it is locked out", || server.get("Patient/p1", &curious).status == 403);
    assert_eq!(server.get("Patient/p1", &curious).code(), "AMANAT-HOLD-0001");
    let _ = server.get("Patient/p1", &other).expect(200);
    until("both are told", || ["R2", "R13"].iter().all(|rule| rules(&server).contains(&(*rule).to_owned())));
    let words = guarded(&server);
    assert!(words.contains(&"suspended".to_owned()) && !words.contains(&"revoked".to_owned()), "{words:?}");
}

#[test]
fn after_a_discharge_a_record_is_left_alone() {
    let server = watched("");
    let stay = json!({
        "resourceType": "Encounter", "id": "e1", "status": "finished", "class": {"code": "IMP"},
        "subject": {"reference": "Patient/p1"}, "period": {"start": "2026-03-01", "end": "2026-04-01"}
    });
    let visit = json!({
        "resourceType": "Encounter", "id": "e2", "status": "finished", "class": {"code": "AMB"},
        "subject": {"reference": "Patient/p2"}, "period": {"start": "2026-03-01", "end": "2026-04-01"}
    });
    server.seed(&[stay, visit]);
    let token = server.clinician("d1", "user/*.rs");
    for id in ["p2", "p1"] {
        let _ = server.get(&format!("Patient/{id}"), &token).expect(200);
    }
    until("it is told", || rules(&server) == ["R10"]);
    let told = &told(&server)[0]["text"];
    assert!(told.as_str().unwrap().contains("after the last encounter or discharge"), "{told}");
}
