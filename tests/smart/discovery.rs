//! The documents in which clients find the way.

use super::visitor::{HOME, Visitor, ask, clinic, query, request, seconds};
use crate::support::{BASE, Server};
use amanat::smart::{Client, ClientKeys};
use serde_json::{Value, json};

fn list(told: &Value, name: &str) -> Vec<String> {
    told[name].as_array().unwrap_or_else(|| panic!("{name}")).iter().map(|one| one.as_str().unwrap().to_owned()).collect()
}

#[test]
fn d3_to_d14_everything_that_works_is_claimed() {
    let server = clinic();
    let told = server.call("GET", "/fhir/.well-known/smart-configuration").send().expect(200).json();
    let capabilities = list(&told, "capabilities");
    for one in [
        "launch-ehr",
        "launch-standalone",
        "authorize-post",
        "client-public",
        "client-confidential-symmetric",
        "client-confidential-asymmetric",
        "sso-openid-connect",
        "context-banner",
        "context-style",
        "context-ehr-patient",
        "context-ehr-encounter",
        "context-standalone-patient",
        "permission-offline",
        "permission-patient",
        "permission-user",
        "permission-v1",
        "permission-v2",
    ] {
        assert!(capabilities.iter().any(|held| held == one), "D-14 {one}");
    }
    assert_eq!(told["issuer"], BASE, "D-7");
    let grants = list(&told, "grant_types_supported");
    assert!(
        ["authorization_code", "client_credentials", "refresh_token"].iter().all(|one| grants.iter().any(|held| held == one)),
        "D-5"
    );
    assert_eq!(list(&told, "code_challenge_methods_supported"), ["S256"], "D-6");
    assert_eq!(list(&told, "response_types_supported"), ["code"], "D-10");
    assert_eq!(told["authorization_response_iss_parameter_supported"], true, "A-12");
    for endpoint in [
        "authorization_endpoint",
        "token_endpoint",
        "introspection_endpoint",
        "revocation_endpoint",
        "management_endpoint",
        "jwks_uri",
    ] {
        assert!(told[endpoint].as_str().unwrap().starts_with("https://localhost:8443/"), "D-8 {endpoint}");
    }
    let scopes = list(&told, "scopes_supported");
    for one in ["launch", "openid", "fhirUser", "offline_access", "patient/Condition.rs", "user/Observation.rs"] {
        assert!(scopes.iter().any(|held| held == one), "D-10 {one}");
    }
    assert!(scopes.iter().any(|held| held.ends_with("observation-category|vital-signs")), "D-11");
}

#[test]
fn o2_cs2_bp7_d16_the_documents_agree_and_are_open_to_all() {
    let server = clinic();
    let smart = server.call("GET", "/fhir/.well-known/smart-configuration").send().expect(200).json();
    for place in [
        "/fhir/.well-known/openid-configuration",
        "/.well-known/oauth-authorization-server",
        "/.well-known/oauth-authorization-server/fhir",
    ] {
        let reply = server.call("GET", place).header("Origin", "https://anybody.example").send().expect(200);
        assert_eq!(reply.header("access-control-allow-origin"), Some("*"), "D-16");
        let told = reply.json();
        assert_eq!(told["issuer"], BASE);
        for (name, value) in told.as_object().unwrap() {
            assert!(smart.get(name).is_none_or(|same| same == value), "{place} {name}");
        }
    }
    let statement = server.call("GET", "metadata").header("Origin", "https://anybody.example").send().expect(200).json();
    let security = &statement["rest"][0]["security"];
    let uris = security["extension"][0]["extension"].as_array().unwrap();
    let legacy = |name: &str| uris.iter().find(|one| one["url"] == name).map(|one| one["valueUri"].clone());
    for (name, endpoint) in [
        ("authorize", "authorization_endpoint"),
        ("token", "token_endpoint"),
        ("introspect", "introspection_endpoint"),
        ("revoke", "revocation_endpoint"),
        ("manage", "management_endpoint"),
    ] {
        assert_eq!(legacy(name).as_ref(), Some(&smart[endpoint]), "CS-2 {name}");
    }
}

