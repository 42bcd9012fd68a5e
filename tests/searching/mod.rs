//! Searches as R4 has them, through a running gateway: modifiers, value sets, filters, lists, words, places, contained resources; and that
//! none of them tells of records that the caller may not see.

mod contained;
mod custom;
mod earlier;
mod filters;
mod hidden;
mod includes;
mod lastn;
mod letter;
mod terms;
mod words;

use crate::support::{Reply, Server};
use serde_json::{Value, json};

const ALL: &str = "system/*.cruds";

/// The ids that a search finds, sorted.
#[track_caller]
fn found(server: &Server, query: &str, token: &str) -> Vec<String> {
    let mut ids: Vec<String> = matches(&server.get(query, token).expect(200));
    ids.sort();
    ids
}

fn matches(reply: &Reply) -> Vec<String> {
    let bundle = reply.json();
    let entries = bundle["entry"].as_array().cloned().unwrap_or_default();
    let matched = entries.iter().filter(|entry| entry["search"]["mode"] == "match");
    matched.map(|entry| entry["resource"]["id"].as_str().unwrap().to_owned()).collect()
}

/// An observation of a patient with one coding.
fn coded(id: &str, patient: &str, system: &str, code: &str) -> Value {
    json!({
        "resourceType": "Observation", "id": id, "status": "final",
        "code": {"coding": [{"system": system, "code": code, "display": format!("The {code}")}], "text": format!("text of {id}")},
        "subject": {"reference": format!("Patient/{patient}")},
    })
}
