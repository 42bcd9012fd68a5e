//! Consents that a server behind keeps: what it shows of them is not always all that stands, nor always new by its number. A denial that
//! stands is never lost for that.

use crate::support::{Behind, Heard, Said, Server, records};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, MutexGuard};

const ALL: &str = "system/*.cruds system/Consent.cruds";

/// What the server keeps, and what of that its searches show.
#[derive(Default)]
struct Shelf {
    kept: Vec<Value>,
    listed: Vec<Value>,
}

struct Site {
    server: Server,
    shelf: Arc<Mutex<Shelf>>,
}

fn key_of(record: &Value) -> String {
    format!("{}/{}", record["resourceType"].as_str().unwrap(), record["id"].as_str().unwrap())
}

fn bundle(heard: &Heard, records: &[Value]) -> Said {
    let url = format!("http://x{}", heard.target);
    let entries: Vec<Value> = records.iter().map(|record| json!({"resource": record})).collect();
    Said::json(200, json!({"resourceType": "Bundle", "link": [{"relation": "self", "url": url}], "entry": entries}).to_string())
}

/// A server that takes every change and shows in searches what it likes.
fn answer(heard: &Heard, shelf: &mut Shelf) -> Said {
    let place = heard.below().0;
    let of = place.rsplit('/').next().unwrap();
    match (heard.method.as_str(), shelf.kept.iter().position(|one| key_of(one) == place)) {
        ("PUT", at) => {
            let mut record: Value = serde_json::from_slice(&heard.body).unwrap();
            let version = at.map_or(0, |at| shelf.kept[at]["meta"]["versionId"].as_str().unwrap().parse::<u32>().unwrap());
            record["meta"] = json!({"versionId": (version + 1).to_string(), "lastUpdated": "2026-06-01T12:00:00Z"});
            shelf.kept.retain(|one| key_of(one) != place);
            shelf.kept.push(record.clone());
            Said::json(201, record.to_string())
        }
        ("DELETE", _) => {
            shelf.kept.retain(|one| key_of(one) != place);
            Said::json(204, "")
        }
        (_, Some(at)) => Said::json(200, shelf.kept[at].to_string()),
        _ if of == "Consent" || of == "Observation" || !place.contains('/') => {
            let listed: Vec<Value> = shelf.listed.iter().filter(|one| one["resourceType"] == of).cloned().collect();
            bundle(heard, &listed)
        }
        _ => Said::json(404, "{}"),
    }
}

impl Site {
    fn new(implicit_policy: &str) -> Self {
        let shelf = Arc::<Mutex<Shelf>>::default();
        let held = Arc::clone(&shelf);
        let behind = Behind::start(move |heard| answer(heard, &mut held.lock().unwrap()));
        let site = Self { server: Server::before(behind, implicit_policy, ""), shelf };
        site.shelf().kept.push(told(records::observation("o1", "p1", "laboratory"), "1"));
        site
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap()
    }

    /// The server keeps this, and shows it.
    fn keeps(&self, record: &Value) {
        let mut shelf = self.shelf();
        shelf.kept.retain(|one| key_of(one) != key_of(record));
        shelf.kept.push(record.clone());
        shelf.listed = vec![record.clone()];
    }

    /// Whether a clinician reads the result, once consents were read again.
    fn shows(&self) -> bool {
        self.server.wait(61);
        self.shows_now()
    }

    fn shows_now(&self) -> bool {
        let reply = self.server.get("Observation/o1", &self.server.clinician("d1", "user/*.rs"));
        assert!(matches!(reply.status, 200 | 404), "{}", reply.text());
        if reply.status == 404 {
            self.server.refused(&reply, 404, "AMANAT-REC-0001", "not-found");
        }
        reply.status == 200
    }
}

fn told(mut record: Value, version: &str) -> Value {
    record["meta"] = json!({"versionId": version, "lastUpdated": "2026-05-01T00:00:00Z"});
    record
}

fn consent(verdict: &str) -> Value {
    records::consent("k1", "p1", verdict)
}

#[test]
fn a_consent_that_changes_under_the_same_version_counts() {
    let site = Site::new("Policy-all-normal");
    // With a version that stays, with one that goes back, and with none at all.
    for versions in [["1", "1"], ["7", "3"], ["", ""]] {
        let of = |at: usize, verdict: &str| {
            if versions[at].is_empty() { consent(verdict) } else { told(consent(verdict), versions[at]) }
        };
        for _ in 0..2 {
            site.keeps(&of(0, "permit"));
            assert!(site.shows(), "{versions:?}");
            site.keeps(&of(1, "deny"));
            assert!(!site.shows(), "{versions:?}");
        }
    }
}

