//! Key facts of published mappings beside ours: what others kept of a message, we keep; where we read it otherwise, docs/lab.md argues it.

use super::corpora::{folder, mapping};
use super::*;
use amanat::lab::mapping::{map, patients};
use amanat::lab::v2::{Charset, Message, decode, split_messages};
use std::path::Path;

/// The codes of a concept, each once.
fn codes(concept: &Value) -> String {
    let codings = concept["coding"].as_array().into_iter().flatten();
    let mut all: Vec<&str> = codings.filter_map(|coding| coding["code"].as_str()).collect();
    all.sort_unstable();
    all.dedup();
    all.join("+")
}

fn quantity(of: &Value) -> String {
    format!("{}{}", of["comparator"].as_str().unwrap_or(""), of["value"])
}

/// A value as far as mappings agree on how it is written.
fn value(of: &Value) -> String {
    let found = of.as_object().unwrap().iter().find(|(name, _)| name.starts_with("value"));
    let Some((name, value)) = found else { return "nothing".to_owned() };
    match name.as_str() {
        "valueQuantity" => quantity(value),
        "valueCodeableConcept" => codes(value),
        "valueRange" => format!("{} to {}", quantity(&value["low"]), quantity(&value["high"])),
        "valueRatio" => format!("{} in {}", quantity(&value["numerator"]), quantity(&value["denominator"])),
        "valueDateTime" => value.as_str().unwrap().chars().take(10).collect(),
        "valueTime" => value.as_str().unwrap().chars().filter(char::is_ascii_digit).take(6).collect(),
        _ => value.as_str().map_or_else(|| value.to_string(), |text| text.split_whitespace().collect::<Vec<_>>().join(" ")),
    }
}

fn numbers(of: &Value) -> Vec<String> {
    let all = of["identifier"].as_array().into_iter().flatten().chain([&of["requisition"]]);
    let parents = of["basedOn"].as_array().into_iter().flatten().map(|one| &one["identifier"]);
    let all = all.chain(parents).filter_map(|one| one["value"].as_str()).filter(|text| !text.is_empty());
    all.map(str::to_owned).collect()
}

fn patient_facts(of: &Value) -> Vec<String> {
    let mut all: Vec<String> = numbers(of).into_iter().map(|number| format!("patient number {number}")).collect();
    for name in of["name"].as_array().into_iter().flatten() {
        all.extend(name["family"].as_str().map(|family| format!("patient family {family}")));
        let given = name["given"].as_array().into_iter().flatten().filter_map(Value::as_str);
        all.extend(given.map(|given| format!("patient given {given}")));
    }
    for (element, parts) in [("address", ["city", "state", "postalCode", "country"].as_slice()), ("telecom", &["value"])] {
        for one in of[element].as_array().into_iter().flatten() {
            all.extend(
                parts.iter().filter_map(|part| one[part].as_str()).map(|text| format!("patient {element} {}", text.trim())),
            );
        }
    }
    for element in ["birthDate", "gender"] {
        all.extend(of[element].as_str().map(|text| format!("patient {element} {text}")));
    }
    all
}

/// What can be compared across mappings. A status is a fact where it is told.
fn facts(resources: &[Value]) -> Vec<String> {
    let mut all = Vec::new();
    for one in resources {
        let status = one["status"].as_str().filter(|status| *status != "unknown");
        match one["resourceType"].as_str().unwrap() {
            "Patient" => all.extend(patient_facts(one)),
            "Observation" => {
                all.push(format!("result {} = {}", codes(&one["code"]), value(one)));
                all.extend(status.map(|status| format!("result {} is {status}", codes(&one["code"]))));
            }
            "DiagnosticReport" => {
                all.push(format!("report {}", codes(&one["code"])));
                all.extend(status.map(|status| format!("report {} is {status}", codes(&one["code"]))));
            }
            "ServiceRequest" => {
                all.push(format!("order {}", codes(&one["code"])));
                all.extend(numbers(one).into_iter().map(|number| format!("order number {number}")));
            }
            "Specimen" => all.push(format!("specimen {}", codes(&one["type"]))),
            _ => {}
        }
    }
    all.retain(|fact| fact != "specimen " && fact != "order ");
    // A number is a fact once, however often it is told.
    let mut seen = std::collections::BTreeSet::new();
    all.retain(|fact| !(fact.starts_with("order number") || fact.starts_with("patient")) || seen.insert(fact.clone()));
    all
}

/// What is in the first and not in the second, as often as it is.
fn lacking(first: &[String], second: &[String]) -> Vec<String> {
    let mut rest = second.to_vec();
    let lacks = |fact: &&String| match rest.iter().position(|other| other == *fact) {
        Some(at) => {
            rest.swap_remove(at);
            false
        }
        None => true,
    };
    first.iter().filter(lacks).cloned().collect()
}

/// The records of every message of a file, with its patients; also of one that tells of no result.
fn ours(file: &Path) -> Vec<Value> {
    let text = decode(&std::fs::read(file).unwrap(), Charset::Latin1).unwrap();
    let mut all = Vec::new();
    for text in split_messages(&text) {
        let (message, context) = (Message::parse(&text).unwrap(), mapping());
        let people = patients(&message, &context).unwrap_or_default();
        let subjects: Vec<String> = people.iter().map(|_| "Patient/p".to_owned()).collect();
        let plan = map(&message, &subjects, &context).unwrap_or_default();
        let records = plan.records.iter().map(|record| record.content.to_string());
        all.extend(people.iter().map(ToString::to_string).chain(records).map(|text| serde_json::from_str(&text).unwrap()));
    }
    all
}

