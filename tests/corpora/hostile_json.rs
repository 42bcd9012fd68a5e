//! What is not JSON is refused as such; what is JSON but no resource, as that. Nothing of either is stored.

use super::hospital::Hospital;
use super::source::folder;

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
