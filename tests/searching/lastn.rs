//! `Observation/$lastn`.

use super::{ALL, coded, matches};
use crate::support::Server;
use crate::support::records::patient;
use serde_json::json;

#[test]
fn the_newest_of_each_kind_are_given() {
    let server = Server::open();
    let dated = |id: &str, patient: &str, code: &str, day: u32| {
        let mut record = coded(id, patient, "http://s", code);
        record["effectiveDateTime"] = json!(format!("2026-01-{day:02}"));
        record
    };
    let mut both = dated("both", "p1", "a", 5);
    both["code"]["coding"].as_array_mut().unwrap().push(json!({"system": "http://t", "code": "alpha"}));
    let mut translated = dated("translated", "p1", "x", 6);
    translated["code"] = json!({"coding": [{"system": "http://t", "code": "alpha"}]});
    server.seed(&[
        patient("p1", "Amin"),
        patient("p2", "Bano"),
        dated("a1", "p1", "a", 1),
        dated("a3", "p1", "a", 3),
        dated("a2", "p1", "a", 2),
        dated("b1", "p1", "b", 1),
        dated("other", "p2", "a", 9),
        both,
        translated,
    ]);
    let all = server.system(ALL);
    let ask = |query: &str| matches(&server.get(&format!("Observation/$lastn?{query}"), &all).expect(200));
    assert_eq!(ask("patient=p1&code=http://s|a,http://s|b,http://t|alpha"), ["translated", "b1"]);
    assert_eq!(ask("patient=p1&code=http://s|a,http://s|b&max=2"), ["both", "a3", "b1"]);
    assert_eq!(ask("subject=Patient/p1&code=b&max=3"), ["b1"]);
    assert_eq!(ask("patient=p1,p2&code=a"), ["other"]);
    for query in [
        "patient=p1",
        "code=a",
        "patient=p1&code=a&max=0",
        "patient=p1&code=a&max=x",
        "patient=p1&code=a&_sort=date",
        "patient=p1&code=a&nosuch=1",
    ] {
        server.refused(&server.get(&format!("Observation/$lastn?{query}"), &all), 400, "AMANAT-IN-0002", "input:invalid");
    }
    let app = server.patient("p1", "patient/*.rs");
    let none = server.get("Observation/$lastn?patient=p2&code=a", &app).expect(200);
    assert!(matches(&none).is_empty());
    server.refused(
        &server.get("Observation/$lastn?patient=p1&code=a", &server.system("system/Patient.rs")),
        403,
        "AMANAT-SCOPE-0001",
        "scope",
    );
}
