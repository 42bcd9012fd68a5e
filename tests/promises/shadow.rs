//! A draft beside what is in force: who would gain or lose what, over a window of the trail.

use crate::support::Server;
use crate::support::records::{consent, observation, patient};
use amanat::consent::{ConsentSettings, ImplicitPolicy, LabelRules, Labelling, Vocabulary};
use amanat::fhir::Instant;
use amanat::fhir::json::Document;
use amanat::gateway::{Draft, Shift};
use serde_json::json;

/// Somebody has looked at an observation of each of two patients, and been refused one of a third.
fn server() -> Server {
    let server = Server::open();
    server.seed(&[
        patient("p1", "Amin"),
        observation("o1", "p1", "laboratory"),
        patient("p2", "Bano"),
        observation("o2", "p2", "laboratory"),
    ]);
    server.seed(&[patient("p3", "Dar"), observation("o3", "p3", "laboratory"), consent("k3", "p3", "deny")]);
    let token = server.clinician("d1", "user/*.rs");
    for (place, status) in [("Observation/o1", 200), ("Observation/o2", 200), ("Observation/o3", 404)] {
        assert_eq!(server.get(place, &token).status, status);
    }
    server
}

fn shifts(server: &Server, draft: Draft) -> Vec<Shift> {
    server.inside(|gateway| async move { gateway.shadow(&draft, Instant(0)).await.unwrap() })
}

/// What changes for the physician: the record, and whether it is gained.
fn physicians(shifts: &[Shift]) -> Vec<(&str, bool)> {
    let own = shifts.iter().filter(|one| one.who == "Practitioner/d1" && one.record.starts_with("Observation/"));
    own.map(|one| (one.record.as_str(), one.gains)).collect()
}

#[test]
fn a_draft_of_what_is_in_force_changes_nothing() {
    assert_eq!(shifts(&server(), Draft::default()), []);
}

#[test]
fn draft_settings_take_and_give() {
    let server = server();
    let settings = ConsentSettings { implicit_policy: ImplicitPolicy::Deny, ..ConsentSettings::default() };
    let found = shifts(&server, Draft { settings: Some(settings), ..Draft::default() });
    assert_eq!(physicians(&found), [("Observation/o1", false), ("Observation/o2", false)]);
}

#[test]
fn draft_label_rules_hide_what_they_would_label() {
    let server = server();
    let words = Vocabulary::default();
    let rules = "version = 7\n[[rule]]\nname = 'blood'\nsystems = ['http://loinc.org']\ncodes = ['718-7']\nsensitivity = ['HIV']";
    let rules = LabelRules::parse(rules, &words).unwrap();
    let labelling = Labelling::new(words, rules, jiff::tz::TimeZone::UTC);
    let found = shifts(&server, Draft { labelling: Some(labelling), ..Draft::default() });
    assert_eq!(
        physicians(&found),
        [("Observation/o1", false), ("Observation/o2", false)],
        "restricted, above the cap of the policy"
    );
    let token = server.clinician("d1", "user/*.rs");
    assert_eq!(server.get("Observation/o1", &token).status, 200, "nothing was labelled");
}

#[test]
fn a_draft_consent_takes_from_some_and_gives_to_others() {
    let server = server();
    let read = |value: &serde_json::Value| Document::parse(value.to_string().as_bytes()).unwrap();
    let denial = consent("draft", "p1", "deny");
    // In place of the one on file.
    let permit = consent("k3", "p3", "permit");
    let found = shifts(&server, Draft { consents: vec![read(&denial), read(&permit)], ..Draft::default() });
    assert_eq!(physicians(&found), [("Observation/o1", false), ("Observation/o3", true)]);
    let nothing = Draft { consents: vec![read(&json!({"resourceType": "Patient"}))], ..Draft::default() };
    assert!(server.inside(|gateway| async move { gateway.shadow(&nothing, Instant(0)).await.is_err() }));
}
