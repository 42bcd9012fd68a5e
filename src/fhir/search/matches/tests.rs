//! Known answers: the corpora's cases, decided by the evaluator on extracted values.

use super::holds;
use crate::fhir::json::Document;
use crate::fhir::search::{
    Criterion, DateValue, IndexEntry, IndexValue, NumberValue, ParseOptions, Prefix, extract, parse_search,
};
use crate::fhir::{Id, Instant, Key, ResourceType, pairs};
use proptest::prelude::*;
use serde_json::Value as Json;
use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

fn corpora() -> Option<PathBuf> {
    let default = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/corpora");
    let folder = PathBuf::from(std::env::var("AMANAT_CORPORA").unwrap_or_else(|_| default.to_owned()));
    if folder.is_dir() {
        return Some(folder);
    }
    println!("skipped: no corpora at {}", folder.display());
    None
}

/// Records by type and id, with their index values.
#[derive(Default)]
struct Records(BTreeMap<ResourceType, BTreeMap<String, Vec<IndexEntry>>>);

impl Records {
    fn add(&mut self, resource: &Json) {
        let resource_type = ResourceType::parse(resource["resourceType"].as_str().unwrap()).unwrap();
        let document = Document::parse(resource.to_string().as_bytes()).unwrap();
        let entries = extract(&document, resource_type, "https://own/fhir", &crate::fhir::search::STANDARD);
        self.0.entry(resource_type).or_default().insert(resource["id"].as_str().unwrap().to_owned(), entries);
    }

    fn search(&self, query: &str) -> Vec<String> {
        let (name, query) = query.split_once('?').unwrap();
        let resource_type = ResourceType::parse(name).unwrap();
        let options = ParseOptions {
            base: "https://own/fhir",
            now: Instant(1_700_000_000_000),
            lenient: false,
            max_count: 1000,
            known: &crate::fhir::search::STANDARD,
        };
        let search =
            parse_search(&[resource_type], None, &pairs(query).unwrap(), &options).unwrap_or_else(|p| panic!("{query}: {p:?}"));
        let Some(records) = self.0.get(&resource_type) else { return Vec::new() };
        let satisfying = records.iter().filter(|(id, entries)| {
            search
                .criteria
                .iter()
                .all(|criterion| self.holds(criterion, &Key::new(resource_type, Id::parse(id).unwrap()), entries))
        });
        satisfying.map(|(id, _)| id.clone()).collect()
    }

    /// Chains by looking at every record: the plainest reading of R4.
    fn holds(&self, criterion: &Criterion, key: &Key, entries: &[IndexEntry]) -> bool {
        match criterion {
            Criterion::Chain { parameter, targets } => {
                entries.iter().filter(|entry| entry.parameter == parameter.id).any(|entry| {
                    let IndexValue::Reference { resource_type, id } = &entry.value else { return false };
                    // What is contained is no record.
                    let Some(target) = Id::parse(id).map(|id| Key::new(*resource_type, id)) else { return false };
                    let Some(found) = self.0.get(resource_type).and_then(|records| records.get(id)) else { return false };
                    targets.iter().any(|(wanted, inner)| wanted == resource_type && self.holds(inner, &target, found))
                })
            }
            Criterion::Has { resource_type, parameter, criterion } => {
                let here = IndexValue::Reference { resource_type: key.resource_type, id: key.id.to_string() };
                self.0.get(resource_type).into_iter().flatten().any(|(id, found)| {
                    found.iter().any(|entry| entry.parameter == parameter.id && entry.value == here)
                        && self.holds(criterion, &Key::new(*resource_type, Id::parse(id).unwrap()), found)
                })
            }
            plain => holds(plain, key, Instant(0), entries).unwrap(),
        }
    }
}

