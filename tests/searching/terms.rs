//! `:in`, `:not-in`, `:above`, `:below`, `:of-type`, `:text`.

use super::{ALL, coded, found};
use crate::support::records::patient;
use crate::support::{Server, left_out_in_front};
use serde_json::{Value, json};

fn value_set(id: &str, url: &str, more: &Value) -> Value {
    let mut set = json!({"resourceType": "ValueSet", "id": id, "url": url, "status": "active"});
    for (name, value) in more.as_object().unwrap() {
        set[name] = value.clone();
    }
    set
}

fn library() -> Server {
    let server = Server::open();
    let animals = json!({"resourceType": "CodeSystem", "id": "animals", "url": "http://animals", "status": "active", "content": "complete",
        "concept": [{"code": "animal", "concept": [{"code": "cat", "concept": [{"code": "lion"}]}, {"code": "bird"}]}, {"code": "stone"}]});
    let listed = json!({"compose": {"include": [{"system": "http://animals", "concept": [{"code": "cat"}, {"code": "stone"}]}]}});
    let below = json!({"compose": {"include": [{"system": "http://animals", "filter": [{"property": "concept", "op": "is-a", "value": "cat"}]}]}});
    let nested = json!({"compose": {"include": [{"valueSet": ["http://sets/below"]}], "exclude": [{"system": "http://animals", "concept": [{"code": "cat"}]}]}});
    let expanded =
        json!({"expansion": {"timestamp": "2026-01-01T00:00:00Z", "contains": [{"system": "http://animals", "code": "bird"}]}});
    let old = json!({"version": "1", "compose": {"include": [{"system": "http://animals", "concept": [{"code": "stone"}]}]}});
    let new = json!({"version": "2", "compose": {"include": [{"system": "http://animals", "concept": [{"code": "lion"}]}]}});
    server.seed(&[
        patient("p1", "Amin"),
        animals,
        value_set("listed", "http://sets/listed", &listed),
        value_set("below", "http://sets/below", &below),
        value_set("nested", "http://sets/nested", &nested),
        value_set("expanded", "http://sets/expanded", &expanded),
        value_set("old", "http://sets/versioned", &old),
        value_set("lost", "http://sets/lost", &json!({"compose": {"include": [{"valueSet": ["http://sets/nowhere"]}]}})),
        coded("cat", "p1", "http://animals", "cat"),
        coded("lion", "p1", "http://animals", "lion"),
        coded("bird", "p1", "http://animals", "bird"),
        coded("stone", "p1", "http://animals", "stone"),
        coded("other", "p1", "http://other", "cat"),
    ]);
    server.wait(1);
    server.seed(&[value_set("new", "http://sets/versioned", &new)]);
    server
}

#[test]
fn value_sets_are_followed_by_canonical_version_and_reference() {
    if left_out_in_front("value sets and hierarchies are taken from the gateway's own store") {
        return;
    }
    let server = library();
    let all = server.system(ALL);
    for (query, expected) in [
        ("code:in=http://sets/listed", vec!["cat", "stone"]),
        ("code:in=ValueSet/listed", vec!["cat", "stone"]),
        ("code:in=http://sets/below", vec!["cat", "lion"]),
        ("code:in=http://sets/nested", vec!["lion"]),
        ("code:in=http://sets/expanded", vec!["bird"]),
        ("code:in=http://sets/versioned|1", vec!["stone"]),
        ("code:in=http://sets/versioned|2", vec!["lion"]),
        ("code:in=http://sets/versioned", vec!["lion"]),
        ("code:in=http://sets/nested,http://sets/expanded", vec!["bird", "lion"]),
        ("code:not-in=http://sets/below", vec!["bird", "other", "stone"]),
        ("code:below=http://animals|cat", vec!["cat", "lion"]),
        ("code:above=http://animals|lion", vec!["cat", "lion"]),
        ("code:below=http://animals|animal&code:not=lion", vec!["bird", "cat"]),
        ("_filter=code in http://sets/listed", vec!["cat", "stone"]),
        ("_filter=code ss http://animals|cat and not (code eq cat)", vec!["lion"]),
        ("code:text=the li", vec!["lion"]),
        ("code:code-text=text of bird", vec!["bird"]),
    ] {
        assert_eq!(found(&server, &format!("Observation?{query}"), &all), expected, "{query}");
    }
    assert_eq!(found(&server, "Patient?_has:Observation:patient:code:in=http://sets/nested", &all), ["p1"]);
}

