use super::{Combine, ImplicitPolicy, Question, verdict_of, verdicts};
use crate::access::{Caller, Condition, Scopes};
use crate::consent::{Actions, Compiled, ConsentSettings, Directory, Requester, Site, Untyped, compile};
use crate::fhir::json::Document;
use crate::fhir::{Facts, Id, Instant, Key, Marks, ResourceType, Version};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::io::Read as _;

const ACT_REASON: &str = "http://terminology.hl7.org/CodeSystem/v3-ActReason";

fn at(text: &str) -> Instant {
    Instant::parse(text).unwrap()
}

fn now() -> Instant {
    at("2025-06-01T10:00:00Z")
}

fn caller(user: Option<&str>, organization: Option<&str>, purposes: &[&str]) -> Caller {
    Caller {
        issuer: String::new(),
        subject: String::new(),
        client: String::new(),
        user: user.map(|user| Key::parse(user).unwrap()),
        organization: organization.map(str::to_owned),
        scopes: Scopes::default(),
        patient: None,
        encounter: None,
        purposes: purposes.iter().map(|one| (*one).to_owned()).collect(),
        acr: None,
        token_id: None,
        expires: Instant(0),
        sign_in: crate::access::SignIn::default(),
    }
}

fn ali(purposes: &[&str]) -> Requester {
    Requester::new(&caller(Some("Practitioner/ali"), Some("Organization/ghb"), purposes), Actions::ACCESS)
}

fn settings(implicit_policy: ImplicitPolicy) -> ConsentSettings {
    let custodian = vec!["Organization/gha".to_owned()];
    ConsentSettings { implicit_policy, custodian, ..ConsentSettings::default() }
}

fn compiled(consent: &Value) -> Compiled {
    compile(&Document::parse(consent.to_string().as_bytes()).unwrap(), &Site::new(&settings(ImplicitPolicy::Deny), ""))
}

fn directory(consents: &[Value]) -> Directory {
    let mut directory = Directory::default();
    for (at, consent) in consents.iter().enumerate() {
        let key = Key::new(ResourceType::Consent, Id::parse(&format!("c{at}")).unwrap());
        directory.put(&key, Version::FIRST, Some(compiled(consent)));
    }
    directory
}

/// A consent of p1 under a policy of its own, with these further members.
fn consent(policy: &str, members: &Value) -> Value {
    let mut consent = json!({
        "resourceType": "Consent", "status": "active", "patient": {"reference": "Patient/p1"}, "dateTime": "2022-06-13",
        "scope": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "patient-privacy"}]},
        "policy": [{"uri": policy}],
    });
    consent.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    consent
}

fn rule(kind: &str, purposes: &[&str]) -> Value {
    let mut rule = json!({"type": kind});
    if !purposes.is_empty() {
        rule["purpose"] = purposes.iter().map(|code| json!({"system": ACT_REASON, "code": code})).collect();
    }
    rule
}

fn p1() -> Id {
    Id::parse("p1").unwrap()
}

/// May a record without any mark be shown?
fn plain(condition: &Condition) -> bool {
    let key = Key::parse("Observation/o").unwrap();
    let marks = Marks::default();
    condition
        .holds(&Facts { key, version: Version(1), updated: Instant(0), deleted: false, patients: vec![p1()], marks })
        .unwrap()
}

fn decided(directory: &Directory, requester: &Requester, settings: &ConsentSettings) -> bool {
    let site = Site::new(settings, "");
    let question = Question { requester, site: &site, resolves: &|_| false, now: now() };
    let one = verdict_of(directory, &question, &p1());
    assert_eq!(verdicts(directory, &question).verdicts.of(&p1()), &one, "one patient and all agree");
    plain(&one)
}

fn shown(consents: &[Value], requester: &Requester, settings: &ConsentSettings) -> bool {
    decided(&directory(consents), requester, settings)
}

#[test]
fn without_a_consent_the_implicit_policy_decides() {
    let backend = |organization| Requester::new(&caller(None, organization, &["TREAT"]), Actions::ACCESS);
    let relative = Requester::new(&caller(Some("RelatedPerson/m"), None, &["TREAT"]), Actions::ACCESS);
    for (requester, deny, basic, all) in [
        (ali(&["TREAT"]), false, true, true),
        (ali(&["BTG"]), false, true, true),
        (ali(&["TREAT", "HRESCH"]), false, false, true),
        (ali(&["HRESCH"]), false, false, true),
        (ali(&[]), false, false, true),
        (backend(Some("Organization/ghb")), false, true, true),
        (backend(None), false, false, true),
        (relative, false, false, false),
    ] {
        let seen = |policy| shown(&[], &requester, &settings(policy));
        assert!(!seen(ImplicitPolicy::BreakGlassOnly));
        assert_eq!(
            (seen(ImplicitPolicy::Deny), seen(ImplicitPolicy::BasicNormal), seen(ImplicitPolicy::AllNormal)),
            (deny, basic, all),
            "{requester:?}"
        );
    }
}

