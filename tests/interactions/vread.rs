//! vread: `GET Type/id/_history/version`

use super::{ALL, hidden_as_absent, ward};
use crate::support::records::observation;

#[test]
fn each_version_is_shown_as_it_was() {
    let server = ward();
    let mut next = observation("o1", "p1", "laboratory");
    next["status"] = "amended".into();
    let _ = server.put("Observation/o1", &server.system(ALL), &next).expect(200);
    let app = server.patient("p1", "patient/*.rs");
    for (version, status) in [(1, "final"), (2, "amended")] {
        let reply = server.get(&format!("Observation/o1/_history/{version}"), &app);
        server.allowed(&reply, 200, "vread", &["p1"]);
        assert_eq!(reply.json()["status"], status);
        assert_eq!(reply.header("etag"), Some(format!("W/\"{version}\"").as_str()));
    }
}

#[test]
fn a_version_of_a_hidden_record_is_not_found() {
    let server = ward();
    let app = server.patient("p1", "patient/*.rs");
    hidden_as_absent(&server, &app, "GET", "Observation/o2/_history/1", "Observation/nope/_history/1", None);
    // Nor are versions that never were, or that no version can be.
    for path in ["Observation/o1/_history/2", "Observation/o1/_history/0", "Observation/o1/_history/x"] {
        server.refused(&server.get(path, &app), 404, "AMANAT-REC-0001", "not-found");
    }
}

#[test]
fn the_version_that_a_delete_made_is_gone_and_earlier_ones_stay() {
    let server = ward();
    let all = server.system(ALL);
    let _ = server.delete("Observation/o1", &all).expect(204);
    server.refused(&server.get("Observation/o1/_history/2", &all), 410, "AMANAT-REC-0002", "deleted");
    let _ = server.get("Observation/o1/_history/1", &all).expect(200);
    hidden_as_absent(
        &server,
        &server.patient("p2", "patient/*.rs"),
        "GET",
        "Observation/o1/_history/2",
        "Observation/nope/_history/2",
        None,
    );
}

#[test]
fn a_version_takes_no_other_method_and_no_parameter() {
    let server = ward();
    let all = server.system(ALL);
    for method in ["POST", "PUT", "PATCH", "DELETE"] {
        let reply = server.call(method, "Observation/o1/_history/1").token(&all).send();
        server.refused(&reply, 405, "AMANAT-IN-0007", "input:method");
    }
    server.refused(&server.get("Observation/o1/_history/1?_since=2026", &all), 400, "AMANAT-IN-0002", "input:invalid");
}
