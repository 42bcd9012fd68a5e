//! Following a `next` link.

use super::{ALL, ward};
use crate::support::records::{consent, observation};
use crate::support::{BASE, Reply, Server, left_out_in_front};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, Ordering};

fn link(server: &Server, token: &str, path: &str) -> String {
    server.get(path, token).expect(200).next().unwrap()
}

#[test]
fn pages_are_full_and_end() {
    let server = ward();
    let app = server.patient("p1", "patient/*.rs");
    for path in ["Observation?_count=1", "Patient/p1/Observation?_count=1", "Observation?_count=1&_sort=-_lastUpdated"] {
        let first = server.get(path, &app).expect(200);
        let second = server.get(&first.next().unwrap(), &app);
        server.allowed(&second, 200, "search-type", &["p1"]);
        assert_eq!((first.keys().len(), second.keys().len(), second.next()), (1, 1, None), "{path}");
        assert_ne!(first.keys(), second.keys());
    }
    let first = server.get("Observation/_history?_count=1", &app).expect(200);
    server.allowed(&server.get(&first.next().unwrap(), &app), 200, "history-type", &["p1"]);
}

#[test]
fn somebody_elses_link_does_not_exist() {
    let server = ward();
    let link = link(&server, &server.patient("p1", "patient/*.rs"), "Observation?_count=1");
    let absent = server.get("?_page=bm9uc2Vuc2U", &server.system(ALL));
    for token in [server.patient("p2", "patient/*.rs"), server.system(ALL), server.clinician("d1", "user/*.rs")] {
        let reply = server.get(&link, &token);
        server.refused(&reply, 404, "AMANAT-REC-0001", "not-found");
        assert_eq!(reply.masked(), absent.masked());
    }
}

#[test]
fn a_link_that_was_touched_does_not_exist() {
    let server = ward();
    let app = server.patient("p1", "patient/*.rs");
    let link = link(&server, &app, "Observation?_count=1");
    let mut touched = link.clone().into_bytes();
    let last = touched.len() - 2;
    touched[last] = if touched[last] == b'A' { b'B' } else { b'A' };
    for bad in [String::from_utf8(touched).unwrap(), link[..link.len() - 4].to_owned(), "?_page=".to_owned()] {
        server.refused(&server.get(&bad, &app), 404, "AMANAT-REC-0001", "not-found");
    }
}

#[test]
fn a_link_is_decided_again_when_it_is_followed() {
    let server = ward();
    let link = link(&server, &server.patient("p1", "patient/*.rs"), "Observation?_count=1");
    // The same caller, with a token that grants less by now.
    let reply = server.get(&link, &server.patient("p1", "patient/Patient.rs"));
    server.refused(&reply, 403, "AMANAT-SCOPE-0001", "scope");
    let reply = server.get(&link, &server.patient("p1", "patient/Observation.rs?category=vital-signs")).expect(200);
    assert_eq!(reply.keys(), ["Observation/v1"]);
}

/// Follows the links of a search or a history to the end, letting something happen before each; the entries in order.
fn walk(server: &Server, token: &str, path: &str, mut meanwhile: impl FnMut(usize)) -> Vec<String> {
    let mut reply = server.get(path, token).expect(200);
    let mut all = entries(&reply);
    for at in 0.. {
        let Some(next) = reply.next() else { break };
        meanwhile(at);
        reply = server.get(&next, token).expect(200);
        all.extend(entries(&reply));
    }
    all
}

/// `Type/id/version` of each entry of a history, `Type/id` of each match.
fn entries(reply: &Reply) -> Vec<String> {
    let entries = reply.json()["entry"].as_array().cloned().unwrap_or_default();
    let is_history = reply.json()["type"] == "history";
    let name = |entry: &Value| {
        let key = entry["fullUrl"].as_str().unwrap().strip_prefix(BASE).unwrap().to_owned();
        if is_history { format!("{key}/{}", entry["response"]["etag"]) } else { key }
    };
    entries.iter().map(name).collect()
}

