use super::{LabelRules, Labelling};
use crate::consent::{LocalSensitivity, OTHER, Vocabulary, bit_of, handling_of};
use crate::fhir::json::Document;
use crate::fhir::{Confidentiality, Key, Marks};
use jiff::tz::TimeZone;

const ICD: &str = "http://hl7.org/fhir/sid/icd-10";

fn labelling(rules: &str) -> Labelling {
    let own = LocalSensitivity { system: "urn:site".into(), code: "X".into(), stigma: true, parents: Vec::new() };
    let words = Vocabulary::new(&[own]);
    let rules = if rules.is_empty() { LabelRules::default() } else { LabelRules::parse(rules, &words).unwrap() };
    Labelling::new(words, rules, TimeZone::UTC)
}

fn marks(rules: &str, labels: &[(&str, &str)], code: (&str, &str)) -> Marks {
    let labels: Vec<String> = labels.iter().map(|(system, code)| format!(r#"{{"system":"{system}","code":"{code}"}}"#)).collect();
    let json = format!(
        r#"{{"resourceType":"Condition","id":"c","meta":{{"security":[{}]}},"code":{{"coding":[{{"system":"{}","code":"{}"}}]}}}}"#,
        labels.join(","),
        code.0,
        code.1
    );
    let document = Document::parse(json.as_bytes()).unwrap();
    labelling(rules).marks(&document, &Key::parse("Condition/c").unwrap(), "https://own/fhir")
}

const ACT: &str = "http://terminology.hl7.org/CodeSystem/v3-ActCode";
const CONF: &str = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality";

#[test]
fn the_highest_explicit_label_counts_and_none_is_normal() {
    let conf = |labels: &[(&str, &str)]| marks("", labels, ("s", "c")).confidentiality;
    assert_eq!(conf(&[]), Confidentiality::N);
    assert_eq!(conf(&[(CONF, "L")]), Confidentiality::L);
    assert_eq!(conf(&[(CONF, "L"), ("http://hl7.org/fhir/v3/Confidentiality", "V"), (CONF, "N")]), Confidentiality::V);
}

#[test]
fn an_explicit_low_label_does_not_lower_the_floor_of_what_stigmatizes() {
    let hiv = marks("", &[(CONF, "N"), (ACT, "HIV"), (ACT, "NOPAT"), (ACT, "ADOL")], ("s", "c"));
    assert_eq!(hiv.confidentiality, Confidentiality::R);
    assert_eq!((hiv.sensitivity, hiv.handling), (bit_of("HIV") | bit_of("ADOL"), handling_of("NOPAT")));
    assert_eq!(marks("", &[(CONF, "L"), (ACT, "PSYTHPN")], ("s", "c")).confidentiality, Confidentiality::V);
    assert_eq!(marks("", &[(ACT, "ADOL")], ("s", "c")).confidentiality, Confidentiality::N);
}

#[test]
fn a_label_that_nobody_knows_is_some_other_stigma() {
    for label in [("urn:x", "HIV"), (ACT, "NOSUCH"), ("", ""), (CONF, "X")] {
        let marks = marks("", &[label], ("s", "c"));
        assert_eq!((marks.sensitivity, marks.confidentiality), (1 << OTHER, Confidentiality::R), "{label:?}");
    }
    let integrity = [("http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "SUBSETTED")];
    assert_eq!(marks("", &integrity, ("s", "c")).sensitivity, 0);
}

#[test]
fn labels_of_resources_inside_count() {
    let json = r#"{"resourceType":"Bundle","type":"document","entry":[{"resource":{"resourceType":"Observation","status":"final",
        "code":{},"meta":{"security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"HIV"}]}}}]}"#;
    let document = Document::parse(json.as_bytes()).unwrap();
    let marks = Labelling::default().marks(&document, &Key::parse("Bundle/b").unwrap(), "");
    assert_eq!((marks.sensitivity, marks.confidentiality), (bit_of("HIV"), Confidentiality::R));
}

const RULES: &str = r#"
version = 7
[[rule]]
name = "substances"
systems = ["http://hl7.org/fhir/sid/icd-10", "urn:oid:2.16.840.1.113883.6.3"]
prefixes = ["F10", "F11"]
sensitivity = ["SUD"]
[[rule]]
name = "alcohol"
systems = ["http://hl7.org/fhir/sid/icd-10"]
prefixes = ["F10"]
codes = ["Z72.1"]
sensitivity = ["ETHUD", "urn:site|X"]
confidentiality = "V"
"#;

#[test]
fn rules_add_by_code_and_by_the_beginning_of_a_code() {
    let of = |system: &str, code: &str| marks(RULES, &[], (system, code));
    let alcohol = bit_of("ETHUD") | 1 << 45;
    assert_eq!(of(ICD, "F10.2").sensitivity, bit_of("SUD") | alcohol);
    assert_eq!(of(ICD, "F10.2").confidentiality, Confidentiality::V);
    assert_eq!(of(ICD, "F11.9").sensitivity, bit_of("SUD"));
    assert_eq!(of(ICD, "F11.9").confidentiality, Confidentiality::R, "the floor");
    assert_eq!(of("urn:oid:2.16.840.1.113883.6.3", "F10").sensitivity, bit_of("SUD"));
    assert_eq!(of(ICD, "Z72.1").sensitivity, alcohol);
    for (system, code) in [(ICD, "F1"), (ICD, "F12"), (ICD, "Z72.10"), ("urn:other", "F10"), (ICD, "é")] {
        assert_eq!(of(system, code).sensitivity, 0, "{system} {code}");
    }
    assert_eq!(
        marks(RULES, &[(ACT, "HIV")], (ICD, "F11")).sensitivity,
        bit_of("HIV") | bit_of("SUD"),
        "explicit labels are kept"
    );
}

#[test]
fn a_rule_file_says_what_is_wrong_with_it() {
    for (text, told) in [
        ("", "version"),
        ("version = 0", "version"),
        ("version = 1\n[[rule]]\nname = 'a'\nsystems = ['s']\ncodes = ['c']", "sensitivity"),
        ("version = 1\n[[rule]]\nname = 'a'\nsystems = ['s']\nsensitivity = ['HIV']", "codes"),
        ("version = 1\n[[rule]]\nname = 'a'\nsystems = ['s']\nprefixes = ['']\nsensitivity = ['HIV']", "empty"),
        ("version = 1\n[[rule]]\nname = 'a'\nsystems = ['s']\ncodes = ['c']\nsensitivity = ['NOPE']", "NOPE"),
        ("version = 1\n[[rule]]\nname = 'a'\nsystems = ['s']\ncodes = ['c']\nsensitivty = ['HIV']", "sensitivty"),
    ] {
        let error = LabelRules::parse(text, &Vocabulary::default()).unwrap_err();
        assert!(error.to_string().contains(told), "{text}: {error}");
    }
}

#[test]
fn whatever_marks_depend_on_changes_the_ruleset() {
    let plain = Labelling::default();
    assert!(plain.ruleset() > 0);
    assert_eq!(Labelling::version_of(plain.ruleset()), 0);
    let site = labelling(RULES);
    assert_eq!(Labelling::version_of(site.ruleset()), 7);
    let edited = labelling(&RULES.replace("F11", "F12"));
    let moved = Labelling::new(Vocabulary::default(), LabelRules::default(), TimeZone::fixed(jiff::tz::offset(5)));
    let all = [&plain, &site, &edited, &moved, &labelling("")].map(Labelling::ruleset);
    for (at, one) in all.iter().enumerate() {
        assert!(!all[..at].contains(one), "{all:?}");
    }
}

#[test]
fn the_rules_to_begin_with_can_be_used() {
    let rules = LabelRules::parse(include_str!("../../../fhir-profiles/labels/default.toml"), &Vocabulary::default()).unwrap();
    assert!(rules.version() > 0);
    for (system, code, label) in [
        (ICD, "F10.2", "ETHUD"),
        (ICD, "F32.1", "PSY"),
        ("http://hl7.org/fhir/sid/icd-10-cm", "B20", "HIV"),
        ("http://loinc.org", "75622-1", "HIV"),
        (ICD, "O80", "PREGNANT"),
    ] {
        assert_eq!(rules.of(system, code).sensitivity, bit_of(label), "{code}");
    }
    assert_eq!(rules.of(ICD, "I10").sensitivity | rules.of("http://loinc.org", "85354-9").sensitivity, 0);
}

#[derive(serde::Deserialize)]
struct Told {
    id: String,
    patients: Vec<String>,
    conf: String,
    sens: Vec<String>,
    authors: Vec<String>,
    references: Vec<String>,
    dates: Vec<(String, String)>,
    primary_codes: Vec<String>,
    any_codes: Vec<String>,
}

/// The records of the shared consent vectors, and the facts that they must have.
#[test]
fn the_shared_fixture_has_the_facts_that_it_is_told_to_have() {
    use crate::fhir::{Dates, Mentions, Reading, patients_of};
    let corpora =
        std::env::var("AMANAT_CORPORA").unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/corpora").into());
    let folder = std::path::Path::new(&corpora).join("../requirements/consent-vectors");
    let read = |name: &str| std::fs::read_to_string(folder.join(name));
    let (Ok(records), Ok(facts)) = (read("fixture.json"), read("fixture-facts.json")) else {
        println!("skipped: no consent vectors at {}", folder.display());
        return;
    };
    let records = Document::parse(records.as_bytes()).unwrap();
    let facts: Vec<Told> = serde_json::from_str(&facts).unwrap();
    let entries = records.root().get("bundle").unwrap().get("entry").unwrap().items();
    let by_key = |wanted: &str| {
        let of = |one: &crate::fhir::json::Element<'_>| {
            format!("{}/{}", one.text_at("resourceType").unwrap(), one.text_at("id").unwrap()) == wanted
        };
        let found = entries.clone().map(|entry| entry.get("resource").unwrap()).find(of).unwrap();
        Document::parse(found.raw().as_bytes()).unwrap()
    };
    let labelling = Labelling::default();
    for told in &facts {
        let (key, document) = (Key::parse(&told.id).unwrap(), by_key(&told.id));
        let reading = Reading { base: "", zone: &TimeZone::UTC, canonical: super::codes::canonical };
        let found = Mentions::read(&document, key.resource_type, &reading);
        let pairs = |all: &std::collections::BTreeSet<(String, String)>| -> Vec<String> {
            all.iter().map(|(system, code)| format!("{system}|{code}")).collect()
        };
        let keys = |all: &std::collections::BTreeSet<Key>| all.iter().map(ToString::to_string).collect::<Vec<_>>();
        let dates: Vec<(String, String)> = match &found.dates {
            Dates::Timeless => Vec::new(),
            Dates::At(all) => all.iter().map(|one| (one.low.to_string(), one.high.to_string())).collect(),
        };
        let written = |text: &str| crate::fhir::Instant::parse(text).unwrap().to_string();
        let expected: Vec<_> = told.dates.iter().map(|(low, high)| (written(low), written(high))).collect();
        let sorted = |all: &[String]| {
            let mut all = all.to_vec();
            all.sort();
            all
        };
        let name = &told.id;
        assert_eq!(dates, expected, "{name}");
        assert_eq!(sorted(&keys(&found.references)), sorted(&told.references), "{name}");
        assert_eq!(sorted(&keys(&found.authors)), sorted(&told.authors), "{name}");
        assert_eq!(sorted(&pairs(&found.primary)), sorted(&told.primary_codes), "{name}");
        assert_eq!(sorted(&pairs(&found.codings)), sorted(&told.any_codes), "{name}");
        let patients: Vec<_> = patients_of(&document, &key, "").iter().map(|id| format!("Patient/{id}")).collect();
        assert_eq!(patients, told.patients, "{name}");
        let marks = labelling.marks(&document, &key, "");
        assert_eq!(marks.confidentiality.code(), told.conf, "{name}");
        assert_eq!(marks.sensitivity, told.sens.iter().fold(0, |bits, code| bits | bit_of(code)), "{name}");
    }
    assert!(facts.len() > 10);
}
