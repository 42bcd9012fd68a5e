//! Launches from an EHR.

use super::visitor::{Visitor, clinic, exchange, query, request, text};
use crate::support::Server;
use amanat::smart::Context;
use serde_json::json;

const SCOPE: &str = "launch openid fhirUser patient/Patient.rs patient/Encounter.rs";

fn context() -> Context {
    Context {
        patient: Some("p1".to_owned()),
        encounter: Some("e-p1".to_owned()),
        fhir_context: vec![json!({"reference": "DiagnosticReport/r1"})],
        intent: Some("reconcile-medications".to_owned()),
        need_patient_banner: Some(true),
        smart_style_url: Some("https://localhost:8443/assets/smart-style-1.json".to_owned()),
        tenant: None,
    }
}

fn launched(server: &Server, visitor: &Visitor<'_>, client: &str) -> String {
    server.launch(client, context(), visitor.cookie("__Host-amanat-session").unwrap()).unwrap()
}

#[test]
fn l1_to_l8_an_ehr_tells_the_app_where_its_user_is() {
    let server = clinic();
    let mut visitor = Visitor::signed_in(&server, "khan");
    let handle = launched(&server, &visitor, "app");
    let page = visitor.open(&request(SCOPE, &[("launch", &handle)]));
    assert!(page.text().contains("Amin") && !page.text().contains("id=\"another-patient\""), "{}", page.text());
    let code = query(&visitor.allow(&page).expect(303)).remove("code").unwrap();
    let told = exchange(&server, &code).expect(200).json();
    assert_eq!((&told["patient"], &told["encounter"]), (&json!("p1"), &json!("e-p1")), "L-2, L-4");
    assert_eq!(told["need_patient_banner"], json!(true), "L-5");
    assert_eq!(told["fhirContext"], json!([{"reference": "DiagnosticReport/r1"}]), "L-7");
    assert_eq!(told["intent"], "reconcile-medications", "L-8");
    assert_eq!(told["scope"], SCOPE);
    let token = text(&told, "access_token");
    server.get("Patient/p1", token).expect(200);
    let encounter = server.get("Encounter/e-p1", token).expect(200).json();
    assert_eq!(encounter["subject"]["reference"], "Patient/p1");
    let style =
        server.call("GET", text(&told, "smart_style_url").strip_prefix("https://localhost:8443").unwrap()).send().expect(200);
    for key in ["color_background", "color_text", "dim_border_radius", "font_family_body"] {
        assert!(style.json()[key].is_string(), "L-6 {key}");
    }
    assert_eq!(style.header("access-control-allow-origin"), None, "without an origin");
}

#[test]
fn a8_a_launch_is_for_one_app_one_user_and_one_use() {
    let server = clinic();
    server.register(super::visitor::app("other"));
    let mut visitor = Visitor::signed_in(&server, "khan");
    let wrong = |visitor: &mut Visitor<'_>, changes: &[(&str, &str)]| {
        let reply = visitor.open(&request(SCOPE, changes));
        query(&reply).remove("error").unwrap_or_else(|| panic!("{}", reply.text()))
    };
    assert_eq!(wrong(&mut visitor, &[("launch", "unknown")]), "invalid_request");
    let handle = launched(&server, &visitor, "app");
    assert_eq!(wrong(&mut visitor, &[("launch", &handle), ("client_id", "other")]), "invalid_request");
    assert_eq!(wrong(&mut visitor, &[("launch", &handle), ("scope", "patient/Patient.rs")]), "invalid_scope");
    assert!(visitor.open(&request(SCOPE, &[("launch", &handle)])).text().contains("id=\"consent\""));
    assert_eq!(wrong(&mut visitor, &[("launch", &handle)]), "invalid_request", "used");
    let handle = launched(&server, &visitor, "app");
    server.wait(301);
    assert_eq!(wrong(&mut visitor, &[("launch", &handle)]), "invalid_request", "expired");
    let handle = launched(&server, &visitor, "app");
    let mut other = Visitor::signed_in(&server, "amin");
    assert_eq!(wrong(&mut other, &[("launch", &handle)]), "access_denied", "somebody else's");
    let handle = launched(&server, &visitor, "app");
    let page = visitor.get("/account");
    visitor.submit(&page, "/sign-out", &[]).expect(303);
    assert_eq!(wrong(&mut visitor, &[("launch", &handle)]), "invalid_request", "signed out");
}

#[test]
fn a_launch_needs_somebody_signed_in_and_a_context_that_fits() {
    let server = clinic();
    assert!(server.launch("app", context(), "nobody").is_err());
    let visitor = Visitor::signed_in(&server, "khan");
    let cookie = visitor.cookie("__Host-amanat-session").unwrap();
    let bad = Context { fhir_context: vec![json!("DiagnosticReport/r1")], ..context() };
    assert!(server.launch("app", bad, cookie).is_err(), "L-7");
    assert!(server.launch("unknown", context(), cookie).is_err());
}

#[test]
fn l9_a_role_that_is_not_known_brings_what_there_is() {
    let server = clinic();
    let mut visitor = Visitor::signed_in(&server, "khan");
    let handle = launched(&server, &visitor, "app");
    let scope = format!("{SCOPE} launch/diagnosticreport?role=https://elsewhere.example/role launch/imagingstudy");
    let page = visitor.open(&request(&scope, &[("launch", &handle)]));
    let code = query(&visitor.allow(&page).expect(303)).remove("code").unwrap();
    let told = exchange(&server, &code).expect(200).json();
    assert_eq!(told["fhirContext"], json!([{"reference": "DiagnosticReport/r1"}]));
    assert_eq!(told["scope"], SCOPE, "what is not known is not claimed");
}

#[test]
fn l10_a_refresh_tells_the_context_again_as_it_was() {
    let server = clinic();
    let mut visitor = Visitor::signed_in(&server, "khan");
    let handle = launched(&server, &visitor, "app");
    let page = visitor.open(&request(&format!("{SCOPE} offline_access"), &[("launch", &handle)]));
    let code = query(&visitor.allow(&page).expect(303)).remove("code").unwrap();
    let first = exchange(&server, &code).expect(200).json();
    let fields = [("grant_type", "refresh_token"), ("refresh_token", text(&first, "refresh_token")), ("client_id", "app")];
    let again = super::visitor::ask(&server, &fields).expect(200).json();
    for name in ["patient", "encounter", "fhirContext", "intent", "need_patient_banner", "smart_style_url", "scope"] {
        assert!(first.get(name).is_some() && again[name] == first[name], "{name}: {} {}", first[name], again[name]);
    }
}
