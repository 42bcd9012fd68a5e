use super::authorize;
use crate::access::{Caller, Form, Grant, Level, Look, Permit, Scopes, may_write};
use crate::fhir::search::{Criterion, ResultShape, SearchQuery};
use crate::fhir::{
    Facts, HistoryQuery, HistoryScope, Id, Instant, Interaction, Key, Need, ReadConditions, Refusal, Rendering, ResourceType,
    Version, WriteCondition,
};
use proptest::prelude::*;
use std::fmt::Write as _;
use std::sync::Arc;

use ResourceType::{AuditEvent, Consent, Device, Observation, Organization, Patient};

fn id(text: &str) -> Id {
    Id::parse(text).unwrap()
}

fn key(text: &str) -> Key {
    Key::parse(text).unwrap()
}

fn caller(scopes: &str, user: Option<&str>, patient: Option<&str>) -> Arc<Caller> {
    Arc::new(Caller {
        issuer: "https://issuer.example".to_owned(),
        subject: "s".to_owned(),
        client: "c".to_owned(),
        user: user.map(key),
        organization: None,
        scopes: Scopes::parse(scopes),
        patient: patient.map(id),
        encounter: None,
        purposes: Vec::new(),
        acr: None,
        token_id: None,
        expires: Instant(0),
        sign_in: crate::access::SignIn::default(),
    })
}

fn query(types: &[ResourceType]) -> Box<SearchQuery> {
    Box::new(SearchQuery {
        contained: None,
        types: types.to_vec(),
        compartment: None,
        criteria: Vec::new(),
        shape: ResultShape::default(),
        rendering: Rendering::default(),
        applied: Vec::new(),
        ignored: Vec::new(),
    })
}

fn history(scope: HistoryScope) -> Interaction {
    Interaction::History(HistoryQuery { scope, count: None, since: None, at: None, rendering: Rendering::default() })
}

fn read(text: &str) -> Interaction {
    Interaction::Read(key(text), ReadConditions::default())
}

/// Every interaction on Observation, with the letters that it takes.
fn interactions() -> Vec<(&'static str, Interaction, &'static str)> {
    let one = || key("Observation/o");
    let none = WriteCondition::None;
    vec![
        ("read", read("Observation/o"), "r"),
        ("vread", Interaction::Vread(one(), Version(1)), "r"),
        ("history-instance", history(HistoryScope::Instance(one())), "r"),
        ("history-type", history(HistoryScope::Type(Observation)), "s"),
        ("history-system", history(HistoryScope::System), "s"),
        ("search-type", Interaction::Search(query(&[Observation])), "s"),
        ("search-system", Interaction::Search(query(&[])), "s"),
        ("create", Interaction::Create(Observation, None), "c"),
        ("create if none exist", Interaction::Create(Observation, Some(query(&[Observation]))), "cs"),
        ("update", Interaction::Update(one(), none), "u"),
        ("conditional update", Interaction::ConditionalUpdate(query(&[Observation]), none), "us"),
        ("patch", Interaction::Patch(one(), none), "u"),
        ("conditional patch", Interaction::ConditionalPatch(query(&[Observation]), none), "us"),
        ("delete", Interaction::Delete(one(), none), "d"),
        ("conditional delete", Interaction::ConditionalDelete(query(&[Observation])), "ds"),
    ]
}

#[test]
fn each_interaction_takes_exactly_its_letters() {
    for bits in 1_u32..32 {
        let letters: String =
            "cruds".chars().enumerate().filter(|(at, _)| bits & (1 << at) != 0).map(|(_, letter)| letter).collect();
        let caller = caller(&format!("system/Observation.{letters}"), None, None);
        for (name, interaction, takes) in interactions() {
            let enough = takes.chars().all(|letter| letters.contains(letter));
            assert_eq!(authorize(&caller, interaction).is_ok(), enough, "{name} with {letters}");
        }
    }
}

