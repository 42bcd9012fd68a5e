//! The evaluator that answers requests against the reference, on consents, records and callers made at random; and two laws.

use super::super::samples::{ACT_CODE, Who, consent, doc, facts, label, purpose, seen_of, settings};
use crate::access::Condition;
use crate::consent::{Actions, BreakGlass, Ceiling, Combine, ConsentSettings, ImplicitPolicy, Untyped};
use crate::fhir::{Confidentiality, Facts};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Map, Value, json};

const LABELS: [&str; 9] = ["N", "R", "V", "PSY", "HIV", "ETH", "BH", "NOSUCH", "NOPAT"];
const RECORDS: [&str; 6] = ["Observation/a", "Observation/b", "Encounter/e", "Condition/c", "Patient/m", "List/l"];

fn some(values: &'static [&'static str], most: usize) -> impl Strategy<Value = Vec<&'static str>> {
    subsequence(values.to_vec(), 1..=most)
}

fn element() -> impl Strategy<Value = (&'static str, Value)> {
    let coded = |all: Vec<&str>, one: fn(&str) -> Value| all.into_iter().map(one).collect::<Value>();
    let meaning = select(vec!["instance", "related", "dependents", "authoredby"]);
    let named = select(vec![
        "Observation/a",
        "Encounter/e",
        "Patient/m",
        "Practitioner/doc",
        "https://elsewhere/fhir/Observation/b",
        "urn:x",
    ]);
    prop_oneof![
        some(&LABELS, 2).prop_map(move |all| ("securityLabel", coded(all, label))),
        some(&["Observation", "Condition", "Patient", "Nonsense"], 2).prop_map(move |all| (
            "class",
            coded(all, |one| json!({"system": "http://hl7.org/fhir/resource-types", "code": one}))
        )),
        some(&["one", "two"], 2)
            .prop_map(move |all| ("code", coded(all, |one| json!({"coding": [{"system": "urn:c", "code": one}]})))),
        Just(("code", json!([{"coding": [{"code": "one"}]}]))),
        Just(("code", json!([{"text": "nothing"}]))),
        select(vec![json!({"start": "2022", "end": "2022"}), json!({"end": "2021-06"}), json!({"start": "2023"}), json!({})])
            .prop_map(|one| ("dataPeriod", one)),
        (meaning, named).prop_map(|(meaning, named)| ("data", json!([{"meaning": meaning, "reference": {"reference": named}}]))),
        some(&["TREAT", "HRESCH", "ETREAT", "NOSUCH"], 2).prop_map(move |all| ("purpose", coded(all, purpose))),
        some(&["Practitioner/doc", "Organization/elsewhere", "Group/night", "Group/day", "Group/gone"], 2)
            .prop_map(move |all| ("actor", coded(all, |one| json!({"reference": {"reference": one}})))),
        some(&["access", "collect", "correct", "disclose", "odd"], 2).prop_map(move |all| {
            (
                "action",
                coded(
                    all,
                    |one| json!({"coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentaction", "code": one}]}),
                ),
            )
        }),
        select(vec![json!({"end": "2025-05"}), json!({"end": "2026"}), json!({"start": "2026"})]).prop_map(|one| ("period", one)),
    ]
}

fn provision() -> impl Strategy<Value = Value> {
    let kind = select(vec![Some("permit"), Some("permit"), Some("deny"), Some("deny"), None]);
    let leaf = (kind, prop::collection::vec(element(), 0..3)).prop_map(|(kind, elements)| {
        let mut made: Map<String, Value> = elements.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        made.extend(kind.map(|kind| ("type".to_owned(), json!(kind))));
        Value::Object(made)
    });
    leaf.prop_recursive(3, 6, 3, |inner| {
        (inner.clone(), prop::collection::vec(inner, 1..3)).prop_map(|(mut root, nested)| {
            root["provision"] = nested.into();
            root
        })
    })
}

fn consents() -> impl Strategy<Value = Vec<Value>> {
    let policy = select(vec![
        "urn:a",
        "urn:b",
        "https://profiles.ihe.net/ITI/PCF/Policy-deny",
        "https://profiles.ihe.net/ITI/PCF/Policy-break-glass-only",
    ]);
    let base = select(vec![None, None, Some("OPTIN"), Some("OPTOUT")]);
    let dated = select(vec![Some("2020"), Some("2021"), Some("2022"), None]);
    let status = select(vec!["active", "active", "active", "inactive", "draft"]);
    let extra = (
        any::<bool>(),
        select(vec![None, None, Some("Organization/keeper"), Some("Organization/other")]),
        select(vec!["m", "m", "n"]),
    );
    let one = (prop::option::weighted(0.9, provision()), policy, base, dated, status, extra);
    let made = one.prop_map(|(provision, policy, base, dated, status, (verified, organization, patient))| {
        let mut members = json!({"status": status, "policy": [{"uri": policy}], "patient": {"reference": format!("Patient/{patient}")}, "verification": [{"verified": verified}]});
        if let Some(provision) = provision {
            members["provision"] = provision;
        }
        if let Some(base) = base {
            members["policyRule"] = json!({"coding": [{"system": ACT_CODE, "code": base}]});
        }
        if let Some(organization) = organization {
            members["organization"] = json!([{"reference": organization}]);
        }
        members["dateTime"] = json!(dated);
        let mut made = consent(&members);
        if dated.is_none() {
            made.as_object_mut().unwrap().remove("dateTime");
        }
        made
    });
    prop::collection::vec(made, 0..4)
}

