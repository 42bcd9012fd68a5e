//! What the letter of R4's search page says in its corners.

use super::{ALL, coded, found, matches};
use crate::support::records::{organization, patient};
use crate::support::{Server, left_out_in_front};
use serde_json::{Value, json};

/// Records of one type with these contents, by their ids.
fn each(of: &str, contents: &[(&str, Value)]) -> Vec<Value> {
    let whole = |(id, content): &(&str, Value)| {
        let mut record = json!({"resourceType": of, "id": id});
        record.as_object_mut().unwrap().extend(content.as_object().unwrap().clone());
        record
    };
    contents.iter().map(whole).collect()
}

#[test]
fn a_parameter_without_a_value_says_nothing() {
    let server = Server::open();
    server.seed(&[patient("p1", "Amin"), patient("p2", "Bano")]);
    let all = server.system(ALL);
    for query in
        ["name=", "name=&family=", "nosuch=", "_summary=&_elements=&_pretty=", "_has:Observation:patient:code=", "_sort="]
    {
        assert_eq!(found(&server, &format!("Patient?{query}"), &all), ["p1", "p2"], "{query}");
    }
    let reply = server.get("Patient?name=&family=amin", &all).expect(200);
    assert_eq!(matches(&reply), ["p1"]);
    assert!(reply.json()["link"][0]["url"].as_str().unwrap().ends_with("Patient?family=amin"), "{}", reply.text());
    // What a change is about leaves out nothing.
    for (method, path) in [("DELETE", "Patient?family=&gender=female"), ("PUT", "Patient?family=amin&gender=")] {
        let mut body = patient("p1", "Amin");
        body.as_object_mut().unwrap().remove("id");
        let call = server.call(method, path).token(&all);
        let reply = if method == "PUT" { call.json(&body).send() } else { call.send() };
        server.refused(&reply, 400, "AMANAT-IN-0002", "input:invalid");
    }
    let reply = server.call("DELETE", "Patient?colour=red&family=amin").token(&all).header("Prefer", "handling=lenient").send();
    server.refused(&reply, 400, "AMANAT-IN-0002", "input:invalid");
}

#[test]
fn media_types_are_found_with_their_parameters() {
    let server = Server::open();
    let document = |kind: &str| json!({"status": "current", "content": [{"attachment": {"contentType": kind}}]});
    server.seed(&each(
        "DocumentReference",
        &[
            ("plain", document("text/xml")),
            ("set", document("text/xml; charset=UTF-8")),
            ("tight", document("text/xml;charset=UTF-8")),
            ("longer", document("text/xml-external-parsed-entity")),
            ("other", document("application/pdf")),
        ],
    ));
    let all = server.system(ALL);
    for (query, expected) in [
        ("contenttype=text/xml", vec!["plain"]),
        ("contenttype:below=text/xml", vec!["plain", "set", "tight"]),
        ("contenttype:below=text/xml,application/pdf", vec!["other", "plain", "set", "tight"]),
    ] {
        assert_eq!(found(&server, &format!("DocumentReference?{query}"), &all), expected, "{query}");
    }
}

#[test]
fn canonicals_are_found_by_their_versions_and_texts_in_any_case() {
    let server = Server::open();
    let set = |url: &str, version: &str| json!({"status": "active", "url": url, "version": version});
    server.seed(&each(
        "ValueSet",
        &[
            ("one", set("http://sets/a", "1.0")),
            ("two", set("http://sets/a", "2.0-Draft")),
            ("below", set("http://sets/a/b", "1.0")),
            ("beside", set("http://sets/ab", "1.0")),
            ("named", set("urn:oid:1.2.3", "1.0")),
        ],
    ));
    let all = server.system(ALL);
    for (query, expected) in [
        ("url=http://sets/a", vec!["one", "two"]),
        ("url=http://sets/a|1.0", vec!["one"]),
        ("url=http://sets/a|2.0-draft", vec!["two"]),
        ("url=http://sets/a|3.0", vec![]),
        ("url=http://sets/a|1.0,http://sets/ab", vec!["beside", "one"]),
        ("version=2.0-DRAFT", vec!["two"]),
        ("version:not=2.0-DRAFT", vec!["below", "beside", "named", "one"]),
        // The one begins with the other; names have no above and below.
        ("url:below=http://sets/a", vec!["below", "beside", "one", "two"]),
        ("url:below=http://sets/a/", vec!["below"]),
        ("url:below=http", vec!["below", "beside", "one", "two"]),
        ("url:below=urn", vec![]),
        ("url:below=urn:oid:1.2", vec![]),
        ("url:below=urn:oid:1.2.3", vec!["named"]),
        ("url:above=http://sets/a/b/c", vec!["below", "one", "two"]),
        ("url:above=http://sets/abc", vec!["beside", "one", "two"]),
        ("url:above=urn:oid:1.2.3.4", vec![]),
    ] {
        assert_eq!(found(&server, &format!("ValueSet?{query}"), &all), expected, "{query}");
    }
}

