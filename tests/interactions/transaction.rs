//! transaction: all or nothing, in the order of R4.

use super::{ALL, ward};
use crate::support::records::{condition, observation, patient};
use crate::support::{Reply, Server};
use serde_json::{Value, json};

fn transaction(server: &Server, token: &str, entries: &[Value]) -> Reply {
    server.post("", token, &json!({"resourceType": "Bundle", "type": "transaction", "entry": entries}))
}

fn create(full_url: &str, content: Value) -> Value {
    let kind = content["resourceType"].clone();
    json!({"fullUrl": full_url, "resource": content, "request": {"method": "POST", "url": kind}})
}

fn put(content: Value) -> Value {
    let url = format!("{}/{}", content["resourceType"].as_str().unwrap(), content["id"].as_str().unwrap());
    json!({"resource": content, "request": {"method": "PUT", "url": url}})
}

fn request(method: &str, url: &str) -> Value {
    json!({"request": {"method": method, "url": url}})
}

/// How many records and versions there are in all.
fn counted(server: &Server) -> (Value, usize) {
    let token = server.system(ALL);
    let total = server.get("?_type=Observation,Condition,Patient&_summary=count", &token).json()["total"].clone();
    (total, server.get("_history?_count=1000", &token).keys().len())
}

#[test]
fn references_of_every_kind_are_resolved() {
    let server = ward();
    let mut result = observation("x", "p1", "laboratory");
    result["subject"]["reference"] = json!("urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0");
    result["encounter"] = json!({"reference": "Encounter/e-p1"});
    result["performer"] = json!([{"reference": "Organization?name=Ward"}]);
    result["derivedFrom"] = json!([{"reference": "Observation/temporary"}]);
    result["note"] = json!([{"text": "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0 stays in a text"}]);
    result["text"] =
        json!({"status": "generated", "div": "<div xmlns=\"http://www.w3.org/1999/xhtml\">Observation/temporary</div>"});
    let reply = transaction(
        &server,
        &server.system(ALL),
        &[
            create("urn:uuid:11111111-1cbf-4d64-b04d-cd9187a4c6e0", result),
            create("urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0", patient("x", "New")),
            create("https://localhost:8443/fhir/Observation/temporary", observation("temporary", "p1", "vital-signs")),
        ],
    )
    .expect(200);
    let place = |at: usize| {
        let location = reply.json()["entry"][at]["response"]["location"].as_str().unwrap().to_owned();
        let parts: Vec<&str> = location.rsplit('/').collect();
        format!("{}/{}", parts[3], parts[2])
    };
    let stored = server.get(&place(0), &server.system(ALL)).json();
    assert_eq!(stored["subject"]["reference"], place(1));
    assert_eq!(stored["encounter"]["reference"], "Encounter/e-p1");
    assert_eq!(stored["performer"][0]["reference"], "Organization/h1");
    assert_eq!(stored["derivedFrom"][0]["reference"], place(2));
    assert!(stored["note"][0]["text"].as_str().unwrap().starts_with("urn:uuid:0c3151bd"));
    assert!(stored["text"]["div"].as_str().unwrap().contains(">Observation/temporary<"));
    let words: Vec<String> =
        server.concluded_of(&reply).iter().map(|leaf| leaf["event"]["word"].as_str().unwrap().to_owned()).collect();
    assert_eq!(words, ["create", "create", "create", "transaction"]);
}

#[test]
fn references_may_run_in_a_circle() {
    let server = ward();
    let (a, b) = ("urn:uuid:aaaaaaaa-1cbf-4d64-b04d-cd9187a4c6e0", "urn:uuid:bbbbbbbb-1cbf-4d64-b04d-cd9187a4c6e0");
    let with = |other: &str| {
        let mut one = observation("x", "p1", "laboratory");
        one["hasMember"] = json!([{"reference": other}]);
        one
    };
    let reply = transaction(&server, &server.system(ALL), &[create(a, with(b)), create(b, with(a))]).expect(200);
    let id =
        |at: usize| reply.json()["entry"][at]["response"]["location"].as_str().unwrap().rsplit('/').nth(2).unwrap().to_owned();
    for (at, other) in [(0, 1), (1, 0)] {
        let stored = server.get(&format!("Observation/{}", id(at)), &server.system(ALL)).json();
        assert_eq!(stored["hasMember"][0]["reference"], format!("Observation/{}", id(other)));
    }
}

