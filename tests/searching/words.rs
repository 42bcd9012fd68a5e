//! `_text`, `_content`, `near`, `_list`.

use super::{ALL, coded, found};
use crate::support::Server;
use crate::support::records::patient;
use serde_json::{Value, json};

fn told(id: &str, patient: &str, div: &str, note: &str) -> Value {
    let mut record = coded(id, patient, "http://s", "x");
    record["text"] =
        json!({"status": "additional", "div": format!("<div xmlns=\"http://www.w3.org/1999/xhtml\"><p>{div}</p></div>")});
    record["note"] = json!([{"text": note}]);
    record
}

#[test]
fn words_are_found_in_narratives_and_contents_and_follow_changes() {
    let server = Server::open();
    server.seed(&[
        patient("p1", "Amin"),
        patient("p2", "Bano"),
        told("o1", "p1", "Fever &amp; chills", "since Monday"),
        told("o2", "p1", "no <b>fever</b>", "chest pain"),
        told("o3", "p2", "Rückenschmerz", "pain in the chest"),
    ]);
    let all = server.system(ALL);
    for (query, expected) in [
        ("_text=fever", vec!["o1", "o2"]),
        ("_text=FEVER chills", vec!["o1"]),
        ("_text=fever NOT chills", vec!["o2"]),
        ("_text=ruck*", vec!["o3"]),
        ("_text=rückenschmerz OR chills", vec!["o1", "o3"]),
        ("_text=monday", vec![]),
        ("_content=monday", vec!["o1"]),
        ("_content=\"chest pain\"", vec!["o2"]),
        ("_content=chest pain", vec!["o2", "o3"]),
        ("_content=(monday OR chest) AND fever", vec!["o1", "o2"]),
        ("_content=pain&patient=p2", vec!["o3"]),
        ("_text=fever&_sort=-_id&_count=1", vec!["o2"]),
    ] {
        let query = query.replace('ü', "%C3%BC");
        assert_eq!(found(&server, &format!("Observation?{query}"), &all), expected, "{query}");
    }
    assert_eq!(found(&server, "?_content=fever", &all), ["o1", "o2"]);
    let app = server.patient("p1", "patient/*.rs");
    assert_eq!(server.get("Observation?_content=chest&_total=accurate", &app).expect(200).json()["total"], 1);
    let _ = server.put("Observation/o1", &all, &told("o1", "p1", "well", "well")).expect(200);
    let _ = server.delete("Observation/o2", &all);
    assert!(found(&server, "Observation?_text=fever", &all).is_empty());
    assert_eq!(found(&server, "Observation?_content=well", &all), ["o1"]);
}

#[test]
fn labels_are_in_no_words() {
    let server = Server::open();
    let mut record = told("o1", "p1", "plain", "plain");
    record["meta"] = json!({"security": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "HIV", "display": "secretly"}]});
    server.seed(&[patient("p1", "Amin"), record]);
    assert!(found(&server, "Observation?_content=secretly OR hiv", &server.system(ALL)).is_empty());
}

#[test]
fn places_are_found_by_how_near_they_are() {
    let server = Server::open();
    let place = |id: &str, latitude: f64, longitude: f64| json!({"resourceType": "Location", "id": id, "position": {"latitude": latitude, "longitude": longitude}});
    server.seed(&[place("karachi", 24.8607, 67.0011), place("thatta", 24.7475, 67.9235), place("lahore", 31.5204, 74.3587)]);
    server.seed(&[json!({"resourceType": "Location", "id": "nowhere"})]);
    let all = server.system(ALL);
    for (query, expected) in [
        ("near=24.86|67.0", vec!["karachi"]),
        ("near=24.86|67.0|100|km", vec!["karachi", "thatta"]),
        ("near=24.86|67.0|60|[mi_i]", vec!["karachi", "thatta"]),
        ("near=24.86|67.0|1100000|m", vec!["karachi", "lahore", "thatta"]),
        ("near=24.8607|67.0011|0|m", vec!["karachi"]),
        ("near=31.5|74.3|20|km,24.86|67.0|20|km", vec!["karachi", "lahore"]),
        ("near:missing=true", vec!["nowhere"]),
    ] {
        assert_eq!(found(&server, &format!("Location?{query}"), &all), expected, "{query}");
    }
}

#[test]
fn a_list_gives_what_it_lists_to_those_who_see_the_list() {
    let server = Server::open();
    let list = json!({"resourceType": "List", "id": "l1", "status": "current", "mode": "working", "subject": {"reference": "Patient/p1"},
        "entry": [{"item": {"reference": "Observation/o1"}}, {"item": {"reference": "Observation/o3"}}]});
    server.seed(&[
        patient("p1", "Amin"),
        patient("p2", "Bano"),
        coded("o1", "p1", "http://s", "a"),
        coded("o2", "p1", "http://s", "a"),
        coded("o3", "p2", "http://s", "a"),
        list,
    ]);
    let all = server.system(ALL);
    assert_eq!(found(&server, "Observation?_list=l1", &all), ["o1", "o3"]);
    assert_eq!(found(&server, "Observation?_list=l1&patient=p1", &all), ["o1"]);
    assert!(found(&server, "Observation?_list=nowhere", &all).is_empty());
    assert_eq!(found(&server, "Observation?_list=l1", &server.patient("p1", "patient/*.rs")), ["o1"]);
    assert!(found(&server, "Observation?_list=l1", &server.system("system/Observation.rs")).is_empty(), "the list is hidden");
    server.refused(&server.get("Observation?_list=$current-problems", &all), 400, "AMANAT-IN-0002", "input:invalid");
}
