//! The documents in which clients find the way: `[base]/.well-known/smart-configuration` (SMART App Launch 2.2, "Conformance"),
//! `openid-configuration` (OpenID Connect Discovery § 3) and `oauth-authorization-server` (RFC 8414). They are made of one table, so
//! they agree; what works stands in them, and nothing else.

use super::account::ACRS;
use super::authorize::CATEGORIES;
use super::communities::Community;
use crate::fhir::Instant;
use crate::identity::{Algorithm, PROOF_ALGORITHMS};
use serde_json::{Map, Value, json};

/// What works at every gateway: `private_key_jwt` at the token endpoint, and scopes of both versions.
const BACKEND: [&str; 3] = ["client-confidential-asymmetric", "permission-v1", "permission-v2"];

/// Where apps keep states of their own (SMART App Launch 2.2, "Persisting App State").
pub const APP_STATE_PATH: &str = "/app-state";

/// What developers of apps read.
pub const DEVELOPERS_PATH: &str = "/developers";

/// What works where apps keep states.
const APP_STATE: &str = "smart-app-state";

/// What works where people sign in.
const PEOPLE: [&str; 15] = [
    "launch-ehr",
    "launch-standalone",
    "authorize-post",
    "client-public",
    "client-confidential-symmetric",
    "sso-openid-connect",
    "context-banner",
    "context-style",
    "context-ehr-patient",
    "context-ehr-encounter",
    "context-standalone-patient",
    "permission-offline",
    "permission-online",
    "permission-patient",
    "permission-user",
];

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
    /// `iss`
    pub issuer: String,
    /// The token endpoint.
    pub token: String,
    /// The gateway's own public keys.
    pub jwks: String,
    /// Introspection.
    pub introspection: String,
    /// Revocation.
    pub revocation: String,
    /// Where clients register themselves, where they do.
    pub registration: Option<String>,
    /// Whether certificates of clients are asked for: then they can authenticate, and have their tokens bound.
    pub certificates: bool,
    /// Where apps keep states of their own, where they do.
    pub app_state: Option<String>,
    /// What developers read, where people sign in.
    pub documentation: Option<String>,
    /// Where people sign in, when they do.
    pub people: Option<PeopleEndpoints>,
}

/// Where people sign in; absolute URLs.
#[derive(Debug, Clone)]
pub struct PeopleEndpoints {
    /// The authorization endpoint.
    pub authorization: String,
    /// The page of connected apps.
    pub management: String,
    /// Where authorization requests are pushed.
    pub push: String,
    /// Who the user is.
    pub userinfo: String,
    /// By which name patients know whose records these are.
    pub brands: String,
    /// The identifier of the brand among them.
    pub brand: Value,
}

impl Endpoints {
    /// The endpoints of a gateway at this origin.
    pub fn at(origin: &str, issuer: &str, people: bool) -> Self {
        let place = |path: &str| format!("{origin}{path}");
        Self {
            issuer: issuer.to_owned(),
            token: place("/token"),
            jwks: place("/.well-known/jwks.json"),
            introspection: place("/introspect"),
            revocation: place("/revoke"),
            registration: None,
            certificates: false,
            app_state: people.then(|| place(APP_STATE_PATH)),
            documentation: people.then(|| place(DEVELOPERS_PATH)),
            people: people.then(|| PeopleEndpoints {
                authorization: place("/authorize"),
                management: place("/account"),
                push: place("/par"),
                userinfo: place("/userinfo"),
                brands: place("/user-access-brands.json"),
                brand: super::brands::brand_identifier(origin),
            }),
        }
    }

    /// The URLs of the legacy extension of the CapabilityStatement (`oauth-uris`), which some clients know nothing else than.
    pub fn legacy(&self) -> Vec<(String, String)> {
        let people = self.people.as_ref();
        let all = [
            ("authorize", people.map(|people| &people.authorization)),
            ("token", Some(&self.token)),
            ("manage", people.map(|people| &people.management)),
            ("register", self.registration.as_ref()),
            ("introspect", Some(&self.introspection)),
            ("revoke", Some(&self.revocation)),
        ];
        all.into_iter().filter_map(|(name, url)| Some((name.to_owned(), url?.clone()))).collect()
    }
}

/// What is claimed.
pub fn capabilities(endpoints: &Endpoints) -> Vec<&'static str> {
    let people = PEOPLE.into_iter().filter(|_| endpoints.people.is_some());
    people.chain(BACKEND).chain(endpoints.app_state.as_ref().map(|_| APP_STATE)).collect()
}

