//! The trail as FHIR shows it: one event of each kind, against the table of the patterns and against the IHE profiles themselves.

mod conformance;

use super::samples::{person, read, system, touched};
use super::{Agent, Decided, Entry, Event, Site, audit_events};
use crate::fhir::{Id, Instant, Key, Outcome, Refusal};
use conformance::{Conformance, corpora};
use serde_json::Value;
use std::io::Read as _;

fn site() -> Site {
    Site::new("n1", "https://localhost:8443/fhir", "amanat", Some("demo")).unwrap()
}

fn shown(entry: &Entry) -> Vec<Value> {
    audit_events(7, entry, &site()).iter().map(|(_, text)| serde_json::from_str(text).unwrap()).collect()
}

fn event(code: &'static str, agent: Agent, patients: &[&str]) -> Entry {
    let patients = patients.iter().map(|id| Id::parse(id).unwrap());
    let entry = Entry::concluded(Event::Rest(code), agent, Instant(1_767_323_045_678), "req-1").concerning(patients);
    match code {
        "read" | "vread" | "create" | "update" | "patch" | "delete" => entry.touching([touched("Observation/o1", Some(3))]),
        _ => entry.asking("GET Observation?code=1-1"),
    }
}

/// One of each kind, by a person and by a system, with and without patient, successful.
fn golden() -> Vec<Entry> {
    let mut entries = Vec::new();
    for &code in Event::REST {
        for agent in [person(), system()] {
            entries.push(event(code, agent.clone(), &["p1"]));
            entries.push(event(code, Agent { organization: Some("https://h|1".into()), ..agent }, &[]));
        }
    }
    let worded = Event::WORDED.iter().flat_map(|(of, words)| words.iter().map(|word| of(word)));
    let other = worded.filter(|event| !matches!(event, Event::Rest(_)));
    for kind in other.chain([Event::Token, Event::Start, Event::Stop]) {
        for patient in [None, Id::parse("p1")] {
            let entry = Entry::concluded(kind.clone(), system(), Instant(0), "req-1").concerning(patient);
            entries.push(entry.asking("POST token grant_type=client_credentials"));
        }
    }
    let decided = Decided { patient: Id::parse("p1").unwrap(), consents: vec![Key::parse("Consent/c1").unwrap()] };
    for agent in [person(), system(), Agent { organization: Some("Organization/h1".into()), ..person() }] {
        entries.push(Entry { decided: vec![decided.clone()], ..event("read", agent, &["p1"]) });
    }
    let agent = Agent { organization: Some("Organization/h1".into()), ..person() };
    let token = Entry::concluded(Event::Token, agent, Instant(0), "req-1").concerning(Id::parse("p1"));
    entries.push(token.asking("POST token grant_type=authorization_code"));
    entries
}

fn coded<'v>(element: &'v Value, code: &str) -> Option<&'v Value> {
    let has = |item: &&Value| item["type"]["coding"].as_array().is_some_and(|all| all.iter().any(|one| one["code"] == code));
    element.as_array()?.iter().find(has)
}

fn entity_of<'v>(event: &'v Value, kind: &str) -> Option<&'v Value> {
    event["entity"].as_array()?.iter().find(|entity| entity["type"]["code"] == kind)
}

#[test]
fn interactions_follow_the_table_of_patterns() {
    for (code, action, client, server) in [
        ("read", "R", "110152", "110153"),
        ("vread", "R", "110152", "110153"),
        ("search-type", "E", "110153", "110152"),
        ("search-system", "E", "110153", "110152"),
        ("create", "C", "110153", "110152"),
        ("update", "U", "110153", "110152"),
        ("patch", "U", "110153", "110152"),
        ("delete", "D", "110150", "custodian"),
        ("history-type", "E", "110153", "110152"),
        ("transaction", "E", "110153", "110152"),
        ("operation", "E", "110153", "110152"),
    ] {
        let events = shown(&event(code, person(), &["p1"]));
        let [event] = events.as_slice() else { panic!("one event for one patient") };
        assert_eq!((&event["type"]["code"], &event["subtype"][0]["code"]), (&"rest".into(), &code.into()));
        assert_eq!((&event["action"], &event["outcome"]), (&action.into(), &"0".into()), "{code}");
        assert_eq!(coded(&event["agent"], client).unwrap()["network"]["address"], "192.0.2.7", "{code}");
        assert_eq!(coded(&event["agent"], server).unwrap()["network"]["type"], "5", "{code}");
        assert!(coded(&event["agent"], "IRCP").is_some_and(|user| user["network"].is_null()), "{code}");
        assert_eq!(entity_of(event, "1").unwrap()["what"]["reference"], "Patient/p1");
        assert_eq!(entity_of(event, "XrequestId").unwrap()["what"]["identifier"]["value"], "req-1");
    }
}

