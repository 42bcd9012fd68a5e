//! Scopes that a person's tokens carry.

use super::visitor::{HOME, Visitor, clinic, exchange, request, text, tokens};
use amanat::smart::Client;

#[test]
fn s3_scopes_of_version_one_are_answered_as_they_were_asked() {
    let server = clinic();
    let told = tokens(&server, "amin", "launch/patient patient/Observation.read patient/Patient.read offline_access");
    assert_eq!(told["scope"], "launch/patient offline_access patient/Observation.read patient/Patient.read");
    server.get("Observation?_id=o1", text(&told, "access_token")).expect(200);
}

#[test]
fn s4_nothing_is_granted_beyond_the_registration() {
    let server = clinic();
    server.register(Client::app("narrow", "Narrow", vec![HOME.to_owned()], "openid patient/Patient.rs"));
    let mut visitor = Visitor::new(&server);
    let asked = request("openid fhirUser offline_access patient/*.cruds user/*.rs", &[("client_id", "narrow")]);
    let code = visitor.code(&asked, "amin");
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", HOME),
        ("client_id", "narrow"),
        ("code_verifier", super::visitor::VERIFIER),
    ];
    let told = super::visitor::ask(&server, &fields).expect(200).json();
    assert_eq!(told["scope"], "openid patient/Patient.rs");
    assert!(told.get("refresh_token").is_none());
}

#[test]
fn s5_a_patients_token_stays_with_the_patient() {
    let server = clinic();
    let told = tokens(&server, "amin", "patient/*.cruds");
    let token = text(&told, "access_token");
    server.get("Patient/p1", token).expect(200);
    for hidden in ["Patient/p2", "Observation/o2", "Condition/c2"] {
        server.get(hidden, token).expect(404);
    }
    assert!(server.get("Observation?patient=p2", token).expect(200).keys().is_empty());
}

#[test]
fn s6_a_user_scope_is_no_more_than_the_user() {
    let server = clinic();
    let patient = tokens(&server, "amin", "user/*.rs");
    assert_eq!(server.get("Patient", text(&patient, "access_token")).expect(200).keys(), ["Patient/p1"]);
    let mut visitor = Visitor::new(&server);
    let code = visitor.code(&request("user/*.rs", &[]), "khan");
    let clinician = exchange(&server, &code).expect(200).json();
    assert_eq!(server.get("Patient", text(&clinician, "access_token")).expect(200).keys().len(), 2);
}
