use super::json::Json;
use super::{Context, Matter, map};
use crate::fhir::Instant;
use crate::lab::tables::{Sender, Tables};
use crate::lab::v2::{Fault, FaultKind, Message};
use crate::lab::{Namer, Plan};
use jiff::tz::TimeZone;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::sync::Arc;

pub(super) fn context() -> Context {
    Context {
        tables: Arc::new(Tables::built_in().unwrap()),
        sender: Sender::default(),
        zone: TimeZone::get("Asia/Karachi").unwrap(),
        namer: Namer::new(b"k", "c"),
        message: "m1".to_owned(),
        replay: 0,
        received: Instant(0),
    }
}

pub(super) fn plan(text: &str) -> Result<Plan, Vec<Fault>> {
    let setting = context();
    let message = Message::parse(text).unwrap();
    let subjects: Vec<String> = message.all("PID").enumerate().map(|(at, _)| format!("Patient/p{at}")).collect();
    map(&message, &subjects, &setting)
}

pub(super) const HEAD: &str = "MSH|^~\\&|LAB|CITY|||20260501||ORU^R01|c|P|2.5\rPID|1||1\r";

pub(super) fn records(text: &str, of: &str) -> Vec<Value> {
    let plan = plan(text).unwrap();
    let all = plan.records.iter().map(|record| serde_json::from_str::<Value>(&record.content.to_string()).unwrap());
    all.filter(|one| one["resourceType"] == of).collect()
}

fn observation(obx: &str) -> Value {
    let found = records(&format!("{HEAD}OBR|1|P1|F1|T^Test^L|||20260501\r{obx}\r"), "Observation");
    assert_eq!(found.len(), 1, "{found:?}");
    found[0].clone()
}

#[test]
fn every_type_of_value_has_its_place() {
    let quantity =
        |value: Value| json!({"value": value, "unit": "mg/dL", "system": "http://unitsofmeasure.org", "code": "mg/dL"});
    let with = |comparator: &str| json!({"value": 5, "comparator": comparator, "unit": "mg/dL", "system": "http://unitsofmeasure.org", "code": "mg/dL"});
    let coding =
        json!({"coding": [{"system": "http://snomed.info/sct", "code": "10828004", "display": "Positive"}], "text": "Positive"});
    for (kind, value, name, told) in [
        ("NM", "5", "valueQuantity", quantity(json!(5))),
        ("NM", "<5", "valueQuantity", with("<")),
        ("NM", "about five", "valueString", json!("about five")),
        ("SN", ">=^5", "valueQuantity", with(">=")),
        ("SN", "^1^:^128", "valueRatio", json!({"numerator": quantity(json!(1)), "denominator": quantity(json!(128))})),
        ("SN", "^2^-^4", "valueRange", json!({"low": quantity(json!(2)), "high": quantity(json!(4))})),
        ("SN", "^2^+", "valueString", json!("2 + mg/dL")),
        ("ST", "clear\\T\\bright", "valueString", json!("clear&bright")),
        ("TX", "one~two", "valueString", json!("one\ntwo")),
        ("FT", "a\\.br\\b", "valueString", json!("a\nb")),
        ("CE", "10828004^Positive^SCT", "valueCodeableConcept", coding.clone()),
        ("CWE", "10828004^Positive^SCT", "valueCodeableConcept", coding),
        ("IS", "POS", "valueCodeableConcept", json!({"coding": [{"code": "POS"}], "text": "POS"})),
        ("DT", "20260501", "valueDateTime", json!("2026-05-01")),
        ("TS", "202605010930", "valueDateTime", json!("2026-05-01T09:30:00+05:00")),
        ("DTM", "20260501093000+0000", "valueDateTime", json!("2026-05-01T09:30:00+00:00")),
        ("DT", "tomorrow", "valueString", json!("tomorrow")),
        ("TM", "0930", "valueTime", json!("09:30:00")),
        ("DR", "20260501^20260502", "valuePeriod", json!({"start": "2026-05-01", "end": "2026-05-02"})),
        ("NR", "2^4", "valueRange", json!({"low": quantity(json!(2)), "high": quantity(json!(4))})),
        ("CX", "77^^^MRN^MR", "valueString", json!("77^^^MRN^MR")),
        ("XPN", "Doe^John", "valueString", json!("Doe^John")),
        ("RP", "not an address", "valueString", json!("not an address")),
        ("", "plain", "valueString", json!("plain")),
        ("ZZ", "odd", "valueString", json!("odd")),
    ] {
        let made = observation(&format!("OBX|1|{kind}|T^Test^L||{value}|mg/dL|||||F"));
        assert_eq!(made[name], told, "{kind} {value}: {made}");
    }
    let samples = observation("OBX|1|NA|T^Test^L||1^2.50^3||||||F");
    assert_eq!(samples["valueSampledData"]["data"], "1 2.50 3");
    let several = observation("OBX|1|CWE|T^Test^L||A^a^L~B^b^L||||||F");
    assert_eq!(several["component"][0]["valueCodeableConcept"]["text"], "b");
}