#[test]
fn a_denial_that_one_answer_leaves_out_still_stands() {
    let site = Site::new("Policy-all-normal");
    site.keeps(&told(consent("deny"), "1"));
    assert!(!site.shows());
    for _ in 0..2 {
        site.shelf().listed.clear();
        assert!(!site.shows(), "it is there, under its address");
    }
    site.shelf().kept.retain(|one| one["resourceType"] != "Consent");
    assert!(site.shows(), "now it is gone");
    // The same comes back, as after a restore.
    site.keeps(&told(consent("deny"), "1"));
    assert!(!site.shows());
}

#[test]
fn a_denial_that_was_just_filed_stands_whatever_searches_show() {
    let site = Site::new("Policy-all-normal");
    let token = site.server.system(ALL);
    assert!(site.shows());
    assert_eq!(site.server.put("Consent/k1", &token, &consent("deny")).status, 201);
    assert!(!site.shows_now());
    for _ in 0..2 {
        assert!(!site.shows(), "no search finds it yet");
    }
    // A search that finds what it was before.
    let mut permits = consent("permit");
    permits["dateTime"] = json!("2026-01-02T00:00:00Z");
    let _ = site.server.put("Consent/k1", &token, &permits).expect(200);
    assert!(site.shows());
    let _ = site.server.put("Consent/k1", &token, &consent("deny")).expect(200);
    site.shelf().listed = vec![told(permits, "2")];
    for _ in 0..2 {
        assert!(!site.shows(), "what a search shows is older than what was filed");
    }
}

#[test]
fn a_permission_that_was_taken_back_stays_taken_back_whatever_searches_show() {
    let site = Site::new("Policy-deny");
    site.keeps(&told(consent("permit"), "1"));
    assert!(site.shows());
    let token = site.server.system(ALL);
    let mut ended = consent("permit");
    ended["status"] = json!("inactive");
    let _ = site.server.put("Consent/k1", &token, &ended).expect(200);
    for _ in 0..3 {
        assert!(!site.shows(), "a search shows the one before");
    }
}

#[test]
fn what_was_just_filed_stands_when_the_gateway_begins_anew() {
    let mut site = Site::new("Policy-all-normal");
    let token = site.server.system(ALL);
    assert_eq!(site.server.put("Consent/k1", &token, &consent("deny")).status, 201);
    site.server = site.server.restart(|_| {});
    assert!(!site.shows_now(), "no search finds it yet");
    assert!(!site.shows());
    // One that searches show still is gone all the same.
    site.shelf().listed = vec![told(consent("deny"), "1")];
    assert!(!site.shows());
    assert_eq!(site.server.delete("Consent/k1", &token).status, 204);
    assert!(site.shows_now());
    site.server = site.server.restart(|_| {});
    for _ in 0..3 {
        assert!(site.shows(), "it is gone, under its address");
    }
}

#[test]
fn a_denial_counts_though_the_server_does_not_say_that_it_has_consents() {
    let stage = super::hostile::Stage::new("");
    let says = |status: u16| {
        move |heard: &Heard| {
            let of = |name: &str| json!({"type": name, "interaction": [{"code": "read"}, {"code": "search-type"}]});
            let statement = json!({"resourceType": "CapabilityStatement", "fhirVersion": "4.0.1",
                "rest": [{"mode": "server", "resource": [of("Patient"), of("Observation")]}]});
            match heard.below().0 {
                "metadata" => Some(Said::json(200, statement.to_string())),
                "Observation/o1" => Some(Said::json(200, told(records::observation("o1", "p1", "laboratory"), "1").to_string())),
                "Consent" if status == 200 => Some(bundle(heard, &[told(consent("deny"), "1")])),
                "Consent" => Some(Said::json(status, "{}")),
                "Group" | "PractitionerRole" | "OrganizationAffiliation" | "CareTeam" => Some(Said::json(404, "{}")),
                place => place.starts_with("Consent/").then(|| Said::json(404, "{}")),
            }
        }
    };
    let read = || stage.server.get("Observation/o1", &stage.server.clinician("d1", "user/*.rs"));
    for (status, told) in [(404, 200), (200, 404), (400, 200), (405, 200)] {
        stage.says(says(status));
        stage.server.wait(61);
        assert_eq!(read().status, told, "{status}");
    }
    // An error is none of its words for having none.
    stage.says(says(500));
    stage.server.wait(61);
    stage.server.refused(&read(), 503, "AMANAT-UP-0004", "upstream:consents");
}
