//! capabilities and the other documents that anybody may read.

use super::{ALL, ward};

#[test]
fn cs1_cs4_the_statement_is_for_everybody_and_says_nothing_of_the_inside() {
    let server = ward();
    let reply = server.get("metadata", "").expect(200);
    let statement = reply.json();
    assert_eq!((&statement["resourceType"], &statement["fhirVersion"]), (&"CapabilityStatement".into(), &"4.0.1".into()));
    assert!(reply.header("content-type").unwrap().starts_with("application/fhir+json"));
    assert!(statement["format"].as_array().unwrap().contains(&"json".into()));
    assert_eq!((&statement["kind"], &statement["rest"][0]["security"]["cors"]), (&"instance".into(), &true.into()));
    let elsewhere = server.call("GET", "metadata").header("Origin", "https://any.example").send();
    assert_eq!(elsewhere.header("access-control-allow-origin"), Some("*"));
    assert_eq!(reply.header("server"), None);
    for inside in [server.database().to_str().unwrap(), "127.0.0.1", "sqlite", "/tmp", env!("CARGO_PKG_VERSION")] {
        assert!(!reply.text().contains(inside), "{inside}");
    }
    // A bad token does not matter where none is needed.
    let _ = server.get("metadata", "nonsense").expect(200);
    assert_eq!(server.get("metadata", &server.system(ALL)).body, reply.body);
}

#[test]
fn the_statement_takes_no_other_method_and_no_parameter() {
    let server = ward();
    for method in ["POST", "PUT", "DELETE", "PATCH"] {
        let reply = server.call(method, "metadata").token(&server.system(ALL)).send();
        server.refused(&reply, 405, "AMANAT-IN-0007", "input:method");
        let reply = server.call(method, "metadata").send();
        server.refused(&reply, 401, "AMANAT-AUTH-0001", "token:missing");
    }
    let whole = server.get("metadata", "").expect(200);
    for mode in ["full", "normative", "terminology"] {
        assert_eq!(server.get(&format!("metadata?mode={mode}"), "").expect(200).body, whole.body);
    }
    server.refused(&server.get("metadata?patient=p1", &server.system(ALL)), 400, "AMANAT-IN-0002", "input:invalid");
    server.refused(&server.get("metadata?_format=xml", &server.system(ALL)), 406, "AMANAT-IN-0005", "input:format");
}

#[test]
fn discovery_holds_public_members_only() {
    let server = ward();
    let found = server.get(".well-known/smart-configuration", "").expect(200).json();
    let allowed = [
        "token_endpoint",
        "jwks_uri",
        "token_endpoint_auth_methods_supported",
        "token_endpoint_auth_signing_alg_values_supported",
        "grant_types_supported",
        "scopes_supported",
        "code_challenge_methods_supported",
        "capabilities",
        "response_types_supported",
        "acr_values_supported",
        "prompt_values_supported",
        "claims_supported",
        "request_parameter_supported",
        "request_uri_parameter_supported",
        "response_modes_supported",
        "ui_locales_supported",
        "issuer",
        "authorization_endpoint",
        "introspection_endpoint",
        "introspection_endpoint_auth_methods_supported",
        "revocation_endpoint",
        "revocation_endpoint_auth_methods_supported",
        "userinfo_endpoint",
        "management_endpoint",
        "id_token_signing_alg_values_supported",
        "subject_types_supported",
        "authorization_response_iss_parameter_supported",
        "user_access_brand_bundle",
        "user_access_brand_identifier",
        "registration_endpoint",
        "pushed_authorization_request_endpoint",
        "require_pushed_authorization_requests",
        "dpop_signing_alg_values_supported",
        "tls_client_certificate_bound_access_tokens",
        "associated_endpoints",
        "service_documentation",
    ];
    for name in found.as_object().unwrap().keys() {
        assert!(allowed.contains(&name.as_str()), "{name}");
    }
    let keys = server.get("/.well-known/jwks.json", "").expect(200).json();
    for key in keys["keys"].as_array().unwrap() {
        assert!(key.get("d").is_none() && key.get("k").is_none() && key.get("p").is_none(), "a private key is shown");
    }
    for path in ["/.well-known/jwks.json", ".well-known/smart-configuration", "/token"] {
        let reply = server.call("DELETE", path).send();
        assert_eq!((reply.status, reply.header("allow").is_some()), (405, true), "{path}");
    }
}
