//! Mistakes about who asks, when, of whom and where, each caught by the test of its name.

use super::mistakes_tests::{closed, everything, excepting, only, open, set, without};
use super::samples::{ACT_CODE, at, consent, doc, facts, label, records, seen, seen_of, settings, to, with};
use super::{Actions, BreakGlass, Combine, ConsentSettings, ImplicitPolicy, Untyped, Zone};
use serde_json::{Value, json};

#[test]
fn an_untyped_provision_permits() {
    let base = json!({"coding": [{"system": ACT_CODE, "code": "OPTOUT"}]});
    let untyped = consent(&json!({"policyRule": base, "provision": {"actor": to("Practitioner/doc")}}));
    assert!(seen(std::slice::from_ref(&untyped), &doc(), &closed()).is_empty());
    let literal = ConsentSettings { untyped: Untyped::Exception, ..closed() };
    assert_eq!(seen(&[untyped], &doc(), &literal), everything());
}

#[test]
fn a_date_ends_at_its_own_midnight() {
    let until = with(&json!({"type": "permit", "period": {"end": "2025-06-01"}}));
    let asked = |now: &str| {
        let who = super::samples::Who { now: at(now), ..doc() };
        !seen(std::slice::from_ref(&until), &who, &closed()).is_empty()
    };
    assert!(asked("2025-06-01T23:59:59Z") && !asked("2025-06-02T00:00:00Z"));
}

#[test]
fn days_are_days_in_utc() {
    let until = with(&json!({"type": "permit", "period": {"end": "2025-06-01"}}));
    let karachi = ConsentSettings { time_zone: Zone::parse("Asia/Karachi").unwrap(), ..closed() };
    let asked = |now: &str| {
        let who = super::samples::Who { now: at(now), ..doc() };
        !seen(std::slice::from_ref(&until), &who, &karachi).is_empty()
    };
    assert!(asked("2025-06-01T18:59:59Z") && !asked("2025-06-01T19:00:00Z"));
}