#[test]
fn patients_see_their_own_records_whatever_they_refuse_others() {
    let refusal = [consent("a", &json!({"provision": {"type": "deny"}}))];
    let own = |purposes: &[&str]| Requester::new(&caller(Some("Patient/p1"), None, purposes), Actions::ACCESS);
    assert!(shown(&refusal, &own(&["PATRQT"]), &settings(ImplicitPolicy::Deny)));
    assert!(shown(&[], &own(&["PATRQT"]), &settings(ImplicitPolicy::Deny)));
    assert!(!shown(&refusal, &own(&["PATRQT", "TREAT"]), &settings(ImplicitPolicy::AllNormal)));
    assert!(!shown(&refusal, &own(&["FAMRQT"]), &settings(ImplicitPolicy::AllNormal)));
}

#[test]
fn what_cannot_be_evaluated_denies() {
    let permit = rule("permit", &[]);
    let with = |name: &str, value: Value| {
        let mut provision = permit.clone();
        provision[name] = value;
        json!({ "provision": provision })
    };
    for members in [
        with("dataPeriod", json!("2022")),
        with("dataPeriod", json!({"start": "2022", "end": "2021"})),
        with("data", json!([{"reference": {"reference": "Observation/o"}}])),
        with("data", json!([{"meaning": "near", "reference": {"reference": "Observation/o"}}])),
        with("securityLabel", json!([])),
        with("data", json!([])),
        with("type", json!("maybe")),
        with("period", json!({"end": "soon"})),
        with("modifierExtension", json!([{"url": "http://example.org/not"}])),
        with("provision", json!([{"type": "permit", "actor": [{"modifierExtension": []}]}])),
        json!({"provision": permit, "implicitRules": "http://example.org/rules"}),
        json!({"provision": permit, "modifierExtension": [{"url": "http://example.org/not"}]}),
        json!({"provision": [permit]}),
        json!({"provision": permit, "status": "on"}),
        json!({"provision": permit, "dateTime": "yesterday"}),
    ] {
        assert!(!shown(&[consent("a", &members)], &ali(&["TREAT"]), &settings(ImplicitPolicy::AllNormal)), "{members}");
    }
    let mut deep = rule("permit", &[]);
    for _ in 0..8 {
        deep = json!({"type": "permit", "provision": [deep]});
    }
    assert!(!shown(&[consent("a", &json!({ "provision": deep }))], &ali(&["TREAT"]), &settings(ImplicitPolicy::AllNormal)));
}

#[test]
fn an_exception_beats_its_parent_and_denies_win_among_siblings() {
    let to = |kind: &str, who: &str| json!({"type": kind, "actor": [{"reference": {"reference": who}}]});
    let nested = |root: &str, children: Value| [consent("a", &json!({"provision": {"type": root, "provision": children}}))];
    let sees = |consents: &[Value]| shown(consents, &ali(&["TREAT"]), &settings(ImplicitPolicy::Deny));
    assert!(!sees(&nested("permit", json!([to("deny", "Practitioner/ali")]))));
    assert!(sees(&nested("permit", json!([to("deny", "Practitioner/bob")]))));
    assert!(sees(&nested("deny", json!([to("permit", "Organization/ghb")]))));
    assert!(!sees(&nested("deny", json!([to("permit", "Practitioner/ali"), to("deny", "Organization/ghb")]))));
    assert!(!sees(&nested("permit", json!([to("deny", "Group/unknown")]))), "an unresolved group is in a deny");
    assert!(!sees(&nested("deny", json!([to("permit", "Group/unknown")]))), "and in no permit");
}