#[test]
fn statuses_follow_the_concept_maps() {
    for (code, status) in [
        ("F", "final"),
        ("C", "corrected"),
        ("P", "preliminary"),
        ("X", "cancelled"),
        ("W", "entered-in-error"),
        ("D", "entered-in-error"),
        ("I", "registered"),
        ("R", "preliminary"),
        ("U", "final"),
        ("A", "amended"),
        ("?", "unknown"),
        ("", "unknown"),
    ] {
        assert_eq!(observation(&format!("OBX|1|NM|T^Test^L||5||||||{code}"))["status"], status, "{code}");
    }
    for (code, status) in [
        ("F", "final"),
        ("C", "corrected"),
        ("P", "preliminary"),
        ("A", "partial"),
        ("X", "cancelled"),
        ("O", "registered"),
        ("", "final"),
        ("Y", "unknown"),
    ] {
        let text = format!("{HEAD}OBR|1|P1|F1|T^Test^L|||||||||||||||||||||{code}\rOBX|1|NM|T^Test^L||5||||||F\r");
        assert_eq!(records(&text, "DiagnosticReport")[0]["status"], status, "{code}");
    }
}

#[test]
fn paragraphs_of_one_text_are_one_observation_and_each_is_accounted_for() {
    let text = format!(
        "{HEAD}OBR|1|P1|F1|T^Test^L\rOBX|1|TX|R^Report^L||first||||||F\rOBX|2|TX|R^Report^L||second||||||F\rOBX|3|TX|S^Other^L||third||||||F\r"
    );
    let plan = plan(&text).unwrap();
    assert_eq!(plan.observations.len(), 3);
    assert_eq!(plan.observations[0], plan.observations[1]);
    assert_eq!(records(&text, "Observation")[0]["valueString"], "first\nsecond");
}

#[test]
fn the_same_test_twice_stays_two_observations() {
    let text = format!(
        "{HEAD}OBR|1|P1|F1|T^Test^L\rOBX|1|NM|G^Glucose^L||1||||||F\rOBX|2|NM|G^Glucose^L||2||||||F\rOBX|3|NM|G^Glucose^L|1|3||||||F\r"
    );
    assert_eq!(records(&text, "Observation").len(), 3);
}

#[test]
fn specimen_centred_messages_give_their_specimen_to_what_follows() {
    let text = "MSH|^~\\&|LAB|CITY|||20260501||OUL^R22|c|P|2.5\rPID|1||1\rSPM|1|S1||SER\rOBX|1|ST|V^Volume^L||ok||||||F\r\
                OBR|1|P1|F1|T^Test^L\rORC|RE|P1|F1\rOBX|1|NM|G^Glucose^L||1||||||F\rSPM|2|S2||BLD\rOBR|2|P2|F2|U^Test^L\rOBX|1|NM|H^Hb^L||2||||||F\r";
    let (observations, reports) = (records(text, "Observation"), records(text, "DiagnosticReport"));
    assert_eq!((observations.len(), reports.len(), records(text, "Specimen").len()), (3, 2, 2));
    assert_ne!(reports[0]["specimen"], reports[1]["specimen"]);
    assert_eq!(plan(text).unwrap().observations.len(), 3);
}

