//! Writes through the gateway to a server behind: once, decided on old and new content, and never without a trace.

use crate::support::{Behind, Manner, Said, Server, records};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

const ALL: &str = "system/*.cruds";

#[test]
fn what_is_written_is_there_and_told_below_the_gateways_base() {
    let server = Server::before_plain("Policy-all-normal", "");
    server.seed(&[records::patient("p1", "Ahmad"), records::patient("p2", "Weber")]);
    let token = server.system(ALL);
    let mut record = records::observation("x", "p1", "laboratory");
    record["performer"] = json!([{"reference": "https://localhost:8443/fhir/Practitioner/d1"}]);
    let created = server.post("Observation", &token, &record).expect(201);
    let place = created.header("location").unwrap().strip_prefix("https://localhost:8443/fhir/").unwrap().to_owned();
    server.allowed(&created, 201, "create", &["p1"]);
    let (key, _) = place.split_once("/_history/").unwrap();
    let read = server.get(key, &token).expect(200).json();
    assert_eq!(read["performer"][0]["reference"], "https://localhost:8443/fhir/Practitioner/d1");
    let patched = server.patch(key, &token, &json!([{"op": "replace", "path": "/status", "value": "amended"}])).expect(200);
    assert_eq!((patched.header("etag"), patched.json()["status"].as_str()), (Some("W/\"2\""), Some("amended")));
    let stale = server.call("PUT", key).token(&token).header("If-Match", "W/\"1\"");
    let mut again = read.clone();
    again["status"] = json!("final");
    let reply = stale.json(&again).send();
    server.refused(&reply, 412, "AMANAT-REC-0003", "input:version");
    let _ = server.delete(key, &token).expect(204);
    assert_eq!(server.get(key, &token).status, 410);
}

#[test]
fn old_and_new_content_are_decided() {
    let server = Server::before_plain("Policy-all-normal", "");
    server.seed(&[records::patient("p1", "Ahmad"), records::patient("p2", "Weber"), records::observation("theirs", "p2", "x")]);
    let mine = server.patient("p1", "patient/*.cruds");
    let reply = server.post("Observation", &mine, &records::observation("x", "p2", "laboratory"));
    server.refused(&reply, 403, "AMANAT-SCOPE-0002", "compartment");
    let reply = server.put("Observation/theirs", &mine, &records::observation("theirs", "p1", "laboratory"));
    server.refused(&reply, 404, "AMANAT-REC-0001", "not-found");
    let reply = server.delete("Observation/theirs", &mine);
    server.refused(&reply, 404, "AMANAT-REC-0001", "not-found");
    let behind = server.behind.as_ref().unwrap().asked();
    assert!(!behind.iter().any(|asked| asked.starts_with("DELETE") || asked.starts_with("PUT")), "{behind:?}");
}

#[test]
fn of_many_that_create_the_same_one_does() {
    let server = Server::before_plain("Policy-all-normal", "");
    server.seed(&[records::patient("p1", "Ahmad")]);
    let token = server.system(ALL);
    let created = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                let call = server.call("POST", "Observation").token(&token).header("If-None-Exist", "identifier=urn:obs|same");
                let reply = call.json(&records::observation("same", "p1", "laboratory")).send();
                assert!(matches!(reply.status, 200 | 201), "{}", reply.text());
                created.fetch_add(usize::from(reply.status == 201), Ordering::SeqCst);
            });
        }
    });
    assert_eq!(created.load(Ordering::SeqCst), 1);
    assert_eq!(server.get("Observation?identifier=urn:obs|same", &token).keys().len(), 1);
}

#[test]
fn a_transaction_is_all_or_nothing() {
    let server = Server::before_plain("Policy-all-normal", "");
    server.seed(&[records::patient("p1", "Ahmad")]);
    let token = server.system(ALL);
    let entry = |record: Value, method: &str, url: &str| json!({"fullUrl": "urn:uuid:1", "resource": record, "request": {"method": method, "url": url}});
    let mut child = records::observation("x", "p1", "laboratory");
    child["encounter"] = json!({"reference": "urn:uuid:1"});
    let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": [
        entry(records::encounter("x", "p1"), "POST", "Encounter"),
        {"resource": child, "request": {"method": "POST", "url": "Observation"}},
    ]});
    let answer = server.post("", &token, &bundle).expect(200).json();
    assert_eq!(answer["entry"].as_array().unwrap().len(), 2);
    let found = server.get("Observation?encounter.status=finished", &token);
    assert_eq!(found.keys().len(), 1, "{}", found.text());
    let mut wrong = bundle.clone();
    wrong["entry"][1]["resource"]["status"] = json!({"no": "code"});
    assert_eq!(server.post("", &token, &wrong).status, 422);
    assert_eq!(server.get("Encounter", &token).keys().len(), 1);
}