#[test]
fn what_is_not_known_is_an_error_and_never_no_match() {
    let server = library();
    let all = server.system(ALL);
    for query in [
        "code:in=http://sets/nowhere",
        "code:not-in=http://sets/nowhere",
        "code:in=ValueSet/nowhere",
        "code:in=http://sets/lost",
        "code:in=http://sets/versioned|3",
        "code:below=http://plants|tree",
        "code:below=http://animals|dog",
        "patient:below=Patient/p1",
        "_filter=code in http://sets/nowhere",
    ] {
        let reply = server.get(&format!("Observation?{query}"), &all);
        server.refused(&reply, 400, "AMANAT-IN-0002", "input:invalid");
        let text = reply.json()["issue"][0]["diagnostics"].as_str().unwrap_or_default().to_owned();
        assert!(!text.is_empty(), "{query}");
    }
}

#[test]
fn a_value_set_that_the_caller_may_not_see_is_none_at_all() {
    let server = library();
    let blind = server.system("system/Observation.rs");
    let masked = |query: &str, name: &str| {
        let reply = server.get(&format!("Observation?code:in={query}"), &blind);
        (reply.status, reply.masked().replace(query, "X").replace(name, "X"))
    };
    assert_eq!(masked("http://sets/listed", "listed"), masked("http://sets/nobody", "nobody"));
    assert_eq!(masked("http://sets/listed", "listed").0, 400);
}

#[test]
fn hierarchies_of_places_and_types_of_identifiers_are_followed() {
    if left_out_in_front("value sets and hierarchies are taken from the gateway's own store") {
        return;
    }
    let server = Server::open();
    let place = |id: &str, within: Option<&str>| {
        let mut place = json!({"resourceType": "Location", "id": id, "status": "active", "name": id});
        if let Some(within) = within {
            place["partOf"] = json!({"reference": format!("Location/{within}")});
        }
        place
    };
    let visit = |id: &str, at: &str| {
        json!({"resourceType": "Encounter", "id": id, "status": "finished", "class": {"code": "AMB"},
            "location": [{"location": {"reference": format!("Location/{at}")}}]})
    };
    let mut known = patient("p1", "Amin");
    known["identifier"] = json!([{"type": {"coding": [{"system": "http://t", "code": "MR"}]}, "system": "urn:a", "value": "1|2"},
        {"type": {"coding": [{"system": "http://t", "code": "SS"}]}, "value": "7"}]);
    server.seed(&[
        place("house", None),
        place("floor", Some("house")),
        place("room", Some("floor")),
        visit("e1", "house"),
        visit("e2", "room"),
        visit("e3", "floor"),
        known,
    ]);
    let all = server.system(ALL);
    for (query, expected) in [
        ("Encounter?location:below=floor", vec!["e2", "e3"]),
        ("Encounter?location:below=Location/house", vec!["e1", "e2", "e3"]),
        ("Encounter?location:above=Location/floor", vec!["e1", "e3"]),
        ("Location?partof:below=house", vec!["floor", "room"]),
        (r"Patient?identifier:of-type=http://t|MR|1\|2", vec!["p1"]),
        ("Patient?identifier:of-type=http://t|SS|7", vec!["p1"]),
        ("Patient?identifier:of-type=http://t|MR|7", vec![]),
        ("Patient?identifier:of-type=http://u|SS|7", vec![]),
    ] {
        assert_eq!(found(&server, query, &all), expected, "{query}");
    }
}
