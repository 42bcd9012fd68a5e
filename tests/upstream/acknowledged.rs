//! What a server says of a change that it was told to make is held against what was decided and against the record: who may write one patient's
//! records writes no other's, what was not made is not told as made, and what the server tells instead is shown to nobody.

use crate::support::{Heard, Plain, Reply, Said, Server, records};
use amanat::clock::Clock;
use amanat::fhir::Instant;
use serde_json::{Value, json};
use tempfile::TempDir;

const ALL: &str = "system/*.cruds";

/// A gateway in front of a plain server, with something between.
fn before(settings: &str, between: impl Fn(&Heard, &dyn Fn() -> Said) -> Said + Send + Sync + 'static) -> (Server, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::fixed(Instant::parse("2026-06-01T12:00:00Z").unwrap());
    let behind = Plain::start_through(folder.path(), &clock, between);
    let server = Server::before(behind, "Policy-all-normal", settings);
    server.seed(&[
        records::patient("p1", "Ahmad"),
        records::patient("p2", "Weber"),
        records::observation("o1", "p1", "laboratory"),
    ]);
    (server, folder)
}

fn changes(server: &Server) -> Vec<String> {
    let asked = server.behind.as_ref().unwrap().asked();
    asked.into_iter().filter(|asked| !asked.starts_with("GET")).collect()
}

fn amended(id: &str) -> Value {
    let mut record = records::observation(id, "p1", "laboratory");
    record["status"] = json!("amended");
    record
}

/// A change that was begun, and of which is told that it was not relied on.
#[track_caller]
fn not_believed(server: &Server, reply: &Reply) {
    assert_eq!((reply.status, reply.code().as_str()), (502, "AMANAT-UP-0002"), "{}", reply.text());
    let concluded = server.concluded_of(reply);
    assert_eq!(concluded.len(), 1, "{concluded:?}");
    assert_eq!((&concluded[0]["reason"], &concluded[0]["outcome"]), (&json!("upstream:untrusted"), &json!("12")));
    assert!(server.trail_of(reply).iter().any(|leaf| leaf["reason"] == "opened"), "what was begun is known");
}

#[test]
fn the_servers_own_address_leads_into_nobody_elses_record() {
    let (server, _folder) = before("aliases = [\"http://records.inside/fhir\"]", |_, answer| answer());
    let base = server.behind.as_ref().unwrap().base();
    let (app, sent) = (server.patient("p1", "patient/*.cruds"), changes(&server).len());
    let hidden = base.replacen("http:/", "\\u0068ttp:\\u002F", 1);
    for address in [&base, &base.replace('/', "\\/"), &hidden, "http://records.inside/fhir"] {
        let mut record = records::observation("x", "p1", "laboratory");
        record["performer"] = json!([{"reference": "HERE/Patient/p2"}]);
        let text = |record: &Value| record.to_string().replace("HERE", address);
        let (kind, patch) = ("application/fhir+json", "application/json-patch+json");
        let mut named = record.clone();
        named["id"] = json!("o1");
        let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": [
            {"resource": record, "request": {"method": "POST", "url": "Observation"}}]});
        let steps = json!([{"op": "add", "path": "/performer", "value": record["performer"]}]);
        for call in [
            server.call("POST", "Observation").body(kind, text(&record)),
            server.call("PUT", "Observation/o1").body(kind, text(&named)),
            server.call("PATCH", "Observation/o1").body(patch, text(&steps)),
            server.call("POST", "").body(kind, text(&bundle)),
        ] {
            let reply = call.token(&app).send();
            assert_eq!(reply.json()["issue"][0]["code"], "processing", "{}", reply.text());
            assert_eq!((reply.status, reply.code().as_str()), (422, "AMANAT-IN-0003"), "{address}: {}", reply.text());
            let entries = server.trail_of(&reply);
            assert!(entries.iter().any(|leaf| leaf["reason"] == "input:content" && leaf["outcome"] == "4"), "{entries:?}");
            assert!(entries.iter().all(|leaf| leaf["reason"] != "opened"), "nothing was begun");
        }
    }
    assert_eq!(changes(&server).len(), sent, "nothing of it was sent");
    let theirs = server.get("Observation?performer=Patient/p2", &server.patient("p2", "patient/*.rs")).expect(200);
    assert!(theirs.keys().is_empty());
}