/// What the documents have in common.
fn common(endpoints: &Endpoints, algorithms: &[Algorithm]) -> Map<String, Value> {
    let algorithms: Vec<_> = algorithms.iter().map(|algorithm| algorithm.name()).collect();
    let mut members = Map::new();
    let mut put = |name: &str, value: Value| drop(members.insert(name.to_owned(), value));
    put("token_endpoint", json!(endpoints.token));
    put("jwks_uri", json!(endpoints.jwks));
    put("introspection_endpoint", json!(endpoints.introspection));
    put("revocation_endpoint", json!(endpoints.revocation));
    put("token_endpoint_auth_signing_alg_values_supported", json!(algorithms));
    put("code_challenge_methods_supported", json!(["S256"]));
    put("scopes_supported", json!(scopes_supported(endpoints.people.is_some())));
    put("dpop_signing_alg_values_supported", json!(PROOF_ALGORITHMS.map(Algorithm::name)));
    if let Some(registration) = &endpoints.registration {
        put("registration_endpoint", json!(registration));
    }
    if endpoints.certificates {
        put("tls_client_certificate_bound_access_tokens", json!(true));
    }
    if let Some(documentation) = &endpoints.documentation {
        put("service_documentation", json!(documentation));
    }
    let Some(people) = &endpoints.people else {
        put("grant_types_supported", json!(["client_credentials"]));
        put("token_endpoint_auth_methods_supported", json!(methods(&["private_key_jwt"], endpoints.certificates)));
        return members;
    };
    put("issuer", json!(endpoints.issuer));
    put("authorization_endpoint", json!(people.authorization));
    put("userinfo_endpoint", json!(people.userinfo));
    put("grant_types_supported", json!(["authorization_code", "refresh_token", "client_credentials"]));
    let all = ["none", "client_secret_basic", "private_key_jwt"];
    put("token_endpoint_auth_methods_supported", json!(methods(&all, endpoints.certificates)));
    put("pushed_authorization_request_endpoint", json!(people.push));
    put("require_pushed_authorization_requests", json!(false));
    put("response_types_supported", json!(["code"]));
    put("response_modes_supported", json!(["query"]));
    put("authorization_response_iss_parameter_supported", json!(true));
    put("acr_values_supported", json!(ACRS));
    put("prompt_values_supported", json!(["none", "login", "consent"]));
    put("ui_locales_supported", json!(["en", "ur"]));
    members
}

