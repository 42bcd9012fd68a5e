//! Everything beside the answer itself: L14 to L20.

use super::Twins;
use crate::support::Server;
use crate::support::records::observation;
use serde_json::json;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

#[test]
fn l14_an_export_tells_nothing() {
    let twins = Twins::new();
    for path in ["$export", "Patient/$export", "Group/g1/$export", "Patient/p1/$export"] {
        let reply = twins.alike(path, &|server| {
            server.call("GET", path).token(&Twins::clinician(server)).header("Prefer", "respond-async").send()
        });
        assert_ne!(reply.status, 200, "{path}");
    }
}

#[test]
fn l15_a_subscription_tells_nothing() {
    let twins = Twins::new();
    let topic = json!({
        "resourceType": "Subscription", "id": "s1", "status": "requested", "reason": "results", "criteria": "Observation?patient=p1",
        "channel": {"type": "rest-hook", "endpoint": "https://localhost/none", "payload": "application/fhir+json"},
    });
    let made = |server: &Server| {
        let reply = server.post("Subscription", &Twins::clinician(server), &topic);
        let id = reply.header("location").and_then(|at| at.split('/').rev().nth(2)).unwrap_or("none").to_owned();
        (reply.status, reply.masked().replace(&id, "ID"), id)
    };
    let (one, other) = (made(&twins.with), made(&twins.without));
    assert_eq!((one.0, &one.1), (other.0, &other.1));
    // A result that the caller may not see arrives at one of them: the subscription looks the same in both afterwards.
    let mut hidden = super::labelled(observation("h9", "p1", "laboratory"));
    hidden["status"] = json!("final");
    twins.with.seed(&[hidden]);
    let look = |server: &Server, id: &str| {
        server.get(&format!("Subscription/{id}"), &Twins::clinician(server)).masked().replace(id, "ID")
    };
    assert_eq!(look(&twins.with, &one.2), look(&twins.without, &other.2));
}

#[test]
fn l16_a_hint_is_given_on_every_search_or_on_none() {
    let silent = Twins::new();
    let hint = "Records that patients do not let you see";
    for path in ["Observation?patient=p1", "Observation?code=75622-1", "Practitioner"] {
        assert!(!silent.get(path).text().contains(hint), "{path}");
    }
    let telling = Twins::set("withheld_hint = true");
    for path in ["Observation?patient=p1", "Observation?code=75622-1", "Practitioner", "Observation?patient=p1&_count=1"] {
        let reply = telling.get(path);
        assert!(reply.text().contains(hint), "{path}");
        assert_eq!(reply.text().matches("\"mode\":\"outcome\"").count(), 1, "{path}");
    }
}

#[test]
fn l17_no_error_quotes_what_is_hidden() {
    let twins = Twins::new();
    let post = |what: &str, path: &str, body: &serde_json::Value| {
        let reply = twins.alike(what, &|server| server.post(path, &Twins::clinician(server), body));
        assert!(reply.status >= 400 && !reply.text().contains("Antibodies"), "{what}: {}", reply.text());
    };
    let mut twice = observation("h1", "p1", "laboratory");
    twice["status"] = json!("no-such-status");
    post("invalid", "Observation", &json!({"resourceType": "Observation", "id": "h1", "status": 5}));
    post("validate", "Observation/$validate", &twice);
    post("match", "Patient/$match", &json!({"resourceType": "Parameters", "parameter": []}));
    let entry = |method: &str, url: &str| json!({"request": {"method": method, "url": url}});
    for (what, entries) in [
        ("delete hidden", json!([entry("DELETE", "Observation?code=75622-1"), entry("GET", "Observation/h1/_history/3")])),
        ("twice", json!([entry("DELETE", "Observation/h1"), entry("DELETE", "Observation/h1")])),
    ] {
        let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": entries});
        let _ = twins.alike(what, &|server| server.post("", &Twins::clinician(server), &bundle));
    }
    twins.all(&[
        "Observation?has-member=Observation/h1",
        "Observation?nonsense=h1",
        "Observation?_sort=nonsense",
        "Observation/h1/_history/999",
    ]);
}

#[test]
fn l18_nothing_is_kept_by_caches() {
    let twins = Twins::new();
    for path in ["Observation/o1", "Observation/h1", "Observation?patient=p1", "Observation/_history", "DiagnosticReport/r1"] {
        let reply = twins.get(path);
        assert_eq!(reply.header("cache-control"), Some("no-store"), "{path}");
        let vary = reply.header("vary").unwrap_or_default().to_ascii_lowercase();
        for word in ["authorization", "accept", "prefer"] {
            assert!(vary.contains(word), "{path}: {vary}");
        }
    }
}

#[test]
fn l19_what_was_done_to_hidden_records_is_hidden_with_them() {
    let twins = Twins::new();
    twins.all(&[
        "Provenance",
        "Provenance?target=Observation/h1",
        "Provenance?patient=p1",
        "Provenance?_summary=count",
        "Provenance/h3",
        "Observation?_id=h1&_revinclude=Provenance:target",
    ]);
    // The trail is for auditors: who may read every record does not thereby read who read them.
    for path in ["AuditEvent", "AuditEvent?entity=Observation/h1", "AuditEvent?patient=p1"] {
        let reply = twins.get(path);
        twins.with.refused(&reply, 403, "AMANAT-SCOPE-0001", "scope");
    }
    let own = |server: &Server| server.patient("p1", "patient/AuditEvent.rs");
    assert!(twins.with.get("AuditEvent?patient=p2", &own(&twins.with)).keys().is_empty());
    let explained = twins.alike("explain", &|server| server.get("Patient/p2/$explain-access", &Twins::clinician(server)));
    twins.with.refused(&explained, 403, "AMANAT-EXPLAIN-0001", "explain");
}

#[test]
fn l20_no_metric_carries_an_id_or_a_search() {
    let twins = Twins::new();
    let _ = twins.get("Observation/h1");
    let _ = twins.get("Observation?identifier=urn:obs|very-secret&patient=p1");
    let _ = twins.get("Patient/p1");
    let mut stream = TcpStream::connect(twins.with.management()).unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    assert!(text.contains("http_server_request_duration_seconds"), "{text}");
    for word in ["very-secret", "h1", "p1\"", "Practitioner/d1", "urn:obs", "\"d1\""] {
        assert!(!text.contains(word), "{word}");
    }
}
