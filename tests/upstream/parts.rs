//! Records that say of themselves that they are a part. A stray tag makes no search fail, and what a server cuts is decided on whole.

use super::hostile::{Stage, bundle, is};
use crate::support::{Heard, Reply, Said, records};
use serde_json::{Value, json};

const CODES: &str = "http://terminology.hl7.org/CodeSystem/v3-ObservationValue";

/// A record as a server has it, with its version.
fn kept(mut record: Value, version: &str) -> Value {
    record["meta"]["versionId"] = json!(version);
    record["meta"]["lastUpdated"] = json!("2026-05-01T00:00:00Z");
    record
}

/// With the tag of a part.
fn tagged(mut record: Value) -> Value {
    record["meta"]["tag"] = json!([{"system": CODES, "code": "SUBSETTED"}]);
    record
}

fn mine(id: &str) -> Value {
    records::observation(id, "p1", "laboratory")
}

/// Entries as they are.
fn page(heard: &Heard, all: &[Value]) -> Said {
    let mut page = bundle(heard, &[]);
    page["entry"] = all.iter().map(|one| json!({"resource": one, "search": {"mode": "match"}})).collect();
    Said::json(200, page.to_string())
}

/// A server whose searches show `shown`, and whose reads of `Observation/o1` say this.
fn before(shown: Vec<Value>, said: Said) -> Stage {
    let stage = Stage::new("");
    stage.says(move |heard| match heard.below().0 {
        "Observation/o1" => Some(said.clone()),
        _ if is(heard, "Observation") => Some(page(heard, &shown)),
        _ => None,
    });
    stage
}

fn reads(stage: &Stage, place: &str) -> usize {
    let asked = stage.server.behind.as_ref().unwrap().asked();
    asked.iter().filter(|asked| **asked == format!("GET {place}")).count()
}

fn search(stage: &Stage, query: &str) -> Reply {
    let reply = stage.server.get(query, &stage.app());
    stage.server.allowed(&reply, 200, "search-type", if reply.keys().is_empty() { &[] } else { &["p1"] });
    reply
}

#[test]
fn a_stray_tag_on_a_stored_record_makes_no_search_fail() {
    let stored = tagged(kept(mine("o1"), "3"));
    let stage = before(vec![stored.clone(), kept(mine("o2"), "1")], Said::json(200, stored.to_string()));
    for query in ["Observation", "Observation?category=laboratory", "Observation?_sort=date", "Observation?_count=5"] {
        assert_eq!(search(&stage, query).keys(), ["Observation/o1", "Observation/o2"], "{query}");
    }
    assert_eq!(search(&stage, "Observation?_summary=count").json()["total"], 2);
    assert_eq!(reads(&stage, "Observation/o1"), 1, "the same part of the same version is known");
    let reply = stage.server.get("Observation/o1", &stage.app());
    stage.server.allowed(&reply, 200, "read", &["p1"]);
    assert_eq!(reply.json()["meta"]["tag"][0]["code"], "SUBSETTED", "told as it is stored");
    // A new version is read anew, and so is another part of the same.
    for (part, whole, value) in [("4", "4", "amended"), ("4", "4", "corrected")] {
        let mut now = tagged(kept(mine("o1"), whole));
        now["status"] = json!(value);
        let mut part = tagged(kept(mine("o1"), part));
        part["status"] = json!(value);
        let said = Said::json(200, now.to_string());
        stage.says(move |heard| match heard.below().0 {
            "Observation/o1" => Some(said.clone()),
            _ if is(heard, "Observation") => Some(page(heard, std::slice::from_ref(&part))),
            _ => None,
        });
        assert_eq!(search(&stage, "Observation").json()["entry"][0]["resource"]["status"], value);
    }
}

