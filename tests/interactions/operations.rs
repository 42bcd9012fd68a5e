//! Operations: where they are called, by which method, with which parameters, under which scopes.

use super::{ALL, ward};
use crate::support::records::{observation, patient};
use crate::support::{ISSUER, Server};
use serde_json::{Value, json};

/// Each operation, and the scopes that let it in.
pub(super) const OPERATIONS: &[(&str, &str, &str)] = &[
    ("POST", "Patient/p1/$break-glass", "user/Patient.r"),
    ("POST", "Patient/p1/$end-break-glass", "user/Patient.r"),
    ("GET", "Patient/p1/$break-glass-notices", "user/Patient.r"),
    ("POST", "Patient/p1/$break-glass-notices", "user/Patient.r"),
    ("POST", "Patient/p1/$acknowledge-notice", "user/Patient.r"),
    ("GET", "Patient/p1/$explain-access", "user/Patient.r"),
    ("POST", "Patient/p1/$explain-access", "user/Patient.r"),
    ("POST", "Patient/$match", "user/Patient.s"),
    ("POST", "$process-message", "user/MessageHeader.c"),
    ("GET", "Patient/p1/$accounting-of-disclosures", "user/Patient.r"),
    ("POST", "Patient/p1/$accounting-of-disclosures", "user/Patient.r"),
    ("GET", "Patient/p1/$access-log", "user/Patient.r"),
    ("POST", "Patient/p1/$access-log", "user/Patient.r"),
    ("POST", "AuditEvent/$recordDisclosure", "user/AuditEvent.c"),
    ("POST", "Consent/$fileConsent", "user/Consent.cu"),
    ("POST", "Consent/$revokeConsent", "user/Consent.u"),
    ("GET", "Observation/$lastn", "user/Observation.s"),
    ("POST", "Observation/$lastn", "user/Observation.s"),
    ("GET", "SearchParameter/$index-status", "user/SearchParameter.s"),
    ("POST", "SearchParameter/$index-status", "user/SearchParameter.s"),
];

/// A Parameters resource of these parameters.
pub(crate) fn parameters(list: &[Value]) -> Value {
    json!({"resourceType": "Parameters", "parameter": list})
}

fn knock(server: &Server, method: &str, path: &str, token: &str) -> crate::support::Reply {
    let call = server.call(method, path).token(token);
    if method == "POST" { call.json(&parameters(&[])).send() } else { call.send() }
}

#[test]
fn without_a_token_or_with_a_bad_one_no_operation_begins() {
    let server = ward();
    let expired = server.token(json!({"scope": ALL, "exp": server.clock.now().seconds() - 60}));
    for (method, path, _) in OPERATIONS {
        server.refused(&knock(&server, method, path, ""), 401, "AMANAT-AUTH-0001", "token:missing");
        server.refused(&knock(&server, method, path, &expired), 401, "AMANAT-AUTH-0002", "token:expired");
        let entries = server.trail();
        assert_eq!(entries.last().unwrap()["event"]["word"], "operation", "{path}");
    }
}

#[test]
fn an_operation_needs_the_scope_that_its_table_names() {
    let server = ward();
    let token = server.clinician("d1", "user/Practitioner.cruds");
    for (method, path, scope) in OPERATIONS {
        let reply = knock(&server, method, path, &token);
        server.refused(&reply, 403, "AMANAT-SCOPE-0001", "scope");
        let one = reply.header("www-authenticate").unwrap().to_owned();
        let kind = scope.split('.').next().unwrap();
        assert!(one.contains("insufficient_scope") && one.contains(kind), "{path}: {one}");
        let let_in = knock(&server, method, path, &server.clinician("d1", scope));
        assert_ne!(let_in.code(), "AMANAT-SCOPE-0001", "{path}");
    }
}

#[test]
fn what_changes_something_is_not_for_get_and_the_rest_is_not_there() {
    let server = ward();
    let token = server.system(ALL);
    for (_, path, _) in OPERATIONS
        .iter()
        .filter(|(method, path, _)| !OPERATIONS.iter().any(|one| (one.0, one.1) == ("GET", *path)) && *method == "POST")
    {
        for method in ["GET", "PUT", "DELETE"] {
            let reply = server.call(method, path).token(&token).send();
            server.refused(&reply, 405, "AMANAT-IN-0007", "input:method");
        }
    }
    for path in [
        "$break-glass",
        "Patient/$break-glass",
        "Observation/o1/$break-glass",
        "Patient/p1/$everything",
        "Patient/p1/$$break-glass",
        "Consent/k1/$fileConsent",
        "Consent/$fileconsent",
        "Patient/p1/_history/$break-glass",
    ] {
        server.refused(&server.post(path, &token, &parameters(&[])), 404, "AMANAT-IN-0008", "input:not-supported");
    }
    let reply = server.post("Patient/p1/$break-glass?reason=x", &token, &parameters(&[]));
    server.refused(&reply, 400, "AMANAT-IN-0002", "input:invalid");
}