/// Differences that docs/lab.md argues: the file, how the fact begins, and the row of the table. `-` is a fact of theirs that we do not
/// have, `+` one of ours that they do not have.
const ARGUED: &[(&str, &str, &str)] = &[
    ("LAB-ORU-1", "+ result", "OBX-11 I"),
    ("LAB-ORU-", "+ report", "OBR-25 missing"),
    ("MDM-", "- patient family Smith", "another person"),
    ("MDM-", "- patient given Robert", "another person"),
    ("MDM-", "- order", "orders of a document"),
    ("MDM-", "- report", "orders of a document"),
    ("MDM-", "- result", "text of a document"),
    ("OML-O21-01", "- patient number M", "insurance"),
    ("ORM-O01-02", "- patient number M", "insurance"),
    ("OML-O21-01", "- report", "OBX of an order"),
    ("ORM-O01-02", "- report", "OBX of an order"),
    ("OML-O21-01", "+ result", "OBX of an order"),
    ("ORM-O01-", "+ result", "OBX of an order"),
    ("OML-O21-01", "- result 8867-4 = nothing", "a value left out"),
    ("ORM-O01-", "- result 8867-4 = nothing", "a value left out"),
    ("ORU-R01-01", "- report", "OBX read as a report"),
    ("ORU-R01-01", "- specimen SP15", "OBR-15 beside SPM"),
    ("ORU-R01-01", "+ result", "a value left out"),
    ("OUL-R2", "- report", "OBX read as a report"),
    ("OUL-R2", "- result 8867-4 = nothing", "a value left out"),
    ("OUL-R2", "+ result", "a value left out"),
    ("OUL-R2", "- order number", "a number not taken apart"),
    ("valid_mars", "+ ", "two messages"),
    ("FHIR_to_HL7/", "- ", "made of FHIR"),
    ("FHIR_to_HL7/", "+ report", "made of FHIR"),
    ("sample_oml_20240319", "+ result", "OBX-11 O"),
    ("obx/OBX-to-Observation-", "+ result 8675-3 is final", "OBX-11 missing"),
    ("omlo21/oml_o21-full", "- specimen", "OBR-15 beside SPM"),
    ("orur01/oru_r01-full", "- specimen", "OBR-15 beside SPM"),
    ("orur01/oru_r01-full", "- result 21612-7 = nothing", "a value left out"),
    ("orur01/oru_r01-full", "+ result 21612-7 = 28", "a value left out"),
    ("sample_oml_20240319", "- specimen", "OBR-15 beside SPM"),
    ("-OML-message", "- result", "an OBX without OBX-3"),
    ("-OML-message", "- order number", "an OBX without OBX-3"),
    ("obr25-obrext-not-populated", "- report", "OBR-25 missing"),
];

#[test]
fn what_published_mappings_keep_of_a_message_we_keep() {
    let (mut compared, mut files, mut differing, mut used) = (0, 0, Vec::new(), std::collections::BTreeSet::new());
    for name in ["hl7v2-microsoft", "hl7v2-reportstream"] {
        let Some(folder) = folder(name) else { return };
        let manifest: Value = serde_json::from_slice(&std::fs::read(folder.join("manifest.json")).unwrap()).unwrap();
        for one in manifest["files"].as_array().unwrap() {
            let (file, Some(expected)) = (one["file"].as_str().unwrap(), one["fhir"].as_str()) else { continue };
            let expected: Value = serde_json::from_slice(&std::fs::read(folder.join(expected)).unwrap()).unwrap();
            let entries = expected["entry"].as_array().unwrap();
            let theirs = facts(&entries.iter().map(|entry| entry["resource"].clone()).collect::<Vec<_>>());
            let ours = facts(&ours(&folder.join(file)));
            (compared, files) = (compared + theirs.len(), files + 1);
            let missing = lacking(&theirs, &ours).into_iter().map(|fact| format!("- {fact}"));
            let more =
                lacking(&ours, &theirs).into_iter().filter(|fact| fact.starts_with("result") || fact.starts_with("report"));
            for difference in missing.chain(more.map(|fact| format!("+ {fact}"))) {
                let argued = |(of, begins, _): &(&str, &str, &str)| file.contains(of) && difference.starts_with(begins);
                match ARGUED.iter().position(argued) {
                    Some(at) => drop(used.insert(at)),
                    None => differing.push(format!("{file}: {difference}")),
                }
            }
        }
    }
    println!("{compared} facts of {files} published mappings compared, {} rows of differences argued", ARGUED.len());
    assert!(differing.is_empty(), "{} differences:\n{}", differing.len(), differing.join("\n"));
    let stale: Vec<_> = ARGUED.iter().enumerate().filter(|(at, _)| !used.contains(at)).map(|(_, row)| row).collect();
    assert!(stale.is_empty(), "argued for nothing: {stale:?}");
}