#[test]
fn what_is_told_as_done_and_was_not_is_not_told_as_done() {
    // Every change of an Observation is acknowledged, in the words of each kind, and none is made.
    for (status, body) in [(200, ""), (204, ""), (200, "outcome")] {
        let (server, _folder) = before("", move |heard, answer| {
            if heard.method == "PUT" && heard.below().0 == "Observation/o1" {
                let outcome = json!({"resourceType": "OperationOutcome", "issue": []}).to_string();
                return Said::json(status, if body == "outcome" { outcome } else { String::new() });
            }
            answer()
        });
        let reply = server.put("Observation/o1", &server.system(ALL), &amended("o1"));
        not_believed(&server, &reply);
        let now = server.get("Observation/o1", &server.system(ALL)).expect(200);
        assert_eq!(now.json()["status"], "final");
        // What changes nothing looks the same when it was done.
        let same = records::observation("o1", "p1", "laboratory");
        assert_eq!(server.put("Observation/o1", &server.system(ALL), &same).status, 200);
    }
}

#[test]
fn a_transaction_that_was_made_in_part_is_not_told_as_made() {
    let (server, _folder) = before("", |heard, answer| {
        let text = String::from_utf8_lossy(&heard.body).into_owned();
        if heard.method != "POST" || !text.contains("amended") {
            return answer();
        }
        // It makes the first and says of the second that it did not.
        let kept: Value = serde_json::from_str(&text).unwrap();
        let status = |status: &str| json!({"response": {"status": status}});
        let entries = if text.contains("few") { vec![status("200")] } else { vec![status("200"), status("422 Unprocessable")] };
        assert_eq!(kept["entry"].as_array().unwrap().len(), 2);
        Said::json(200, json!({"resourceType": "Bundle", "type": "transaction-response", "entry": entries}).to_string())
    });
    server.seed(&[records::observation("o2", "p1", "laboratory")]);
    for note in ["few", "many"] {
        let change = |id: &str| {
            let mut record = amended(id);
            record["note"] = json!([{"text": note}]);
            json!({"resource": record, "request": {"method": "PUT", "url": format!("Observation/{id}")}})
        };
        let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": [change("o1"), change("o2")]});
        let reply = server.post("", &server.system(ALL), &bundle);
        not_believed(&server, &reply);
    }
}

#[test]
fn what_a_server_answers_instead_of_what_was_written_is_shown_to_nobody() {
    let (server, _folder) = before("", |heard, answer| {
        let said = answer();
        if heard.method == "GET" || said.status >= 300 {
            return said;
        }
        let text = String::from_utf8(said.body.clone()).unwrap();
        let note = "\"note\":[{\"text\":\"what somebody else wrote\"}],\"status\":\"";
        Said { body: text.replace("\"status\":\"", note).into_bytes(), ..said }
    });
    let token = server.system(ALL);
    for reply in [
        server.post("Observation", &token, &records::observation("x", "p1", "laboratory")),
        server.put("Observation/o1", &token, &amended("o1")),
        server.patch("Observation/o1", &token, &json!([{"op": "replace", "path": "/status", "value": "final"}])),
    ] {
        assert!(matches!(reply.status, 200 | 201), "{}", reply.text());
        assert!(!reply.text().contains("somebody else"), "{}", reply.text());
        let record = reply.json();
        assert_eq!(reply.header("etag").unwrap(), format!("W/\"{}\"", record["meta"]["versionId"].as_str().unwrap()));
        assert_eq!(record["subject"]["reference"], "Patient/p1");
    }
}

/// Versions are words.
fn worded(said: Said) -> Said {
    let text = String::from_utf8(said.body.clone()).unwrap();
    let headers = said.headers.iter().map(|(name, value)| (name.clone(), value.replace("W/\"", "W/\"v"))).collect();
    Said { body: text.replace("\"versionId\":\"", "\"versionId\":\"v").into_bytes(), headers, ..said }
}

