//! The decisions of the scope corpus, as far as scopes alone decide them.

use super::{admits, any, caller, id, query, read};
use crate::access::authorize;
use crate::fhir::{Interaction, Need, ResourceType};

fn decisions() -> Vec<(String, String, String)> {
    let root =
        std::env::var("AMANAT_CORPORA").unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/corpora").to_owned());
    let Ok(bytes) = std::fs::read(format!("{root}/smart-scopes/cases.json")) else {
        println!("skipped: no corpora at {root}");
        return Vec::new();
    };
    let corpus: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    let text = |case: &serde_json::Value, name: &str| case[name].as_str().unwrap().to_owned();
    let cases = corpus["decisions"].as_array().unwrap();
    cases.iter().map(|case| (text(case, "scopes"), text(case, "request"), text(case, "expect"))).collect()
}

/// What the request asks first, and the patient whose records it aims at.
fn asked(request: &str) -> Option<(Interaction, &'static str)> {
    use ResourceType::{AuditEvent, Observation, Patient};
    let search = |one| Interaction::Search(query(&[one]));
    Some(match request {
        "GET /Observation/o-of-P" => (read("Observation/o"), "P"),
        "GET /Observation/o-of-OTHER" => (read("Observation/o"), "OTHER"),
        "GET /Observation?patient=OTHER" => (search(Observation), "OTHER"),
        "GET /AuditEvent?patient=P" => (search(AuditEvent), "P"),
        "GET /Patient/P" | "GET /Patient/P/$everything" => (read("Patient/P"), "P"),
        "POST /Observation" | "POST / transaction including a create" => (Interaction::Create(Observation, None), "P"),
        "GET /$export" => (Interaction::Search(query(&[])), "P"),
        other if other.contains("GET /Observation") => (search(Observation), "P"),
        other if other.contains("GET /Patient") => (search(Patient), "P"),
        _ => return None,
    })
}

#[test]
fn the_decisions_of_the_corpus_come_out_as_they_should() {
    let mut seen = 0;
    for (scopes, request, expect) in decisions() {
        if request == "mixed v1+v2" {
            let permit = any(&caller(&scopes, None, Some("P")));
            assert!(admits(&permit, Need::Read, "Patient/P", &["P"]) && admits(&permit, Need::Delete, "Patient/P", &["P"]));
            continue;
        }
        let user = match request.as_str() {
            "as patient principal: GET /Observation" => Some("Patient/P"),
            _ if scopes.contains("with user token") => Some("Practitioner/a"),
            _ => None,
        };
        let context = (!scopes.contains("no patient claim")).then_some("P");
        let caller = caller(&scopes, user, context);
        let (interaction, aim) = asked(&request).unwrap_or_else(|| panic!("no reading of {request}"));
        let need = if matches!(interaction, Interaction::Read(..)) { Need::Read } else { Need::Search };
        let permit = authorize(&caller, interaction.clone());
        let shown = permit.as_ref().is_ok_and(|permit| {
            let record = if let Interaction::Read(key, _) = &interaction { key.to_string() } else { "Observation/o".to_owned() };
            admits(permit, need, &record, &[aim])
        });
        match expect.as_str() {
            // A patient who acts under `user/` reads the own compartment, so the deny of the corpus (no `user/` reach at all) is narrower.
            "deny for patient context; only user ctx read" => {
                let permit = permit.unwrap();
                assert!(
                    admits(&permit, Need::Search, "Observation/o", &["P"])
                        && !admits(&permit, Need::Search, "Observation/o", &["Q"])
                );
            }
            "policy decision to document" => assert!(permit.is_err(), "the trail is granted by name only"),
            "whole transaction refused" => assert!(permit.is_err(), "{scopes}: {request}"),
            deny if deny.contains("deny") && !deny.contains("filtered") && !deny.contains("403 for") => {
                assert!(!shown, "{scopes}: {request}");
            }
            "only Patient exported, or 403 for unscoped types" => {
                assert_eq!(permit.unwrap().types(Need::Search), [ResourceType::Patient]);
            }
            _ => included_types_stay_out(&permit.unwrap(), &scopes),
        }
        seen += 1;
    }
    assert!(seen == 0 || seen >= 20, "{seen} decisions were read");
}

/// An answer that goes out holds no record of a type without a scope, and under a granular scope no record outside it.
fn included_types_stay_out(permit: &crate::access::Permit, scopes: &str) {
    for resource_type in ["Observation", "Patient", "Practitioner", "Condition"] {
        let record = format!("{resource_type}/P");
        let named = scopes.contains(resource_type) && !scopes.contains('?');
        let patients = if resource_type == "Practitioner" { Vec::new() } else { vec![id("P").as_str().to_owned()] };
        let patients: Vec<&str> = patients.iter().map(String::as_str).collect();
        assert_eq!(admits(permit, Need::Search, &record, &patients), named, "{scopes}: {record}");
    }
}
