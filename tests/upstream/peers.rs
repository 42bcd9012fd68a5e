//! In front of a real FHIR server of somebody else's (`scripts/test-peers`): what it finds through the gateway is what the embedded store
//! finds. Differences are printed, and fail unless they are known.

use super::sameness::{QUERIES, everything, records_of_two, told};
use crate::support::{Reply, Server, records};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Ids that no earlier run used.
fn renamed(records: &[Value], mark: &str) -> Vec<Value> {
    let text = serde_json::to_string(records).unwrap();
    let mut text = text;
    for id in ["p1", "p2"] {
        text = text.replace(id, &format!("{id}{mark}"));
    }
    for id in ["\"d1\"", "Practitioner/d1", "\"h1\"", "\"l1\"", "Weber", "Ahmad"] {
        let bare = id.trim_matches('"');
        text = text.replace(id, &id.replace(bare, &format!("{bare}{mark}")));
    }
    serde_json::from_str(&text).unwrap()
}

/// The peer, and a mark for ids that no earlier run used.
fn peer(name: &str) -> Option<(String, String)> {
    let Ok(peer) = std::env::var("AMANAT_PEER") else {
        println!("skipped: AMANAT_PEER names no FHIR server; scripts/test-peers starts one");
        return None;
    };
    Some((peer, format!("x{name}{}", std::process::id())))
}

fn settings() -> String {
    std::env::var("AMANAT_PEER_SETTINGS").unwrap_or_default().replace(';', "\n")
}

/// The embedded store and the peer, with the same records.
fn both(peer: &str, records: &[Value]) -> [Server; 2] {
    let servers = [Server::open(), Server::before_peer(peer, &settings())];
    for server in &servers {
        // One by one: not every server takes a transaction.
        for record in records {
            let place = format!("{}/{}", record["resourceType"].as_str().unwrap(), record["id"].as_str().unwrap());
            let reply = server.put(&place, &server.system("system/*.cruds system/Consent.cruds"), record);
            assert!(matches!(reply.status, 200 | 201), "{place}: {}", reply.text());
        }
    }
    servers
}

