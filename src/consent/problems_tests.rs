//! What an author of a Consent is told.

use super::samples::{ACT_CODE, consent, directory, doc, label, settings, to};
use super::{Directory, Filing, Findings, ImplicitPolicy, Site, problems_on_write};
use crate::fhir::json::Document;
use serde_json::{Value, json};

fn look_at(document: &Value, on_file: &[Value]) -> Findings {
    let site = Site::new(&settings(ImplicitPolicy::Deny), "https://own/fhir");
    let directory: Directory = directory(on_file, &site);
    let resolves = |key: &crate::fhir::Key| key.id.as_str() == "night";
    let filing = Filing { site: &site, resolves: &resolves, directory: &directory, now: doc().now };
    problems_on_write(&Document::parse(document.to_string().as_bytes()).unwrap(), &filing)
}

fn look(members: &Value) -> Findings {
    look_at(&consent(members), &[])
}

fn places(problems: &[crate::fhir::Problem]) -> Vec<&str> {
    problems.iter().map(|one| one.expression.as_deref().unwrap()).collect()
}

#[test]
fn what_nobody_here_understands_is_refused_by_its_element() {
    let nested =
        |element: &str, value: Value| json!({"provision": {"type": "permit", "provision": [{"type": "deny", element: value}]}});
    let deep = (0..8).fold(json!({"type": "deny"}), |inner, _| json!({"type": "permit", "provision": [inner]}));
    let eighth = format!("Consent.provision{}", ".provision[0]".repeat(7));
    for (members, place) in [
        (
            nested("securityLabel", json!([label("HIV"), {"system": "urn:mine", "code": "X"}])),
            "Consent.provision.provision[0].securityLabel[1]".to_owned(),
        ),
        (nested("securityLabel", json!([label("NOSUCH")])), "Consent.provision.provision[0].securityLabel[0]".to_owned()),
        (nested("purpose", json!([{"system": "urn:mine", "code": "X"}])), "Consent.provision.provision[0].purpose[0]".to_owned()),
        (nested("action", json!([{"coding": [{"code": "access"}]}])), "Consent.provision.provision[0].action[0]".to_owned()),
        (nested("class", json!([{"system": "urn:mine", "code": "X"}])), "Consent.provision.provision[0].class[0]".to_owned()),
        (nested("actor", to("Group/gone")), "Consent.provision.provision[0].actor[0].reference".to_owned()),
        (nested("actor", to("CareTeam/gone")), "Consent.provision.provision[0].actor[0].reference".to_owned()),
        (nested("code", json!([{"text": "all of it"}])), "Consent.provision.provision[0].code".to_owned()),
        (nested("modifierExtension", json!([{"url": "urn:x"}])), "Consent.modifierExtension".to_owned()),
        (nested("type", json!("maybe")), "Consent.provision.provision[0].type".to_owned()),
        (nested("data", json!([{"meaning": "near"}])), "Consent.provision.provision[0].data[0].meaning".to_owned()),
        (json!({"provision": deep}), format!("{eighth}.provision")),
        (json!({"implicitRules": "urn:rules", "provision": {"type": "permit"}}), "Consent.implicitRules".to_owned()),
        (json!({"dateTime": null, "provision": {"type": "permit"}}), "Consent.dateTime".to_owned()),
        (json!({"patient": {"display": "somebody"}, "provision": {"type": "permit"}}), "Consent.patient".to_owned()),
        (json!({}), "Consent".to_owned()),
    ] {
        let found = look(&members);
        assert_eq!(places(&found.refuse), [place.as_str()], "{members}");
    }
}

#[test]
fn a_consent_without_a_date_is_refused() {
    let mut undated = consent(&json!({"provision": {"type": "permit"}}));
    undated.as_object_mut().unwrap().remove("dateTime");
    assert_eq!(places(&look_at(&undated, &[]).refuse), ["Consent.dateTime"]);
}

#[test]
fn what_is_understood_is_accepted_without_a_word() {
    let members =
        json!({"provision": {"type": "permit", "actor": to("Group/night"), "securityLabel": [label("R"), label("HIV")]}});
    assert_eq!(look(&members), Findings::default());
}

#[test]
fn what_was_hardly_meant_is_accepted_with_a_warning() {
    let warned = |members: Value| {
        let found = look(&members);
        assert!(found.refuse.is_empty(), "{found:?}");
        places(&found.warn).into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(warned(json!({"provision": {}})), ["Consent.provision"]);
    let outside =
        json!({"type": "permit", "period": {"end": "2025"}, "provision": [{"type": "deny", "period": {"end": "2026"}}]});
    assert_eq!(warned(json!({"provision": outside})), ["Consent.provision.provision[0].period"]);
    let rule = |code: &str| json!({"coding": [{"system": ACT_CODE, "code": code}]});
    let old = consent(&json!({"policyRule": rule("OPTOUT"), "dateTime": "2019"}));
    let new = consent(&json!({"policyRule": rule("OPTIN")}));
    assert_eq!(places(&look_at(&new, &[old]).warn), ["Consent.policyRule"]);
}

#[test]
fn what_is_not_to_be_in_force_may_say_anything() {
    for status in ["draft", "inactive", "entered-in-error"] {
        let found = look(&json!({"status": status, "provision": {"type": "deny", "securityLabel": [label("NOSUCH")]}}));
        assert!(found.refuse.is_empty() && !found.warn.is_empty(), "{status}");
    }
}

#[test]
fn a_consent_given_in_the_future_is_refused() {
    let given = |when: &str| look(&json!({"dateTime": when, "provision": {"type": "permit"}})).refuse.len();
    assert_eq!(
        (given("2025-06-01T10:04:00Z"), given("2025-06-01T10:06:00Z"), given("2025-06-02"), given("2025-06-03")),
        (0, 1, 0, 1)
    );
}