proptest! {
    #[test]
    fn date_prefixes_keep_their_laws(low in 0i64..100, length in 1i64..50, from in 0i64..100, span in 1i64..50) {
        let found = (Instant(low), Instant(low + length));
        let test = |prefix| {
            let wanted = DateValue { prefix, low: Instant(from), high: Instant(from + span) };
            super::date_holds(&wanted, found.0, found.1)
        };
        prop_assert_ne!(test(Prefix::Eq), test(Prefix::Ne));
        prop_assert_eq!(test(Prefix::Ge), test(Prefix::Gt) || test(Prefix::Eq));
        prop_assert_eq!(test(Prefix::Le), test(Prefix::Lt) || test(Prefix::Eq));
        prop_assert!(!test(Prefix::Sa) || (test(Prefix::Gt) && !test(Prefix::Ap)));
        prop_assert!(!test(Prefix::Eb) || (test(Prefix::Lt) && !test(Prefix::Ap)));
        prop_assert!(!test(Prefix::Eq) || test(Prefix::Ap));
    }

    #[test]
    fn number_prefixes_keep_their_laws(found in -50i32..50, wanted in -50i32..50) {
        let test = |prefix| {
            let exact = f64::from(wanted);
            let value = NumberValue { prefix, exact, low: exact - 0.5, high: exact + 0.5 };
            super::number_holds(&value, f64::from(found), f64::from(found))
        };
        prop_assert_eq!(test(Prefix::Eq), found == wanted);
        prop_assert_ne!(test(Prefix::Eq), test(Prefix::Ne));
        prop_assert_ne!(test(Prefix::Gt), test(Prefix::Le));
        prop_assert_ne!(test(Prefix::Lt), test(Prefix::Ge));
        prop_assert_eq!((test(Prefix::Sa), test(Prefix::Eb)), (found > wanted, found < wanted));
    }
}

#[test]
fn negation_missing_and_text_look_at_the_whole_record() {
    let mut records = Records::default();
    for json in [
        r#"{"resourceType":"Condition","id":"none"}"#,
        r#"{"resourceType":"Condition","id":"text","code":{"text":"Broken  Arm"}}"#,
        r#"{"resourceType":"Condition","id":"two","code":{"coding":[{"system":"s","code":"a"},{"code":"b","display":"Arm"}]}}"#,
    ] {
        records.add(&serde_json::from_str(json).unwrap());
    }
    for (query, expected) in [
        ("code:not=a", &["none", "text"][..]),
        ("code:not=x", &["none", "text", "two"]),
        ("code:missing=true", &["none"]),
        ("code:missing=false", &["text", "two"]),
        ("code:text=broken a", &["text"]),
        ("code:text=arm", &["two"]),
        ("code=s|a", &["two"]),
        ("code=|a", &[]),
        ("code=|b", &["two"]),
        ("code=s|", &["two"]),
        ("_id=none,two,other", &["none", "two"]),
        ("_lastUpdated=lt2000", &["none", "text", "two"]),
        ("_lastUpdated=gt2000", &[]),
    ] {
        assert_eq!(records.search(&format!("Condition?{query}")), expected, "{query}");
    }
}

#[test]
fn values_of_a_composite_come_from_one_component() {
    let mut records = Records::default();
    let json = r#"{"resourceType":"Observation","id":"bp","component":[
        {"code":{"coding":[{"code":"sys"}]},"valueQuantity":{"value":120,"code":"mm[Hg]"}},
        {"code":{"coding":[{"code":"dia"}]},"valueQuantity":{"value":80,"code":"mm[Hg]"}}]}"#;
    records.add(&serde_json::from_str(json).unwrap());
    let search = |query: &str| records.search(&format!("Observation?component-code-value-quantity={query}"));
    assert_eq!(search("sys$gt100"), ["bp"]);
    assert!(search("dia$gt100").is_empty());
    assert_eq!(search("dia$gt100,dia$80||mm[Hg]"), ["bp"]);
}

#[test]
fn a_url_lies_above_what_begins_with_it() {
    for (uri, above, expected) in [
        ("http://a/b/c", "http://a/b", true),
        ("http://a/b", "http://a/b", true),
        ("http://a/bc", "http://a/b", true),
        ("http://a/b/", "http://a/", true),
        ("http://a", "http://a/b", false),
        ("http://A/b", "http://a", false),
        ("urn:oid:1.2", "urn:oid:1", false),
        ("urn:oid:1.2", "urn:oid:1.2", true),
        ("urn:oid:1.2", "urn", false),
        ("http://a|1.2", "http://a|1", true),
        ("http://a|10", "http://a|1", false),
        ("http://a|1", "http://a", true),
    ] {
        assert_eq!(super::is_below(uri, above), expected, "{uri} {above}");
    }
}

