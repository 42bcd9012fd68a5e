//! Search parameters that a site defines.

use super::{ALL, found};
use crate::support::records::patient;
use crate::support::{Server, left_out_in_front};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

fn parameter(id: &str, code: &str, expression: &str) -> Value {
    json!({"resourceType": "SearchParameter", "id": id, "url": format!("http://own/{id}"), "name": id, "status": "active",
        "description": "own", "code": code, "base": ["Patient"], "type": "token", "expression": expression})
}

/// The state of a parameter, once it is no longer being indexed.
fn settled(server: &Server, code: &str) -> Option<String> {
    let all = server.system(ALL);
    let begun = Instant::now();
    loop {
        let status = server.get("SearchParameter/$index-status", &all).expect(200).json();
        let parts = status["parameter"].as_array().cloned().unwrap_or_default();
        let value = |one: &Value, name: &str| {
            let part = one["part"].as_array()?.iter().find(|part| part["name"] == name)?.clone();
            Some(part["valueCode"].as_str()?.to_owned())
        };
        let state = parts.iter().find(|one| value(one, "code").as_deref() == Some(code)).and_then(|one| value(one, "state"));
        if state.as_deref() != Some("indexing") && (state.is_some() || begun.elapsed() > Duration::from_secs(3)) {
            return state;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "never indexed: {status}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_parameter_is_searched_by_when_all_records_are_indexed_and_no_longer_when_it_is_gone() {
    if left_out_in_front("search parameters of a site are an index of the gateway's own store") {
        return;
    }
    let server = Server::open();
    let all = server.system(ALL);
    let married = |id: &str, code: &str| {
        let mut record = patient(id, "Amin");
        record["maritalStatus"] = json!({"coding": [{"system": "http://m", "code": code}]});
        record
    };
    let many: Vec<Value> = (0..300).map(|n| married(&format!("p{n}"), if n < 150 { "M" } else { "S" })).collect();
    server.seed(&many);
    server.refused(&server.get("Patient?marital=M", &all), 400, "AMANAT-IN-0002", "input:invalid");
    server.seed(&[parameter("marital", "marital", "Patient.maritalStatus"), parameter("odd", "odd", "Patient.name.first()")]);
    assert_eq!(settled(&server, "marital").as_deref(), Some("indexed"));
    assert_eq!(settled(&server, "odd").as_deref(), Some("refused"));
    assert_eq!(server.get("Patient?marital=http://m|M&_total=accurate", &all).expect(200).json()["total"], 150);
    server.refused(&server.get("Patient?odd=x", &all), 400, "AMANAT-IN-0002", "input:invalid");
    let told = |server: &Server| server.get("metadata", "").expect(200).text().contains("http://own/marital");
    assert!(told(&server));
    let _ = server.put("Patient/p0", &all, &married("p0", "W")).expect(200);
    assert_eq!(found(&server, "Patient?marital=W", &all), ["p0"]);
    assert_eq!(server.get("Patient?marital=M&_summary=count", &all).expect(200).json()["total"], 149);
    let app = server.patient("p1", "patient/*.rs");
    assert_eq!(found(&server, "Patient?marital:missing=false", &app), ["p1"]);
    let _ = server.delete("SearchParameter/marital", &all);
    let begun = Instant::now();
    while told(&server) {
        assert!(begun.elapsed() < Duration::from_secs(20), "never gone");
        std::thread::sleep(Duration::from_millis(50));
    }
    server.refused(&server.get("Patient?marital=M", &all), 400, "AMANAT-IN-0002", "input:invalid");
}
