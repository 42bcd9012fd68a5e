//! create: `POST Type`

use super::{ALL, ward};
use crate::support::records::{condition, observation, patient};
use serde_json::json;

#[test]
fn a_create_gives_the_address_of_what_it_stored() {
    let server = ward();
    let lab = server.system("system/Observation.cr");
    let mut result = observation("mine", "p1", "laboratory");
    result["meta"] = json!({"versionId": "9", "lastUpdated": "1999-01-01T00:00:00Z", "source": "urn:me"});
    let reply = server.post("Observation", &lab, &result);
    server.allowed(&reply, 201, "create", &["p1"]);
    let id = reply.json()["id"].as_str().unwrap().to_owned();
    assert_ne!(id, "mine", "the server gives ids");
    assert_eq!(reply.json()["meta"]["versionId"], "1");
    assert_eq!(reply.json()["meta"]["lastUpdated"], "2026-06-01T12:00:00.000Z");
    let place = format!("https://localhost:8443/fhir/Observation/{id}/_history/1");
    assert_eq!((reply.header("location"), reply.header("etag")), (Some(place.as_str()), Some("W/\"1\"")));
    assert_eq!(server.trail_of(&reply)[0]["records"], json!([format!("Observation/{id}/_history/1")]));
    assert_eq!(server.get(&format!("Observation/{id}"), &lab).expect(200).json(), reply.json());
}

#[test]
fn a_result_cannot_be_filed_under_a_patient_outside_the_grant() {
    let server = ward();
    let before = server.get("Observation?_summary=count", &server.system(ALL)).json()["total"].clone();
    let app = server.patient("p1", "patient/*.cruds");
    let mut both = observation("x", "p1", "laboratory");
    both["performer"] = json!([{"reference": "Patient/p2"}]);
    let mut nobody = observation("x", "p1", "laboratory");
    nobody.as_object_mut().unwrap().remove("subject");
    let mut spelled = observation("x", "p1", "laboratory");
    spelled["subject"] = json!({"reference": "https://localhost:8443/fhir/Patient/p2"});
    let refused = [observation("x", "p2", "laboratory"), observation("x", "pz", "laboratory"), both, nobody, spelled];
    let answers: Vec<String> = refused
        .iter()
        .map(|content| {
            let reply = server.post("Observation", &app, content);
            server.refused(&reply, 403, "AMANAT-SCOPE-0002", "compartment");
            reply.masked()
        })
        .collect();
    assert!(answers.iter().all(|answer| *answer == answers[0]), "the same answer whether or not the patient exists");
    // A granular grant holds for what is written too.
    let lab = server.system("system/Observation.crus?category=laboratory");
    let reply = server.post("Observation", &lab, &observation("x", "p1", "vital-signs"));
    server.refused(&reply, 403, "AMANAT-SCOPE-0002", "compartment");
    let _ = server.post("Observation", &lab, &observation("x", "p1", "laboratory")).expect(201);
    // An app makes no patients, no shared records, and nothing of a type that it was not given.
    server.refused(&server.post("Patient", &app, &patient("p7", "New")), 403, "AMANAT-SCOPE-0002", "compartment");
    let reply = server.post("Organization", &app, &json!({"resourceType": "Organization", "name": "x"}));
    server.refused(&reply, 403, "AMANAT-SCOPE-0001", "scope");
    let reply = server.post("Condition", &server.system("system/Observation.c"), &condition("x", "p1"));
    server.refused(&reply, 403, "AMANAT-SCOPE-0001", "scope");
    let after = server.get("Observation?_summary=count", &server.system(ALL)).json()["total"].clone();
    assert_eq!(before.as_u64().unwrap() + 1, after.as_u64().unwrap());
}

#[test]
fn content_that_is_no_record_is_refused_with_its_place() {
    let server = ward();
    let all = server.system(ALL);
    let mut wrong = observation("x", "p1", "laboratory");
    wrong["status"] = json!(["final"]);
    wrong["colour"] = json!("red");
    let reply = server.post("Observation", &all, &wrong);
    server.refused(&reply, 422, "AMANAT-IN-0003", "input:content");
    let places: Vec<String> = reply.json()["issue"]
        .as_array()
        .unwrap()
        .iter()
        .map(|issue| issue["expression"][0].as_str().unwrap().to_owned())
        .collect();
    assert!(places.iter().any(|at| at.contains("status")) && places.iter().any(|at| at.contains("colour")), "{places:?}");
    for tag in ["SUBSETTED", "REDACTED"] {
        let mut part = observation("x", "p1", "laboratory");
        part["meta"] = json!({"tag": [{"code": tag}]});
        server.refused(&server.post("Observation", &all, &part), 422, "AMANAT-IN-0003", "input:content");
    }
}

#[test]
fn a_body_that_cannot_be_read_is_refused() {
    let server = ward();
    let all = server.system(ALL);
    let deep = format!("{}{}", "[".repeat(5000), "]".repeat(5000));
    let bodies: [&[u8]; 7] = [
        b"",
        b"{",
        b"null x",
        br#"{"resourceType":"Observation","status":"final","status":"final"}"#,
        br#"{"resourceType":"Observation","code":{"text":"a","text":"b"}}"#,
        b"{\"resourceType\":\"Observation\",\"status\":\"\xff\"}",
        deep.as_bytes(),
    ];
    for body in bodies {
        let reply = server.call("POST", "Observation").token(&all).body("application/fhir+json", body).send();
        server.refused(&reply, 400, "AMANAT-IN-0001", "input:malformed");
    }
    let reply = server.post("Observation", &all, &condition("x", "p1"));
    server.refused(&reply, 400, "AMANAT-IN-0002", "input:invalid");
    server.refused(&server.post("Observation?patient=p1", &all, &json!({})), 400, "AMANAT-IN-0002", "input:invalid");
}

#[test]
fn a_body_of_another_kind_or_size_is_turned_away() {
    let server = crate::support::Server::with(
        "Policy-all-normal",
        "[limits]\nbody_bytes = 2000\nbundle_bytes = 3000\nbundle_entries = 2\n",
    );
    let all = server.system(ALL);
    for kind in ["application/fhir+xml", "text/plain", "application/fhir+json; charset=latin1"] {
        let reply = server.call("POST", "Observation").token(&all).body(kind, "{}").send();
        server.refused(&reply, 415, "AMANAT-IN-0004", "input:media-type");
    }
    let mut large = observation("x", "p1", "laboratory");
    large["note"] = json!([{"text": "x".repeat(3000)}]);
    let reply = server.post("Observation", &all, &large);
    server.refused(&reply, 413, "AMANAT-IN-0006", "input:size");
}

#[test]
fn what_a_caller_may_not_read_back_is_not_what_it_wrote() {
    let server = ward();
    let blind = server.system("system/Observation.c");
    let reply = server.post("Observation", &blind, &observation("x", "p1", "laboratory")).expect(201);
    let id = reply.header("location").unwrap().split('/').nth(5).unwrap().to_owned();
    server.refused(&server.get(&format!("Observation/{id}"), &blind), 403, "AMANAT-SCOPE-0001", "scope");
}
