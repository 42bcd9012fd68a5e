use super::{Form, Grant, Level, Scopes};
use crate::fhir::{Need, ResourceType};

fn text(scopes: &Scopes) -> String {
    scopes.to_text()
}

fn both(asked: &str, allowed: &str) -> String {
    text(&Scopes::parse(asked).intersect(&Scopes::parse(allowed)))
}

fn corpus() -> Option<serde_json::Value> {
    let root =
        std::env::var("AMANAT_CORPORA").unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/corpora").to_owned());
    if let Ok(bytes) = std::fs::read(format!("{root}/smart-scopes/cases.json")) {
        Some(serde_json::from_slice(&bytes).unwrap())
    } else {
        println!("skipped: no corpora at {root}");
        None
    }
}

#[test]
fn every_scope_of_the_corpus_grants_exactly_what_it_says() {
    let Some(corpus) = corpus() else { return };
    for case in corpus["parse"].as_array().unwrap() {
        let scope = case["scope"].as_str().unwrap();
        let parsed = Scopes::parse(scope);
        match case["class"].as_str().unwrap() {
            "resource" => {
                let [grant] = parsed.grants.as_slice() else { panic!("{scope}: {:?}", parsed.grants) };
                assert_eq!(grant.level.name(), case["ctx"], "{scope}");
                assert_eq!(grant.resource_type.map_or("*", ResourceType::name), case["type"], "{scope}");
                assert_eq!(grant.needs.iter().map(|need| need.letter()).collect::<String>(), case["perms"], "{scope}");
                assert_eq!(grant.constraint.len(), case["query"].as_object().map_or(0, serde_json::Map::len), "{scope}");
                assert_eq!(text(&parsed), scope, "what was asked comes back in the form of the asking");
            }
            "context" => assert_eq!(parsed.contexts, [scope]),
            "must-not-grant" | "support-or-refuse" => assert!(parsed.grants.is_empty(), "{scope}: {:?}", parsed.grants),
            other => panic!("unknown class {other}"),
        }
    }
}

#[test]
fn the_negotiations_of_the_corpus_end_as_they_should() {
    let Some(corpus) = corpus() else { return };
    for case in corpus["negotiation"].as_array().unwrap() {
        if let Some(requested) = case["requested"].as_str() {
            assert_eq!(both(requested, "system/*.rs"), case["negotiatedForExport"].as_str().unwrap(), "{requested}");
            continue;
        }
        let (granted, select) = (case["granted"].as_str().unwrap(), case["select"].as_str().unwrap());
        let expect = case["expect"].as_str().unwrap();
        let given = Scopes::parse(select).intersect(&Scopes::parse(granted));
        let refused = expect.starts_with("refused");
        assert_eq!(given.grants.is_empty(), refused, "{select} of {granted}: {expect}");
    }
}

#[test]
fn every_set_of_letters_in_order_is_read_and_no_other() {
    let letters = ['c', 'r', 'u', 'd', 's'];
    for bits in 0_u32..32 {
        let inside = |at: &usize| bits & (1 << at) != 0;
        let word: String = (0..5).filter(inside).map(|at| letters[at]).collect();
        let grant = Grant::parse(&format!("system/Observation.{word}"));
        assert_eq!(grant.is_some(), bits != 0, "{word:?}");
        let reversed: String = word.chars().rev().collect();
        if reversed != word {
            assert!(Grant::parse(&format!("system/Observation.{reversed}")).is_none(), "{reversed}");
        }
    }
}

#[test]
fn only_the_plain_space_separates_scopes() {
    for scopes in
        ["system/Patient.r\tsystem/Patient.s", "system/Patient.r\u{a0}system/Patient.s", "system/Patient.r\nsystem/Patient.s"]
    {
        assert!(Scopes::parse(scopes).grants.is_empty(), "{scopes:?}");
    }
    let parsed = Scopes::parse("  system/Patient.r   openid system/Patient.r ");
    assert_eq!(text(&parsed), "openid system/Patient.r");
}