fn methods(usual: &[&'static str], certificates: bool) -> Vec<&'static str> {
    let more: &[&str] = if certificates { &["tls_client_auth", "self_signed_tls_client_auth"] } else { &[] };
    usual.iter().chain(more).copied().collect()
}

/// `/.well-known/oauth-protected-resource` (RFC 9728): the FHIR API, and who issues tokens for it. `issuers` are those beside the
/// gateway itself.
pub fn protected_resource(endpoints: &Endpoints, issuers: &[String], name: &str) -> Value {
    let servers: Vec<&str> = std::iter::once(endpoints.issuer.as_str()).chain(issuers.iter().map(String::as_str)).collect();
    let mut members = json!({
        "resource": endpoints.issuer,
        "authorization_servers": servers,
        "scopes_supported": scopes_supported(endpoints.people.is_some()),
        "bearer_methods_supported": ["header"],
        "resource_name": name,
        "dpop_signing_alg_values_supported": PROOF_ALGORITHMS.map(Algorithm::name),
        "dpop_bound_access_tokens_required": false,
    });
    if endpoints.certificates
        && let Some(members) = members.as_object_mut()
    {
        members.insert("tls_client_certificate_bound_access_tokens".to_owned(), json!(true));
    }
    members
}

/// `[base]/.well-known/udap` (HL7 UDAP Security § 2), as the member of a community. `None` when it cannot be signed.
pub fn udap_configuration(endpoints: &Endpoints, community: &Community, now: Instant) -> Option<Value> {
    let registration = endpoints.registration.as_ref()?;
    let mut signed = vec![("token_endpoint", endpoints.token.as_str()), ("registration_endpoint", registration.as_str())];
    let mut grants = vec!["client_credentials"];
    if let Some(people) = &endpoints.people {
        signed.push(("authorization_endpoint", people.authorization.as_str()));
        grants.extend(["authorization_code", "refresh_token"]);
    }
    let algorithms = ["RS256", "ES256", "RS384", "ES384"];
    let mut members = json!({
        "udap_versions_supported": ["1"],
        "udap_profiles_supported": ["udap_dcr", "udap_authn", "udap_authz"],
        "udap_authorization_extensions_supported": ["hl7-b2b"],
        "udap_authorization_extensions_required": ["hl7-b2b"],
        "udap_certifications_supported": [],
        "grant_types_supported": grants,
        "scopes_supported": community.settings.scopes.split(' ').filter(|scope| !scope.is_empty()).collect::<Vec<_>>(),
        "token_endpoint": endpoints.token,
        "token_endpoint_auth_methods_supported": ["private_key_jwt"],
        "token_endpoint_auth_signing_alg_values_supported": algorithms,
        "registration_endpoint": registration,
        "registration_endpoint_jwt_signing_alg_values_supported": algorithms,
        "signed_metadata": community.metadata(&endpoints.issuer, &signed, now)?,
    });
    if let Some(people) = &endpoints.people {
        members.as_object_mut()?.insert("authorization_endpoint".to_owned(), json!(people.authorization));
    }
    Some(members)
}

/// `[base]/.well-known/smart-configuration`
///
/// `code_challenge_methods_supported` is a required member, so it stands there where nobody signs in as well: `S256`, never `plain`.
pub fn smart_configuration(endpoints: &Endpoints, algorithms: &[Algorithm]) -> Value {
    let mut members = common(endpoints, algorithms);
    members.insert("capabilities".to_owned(), json!(capabilities(endpoints)));
    if let Some(url) = &endpoints.app_state {
        members.insert("associated_endpoints".to_owned(), json!([{"url": url, "capabilities": [APP_STATE]}]));
    }
    if let Some(people) = &endpoints.people {
        members.insert("management_endpoint".to_owned(), json!(people.management));
        members.insert("user_access_brand_bundle".to_owned(), json!(people.brands));
        members.insert("user_access_brand_identifier".to_owned(), people.brand.clone());
    }
    Value::Object(members)
}

/// `{issuer}/.well-known/openid-configuration` and `oauth-authorization-server`.
pub fn openid_configuration(endpoints: &Endpoints, algorithms: &[Algorithm]) -> Value {
    let mut members = common(endpoints, algorithms);
    let mut put = |name: &str, value: Value| drop(members.insert(name.to_owned(), value));
    put("issuer", json!(endpoints.issuer));
    if endpoints.people.is_some() {
        put("subject_types_supported", json!(["public"]));
        put("id_token_signing_alg_values_supported", json!(["RS256"]));
        put(
            "claims_supported",
            json!([
                "iss",
                "sub",
                "aud",
                "exp",
                "iat",
                "auth_time",
                "nonce",
                "acr",
                "amr",
                "at_hash",
                "sid",
                "fhirUser",
                "profile",
                "name"
            ]),
        );
        put("request_parameter_supported", json!(false));
        put("request_uri_parameter_supported", json!(false));
    }
    Value::Object(members)
}

/// The scopes worth naming: everything, in both versions of the grammar, reading of each US Core type, and its granular parts. Any other
/// scope of the grammar works as well, within what a client is registered for.
pub fn scopes_supported(people: bool) -> Vec<String> {
    let contexts = ["openid", "profile", "fhirUser", "launch", "launch/patient", "offline_access", "online_access"];
    let contexts = contexts.into_iter().filter(|_| people).map(str::to_owned);
    let levels: &[&str] = if people { &["patient", "user", "system"] } else { &["system"] };
    let each = levels.iter().flat_map(|level| {
        let general = ["cruds", "rs", "read", "write"].into_iter().map(move |what| format!("{level}/*.{what}"));
        let types = TYPES.iter().map(move |name| format!("{level}/{name}.rs"));
        let parts = CATEGORIES.iter().map(move |one| format!("{level}/{}.rs?category={}|{}", one.of, one.system, one.code));
        general.chain(types).chain(parts)
    });
    contexts.chain(each).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Scopes;

    fn documents(people: bool) -> (Value, Value) {
        let endpoints = Endpoints::at("https://a", "https://a/fhir", people);
        let algorithms = [Algorithm::RS384, Algorithm::ES384];
        (smart_configuration(&endpoints, &algorithms), openid_configuration(&endpoints, &algorithms))
    }

    #[test]
    fn d11_every_scope_that_is_advertised_is_understood() {
        for scope in scopes_supported(true) {
            let understood = Scopes::parse(&scope);
            assert_eq!(understood.grants.len() + understood.contexts.len(), 1, "{scope}");
        }
    }

    #[test]
    fn d4_d7_where_nobody_signs_in_no_launch_is_promised() {
        let (smart, _) = documents(false);
        for absent in ["authorization_endpoint", "issuer", "response_types_supported", "management_endpoint"] {
            assert!(smart.get(absent).is_none(), "{absent}");
        }
        assert_eq!(smart["token_endpoint_auth_signing_alg_values_supported"], json!(["RS384", "ES384"]));
        assert_eq!(smart["code_challenge_methods_supported"], json!(["S256"]));
        assert!(!smart["capabilities"].as_array().unwrap().iter().any(|one| one.as_str().unwrap().starts_with("launch")));
    }

    #[test]
    fn the_documents_agree() {
        let (smart, openid) = documents(true);
        for (name, value) in openid.as_object().unwrap() {
            assert!(smart.get(name).is_none_or(|told| told == value), "{name}");
        }
        assert_eq!(openid["issuer"], "https://a/fhir");
        assert!(smart["capabilities"].as_array().unwrap().iter().all(Value::is_string));
    }
}
