//! history of an instance, a type, the system.

use super::{ALL, hidden_as_absent, ward};
use crate::support::records::observation;
use serde_json::{Value, json};

#[test]
fn a_history_shows_what_the_caller_may_see_of_each_version() {
    let server = ward();
    let all = server.system(ALL);
    let _ = server.put("Observation/o1", &all, &observation("o1", "p1", "laboratory")).expect(200);
    let _ = server.delete("Observation/o1", &all).expect(204);
    let app = server.patient("p1", "patient/*.rs");
    let reply = server.get("Observation/o1/_history", &app);
    server.allowed(&reply, 200, "history-instance", &["p1"]);
    let bundle = reply.json();
    let methods: Vec<&str> =
        bundle["entry"].as_array().unwrap().iter().map(|one| one["request"]["method"].as_str().unwrap()).collect();
    assert_eq!((methods, &bundle["total"]), (vec!["DELETE", "PUT", "POST"], &3.into()));
    for (path, event) in [("Observation/_history", "history-type"), ("_history", "history-system")] {
        let reply = server.get(path, &app);
        server.allowed(&reply, 200, event, &["p1"]);
        assert!(reply.keys().iter().all(|key| !key.ends_with('2')), "{:?}", reply.keys());
    }
}

#[test]
fn the_history_of_a_hidden_record_is_not_found() {
    let server = ward();
    let app = server.patient("p1", "patient/*.rs");
    hidden_as_absent(&server, &app, "GET", "Observation/o2/_history", "Observation/nope/_history", None);
    let since = |id: &str| server.get(&format!("Observation/{id}/_history?_since=2026-01-01T00:00:00Z"), &app);
    assert_eq!(since("o2").masked().replace("/o2/", "/o9/"), since("o9").masked());
}

#[test]
fn a_history_of_which_nothing_is_to_be_shown_is_there_all_the_same() {
    let server = ward();
    let app = server.patient("p1", "patient/*.rs");
    let reply = server.get("Observation/o1/_history?_count=0", &app).expect(200).json();
    assert!(reply["entry"].is_null() && reply["link"].as_array().unwrap().len() == 1, "{reply}");
    for id in ["o2", "nope"] {
        server.refused(&server.get(&format!("Observation/{id}/_history?_count=0"), &app), 404, "AMANAT-REC-0001", "not-found");
    }
}

#[test]
fn what_a_history_does_not_know_is_refused() {
    let server = ward();
    let all = server.system(ALL);
    for path in [
        "Observation/o1/_history?_since=yesterday",
        "Observation/_history?_count=many",
        "Observation/_history?_count=1&_count=2",
        "_history?_since=2020&_since=2021",
        "_history?patient=p1",
        "_history?_at=2026-13-01T00:00:00Z",
    ] {
        server.refused(&server.get(path, &all), 400, "AMANAT-IN-0002", "input:invalid");
    }
    for path in ["Observation/o1/_history", "Observation/_history", "_history"] {
        let reply = server.call("DELETE", path).token(&all).send();
        server.refused(&reply, 405, "AMANAT-IN-0007", "input:method");
    }
}

#[test]
fn a_history_at_a_time_has_what_was_current_in_it() {
    let server = ward();
    // Tokens end within the day.
    let all = || server.system(ALL);
    let day = 86_400;
    let amend = |text: &str| {
        let mut changed = observation("o1", "p1", "laboratory");
        changed["note"] = json!([{"text": text}]);
        let _ = server.put("Observation/o1", &all(), &changed).expect(200);
    };
    // Made on the first of June, changed on the second and twice on the third.
    server.wait(day);
    amend("second");
    server.wait(day);
    amend("third");
    server.wait(60);
    amend("third, later");
    let versions = |query: &str| -> Vec<String> {
        let entries = server.get(&format!("Observation/o1/_history?{query}"), &all()).expect(200).json()["entry"].clone();
        let version = |entry: &Value| entry["resource"]["meta"]["versionId"].as_str().unwrap().to_owned();
        entries.as_array().into_iter().flatten().map(version).collect()
    };
    for (query, expected) in [
        ("_at=2026-05", vec![]),
        ("_at=2026-06-01", vec!["1"]),
        ("_at=2026-06-02", vec!["2", "1"]),
        ("_at=2026-06-02T13:00:00Z", vec!["2"]),
        ("_at=2026-06-03", vec!["4", "3", "2"]),
        ("_at=2026-06-03T12:00", vec!["3"]),
        ("_at=2026", vec!["4", "3", "2", "1"]),
        ("_at=2030", vec!["4"]),
        ("_since=2026-06-03", vec!["4", "3"]),
        ("_since=2026-06-02&_at=2026-06-02", vec!["2"]),
    ] {
        assert_eq!(versions(query), expected, "{query}");
    }
}
