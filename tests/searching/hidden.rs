//! Two stores that differ only in what the caller may not see answer every search alike.

use super::coded;
use crate::support::Server;
use crate::support::records::patient;
use serde_json::{Value, json};

fn records(hidden: bool) -> Vec<Value> {
    let mut all = vec![
        patient("p1", "Amin"),
        coded("o1", "p1", "http://s", "a"),
        json!({"resourceType": "List", "id": "l1", "status": "current", "mode": "working", "subject": {"reference": "Patient/p1"},
            "entry": [{"item": {"reference": "Observation/o1"}}]}),
        json!({"resourceType": "Location", "id": "house", "name": "house", "position": {"latitude": 1.0, "longitude": 1.0}}),
    ];
    if hidden {
        let mut secret = coded("o2", "p2", "http://s", "a");
        secret["text"] = json!({"status": "additional", "div": "<div xmlns=\"http://www.w3.org/1999/xhtml\">secretly</div>"});
        secret["contained"] =
            json!([{"resourceType": "Observation", "id": "c", "status": "final", "code": {"text": "secretly"}}]);
        all.extend([
            patient("p2", "Bano"),
            secret,
            json!({"resourceType": "List", "id": "l2", "status": "current", "mode": "working", "subject": {"reference": "Patient/p2"},
                "entry": [{"item": {"reference": "Observation/o1"}}]}),
            json!({"resourceType": "ValueSet", "id": "v1", "url": "http://sets/v1", "status": "active",
                "compose": {"include": [{"system": "http://s"}]}}),
        ]);
    }
    all
}

#[test]
fn no_search_tells_of_what_is_hidden() {
    let (with, without) = (Server::open(), Server::open());
    with.seed(&records(true));
    without.seed(&records(false));
    for query in [
        "Observation?_text=secretly&_total=accurate",
        "Observation?_content=secretly OR final&_total=accurate",
        "Observation?_content=final&_sort=-_id&_total=accurate",
        "Observation?_list=l2",
        "Observation?_list=l1,l2&_total=accurate",
        "Observation?_filter=code eq a&_total=accurate",
        "Observation?_filter=subject.family co ano",
        "Observation?_filter=not (subject.family eq nobody)&_total=accurate",
        "Observation?_filter=_has:List:item:_id eq l2",
        "Patient?_filter=_has:Observation:patient:code eq a&_total=accurate",
        "Observation?_contained=true&_total=accurate",
        "Observation?_contained=both&code=a&_total=accurate",
        "Observation?_contained=true&_containedType=contained",
        "Observation?code:in=http://sets/v1",
        "Observation?code:in=ValueSet/v1",
        "Observation?code:not-in=http://sets/v1",
        "?_content=secretly OR a&_type=Observation,List&_total=accurate",
        "Observation/$lastn?patient=p2&code=a",
        "Observation/$lastn?patient=p1,p2&code=a&max=5",
    ] {
        let ask = |server: &Server| {
            let app = server.patient("p1", "patient/Observation.rs patient/List.rs patient/Patient.rs");
            server.get(query, &app).masked()
        };
        assert_eq!(ask(&with), ask(&without), "{query}");
    }
}
