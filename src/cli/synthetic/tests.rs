//! The bundled people are what the README says they are.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{DENIED_PATIENT, HOSPITAL, bundles, workload};
use crate::fhir::{ResourceType, json::Document, shape};

fn records(bundle: &str) -> Vec<Value> {
    let bundle: Value = serde_json::from_str(bundle).unwrap();
    bundle["entry"].as_array().unwrap().iter().map(|entry| entry["resource"].clone()).collect()
}

fn place(record: &Value) -> String {
    format!("{}/{}", record["resourceType"].as_str().unwrap(), record["id"].as_str().unwrap())
}

fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            found.extend(members.get("reference").and_then(Value::as_str).map(str::to_owned));
            members.values().for_each(|member| references(member, found));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

fn counts(bundles: &[String]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for record in bundles.iter().flat_map(|bundle| records(bundle)) {
        *counts.entry(record["resourceType"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    counts
}

#[test]
fn the_demo_has_its_patients_its_types_and_stays_small() {
    let bundles = bundles();
    let counts = counts(&bundles);
    assert_eq!(counts["Patient"], 24);
    assert_eq!(counts.len(), 22, "{counts:?}");
    assert!(counts.keys().all(|name| ResourceType::parse(name).is_some()));
    let size: usize = bundles.iter().map(String::len).sum();
    assert!(size < 400_000, "{size} bytes");
}

#[test]
fn the_people_are_the_same_on_every_run() {
    assert_eq!(bundles(), bundles());
}

#[test]
fn every_bundle_parses_strictly() {
    for bundle in bundles().into_iter().chain(workload(1..=2, false)) {
        Document::parse(bundle.as_bytes()).unwrap();
    }
}

#[test]
fn every_record_has_the_shape_that_r4_gives_its_type() {
    for record in bundles().into_iter().chain(workload(1..=2, false)).flat_map(|bundle| records(&bundle)) {
        let document = Document::parse(record.to_string().as_bytes()).unwrap();
        let problems = shape::check(&document).err();
        assert!(problems.is_none(), "{}: {problems:?}", place(&record));
    }
}

#[test]
fn every_reference_leads_to_an_earlier_bundle_or_its_own() {
    let mut known = BTreeSet::new();
    for bundle in bundles() {
        let mut wanted = BTreeSet::new();
        for record in records(&bundle) {
            assert!(known.insert(place(&record)), "{} twice", place(&record));
            references(&record, &mut wanted);
        }
        let dangling: Vec<_> = wanted.difference(&known).collect();
        assert!(dangling.is_empty(), "{dangling:?}");
    }
}

#[test]
fn the_denied_patient_refuses_the_hospital() {
    let bundles = bundles();
    let refusals: Vec<Value> = bundles
        .iter()
        .flat_map(|bundle| records(bundle))
        .filter(|record| record["resourceType"] == "Consent" && record["provision"]["type"] == "deny")
        .filter(|record| record["provision"]["actor"][0]["reference"]["reference"] == format!("Organization/{HOSPITAL}"))
        .map(|record| record["patient"]["reference"].clone())
        .collect();
    assert_eq!(refusals, [format!("Patient/{DENIED_PATIENT}")]);
}

#[test]
fn decimals_with_a_trailing_zero_occur() {
    let text = bundles().concat();
    let numbers = text.split("\"value\":").skip(1).filter_map(|rest| rest.split([',', '}']).next());
    assert!(numbers.filter(|number| !number.starts_with('"')).any(|number| number.contains('.') && number.ends_with('0')));
    assert!(!text.contains('\u{E000}'));
}

#[test]
fn a_bench_patient_has_the_records_that_the_workload_asks_for() {
    let bundles: Vec<String> = workload(1..=3, false).collect();
    let counts = counts(&bundles);
    let expected =
        [("Condition", 12), ("Consent", 3), ("Encounter", 15), ("MedicationRequest", 9), ("Observation", 300), ("Patient", 3)];
    assert_eq!(counts.iter().map(|(name, count)| (name.as_str(), *count)).collect::<Vec<_>>(), expected);
    let laboratory =
        records(&bundles[2]).iter().filter(|record| record["category"][0]["coding"][0]["code"] == "laboratory").count();
    assert_eq!(laboratory, 20);
    assert!(bundles[2].contains("\"Patient/b000003\""));
}