/// A server that keeps what is put, and answers a write as the script says.
fn keeper(script: impl Fn(usize) -> Manner + Send + Sync + 'static) -> Behind {
    let kept: Arc<Mutex<Vec<(String, Value)>>> = Arc::default();
    let writes = AtomicUsize::new(0);
    Behind::start(move |heard| {
        let (path, _) = heard.below();
        let mut kept = kept.lock().unwrap();
        if heard.method == "PUT" {
            let mut record: Value = serde_json::from_slice(&heard.body).unwrap();
            let before = kept.iter().filter(|(key, _)| key == path).count();
            record["meta"] = json!({"versionId": (before + 1).to_string(), "lastUpdated": "2026-06-01T12:00:00Z"});
            kept.push((path.to_owned(), record.clone()));
            let manner = script(writes.fetch_add(1, Ordering::SeqCst));
            return Said::json(201, record.to_string()).sent(manner);
        }
        if let Some((_, record)) = kept.iter().rev().find(|(key, _)| key == path) {
            return Said::json(200, record.to_string());
        }
        if path.contains('/') && !path.ends_with("Observation") {
            return Said::json(404, "{}");
        }
        // Its searches lag behind: they find nothing that is new.
        let url = format!("http://x{}", heard.target);
        Said::json(
            200,
            json!({"resourceType": "Bundle", "type": "searchset", "link": [{"relation": "self", "url": url}]}).to_string(),
        )
    })
}

#[test]
fn a_write_whose_answer_is_lost_is_looked_up_and_not_repeated() {
    for manner in [Manner::Half, Manner::Silent] {
        let behind = keeper(move |at| if at == 0 { manner } else { Manner::Whole });
        let server = Server::before(behind, "Policy-all-normal", "answer_seconds = 1");
        let reply = server.post("Observation", &server.system(ALL), &records::observation("x", "p1", "laboratory"));
        server.allowed(&reply, 201, "create", &["p1"]);
        let puts = server.behind.as_ref().unwrap().asked().iter().filter(|asked| asked.starts_with("PUT")).count();
        assert_eq!(puts, 1);
    }
}

#[test]
fn a_server_whose_searches_lag_behind_does_not_make_it_create_twice() {
    let server = Server::before(keeper(|_| Manner::Whole), "Policy-all-normal", "");
    let token = server.system(ALL);
    let statuses = [(); 3].map(|()| {
        let call = server.call("POST", "Observation").token(&token).header("If-None-Exist", "identifier=urn:obs|same");
        call.json(&records::observation("same", "p1", "laboratory")).send().status
    });
    assert_eq!(statuses, [201, 200, 200]);
}

#[test]
fn a_write_is_in_the_trail_before_it_is_sent() {
    let server = Server::before(keeper(|_| Manner::Whole), "Policy-all-normal", "");
    let reply = server.post("Observation", &server.system(ALL), &records::observation("x", "p1", "laboratory")).expect(201);
    let entries = server.trail_of(&reply);
    let reasons: Vec<&str> = entries.iter().map(|leaf| leaf["reason"].as_str().unwrap_or_default()).collect();
    assert_eq!(reasons, ["opened", ""], "{entries:?}");
    assert!(entries.iter().all(|leaf| leaf["patients"] == json!(["p1"])), "{entries:?}");
}

#[test]
fn a_write_that_the_server_refuses_is_told_and_leaves_a_trace() {
    let behind = Behind::start(|heard| match heard.method.as_str() {
        "PUT" => Said::json(422, r#"{"resourceType":"OperationOutcome","issue":[{"diagnostics":"SELECT secret"}]}"#),
        _ if heard.below().0.contains('/') => Said::json(404, "{}"),
        _ => Said::json(200, r#"{"resourceType":"Bundle","type":"searchset"}"#),
    });
    let server = Server::before(behind, "Policy-all-normal", "");
    let reply = server.post("Observation", &server.system(ALL), &records::observation("x", "p1", "laboratory"));
    assert_eq!((reply.status, reply.code().as_str()), (422, "AMANAT-IN-0003"), "{}", reply.text());
    assert!(!reply.text().contains("secret"));
    assert_eq!(server.trail_of(&reply).len(), 2, "opened, and refused");
}

#[test]
fn labels_that_an_update_leaves_out_stay() {
    let server = Server::before_plain("Policy-all-normal", "");
    let mut record = records::observation("o1", "p1", "laboratory");
    record["meta"] = json!({"security": [{"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "R"}]});
    server.seed(&[records::patient("p1", "Ahmad"), record]);
    let hidden = |server: &Server| server.get("Observation/o1", &server.clinician("d1", "user/*.rs")).status;
    assert_eq!(hidden(&server), 404);
    // The patient sees it, and writes it back without the label.
    let mine = server.patient("p1", "patient/*.cruds");
    let _ = server.put("Observation/o1", &mine, &records::observation("o1", "p1", "laboratory")).expect(200);
    assert_eq!(hidden(&server), 404, "it stays as confidential as it was");
}