#[test]
fn what_is_missing_is_named() {
    let missing = |caller: Arc<Caller>, interaction| match authorize(&caller, interaction) {
        Err(Refusal::ScopeMissing { needed }) => needed,
        other => panic!("{other:?}"),
    };
    assert_eq!(missing(caller("", None, None), read("Observation/o")), "system/Observation.r");
    assert_eq!(
        missing(caller("openid", Some("Practitioner/a"), None), Interaction::Create(Observation, None)),
        "user/Observation.c"
    );
    assert_eq!(missing(caller("", None, Some("p1")), Interaction::Search(query(&[]))), "patient/*.s");
    let creates_only = caller("system/Observation.c", None, None);
    assert_eq!(missing(creates_only, Interaction::Create(Observation, Some(query(&[Observation])))), "system/Observation.s");
}

#[test]
fn a_search_that_names_types_needs_each_of_them() {
    let caller = caller("system/Observation.rs", None, None);
    assert!(authorize(&caller, Interaction::Search(query(&[Observation, Patient]))).is_err());
    let permit = authorize(&caller, Interaction::Search(query(&[]))).unwrap();
    assert_eq!(permit.types(Need::Search), [Observation]);
    assert!(permit.types(Need::Create).is_empty());
}

#[test]
fn everybody_may_ask_for_capabilities_and_a_bundle_or_page_needs_some_grant() {
    let nobody = caller("openid", None, None);
    assert!(authorize(&nobody, Interaction::Capabilities).is_ok());
    assert!(authorize(&nobody, Interaction::Bundle).is_err());
    assert!(authorize(&nobody, Interaction::Page(String::new())).is_err());
    assert!(authorize(&caller("system/Observation.c", None, None), Interaction::Bundle).is_ok());
    assert!(authorize(&caller("system/Observation.c", None, None), Interaction::Page(String::new())).is_err());
    assert!(authorize(&caller("system/Observation.r", None, None), Interaction::Page(String::new())).is_ok());
}

#[test]
fn a_conditional_write_without_a_type_asks_for_every_type() {
    let caller = caller("system/Observation.cruds", None, None);
    assert!(authorize(&caller, Interaction::ConditionalDelete(query(&[]))).is_err());
}

fn any(caller: &Arc<Caller>) -> Permit {
    authorize(caller, Interaction::Capabilities).unwrap()
}

fn admits(permit: &Permit, need: Need, record: &str, patients: &[&str]) -> bool {
    permit.admits(need, &Look::new(&facts(record, patients), &Vec::new))
}

fn writes(permit: &Permit, need: Need, record: &str, patients: &[&str]) -> bool {
    may_write(permit, need, &Look::new(&facts(record, patients), &Vec::new)).is_ok()
}

fn facts(record: &str, patients: &[&str]) -> Facts {
    let patients = patients.iter().map(|text| id(text)).collect();
    Facts {
        key: key(record),
        version: Version::FIRST,
        updated: Instant(0),
        deleted: false,
        patients,
        marks: crate::fhir::Marks::default(),
    }
}

#[test]
fn a_patient_scope_opens_one_compartment_and_nothing_without_a_patient() {
    let permit = any(&caller("patient/*.rs", None, Some("p1")));
    assert!(admits(&permit, Need::Read, "Observation/o", &["p1"]));
    assert!(admits(&permit, Need::Read, "Observation/o", &["p1", "p2"]), "consent decides about the other patient");
    assert!(!admits(&permit, Need::Read, "Observation/o", &["p2"]));
    assert!(!admits(&permit, Need::Read, "Observation/o", &[]));
    let lost = caller("patient/*.rs", Some("Practitioner/a"), None);
    assert!(authorize(&lost, read("Observation/o")).is_err());
    assert!(any(&lost).types(Need::Read).is_empty());
}

#[test]
fn a_link_between_patients_never_extends_a_token() {
    let permit = any(&caller("patient/*.cruds", None, Some("p1")));
    assert!(admits(&permit, Need::Read, "Patient/p1", &["p1"]));
    assert!(!admits(&permit, Need::Read, "Patient/p2", &["p1", "p2"]));
    assert!(!writes(&permit, Need::Update, "Patient/p2", &["p1"]));
    assert!(!writes(&permit, Need::Create, "Patient/p9", &["p9"]));
}

