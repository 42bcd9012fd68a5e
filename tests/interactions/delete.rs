//! delete: `DELETE Type/id`

use super::{ALL, hidden_as_absent, ward};

#[test]
fn a_delete_leaves_a_version_and_twice_is_no_mistake() {
    let server = ward();
    let app = server.patient("p1", "patient/Observation.rd");
    let reply = server.delete("Observation/o1", &app);
    server.allowed(&reply, 204, "delete", &["p1"]);
    assert_eq!((reply.body.len(), reply.header("etag")), (0, Some("W/\"2\"")));
    let again = server.delete("Observation/o1", &app);
    server.allowed(&again, 204, "delete", &["p1"]);
    assert_eq!(again.header("etag"), Some("W/\"2\""), "no further version");
    assert_eq!(server.get("Observation", &server.system(ALL)).keys().iter().filter(|key| *key == "Observation/o1").count(), 0);
}

#[test]
fn a_delete_of_a_hidden_record_is_not_found_and_deletes_nothing() {
    let server = ward();
    let app = server.patient("p1", "patient/*.cruds");
    hidden_as_absent(&server, &app, "DELETE", "Observation/o2", "Observation/nope", None);
    let lab = server.system("system/Observation.cruds?category=laboratory");
    hidden_as_absent(&server, &lab, "DELETE", "Observation/v1", "Observation/nope", None);
    let _ = server.get("Observation/o2", &server.system(ALL)).expect(200);
    let reply = server.call("DELETE", "Observation/o2").token(&app).header("If-Match", "W/\"5\"").send();
    server.refused(&reply, 404, "AMANAT-REC-0001", "not-found");
}

#[test]
fn a_delete_of_another_version_is_refused() {
    let server = ward();
    let all = server.system(ALL);
    let delete = |tag: &str| server.call("DELETE", "Observation/o1").token(&all).header("If-Match", tag).send();
    server.refused(&delete("W/\"2\""), 412, "AMANAT-REC-0003", "input:version");
    server.refused(&delete("2 or so"), 400, "AMANAT-IN-0002", "input:invalid");
    let _ = delete("W/\"1\"").expect(204);
}

#[test]
fn nothing_is_deleted_by_force_or_in_bulk() {
    let server = ward();
    let all = server.system(ALL);
    for path in ["Observation/o1?_cascade=delete", "Observation/o1?_expunge=true", "Observation", "Observation?_cascade=delete"] {
        server.refused(&server.delete(path, &all), 400, "AMANAT-IN-0002", "input:invalid");
    }
    server.refused(&server.delete("", &all), 405, "AMANAT-IN-0007", "input:method");
}

#[test]
fn the_trail_is_nobodys_to_change() {
    let server = ward();
    let auditor = server.system("system/AuditEvent.cruds");
    let seen = server.get("AuditEvent?_count=1", &auditor).expect(200);
    let key = seen.keys()[0].clone();
    let reply = server.delete(&key, &auditor);
    server.refused(&reply, 405, "AMANAT-IN-0007", "input:method");
    assert_eq!(reply.header("allow"), Some("GET, HEAD, OPTIONS"));
    server.refused(&server.put(&key, &auditor, &seen.json()["entry"][0]["resource"]), 405, "AMANAT-IN-0007", "input:method");
    server.refused(&server.patch(&key, &auditor, &serde_json::json!([])), 405, "AMANAT-IN-0007", "input:method");
    let reply = server.delete("AuditEvent?_id=x", &auditor);
    server.refused(&reply, 405, "AMANAT-IN-0007", "input:method");
    assert_eq!(reply.header("allow"), Some("GET, HEAD, POST, OPTIONS"));
    // A grant of everything does not name the trail.
    server.refused(&server.get("AuditEvent", &server.system(ALL)), 403, "AMANAT-SCOPE-0001", "scope");
    server.refused(&server.get(&key, &server.system(ALL)), 403, "AMANAT-SCOPE-0001", "scope");
}