#[test]
fn a_person_or_a_system_is_the_requestor_and_never_both() {
    for entry in golden() {
        for event in shown(&entry) {
            let requestors = event["agent"].as_array().unwrap().iter().filter(|agent| agent["requestor"] == true).count();
            assert_eq!(requestors, 1, "{event}");
        }
    }
    let event = &shown(&event("read", person(), &[]))[0];
    assert_eq!(coded(&event["agent"], "IRCP").unwrap()["who"]["reference"], "Practitioner/d1");
    assert_eq!(coded(&event["agent"], "IRCP").unwrap()["purposeOfUse"][0]["coding"][0]["code"], "TREAT");
    assert_eq!(coded(&event["agent"], "IRCP").unwrap()["policy"][0], "urn:ietf:params:oauth:jti:jti-1");
}

#[test]
fn each_patient_has_an_event_of_their_own_that_names_no_other() {
    let entry = event("search-type", system(), &["p1", "p2", "p3"]);
    let events = audit_events(7, &entry, &site());
    let ids: Vec<_> = events.iter().map(|(id, _)| id.as_str()).collect();
    assert_eq!(ids, ["n1-7-0", "n1-7-1", "n1-7-2"]);
    for (nth, (id, text)) in events.iter().enumerate() {
        assert_eq!(site().place(id), Some((7, nth)));
        let named = ["p1", "p2", "p3"].iter().filter(|patient| text.contains(&format!("Patient/{patient}"))).count();
        assert_eq!(named, 1);
    }
    assert_eq!(audit_events(7, &event("search-type", system(), &[]), &site()).len(), 1);
}

#[test]
fn ids_of_other_forms_name_no_place() {
    for bad in ["n1-7", "n1-07-0", "n2-7-0", "n1-7-0-1", "n1--7-0", "n1-0-0", "x"] {
        assert_eq!(site().place(&Id::parse(bad).unwrap()), None, "{bad}");
    }
    assert!(Site::new("", "b", "o", None).is_none() && Site::new(&"n".repeat(21), "b", "o", None).is_none());
    let longest = Site::new(&"n".repeat(20), "b", "o", None).unwrap();
    assert_eq!(audit_events(i64::MAX, &read("p1"), &longest).len(), 1);
}

#[test]
fn a_refusal_tells_outcome_and_reason_and_claims_no_pattern_of_success() {
    let refused = Entry::refused(Event::Rest("read"), system(), Instant(0), "r", &Refusal::NotFound).because("consent:implicit");
    let event = &shown(&refused.touching([touched("Observation/o1", None)]))[0];
    assert_eq!((&event["outcome"], &event["outcomeDesc"]), (&"4".into(), &"consent:implicit".into()));
    let claimed = event["meta"]["profile"].as_array().unwrap();
    assert!(claimed.iter().all(|profile| profile.as_str().unwrap().ends_with("OAUTHaccessTokenUse.Comprehensive")));

    let nobody = Entry::refused(Event::Rest("read"), Agent::unknown("::1"), Instant(0), "r", &Refusal::TokenMissing);
    let event = &shown(&nobody)[0];
    assert_eq!((&event["outcome"], &event["outcomeDesc"]), (&"8".into(), &"token:missing".into()));
    assert!(event["meta"]["profile"].is_null());
    assert_eq!(event["agent"][0]["who"]["display"], "unknown client");
}

#[test]
fn a_query_is_kept_in_base64() {
    let event = &shown(&event("search-type", system(), &[]))[0];
    let query = entity_of(event, "2").unwrap();
    assert_eq!((&query["query"], &query["what"]), (&"R0VUIE9ic2VydmF0aW9uP2NvZGU9MS0x".into(), &Value::Null));
}

#[test]
fn moments_are_written_to_the_millisecond_in_utc() {
    let entry = Entry { recorded: Instant(1_767_323_045_600), ..read("p1") };
    assert_eq!(shown(&entry)[0]["recorded"], "2026-01-02T03:04:05.600Z");
}

#[test]
fn the_examples_of_the_profiles_pass_the_same_checks() {
    let Some(conformance) = Conformance::load() else { return };
    let Some(examples) = corpora("ihe-balp-auditevents/resources.ndjson.gz") else { return };
    let mut text = String::new();
    flate2::read::GzDecoder::new(examples.as_slice()).read_to_string(&mut text).unwrap();
    let events = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let mut checked = 0;
    for event in events.filter(|resource| resource["resourceType"] == "AuditEvent") {
        assert_eq!(conformance.problems(&event), Vec::<String>::new(), "{}", event["id"]);
        checked += 1;
    }
    assert_eq!(checked, 18);
}

