//! `_filter`.

use super::{ALL, coded, found};
use crate::support::Server;
use crate::support::records::patient;
use serde_json::json;

#[test]
fn filters_find_what_their_operators_say() {
    let server = Server::open();
    let observation = |id: &str, patient: &str, code: &str, date: &str, value: f64| {
        let mut record = coded(id, patient, "http://s", code);
        record["effectiveDateTime"] = json!(date);
        record["valueQuantity"] = json!({"value": value, "system": "http://unitsofmeasure.org", "code": "mg"});
        record
    };
    server.seed(&[
        patient("p1", "Amin"),
        patient("p2", "Bano"),
        observation("o1", "p1", "abc", "2024-01-10", 5.0),
        observation("o2", "p1", "abd", "2024-06-10", 7.0),
        observation("o3", "p2", "xbc", "2025-01-10", 9.0),
        json!({"resourceType": "Observation", "id": "o4", "status": "amended"}),
    ]);
    let all = server.system(ALL);
    for (filter, expected) in [
        ("code eq abc", vec!["o1"]),
        ("code eq http://s|abc or code eq http://s|xbc", vec!["o1", "o3"]),
        ("code ne abc", vec!["o2", "o3"]),
        ("code co b", vec!["o1", "o2", "o3"]),
        ("code sw ab", vec!["o1", "o2"]),
        ("code ew bc", vec!["o1", "o3"]),
        ("code pr false", vec!["o4"]),
        ("not (code pr true)", vec!["o4"]),
        ("date ge 2024-06-10 and value-quantity lt 9", vec!["o2"]),
        ("date po 2024", vec!["o1", "o2"]),
        ("date sa 2024-06", vec!["o3"]),
        ("value-quantity gt 6|http://unitsofmeasure.org|mg", vec!["o2", "o3"]),
        ("subject.name co \"man\"", vec![]),
        ("subject.name co \"ano\"", vec!["o3"]),
        ("subject:Patient.family eq AMIN and status eq final", vec!["o1", "o2"]),
        ("subject[active eq false or family sw a].birthdate pr true", vec!["o1", "o2"]),
        ("patient re Patient/p2", vec!["o3"]),
        ("patient ne Patient/p2", vec!["o1", "o2"]),
        ("_id eq o1 or status eq amended", vec!["o1", "o4"]),
        ("status eq final and (code eq abc or code eq xbc)", vec!["o1", "o3"]),
        // From left to right, without precedence.
        ("code eq abc or code eq xbc and patient re Patient/p2", vec!["o3"]),
    ] {
        assert_eq!(found(&server, &format!("Observation?_filter={filter}"), &all), expected, "{filter}");
    }
    assert_eq!(found(&server, "Patient?_filter=_has:Observation:patient:code eq xbc", &all), ["p2"]);
    assert_eq!(found(&server, "Observation?_filter=code sw ab&date=2024-01-10", &all), ["o1"]);
    for filter in ["code", "code is abc", "nosuch eq 1", "status gt final", "(code eq abc", "_text eq x"] {
        server.refused(&server.get(&format!("Observation?_filter={filter}"), &all), 400, "AMANAT-IN-0002", "input:invalid");
    }
}
