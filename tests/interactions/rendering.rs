//! How answers are written: `Prefer`, `_summary`, `_elements`, `_pretty`, `_format`, conditions of reads.

use super::{ALL, ward};
use crate::support::records::observation;
use serde_json::json;

#[test]
fn prefer_decides_what_a_change_is_answered_with() {
    let server = ward();
    let all = server.system(ALL);
    let body = observation("o1", "p1", "laboratory");
    for (method, path) in [("POST", "Observation"), ("PUT", "Observation/o1")] {
        let ask = |prefer: &str| server.call(method, path).token(&all).header("Prefer", prefer).json(&body).send();
        assert_eq!(ask("return=representation").json()["resourceType"], "Observation");
        assert_eq!(ask("return=OperationOutcome").json()["resourceType"], "OperationOutcome");
        let minimal = ask("return=minimal");
        assert_eq!((minimal.body.len(), minimal.header("etag").is_some(), minimal.header("location").is_some()), (0, true, true));
        assert_eq!(ask("return=nothing").json()["resourceType"], "Observation");
    }
    let ask = |prefer: &str| {
        let patch = json!([{"op": "replace", "path": "/status", "value": "amended"}]);
        server.call("PATCH", "Observation/o1").token(&all).header("Prefer", prefer).json(&patch).send().expect(200)
    };
    assert_eq!(ask("return=minimal").body.len(), 0);
    assert_eq!(ask("return=representation").json()["status"], "amended");
    let delete = |path: &str, prefer: &str| server.call("DELETE", path).token(&all).header("Prefer", prefer).send();
    assert_eq!(delete("Observation/v1", "return=OperationOutcome").expect(200).json()["resourceType"], "OperationOutcome");
    assert_eq!(delete("Observation/o1", "return=minimal").expect(204).body.len(), 0);
}

#[test]
fn a_view_says_that_it_is_one_and_keeps_what_is_mandatory() {
    let server = ward();
    let all = server.system(ALL);
    for path in ["Observation/o1?_elements=valueQuantity", "Observation?_id=o1&_elements=valueQuantity"] {
        let body = server.get(path, &all).expect(200).json();
        let record = if body["resourceType"] == "Bundle" { body["entry"][0]["resource"].clone() } else { body };
        assert!(record["meta"]["tag"].to_string().contains("SUBSETTED"), "{path}: {record}");
        for kept in ["id", "status", "code", "valueQuantity"] {
            assert!(record.get(kept).is_some(), "{path}: {kept}");
        }
        assert!(record.get("identifier").is_none() && record.get("subject").is_none(), "{path}");
    }
    let count = server.get("Observation?_summary=count", &all).expect(200).json();
    assert_eq!((&count["total"], count.get("entry")), (&json!(3), None));
    let text = server.get("Observation/o1?_summary=text", &all).expect(200).json();
    assert!(text.get("valueQuantity").is_none() && text.get("status").is_some());
    let whole = server.get("Observation/o1?_summary=false", &all).expect(200);
    assert_eq!(whole.body, server.get("Observation/o1", &all).body);
}

#[test]
fn pretty_changes_white_space_alone() {
    let server = ward();
    let all = server.system(ALL);
    for path in ["Observation/o1", "Observation?_id=o1"] {
        let (plain, pretty) = (
            server.get(path, &all),
            server.get(&format!("{path}{}_pretty=true", if path.contains('?') { "&" } else { "?" }), &all),
        );
        assert!(pretty.text().lines().count() > 5);
        let compact = |text: &str| {
            let mut value: serde_json::Value = serde_json::from_str(text).unwrap();
            value.as_object_mut().unwrap().remove("link");
            value.to_string()
        };
        assert_eq!(compact(plain.text()), compact(pretty.text()));
        assert!(pretty.text().contains("13.5"));
    }
}

#[test]
fn a_copy_that_is_current_is_not_sent_again() {
    let server = ward();
    let all = server.system(ALL);
    let ask = |name: &str, value: &str| server.call("GET", "Observation/o1").token(&all).header(name, value).send();
    for (name, value, status) in [
        ("If-None-Match", "W/\"1\"", 304),
        ("If-None-Match", "\"1\"", 304),
        ("If-None-Match", "W/\"2\"", 200),
        ("If-Modified-Since", "Mon, 01 Jun 2026 12:00:00 GMT", 304),
        ("If-Modified-Since", "Mon, 01 Jun 2026 11:59:59 GMT", 200),
        ("If-Modified-Since", "yesterday", 200),
    ] {
        let reply = ask(name, value);
        server.allowed(&reply, status, "read", &["p1"]);
        assert_eq!(reply.body.is_empty(), status == 304, "{name}: {value}");
        assert_eq!(reply.header("etag"), Some("W/\"1\""));
    }
}

#[test]
fn a_record_comes_back_as_it_was_sent() {
    let server = ward();
    let all = server.system(ALL);
    let body = r#"{"resourceType":"Observation","extension":[{"url":"urn:unknown","valueDecimal":1.50}],"status":"final","code":{"text":"\u00e9"},"subject":{"reference":"Patient/p1"},"valueQuantity":{"value":1e2,"unit":"x"},"id":"exact"}"#;
    let reply = server.call("PUT", "Observation/exact").token(&all).body("application/fhir+json", body).send().expect(201);
    for text in [
        reply.text().to_owned(),
        server.get("Observation/exact", &all).text().to_owned(),
        server.get("Observation?_id=exact", &all).text().to_owned(),
    ] {
        for part in [
            r#""extension":[{"url":"urn:unknown","valueDecimal":1.50}],"status":"final""#,
            r#""valueQuantity":{"value":1e2,"unit":"x"}"#,
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }
}
