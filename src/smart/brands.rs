//! The brand bundle (SMART App Launch 2.2, "User-access Brands and Endpoints"): by which name patients know whose records these are.

use crate::fhir::Instant;
use serde_json::{Value, json};

const PROFILES: &str = "http://hl7.org/fhir/smart-app-launch/StructureDefinition";

/// The identifier of the one brand: its home page.
pub fn brand_identifier(origin: &str) -> Value {
    json!({"system": "urn:ietf:rfc:3986", "value": origin})
}

/// The bundle: one organization and its one endpoint. `since` is when it last changed.
pub fn brand_bundle(origin: &str, base: &str, name: &str, since: Instant) -> Value {
    let organization = json!({
        "resourceType": "Organization",
        "id": "brand",
        "meta": {"profile": [format!("{PROFILES}/user-access-brand")]},
        "identifier": [brand_identifier(origin)],
        "active": true,
        "name": name,
        "telecom": [{"system": "url", "value": origin}],
        "endpoint": [{"reference": "Endpoint/brand"}],
    });
    let endpoint = json!({
        "resourceType": "Endpoint",
        "id": "brand",
        "meta": {"profile": [format!("{PROFILES}/user-access-endpoint")]},
        "extension": [{"url": "http://hl7.org/fhir/StructureDefinition/endpoint-fhir-version", "valueCode": "4.0.1"}],
        "status": "active",
        "connectionType": {"system": "http://terminology.hl7.org/CodeSystem/endpoint-connection-type", "code": "hl7-fhir-rest"},
        "name": format!("FHIR R4 of {name}"),
        "managingOrganization": {"reference": "Organization/brand"},
        "contact": [{"system": "url", "value": origin}],
        "payloadType": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/endpoint-payload-type", "code": "none"}]}],
        "address": base,
    });
    json!({
        "resourceType": "Bundle",
        "id": "brands",
        "type": "collection",
        "timestamp": since.to_string(),
        "entry": [
            {"fullUrl": format!("{origin}/Organization/brand"), "resource": organization},
            {"fullUrl": format!("{origin}/Endpoint/brand"), "resource": endpoint},
        ],
    })
}