#[test]
fn a_confined_caller_reads_what_belongs_to_nobody_and_writes_none_of_it() {
    let permit = any(&caller("patient/*.cruds", None, Some("p1")));
    assert!(admits(&permit, Need::Read, "Organization/x", &[]));
    assert!(!admits(&permit, Need::Read, "Organization/x", &["p2"]));
    assert!(!admits(&permit, Need::Read, "Device/d", &[]), "a type that is not listed as shared opens by its patient alone");
    assert!(!writes(&permit, Need::Update, "Organization/x", &[]));
    let confined = caller("patient/*.cruds", None, Some("p1"));
    assert!(authorize(&confined, Interaction::Delete(key("Organization/x"), WriteCondition::None)).is_err());
}

#[test]
fn new_content_names_the_patient_in_context_and_no_other() {
    let permit = any(&caller("patient/*.cruds", None, Some("p1")));
    assert!(writes(&permit, Need::Create, "Observation/o", &["p1"]));
    for patients in [&["p1", "p2"] as &[&str], &["p2"], &[]] {
        assert!(!writes(&permit, Need::Create, "Observation/o", patients), "{patients:?}");
    }
    let laboratory = any(&caller("system/Observation.c", None, None));
    assert!(writes(&laboratory, Need::Create, "Observation/o", &["p1", "p2"]));
    assert!(!writes(&laboratory, Need::Update, "Observation/o", &["p1"]));
}

#[test]
fn the_trail_and_a_clinicians_consents_are_granted_by_name_only() {
    for scope in ["system/*.cruds", "system/*.*"] {
        assert!(authorize(&caller(scope, None, None), Interaction::Search(query(&[AuditEvent]))).is_err());
    }
    assert!(authorize(&caller("system/AuditEvent.rs", None, None), Interaction::Search(query(&[AuditEvent]))).is_ok());
    let files = |scopes: &str, user: Option<&str>| {
        authorize(&caller(scopes, user, Some("p1")), Interaction::Create(Consent, None)).is_ok()
    };
    assert!(!files("user/*.cruds patient/*.cruds", Some("Practitioner/a")));
    assert!(files("user/Consent.cu", Some("Practitioner/a")));
    assert!(files("patient/*.cruds", Some("Patient/p1")));
    assert!(files("system/*.cruds", None));
}

fn granular(level: Level, records: &[&str]) -> Grant {
    let constraint = Arc::from([Criterion::Id(records.iter().map(|text| id(text)).collect())]);
    Grant {
        level,
        resource_type: Some(Observation),
        needs: vec![Need::Read, Need::Search],
        constraint,
        text: String::new(),
        form: Form::V2,
    }
}

fn with(grants: Vec<Grant>, user: Option<&str>, patient: Option<&str>) -> Permit {
    let mut caller = caller("", user, patient);
    Arc::get_mut(&mut caller).unwrap().scopes.grants = grants;
    any(&caller)
}

#[test]
fn granular_scopes_add_up_and_a_whole_one_swallows_them() {
    let two = with(vec![granular(Level::Patient, &["a"]), granular(Level::Patient, &["b"])], None, Some("p1"));
    for (record, shown) in [("Observation/a", true), ("Observation/b", true), ("Observation/c", false)] {
        assert_eq!(admits(&two, Need::Search, record, &["p1"]), shown, "{record}");
    }
    assert!(!admits(&two, Need::Search, "Observation/a", &["p2"]));
    let whole = Grant { constraint: Arc::from([]), ..granular(Level::Patient, &[]) };
    let swallowed = with(vec![granular(Level::Patient, &["a"]), whole], None, Some("p1"));
    assert_eq!(format!("{:?}", swallowed.rows(Observation, Need::Read)), "Patient(Id(\"p1\"))");
}

#[test]
fn a_granular_scope_of_another_level_keeps_its_own_reach() {
    let whole = Grant { constraint: Arc::from([]), ..granular(Level::Patient, &[]) };
    let permit = with(vec![whole, granular(Level::User, &["b"])], Some("Practitioner/a"), Some("p1"));
    assert!(admits(&permit, Need::Read, "Observation/b", &["p2"]));
    assert!(!admits(&permit, Need::Read, "Observation/c", &["p2"]));
    assert!(admits(&permit, Need::Read, "Observation/c", &["p1"]));
}

