//! What is not JSON is refused as such; what is JSON but no resource, as that. Nothing of either is stored.

use super::hospital::Hospital;
use super::source::folder;
use serde_json::{Value, json};

/// JSON allows a name twice in an object, FHIR does not: which of the two counts would be anybody's guess. So it is refused before
/// anything looks at what the object means.
const TWICE: [&str; 2] = ["y_object_duplicated_key.json", "y_object_duplicated_key_and_value.json"];

#[test]
fn every_text_that_is_no_json_is_refused_and_every_json_that_is_no_patient_too() {
    let Some(folder) = folder("json-testsuite") else { return };
    let hospital = Hospital::open("system/*.cruds");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let (mut asked, mut wrong) = (0, Vec::new());
    for path in files {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let expected: &[u16] = match name.split_once('_').map(|(kind, _)| kind) {
            Some("n") => &[400],
            Some("y") if TWICE.contains(&name.as_str()) => &[400],
            Some("y") => &[422],
            Some("i") => &[400, 422],
            _ => continue,
        };
        let headers = [("Content-Type", "application/fhir+json")];
        let reply = hospital.send("POST", "Patient", &headers, std::fs::read(&path).unwrap());
        asked += 1;
        if !expected.contains(&reply.status) || !reply.text.contains(r#""resourceType":"OperationOutcome""#) {
            wrong.push(format!("{name}: expected {expected:?}: {}", reply.diagnosis()));
        }
    }
    println!("{asked} texts, {} answered wrong", wrong.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(hospital.count("Patient"), 0, "nothing is stored");
}

#[test]
fn strings_that_break_programs_are_kept_and_found_to_the_letter() {
    let Some(folder) = folder("naughty-strings") else { return };
    let strings: Value = serde_json::from_str(&std::fs::read_to_string(folder.join("blns.json")).unwrap()).unwrap();
    let strings: Vec<_> = strings.as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect();
    let hospital = Hospital::open("system/*.cruds");
    let (mut refused, mut wrong) = (0, Vec::new());
    for (at, text) in strings.iter().enumerate() {
        let key = format!("Patient/naughty-{at}");
        let record = json!({ "resourceType": "Patient", "id": format!("naughty-{at}"), "name": [{ "family": text }] });
        let reply = hospital.put(&key, &record.to_string());
        // FHIR has no empty strings, and of the control characters only tab and the ends of lines.
        let legal = !text.trim().is_empty() && !text.chars().any(|c| c < ' ' && !"\t\r\n".contains(c));
        match reply.status {
            201 => {
                let kept = hospital.get(&key).json()["name"][0]["family"].clone();
                if kept != **text {
                    wrong.push(format!("{text:?} came back as {kept}"));
                }
                if !text.trim().is_empty() && !found(&hospital, text, &format!("naughty-{at}")) {
                    wrong.push(format!("{text:?} is not found"));
                }
            }
            400 | 422 if !legal => refused += 1,
            _ => wrong.push(format!("{text:?}: {}", reply.diagnosis())),
        }
    }
    println!("{} strings, {refused} are none in FHIR, {} wrong", strings.len(), wrong.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Whether a search for the string, to the letter, finds the record.
fn found(hospital: &Hospital, text: &str, id: &str) -> bool {
    let escaped = text.replace('\\', "\\\\").replace(',', "\\,").replace('|', "\\|").replace('$', "\\$");
    let reply = hospital.get(&format!("Patient?_count=500&family:exact={}", amanat::fhir::encode(&escaped)));
    reply.json()["entry"].as_array().into_iter().flatten().any(|entry| entry["resource"]["id"] == id)
}
