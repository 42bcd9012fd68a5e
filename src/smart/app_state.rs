//! What the place of the apps' own states says of itself.

use crate::fhir::Instant;
use serde_json::{Value, json};

/// The CapabilityStatement of the place at this URL.
pub fn app_state_statement(url: &str, now: Instant) -> Value {
    let interactions = ["create", "update", "delete", "search-type"].map(|code| json!({"code": code}));
    json!({
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": now.to_string(),
        "kind": "instance",
        "instantiates": ["http://hl7.org/fhir/smart-app-launch/CapabilityStatement/smart-app-state-server"],
        "implementation": {"description": "States that apps keep for themselves", "url": url},
        "fhirVersion": "4.0.1",
        "format": ["json"],
        "rest": [{
            "mode": "server",
            "resource": [{
                "type": "Basic",
                "supportedProfile": ["http://hl7.org/fhir/smart-app-launch/StructureDefinition/smart-app-state-basic"],
                "interaction": interactions,
                "versioning": "versioned-update",
                "updateCreate": false,
                "searchParam": [{"name": "code", "type": "token"}, {"name": "subject", "type": "reference"}],
            }],
        }],
    })
}