#[test]
fn the_checks_find_what_is_wrong() {
    let Some(conformance) = Conformance::load() else { return };
    let right = shown(&event("read", person(), &["p1"])).remove(0);
    let damages: [fn(&mut Value); 6] = [
        |event| event["action"] = "E".into(),
        |event| event["outcome"] = "4".into(),
        |event| drop(event["agent"].as_array_mut().unwrap().remove(0)),
        |event| drop(event["agent"][0].as_object_mut().unwrap().remove("network")),
        |event| drop(event["entity"].as_array_mut().unwrap().remove(0)),
        |event| event["entity"][1]["role"]["code"] = "2".into(),
    ];
    for damage in damages {
        let mut wrong = right.clone();
        damage(&mut wrong);
        assert_ne!(conformance.problems(&wrong), Vec::<String>::new());
    }
}

#[test]
fn every_event_conforms_to_each_profile_that_it_claims() {
    let Some(conformance) = Conformance::load() else { return };
    let mut claimed = std::collections::BTreeSet::new();
    for entry in golden() {
        for event in shown(&entry) {
            assert_eq!(conformance.problems(&event), Vec::<String>::new(), "{event:#}");
            claimed.extend(event["meta"]["profile"].as_array().into_iter().flatten().map(ToString::to_string));
        }
    }
    // Create, Read, Update, Delete, Query, each also for a patient; token use; token request; consent decision; disclosure, twice.
    assert_eq!(claimed.len(), 15, "{claimed:?}");
}

#[test]
fn success_on_one_record_always_claims_its_pattern() {
    for entry in golden().iter().filter(|entry| entry.outcome == Outcome::Success) {
        let Event::Rest(code) = entry.event else { continue };
        let covered = !matches!(code, "capabilities" | "operation" | "batch" | "transaction") && !code.starts_with("history");
        let profiles = shown(entry)[0]["meta"]["profile"].as_array().map_or(0, Vec::len);
        assert_eq!(profiles, if covered { 2 } else { 1 }, "{code}");
    }
}

#[test]
fn a_decision_by_consent_is_an_event_of_its_own_with_nothing_else_in_it() {
    let decided = |patient: &str, consents: &[&str]| Decided {
        patient: Id::parse(patient).unwrap(),
        consents: consents.iter().map(|key| Key::parse(key).unwrap()).collect(),
    };
    let decided = vec![decided("p1", &["Consent/c1", "Consent/c2"]), decided("p2", &["Consent/c3"])];
    let entry = Entry { decided, ..event("search-type", system(), &["p1", "p2", "p3"]) };
    let events = audit_events(7, &entry, &site());
    let ids: Vec<_> = events.iter().map(|(id, _)| id.as_str()).collect();
    assert_eq!(ids, ["n1-7-0", "n1-7-1", "n1-7-2", "n1-7-3", "n1-7-4"]);
    let first: Value = serde_json::from_str(&events[3].1).unwrap();
    assert_eq!((&first["type"]["code"], &first["subtype"][0]["code"]), (&"110113".into(), &"AuthZ-Consent".into()));
    let kinds: Vec<&str> = first["entity"].as_array().unwrap().iter().map(|one| one["type"]["code"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["1", "Consent", "Consent", "UserOauthAgent"], "the set is closed");
    assert_eq!(first["entity"][3]["what"]["identifier"]["value"], "urn:ietf:params:oauth:jti:jti-1");
    let user = coded(&first["agent"], "IRCP").unwrap();
    assert_eq!(user["who"]["identifier"]["value"], "app", "a system that acts alone is named by its client");
    assert_eq!(coded(&first["agent"], "authserver").unwrap()["who"], first["source"]["observer"]);
}

#[test]
fn administration_has_the_codes_of_dicom() {
    for (kind, of_type, subtype) in [
        (Event::Registry("role-changed"), "110113", "110136"),
        (Event::Registry("client-added"), "110113", "110137"),
        (Event::Policy("label-rules-changed"), "110113", "110129"),
        (Event::Software("updated"), "110113", "110131"),
        (Event::Recording("stopped"), "110113", "110133"),
        (Event::Recording("started"), "110113", "110134"),
        (Event::Data("backup"), "110113", "110135"),
        (Event::SignOn("login"), "110114", "110122"),
        (Event::SignOn("logout"), "110114", "110123"),
        (Event::Disclosure("source"), "110106", "disclose"),
        (Event::Disclosure("recipient"), "110107", "disclose"),
    ] {
        let event = &shown(&Entry::concluded(kind.clone(), system(), Instant(0), "r"))[0];
        assert_eq!((&event["type"]["code"], &event["subtype"][0]["code"]), (&of_type.into(), &subtype.into()), "{kind:?}");
    }
    for (kind, of_type) in [(Event::TrailUse("read"), "110101"), (Event::Export("download"), "110106")] {
        assert_eq!(shown(&Entry::concluded(kind, system(), Instant(0), "r"))[0]["type"]["code"], of_type);
    }
}
