//! Mistakes that an evaluator of consents is likely to make, each caught by the test of its name.

use super::samples::{consent, doc, label, purpose, seen, settings, to, with};
use super::{ConsentSettings, ImplicitPolicy};
use crate::fhir::Confidentiality;
use serde_json::{Value, json};
use std::collections::BTreeSet;

pub(super) const OF_M: [&str; 9] = [
    "Condition/mood",
    "Condition/two",
    "DocumentReference/talk",
    "Encounter/visit",
    "Observation/drink",
    "Observation/pulse",
    "Observation/undated",
    "Observation/virus",
    "Patient/m",
];

pub(super) fn closed() -> ConsentSettings {
    settings(ImplicitPolicy::Deny)
}

pub(super) fn open() -> ConsentSettings {
    ConsentSettings { implicit_max_conf: Confidentiality::V, ..settings(ImplicitPolicy::AllNormal) }
}

pub(super) fn set(all: &[&str]) -> BTreeSet<String> {
    all.iter().map(|one| (*one).to_owned()).collect()
}

pub(super) fn without(hidden: &[&str]) -> BTreeSet<String> {
    OF_M.iter().filter(|one| !hidden.contains(one)).map(|one| (*one).to_owned()).collect()
}

pub(super) fn everything() -> BTreeSet<String> {
    without(&[])
}

/// What `doc` sees under a permit with this exception, nothing being permitted by policy.
pub(super) fn excepting(exception: &Value) -> BTreeSet<String> {
    seen(&[with(&json!({"type": "permit", "provision": [exception]}))], &doc(), &closed())
}

/// What `doc` sees under this provision alone.
pub(super) fn only(provision: &Value) -> BTreeSet<String> {
    seen(&[with(provision)], &doc(), &closed())
}

#[test]
fn nested_provisions_ignored() {
    let hidden = ["Observation/virus", "Condition/two"];
    assert_eq!(excepting(&json!({"type": "deny", "securityLabel": [label("HIV")]})), without(&hidden));
}

#[test]
fn permit_overrides_deny() {
    let deny = consent(&json!({"policy": [{"uri": "urn:other"}], "provision": {"type": "deny"}}));
    assert!(seen(&[with(&json!({"type": "permit"})), deny], &doc(), &open()).is_disjoint(&everything()));
}

#[test]
fn every_deny_overrides_its_own_exceptions() {
    let provision = json!({"type": "deny", "provision": [{"type": "permit", "actor": to("Practitioner/doc")}]});
    assert_eq!(only(&provision), everything());
}

#[test]
fn an_exception_counts_only_when_its_parent_matches() {
    let provision = json!({"type": "permit", "securityLabel": [label("N")],
        "provision": [{"type": "permit", "securityLabel": [label("PSY")]}]});
    assert_eq!(
        only(&provision),
        set(&["Condition/mood", "Encounter/visit", "Observation/pulse", "Observation/undated", "Patient/m"])
    );
}

#[test]
fn a_matching_exception_flips_whatever_its_type() {
    let provision = json!({"type": "permit", "provision": [{"type": "permit", "actor": to("Practitioner/doc")}]});
    assert_eq!(only(&provision), everything());
}

#[test]
fn an_exception_starts_from_nothing_instead_of_inheriting() {
    let provision = json!({"type": "permit", "purpose": [purpose("HRESCH")], "provision": [{"type": "permit", "class": [
        {"system": "http://hl7.org/fhir/resource-types", "code": "Condition"}]}]});
    assert!(only(&provision).is_empty());
}

#[test]
fn the_newest_consent_wins_across_policies() {
    let old = consent(
        &json!({"dateTime": "2019", "policy": [{"uri": "urn:other"}], "provision": {"type": "deny", "securityLabel": [label("PSY")]}}),
    );
    let new = with(&json!({"type": "permit"}));
    assert_eq!(seen(&[old, new], &doc(), &closed()), without(&["Condition/mood", "Condition/two"]));
}

#[test]
fn an_older_consent_of_the_same_policy_still_speaks() {
    let old = consent(&json!({"dateTime": "2019", "provision": {"type": "deny"}}));
    assert_eq!(seen(&[old, with(&json!({"type": "permit"}))], &doc(), &closed()), everything());
}

#[test]
fn a_revoked_consent_brings_back_the_older_one() {
    let revoked = consent(&json!({"dateTime": "2021", "status": "inactive", "provision": {"type": "permit"}}));
    assert!(seen(&[with(&json!({"type": "permit"})), revoked.clone()], &doc(), &closed()).is_empty());
    assert!(everything().is_subset(&seen(&[with(&json!({"type": "deny"})), revoked], &doc(), &open())), "nor what it denied");
}

#[test]
fn one_release_of_the_sensitivity_hierarchy_is_enough() {
    for wide in ["ETH", "SUD", "BH", "SPI"] {
        let seen = excepting(&json!({"type": "deny", "securityLabel": [label(wide)]}));
        assert!(!seen.contains("Observation/drink"), "{wide} covers alcohol use disorder in some release");
    }
}

#[test]
fn a_system_under_another_name_matches_nothing() {
    for system in ["http://hl7.org/fhir/v3/Confidentiality", "urn:oid:2.16.840.1.113883.5.25", "2.16.840.1.113883.5.25"] {
        let seen = excepting(&json!({"type": "deny", "securityLabel": [{"system": system, "code": "R"}]}));
        assert_eq!(seen, set(&["Encounter/visit", "Observation/pulse", "Observation/undated", "Patient/m"]), "{system}");
    }
}