#[test]
fn who_may_do_what() {
    let callers = [
        ("hospital", caller("system/*.cruds", None, None)),
        ("laboratory", caller("system/Observation.c", None, None)),
        ("auditor", caller("system/AuditEvent.rs", None, None)),
        ("clinician", caller("user/*.cruds", Some("Practitioner/a"), None)),
        ("clinician in context", caller("patient/*.rs", Some("Practitioner/a"), Some("p1"))),
        ("patient", caller("patient/*.rs user/*.cruds", Some("Patient/p1"), Some("p1"))),
        ("patient, user scope", caller("user/*.rs", Some("Patient/p1"), None)),
        ("relative, no context", caller("user/*.rs patient/*.rs", Some("RelatedPerson/r"), None)),
        ("relative of p1", caller("user/*.rs", Some("RelatedPerson/r"), Some("p1"))),
        ("system scope, user", caller("system/*.cruds", Some("Practitioner/a"), None)),
        ("sign-in only", caller("openid fhirUser launch/patient", Some("Patient/p1"), Some("p1"))),
    ];
    let rows = [(Observation, "p1"), (Observation, "p2"), (Organization, ""), (Device, ""), (Consent, "p1"), (AuditEvent, "p1")];
    let mut table = String::new();
    for (name, caller) in &callers {
        write!(table, "{name:<21}").unwrap();
        let permit = any(caller);
        for (resource_type, patient) in rows {
            let patients: Vec<&str> = Some(patient).filter(|one| !one.is_empty()).into_iter().collect();
            let record = format!("{resource_type}/x");
            let allowed = |need: Need| match need {
                Need::Create | Need::Update => writes(&permit, need, &record, &patients),
                _ => admits(&permit, need, &record, &patients),
            };
            let needs = [Need::Create, Need::Read, Need::Update, Need::Delete, Need::Search];
            let letters: String = needs.iter().map(|&need| if allowed(need) { need.letter() } else { '-' }).collect();
            write!(table, " {letters}").unwrap();
        }
        table.push('\n');
    }
    let expected = "\
hospital              cruds cruds cruds cruds cruds -----
laboratory            c---- c---- ----- ----- ----- -----
auditor               ----- ----- ----- ----- ----- -r--s
clinician             cruds cruds cruds cruds -r--s -----
clinician in context  -r--s ----- -r--s ----- -r--s -----
patient               cruds ----- -r--s ----- cruds -----
patient, user scope   -r--s ----- -r--s ----- -r--s -----
relative, no context  ----- ----- ----- ----- ----- -----
relative of p1        -r--s ----- -r--s ----- -r--s -----
system scope, user    ----- ----- ----- ----- ----- -----
sign-in only          ----- ----- ----- ----- ----- -----
";
    assert_eq!(
        table, expected,
        "columns: Observation of p1, of p2, Organization, Device, Consent of p1, AuditEvent of p1\n{table}"
    );
}

const POOL: [&str; 12] = [
    "patient/*.rs",
    "patient/Observation.cruds",
    "patient/Observation.r",
    "patient/Patient.rs",
    "user/*.read",
    "user/Observation.write",
    "user/Consent.cu",
    "system/*.cruds",
    "system/AuditEvent.rs",
    "patient/Observation.rs?category=laboratory",
    "patient/Observation.sr",
    "openid",
];

proptest! {
    #[test]
    fn a_grant_more_never_narrows(
        held in prop::sample::subsequence(POOL.to_vec(), 0..POOL.len()),
        more in prop::sample::select(POOL.to_vec()),
        user in prop::sample::select(vec![None, Some("Practitioner/a"), Some("Patient/p1"), Some("RelatedPerson/r")]),
        context in prop::sample::select(vec![None, Some("p1")]),
        record in prop::sample::select(vec!["Observation/o", "Patient/p1", "Organization/x", "Consent/c", "AuditEvent/a"]),
        patients in prop::sample::subsequence(vec!["p1", "p2"], 0..=2),
        need in prop::sample::select(vec![Need::Create, Need::Read, Need::Update, Need::Delete, Need::Search]),
    ) {
        let before = any(&caller(&held.join(" "), user, context));
        let after = any(&caller(&format!("{} {more}", held.join(" ")), user, context));
        prop_assert!(!admits(&before, need, record, &patients) || admits(&after, need, record, &patients));
        prop_assert!(!writes(&before, need, record, &patients) || writes(&after, need, record, &patients));
    }
}

#[path = "corpus_tests.rs"]
mod corpus;