#[test]
fn several_patients_of_one_message_keep_their_results_apart() {
    let text = format!(
        "{HEAD}OBR|1|P1|F1|T^Test^L\rOBX|1|NM|G^Glucose^L||1||||||F\rPID|2||2\rOBR|1|P2|F2|T^Test^L\rOBX|1|NM|G^Glucose^L||2||||||F\r"
    );
    let subjects: Vec<Value> = records(&text, "Observation").iter().map(|one| one["subject"]["reference"].clone()).collect();
    assert_eq!(subjects, [json!("Patient/p0"), json!("Patient/p1")]);
}

#[test]
fn what_a_sender_must_correct_is_told_with_its_place() {
    let fault = |text: &str| plan(text).unwrap_err()[0].clone();
    let missing = fault(&format!("{HEAD}OBR|1|P1|F1|T\rOBX|1|NM|T||1||||||F\rOBX|2|NM|||1||||||F\r"));
    assert_eq!((missing.kind, missing.place.to_string()), (FaultKind::Missing, "OBX[2]-3".to_owned()));
    assert!(plan(&format!("{HEAD}OBX|1|NM|T||1||||||F\r")).is_ok(), "a result without an order is a result");
    assert_eq!(fault(HEAD).kind, FaultKind::Sequence);
}

#[test]
fn ids_are_the_same_for_the_same_and_others_for_others() {
    let text = format!("{HEAD}OBR|1|P1|F1|T^Test^L\rOBX|1|NM|G^Glucose^L||1||||||F\r");
    let keys = |text: &str| plan(text).unwrap().records.into_iter().map(|record| record.key).collect::<Vec<_>>();
    assert_eq!(keys(&text), keys(&text));
    let other = keys(&text.replace("|F1|", "|F2|"));
    assert!(keys(&text).iter().filter(|key| key.resource_type.name() == "Observation").all(|key| !other.contains(key)));
    let (a, b) = (Namer::new(b"k", "lab-a"), Namer::new(b"k", "lab-b"));
    let of = crate::fhir::ResourceType::Observation;
    assert_ne!(a.key(of, "x"), b.key(of, "x"));
}

#[test]
fn types_and_events_that_are_not_taken_are_told() {
    let of = |kind: &str| Matter::of(&Message::parse(&format!("MSH|^~\\&|A||||||{kind}|1|P|2.5")).unwrap());
    assert_eq!(of("ORU^R01^ORU_R01").unwrap(), Matter::Results);
    assert_eq!(of("ADT^A40").unwrap(), Matter::Merge);
    assert_eq!(of("SIU^S12").unwrap_err().kind, FaultKind::MessageType);
    assert_eq!(of("ORU^Z01").unwrap_err().kind, FaultKind::EventCode);
    assert_eq!(of("").unwrap_err().kind, FaultKind::Missing);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_segments_break_the_mapping_and_none_is_lost(
        lines in prop::collection::vec(("(PID|ORC|OBR|OBX|NTE|SPM|TXA|PV1)", "[A-Z0-9^~&\\\\. :<>/-]{0,6}(\\|[A-Za-z0-9^~&\\\\. :<>/+-]{0,9}){0,26}"), 0..12),
        kind in "(ORU\\^R01|OUL\\^R22|ORM\\^O01|MDM\\^T02)",
    ) {
        let mut text = format!("MSH|^~\\&|LAB|CITY|||20260501||{kind}|c|P|2.5\rPID|1||1\r");
        for (name, rest) in &lines {
            text.extend([name.as_str(), "|", rest, "\r"]);
        }
        let count = Message::parse(&text).unwrap().all("OBX").count();
        if let Ok(plan) = plan(&text) {
            if kind.starts_with("ORU") {
                prop_assert_eq!(plan.observations.len(), count);
            }
            for record in &plan.records {
                let read: Result<Value, _> = serde_json::from_str(&record.content.to_string());
                prop_assert!(read.is_ok(), "{}", record.content);
                let document = crate::fhir::json::Document::parse(record.content.to_string().as_bytes()).unwrap();
                let checked = crate::fhir::shape::check(&document);
                prop_assert!(checked.is_ok(), "{:?} in {}", checked.err(), record.content);
            }
        }
    }

    #[test]
    fn any_text_is_a_json_text(text in "\\PC{0,40}") {
        prop_assert_eq!(serde_json::from_str::<String>(&Json::Text(text.clone()).to_string()).unwrap(), text);
    }
}