#[test]
fn revoking_the_newest_brings_no_older_one_back() {
    let permit = |date: &str, status: &str| {
        consent("same", &json!({"dateTime": date, "status": status, "provision": rule("permit", &["TREAT"])}))
    };
    let sees = |consents: &[Value]| shown(consents, &ali(&["TREAT"]), &settings(ImplicitPolicy::Deny));
    assert!(sees(&[permit("2022", "active")]));
    assert!(!sees(&[permit("2022", "active"), permit("2023", "inactive")]));
    assert!(sees(&[permit("2022", "active"), permit("2023", "draft")]));
    assert!(sees(&[permit("2022", "inactive"), permit("2023", "active")]));
}

#[test]
fn an_unverified_consent_takes_away_and_gives_nothing() {
    let strict = ConsentSettings { require_verified: true, ..settings(ImplicitPolicy::AllNormal) };
    let verified = json!([{"verified": true}]);
    let deny = consent("same", &json!({"verification": verified, "provision": {"type": "deny"}}));
    let newer = consent("same", &json!({"dateTime": "2024", "provision": {"type": "permit"}}));
    assert!(!shown(&[deny.clone(), newer.clone()], &ali(&["TREAT"]), &strict));
    assert!(shown(&[deny, newer], &ali(&["TREAT"]), &settings(ImplicitPolicy::AllNormal)));
}

#[test]
fn without_a_known_custodian_a_consent_for_one_can_only_deny() {
    let for_gha =
        |kind: &str| [consent("a", &json!({"organization": [{"reference": "Organization/gha"}], "provision": {"type": kind}}))];
    let nobody = ConsentSettings { custodian: Vec::new(), ..settings(ImplicitPolicy::AllNormal) };
    assert!(!shown(&for_gha("deny"), &ali(&["TREAT"]), &nobody));
    let strict = ConsentSettings { implicit_policy: ImplicitPolicy::Deny, ..nobody };
    assert!(!shown(&for_gha("permit"), &ali(&["TREAT"]), &strict));
    assert!(shown(&for_gha("permit"), &ali(&["TREAT"]), &settings(ImplicitPolicy::Deny)));
    let other = ConsentSettings { custodian: vec!["Organization/other".to_owned()], ..settings(ImplicitPolicy::AllNormal) };
    assert!(shown(&for_gha("deny"), &ali(&["TREAT"]), &other));
}

#[test]
fn a_ruling_ends_where_the_next_period_begins_or_ends() {
    let until = |end: &str| consent("a", &json!({"provision": {"type": "permit", "period": {"end": end}}}));
    let directory = directory(&[until("2025-06"), until("2025-07-15"), until("2024")]);
    let (site, ali) = (Site::new(&settings(ImplicitPolicy::Deny), ""), ali(&["TREAT"]));
    let ruling = verdicts(&directory, &Question { requester: &ali, site: &site, resolves: &|_| false, now: now() });
    assert_eq!(ruling.valid_until, at("2025-07-01T00:00:00Z"));
    assert_eq!(ruling.verdicts.of(&p1()), &Condition::All);
}

#[test]
fn a_ruling_is_revised_for_those_patients_alone_whose_consents_changed() {
    let (site, ali) = (Site::new(&settings(ImplicitPolicy::BasicNormal), ""), ali(&["TREAT"]));
    let question = Question { requester: &ali, site: &site, resolves: &|_| false, now: now() };
    let of = |patient: &str, provision: Value| {
        compiled(&consent("a", &json!({"patient": {"reference": format!("Patient/{patient}")}, "provision": provision})))
    };
    let mut directory = Directory::default();
    for at in 0..20 {
        let kind = ["permit", "deny"][at % 2];
        let _ = directory.put(
            &Key::parse(&format!("Consent/c{at}")).unwrap(),
            Version(1),
            Some(of(&format!("q{at}"), json!({"type": kind}))),
        );
    }
    let before = verdicts(&directory, &question);
    let until = json!({"type": "deny", "period": {"end": "2025-07"}});
    let mut changed = directory.put(&Key::parse("Consent/c3").unwrap(), Version(2), Some(of("q4", until)));
    changed.extend(directory.put(&Key::parse("Consent/c6").unwrap(), Version(2), None));
    changed.extend(directory.put(&Key::parse("Consent/new").unwrap(), Version(1), Some(of("fresh", json!({"type": "permit"})))));
    let named: Vec<&str> = changed.iter().map(Id::as_str).collect();
    assert_eq!(named, ["fresh", "q3", "q4", "q6"]);
    let (revised, whole) = (before.revised(&directory, &question, &changed), verdicts(&directory, &question));
    assert_eq!(revised.valid_until, at("2025-08-01T00:00:00Z"));
    assert_eq!(revised.valid_until, whole.valid_until);
    let told = |ruling: &super::Ruling| format!("{:?} {:?}", ruling.verdicts.otherwise(), ruling.verdicts.groups());
    assert_eq!(told(&revised), told(&whole));
    for patient in ["q3", "q4", "q5", "q6", "fresh", "nobody"] {
        let id = Id::parse(patient).unwrap();
        assert_eq!(revised.verdicts.of(&id), whole.verdicts.of(&id), "{patient}");
    }
    assert_ne!(told(&before), told(&whole));
}

