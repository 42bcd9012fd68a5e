//! `_contained`, `_containedType`.

use super::{ALL, found, matches};
use crate::support::records::patient;
use crate::support::{Server, left_out_in_front};
use serde_json::json;

fn pharmacy() -> Server {
    let server = Server::open();
    let medication = |id: &str, code: &str| json!({"resourceType": "Medication", "id": id, "code": {"coding": [{"system": "http://m", "code": code}]}, "status": "active"});
    let order = |id: &str, patient: &str, contained: serde_json::Value| {
        json!({"resourceType": "MedicationRequest", "id": id, "status": "active", "intent": "order", "contained": contained,
            "medicationReference": {"reference": "#m"}, "subject": {"reference": format!("Patient/{patient}")}})
    };
    server.seed(&[
        patient("p1", "Amin"),
        patient("p2", "Bano"),
        medication("whole", "a"),
        order("r1", "p1", json!([medication("m", "a")])),
        order("r2", "p2", json!([medication("m", "b"), medication("n", "a")])),
        order("r3", "p1", json!([medication("m", "b")])),
    ]);
    server
}

#[test]
fn contained_resources_are_found_by_their_own_values() {
    if left_out_in_front("`_contained` looks into the index of the gateway's own store") {
        return;
    }
    let server = pharmacy();
    let all = server.system(ALL);
    for (query, expected) in [
        ("code=a", vec!["whole"]),
        ("code=a&_contained=false", vec!["whole"]),
        ("code=a&_contained=true", vec!["r1", "r2"]),
        ("code=a&_contained=both", vec!["r1", "r2", "whole"]),
        ("code=http://m|b&_contained=true", vec!["r2", "r3"]),
        ("code:not=a&_contained=true", vec!["r2", "r3"]),
        ("_id=n&_contained=true", vec!["r2"]),
        ("code=a&code=b&_contained=true", vec![]),
        ("code=a&_id=m&_contained=true", vec!["r1"]),
        ("code:missing=true&_contained=true", vec![]),
        ("_contained=true&_filter=code eq a or code eq b", vec!["r1", "r2", "r3"]),
    ] {
        assert_eq!(found(&server, &format!("Medication?{query}"), &all), expected, "{query}");
    }
}

#[test]
fn what_is_contained_can_be_shown_by_itself() {
    if left_out_in_front("`_contained` looks into the index of the gateway's own store") {
        return;
    }
    let server = pharmacy();
    let all = server.system(ALL);
    let reply = server.get("Medication?code=a&_contained=true&_containedType=contained", &all).expect(200);
    let mut urls: Vec<String> =
        reply.json()["entry"].as_array().unwrap().iter().map(|entry| entry["fullUrl"].as_str().unwrap().to_owned()).collect();
    urls.sort();
    let base = crate::support::BASE;
    assert_eq!(urls, [format!("{base}/MedicationRequest/r1#m"), format!("{base}/MedicationRequest/r2#n")]);
    let both = server.get("Medication?code=a&_contained=both&_containedType=contained", &all).expect(200);
    let mut ids = matches(&both);
    ids.sort();
    assert_eq!(ids, ["m", "n", "whole"]);
}

#[test]
fn contained_resources_are_as_hidden_as_what_contains_them() {
    if left_out_in_front("`_contained` looks into the index of the gateway's own store") {
        return;
    }
    let server = pharmacy();
    let app = server.patient("p1", "patient/MedicationRequest.rs patient/Medication.rs");
    let reply = server.get("Medication?code=a&_contained=true&_total=accurate", &app).expect(200);
    assert_eq!((matches(&reply), &reply.json()["total"]), (vec!["r1".to_owned()], &1.into()));
    let blind = server.system("system/Medication.rs");
    assert!(found(&server, "Medication?code=a&_contained=true", &blind).is_empty());
}