#[test]
fn deletes_come_first_then_creates_then_updates_and_reads_see_the_end() {
    let server = ward();
    let mut amended = observation("v1", "p1", "vital-signs");
    amended["status"] = json!("amended");
    let reply = transaction(
        &server,
        &server.system(ALL),
        &[
            request("GET", "Observation?patient=p1&_sort=_lastUpdated"),
            request("GET", "Observation/v1"),
            put(amended),
            create("urn:uuid:1", observation("x", "p1", "laboratory")),
            request("DELETE", "Observation/o1"),
        ],
    )
    .expect(200);
    let bundle = reply.json();
    let statuses: Vec<&str> =
        bundle["entry"].as_array().unwrap().iter().map(|entry| entry["response"]["status"].as_str().unwrap()).collect();
    assert_eq!(statuses, ["200", "200", "200", "201", "204"]);
    assert_eq!(bundle["entry"][0]["resource"]["total"], 2);
    assert!(!bundle["entry"][0].to_string().contains("Observation/o1"));
    assert_eq!(bundle["entry"][1]["resource"]["status"], "amended");
    let order: Vec<String> = server.get("_history?_count=3", &server.system(ALL)).json()["entry"]
        .as_array()
        .unwrap()
        .iter()
        .rev()
        .map(|entry| entry["request"]["method"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(order, ["DELETE", "POST", "PUT"]);
}

#[test]
fn one_refused_entry_refuses_the_whole_and_nothing_is_done() {
    let server = ward();
    let before = counted(&server);
    let good = || create("urn:uuid:1", observation("x", "p1", "laboratory"));
    let app = server.patient("p1", "patient/Observation.cruds");
    let mut broken = observation("x", "p1", "laboratory");
    broken["colour"] = json!("red");
    for (entry, status, code, reason) in [
        (create("urn:uuid:2", condition("x", "p1")), 403, "AMANAT-SCOPE-0001", "scope"),
        (create("urn:uuid:2", observation("x", "p2", "laboratory")), 403, "AMANAT-SCOPE-0002", "compartment"),
        (put(observation("o2", "p1", "laboratory")), 404, "AMANAT-REC-0001", "not-found"),
        (put(observation("nope", "p1", "laboratory")), 404, "AMANAT-REC-0001", "not-found"),
        (request("DELETE", "Observation/o2"), 404, "AMANAT-REC-0001", "not-found"),
        (create("urn:uuid:2", broken), 422, "AMANAT-IN-0003", "input:content"),
        (request("DELETE", "Observation?status=final"), 412, "AMANAT-REC-0005", "input:several-match"),
        (request("GET", "Observation?pateint=p1"), 400, "AMANAT-IN-0002", "input:invalid"),
        (request("GET", "Condition/c1"), 403, "AMANAT-SCOPE-0001", "scope"),
        (request("GET", "Observation/$stats"), 404, "AMANAT-IN-0008", "input:not-supported"),
        (request("GET", "Observation/nope"), 404, "AMANAT-REC-0001", "not-found"),
        (request("GET", "Observation/o2"), 404, "AMANAT-REC-0001", "not-found"),
        (request("GET", "Observation/o1/_history/7"), 404, "AMANAT-REC-0001", "not-found"),
        (
            json!({"request": {"method": "PUT", "url": "Observation/o1", "ifMatch": "W/\"4\""}, "resource": observation("o1", "p1", "laboratory")}),
            412,
            "AMANAT-REC-0003",
            "input:version",
        ),
    ] {
        for entries in [[good(), entry.clone()], [entry.clone(), good()]] {
            let reply = transaction(&server, &app, &entries);
            server.refused(&reply, status, code, reason);
            if status == 422 {
                let places = reply.json()["issue"][0]["expression"].to_string();
                assert!(places.ends_with("].resource.ofType(Observation).colour\"]"), "{places}");
            }
            assert_eq!(server.trail_of(&reply)[0]["event"]["word"], "transaction");
        }
        assert_eq!(counted(&server), before, "{entry}");
    }
}

#[test]
fn hidden_and_absent_refuse_a_transaction_alike() {
    let server = ward();
    let app = server.patient("p1", "patient/*.cruds");
    for (method, body) in [("DELETE", false), ("PUT", true)] {
        let ask = |id: &str| {
            let mut entry = request(method, &format!("Observation/{id}"));
            if body {
                entry["resource"] = observation(id, "p1", "laboratory");
            }
            transaction(&server, &app, &[entry])
        };
        server.refused(&ask("o2"), 404, "AMANAT-REC-0001", "not-found");
        assert_eq!(ask("o2").masked(), ask("nope").masked());
    }
    let ask = |id: &str| transaction(&server, &app, &[request("GET", &format!("Observation/{id}"))]);
    server.refused(&ask("o2"), 404, "AMANAT-REC-0001", "not-found");
    assert_eq!(ask("o2").masked(), ask("nope").masked());
}

#[test]
fn a_read_of_what_the_transaction_deletes_refuses_the_whole() {
    let server = ward();
    let all = server.system(ALL);
    let before = counted(&server);
    let reply = transaction(&server, &all, &[request("GET", "Observation/o1"), request("DELETE", "Observation/o1")]);
    server.refused(&reply, 410, "AMANAT-REC-0002", "deleted");
    assert_eq!(counted(&server), before);
    // What it makes can be read, and its new version.
    let reads = [
        put(observation("o1", "p1", "laboratory")),
        request("GET", "Observation/o1/_history/2"),
        put(observation("fresh", "p1", "laboratory")),
        request("GET", "Observation/fresh"),
    ];
    let entries = transaction(&server, &all, &reads).expect(200).json()["entry"].clone();
    assert!(
        entries.as_array().unwrap().iter().all(|entry| entry["response"]["status"].as_str().unwrap().starts_with('2')),
        "{entries}"
    );
}

#[test]
fn links_of_the_narrative_and_versions_follow_and_canonicals_stay() {
    let server = ward();
    let all = server.system(ALL);
    let (made, kept) = ("urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0", "https://elsewhere.example/Observation/o1");
    let mut result = observation("x", "p1", "laboratory");
    result["derivedFrom"] = json!([{"reference": "https://elsewhere.example/Observation/o1/_history/9"}, {"reference": made}]);
    result["hasMember"] = json!([{"reference": format!("{made}/_history/4")}, {"reference": "Observation/v1/_history/1"}]);
    result["extension"] = json!([{"url": "urn:x", "extension": [{"url": "u", "valueUri": made}, {"url": "c", "valueCanonical": made}, {"url": "m", "valueMarkdown": made}]}]);
    let narrative = |one: &str, other: &str| {
        format!(
            "<div xmlns=\"http://www.w3.org/1999/xhtml\"><a href=\"{one}\">{made}</a><img src='{other}' alt=\"{made}\"/></div>"
        )
    };
    result["text"] = json!({"status": "generated", "div": narrative(made, kept)});
    let mut amended = put(observation("o1", "p1", "laboratory"));
    amended["fullUrl"] = json!(kept);
    let entries = [
        create("urn:uuid:11111111-1cbf-4d64-b04d-cd9187a4c6e0", result),
        create(made, observation("y", "p1", "laboratory")),
        amended,
    ];
    let reply = transaction(&server, &all, &entries).expect(200).json();
    let id = |at: usize| reply["entry"][at]["response"]["location"].as_str().unwrap().rsplit('/').nth(2).unwrap().to_owned();
    let new = format!("Observation/{}", id(1));
    let stored = server.get(&format!("Observation/{}", id(0)), &all).expect(200).json();
    assert_eq!(stored["derivedFrom"], json!([{"reference": "Observation/o1/_history/2"}, {"reference": new}]));
    assert_eq!(
        stored["hasMember"],
        json!([{"reference": format!("{new}/_history/1")}, {"reference": "Observation/v1/_history/1"}])
    );
    let inner = &stored["extension"][0]["extension"];
    assert_eq!(
        (&inner[0]["valueUri"], &inner[1]["valueCanonical"], &inner[2]["valueMarkdown"]),
        (&json!(new), &json!(made), &json!(made))
    );
    assert_eq!(stored["text"]["div"], narrative(&new, "Observation/o1"));
}

#[test]
fn conditional_references_see_what_the_transaction_makes() {
    let server = ward();
    let all = server.system(ALL);
    let about = |condition: &str| {
        let mut result = observation("x", "p1", "laboratory");
        result["subject"]["reference"] = json!(condition);
        create(&format!("urn:uuid:{condition}"), result)
    };
    let fresh = |id: &str| create(&format!("urn:uuid:{id}"), patient(id, "New"));
    let id = |reply: &Reply, at: usize| {
        reply.json()["entry"][at]["response"]["location"].as_str().unwrap().rsplit('/').nth(2).unwrap().to_owned()
    };
    // It stands before what makes the record.
    let reply =
        transaction(&server, &all, &[about("Patient?identifier=urn:mrn|mrn-new"), fresh("new"), about("Patient?name=new")])
            .expect(200);
    for at in [0, 2] {
        let stored = server.get(&format!("Observation/{}", id(&reply, at)), &all).json();
        assert_eq!(stored["subject"]["reference"], format!("Patient/{}", id(&reply, 1)));
    }
    // One that is there, and one that is made, are several; so are two that are made.
    let before = counted(&server);
    for entries in [
        vec![about("Patient?identifier=urn:mrn|mrn-p1"), fresh("p1")],
        vec![
            about("Patient?name=twin"),
            create("urn:uuid:1", patient("t1", "Twin")),
            create("urn:uuid:2", patient("t2", "Twin")),
        ],
        vec![about("Patient?identifier=urn:mrn|other"), fresh("new2")],
    ] {
        server.refused(&transaction(&server, &all, &entries), 422, "AMANAT-IN-0003", "input:content");
    }
    assert_eq!(counted(&server), before);
    // What is changed counts as what it becomes, and what is deleted no more.
    let renamed = put(patient("p2", "Renamed"));
    let reply = transaction(&server, &all, &[renamed, about("Patient?family=renamed")]).expect(200);
    let stored = server.get(&format!("Observation/{}", id(&reply, 1)), &all).json();
    assert_eq!(stored["subject"]["reference"], "Patient/p2");
    let gone = [request("DELETE", "Observation/v1"), {
        let mut linked = observation("x", "p1", "laboratory");
        linked["hasMember"] = json!([{"reference": "Observation?identifier=urn:obs|v1"}]);
        create("urn:uuid:3", linked)
    }];
    server.refused(&transaction(&server, &all, &gone), 422, "AMANAT-IN-0003", "input:content");
}

#[test]
fn a_conditional_update_inside_minds_the_id_in_its_content() {
    let server = ward();
    let all = server.system(ALL);
    let update = |id: &str, identifier: &str| json!({"resource": observation(id, "p1", "laboratory"), "request": {"method": "PUT", "url": format!("Observation?identifier=urn:obs|{identifier}")}});
    server.refused(&transaction(&server, &all, &[update("o9", "o1")]), 400, "AMANAT-IN-0002", "input:invalid");
    let reply = transaction(&server, &all, &[update("o1", "o1"), update("mine", "mine")]).expect(200).json();
    let location = |at: usize| reply["entry"][at]["response"]["location"].as_str().unwrap().to_owned();
    assert!(
        location(0).ends_with("Observation/o1/_history/2") && location(1).ends_with("Observation/mine/_history/1"),
        "{reply}"
    );
}

#[test]
fn one_identity_twice_is_refused() {
    let server = ward();
    let before = counted(&server);
    let all = server.system(ALL);
    let twice = observation("o1", "p1", "laboratory");
    for entries in [
        vec![put(twice.clone()), put(twice.clone())],
        vec![put(twice.clone()), request("DELETE", "Observation/o1")],
        vec![request("DELETE", "Observation/o1"), request("DELETE", "Observation?identifier=urn:obs|o1")],
    ] {
        server.refused(&transaction(&server, &all, &entries), 400, "AMANAT-IN-0002", "input:invalid");
    }
    let same = "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0";
    let reply = transaction(&server, &all, &[create(same, patient("x", "A")), create(same, patient("x", "B"))]);
    assert!(matches!(reply.status, 400 | 422), "{}", reply.text());
    assert_eq!(counted(&server), before);
}

#[test]
fn a_conditional_create_inside_is_found_and_referred_to() {
    let server = ward();
    let mut known = create("urn:uuid:1", patient("x", "Amin"));
    known["request"]["ifNoneExist"] = json!("identifier=urn:mrn|mrn-p1");
    let mut result = observation("x", "p1", "laboratory");
    result["subject"]["reference"] = json!("urn:uuid:1");
    let reply = transaction(&server, &server.system(ALL), &[known, create("urn:uuid:2", result)]).expect(200);
    assert_eq!(reply.json()["entry"][0]["response"]["status"], "200");
    let id = reply.json()["entry"][1]["response"]["location"].as_str().unwrap().rsplit('/').nth(2).unwrap().to_owned();
    let stored = server.get(&format!("Observation/{id}"), &server.system(ALL)).json();
    assert_eq!(stored["subject"]["reference"], "Patient/p1");
}

#[test]
fn a_reference_that_selects_none_or_several_refuses_the_whole() {
    let server = ward();
    for condition in ["Patient?identifier=urn:mrn|none", "Patient?gender=female", "Patient?", "Patient?_count=1"] {
        let mut result = observation("x", "p1", "laboratory");
        result["subject"]["reference"] = json!(condition);
        let reply = transaction(&server, &server.system(ALL), &[create("urn:uuid:1", result)]);
        server.refused(&reply, 422, "AMANAT-IN-0003", "input:content");
    }
}

#[test]
fn one_condition_twice_is_one_identity_twice() {
    let server = ward();
    let all = server.system(ALL);
    let conditional = |url: &str, condition: &str| {
        let mut entry = create(url, patient("x", "New"));
        entry["request"]["ifNoneExist"] = json!(condition);
        entry
    };
    let before = counted(&server);
    let twice = [
        conditional("urn:uuid:1", "identifier=urn:mrn|new&active=true"),
        conditional("urn:uuid:2", "active=true&identifier=urn:mrn%7Cnew"),
    ];
    let reply = transaction(&server, &all, &twice);
    assert_eq!(reply.status, 400, "{}", reply.text());
    assert_eq!(reply.json()["issue"][0]["code"], "duplicate");
    assert_eq!(counted(&server).0, before.0);
    let update = || json!({"resource": {"resourceType": "Patient"}, "request": {"method": "PUT", "url": "Patient?identifier=urn:mrn|new"}});
    assert_eq!(transaction(&server, &all, &[update(), update()]).status, 400);
    let apart = [conditional("urn:uuid:1", "identifier=urn:mrn|new1"), conditional("urn:uuid:2", "identifier=urn:mrn|new2")];
    assert_eq!(transaction(&server, &all, &apart).status, 200);
}

#[test]
fn histories_and_searches_are_read_at_the_end_and_versions_stay_in_references() {
    let server = ward();
    let all = server.system(ALL);
    let mut linked = observation("linked", "p1", "laboratory");
    linked["hasMember"] = json!([{"reference": "Observation/o1/_history/1"}]);
    let reply = transaction(
        &server,
        &all,
        &[put(linked), request("GET", "Patient/p1/_history"), request("GET", "Observation?patient=p1&_summary=count")],
    )
    .expect(200);
    let entries = reply.json()["entry"].clone();
    assert_eq!(entries[1]["resource"]["type"], "history");
    assert_eq!(entries[2]["resource"]["total"], 3, "the new one among them");
    let stored = server.get("Observation/linked", &all).expect(200).json();
    assert_eq!(stored["hasMember"][0]["reference"], "Observation/o1/_history/1");
    let batch = json!({"resourceType": "Bundle", "type": "batch", "entry": [request("GET", "Observation/_history?_count=2"), request("GET", "_history?_count=1")]});
    let entries = server.post("", &all, &batch).expect(200).json()["entry"].clone();
    assert_eq!((&entries[0]["resource"]["type"], &entries[1]["resource"]["type"]), (&json!("history"), &json!("history")));
}

/// Opt-in: `AMANAT_LARGE=1`.
#[test]
fn twenty_five_thousand_entries_are_one_transaction() {
    if std::env::var_os("AMANAT_LARGE").is_none() {
        println!("skipped: AMANAT_LARGE is not set");
        return;
    }
    let server = ward();
    let all = server.system(ALL);
    let entries: Vec<Value> = (0..25_000)
        .map(|n| {
            let mut record = observation("x", "p1", "laboratory");
            record["subject"]["reference"] = json!("Patient?identifier=urn:mrn|mrn-p1");
            create(&format!("urn:uuid:{n}"), record)
        })
        .collect();
    let mut broken = entries.clone();
    broken[24_999]["resource"]["status"] = json!(7);
    assert!(matches!(transaction(&server, &all, &broken).status, 400 | 422));
    assert_eq!(server.get("Observation?patient=p1&_summary=count", &all).json()["total"], 2, "nothing of it is there");
    let reply = transaction(&server, &all, &entries).expect(200);
    assert_eq!(reply.json()["entry"].as_array().unwrap().len(), 25_000);
    assert_eq!(server.get("Observation?patient=p1&_summary=count", &all).json()["total"], 25_002);
}

/// A PATCH as an entry: a Binary with a JSON Patch, as R4 has it.
fn patched(url: &str, steps: &Value) -> Value {
    use base64::Engine as _;
    let data = base64::engine::general_purpose::STANDARD.encode(steps.to_string());
    json!({
        "resource": {"resourceType": "Binary", "contentType": "application/json-patch+json", "data": data},
        "request": {"method": "PATCH", "url": url},
    })
}

#[test]
fn patches_deletions_and_conditional_forms_are_entries_like_others() {
    let server = ward();
    let all = server.system(ALL);
    let amended = json!([{"op": "replace", "path": "/status", "value": "amended"}]);
    let reply = transaction(
        &server,
        &all,
        &[
            patched("Observation/o1", &amended),
            patched("Observation?identifier=urn:obs|v1", &amended),
            request("DELETE", "Condition/c1"),
            request("DELETE", "Observation?identifier=urn:obs|o2"),
            create("urn:uuid:1", observation("x", "p1", "laboratory")),
            request("GET", "Observation?status=amended&_summary=count"),
            request("GET", "Observation/o1/_history"),
        ],
    )
    .expect(200);
    let entries = reply.json()["entry"].clone();
    let statuses: Vec<&str> =
        entries.as_array().unwrap().iter().map(|entry| entry["response"]["status"].as_str().unwrap()).collect();
    assert_eq!(statuses, ["200", "200", "204", "204", "201", "200", "200"]);
    assert_eq!((&entries[5]["resource"]["total"], &entries[6]["resource"]["total"]), (&json!(2), &json!(2)));
    assert_eq!(server.get("Observation/o1", &all).json()["meta"]["versionId"], "2");
    for gone in ["Condition/c1", "Observation/o2"] {
        assert_eq!(server.get(gone, &all).status, 410);
    }
    // A patch that fails takes everything with it.
    let before = counted(&server);
    let wrong = json!([{"op": "test", "path": "/status", "value": "final"}]);
    let reply = transaction(&server, &all, &[request("DELETE", "Observation/v1"), patched("Observation/o1", &wrong)]);
    assert!(matches!(reply.status, 400 | 422), "{}", reply.text());
    assert_eq!(counted(&server), before);
    // One record by its id and by a condition is one identity twice.
    let reply = transaction(
        &server,
        &all,
        &[patched("Observation/o1", &amended), request("DELETE", "Observation?identifier=urn:obs|o1")],
    );
    assert_eq!(reply.status, 400, "{}", reply.text());
    assert_eq!(counted(&server), before);
}