#[test]
fn a_hundred_thousand_patients_are_decided_and_revised_in_moments() {
    let (site, ali) = (Site::new(&settings(ImplicitPolicy::Deny), ""), ali(&["TREAT"]));
    let question = Question { requester: &ali, site: &site, resolves: &|_| false, now: now() };
    let mut directory = Directory::default();
    let mut made = compiled(&consent("a", &json!({"provision": rule("permit", &["TREAT"])})));
    for at in 0..100_000 {
        made.patient = Id::parse(&format!("q{at}"));
        let _ = directory.put(&Key::parse(&format!("Consent/c{at}")).unwrap(), Version(1), Some(made.clone()));
    }
    let clock = std::time::Instant::now();
    let ruling = verdicts(&directory, &question);
    let (whole, clock) = (clock.elapsed(), std::time::Instant::now());
    let changed = directory.put(&Key::parse("Consent/c7").unwrap(), Version(2), None);
    let revised = ruling.revised(&directory, &question, &changed);
    println!("decided in {whole:?}, revised in {:?}", clock.elapsed());
    assert_eq!(ruling.verdicts.groups().len(), 1);
    assert_eq!(revised.verdicts.groups()[0].patients.len(), 99_999);
    assert!(whole.as_secs() < 30, "{whole:?}");
}

#[test]
fn the_directory_follows_versions_and_never_goes_back() {
    let key = Key::parse("Consent/c").unwrap();
    let permit = consent("a", &json!({"provision": {"type": "permit"}}));
    let sees = |directory: &Directory| decided(directory, &ali(&["TREAT"]), &settings(ImplicitPolicy::Deny));
    let first = Directory::default().with(&key, Version(1), Some(compiled(&permit)));
    let gone = first.with(&key, Version(3), None);
    let late = gone.with(&key, Version(2), Some(compiled(&permit)));
    assert!(sees(&first) && !sees(&gone) && !sees(&late));
    assert_eq!((first.epoch(), gone.epoch(), late.epoch()), (1, 2, 2));
    let moved = first.with(
        &key,
        Version(2),
        Some(compiled(&consent("a", &json!({"patient": {"reference": "Patient/p2"}, "provision": {"type": "permit"}})))),
    );
    assert!(!sees(&moved));
}

fn corpora() -> String {
    std::env::var("AMANAT_CORPORA").unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/corpora").to_owned())
}

#[test]
fn the_consents_of_ihe_pcf_decide_as_their_titles_say() {
    let path = format!("{}/ihe-pcf-consents/resources.ndjson.gz", corpora());
    let Ok(file) = std::fs::File::open(&path) else { return println!("skipped: no corpora at {path}") };
    let mut lines = String::new();
    flate2::read::GzDecoder::new(file).read_to_string(&mut lines).unwrap();
    let found: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let local = vec!["http://example.org/policies/purposeOfUse|FooBar".to_owned()];
    let custodian = vec!["Organization/ex-organization".to_owned()];
    let settings = ConsentSettings { local_purposes: local, custodian, ..ConsentSettings::default() };
    let patient = Id::parse("ex-patient").unwrap();
    for (name, organization, purpose, expected) in [
        ("ex-consent-basic-ink", "Organization/x", "TREAT", true),
        ("ex-consent-basic-ink", "Organization/x", "HRESCH", false),
        ("ex-consent-basic-reject", "Organization/x", "TREAT", false),
        ("ex-consent-basic-research", "Organization/x", "CLINTRCH", true),
        ("ex-consent-basic-research", "Organization/x", "TREAT", false),
        ("ex-consent-basic-treat", "Organization/x", "BTG", true),
        ("ex-consent-basic-treat-infant", "Organization/x", "HPAYMT", true),
        ("ex-consent-expired-treat", "Organization/x", "TREAT", false),
        (
            "ex-consent-intermediate-purpose",
            "Organization/ex-org-researcher",
            "http://example.org/policies/purposeOfUse|FooBar",
            true,
        ),
        ("ex-consent-intermediate-purpose", "Organization/x", "http://example.org/policies/purposeOfUse|FooBar", false),
        ("ex-dissent-intermediate-break-glass", "Organization/x", "TREAT", false),
        ("ex-consent-intermediate-timeframe", "Organization/x", "TREAT", false),
    ] {
        let consent = found.iter().find(|one| one["id"] == name).unwrap();
        let requester = Requester::new(&caller(Some("Practitioner/ali"), Some(organization), &[purpose]), Actions::ACCESS);
        let site = Site::new(&settings, "");
        let question = Question { requester: &requester, site: &site, resolves: &|_| false, now: now() };
        let decided = plain(&verdict_of(&directory(std::slice::from_ref(consent)), &question, &patient));
        assert_eq!(decided, expected, "{name} for {organization}, {purpose}");
    }
}

