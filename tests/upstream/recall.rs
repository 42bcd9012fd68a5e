//! What is kept of records that came before decides nothing: each request is decided anew, on what the server sends now.

use crate::support::{Behind, Heard, Said, Server, records};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

type Shared = Arc<Mutex<Vec<Value>>>;

/// A server whose observations are these, whatever it is asked.
struct Shelf {
    server: Server,
    records: Shared,
    consents: Shared,
}

fn bundle(heard: &Heard, records: &[Value]) -> Said {
    let url = format!("http://{}{}", heard.header("host").unwrap_or_default(), heard.target);
    let entries: Vec<Value> = records.iter().map(|record| json!({"resource": record, "search": {"mode": "match"}})).collect();
    let all =
        json!({"resourceType": "Bundle", "type": "searchset", "link": [{"relation": "self", "url": url}], "entry": entries});
    Said::json(200, all.to_string())
}

impl Shelf {
    fn new(implicit_policy: &str, settings: &str) -> Self {
        let (all, granted) = (Shared::default(), Shared::default());
        let (shown, told) = (Arc::clone(&all), Arc::clone(&granted));
        let behind = Behind::start(move |heard| {
            let place = heard.below().0;
            let one =
                shown.lock().unwrap().iter().find(|one| place == format!("Observation/{}", one["id"].as_str().unwrap())).cloned();
            match (one, place.split('/').next_back()) {
                (Some(record), _) => Said::json(200, record.to_string()),
                (None, Some("Observation")) => bundle(heard, &shown.lock().unwrap()),
                (None, Some("Consent")) => bundle(heard, &told.lock().unwrap()),
                _ => bundle(heard, &[]),
            }
        });
        Self { server: Server::before(behind, implicit_policy, settings), records: all, consents: granted }
    }

    fn holds(&self, records: &[Value]) {
        *self.records.lock().unwrap() = records.to_vec();
    }

    /// What one patient's app finds, and whether it may read each by its id: both must say the same.
    #[track_caller]
    fn finds(&self, patient: &str) -> Vec<String> {
        let app = self.server.patient(patient, "patient/*.rs");
        let found = self.server.get("Observation?category=laboratory", &app).expect(200).keys();
        let all = self.records.lock().unwrap().clone();
        for record in all {
            let key = format!("Observation/{}", record["id"].as_str().unwrap());
            let status = self.server.get(&key, &app).status;
            assert_eq!(status == 200, found.contains(&key), "{key} for {patient}: {status}");
        }
        found
    }
}

fn result(id: &str, patient: &str, label: &str) -> Value {
    let mut record = records::observation(id, patient, "laboratory");
    record["meta"] = json!({"versionId": "1", "lastUpdated": "2026-05-01T00:00:00Z", "security": [
        {"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": label}]});
    record
}

#[test]
fn records_that_came_before_are_decided_anew_for_each_caller_and_each_change() {
    // With and without, and with so little room that most is forgotten again.
    for kept in ["", "recent_bytes = 0", "recent_bytes = 200000"] {
        let shelf = Shelf::new("Policy-all-normal", kept);
        let all = [result("o1", "p1", "N"), result("o2", "p1", "N"), result("o3", "p2", "N")];
        for _ in 0..3 {
            shelf.holds(&all);
            assert_eq!(shelf.finds("p1"), ["Observation/o1", "Observation/o2"], "{kept}");
            assert_eq!(shelf.finds("p2"), ["Observation/o3"], "{kept}");
            // One letter, and the record is another patient's, under the same id and version.
            shelf.holds(&[result("o1", "p2", "N"), all[1].clone(), all[2].clone()]);
            assert_eq!(shelf.finds("p1"), ["Observation/o2"], "{kept}");
            assert_eq!(shelf.finds("p2"), ["Observation/o1", "Observation/o3"], "{kept}");
            // The same records in another order, some twice, some gone.
            shelf.holds(&[all[2].clone(), all[1].clone(), all[1].clone()]);
            assert_eq!(shelf.finds("p1"), ["Observation/o2"], "{kept}");
            shelf.holds(&[]);
            assert!(shelf.finds("p1").is_empty(), "{kept}");
        }
    }
}

#[test]
fn labels_and_consents_bite_on_records_that_came_before() {
    let shelf = Shelf::new("Policy-all-normal", "");
    let system = || shelf.server.system("system/*.rs");
    let found = || shelf.server.get("Observation?category=laboratory", &system()).expect(200).keys();
    shelf.holds(&[result("o1", "p1", "N"), result("o2", "p1", "N")]);
    for _ in 0..2 {
        assert_eq!(found(), ["Observation/o1", "Observation/o2"]);
    }
    // The same record with a label of one letter more.
    shelf.holds(&[result("o1", "p1", "R"), result("o2", "p1", "N")]);
    assert_eq!(found(), ["Observation/o2"]);
    shelf.holds(&[result("o1", "p1", "N"), result("o2", "p1", "N")]);
    assert_eq!(found(), ["Observation/o1", "Observation/o2"]);
    // The same bytes, and a patient who has denied since.
    let mut consent = records::consent("c1", "p1", "deny");
    consent["meta"] = json!({"versionId": "1", "lastUpdated": "2026-05-01T00:00:00Z"});
    *shelf.consents.lock().unwrap() = vec![consent];
    shelf.server.wait(61);
    assert!(found().is_empty());
    assert_eq!(shelf.server.get("Observation/o1", &system()).status, 404);
}
