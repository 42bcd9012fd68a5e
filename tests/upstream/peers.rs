//! In front of a real FHIR server of somebody else's (`scripts/test-peers`): what it finds through the gateway is what the embedded store
//! finds. Differences are printed, and fail unless they are known.

use super::sameness::{QUERIES, records_of_two, told};
use crate::support::{Reply, Server};
use serde_json::Value;

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

#[test]
fn a_peer_behind_the_gateway_finds_the_same() {
    let Ok(peer) = std::env::var("AMANAT_PEER") else {
        return println!("skipped: AMANAT_PEER names no FHIR server; scripts/test-peers starts one");
    };
    let mark = format!("x{}", std::process::id());
    let records = renamed(&records_of_two(), &mark);
    let settings = std::env::var("AMANAT_PEER_SETTINGS").unwrap_or_default().replace(';', "\n");
    let servers = [Server::open(), Server::before_peer(&peer, &settings)];
    for server in &servers {
        // One by one: not every server takes a transaction.
        for record in &records {
            let place = format!("{}/{}", record["resourceType"].as_str().unwrap(), record["id"].as_str().unwrap());
            let reply = server.put(&place, &server.system("system/*.cruds"), record);
            assert!(matches!(reply.status, 200 | 201), "{place}: {}", reply.text());
        }
    }
    let [own, behind] = &servers;
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
    assert!(differences.is_empty(), "{} differences:\n{}", differences.len(), differences.join("\n"));
}