fn record(id: &'static str) -> impl Strategy<Value = Facts> {
    let sens = prop_oneof![Just(vec![]), subsequence(vec!["PSY", "HIV", "ETHUD", "ADOL", "42CFRPart2", "LOCAL"], 0..3)];
    let codes = subsequence(vec!["urn:c|one", "urn:c|two"], 0..2);
    let dates = subsequence(
        vec![
            ("2021-03-01", "2021-03-02"),
            ("2021-12-30", "2022-01-03"),
            ("2022-07-01", "2022-07-02"),
            ("2024-01-01", "2024-01-02"),
        ],
        0..3,
    );
    let refs = subsequence(RECORDS.to_vec(), 0..4);
    let patients = select(vec![vec!["m"], vec!["m"], vec!["n"], vec!["m", "n"], vec![]]);
    (sens, codes.clone(), codes, dates, refs, patients, select(vec!["U", "N", "R", "V"]), subsequence(vec!["NOPAT"], 0..=1), subsequence(vec!["Practitioner/doc"], 0..=1)).prop_map(
        move |(sens, primary, other, dates, refs, patients, conf, handling, authors)| {
            let dates: Vec<Value> = dates.iter().map(|(low, high)| json!([format!("{low}T00:00:00Z"), format!("{high}T00:00:00Z")])).collect();
            let all: Vec<&str> = primary.iter().chain(&other).copied().collect();
            facts(&json!({"id": id, "patients": patients, "sens": sens, "conf": conf, "handling": handling, "dates": dates, "references": refs,
                "authors": authors, "primary_codes": primary, "any_codes": all}))
        },
    )
}

fn records() -> impl Strategy<Value = Vec<Facts>> {
    (record(RECORDS[0]), record(RECORDS[1]), record(RECORDS[2]), record(RECORDS[3]), record(RECORDS[4]), record(RECORDS[5]))
        .prop_map(|(a, b, c, d, e, f)| vec![a, b, c, d, e, f])
}

fn caller() -> impl Strategy<Value = Who> {
    let purposes = subsequence(vec!["TREAT", "HRESCH", "BTG", "PATRQT", "HLEGAL", "NOSUCH"], 0..3);
    let actions = select(vec![Actions::ACCESS, Actions::ACCESS.with(Actions::COLLECT), Actions::DISCLOSE, Actions::CORRECT]);
    let (own, proxy, grant) =
        (select(vec![None, None, Some("m")]), subsequence(vec!["m", "n"], 0..2), subsequence(vec!["m", "n"], 0..=2));
    (purposes, actions, own, proxy, grant, any::<bool>()).prop_map(|(purposes, actions, own, proxy_for, grants, clinician)| {
        let base = doc().purposes(&purposes);
        let roles = if clinician { base.roles.clone() } else { Vec::new() };
        Who { roles, own, proxy_for, grants, actions, ..base }
    })
}