fn provisions() -> impl Strategy<Value = Value> {
    let purposes = prop::sample::subsequence(vec!["TREAT", "ETREAT", "HRESCH", "PATRQT", "NOSUCH"], 0..3);
    let actor = prop::sample::select(vec![None, Some("Practitioner/ali"), Some("Organization/other"), Some("Group/g")]);
    let leaf = (prop::sample::select(vec!["permit", "deny"]), purposes, actor).prop_map(|(kind, purposes, actor)| {
        let mut made = rule(kind, &purposes);
        if let Some(actor) = actor {
            made["actor"] = json!([{"reference": {"reference": actor}}]);
        }
        made
    });
    (leaf.clone(), prop::collection::vec(leaf, 0..3)).prop_map(|(mut root, nested)| {
        if !nested.is_empty() {
            root["provision"] = nested.into();
        }
        root
    })
}

fn bases() -> impl Strategy<Value = Option<&'static str>> {
    prop::sample::select(vec![None, Some("OPTIN"), Some("OPTOUT")])
}

fn consents() -> impl Strategy<Value = Vec<Value>> {
    prop::collection::vec((provisions(), bases()), 0..4).prop_map(|all| {
        let made = all.into_iter().enumerate().map(|(at, (provision, base))| {
            let mut members = json!({ "provision": provision });
            if let Some(base) = base {
                members["policyRule"] =
                    json!({"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": base}]});
            }
            consent(&format!("policy{at}"), &members)
        });
        made.collect()
    })
}

fn policies() -> impl Strategy<Value = ConsentSettings> {
    let policy = prop::sample::select(vec![ImplicitPolicy::Deny, ImplicitPolicy::BasicNormal, ImplicitPolicy::AllNormal]);
    let combine = prop::sample::select(vec![Combine::Default, Combine::DenyOverrides]);
    let untyped = prop::sample::select(vec![Untyped::Deny, Untyped::Exception]);
    (policy, combine, untyped).prop_map(|(policy, combine, untyped)| ConsentSettings { untyped, combine, ..settings(policy) })
}

proptest! {
    #[test]
    fn a_consent_that_only_denies_never_widens(consents in consents(), settings in policies(), purposes in prop::sample::subsequence(vec!["TREAT", "HRESCH"], 0..=2), denied in prop::sample::subsequence(vec!["TREAT", "HRESCH"], 0..=2)) {
        let before = shown(&consents, &ali(&purposes), &settings);
        let deny = consent("another", &json!({"provision": rule("deny", &denied)}));
        let after = shown(&[consents, vec![deny]].concat(), &ali(&purposes), &settings);
        prop_assert!(before || !after);
    }

    #[test]
    fn one_purpose_more_never_widens(consents in consents(), settings in policies(), first in prop::sample::select(vec!["TREAT", "ETREAT", "HRESCH", "PATRQT"]), more in prop::sample::select(vec!["TREAT", "HRESCH", "PATRQT", "NOSUCH"])) {
        let before = shown(&consents, &ali(&[first]), &settings);
        prop_assert!(before || !shown(&consents, &ali(&[first, more]), &settings));
        prop_assert!(before || !shown(&consents, &ali(&[]), &settings), "to hide the purpose gives nothing");
    }

    #[test]
    fn the_order_of_consents_means_nothing(consents in consents(), settings in policies()) {
        let reversed: Vec<Value> = consents.iter().rev().cloned().collect();
        prop_assert_eq!(shown(&consents, &ali(&["TREAT"]), &settings), shown(&reversed, &ali(&["TREAT"]), &settings));
    }
}
