//! JSON Patch: `PATCH Type/id`

use super::{ALL, hidden_as_absent, ward};
use serde_json::json;

#[test]
fn a_patch_changes_what_it_names_and_nothing_else() {
    let server = ward();
    let app = server.patient("p1", "patient/Observation.ru");
    let before = server.get("Observation/o1", &app).json();
    let reply = server.patch(
        "Observation/o1",
        &app,
        &json!([
            {"op": "test", "path": "/status", "value": "final"},
            {"op": "replace", "path": "/status", "value": "amended"}
        ]),
    );
    server.allowed(&reply, 200, "patch", &["p1"]);
    let mut after = reply.json();
    assert_eq!((&after["status"], &after["meta"]["versionId"]), (&json!("amended"), &json!("2")));
    after["status"] = before["status"].clone();
    after["meta"] = before["meta"].clone();
    assert_eq!(after, before);
}

#[test]
fn a_patch_of_a_hidden_record_is_not_found() {
    let server = ward();
    let app = server.patient("p1", "patient/*.cruds");
    for patch in [json!([{"op": "test", "path": "/status", "value": "final"}]), json!([{"op": "x"}]), json!({})] {
        hidden_as_absent(&server, &app, "PATCH", "Observation/o2", "Observation/nope", Some(&patch));
    }
}

#[test]
fn a_patch_moves_no_record_to_another_patient() {
    let server = ward();
    let app = server.patient("p1", "patient/*.cruds");
    let moved = json!([{"op": "replace", "path": "/subject/reference", "value": "Patient/p2"}]);
    server.refused(&server.patch("Observation/o1", &app, &moved), 403, "AMANAT-SCOPE-0002", "compartment");
    server.refused(&server.patch("Observation/o1", &server.system(ALL), &moved), 422, "AMANAT-IN-0003", "input:content");
    let orphaned = json!([{"op": "remove", "path": "/subject"}]);
    server.refused(&server.patch("Observation/o1", &app, &orphaned), 403, "AMANAT-SCOPE-0002", "compartment");
    let added = json!([{"op": "add", "path": "/performer", "value": [{"reference": "Patient/p2"}]}]);
    server.refused(&server.patch("Observation/o1", &app, &added), 403, "AMANAT-SCOPE-0002", "compartment");
    let lab = server.system("system/Observation.cruds?category=laboratory");
    let relabelled = json!([{"op": "replace", "path": "/category/0/coding/0/code", "value": "vital-signs"}]);
    server.refused(&server.patch("Observation/o1", &lab, &relabelled), 403, "AMANAT-SCOPE-0002", "compartment");
    // A patch that touches nothing of a patient needs the scope all the same.
    let harmless = json!([{"op": "test", "path": "/status", "value": "final"}]);
    server.refused(
        &server.patch("Observation/o1", &server.system("system/Observation.rs"), &harmless),
        403,
        "AMANAT-SCOPE-0001",
        "scope",
    );
    assert_eq!(server.get("Observation/o1", &app).header("etag"), Some("W/\"1\""));
}

#[test]
fn a_patch_that_cannot_be_applied_changes_nothing() {
    let server = ward();
    let all = server.system(ALL);
    for (patch, status, code, reason) in [
        (json!({}), 400, "AMANAT-IN-0002", "input:invalid"),
        (json!([{"op": "jump", "path": "/status"}]), 400, "AMANAT-IN-0002", "input:invalid"),
        (json!([{"op": "remove", "path": "/nothing"}]), 422, "AMANAT-IN-0003", "input:content"),
        (json!([{"op": "test", "path": "/status", "value": "draft"}]), 422, "AMANAT-IN-0003", "input:content"),
        (
            json!([{"op": "remove", "path": "/status"}, {"op": "add", "path": "/colour", "value": 1}]),
            422,
            "AMANAT-IN-0003",
            "input:content",
        ),
        (json!([{"op": "replace", "path": "/id", "value": "o9"}]), 422, "AMANAT-IN-0003", "input:content"),
        (json!([{"op": "replace", "path": "/resourceType", "value": "Patient"}]), 422, "AMANAT-IN-0003", "input:content"),
    ] {
        let reply = server.patch("Observation/o1", &all, &patch);
        server.refused(&reply, status, code, reason);
    }
    let reply = server.call("PATCH", "Observation/o1").token(&all).body("application/json-patch+json", "[").send();
    server.refused(&reply, 400, "AMANAT-IN-0001", "input:malformed");
    let reply = server.call("PATCH", "Observation/o1").token(&all).body("application/fhir+json", "[]").send();
    server.refused(&reply, 415, "AMANAT-IN-0004", "input:media-type");
    let stale = server.call("PATCH", "Observation/o1").token(&all).header("If-Match", "W/\"3\"");
    let reply = stale.json(&json!([{"op": "replace", "path": "/status", "value": "amended"}])).send();
    server.refused(&reply, 412, "AMANAT-REC-0003", "input:version");
    assert_eq!(server.get("Observation/o1", &all).header("etag"), Some("W/\"1\""));
    let _ = server.delete("Observation/o1", &all).expect(204);
    server.refused(&server.patch("Observation/o1", &all, &json!([])), 410, "AMANAT-REC-0002", "deleted");
    let steps = json!({"resourceType": "Binary", "contentType": "application/json-patch+json", "data": "W10="});
    let entry = json!({"resource": steps, "request": {"method": "PATCH", "url": "Observation/o1"}});
    let reply = server.post("", &all, &json!({"resourceType": "Bundle", "type": "transaction", "entry": [entry]}));
    server.refused(&reply, 410, "AMANAT-REC-0002", "deleted");
}
