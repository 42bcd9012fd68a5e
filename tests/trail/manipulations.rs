use super::with_records;
use crate::site::Site;
use serde_json::Value;
use std::fs;

/// Exit code and document of `amanat audit verify --json`.
fn verified(site: &Site) -> (Option<i32>, Value) {
    let output = site.amanat(&["audit", "verify", "--json"]);
    (output.status.code(), serde_json::from_slice(&output.stdout).unwrap())
}

/// A stopped site with a trail of at least ten entries.
fn stopped() -> Site {
    let (mut site, token) = with_records();
    for _ in 0..4 {
        site.get(&token, "Patient/a").expect(200);
    }
    assert_eq!(site.stop(), Some(0));
    assert!(site.trail().len() >= 10);
    assert_eq!(verified(&site).0, Some(0));
    site
}

#[track_caller]
fn finds(manipulation: &str, first_bad: i64) {
    let site = stopped();
    for statement in manipulation.split(';').filter(|statement| !statement.trim().is_empty()) {
        site.tamper(statement);
    }
    let (code, document) = verified(&site);
    assert_eq!((code, &document["first_bad"]), (Some(3), &Value::from(first_bad)), "{document}");
    assert!(document["broken"].as_str().unwrap().contains(&first_bad.to_string()), "{document}");
    assert_eq!(document["entries"], first_bad - 1, "the entries before are right");
}

#[test]
fn one_changed_byte_is_found() {
    finds("UPDATE trail SET leaf = CAST(replace(CAST(leaf AS TEXT), 'hospital', 'hospitam') AS BLOB) WHERE seq = 5", 5);
    finds("UPDATE trail SET hash = zeroblob(32) WHERE seq = 5", 5);
}

#[test]
fn a_dropped_row_is_found() {
    finds("DELETE FROM trail WHERE seq = 5", 5);
}

#[test]
fn two_swapped_rows_are_found() {
    finds(
        "UPDATE trail SET seq = -5 WHERE seq = 5; UPDATE trail SET seq = 5 WHERE seq = 6; UPDATE trail SET seq = 6 WHERE seq = -5",
        5,
    );
}

#[test]
fn an_inserted_row_is_found() {
    finds(
        "UPDATE trail SET seq = -seq - 1 WHERE seq >= 5; UPDATE trail SET seq = -seq WHERE seq < 0; \
         INSERT INTO trail SELECT 5, recorded, leaf, hash FROM trail WHERE seq = 4",
        5,
    );
}

#[test]
fn a_cut_tail_cannot_be_seen_and_that_is_said() {
    let site = stopped();
    let before = site.trail().len() as u64;
    site.tamper("DELETE FROM trail WHERE seq > 6");
    let (code, document) = verified(&site);
    assert_eq!(
        (code, &document["first_bad"]),
        (Some(3), &Value::from(7)),
        "the store's own checkpoints tell of more: {document}"
    );
    // Whoever can cut the trail can cut them too.
    site.tamper("DELETE FROM trail WHERE seq > 6");
    site.tamper("DELETE FROM checkpoint");
    let (code, document) = verified(&site);
    assert_eq!((code, &document["entries"]), (Some(0), &Value::from(6)), "{before} before: {document}");
    assert!(document["caveat"].as_str().unwrap().contains("checkpoint"), "{document}");
    let told = site.done(&["audit", "verify"]);
    assert!(told.contains("cannot be seen without a checkpoint"), "{told}");
}

#[test]
fn an_old_copy_that_was_served_again_cannot_be_seen_and_that_is_said() {
    let mut site = stopped();
    let (file, copy) = (site.folder.path().join("amanat.db"), site.folder.path().join("copy"));
    fs::copy(&file, &copy).unwrap();
    site.start();
    assert_eq!(site.stop(), Some(0));
    let longer = site.trail().len();
    fs::copy(&copy, &file).unwrap();
    let (code, document) = verified(&site);
    assert_eq!(code, Some(0), "{document}");
    assert!(document["entries"].as_u64().unwrap() < longer as u64);
    assert!(document["caveat"].as_str().unwrap().contains("kept elsewhere"), "{document}");
}

#[test]
fn an_old_copy_of_some_rows_among_newer_ones_is_found() {
    // What an intruder gets who copies the head of another run back into a trail that went on.
    let (mut site, token) = with_records();
    site.get(&token, "Patient/a").expect(200);
    assert_eq!(site.stop(), Some(0));
    let old = site.trail();
    let head = old.last().unwrap();
    site.tamper(&format!("DELETE FROM trail WHERE seq = {}", head.seq));
    site.start();
    site.get(&token, "Patient/b").expect(200);
    assert_eq!(site.stop(), Some(0));
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    site.tamper(&format!(
        "UPDATE trail SET leaf = x'{}', hash = x'{}' WHERE seq = {}",
        hex(&head.leaf),
        hex(&head.hash),
        head.seq
    ));
    let (code, document) = verified(&site);
    assert_eq!((code, &document["first_bad"]), (Some(3), &Value::from(head.seq + 1)), "{document}");
}

#[test]
fn two_processes_that_write_keep_one_chain() {
    let (site, token) = with_records();
    std::thread::scope(|scope| {
        let reading = scope.spawn(|| {
            for _ in 0..60 {
                site.get(&token, "Patient/a").expect(200);
            }
        });
        for number in 0..6 {
            let id = format!("client-{number}");
            site.done(&["client", "add", &id, "--scope", "patient/*.rs", "--redirect-uri", "http://127.0.0.1:1/"]);
        }
        reading.join().unwrap();
    });
    site.get(&token, "Patient/a").expect(200);
    let (code, document) = verified(&site);
    assert_eq!((code, &document["broken"]), (Some(0), &Value::Null), "{document}");
    let entries: Vec<Value> = site.trail().iter().map(crate::site::Entry::told).collect();
    let added = entries.iter().filter(|entry| entry["event"]["word"] == "client-added").count();
    let reads = entries.iter().filter(|entry| entry["event"]["word"] == "read").count();
    assert_eq!((added, reads), (7, 61), "none of either process is missing");
    assert!(entries.iter().all(|entry| entry["node"] == "site"));
}
