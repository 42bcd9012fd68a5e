//! What is told when a result takes the place of another: that it did, never what it says. The form is that of FHIR R4 topic-based
//! subscriptions (<http://hl7.org/fhir/uv/subscriptions-backport>), payload `id-only`.

use crate::fhir::{Instant, Key};
use serde_json::{Value, json};
use std::future::Future;
use std::pin::Pin;

/// What a notification is about.
pub const TOPIC: &str = "urn:amanat:topic:result-replaced";

/// Types of records that are results.
const RESULTS: [&str; 3] = ["DiagnosticReport", "Observation", "DocumentReference"];

/// A result in a new version, or deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replaced {
    /// The number of the entry of the trail that tells of it: later changes have higher ones.
    pub number: i64,
    /// Which record.
    pub key: Key,
    /// Its version now.
    pub version: i64,
    /// When.
    pub at: Instant,
}

impl Replaced {
    /// Whether records of this type are results.
    pub fn is_result(key: &Key) -> bool {
        RESULTS.contains(&key.resource_type.name())
    }

    /// The notification of a subscriber.
    pub fn notification(&self, subscriber: &str, base: &str) -> String {
        let number = self.number.to_string();
        let event = json!({"name": "notification-event", "part": [
            {"name": "event-number", "valueString": number},
            {"name": "timestamp", "valueInstant": self.at.to_string()},
            {"name": "focus", "valueReference": {"reference": self.key.to_string()}},
        ]});
        let status = json!({
            "resourceType": "Parameters",
            "meta": {"profile": ["http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-subscription-status-r4"]},
            "parameter": [
                {"name": "subscription", "valueReference": {"identifier": {"system": "urn:amanat:lab:subscriber", "value": subscriber}}},
                {"name": "topic", "valueCanonical": TOPIC},
                {"name": "status", "valueCode": "active"},
                {"name": "type", "valueCode": "event-notification"},
                {"name": "events-since-subscription-start", "valueString": number},
                event,
            ],
        });
        let bundle: Value = json!({
            "resourceType": "Bundle",
            "type": "history",
            "timestamp": self.at.to_string(),
            "entry": [
                {
                    "fullUrl": format!("urn:uuid:{}", uuid::Uuid::now_v7()),
                    "resource": status,
                    "request": {"method": "GET", "url": format!("Subscription/{subscriber}/$status")},
                    "response": {"status": "200"},
                },
                {
                    "fullUrl": format!("{base}/{}", self.key),
                    "request": {"method": "PUT", "url": self.key.to_string()},
                    "response": {"status": "200", "etag": format!("W/\"{}\"", self.version), "lastModified": self.at.to_string()},
                },
            ],
        });
        bundle.to_string()
    }
}

/// A notification, when the subscriber may know of the change; else `None`.
pub type Announcing<'a> = Pin<Box<dyn Future<Output = Result<Option<String>, String>> + Send + 'a>>;

/// Who decides whether a subscriber is told.
pub trait Audience: Send + Sync {
    /// Decides as if the client read the record now, and enters into the trail that it is told; `again` when that was entered before.
    fn announce<'a>(&'a self, subscriber: &'a str, client: &'a str, change: &'a Replaced, again: bool) -> Announcing<'a>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notification_names_the_record_and_its_version_and_holds_nothing_of_it() {
        let key = Key::parse("DiagnosticReport/r1").unwrap();
        let change = Replaced { number: 7, key, version: 3, at: Instant::parse("2026-05-01T09:00:00Z").unwrap() };
        let told: Value = serde_json::from_str(&change.notification("ward", "https://h/fhir")).unwrap();
        assert_eq!((&told["type"], told["entry"].as_array().unwrap().len()), (&json!("history"), 2));
        assert_eq!(told["entry"][1]["fullUrl"], "https://h/fhir/DiagnosticReport/r1");
        assert_eq!(told["entry"][1]["response"]["etag"], "W/\"3\"");
        assert!(told["entry"][1]["resource"].is_null());
        let event = &told["entry"][0]["resource"]["parameter"][5]["part"];
        assert_eq!(
            (&event[0]["valueString"], &event[2]["valueReference"]["reference"]),
            (&json!("7"), &json!("DiagnosticReport/r1"))
        );
        assert!(Replaced::is_result(&change.key) && !Replaced::is_result(&Key::parse("Patient/p").unwrap()));
    }
}
