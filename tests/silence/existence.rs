//! Whether there is something: L1 to L3, L12 and L13.

use super::Twins;
use crate::support::records::observation;
use crate::support::{Reply, Server};
use serde_json::json;

/// An answer about a record, without the record's id.
fn about(reply: &Reply, id: &str) -> String {
    reply.masked().replace(id, "ID")
}

#[test]
fn l01_a_hidden_record_answers_like_one_that_never_existed() {
    let twins = Twins::new();
    let ask = |method: &str, path: &str, server: &Server| {
        let call = server.call(method, path).token(&Twins::clinician(server));
        let id = path.split(['/', '?']).nth(1).unwrap_or_default();
        match method {
            "PUT" => call.json(&observation(id, "p1", "laboratory")).send(),
            "PATCH" => call.json(&json!([{"op": "test", "path": "/status", "value": "final"}])).send(),
            _ => call.send(),
        }
    };
    for (method, rest) in [
        ("GET", ""),
        ("HEAD", ""),
        ("GET", "?_summary=true"),
        ("GET", "/_history/1"),
        ("GET", "/_history/9"),
        ("GET", "/_history"),
        ("GET", "/$everything"),
        ("PATCH", ""),
        ("PUT", ""),
        ("DELETE", ""),
    ] {
        let one = twins.alike(method, &|server| ask(method, &format!("Observation/h1{rest}"), server));
        let other = ask(method, &format!("Observation/x9{rest}"), &twins.with);
        assert_eq!(about(&one, "h1"), about(&other, "x9"), "{method} {rest}");
        assert_eq!(one.status, 404, "{method} {rest}");
        for header in ["etag", "last-modified", "location"] {
            assert_eq!(one.header(header), None, "{method} {rest}");
        }
    }
    for (name, value) in [("If-None-Match", "W/\"1\""), ("If-Modified-Since", "Mon, 01 Jun 2026 12:00:00 GMT")] {
        let reply = twins.alike(name, &|server| {
            server.call("GET", "Observation/h1").token(&Twins::clinician(server)).header(name, value).send()
        });
        assert_eq!(reply.status, 404, "a condition tells nothing");
    }
    // Deleted and hidden is not gone.
    let all = twins.with.system("system/*.cruds");
    let _ = twins.with.delete(
        "Observation/h1",
        &twins
            .with
            .token(json!({"scope": "patient/*.cruds", "patient": "p1", "fhirUser": "Patient/p1", "purpose_of_use": "PATRQT"})),
    );
    let _ = twins.with.delete("Condition/h2", &all);
    assert_eq!(twins.get("Observation/h1").status, 404);
    assert_eq!(twins.get("Observation/h1/_history").status, 404);
}

#[test]
fn l02_a_type_without_scope_is_refused_before_anything_is_looked_at() {
    let twins = Twins::new();
    let token = |server: &Server| server.clinician("d1", "user/Patient.rs");
    for path in ["Observation/h1", "Observation/o1", "Observation/x9", "Observation?code=75622-1", "Observation/h1/_history"] {
        let reply = twins.alike(path, &|server| server.get(path, &token(server)));
        twins.with.refused(&reply, 403, "AMANAT-SCOPE-0001", "scope");
    }
    // Nor does it come in by way of another type.
    for path in ["Patient?_has:Observation:patient:code=75622-1", "Patient?_revinclude=Observation:patient"] {
        let reply = twins.alike(path, &|server| server.get(path, &token(server)));
        assert!(!reply.text().contains("Observation/"), "{}", reply.text());
    }
}

#[test]
fn l03_a_search_for_somebody_outside_the_compartment_is_empty() {
    let twins = Twins::new();
    let token = |server: &Server| server.patient("p1", "patient/*.rs");
    for path in [
        "Observation?patient=p2",
        "Observation?subject=Patient/p2",
        "Patient?_id=p2",
        "Patient/p2/Observation",
        "Patient?name=Bano",
    ] {
        let reply = twins.alike(path, &|server| server.get(path, &token(server)));
        assert_eq!((reply.status, reply.json()["total"].as_u64()), (200, Some(0)), "{path}");
        assert!(reply.json().get("entry").is_none(), "{path}");
    }
}

#[test]
fn l12_a_condition_selects_within_what_the_caller_sees() {
    let twins = Twins::new();
    let made = |server: &Server| {
        let call = server.call("POST", "Observation").token(&Twins::clinician(server));
        let reply = call.header("If-None-Exist", "identifier=urn:obs%7Ch1").json(&observation("x", "p1", "laboratory")).send();
        let id = reply.json()["id"].as_str().unwrap_or_default().to_owned();
        (reply.status, about(&reply, &id))
    };
    let (one, other) = (made(&twins.with), made(&twins.without));
    assert_eq!(one, other);
    assert_eq!(one.0, 201, "never 412, never 200");
    for method in ["PUT", "PATCH", "DELETE"] {
        // The record of this code is hidden: to the caller there is none.
        let path = "Observation?code=75622-1";
        let reply = twins.alike(method, &|server| {
            let call = server.call(method, path).token(&Twins::clinician(server));
            match method {
                "PATCH" => call.json(&json!([{"op": "replace", "path": "/status", "value": "amended"}])).send(),
                // Refused for the body in both, after the condition selected nothing.
                "PUT" => call.json(&json!({"resourceType": "Observation", "id": "x9", "status": "final"})).send(),
                _ => call.send(),
            }
        });
        assert_ne!(reply.status, 412, "{method}");
    }
    let reply = twins.alike("conditional reference", &|server| {
        let mut body = observation("x", "p1", "laboratory");
        body["hasMember"] = json!([{"reference": "Observation?code=http://loinc.org%7C75622-1"}]);
        server.post("Observation", &Twins::clinician(server), &body)
    });
    assert_eq!(reply.status, 422);
}

#[test]
fn l13_nobody_outside_takes_an_id() {
    let twins = Twins::new();
    for id in ["h1", "x9"] {
        let path = format!("Observation/{id}");
        for condition in [None, Some(("If-Match", "W/\"1\"")), Some(("If-None-Match", "*"))] {
            let reply = twins.alike(&path, &|server| {
                let call = server.call("PUT", &path).token(&Twins::clinician(server));
                let call = condition.into_iter().fold(call, |call, (name, value)| call.header(name, value));
                call.json(&observation(id, "p1", "laboratory")).send()
            });
            assert_eq!(reply.status, 404, "{path} {condition:?}");
        }
    }
}
