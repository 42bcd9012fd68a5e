//! Records that an earlier release stored, without some of the index rows that this one makes: indexed in the background after a start.

use super::{ALL, coded, found};
use crate::support::{Server, left_out_in_front, postgres};
use serde_json::json;
use std::time::{Duration, Instant};

/// Takes the words, the identifiers with their types and the rows of contained resources away, and that they were ever made.
fn forget(server: &Server) {
    let words = if postgres::asked() {
        "DELETE FROM text_content; DELETE FROM text_narrative;"
    } else {
        "INSERT INTO text_content (text_content) VALUES ('delete-all'); INSERT INTO text_narrative (text_narrative) VALUES ('delete-all');"
    };
    let rows =
        "DELETE FROM index_token WHERE param >= 268435456 OR param % 8 = 1; DELETE FROM index_string WHERE param >= 268435456;";
    server.execute(&format!("{words} {rows} DELETE FROM setting WHERE name = 'extraction';"));
}

#[test]
fn what_an_earlier_release_stored_is_found_by_what_this_one_indexes() {
    if left_out_in_front("it speaks of the index of the gateway's own store") {
        return;
    }
    let server = Server::open();
    let mut records: Vec<_> = (0..200).map(|n| coded(&format!("o{n}"), "p1", "http://loinc.org", "718-7")).collect();
    records[7]["contained"] =
        json!([{"resourceType": "Device", "id": "d", "serialNumber": "x1", "deviceName": [{"name": "Meter", "type": "other"}]}]);
    records[7]["device"] = json!({"reference": "#d"});
    let patient = json!({"resourceType": "Patient", "id": "p1", "identifier": [{
        "type": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "MR"}]}, "value": "77"}]});
    server.seed(&[patient]);
    for some in records.chunks(100) {
        server.seed(some);
    }
    let asks = [
        ("Observation?_content=o150", vec!["o150"]),
        ("Patient?identifier:of-type=http://terminology.hl7.org/CodeSystem/v2-0203|MR|77", vec!["p1"]),
        ("Device?device-name=meter&_contained=true", vec!["o7"]),
    ];
    let all = |server: &Server| asks.iter().all(|(query, ids)| found(server, query, &server.system(ALL)) == *ids);
    assert!(all(&server), "as they were stored");
    forget(&server);
    for (query, _) in &asks {
        assert!(found(&server, query, &server.system(ALL)).is_empty(), "{query}");
    }
    let server = server.restart(|_| {});
    let begun = Instant::now();
    while !all(&server) {
        assert!(begun.elapsed() < Duration::from_secs(30), "never indexed");
        std::thread::sleep(Duration::from_millis(50));
    }
    // Each row is there once, and goes when the record changes.
    let token = server.system(ALL);
    let changed = coded("o150", "p1", "http://loinc.org", "1-1");
    let _ = server.put("Observation/o150", &token, &changed).expect(200);
    assert_eq!(found(&server, "Observation?_content=718&_id=o150", &token), Vec::<String>::new());
    assert_eq!(found(&server, "Observation?_content=o150", &token), ["o150"]);
    assert_eq!(server.get("Observation?code=718-7&_summary=count", &token).json()["total"], 199);
}