#[test]
fn what_a_server_cuts_is_decided_on_whole() {
    let part = tagged(kept(
        json!({"resourceType": "Observation", "id": "o1", "status": "final",
        "code": {"text": "x"}, "subject": {"reference": "Patient/p1"}}),
        "1",
    ));
    // Whole it is another patient's.
    let theirs =
        before(vec![part.clone()], Said::json(200, kept(records::observation("o1", "p2", "laboratory"), "1").to_string()));
    // Whole it has a label for which the consent lets nobody see it.
    let mut labelled = kept(mine("o1"), "1");
    labelled["meta"]["security"] = json!([{"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "V"}]);
    let hidden = before(vec![part.clone()], Said::json(200, labelled.to_string()));
    for (stage, token) in [(&theirs, theirs.app()), (&hidden, hidden.server.clinician("d1", "user/*.rs"))] {
        for _ in 0..2 {
            let reply = stage.server.get("Observation", &token).expect(200);
            assert!(reply.keys().is_empty(), "{}", reply.text());
        }
    }
    // Whole it may be seen, and is what is shown.
    let whole = before(vec![part], Said::json(200, kept(mine("o1"), "1").to_string()));
    for _ in 0..2 {
        let shown = search(&whole, "Observation").json()["entry"][0]["resource"].clone();
        assert_eq!((&shown["category"], &shown["meta"]["tag"]), (&mine("o1")["category"], &Value::Null), "{shown}");
        assert_eq!(search(&whole, "Observation?category=laboratory").keys(), ["Observation/o1"], "by what the part left out");
    }
    assert_eq!(reads(&whole, "Observation/o1"), 1);
}

#[test]
fn labels_that_only_the_part_tells_count_too() {
    let mut part = tagged(kept(mine("o1"), "1"));
    part["meta"]["security"] = json!([{"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "V"}]);
    let stage = before(vec![part], Said::json(200, kept(mine("o1"), "1").to_string()));
    for _ in 0..2 {
        let reply = stage.server.get("Observation", &stage.server.clinician("d1", "user/*.rs")).expect(200);
        assert!(reply.keys().is_empty(), "{}", reply.text());
    }
}

#[test]
fn a_part_whose_whole_is_gone_is_left_out_and_one_whose_whole_is_something_else_is_not_believed() {
    let shown = || vec![tagged(kept(mine("o1"), "2")), kept(mine("o2"), "1")];
    for status in [404, 410] {
        let stage = before(shown(), Said::json(status, "{}"));
        assert_eq!(search(&stage, "Observation").keys(), ["Observation/o2"]);
    }
    let mut redacted = tagged(kept(mine("o1"), "2"));
    redacted["meta"]["security"] = json!([{"system": CODES, "code": "REDACTED"}]);
    for said in [
        Said::json(200, kept(mine("other"), "2").to_string()),
        Said::json(200, kept(mine("o1"), "1").to_string()),
        Said::json(200, redacted.to_string()),
        Said::json(200, "{}"),
        Said::json(403, "{}"),
    ] {
        before(shown(), said).untrusted("Observation");
    }
}

#[test]
fn so_many_parts_of_a_page_are_read_again_and_no_more() {
    let shown: Vec<Value> = (0..80).map(|at| tagged(kept(mine(&format!("o{at}")), "1"))).collect();
    let stage = Stage::new("");
    let all = shown.clone();
    stage.says(move |heard| {
        let one = all.iter().find(|one| heard.below().0 == format!("Observation/{}", one["id"].as_str().unwrap()));
        let found = one.map(|one| Said::json(200, one.to_string()));
        found.or_else(|| is(heard, "Observation").then(|| page(heard, &all)))
    });
    let asked = || stage.server.behind.as_ref().unwrap().asked().iter().filter(|one| one.contains("Observation/o")).count();
    stage.untrusted("Observation?_count=100");
    assert!(asked() <= 50, "{} reads", asked());
    // What is known already is not asked again, so that the rest comes within the bound.
    assert_eq!(search(&stage, "Observation?_count=100").keys().len(), 80);
    assert_eq!(asked(), 80);
    let none = Stage::new("recent_bytes = 0");
    none.says(move |heard| is(heard, "Observation").then(|| page(heard, &shown)));
    none.untrusted("Observation?_count=100");
}

#[test]
fn parts_need_no_second_turn_and_histories_are_read_version_by_version() {
    let stage = Stage::new("in_flight = 1\nqueue_seconds = 1");
    let of = |version: &str| tagged(kept(mine("o1"), version));
    stage.says(move |heard| match heard.below().0 {
        "Observation/o1" | "Observation/o1/_history/2" => Some(Said::json(200, of("2").to_string())),
        "Observation/o1/_history/1" => {
            let mut labelled = kept(mine("o1"), "1");
            labelled["note"] = json!([{"text": "whole"}]);
            Some(Said::json(200, labelled.to_string()))
        }
        "Observation/o1/_history" => {
            let entry = |version: &str| json!({"resource": of(version), "request": {"method": "PUT", "url": "Observation/o1"}});
            let mut all = bundle(heard, &[]);
            all["entry"] = json!([entry("2"), entry("1")]);
            Some(Said::json(200, all.to_string()))
        }
        _ if is(heard, "Observation") => Some(page(heard, &[of("2")])),
        _ => None,
    });
    assert_eq!(search(&stage, "Observation").keys(), ["Observation/o1"]);
    let history = stage.server.get("Observation/o1/_history", &stage.app()).expect(200).json();
    let versions: Vec<&Value> =
        history["entry"].as_array().unwrap().iter().map(|entry| &entry["resource"]["meta"]["versionId"]).collect();
    assert_eq!(versions, ["2", "1"]);
    assert_eq!(history["entry"][1]["resource"]["note"][0]["text"], "whole");
}

#[test]
fn a_consent_that_came_in_part_is_read_each_time() {
    let stage = Stage::new("");
    let consent = |verdict: &str| {
        let whole = kept(records::consent("k", "p1", verdict), "1");
        move |heard: &Heard| match heard.below().0 {
            "Consent/k" => Some(Said::json(200, whole.to_string())),
            "Consent" => {
                Some(page(heard, &[tagged(kept(json!({"resourceType": "Consent", "id": "k", "status": "active"}), "1"))]))
            }
            "Observation/o1" => Some(Said::json(200, kept(mine("o1"), "1").to_string())),
            _ => None,
        }
    };
    let status = || stage.server.get("Observation/o1", &stage.server.clinician("d1", "user/*.rs")).status;
    for (verdict, told) in [("deny", 404), ("permit", 200), ("deny", 404)] {
        stage.says(consent(verdict));
        stage.server.wait(61);
        assert_eq!(status(), told, "{verdict}");
    }
}