#[test]
fn a_denied_confidentiality_reads_as_this_or_lower() {
    let seen = excepting(&json!({"type": "deny", "securityLabel": [label("V")]}));
    assert_eq!(seen, without(&["DocumentReference/talk"]));
    let seen = excepting(&json!({"type": "deny", "securityLabel": [label("R"), label("V")]}));
    assert!(!seen.contains("DocumentReference/talk") && !seen.contains("Condition/mood") && seen.contains("Observation/pulse"));
}

#[test]
fn a_permitted_confidentiality_reads_as_exactly_this() {
    assert_eq!(only(&json!({"type": "permit", "securityLabel": [label("R")]})), without(&["DocumentReference/talk"]));
}

#[test]
fn one_permitted_sensitivity_opens_a_record_with_another() {
    assert_eq!(only(&json!({"type": "permit", "securityLabel": [label("PSY")]})), set(&["Condition/mood"]));
}

#[test]
fn both_label_categories_are_joined_alike_in_permits_and_denies() {
    let labels = json!([label("R"), label("PSY")]);
    assert_eq!(only(&json!({"type": "permit", "securityLabel": labels})), set(&["Condition/mood"]));
    let labels = json!([label("V"), label("HIV")]);
    let seen = excepting(&json!({"type": "deny", "securityLabel": labels}));
    assert_eq!(seen, without(&["DocumentReference/talk", "Observation/virus", "Condition/two"]));
}

#[test]
fn a_label_that_nobody_knows_is_passed_over() {
    let unknown = json!({"system": "urn:mine", "code": "X"});
    assert!(excepting(&json!({"type": "deny", "securityLabel": [unknown, label("HIV")]})).is_empty());
    assert!(only(&json!({"type": "permit", "securityLabel": [unknown, label("V")]})).is_empty());
}

#[test]
fn any_one_of_the_purposes_suffices() {
    let provision = json!({"type": "permit", "purpose": [purpose("TREAT")]});
    assert!(seen(&[with(&provision)], &doc().purposes(&["TREAT", "HRESCH"]), &closed()).is_empty());
}

#[test]
fn a_narrow_purpose_covers_a_wide_one() {
    let emergency = with(&json!({"type": "permit", "purpose": [purpose("ETREAT")]}));
    assert!(seen(std::slice::from_ref(&emergency), &doc(), &closed()).is_empty());
    assert_eq!(seen(&[emergency], &doc().purposes(&["BTG"]), &closed()), everything());
}

#[test]
fn what_cannot_be_evaluated_counts_as_no_consent() {
    let broken = consent(&json!({"implicitRules": "urn:rules", "provision": {"type": "permit"}}));
    assert!(seen(&[broken], &doc(), &open()).is_disjoint(&everything()));
    let odd = with(&json!({"type": "permit", "data": [{"meaning": "near", "reference": {"reference": "Observation/pulse"}}]}));
    assert!(seen(&[odd], &doc(), &open()).is_disjoint(&everything()));
}

#[test]
fn a_consent_for_some_leaves_the_rest_to_the_policy() {
    let for_other = with(&json!({"type": "permit", "purpose": [purpose("TREAT")], "actor": to("Organization/elsewhere")}));
    assert!(seen(&[for_other], &doc(), &open()).is_disjoint(&everything()), "a closed world");
}

#[test]
fn a_consent_about_another_purpose_shuts_this_one_out() {
    let research = with(&json!({"type": "permit", "purpose": [purpose("HRESCH")]}));
    assert!(everything().is_subset(&seen(&[research], &doc(), &open())));
    let refusal = with(&json!({"type": "deny", "purpose": [purpose("HRESCH")]}));
    assert!(everything().is_subset(&seen(&[refusal], &doc(), &open())), "a refusal that does not match says nothing");
}

#[test]
fn two_authorizations_cancel_each_other() {
    let part = |policy: &str, record: &str| {
        let data = json!([{"meaning": "instance", "reference": {"reference": record}}]);
        consent(&json!({"policy": [{"uri": policy}], "provision": {"type": "permit", "data": data}}))
    };
    let both = [part("urn:a", "Observation/pulse"), part("urn:b", "Observation/virus")];
    assert_eq!(seen(&both, &doc(), &closed()), set(&["Observation/pulse", "Observation/virus"]));
}

#[test]
fn a_deny_looks_at_the_primary_code_only() {
    let code = json!([{"coding": [{"system": "urn:c", "code": "pulse"}]}]);
    assert_eq!(excepting(&json!({"type": "deny", "code": code})), without(&["Observation/pulse", "Condition/mood"]));
    let bare = json!([{"coding": [{"code": "pulse"}]}]);
    assert_eq!(excepting(&json!({"type": "deny", "code": bare})), without(&["Observation/pulse", "Condition/mood"]));
}

#[test]
fn a_permit_takes_a_code_from_anywhere() {
    let code = json!([{"coding": [{"system": "urn:c", "code": "pulse"}]}]);
    assert_eq!(only(&json!({"type": "permit", "code": code})), set(&["Observation/pulse"]));
    let bare = json!([{"coding": [{"code": "pulse"}]}]);
    assert!(only(&json!({"type": "permit", "code": bare})).is_empty());
}

#[test]
fn a_concept_without_coding_matches_nothing() {
    assert!(excepting(&json!({"type": "deny", "code": [{"text": "everything about me"}]})).is_empty());
    assert!(only(&json!({"type": "permit", "code": [{"text": "everything about me"}]})).is_empty());
}
