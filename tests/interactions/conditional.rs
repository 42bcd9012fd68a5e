//! Conditional create, update, patch and delete: conditions are looked at within what the caller sees.

use super::{ALL, ward};
use crate::support::records::observation;
use serde_json::json;

const HIDDEN: &str = "identifier=urn:obs%7Co2";
const NOBODY: &str = "identifier=urn:obs%7Cnone";

#[test]
fn a_conditional_create_finds_what_is_there() {
    let server = ward();
    let app = server.patient("p1", "patient/Observation.crs");
    let create = |condition: &str| {
        let body = observation("x", "p1", "laboratory");
        server.call("POST", "Observation").token(&app).header("If-None-Exist", condition).json(&body).send()
    };
    let found = create("identifier=urn:obs%7Co1");
    server.allowed(&found, 200, "create", &["p1"]);
    assert_eq!(found.json()["id"], "o1");
    server.refused(&create("status=final"), 412, "AMANAT-REC-0005", "input:several-match");
    server.refused(&create(""), 400, "AMANAT-IN-0002", "input:invalid");
    server.refused(&create("_count=3"), 400, "AMANAT-IN-0002", "input:invalid");
    server.refused(&create("colour=red"), 400, "AMANAT-IN-0002", "input:invalid");
    // What is hidden does not match: it is created, and nothing tells.
    let (hidden, nobody) = (create(HIDDEN).expect(201), create(NOBODY).expect(201));
    assert_eq!(
        hidden.headers.iter().map(|(name, _)| name).collect::<Vec<_>>(),
        nobody.headers.iter().map(|(name, _)| name).collect::<Vec<_>>()
    );
}

#[test]
fn a_conditional_update_matches_within_what_the_caller_sees() {
    let server = ward();
    let app = server.patient("p1", "patient/Observation.crus");
    let update = |condition: &str| {
        let mut body = observation("x", "p1", "laboratory");
        body.as_object_mut().unwrap().remove("id");
        server.put(&format!("Observation?{condition}"), &app, &body)
    };
    let found = update("identifier=urn:obs%7Co1");
    server.allowed(&found, 200, "update", &["p1"]);
    assert_eq!((found.json()["id"].as_str(), found.header("etag")), (Some("o1"), Some("W/\"2\"")));
    let _ = update("identifier=urn:obs%7Cv1").expect(200);
    server.refused(&update("status=final"), 412, "AMANAT-REC-0005", "input:several-match");
    server.refused(&update("_sort=date"), 400, "AMANAT-IN-0002", "input:invalid");
    let (hidden, nobody) = (update(HIDDEN), update(NOBODY));
    assert_eq!((hidden.status, nobody.status), (201, 201));
    let other = server.get("Observation/o2", &server.system(ALL)).expect(200);
    assert_eq!(other.header("etag"), Some("W/\"1\""), "the hidden record is untouched");
}

#[test]
fn a_conditional_update_with_an_id_must_mean_the_record_that_it_selects() {
    let server = ward();
    let all = server.system(ALL);
    let reply = server.put("Observation?identifier=urn:obs|o1", &all, &observation("o9", "p1", "laboratory"));
    server.refused(&reply, 400, "AMANAT-IN-0002", "input:invalid");
    // An id that is taken by a record that the condition does not select.
    let reply = server.put("Observation?identifier=urn:obs|none", &all, &observation("o1", "p1", "laboratory"));
    server.refused(&reply, 404, "AMANAT-REC-0001", "not-found");
    let app = server.patient("p1", "patient/Observation.cruds");
    let named = |id: &str| server.put("Observation?identifier=urn:obs|none", &app, &observation(id, "p1", "laboratory"));
    assert_eq!(named("o2").masked(), named("nope").masked());
}

#[test]
fn a_conditional_patch_and_delete_touch_only_what_the_caller_sees() {
    let server = ward();
    let app = server.patient("p1", "patient/Observation.cruds");
    let patch = |condition: &str| {
        server.patch(
            &format!("Observation?{condition}"),
            &app,
            &json!([{"op": "replace", "path": "/status", "value": "amended"}]),
        )
    };
    let delete = |condition: &str| server.delete(&format!("Observation?{condition}"), &app);
    server.refused(&patch(HIDDEN), 404, "AMANAT-REC-0001", "not-found");
    assert_eq!(patch(HIDDEN).masked(), patch(NOBODY).masked());
    assert_eq!(delete(HIDDEN).expect(204).masked(), delete(NOBODY).expect(204).masked());
    assert_eq!(delete("patient=p2").expect(204).masked(), delete("patient=pz").expect(204).masked());
    let _ = server.get("Observation/o2", &server.system(ALL)).expect(200);
    server.refused(&patch("status=final"), 412, "AMANAT-REC-0005", "input:several-match");
    server.refused(&delete("status=final"), 412, "AMANAT-REC-0005", "input:several-match");
    server.allowed(&patch("identifier=urn:obs%7Co1"), 200, "patch", &["p1"]);
    server.allowed(&delete("identifier=urn:obs%7Co1"), 204, "delete", &["p1"]);
    for reply in [patch("_count=1"), delete("_count=1"), delete("identifier=urn:obs%7Co1&_expunge=true")] {
        server.refused(&reply, 400, "AMANAT-IN-0002", "input:invalid");
    }
}

#[test]
fn a_conditional_reference_selects_within_what_the_caller_sees() {
    let server = ward();
    let app = server.patient("p1", "patient/Observation.crs patient/Patient.rs");
    let mut body = observation("x", "p1", "laboratory");
    body["subject"]["reference"] = json!("Patient?identifier=urn:mrn|mrn-p1");
    let reply = server.post("Observation", &app, &body).expect(201);
    assert_eq!(reply.json()["subject"]["reference"], "Patient/p1");
    let answers: Vec<String> = ["p2", "pz"]
        .into_iter()
        .map(|id| {
            body["subject"]["reference"] = json!(format!("Patient?identifier=urn:mrn|mrn-{id}"));
            let reply = server.post("Observation", &app, &body);
            server.refused(&reply, 422, "AMANAT-IN-0003", "input:content");
            reply.masked().replace(id, "?")
        })
        .collect();
    assert_eq!(answers[0], answers[1]);
}