#[test]
fn d11_every_scope_that_is_advertised_is_granted() {
    let server = clinic();
    let key = crate::support::Signer::of_client("k1");
    server.register(Client::backend("lab", "Lab", ClientKeys::Jwks(key.key_set()), "system/*.cruds"));
    let all = "launch launch/patient openid fhirUser profile offline_access online_access patient/*.cruds user/*.cruds";
    server.register(Client::app("every", "Every", vec![HOME.to_owned()], all));
    let smart = server.call("GET", "/fhir/.well-known/smart-configuration").send().json();
    let scopes = list(&smart, "scopes_supported");
    assert!(scopes.len() > 100, "{}", scopes.len());
    let mut visitor = Visitor::signed_in(&server, "amin");
    for scope in &scopes {
        if scope.starts_with("system/") {
            let jti = uuid::Uuid::new_v4().to_string();
            let claims = json!({"iss": "lab", "sub": "lab", "aud": "https://localhost:8443/token", "exp": seconds(&server) + 300, "jti": jti});
            let fields = [
                ("grant_type", "client_credentials"),
                ("scope", scope.as_str()),
                ("client_assertion_type", amanat::smart::ASSERTION_TYPE),
                ("client_assertion", &key.sign(&claims)),
            ];
            assert_eq!(ask(&server, &fields).expect(200).json()["scope"], *scope);
        } else if scope.contains('/') && scope != "launch/patient" {
            let page = visitor.open(&request(scope, &[("client_id", "every")]));
            assert!(query(&visitor.allow(&page)).contains_key("code"), "{scope}");
            server.wait(1);
        }
    }
    let who = "openid profile fhirUser launch/patient offline_access patient/Patient.rs";
    let code = visitor.code(&request(who, &[("client_id", "every")]), "amin");
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", HOME),
        ("client_id", "every"),
        ("code_verifier", super::visitor::VERIFIER),
    ];
    assert_eq!(ask(&server, &fields).expect(200).json()["scope"], who);
}

#[test]
fn c10_both_ways_to_register_are_told_in_public() {
    let server = clinic();
    let smart = server.call("GET", "/fhir/.well-known/smart-configuration").send().json();
    let page = smart["service_documentation"].as_str().unwrap().strip_prefix("https://localhost:8443").unwrap().to_owned();
    let told = server.call("GET", &page).send().expect(200);
    assert!(told.header("content-type").unwrap().starts_with("text/html"));
    for part in [
        "id=\"one-patient\"",
        "id=\"many-patients\"",
        "id=\"app-state\"",
        "client_credentials",
        "https://localhost:8443/register",
    ] {
        assert!(told.text().contains(part), "{part}");
    }
    // What stands there works: an app for one patient, and a program for many.
    let app = json!({
        "client_name": "My Records", "redirect_uris": ["https://app.example/callback"], "token_endpoint_auth_method": "none",
        "grant_types": ["authorization_code", "refresh_token"], "response_types": ["code"],
        "scope": "launch/patient openid fhirUser offline_access patient/*.rs",
    });
    let program = json!({
        "client_name": "Night report", "token_endpoint_auth_method": "private_key_jwt", "jwks_uri": "https://report.example/jwks.json",
        "grant_types": ["client_credentials"], "scope": "system/Patient.rs system/Observation.rs",
    });
    for body in [app, program] {
        server.call("POST", "/register").body("application/json", body.to_string()).send().expect(201);
    }
    let closed = Server::with("Policy-all-normal", "[smart]\nregistration = \"closed\"");
    let told = closed.call("GET", &page).send().expect(200);
    assert!(told.text().contains("Ask the operator") && !told.text().contains("/register"), "{}", told.text());
}

