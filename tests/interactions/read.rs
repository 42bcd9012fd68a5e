//! read: `GET Type/id`

use super::{ALL, hidden_as_absent, ward};
use serde_json::json;

#[test]
fn a_read_gives_the_record_with_its_version_and_an_entry_for_its_patient() {
    let server = ward();
    let reply = server.get("Observation/o1", &server.patient("p1", "patient/*.rs"));
    server.allowed(&reply, 200, "read", &["p1"]);
    assert_eq!((reply.header("etag"), reply.header("cache-control")), (Some("W/\"1\""), Some("no-store")));
    assert_eq!(reply.header("last-modified"), Some("Mon, 01 Jun 2026 12:00:00 GMT"));
    let entry = &server.trail_of(&reply)[0];
    assert_eq!(entry["records"], json!(["Observation/o1/_history/1"]));
    assert_eq!(entry["agent"]["client"], "app");
    assert_eq!(entry["agent"]["user"], "Patient/p1");
}

#[test]
fn a_read_of_a_hidden_record_is_not_found() {
    let server = ward();
    let app = server.patient("p1", "patient/*.cruds");
    for (hidden, absent) in
        [("Observation/o2", "Observation/nope"), ("Patient/p2", "Patient/p9"), ("Condition/c2", "Condition/c9")]
    {
        hidden_as_absent(&server, &app, "GET", hidden, absent, None);
    }
    // Whoever holds a granular grant sees no more of another category.
    let lab = server.system("system/Observation.rs?category=laboratory");
    hidden_as_absent(&server, &lab, "GET", "Observation/v1", "Observation/nope", None);
    // A malformed id names nothing either.
    server.refused(&server.get("Observation/a_b", &app), 404, "AMANAT-REC-0001", "not-found");
    server.refused(&server.get(&format!("Observation/{}", "x".repeat(65)), &app), 404, "AMANAT-REC-0001", "not-found");
}

#[test]
fn conditions_on_a_hidden_record_tell_nothing() {
    let server = ward();
    let app = server.patient("p1", "patient/*.rs");
    for (name, value) in [("If-None-Match", "W/\"1\""), ("If-Modified-Since", "Mon, 01 Jun 2026 12:00:00 GMT")] {
        let ask = |path: &str| server.call("GET", path).token(&app).header(name, value).send();
        let (hidden, absent) = (ask("Observation/o2"), ask("Observation/nope"));
        server.refused(&hidden, 404, "AMANAT-REC-0001", "not-found");
        assert_eq!(hidden.masked(), absent.masked());
        let own = ask("Observation/o1").expect(304);
        assert_eq!((own.body.len(), own.header("etag")), (0, Some("W/\"1\"")));
    }
}

#[test]
fn a_deleted_record_is_gone_for_those_who_saw_it_and_never_was_for_others() {
    let server = ward();
    let _ = server.delete("Observation/o2", &server.system(ALL)).expect(204);
    server.refused(&server.get("Observation/o2", &server.system(ALL)), 410, "AMANAT-REC-0002", "deleted");
    hidden_as_absent(&server, &server.patient("p1", "patient/*.rs"), "GET", "Observation/o2", "Observation/nope", None);
    server.refused(&server.get("Observation/o2", &server.patient("p2", "patient/*.rs")), 410, "AMANAT-REC-0002", "deleted");
}

#[test]
fn a_format_that_cannot_be_written_is_not_acceptable() {
    let server = ward();
    let token = server.system(ALL);
    for path in ["Observation/o1?_format=xml", "Observation?_format=text/html", "Observation/o1/_history?_format=ttl"] {
        let reply = server.get(path, &token);
        server.refused(&reply, 406, "AMANAT-IN-0005", "input:format");
    }
    let reply = server.call("GET", "Observation/o1").token(&token).header("Accept", "application/fhir+xml").send();
    server.refused(&reply, 406, "AMANAT-IN-0005", "input:format");
    let reply = server.call("GET", "Observation/o1?_format=json").token(&token).header("Accept", "text/html").send();
    assert_eq!(reply.expect(200).header("content-type"), Some("application/fhir+json; charset=utf-8"));
}

#[test]
fn what_a_read_does_not_know_is_refused() {
    let server = ward();
    let token = server.system(ALL);
    for path in
        ["Observation/o1?patient=p1", "Observation/o1?_count=3", "Observation/o1?_summary=all", "Observation/o1?_pretty=yes"]
    {
        server.refused(&server.get(path, &token), 400, "AMANAT-IN-0002", "input:invalid");
    }
    let reply = server.call("GET", "Observation/o1").token(&token).header("If-None-Match", "*, x").send();
    server.refused(&reply, 400, "AMANAT-IN-0002", "input:invalid");
    for path in ["Observaton/o1", "observation/o1", "Observation/o1/$everything", "a/b/c/d/e", "Group/g1/Observation"] {
        server.refused(&server.get(path, &token), 404, "AMANAT-IN-0008", "input:not-supported");
    }
    server.refused(&server.call("POST", "Observation/o1").token(&token).send(), 405, "AMANAT-IN-0007", "input:method");
}