#[test]
fn status_and_scope_unchecked() {
    for status in ["draft", "proposed", "rejected", "entered-in-error", "inactive"] {
        let silent = consent(&json!({"status": status, "provision": {"type": "permit"}}));
        assert!(seen(&[silent], &doc(), &closed()).is_empty(), "{status}");
    }
    let scope = json!({"coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "research"}]});
    let research = |kind: &str| consent(&json!({"scope": scope, "provision": {"type": kind}}));
    assert!(seen(&[research("permit")], &doc(), &closed()).is_empty());
    assert!(everything().is_subset(&seen(&[research("deny")], &doc(), &open())), "nor does it deny anything");
}

#[test]
fn custodian_unchecked() {
    let about = |organization: &str, kind: &str| {
        consent(&json!({"organization": [{"reference": organization}], "provision": {"type": kind}}))
    };
    assert!(seen(&[about("Organization/other", "permit")], &doc(), &closed()).is_empty());
    assert!(everything().is_subset(&seen(&[about("Organization/other", "deny")], &doc(), &open())));
    assert_eq!(seen(&[about("Organization/keeper", "permit")], &doc(), &closed()), everything());
    let kept = |organization: &str| {
        let role = json!({"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "code": "CST"}]});
        json!({"type": "permit", "actor": [{"role": role, "reference": {"reference": organization}}, {"reference": {"reference": "Practitioner/doc"}}]})
    };
    assert_eq!(only(&kept("Organization/keeper")), everything());
    assert!(only(&kept("Organization/other")).is_empty(), "custodian and recipient must both match");
}

#[test]
fn any_one_of_the_patients_suffices() {
    let permit = with(&json!({"type": "permit"}));
    assert!(!seen(std::slice::from_ref(&permit), &doc(), &closed()).contains("List/family"));
    let mut of_n = permit.clone();
    of_n["patient"] = json!({"reference": "Patient/n"});
    assert!(seen(&[permit, of_n], &doc(), &closed()).contains("List/family"));
}

#[test]
fn an_unknown_group_is_nobodys() {
    assert!(excepting(&json!({"type": "deny", "actor": to("Group/gone")})).is_empty());
    assert!(only(&json!({"type": "permit", "actor": to("Group/gone")})).is_empty());
    assert_eq!(excepting(&json!({"type": "deny", "actor": to("Group/day")})), everything(), "known, and doc is not in it");
    assert_eq!(only(&json!({"type": "permit", "actor": to("Group/night")})), everything());
}

#[test]
fn a_patient_has_a_date() {
    let year = json!({"start": "2022", "end": "2022"});
    assert_eq!(only(&json!({"type": "permit", "dataPeriod": year})), set(&["Patient/m", "Observation/drink", "Condition/mood"]));
    let seen = excepting(&json!({"type": "deny", "dataPeriod": year}));
    assert_eq!(seen, without(&["Observation/undated", "Observation/drink", "Condition/mood"]));
}

#[test]
fn a_record_that_only_overlaps_is_inside() {
    let long = json!({"id": "Encounter/long", "patients": ["m"], "dates": [["2021-12-30T00:00:00Z", "2022-01-03T00:00:00Z"]]});
    let year = json!({"start": "2022", "end": "2022"});
    let sees = |provision: Value| !seen_of(&[facts(&long)], &[with(&provision)], &doc(), &closed()).is_empty();
    assert!(!sees(json!({"type": "permit", "dataPeriod": year})));
    assert!(!sees(json!({"type": "permit", "provision": [{"type": "deny", "dataPeriod": year}]})));
}

#[test]
fn related_runs_one_way_or_draws_in_hubs_or_goes_two_hops() {
    let data =
        |meaning: &str, of: &str| json!({"type": "permit", "data": [{"meaning": meaning, "reference": {"reference": of}}]});
    assert_eq!(only(&data("related", "Observation/pulse")), set(&["Observation/pulse", "Encounter/visit"]));
    assert_eq!(only(&data("related", "Encounter/visit")), set(&["Observation/pulse", "Encounter/visit"]), "not the Patient");
    assert_eq!(only(&data("dependents", "Observation/pulse")), set(&["Observation/pulse"]));
    assert_eq!(only(&data("dependents", "Encounter/visit")), set(&["Observation/pulse", "Encounter/visit"]));
    assert_eq!(only(&data("instance", "Patient/m/_history/3")), set(&["Patient/m"]));
    assert_eq!(only(&data("authoredby", "Practitioner/doc")), set(&["Observation/pulse"]));
    // A hub that refers to the record at hand is not drawn in, whatever else does.
    let hub = facts(&json!({"id": "Location/ward", "patients": ["m"], "references": ["Encounter/visit"]}));
    let beside = facts(&json!({"id": "Procedure/scan", "patients": ["m"], "references": ["Encounter/visit"]}));
    let related = [with(&data("related", "Encounter/visit"))];
    assert_eq!(seen_of(&[hub, beside], &related, &doc(), &closed()), set(&["Procedure/scan"]));
}

#[test]
fn a_class_is_a_type_and_nothing_else() {
    let class = |system: &str, code: &str| json!({"type": "permit", "class": [{"system": system, "code": code}]});
    assert_eq!(only(&class("urn:ietf:bcp:13", "text/plain")), set(&["DocumentReference/talk"]));
    assert_eq!(only(&class("http://hl7.org/fhir/fhir-types", "Condition")), set(&["Condition/mood", "Condition/two"]));
    let profiled = facts(&json!({"id": "Basic/b", "patients": ["m"], "profiles": ["urn:p", "urn:p|2"]}));
    let sees = |code: &str| {
        !seen_of(std::slice::from_ref(&profiled), &[with(&class("urn:ietf:rfc:3986", code))], &doc(), &closed()).is_empty()
    };
    assert!(sees("urn:p") && sees("urn:p|2") && !sees("urn:p|1"));
    assert!(
        excepting(&json!({"type": "deny", "class": [{"system": "urn:mine", "code": "X"}]})).is_empty(),
        "an unknown system denies"
    );
}

#[test]
fn actions_imply_each_other_freely() {
    let allows = |listed: &str, asked: Actions| {
        let action = json!([{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentaction", "code": listed}]}]);
        let who = super::samples::Who { actions: asked, ..doc() };
        let permits = !seen(&[with(&json!({"type": "permit", "action": action}))], &who, &closed()).is_empty();
        let denies =
            seen(&[with(&json!({"type": "permit", "provision": [{"type": "deny", "action": action}]}))], &who, &closed())
                .is_empty();
        (permits, denies)
    };
    assert_eq!(allows("correct", Actions::ACCESS), (true, false));
    assert_eq!(allows("access", Actions::ACCESS.with(Actions::COLLECT)), (false, true));
    assert_eq!(allows("collect", Actions::ACCESS.with(Actions::COLLECT)), (true, true));
    assert_eq!(allows("access", Actions::DISCLOSE), (false, true), "to deny access denies everything");
    assert_eq!(allows("disclose", Actions::ACCESS), (false, false));
    assert_eq!(allows("nonsense", Actions::ACCESS), (false, true));
}

#[test]
fn the_implicit_policy_knows_no_cap() {
    let sees = |who: &super::samples::Who, settings: &ConsentSettings| seen(&[], who, settings);
    let normal =
        set(&["Encounter/visit", "List/family", "Observation/n1", "Observation/pulse", "Observation/undated", "Patient/m"]);
    assert_eq!(sees(&doc(), &settings(ImplicitPolicy::BasicNormal)), normal);
    assert_eq!(sees(&doc(), &settings(ImplicitPolicy::AllNormal)), normal);
    assert!(sees(&doc().purposes(&["HRESCH"]), &settings(ImplicitPolicy::BasicNormal)).is_empty());
    assert!(sees(&super::samples::Who { roles: Vec::new(), ..doc() }, &settings(ImplicitPolicy::BasicNormal)).is_empty());
    assert_eq!(sees(&doc(), &open()).len(), records().len());
}

#[test]
fn a_refusal_hides_a_record_from_its_own_patient() {
    let who = super::samples::Who { references: vec!["Patient/m".into()], own: Some("m"), ..doc() }.purposes(&["PATRQT"]);
    let refusal = [with(&json!({"type": "deny"}))];
    assert_eq!(seen(&refusal, &who, &closed()), everything());
    let not_for_patient = facts(&json!({"id": "Observation/x", "patients": ["m"], "handling": ["NOPAT"]}));
    assert!(seen_of(&[not_for_patient], &[], &who, &open()).is_empty());
}

#[test]
fn a_proxy_is_opened_to_by_policy_or_to_what_a_minor_keeps() {
    let who = super::samples::Who { references: vec!["RelatedPerson/r".into()], proxy_for: vec!["m"], ..doc() };
    assert!(seen(&[], &who, &open()).is_disjoint(&everything()));
    let permit = [with(&json!({"type": "permit", "actor": to("RelatedPerson/r")}))];
    assert_eq!(seen(&permit, &who, &closed()), everything());
    let kept = facts(&json!({"id": "Observation/x", "patients": ["m"], "sens": ["ADOL"]}));
    assert!(seen_of(&[kept], &permit, &who, &closed()).is_empty());
}

#[test]
fn breaking_the_glass_opens_everything_or_nothing() {
    let glass = |override_denials, override_absolute, labels: &[&str]| ConsentSettings {
        break_glass: BreakGlass {
            override_denials,
            override_absolute,
            never_override_labels: labels.iter().map(|one| (*one).to_owned()).collect(),
            ..BreakGlass::default()
        },
        ..settings(ImplicitPolicy::BreakGlassOnly)
    };
    let who = super::samples::Who { grants: vec!["m"], ..doc() }.purposes(&["BTG"]);
    assert_eq!(seen(&[], &who, &glass(false, false, &[])), everything(), "the policy, for this patient alone, without a cap");
    let refusal = [with(&json!({"type": "deny"}))];
    assert!(seen(&refusal, &who, &glass(false, false, &[])).is_empty());
    assert_eq!(seen(&refusal, &who, &glass(true, false, &[])), everything());
    assert_eq!(
        seen(&refusal, &who, &glass(true, false, &["BH"])),
        without(&["Condition/mood", "Condition/two", "DocumentReference/talk", "Observation/drink"])
    );
    let absolute = [consent(&json!({"policy": [{"uri": "https://profiles.ihe.net/ITI/PCF/Policy-deny"}]}))];
    assert!(seen(&absolute, &who, &glass(true, false, &[])).is_empty());
    assert_eq!(seen(&absolute, &who, &glass(true, true, &[])), everything());
    let mut off = glass(true, true, &[]);
    off.break_glass.enabled = false;
    assert!(seen(&[], &who, &off).is_empty());
}

#[test]
fn consent_opens_what_the_law_closes() {
    let record = facts(&json!({"id": "Observation/x", "patients": ["m"], "sens": ["42CFRPart2"]}));
    let sees = |purposes: &[&str]| {
        let permit = [with(&json!({"type": "permit"}))];
        let who = super::samples::Who { grants: vec!["m"], ..doc() }.purposes(purposes);
        let mut settings = open();
        settings.break_glass.override_denials = true;
        !seen_of(std::slice::from_ref(&record), &permit, &who, &settings).is_empty()
    };
    assert!(sees(&["TREAT"]) && !sees(&["HLEGAL"]) && !sees(&["TREAT", "HLEGAL"]));
}

#[test]
fn an_unverified_consent_gives_or_its_denial_is_lost() {
    let strict = |policy| ConsentSettings { require_verified: true, ..settings(policy) };
    assert!(seen(&[with(&json!({"type": "permit"}))], &doc(), &strict(ImplicitPolicy::Deny)).is_empty());
    let denied = seen(&[with(&json!({"type": "deny"}))], &doc(), &strict(ImplicitPolicy::AllNormal));
    assert!(denied.is_disjoint(&everything()));
    let verified = consent(&json!({"verification": [{"verified": true}], "provision": {"type": "permit"}}));
    assert_eq!(seen(&[verified], &doc(), &strict(ImplicitPolicy::Deny)), everything());
}

#[test]
fn every_site_combines_as_the_default_does() {
    let old = consent(
        &json!({"dateTime": "2019", "policy": [{"uri": "urn:other"}], "provision": {"type": "deny", "securityLabel": [label("HIV")]}}),
    );
    let new = with(&json!({"type": "permit"}));
    let sees = |combine| seen(&[old.clone(), new.clone()], &doc(), &ConsentSettings { combine, ..closed() });
    let hidden = without(&["Observation/virus", "Condition/two"]);
    assert_eq!(
        (sees(Combine::Default), sees(Combine::DenyOverrides), sees(Combine::Latest)),
        (hidden.clone(), hidden, everything())
    );
    let partial = |policy: &str, record: &str| {
        let data = json!([{"meaning": "instance", "reference": {"reference": record}}]);
        consent(&json!({"policy": [{"uri": policy}], "provision": {"type": "permit", "data": data}}))
    };
    let both = [partial("urn:a", "Observation/pulse"), partial("urn:b", "Observation/virus")];
    assert!(seen(&both, &doc(), &ConsentSettings { combine: Combine::DenyOverrides, ..closed() }).is_empty());
}

#[test]
fn a_base_policy_is_stronger_or_weaker_than_it_is() {
    let base = |code: &str| json!({"coding": [{"system": ACT_CODE, "code": code}]});
    let opted = |code: &str, provision: Value| consent(&json!({"policyRule": base(code), "provision": provision}));
    assert_eq!(
        seen(&[opted("OPTIN", json!({"type": "deny", "securityLabel": [label("HIV")]}))], &doc(), &closed()),
        without(&["Observation/virus", "Condition/two"])
    );
    assert!(
        seen(&[opted("OPTOUT", json!({"type": "deny", "securityLabel": [label("HIV")]}))], &doc(), &open())
            .is_disjoint(&everything())
    );
    assert_eq!(seen(&[consent(&json!({"policyRule": base("OPTIN")}))], &doc(), &closed()), everything());
    assert!(seen(&[consent(&json!({"policyRule": base("OPTOUT")}))], &doc(), &open()).is_disjoint(&everything()));
    assert!(
        everything().is_subset(&seen(&[consent(&json!({"policyRule": base("NOPP")}))], &doc(), &open())),
        "no base says nothing"
    );
}