#[test]
fn profiles_are_found_below_a_version() {
    let server = Server::open();
    let with = |profile: &str| json!({"meta": {"profile": [profile]}, "active": true});
    let profiles =
        [("a", with("http://p|1.0")), ("b", with("http://p|1.1")), ("c", with("http://p|2.0")), ("d", with("http://p"))];
    server.seed(&each("Organization", &profiles));
    let all = server.system(ALL);
    for (query, expected) in [
        ("_profile=http://p", vec!["a", "b", "c", "d"]),
        ("_profile:below=http://p", vec!["a", "b", "c", "d"]),
        ("_profile:below=http://p|1", vec!["a", "b"]),
        ("_profile=http://p|2.0", vec!["c"]),
    ] {
        assert_eq!(found(&server, &format!("Organization?{query}"), &all), expected, "{query}");
    }
}

#[test]
fn of_a_timing_only_the_outer_limits_matter() {
    let server = Server::open();
    let dated = |id: &str, timing: Value| {
        let mut record = coded(id, "p1", "http://s", "a");
        record["effectiveTiming"] = timing;
        record
    };
    server.seed(&[
        patient("p1", "Amin"),
        dated("events", json!({"event": ["2013-01-31", "2013-03-24"]})),
        dated(
            "bounds",
            json!({"repeat": {"boundsPeriod": {"start": "2013-01-31", "end": "2013-03-24"}, "period": 2, "periodUnit": "d"}}),
        ),
        dated("once", json!({"event": ["2013-02-01"]})),
    ]);
    let all = server.system(ALL);
    for (query, expected) in [
        ("date=2013", vec!["bounds", "events", "once"]),
        ("date=2013-02-01", vec!["once"]),
        ("date=2013-01-31", vec![]),
        ("date=eb2013-02-15", vec!["once"]),
        ("date=sa2013-02-15", vec![]),
        ("date=gt2013-02-15", vec!["bounds", "events"]),
        ("date=lt2013-02-01", vec!["bounds", "events"]),
    ] {
        assert_eq!(found(&server, &format!("Observation?{query}"), &all), expected, "{query}");
    }
}

#[test]
fn elements_are_chosen_for_matches_alone_and_texts_come_without_includes() {
    let server = Server::open();
    let mut ward = organization("h1", "Ward");
    ward["telecom"] = json!([{"system": "phone", "value": "555"}]);
    let mut one = patient("p1", "Amin");
    one["managingOrganization"] = json!({"reference": "Organization/h1"});
    server.seed(&[ward, one]);
    let all = server.system(ALL);
    let reply = server.get("Patient?_elements=gender&_include=Patient:organization", &all).expect(200).json();
    let (matched, included) = (&reply["entry"][0]["resource"], &reply["entry"][1]["resource"]);
    assert!(matched["name"].is_null() && matched["gender"] == "female");
    assert_eq!((&included["name"], &included["telecom"][0]["value"]), (&json!("Ward"), &json!("555")));
    assert!(included["meta"]["tag"].is_null());
    let both = "Patient?_summary=text&_include=Patient:organization";
    server.refused(&server.get(both, &all), 400, "AMANAT-IN-0002", "input:invalid");
    let reply = server.call("GET", both).token(&all).header("Prefer", "handling=lenient").send().expect(200);
    assert_eq!(matches(&reply), ["p1"]);
    assert!(reply.text().contains("_include") && !reply.text().contains("Organization/h1\",\"resource"));
}