#[test]
fn no_row_comes_twice_and_none_is_missed_while_others_write() {
    if left_out_in_front("its pages are the server's own") {
        return;
    }
    let server = ward();
    let all = server.system(ALL);
    for some in (0..40).collect::<Vec<usize>>().chunks(10) {
        let records: Vec<Value> = some.iter().map(|n| observation(&format!("n{n}"), "p1", "laboratory")).collect();
        server.seed(&records);
        server.wait(5);
    }
    let paths = [
        "Observation?",
        "Observation?code=718-7&",
        "Observation?_sort=_lastUpdated&",
        "Observation?_sort=-_lastUpdated&",
        "Observation?_sort=date,_id&",
        "Observation?_sort=-date&",
        "Observation?_sort=-value-quantity,date&",
        "Observation?_sort=status,-date&",
        "Patient/p1/Observation?",
        "Patient/p1/*?",
        "?_type=Observation,Patient&_sort=-_lastUpdated&",
        "Observation/_history?",
        "_history?",
    ];
    for (number, path) in paths.iter().enumerate() {
        let before = walk(&server, &all, &format!("{path}_count=500"), |_| ());
        assert!(before.len() >= 40, "{path}");
        // Others write from the first page on: what was there before it is part of the answer.
        let (begun, over) = (AtomicBool::new(false), AtomicBool::new(false));
        let walked = std::thread::scope(|threads| {
            threads.spawn(|| {
                while !(begun.load(Ordering::Relaxed) || over.load(Ordering::Relaxed)) {
                    std::thread::yield_now();
                }
                for at in 0..12 {
                    if over.load(Ordering::Relaxed) {
                        break;
                    }
                    let id = format!("beside-{number}-{at}");
                    let _ = server.put(&format!("Observation/{id}"), &all, &observation(&id, "p1", "laboratory")).expect(201);
                }
            });
            let walked = walk(&server, &all, &format!("{path}_count=17"), |at| {
                begun.store(true, Ordering::Relaxed);
                server.wait(1);
                for n in [at, at + 7, 39 - at % 40] {
                    let mut changed = observation(&format!("n{}", n % 40), "p1", "laboratory");
                    changed["note"] = json!([{"text": format!("{number} {at}")}]);
                    // What pages are sorted by changes, too: up, down and away.
                    changed["effectiveDateTime"] = format!("20{:02}-0{}-01", (number * 7 + at * 5 + n) % 80, 1 + at % 9).into();
                    changed["valueQuantity"] = json!({"value": (n * 13 + at) % 40, "unit": "g/dL"});
                    changed["status"] = ["final", "amended", "corrected"][(number + at + n) % 3].into();
                    if (at + n) % 5 == 0 {
                        let _gone = changed.as_object_mut().unwrap().remove("valueQuantity");
                    }
                    let _ = server.put(&format!("Observation/n{}", n % 40), &all, &changed).expect(200);
                }
            });
            over.store(true, Ordering::Relaxed);
            walked
        });
        assert_eq!(walked, before, "{path}");
    }
}

#[test]
fn a_consent_that_comes_between_two_pages_is_heeded_by_the_next() {
    let server = ward();
    let token = server.clinician("d1", "user/*.rs");
    for (round, path) in
        ["Observation?_count=1", "Observation?_count=1&_sort=-date", "Observation/_history?_count=1"].iter().enumerate()
    {
        let id = format!("k{round}");
        let set = |verdict: &str| {
            let officer = server.system("system/Consent.cruds");
            let status = server.put(&format!("Consent/{id}"), &officer, &consent(&id, "p2", verdict)).status;
            assert!(matches!(status, 200 | 201), "{status}");
        };
        set("permit");
        let whole = walk(&server, &token, path, |_| ());
        assert!(whole.iter().any(|one| one.contains("Observation/o2")), "{whole:?}");
        let shorter = walk(&server, &token, path, |at| {
            if at == 0 {
                set("deny");
            }
        });
        let first = server.get(path, &token).expect(200);
        assert!(shorter.len() < whole.len() || !entries(&first)[0].contains("o2"), "{path}");
        assert!(!shorter[1..].iter().any(|one| one.contains("Observation/o2")), "{path}: {shorter:?}");
        set("permit");
    }
}
