//! batch: each entry by itself.

use super::{ALL, ward};
use crate::support::records::observation;
use crate::support::{Reply, Server};
use serde_json::{Value, json};

fn batch(server: &Server, token: &str, entries: &[Value]) -> Reply {
    server.post("", token, &json!({"resourceType": "Bundle", "type": "batch", "entry": entries}))
}

fn get(url: &str) -> Value {
    json!({"request": {"method": "GET", "url": url}})
}

#[test]
fn each_entry_is_answered_as_if_it_had_come_alone() {
    let server = ward();
    let app = server.patient("p1", "patient/Observation.cruds");
    let urls = [
        "Observation/o1",
        "Observation/o2",
        "Observation/nope",
        "Condition/c1",
        "Observation?patient=p2",
        "Observation?pateint=p1",
        "Observation/o1/_history",
    ];
    let reply = batch(&server, &app, &urls.map(get)).expect(200);
    let answers = reply.json()["entry"].as_array().unwrap().clone();
    let statuses: Vec<&str> = answers.iter().map(|entry| entry["response"]["status"].as_str().unwrap()).collect();
    assert_eq!(statuses, ["200", "404", "404", "403", "200", "400", "200"]);
    assert_eq!(answers[1], answers[2], "hidden as absent");
    for (url, answer) in urls.iter().zip(&answers) {
        let alone = server.get(url, &app);
        let inside = if alone.status == 200 { &answer["resource"] } else { &answer["response"]["outcome"] };
        assert_eq!(*inside, alone.json(), "{url}");
    }
    // One entry for the whole and one for each part, under one request id.
    let trail = server.trail_of(&reply);
    let told: Vec<(&str, &str, &str)> = trail
        .iter()
        .map(|leaf| {
            let text = |value: &'static str| leaf[value].as_str().unwrap_or_default();
            (leaf["event"]["word"].as_str().unwrap(), text("outcome"), text("reason"))
        })
        .collect();
    assert_eq!(
        told,
        [
            ("batch", "0", ""),
            ("read", "0", ""),
            ("read", "4", "not-found"),
            ("read", "4", "not-found"),
            ("read", "4", "scope"),
            ("search-type", "0", ""),
            ("read", "4", "input:invalid"),
            ("history-instance", "0", ""),
        ]
    );
}

#[test]
fn a_head_is_answered_without_content() {
    let server = ward();
    let app = server.patient("p1", "patient/Observation.cruds");
    let heads = ["Observation/o1", "Observation?patient=p1"].map(|url| json!({"request": {"method": "HEAD", "url": url}}));
    let reply = batch(&server, &app, &heads).expect(200).json();
    for entry in reply["entry"].as_array().unwrap() {
        assert_eq!((&entry["response"]["status"], &entry["resource"]), (&json!("200"), &Value::Null));
    }
    assert_eq!(reply["entry"][0]["response"]["etag"], "W/\"1\"");
}

#[test]
fn a_refused_entry_leaves_the_others_alone() {
    let server = ward();
    let app = server.patient("p1", "patient/Observation.cruds");
    let write = |method: &str, url: &str, content: Value| json!({"resource": content, "request": {"method": method, "url": url}});
    let mut broken = observation("x", "p1", "laboratory");
    broken["colour"] = json!("red");
    let reply = batch(&server, &app, &[
        write("POST", "Observation", observation("x", "p2", "laboratory")),
        write("PUT", "Observation/o1", observation("o1", "p1", "vital-signs")),
        write("PUT", "Observation/o2", observation("o2", "p1", "vital-signs")),
        json!({"request": {"method": "DELETE", "url": "Observation/o2"}}),
        json!({"request": {"method": "PUT", "url": "Observation/v1", "ifMatch": "W/\"8\""}, "resource": observation("v1", "p1", "laboratory")}),
        write("POST", "Observation", broken),
        write("POST", "Observation", observation("x", "p1", "laboratory")),
    ])
    .expect(200);
    let statuses: Vec<String> = reply.json()["entry"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["response"]["status"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(statuses, ["403", "200", "404", "404", "412", "422", "201"]);
    let _ = server.get("Observation/o2", &server.system(ALL)).expect(200);
}

#[test]
fn what_is_no_bundle_is_refused_as_a_whole() {
    let server = ward();
    let all = server.system(ALL);
    for (body, status, code, reason) in [
        (json!({"resourceType": "Bundle", "type": "collection"}), 422, "AMANAT-IN-0003", "input:content"),
        (
            json!({"resourceType": "Bundle", "type": "batch", "entry": [{"request": {"method": "POST", "url": "/"}, "resource": {"resourceType": "Bundle", "type": "batch"}}]}),
            422,
            "AMANAT-IN-0003",
            "input:content",
        ),
        (json!({"resourceType": "Patient"}), 422, "AMANAT-IN-0003", "input:content"),
        (
            json!({"resourceType": "Bundle", "type": "batch", "entry": [{"request": {"method": "JUMP", "url": "x"}}]}),
            422,
            "AMANAT-IN-0003",
            "input:content",
        ),
        (json!({"resourceType": "Bundle", "type": "batch", "entry": [{}]}), 422, "AMANAT-IN-0003", "input:content"),
    ] {
        server.refused(&server.post("", &all, &body), status, code, reason);
    }
    let twice = r#"{"resourceType":"Bundle","type":"batch","entry":[{"resource":{"resourceType":"Patient","active":true,"active":false},"request":{"method":"POST","url":"Patient"}}]}"#;
    let reply = server.call("POST", "").token(&all).body("application/fhir+json", twice).send();
    server.refused(&reply, 400, "AMANAT-IN-0001", "input:malformed");
    let reply = server.call("PUT", "").token(&all).send();
    server.refused(&reply, 405, "AMANAT-IN-0007", "input:method");
    assert_eq!(reply.header("allow"), Some("GET, HEAD, POST, OPTIONS"));
    let small = Server::with("Policy-all-normal", "[limits]\nbundle_entries = 2\n");
    let reply = batch(&small, &small.system(ALL), &[get("Patient"), get("Patient"), get("Patient")]);
    small.refused(&reply, 413, "AMANAT-IN-0006", "input:size");
}