#[test]
fn a_server_whose_versions_are_no_numbers_is_asked_for_none() {
    let (server, _folder) = before("", |heard, answer| {
        assert!(heard.header("if-match").is_none() && !String::from_utf8_lossy(&heard.body).contains("ifMatch"));
        worded(answer())
    });
    let change = |id: &str| json!({"resource": amended(id), "request": {"method": "PUT", "url": format!("Observation/{id}")}});
    server.seed(&[records::observation("o2", "p1", "laboratory")]);
    // Time goes on, by which versions are told apart then.
    server.wait(5);
    let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": [change("o1"), change("o2")]});
    let _ = server.post("", &server.system(ALL), &bundle).expect(200);
    assert_eq!(server.get("Observation/o2", &server.system(ALL)).json()["status"], "amended");
}

#[test]
fn a_change_needs_no_second_turn_to_be_read_back() {
    let behind = |heard: &Heard, answer: &dyn Fn() -> Said| {
        let said = answer();
        let (accepted, change) = (said.status < 300, heard.method != "GET" && !heard.below().0.is_empty());
        if accepted && change { Said::json(204, "") } else { said }
    };
    let (server, _folder) = before("in_flight = 1\nqueue_seconds = 1", behind);
    let reply = server.post("Observation", &server.system(ALL), &records::observation("x", "p1", "laboratory"));
    server.allowed(&reply, 201, "create", &["p1"]);
    let reply = server.put("Observation/o1", &server.system(ALL), &amended("o1"));
    server.allowed(&reply, 200, "update", &["p1"]);
}

#[test]
fn a_record_that_a_server_makes_somebody_elses_is_not_told() {
    let (server, _folder) = before("", |heard, answer| {
        let said = answer();
        if heard.method != "PUT" {
            return said;
        }
        Said { body: String::from_utf8(said.body.clone()).unwrap().replace("Patient/p1", "Patient/p2").into_bytes(), ..said }
    });
    let reply = server.put("Observation/o1", &server.system(ALL), &amended("o1"));
    not_believed(&server, &reply);
    assert!(!reply.text().contains("p2"));
}

#[test]
fn a_change_that_the_server_refuses_is_told_by_its_kind_and_not_in_its_words() {
    for (status, told, code, reason, outcome) in [
        (400, 422, "AMANAT-IN-0003", "input:content", "4"),
        (401, 502, "AMANAT-UP-0002", "upstream:untrusted", "12"),
        (403, 502, "AMANAT-UP-0002", "upstream:untrusted", "12"),
        (405, 422, "AMANAT-IN-0003", "input:content", "4"),
        (413, 422, "AMANAT-IN-0003", "input:content", "4"),
        (429, 503, "AMANAT-UP-0003", "upstream:busy", "12"),
        (501, 422, "AMANAT-IN-0003", "input:content", "4"),
        (302, 502, "AMANAT-UP-0002", "upstream:untrusted", "12"),
    ] {
        let (server, _folder) = before("", move |heard, answer| {
            if heard.method != "PUT" {
                return answer();
            }
            Said::json(status, r#"{"resourceType":"OperationOutcome","text":{"div":"secret"}}"#)
                .with("Location", "http://secret/")
        });
        let reply = server.put("Observation/o1", &server.system(ALL), &amended("o1"));
        assert_eq!((reply.status, reply.code().as_str()), (told, code), "{status}: {}", reply.text());
        assert!(!format!("{:?} {}", reply.headers, reply.text()).contains("secret"), "{status}");
        let concluded = server.concluded_of(&reply);
        assert_eq!(concluded.len(), 1, "{concluded:?}");
        assert_eq!((&concluded[0]["reason"], &concluded[0]["outcome"]), (&json!(reason), &json!(outcome)), "{status}");
        assert_eq!(server.get("Observation/o1", &server.system(ALL)).json()["status"], "final");
    }
}