#[test]
fn tl3_names_of_others_are_promised_to_be_asked_by_tls_alone() {
    let server = Server::at("https://records.example/fhir");
    let reply = server.call("GET", "metadata").send().expect(200);
    assert_eq!(reply.header("strict-transport-security"), Some("max-age=31536000"));
}

#[test]
fn d15_what_is_switched_off_is_neither_claimed_nor_there() {
    let server = Server::with("Policy-all-normal", "[smart]\nsign_in = false");
    let told = server.call("GET", "/fhir/.well-known/smart-configuration").send().expect(200).json();
    assert_eq!(list(&told, "capabilities"), ["client-confidential-asymmetric", "permission-v1", "permission-v2"]);
    assert!(told.get("authorization_endpoint").is_none() && told.get("issuer").is_none());
    assert_eq!(list(&told, "grant_types_supported"), ["client_credentials"]);
    for path in ["/authorize", "/sign-in", "/account"] {
        assert_eq!(server.call("GET", path).send().status, 404, "{path}");
    }
    let code = server.call("POST", "/token").form("grant_type=authorization_code&code=x").send().expect(400);
    assert_eq!(code.json()["error"], json!("unsupported_grant_type"));
}

#[test]
fn x1_x2_pages_of_registered_apps_read_the_api_and_others_do_not() {
    let server = clinic();
    for (origin, allowed) in
        [("https://app.example", true), ("http://127.0.0.1:8765", true), ("https://evil.example", false), ("null", false)]
    {
        let refusal = server.call("GET", "Patient/p1").header("Origin", origin).send().expect(401);
        assert_eq!(refusal.header("access-control-allow-origin"), allowed.then_some(origin), "{origin}");
        let preflight =
            server.call("OPTIONS", "Patient/p1").header("Origin", origin).header("Access-Control-Request-Method", "PUT").send();
        assert_eq!(preflight.header("access-control-allow-origin"), allowed.then_some(origin), "{origin}");
        if allowed {
            let headers = preflight.header("access-control-allow-headers").unwrap();
            assert!(
                ["Authorization", "Content-Type", "Prefer", "If-Match", "If-None-Exist"].iter().all(|one| headers.contains(one))
            );
            assert!(preflight.header("access-control-allow-methods").unwrap().contains("PUT"));
            assert!(refusal.header("access-control-expose-headers").unwrap().contains("WWW-Authenticate"));
        }
    }
}

#[test]
fn b1_b2_b3_patients_know_whose_records_these_are() {
    let server = Server::with("Policy-all-normal", "[smart]\nbrand = \"City Hospital\"");
    let smart = server.call("GET", "/fhir/.well-known/smart-configuration").send().expect(200).json();
    let path = smart["user_access_brand_bundle"].as_str().unwrap().strip_prefix("https://localhost:8443").unwrap().to_owned();
    let reply = server.call("GET", &path).header("Origin", "https://anybody.example").send().expect(200);
    assert_eq!(reply.header("access-control-allow-origin"), Some("*"));
    let again = server.call("GET", &path).header("If-None-Match", reply.header("etag").unwrap()).send();
    assert_eq!(again.status, 304);
    let bundle = reply.json();
    assert_eq!((&bundle["type"], bundle["timestamp"].is_string()), (&json!("collection"), true));
    let of = |kind: &str| {
        bundle["entry"]
            .as_array()
            .unwrap()
            .iter()
            .map(|entry| entry["resource"].clone())
            .find(|one| one["resourceType"] == kind)
            .unwrap()
    };
    let (organization, endpoint) = (of("Organization"), of("Endpoint"));
    assert_eq!(organization["name"], "City Hospital");
    assert_eq!(organization["endpoint"][0]["reference"], format!("Endpoint/{}", endpoint["id"].as_str().unwrap()));
    assert_eq!(endpoint["address"], BASE);
    assert_eq!(organization["identifier"][0], smart["user_access_brand_identifier"], "B-3");
}
