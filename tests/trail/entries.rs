//! One entry for each thing that happened, with who, what, whose and how it ended.

use super::{observation, patient, with_records};
use crate::site::{Answer, Site};
use serde_json::{Value, json};

/// The one entry of an answer.
#[track_caller]
fn entry(site: &Site, answer: &Answer) -> Value {
    let entries = site.entries_of(answer.request_id());
    assert_eq!(entries.len(), 1, "{entries:?} of {answer:?}");
    entries.into_iter().next().unwrap()
}

fn told(entry: &Value) -> (&str, &str, Vec<&str>) {
    let patients = entry["patients"].as_array().map(|list| list.iter().map(|id| id.as_str().unwrap()).collect());
    (entry["event"]["word"].as_str().unwrap(), entry["outcome"].as_str().unwrap(), patients.unwrap_or_default())
}

#[test]
fn every_interaction_has_its_entry() {
    let (site, token) = with_records();
    let made = site.ask("POST", &token, "Observation", Some(&observation("a"))).expect(201);
    let id = made.json()["id"].as_str().unwrap().to_owned();
    let path = format!("Observation/{id}");
    let put = json!({ "id": id, "resourceType": "Observation", "status": "amended", "code": { "text": "x" }, "subject": { "reference": "Patient/a" } });
    let patch = json!([{ "op": "replace", "path": "/status", "value": "final" }]);
    let of_one = [
        (made, "create"),
        (site.get(&token, &path).expect(200), "read"),
        (site.get(&token, &format!("{path}/_history/1")).expect(200), "vread"),
        (site.ask("PUT", &token, &path, Some(&put)).expect(200), "update"),
        (site.ask("PATCH", &token, &path, Some(&patch)).expect(200), "patch"),
        (site.get(&token, &format!("{path}/_history")).expect(200), "history-instance"),
        (site.send("HEAD", &path, &format!("Authorization: Bearer {token}\r\n"), "").expect(200), "read"),
        (site.ask("DELETE", &token, &path, None).expect(204), "delete"),
    ];
    for (answer, word) in &of_one {
        let entry = entry(&site, answer);
        assert_eq!(told(&entry), (*word, "0", vec!["a"]), "{entry}");
        assert!(entry["records"][0].as_str().unwrap().starts_with(&path), "{entry}");
        assert_eq!((&entry["agent"]["client"], &entry["agent"]["address"]), (&json!("hospital"), &json!("127.0.0.1")), "{entry}");
        assert_eq!(entry["agent"]["purposes"].as_array().map(Vec::len), Some(1), "{entry}");
    }
    let search = site.get(&token, "Observation?status=final&_count=10").expect(200);
    let entry = entry(&site, &search);
    assert_eq!(told(&entry), ("search-type", "0", vec!["a", "b"]), "{entry}");
    assert_eq!(entry["query"], "GET Observation?status=final&_count=10");
    assert!(!entry.to_string().contains("confidential"));
}

#[test]
fn every_refusal_has_its_entry() {
    let (site, token) = with_records();
    let blind = site.client("blind", "system/Practitioner.rs");
    let bearer = format!("Authorization: Bearer {token}\r\n");
    let refused = [
        (site.get(&blind, "Patient/a"), 403, "4", "blind"),
        (site.get(&token, "Patient/nobody"), 404, "4", "hospital"),
        (site.get("eyJhbGciOiJub25lIn0.e30.", "Patient/a"), 401, "8", ""),
        (site.send("GET", "Patient/a", "", ""), 401, "8", ""),
        (site.get(&token, "Patient?nonsense=1"), 400, "4", "hospital"),
        (site.ask("POST", &token, "Patient", Some(&json!({ "resourceType": "Group" }))), 400, "4", "hospital"),
        (site.ask("DELETE", &token, "AuditEvent/1", None), 405, "4", "hospital"),
        // What HTTP itself turns away.
        (site.send("PUT", "Patient/a", &format!("{bearer}If-Match: W/\"1\"\r\nIf-Match: W/\"2\"\r\n"), "{}"), 400, "4", ""),
        (site.send("PROPFIND", "Patient/a", &bearer, ""), 405, "4", ""),
        (site.send("POST", "Patient", &format!("{bearer}Content-Encoding: br\r\n"), "{}"), 415, "4", ""),
        (site.raw(&format!("POST /fhir/Patient HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 999999999999\r\n{bearer}\r\n")), 413, "4", ""),
    ];
    for (answer, status, outcome, client) in refused {
        assert_eq!(answer.status, status, "{answer:?}");
        let entry = entry(&site, &answer);
        assert_eq!(entry["outcome"], outcome, "{status}: {entry}");
        assert_eq!(entry["agent"]["client"].as_str().unwrap_or_default(), client, "{entry}");
        assert_ne!(entry["reason"].as_str().unwrap_or_default(), "", "{entry}");
        assert!(!entry.to_string().contains(&token[..40]), "no token in the trail");
    }
}