#[test]
fn a_chain_leads_to_what_the_record_contains() {
    if left_out_in_front("chains into contained resources are read from the index of the gateway's own store") {
        return;
    }
    let server = Server::open();
    let medication = |id: &str, code: &str, maker: Option<&str>| {
        let mut one = json!({"resourceType": "Medication", "id": id, "code": {"coding": [{"system": "http://m", "code": code}]}});
        if let Some(maker) = maker {
            one["manufacturer"] = json!({"reference": maker});
        }
        one
    };
    let order = |id: &str, contained: Value, reference: &str, patient: &str| {
        let mut one = json!({"resourceType": "MedicationRequest", "id": id, "status": "active", "intent": "order",
            "medicationReference": {"reference": reference}, "subject": {"reference": patient}});
        if contained.as_array().is_some_and(|contained| !contained.is_empty()) {
            one["contained"] = contained;
        }
        one
    };
    let someone = json!({"resourceType": "Patient", "id": "who", "name": [{"family": "Inside"}]});
    let maker = json!({"resourceType": "Organization", "id": "o", "name": "Within"});
    server.seed(&[
        patient("p1", "Amin"),
        patient("p2", "Bano"),
        organization("h1", "Maker"),
        medication("whole", "a", Some("Organization/h1")),
        order("r0", json!([]), "Medication/whole", "Patient/p1"),
        order("r1", json!([medication("m", "a", Some("Organization/h1"))]), "#m", "Patient/p1"),
        order("r2", json!([medication("m", "b", None), medication("n", "a", None)]), "#m", "Patient/p2"),
        order("r3", json!([medication("m", "c", Some("#o")), maker, someone]), "#m", "#who"),
    ]);
    let all = server.system(ALL);
    for (query, expected) in [
        ("medication.code=a", vec!["r0", "r1"]),
        ("medication:Medication.code=http://m|b", vec!["r2"]),
        ("medication.code:not=a", vec!["r2", "r3"]),
        ("medication.manufacturer.name=maker", vec!["r0", "r1"]),
        ("medication.manufacturer.name=within", vec!["r3"]),
        ("subject:Patient.name=inside", vec!["r3"]),
        ("patient.name=inside", vec!["r3"]),
        ("patient=p1&medication.code=a", vec!["r0", "r1"]),
        ("medication.code=a&subject=Patient/p2", vec![]),
        ("medication:missing=true", vec![]),
        ("subject:missing=false", vec!["r0", "r1", "r2", "r3"]),
        ("_filter=medication.code eq b", vec!["r2"]),
    ] {
        assert_eq!(found(&server, &format!("MedicationRequest?{query}"), &all), expected, "{query}");
    }
    let app = server.patient("p2", "patient/MedicationRequest.rs patient/Medication.rs");
    assert_eq!(found(&server, "MedicationRequest?medication.code=b", &app), ["r2"]);
    assert!(found(&server, "MedicationRequest?medication.code=a", &app).is_empty());
    let reply = server.get("MedicationRequest?_include=MedicationRequest:medication&_id=r1", &all).expect(200);
    assert_eq!(reply.json()["entry"].as_array().unwrap().len(), 1, "it comes with the record");
}

#[test]
fn the_types_of_a_search_are_told_as_they_were_asked() {
    let server = Server::open();
    let mut two = patient("p2", "Bano");
    two["link"] = json!([{"other": {"reference": "Patient/p1"}, "type": "seealso"}]);
    let results = ["o1", "o2"].map(|id| coded(id, "p1", "http://s", "a"));
    server.seed(&[&[patient("p1", "Amin"), two][..], &results[..]].concat());
    let all = server.system(ALL);
    for (query, expected) in
        [("?_type=Patient&_count=1", ["p1", "p2"]), ("Patient/p1/*?_type=Observation&_count=1", ["o1", "o2"])]
    {
        let first = server.get(query, &all).expect(200);
        let second = server.get(&first.next().expect("two pages"), &all).expect(200);
        let mut both = [matches(&first), matches(&second)].concat();
        both.sort();
        assert_eq!(both, expected, "{query}");
        assert!(first.json()["link"][0]["url"].as_str().unwrap().ends_with(query), "{}", first.text());
    }
    for query in ["Patient/p1/*?_type=Organization", "Patient/p1/Observation?_type=Observation", "Patient?_type=Patient"] {
        server.refused(&server.get(query, &all), 400, "AMANAT-IN-0002", "input:invalid");
    }
}
