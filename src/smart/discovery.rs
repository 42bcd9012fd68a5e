//! `[base]/.well-known/smart-configuration` (SMART App Launch 2.2, "Conformance"): what works, and nothing else.

use crate::identity::Algorithm;
use serde_json::{Value, json};

/// What works: `private_key_jwt` at the token endpoint, and scopes of both versions. No launch, no sign-in, no refresh yet.
pub const CAPABILITIES: [&str; 3] = ["client-confidential-asymmetric", "permission-v1", "permission-v2"];

/// The types of the US Core scope list, each offered as `system/Type.rs`.
const TYPES: [&str; 24] = [
    "AllergyIntolerance",
    "CarePlan",
    "CareTeam",
    "Condition",
    "Coverage",
    "Device",
    "DiagnosticReport",
    "DocumentReference",
    "Encounter",
    "Goal",
    "Immunization",
    "MedicationDispense",
    "MedicationRequest",
    "Observation",
    "Organization",
    "Patient",
    "Practitioner",
    "PractitionerRole",
    "Procedure",
    "Provenance",
    "QuestionnaireResponse",
    "RelatedPerson",
    "ServiceRequest",
    "Specimen",
];

/// Where things are; absolute URLs.
#[derive(Debug, Clone)]
pub struct Endpoints {
    /// The token endpoint.
    pub token: String,
    /// The gateway's own public keys.
    pub jwks: String,
}

/// The document.
///
/// `code_challenge_methods_supported` must be there and must name `S256` whatever else is (it is a required member), so it says
/// what the authorization endpoint will take when there is one: `S256` and never `plain`. All that would promise a launch
/// (`authorization_endpoint`, `authorization_code`, `response_types_supported`, `launch-*`, `issuer`) is absent.
pub fn smart_configuration(endpoints: &Endpoints, algorithms: &[Algorithm]) -> Value {
    let algorithms: Vec<_> = algorithms.iter().map(|algorithm| algorithm.name()).collect();
    json!({
        "token_endpoint": endpoints.token,
        "jwks_uri": endpoints.jwks,
        "grant_types_supported": ["client_credentials"],
        "token_endpoint_auth_methods_supported": ["private_key_jwt"],
        "token_endpoint_auth_signing_alg_values_supported": algorithms,
        "scopes_supported": scopes_supported(),
        "code_challenge_methods_supported": ["S256"],
        "capabilities": CAPABILITIES,
    })
}

/// The scopes worth naming: everything, in both versions of the grammar, and reading of each US Core type. Any other scope of the grammar
/// works as well, within what a client is registered for.
pub fn scopes_supported() -> Vec<String> {
    let general = ["system/*.cruds", "system/*.rs", "system/*.read", "system/*.write"];
    let each = TYPES.iter().map(|name| format!("system/{name}.rs"));
    general.into_iter().map(str::to_owned).chain(each).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Scopes;

    #[test]
    fn every_scope_that_is_advertised_is_understood() {
        for scope in scopes_supported() {
            assert_eq!(Scopes::parse(&scope).grants.len(), 1, "{scope}");
        }
    }

    #[test]
    fn the_document_claims_what_is_there_and_promises_no_launch() {
        let endpoints = Endpoints { token: "https://a/token".to_owned(), jwks: "https://a/jwks".to_owned() };
        let document = smart_configuration(&endpoints, &[Algorithm::RS384, Algorithm::ES384]);
        for absent in ["authorization_endpoint", "issuer", "response_types_supported", "introspection_endpoint"] {
            assert!(document.get(absent).is_none(), "{absent}");
        }
        assert_eq!(document["token_endpoint_auth_signing_alg_values_supported"], json!(["RS384", "ES384"]));
        assert_eq!(document["code_challenge_methods_supported"], json!(["S256"]));
        assert!(document["capabilities"].as_array().unwrap().iter().all(Value::is_string));
    }
}