fn sites() -> impl Strategy<Value = ConsentSettings> {
    let policy = select(vec![
        ImplicitPolicy::Deny,
        ImplicitPolicy::BasicNormal,
        ImplicitPolicy::AllNormal,
        ImplicitPolicy::BreakGlassOnly,
    ]);
    let combine = select(vec![Combine::Default, Combine::Default, Combine::DenyOverrides, Combine::Latest]);
    let untyped = select(vec![Untyped::Deny, Untyped::Exception]);
    let most = select(vec![Confidentiality::N, Confidentiality::R]);
    let ceiling =
        (select(vec!["clinician", "clerk"]), subsequence(vec!["HIV", "BH"], 1..=2), select(vec![None, Some(Confidentiality::R)]));
    let ceiling = ceiling.prop_map(|(role, labels, max_conf)| Ceiling {
        role: role.to_owned(),
        labels: labels.into_iter().map(str::to_owned).collect(),
        max_conf,
    });
    let ceilings = prop_oneof![3 => Just(Vec::new()), 1 => proptest::collection::vec(ceiling, 1..=2)];
    (policy, combine, untyped, most, any::<[bool; 3]>(), subsequence(vec!["HIV", "BH"], 0..=1), ceilings).prop_map(
        |(
            policy,
            combine,
            untyped,
            implicit_max_conf,
            [require_verified, override_denials, override_absolute],
            labels,
            ceilings,
        )| {
            let never_override_labels = labels.into_iter().map(str::to_owned).collect();
            let break_glass = BreakGlass { override_denials, override_absolute, never_override_labels, ..BreakGlass::default() };
            ConsentSettings { implicit_max_conf, untyped, combine, require_verified, break_glass, ceilings, ..settings(policy) }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn conditions_decide_as_the_reference_does(consents in consents(), records in records(), who in caller(), settings in sites()) {
        let _ = seen_of(&records, &consents, &who, &settings);
    }

    #[test]
    fn a_further_rule_that_denies_never_widens(consents in consents(), records in records(), who in caller(), settings in sites(), mut denial in provision()) {
        // With `latest` a further consent takes the place of others; that is why it is for migration only.
        prop_assume!(settings.combine != Combine::Latest);
        denial["type"] = json!("deny");
        denial.as_object_mut().unwrap().remove("provision");
        let mut denying = consent(&json!({"policy": [{"uri": "urn:further"}]}));
        denying["provision"] = denial;
        let before = seen_of(&records, &consents, &who, &settings);
        let after = seen_of(&records, &[consents, vec![denying]].concat(), &who, &settings);
        prop_assert!(after.is_subset(&before), "{after:?} {before:?}");
    }

    #[test]
    fn a_further_purpose_never_widens(consents in consents(), records in records(), who in caller(), settings in sites(), more in select(vec!["TREAT", "HRESCH", "BTG", "PATRQT", "NOSUCH"])) {
        prop_assume!(!who.purposes.is_empty());
        let before = seen_of(&records, &consents, &who, &settings);
        let mut wider = who.clone();
        wider.purposes.push(more.to_owned());
        let after = seen_of(&records, &consents, &wider, &settings);
        prop_assert!(after.is_subset(&before), "{after:?} {before:?}");
    }
}

#[test]
fn an_ordinary_permission_folds_to_all_or_nothing() {
    use crate::consent::{Question, Site, verdict_of};
    let site = Site::new(&settings(ImplicitPolicy::Deny), "");
    let directory = super::super::samples::directory(
        &[consent(&json!({"provision": {"type": "permit", "purpose": [purpose("TREAT")]}}))],
        &site,
    );
    let patient = crate::fhir::Id::parse("m").unwrap();
    for (code, expected) in [("TREAT", Condition::All), ("HRESCH", Condition::None)] {
        let requester = doc().purposes(&[code]).requester();
        let question = Question { requester: &requester, site: &site, resolves: &|_| false, now: doc().now };
        assert_eq!(verdict_of(&directory, &question, &patient), expected);
    }
}

#[test]
fn a_trace_names_the_provision_that_decided_and_what_did_not_match() {
    use super::{Ground, Verdict, explain};
    use crate::consent::{Question, Site};
    let site = Site::new(&settings(ImplicitPolicy::Deny), "");
    let to = |who: &str| json!([{"reference": {"reference": who}}]);
    let nested = json!([{"type": "deny", "actor": to("Practitioner/other"), "securityLabel": [label("PSY")]}, {"type": "deny", "securityLabel": [label("HIV")]}]);
    let permit = consent(&json!({"provision": {"type": "permit", "provision": nested}}));
    let revoked = consent(&json!({"status": "inactive", "policy": [{"uri": "urn:b"}]}));
    let directory = super::super::samples::directory(&[permit, revoked], &site);
    let requester = doc().requester();
    let question = Question { requester: &requester, site: &site, resolves: &|_| false, now: doc().now };
    let told = |sens: &[&str]| {
        let record = facts(&json!({"id": "Observation/x", "patients": ["m"], "sens": sens}));
        explain(&directory, &question, &record, &|_| None)
    };
    let trace = told(&["HIV"]);
    let purpose = &trace.patients[0].purposes[0];
    assert!(!trace.permitted && purpose.ground == Ground::ExplicitDeny);
    let (first, second) = (&purpose.consents[0], &purpose.consents[1]);
    assert_eq!((first.verdict, first.path.as_deref()), (Some(Verdict::ExplicitDeny), Some("provision.provision[1]")));
    assert_eq!(first.failed[0].path, "provision.provision[0]");
    assert_eq!(first.failed[0].criteria, ["actor", "securityLabel"]);
    assert_eq!((second.in_force, second.apart), (false, Some("it was revoked")));
    let permitted = told(&[]);
    assert_eq!(permitted.patients[0].purposes[0].consents[0].path.as_deref(), Some("provision"));
    let written = serde_json::to_value(&trace).unwrap();
    assert_eq!(written["patients"][0]["purposes"][0]["ground"], "explicit-deny");
    assert_eq!(written["patients"][0]["purposes"][0]["consents"][0]["consent"], "Consent/c0");
}