#[test]
fn a_flood_that_http_turns_away_is_counted_and_not_entered_one_by_one() {
    let (site, _) = with_records();
    let (before, begin) = (site.trail().len(), std::time::Instant::now());
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| (0..60).for_each(|_| drop(site.send("PROPFIND", "Patient/a", "", "").expect(405))));
        }
    });
    let seconds = usize::try_from(begin.elapsed().as_secs()).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(1100));
    site.send("PROPFIND", "Patient/a", "", "").expect(405);
    let entries: Vec<Value> = site.trail()[before..].iter().map(crate::site::Entry::told).collect();
    let left_out: usize = entries
        .iter()
        .filter_map(|entry| entry["reason"].as_str()?.split_once(" and ")?.1.split(' ').next()?.parse::<usize>().ok())
        .sum();
    assert_eq!(entries.len() + left_out, 481, "all are told, one by one or together");
    assert!(entries.len() <= 50 * (seconds + 3), "{} in {seconds} s", entries.len());
}

#[test]
fn tokens_start_and_stop_have_entries() {
    let (mut site, token) = with_records();
    let form = |body: &str| {
        site.raw(&format!(
            "POST /token HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ))
    };
    let denied = form(
        "grant_type=client_credentials&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&client_assertion=a.b.c",
    );
    assert!(matches!(denied.status, 400 | 401), "{denied:?}");
    let entry = entry(&site, &denied);
    assert_eq!(entry["event"]["kind"], "token");
    assert_ne!(entry["outcome"], "0", "{entry}");
    site.get(&token, "Patient/a").expect(200);
    assert_eq!(site.stop(), Some(0));
    let kinds: Vec<String> =
        site.trail().iter().map(|entry| entry.told()["event"]["kind"].as_str().unwrap().to_owned()).collect();
    assert_eq!(kinds.iter().filter(|kind| *kind == "start").count(), 1);
    assert_eq!(kinds.last().map(String::as_str), Some("stop"));
}

#[test]
fn the_entries_of_a_bundle_share_its_request_id() {
    let (site, token) = with_records();
    let get = |url: &str| json!({ "request": { "method": "GET", "url": url } });
    let put = |id: &str| json!({ "resource": patient(id), "request": { "method": "PUT", "url": format!("Patient/{id}") } });
    let batch = json!({ "resourceType": "Bundle", "type": "batch", "entry": [get("Patient/a"), get("Patient/nobody"), get("Observation?patient=b")] });
    let answer = site.ask("POST", &token, "", Some(&batch)).expect(200);
    let entries = site.entries_of(answer.request_id());
    let mut words: Vec<_> =
        entries.iter().map(|entry| (entry["event"]["word"].as_str().unwrap(), entry["outcome"].as_str().unwrap())).collect();
    words.sort_unstable();
    assert_eq!(words, [("batch", "0"), ("read", "0"), ("read", "4"), ("search-type", "0")]);
    let transaction = json!({ "resourceType": "Bundle", "type": "transaction", "entry": [put("c"), put("d"), get("Patient/a")] });
    let answer = site.ask("POST", &token, "", Some(&transaction)).expect(200);
    let entries = site.entries_of(answer.request_id());
    let mut words: Vec<_> = entries.iter().map(|entry| entry["event"]["word"].as_str().unwrap()).collect();
    words.sort_unstable();
    assert_eq!(words, ["read", "transaction", "update", "update"], "{entries:?}");
}