#[test]
fn a_constraint_that_is_empty_broken_or_behind_a_star_grants_nothing() {
    for scope in [
        "patient/Observation.rs?",
        "patient/Observation.rs?category",
        "patient/Observation.rs?category=",
        "patient/Observation.rs?&category=laboratory",
        "patient/Observation.rs?category=laboratory&&status=final",
        "patient/Observation.rs?category.text=x",
        "patient/Observation.rs?_id=1",
        "patient/*.rs?category=laboratory",
        "patient/Observation.read?category=laboratory",
    ] {
        assert!(Scopes::parse(scope).grants.is_empty(), "{scope}");
    }
}

#[test]
fn first_generation_words_stand_for_letters_and_come_back_as_words() {
    let parsed = Scopes::parse("user/*.read user/Observation.write patient/*.*");
    let needs = |at: usize| parsed.grants[at].needs.clone();
    assert_eq!(needs(0), [Need::Read, Need::Search]);
    assert_eq!(needs(1), [Need::Create, Need::Update, Need::Delete]);
    assert_eq!(needs(2).len(), 5);
    assert!(parsed.grants.iter().all(|grant| grant.form == Form::V1 && grant.level != Level::System));
    assert_eq!(text(&parsed), "user/*.read user/Observation.write patient/*.*");
}

#[test]
fn intersection_cuts_to_what_both_have() {
    for (asked, allowed, given) in [
        ("system/*.cruds", "system/Patient.rs system/Observation.cruds", "system/Patient.rs system/Observation.cruds"),
        ("system/Observation.cruds", "system/*.rs", "system/Observation.rs"),
        ("system/Observation.*", "system/*.rs", "system/Observation.read"),
        ("system/Observation.*", "system/*.r", "system/Observation.r"),
        ("system/Observation.rs", "system/Observation.r system/Observation.s", "system/Observation.rs"),
        ("patient/Observation.rs", "user/Observation.rs system/*.cruds", ""),
        ("patient/Observation.rs", "patient/Observation.rs?category=laboratory", "patient/Observation.rs?category=laboratory"),
        ("patient/Observation.rs?category=laboratory", "patient/*.rs", "patient/Observation.rs?category=laboratory"),
        (
            "patient/Observation.rs?category=laboratory&status=final",
            "patient/Observation.rs?status=final",
            "patient/Observation.rs?category=laboratory&status=final",
        ),
        ("patient/Observation.rs?category=laboratory", "patient/Observation.rs?category=survey", ""),
        ("openid launch/patient offline_access", "openid launch/patient", "openid launch/patient"),
        ("system/*.rs system/Observation.rs", "system/*.rs", "system/*.rs"),
        ("system/AuditEvent.rs", "system/*.cruds", ""),
        ("system/*.rs", "system/*.cruds system/AuditEvent.rs", "system/*.rs"),
        ("system/*.rs system/AuditEvent.rs", "system/*.rs system/AuditEvent.rs", "system/*.rs system/AuditEvent.rs"),
        ("user/Consent.cruds", "user/*.cruds", "user/Consent.rs"),
        ("user/*.cruds user/Consent.cruds", "user/*.cruds user/Consent.cruds", "user/*.cruds user/Consent.cruds"),
        ("system/Consent.cruds", "system/*.cruds", "system/Consent.cruds"),
    ] {
        assert_eq!(both(asked, allowed), given, "{asked} of {allowed}");
    }
}

#[test]
fn the_text_of_an_intersection_reads_back_as_itself() {
    for (asked, allowed) in [("system/*.* openid", "system/Patient.rs system/*.s openid"), ("user/*.read", "user/Patient.r")] {
        let given = Scopes::parse(asked).intersect(&Scopes::parse(allowed));
        assert_eq!(text(&Scopes::parse(&given.text)), given.text);
    }
}