#[test]
fn a_peer_behind_the_gateway_finds_the_same() {
    let Some((peer, mark)) = peer("q") else { return };
    let [own, behind] = &both(&peer, &renamed(&records_of_two(), &mark));
    let mut differences = Vec::new();
    for query in QUERIES.iter().filter(|query| !query.contains("_count=")) {
        let query = ["p1", "p2"].iter().fold((*query).to_owned(), |query, id| query.replace(id, &format!("{id}{mark}")));
        let query = query.replace("weber", &format!("weber{mark}")).replace("Weber", &format!("Weber{mark}"));
        let query = query.replace("ahmad", &format!("ahmad{mark}")).replace("Practitioner/d1", &format!("Practitioner/d1{mark}"));
        for id in ["p1", "p2"] {
            let ask = |server: &Server| -> Reply { server.get(&query, &server.patient(&format!("{id}{mark}"), "patient/*.rs")) };
            let (a, b) = (told(&ask(own)), told(&ask(behind)));
            if a != b {
                differences.push(format!("{query} as {id}:\n  own    {a:?}\n  behind {b:?}"));
            }
        }
    }
    println!("{} queries by two callers, {} differences", QUERIES.len(), differences.len());
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn pages_orders_and_histories_of_a_peer_are_the_same() {
    let Some((peer, mark)) = peer("h") else { return };
    let servers = both(&peer, &renamed(&records_of_two(), &mark));
    let (app, key) = (format!("p1{mark}"), format!("Observation/o1-p1{mark}"));
    for server in &servers {
        let all = server.system("system/*.cruds");
        let mut changed = server.get(&key, &all).expect(200).json();
        changed["status"] = json!("amended");
        let _ = server.put(&key, &all, &changed).expect(200);
        let _ = server.patch(&key, &all, &json!([{"op": "replace", "path": "/status", "value": "final"}])).expect(200);
        let _ = server.delete(&format!("Observation/o2-p1{mark}"), &all).expect(204);
    }
    let [own, behind] = &servers;
    for query in ["Observation?_sort=date,_id&_count=2", "Observation?_sort=-value-quantity,_id&_count=3", "Observation?_count=2"]
    {
        let pages = |server: &Server| {
            let mut keys = everything(server, &server.patient(&app, "patient/*.rs"), query);
            if !query.contains("_sort") {
                keys.sort();
            }
            keys
        };
        assert_eq!(pages(own), pages(behind), "{query}");
    }
    let versions = |server: &Server, path: &str| {
        let reply = server.get(path, &server.patient(&app, "patient/*.rs"));
        let entries = reply.json()["entry"].as_array().cloned().unwrap_or_default();
        let entry =
            |one: &Value| format!("{} {} {}", one["request"]["method"], one["response"]["etag"], one["resource"]["status"]);
        (reply.status, entries.iter().map(entry).collect::<Vec<_>>())
    };
    for path in ["", "/_history", "/_history/1", "/_history/2", "/_history/9"] {
        for id in [&key, &format!("Observation/o2-p1{mark}"), &format!("Observation/o1-p2{mark}")] {
            let path = format!("{id}{path}");
            assert_eq!(versions(own, &path), versions(behind, &path), "{path}");
        }
    }
}

#[test]
fn consents_and_conditions_in_front_of_a_peer_are_the_same() {
    let Some((peer, mark)) = peer("c") else { return };
    let mut all = renamed(&records_of_two(), &mark);
    all.push(records::consent(&format!("deny-p2{mark}"), &format!("p2{mark}"), "deny"));
    let servers = both(&peer, &all);
    for server in &servers {
        let clinician = server.clinician(&format!("d1{mark}"), "user/*.rs");
        for (path, status) in
            [("Observation/o1-p1", 200), ("Observation/o1-p2", 404), ("Provenance/pr-p2", 404), ("Patient/p2", 404)]
        {
            assert_eq!(server.get(&format!("{path}{mark}"), &clinician).status, status, "{path}");
        }
        let found = server.get(&format!("Observation?patient=p1{mark},p2{mark}&_total=accurate"), &clinician).expect(200);
        assert_eq!(found.json()["total"], 6);
        assert!(found.keys().iter().all(|key| key.contains("-p1")), "{:?}", found.keys());
        // Once, of many at a time.
        let (token, created) = (server.system("system/*.cruds"), AtomicUsize::new(0));
        let (patient, value) = (format!("p1{mark}"), format!("once{mark}"));
        std::thread::scope(|scope| {
            for _ in 0..12 {
                scope.spawn(|| {
                    let condition = format!("identifier=urn:obs|{value}");
                    let call = server.call("POST", "Observation").token(&token).header("If-None-Exist", &condition);
                    let reply = call.json(&records::observation(&value, &patient, "laboratory")).send();
                    assert!(matches!(reply.status, 200 | 201), "{}", reply.text());
                    created.fetch_add(usize::from(reply.status == 201), Ordering::SeqCst);
                });
            }
        });
        assert_eq!(created.load(Ordering::SeqCst), 1);
        let entry = |id: &str| json!({"resource": records::observation(id, &patient, "laboratory"), "request": {"method": "POST", "url": "Observation"}});
        let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": [entry("a"), entry("b")]});
        let answer = server.post("", &token, &bundle).expect(200).json();
        assert_eq!(answer["entry"].as_array().unwrap().len(), 2);
        let stale = server.call("PUT", &format!("Observation/o1-p1{mark}")).token(&token).header("If-Match", "W/\"9\"");
        let reply = stale.json(&server.get(&format!("Observation/o1-p1{mark}"), &token).json()).send();
        assert_eq!(reply.status, 412, "{}", reply.text());
    }
}
