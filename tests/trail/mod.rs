//! The trail: what is entered, what of it can be read, what is done when it cannot be written, and what an intruder cannot hide.

mod accounting;
mod alarms;
mod entries;
mod evidence;
mod feeds;
mod incident;
mod manipulations;
mod unwritable;
mod view;

use crate::site::Site;
use serde_json::{Value, json};

const EVERYTHING: &str = "system/*.cruds";

fn patient(id: &str) -> Value {
    json!({ "resourceType": "Patient", "id": id, "active": true })
}

fn observation(patient: &str) -> Value {
    json!({
        "resourceType": "Observation", "status": "final", "code": { "text": "Haemoglobin" }, "valueString": "confidential",
        "subject": { "reference": format!("Patient/{patient}") }
    })
}

/// A served site with a client that may do everything, and two patients with a record each.
fn with_records() -> (Site, String) {
    let site = Site::prepare("");
    let token = site.client("hospital", EVERYTHING);
    let mut site = site;
    site.start();
    for id in ["a", "b"] {
        site.ask("PUT", &token, &format!("Patient/{id}"), Some(&patient(id))).expect(201);
        site.ask("POST", &token, "Observation", Some(&observation(id))).expect(201);
    }
    (site, token)
}
