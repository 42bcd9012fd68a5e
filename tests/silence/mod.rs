//! Nothing is to be learned about what is withheld: L1 to L20 of the requirement, each by its number.
//!
//! Two gateways hold the same records that the caller may see; one of them holds others beside. Whatever is asked, both answer alike.

mod elements;
mod existence;
mod paths;
mod sideways;

use crate::support::records::{condition, consent, encounter, observation, organization, patient, practitioner};
use crate::support::{Reply, Server};
use serde_json::{Value, json};

const ACT_CODE: &str = "http://terminology.hl7.org/CodeSystem/v3-ActCode";

/// The patient lets everybody treat, but keeps HIV to herself.
fn directive() -> Value {
    let mut permit = consent("k1", "p1", "permit");
    let hiv = json!([{"system": ACT_CODE, "code": "HIV"}]);
    permit["provision"]["provision"] = json!([{"type": "deny", "securityLabel": hiv}]);
    permit
}

fn labelled(mut record: Value) -> Value {
    record["meta"] = json!({"security": [{"system": ACT_CODE, "code": "HIV"}]});
    record
}

/// What the caller may see.
fn shown() -> Vec<Value> {
    let mut panel = observation("panel", "p1", "laboratory");
    panel["hasMember"] = json!([{"reference": "Observation/h1", "display": "Antibodies"}, {"reference": "Observation/o1"}]);
    panel["valueQuantity"]["value"] = json!(20);
    let report = json!({
        "resourceType": "DiagnosticReport", "id": "r1", "status": "final", "subject": {"reference": "Patient/p1"},
        "text": {"status": "generated", "div": "<div xmlns=\"http://www.w3.org/1999/xhtml\">Antibodies reactive</div>"},
        "code": {"coding": [{"system": "http://loinc.org", "code": "11502-2"}]},
        "encounter": {"reference": "Encounter/e1", "display": "Ambulatory"},
        "result": [
            {"reference": "Observation/h1", "type": "Observation", "display": "Antibodies", "identifier": {"value": "acc-77"}},
            {"reference": "Observation/o1", "display": "Haemoglobin"},
        ],
        "performer": [{"reference": "Practitioner/d1", "display": "Dr. Khan"}],
    });
    vec![
        organization("ghb", "Ward"),
        practitioner("d1", "Khan"),
        patient("p1", "Amin"),
        encounter("e1", "p1"),
        observation("o1", "p1", "laboratory"),
        observation("o2", "p1", "vital-signs"),
        panel,
        report,
        directive(),
    ]
}

/// What only one of the two holds: what the patient keeps to herself, and everything of a patient who signed nothing.
fn kept() -> Vec<Value> {
    let mut antibodies = labelled(observation("h1", "p1", "laboratory"));
    antibodies["code"] = json!({"coding": [{"system": "http://loinc.org", "code": "75622-1", "display": "Antibodies"}]});
    antibodies["hasMember"] = json!([{"reference": "Observation/o1"}]);
    antibodies["derivedFrom"] = json!([{"reference": "Observation/o2"}]);
    antibodies["effectiveDateTime"] = json!("2026-05-20T08:00:00Z");
    let mut disease = labelled(condition("h2", "p1"));
    disease["encounter"] = json!({"reference": "Encounter/e1"});
    let told = json!({
        "resourceType": "Provenance", "id": "h3", "recorded": "2026-05-20T09:00:00Z",
        "target": [{"reference": "Observation/h1"}], "agent": [{"who": {"reference": "Practitioner/d1"}}],
    });
    vec![antibodies, disease, told, patient("p2", "Bano"), observation("h4", "p2", "laboratory")]
}

/// Gateways with and without the others.
struct Twins {
    with: Server,
    without: Server,
}

impl Twins {
    fn new() -> Self {
        Self::set("")
    }

    fn set(sections: &str) -> Self {
        let (with, without) = (Server::strict(sections), Server::strict(sections));
        let (shown, kept) = (shown(), kept());
        for part in shown.chunks(3) {
            with.seed(part);
            without.seed(part);
        }
        with.seed(&kept);
        Self { with, without }
    }

    fn clinician(server: &Server) -> String {
        server.clinician("d1", "user/*.cruds")
    }

    /// Asks both, follows links to the end, and gives the first answer of the one that holds more.
    #[track_caller]
    fn alike(&self, what: &str, ask: &dyn Fn(&Server) -> Reply) -> Reply {
        let first = ask(&self.with);
        let (mut left, mut right) = (first.clone(), ask(&self.without));
        for page in 0..30 {
            assert_eq!(left.masked(), right.masked(), "{what}, page {page}");
            let next = |reply: &Reply| (reply.status == 200 && reply.text().contains("\"next\"")).then(|| reply.next()).flatten();
            let (Some(one), Some(other)) = (next(&left), next(&right)) else { return first };
            left = self.with.get(&one, &Self::clinician(&self.with));
            right = self.without.get(&other, &Self::clinician(&self.without));
        }
        panic!("{what} does not end");
    }

    #[track_caller]
    fn get(&self, path: &str) -> Reply {
        self.alike(path, &|server| server.get(path, &Self::clinician(server)))
    }

    #[track_caller]
    fn all(&self, paths: &[&str]) {
        for path in paths {
            let reply = self.get(path);
            let told = reply.json();
            // A `self` link repeats what was asked.
            let text = if told["resourceType"] == "Bundle" { told["entry"].to_string() } else { told.to_string() };
            assert!(!text.contains("Antibodies") && !text.contains("75622-1") && !text.contains("Bano"), "{path}: {text}");
        }
    }
}