#[test]
fn the_cases_of_the_search_corpus_select_what_they_name() {
    let Some(folder) = corpora() else { return };
    for suite in ["number", "reference", "string", "uri"] {
        let text = std::fs::read_to_string(folder.join(format!("search-cases-ms/{suite}.json"))).unwrap();
        let file: Json = serde_json::from_str(&text).unwrap();
        let mut records = Records::default();
        file["seed"].as_array().unwrap().iter().for_each(|seed| records.add(seed));
        let mut count = 0;
        for case in file["cases"].as_array().unwrap().iter().filter(|case| case["advisory"] != Json::Bool(true)) {
            let expected: Vec<&str> = case["expect"].as_array().unwrap().iter().map(|id| id.as_str().unwrap()).collect();
            assert_eq!(records.search(case["q"].as_str().unwrap()), expected, "{case}");
            count += 1;
        }
        assert!(count > 3, "{suite} has cases");
    }
}

/// Resolves `urn:uuid` and conditional references to the records that the bundles carry.
fn resolve(value: &mut Json, urns: &HashMap<String, String>, identifiers: &HashMap<(String, String), String>) {
    match value {
        Json::Object(members) => {
            if let Some(Json::String(text)) = members.get_mut("reference") {
                if let Some(found) = urns.get(text) {
                    text.clone_from(found);
                } else if let Some((name, query)) = text.split_once("?identifier=")
                    && let Some(id) = identifiers.get(&(name.to_owned(), query.to_owned()))
                {
                    *text = format!("{name}/{id}");
                }
            }
            members.values_mut().for_each(|member| resolve(member, urns, identifiers));
        }
        Json::Array(items) => items.iter_mut().for_each(|item| resolve(item, urns, identifiers)),
        _ => {}
    }
}

/// The resources of all bundles in a folder whose type the text names.
fn resources(folder: &std::path::Path, named: &str) -> Vec<Json> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.to_string_lossy().ends_with(".json.gz"));
    files.sort();
    let (mut all, mut urns, mut identifiers) = (Vec::new(), HashMap::new(), HashMap::new());
    for file in files {
        let reader = flate2::read::GzDecoder::new(std::fs::File::open(file).unwrap());
        let bundle: Json = serde_json::from_reader(std::io::BufReader::new(reader)).unwrap();
        for entry in bundle["entry"].as_array().into_iter().flatten() {
            let resource = &entry["resource"];
            let (name, id) = (resource["resourceType"].as_str().unwrap(), resource["id"].as_str().unwrap());
            urns.insert(entry["fullUrl"].as_str().unwrap_or_default().to_owned(), format!("{name}/{id}"));
            for one in resource["identifier"].as_array().into_iter().flatten() {
                let text =
                    format!("{}|{}", one["system"].as_str().unwrap_or_default(), one["value"].as_str().unwrap_or_default());
                identifiers.entry((name.to_owned(), text)).or_insert_with(|| id.to_owned());
            }
            if named.contains(name) {
                all.push(resource.clone());
            }
        }
    }
    for resource in &mut all {
        resolve(resource, &urns, &identifiers);
    }
    all
}

fn short_hash(ids: &[String]) -> String {
    use std::fmt::Write as _;
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, ids.join("\n").as_bytes());
    digest.as_ref().iter().take(8).fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

#[test]
fn the_known_answers_over_sixty_patients_are_the_answers() {
    let Some(folder) = corpora() else { return };
    let text = std::fs::read_to_string(folder.join("search-known-answers/dev60.json")).unwrap();
    let file: Json = serde_json::from_str(&text).unwrap();
    let mut records = Records::default();
    for resource in resources(&folder.join("synthea-uscore-60"), &text) {
        records.add(&resource);
    }
    let mut wrong = Vec::new();
    for answer in file["answers"].as_array().unwrap() {
        let query = answer["q"].as_str().unwrap();
        let found = records.search(query);
        let expected = (answer["total"].as_u64().unwrap(), answer["sha256"].as_str().unwrap());
        if (found.len() as u64, short_hash(&found).as_str()) != expected {
            wrong.push(format!("{query}: {} instead of {}", found.len(), expected.0));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