#[test]
fn parameters_are_read_to_the_letter() {
    let server = ward();
    let token = server.system("system/Consent.cu");
    let consent = json!({"name": "consent", "resource": {"resourceType": "Patient"}});
    for bad in [json!({"name": "consent", "valueString": "x"}), consent, json!({"name": "extra", "valueString": "x"})] {
        server.refused(&server.post("Consent/$fileConsent", &token, &parameters(&[bad])), 400, "AMANAT-IN-0002", "input:invalid");
    }
    let other = json!({"resourceType": "Consent"});
    server.refused(&server.post("Consent/$fileConsent", &token, &other), 400, "AMANAT-IN-0002", "input:invalid");
    let reply = server.call("POST", "Consent/$fileConsent").token(&token).body("application/fhir+json", "{").send();
    server.refused(&reply, 400, "AMANAT-IN-0001", "input:malformed");
    let entry = json!({"request": {"method": "POST", "url": "Consent/$fileConsent"}, "resource": parameters(&[])});
    let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": [entry]});
    server.refused(&server.post("", &server.system(ALL), &bundle), 400, "AMANAT-IN-0002", "input:invalid");
}

#[test]
fn the_statement_lists_every_operation_where_it_is_called() {
    let server = ward();
    let statement = server.get("metadata", "").expect(200).json();
    let listed = |name: &str| {
        let types = statement["rest"][0]["resource"].as_array().unwrap();
        let row = types.iter().find(|row| row["type"] == name).unwrap();
        let names = row["operation"].as_array().into_iter().flatten().map(|one| one["name"].as_str().unwrap().to_owned());
        names.collect::<Vec<_>>()
    };
    let patients = [
        "break-glass",
        "end-break-glass",
        "break-glass-notices",
        "acknowledge-notice",
        "explain-access",
        "match",
        "accounting-of-disclosures",
        "access-log",
    ];
    assert_eq!(listed("Patient"), patients);
    assert_eq!(listed("Consent"), ["fileConsent", "revokeConsent"]);
    assert_eq!(listed("Observation"), ["lastn"]);
    assert!(listed("Encounter").is_empty());
}

#[test]
fn an_unknown_purpose_or_one_that_the_client_does_not_have_is_refused() {
    let server = ward();
    for claims in [
        json!({"purpose_of_use": "FUN"}),
        json!({"extensions": {"hl7-b2b": {"purpose_of_use": ["urn:oid:2.16.840.1.113883.5.8#treat"]}}}),
        json!({"extensions": {"ihe_iua": {"purpose_of_use": [{"code": "TREATX"}]}}}),
    ] {
        let mut claims = claims;
        claims["scope"] = json!("system/*.rs");
        server.refused(&server.get("Observation/o1", &server.token(claims)), 403, "AMANAT-PURPOSE-0001", "purpose:unknown");
    }
    let mut client = amanat::smart::Client::app("c1", "App", Vec::new(), "system/*.rs");
    client.issuer = Some(ISSUER.to_owned());
    client.purposes = vec!["TREAT".to_owned()];
    server.register(client);
    server.look_at_registry();
    let token = |purpose: &str| server.token(json!({"scope": "system/*.rs", "purpose_of_use": purpose}));
    let _ = server.get("Observation/o1", &token("TREAT")).expect(200);
    server.refused(&server.get("Observation/o1", &token("HMARKT")), 403, "AMANAT-PURPOSE-0001", "purpose:not-registered");
}

#[test]
fn a_header_selects_among_the_purposes_of_the_token_and_adds_none() {
    let server = ward();
    let token = server.token(json!({"scope": "system/*.rs", "purpose_of_use": ["TREAT", "HPAYMT"]}));
    let ask = |purposes: &str| server.call("GET", "Observation/o1").token(&token).header("X-Purpose-Of-Use", purposes).send();
    let reply = ask("urn:oid:2.16.840.1.113883.5.8#TREAT").expect(200);
    assert_eq!(server.trail_of(&reply)[0]["agent"]["purposes"], json!(["TREAT"]));
    server.refused(&ask("TREAT, HMARKT"), 403, "AMANAT-PURPOSE-0001", "purpose:not-held");
    server.refused(&ask("FUN"), 403, "AMANAT-PURPOSE-0001", "purpose:unknown");
    server.refused(&ask(" , "), 400, "AMANAT-IN-0002", "input:invalid");
    let strict = Server::with("Policy-all-normal", "purpose_required = true\n");
    let seeder = strict.token(json!({"scope": "system/*.cruds", "purpose_of_use": "TREAT"}));
    let _ = strict.put("Patient/p1", &seeder, &patient("p1", "Amin")).expect(201);
    let _ = strict.put("Observation/o1", &seeder, &observation("o1", "p1", "laboratory")).expect(201);
    let none = strict.token(json!({"scope": "system/*.rs"}));
    strict.refused(&strict.get("Observation/o1", &none), 403, "AMANAT-PURPOSE-0001", "purpose:missing");
    let _ = strict.get("Observation/o1", &strict.token(json!({"scope": "system/*.rs", "purpose_of_use": "TREAT"}))).expect(200);
}

#[test]
fn a_residual_restriction_of_the_token_withholds_beside_the_consents() {
    let server = ward();
    let with = |rules: Value| server.token(json!({"scope": "system/*.rs", "extensions": {"ihe_pcf": {"residual": rules}}}));
    let label = |code: &str| json!([{"type": "forbid", "securityLabel": [{"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": code}]}]);
    server.refused(&server.get("Observation/o1", &with(label("N"))), 404, "AMANAT-REC-0001", "not-found");
    let _ = server.get("Observation/o1", &with(label("V"))).expect(200);
    server.refused(&server.get("Observation/o1", &with(json!([{"type": "hide"}]))), 401, "AMANAT-AUTH-0002", "token:residual");
}
