//! What of a shown record tells of hidden ones: L8 to L10.

use super::{ACT_CODE, Twins};
use crate::support::Server;
use crate::support::records::{observation, patient};
use serde_json::{Value, json};

#[test]
fn l08_a_reference_to_a_hidden_record_keeps_its_address_alone() {
    let twins = Twins::new();
    for path in [
        "DiagnosticReport/r1",
        "DiagnosticReport/r1/_history/1",
        "DiagnosticReport/r1/_history",
        "DiagnosticReport?patient=p1",
        "Observation?_id=o1&_revinclude=DiagnosticReport:result",
        "Patient/p1/DiagnosticReport",
    ] {
        let reply = twins.get(path);
        let text = reply.text();
        assert!(!text.contains("Antibodies") && !text.contains("acc-77") && !text.contains("<div"), "{path}: {text}");
        assert!(text.contains("Haemoglobin") && text.contains("Dr. Khan") && text.contains("Ambulatory"), "{path}: {text}");
        assert!(text.contains("SUBSETTED") && text.contains("REDACTED"), "{path}: {text}");
    }
    let report = twins.get("DiagnosticReport/r1").json();
    assert_eq!(report["result"][0], json!({"reference": "Observation/h1", "type": "Observation"}));
    // A batch is no other way, and what is incomplete cannot be put back.
    let reply = twins.alike("batch", &|server| {
        let entries = json!([{"request": {"method": "GET", "url": "DiagnosticReport/r1"}}]);
        server.post("", &Twins::clinician(server), &json!({"resourceType": "Bundle", "type": "batch", "entry": entries}))
    });
    assert!(!reply.text().contains("Antibodies"));
    let back = twins.alike("put back", &|server| server.put("DiagnosticReport/r1", &Twins::clinician(server), &report));
    assert_eq!(back.status, 422);
    // The patient is told all of it.
    let own =
        twins.with.token(json!({"scope": "patient/*.rs", "patient": "p1", "fhirUser": "Patient/p1", "purpose_of_use": "PATRQT"}));
    assert!(twins.with.get("DiagnosticReport/r1", &own).expect(200).text().contains("acc-77"));
}

#[test]
fn l09_what_is_not_shown_is_not_searched_sorted_or_tested() {
    let twins = Twins::new();
    twins.all(&[
        "DiagnosticReport?result:identifier=acc-77",
        "DiagnosticReport?result:identifier=|acc-77&_summary=count",
        "Observation?has-member:identifier=acc-77",
    ]);
    assert!(twins.get("DiagnosticReport?result:identifier=acc-77").keys().is_empty());
    // The words of a narrative that is withheld are no words to find the record by; who is shown it finds it.
    let own =
        twins.with.token(json!({"scope": "patient/*.rs", "patient": "p1", "fhirUser": "Patient/p1", "purpose_of_use": "PATRQT"}));
    for path in ["DiagnosticReport?_text=reactive", "DiagnosticReport?_content=reactive"] {
        assert!(twins.get(path).keys().is_empty(), "{path}");
        assert_eq!(twins.with.get(path, &own).expect(200).keys(), ["DiagnosticReport/r1"], "{path}");
    }
    let reply = twins.alike("patch", &|server| {
        let probe = json!([{"op": "test", "path": "/result/0/display", "value": "Antibodies"}]);
        server.patch("DiagnosticReport/r1", &Twins::clinician(server), &probe)
    });
    assert_eq!(reply.status, 422);
    // Elements with labels of their own.
    let server = Server::open();
    let inline = "http://hl7.org/fhir/uv/security-label-ds4p/StructureDefinition/extension-inline-sec-label";
    let coding = json!({"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "R"});
    let mut guarded = patient("p9", "Amin");
    guarded["identifier"][0]["extension"] = json!([{"url": inline, "valueCoding": coding}]);
    server.seed(&[guarded, patient("p8", "Bano")]);
    let token = server.clinician("d1", "user/*.cruds");
    let ids = |path: &str| server.get(path, &token).expect(200).keys();
    assert!(ids("Patient?identifier=mrn-p9").is_empty() && !ids("Patient?identifier=mrn-p8").is_empty());
    assert_eq!(ids("Patient?identifier:missing=true"), ["Patient/p9"]);
    let probe = json!([{"op": "test", "path": "/identifier/0/value", "value": "mrn-p9"}]);
    assert_eq!(server.patch("Patient/p9", &token, &probe).status, 422);
}

#[test]
fn l10_labels_are_for_those_entitled() {
    let server = Server::open();
    let mut record = observation("a1", "p1", "laboratory");
    record["meta"] = json!({"security": [{"system": ACT_CODE, "code": "ETHUD"}, {"system": ACT_CODE, "code": "NORDSCLCD"}]});
    server.seed(&[patient("p1", "Amin"), record]);
    let own =
        server.token(json!({"scope": "patient/*.cruds", "patient": "p1", "fhirUser": "Patient/p1", "purpose_of_use": "PATRQT"}));
    for path in ["Observation/a1", "Observation/a1/_history/1", "Observation?patient=p1", "Observation/_history"] {
        let text = server.get(path, &own).expect(200).text().to_owned();
        assert!(!text.contains("ETHUD") && text.contains("NORDSCLCD"), "{path}: {text}");
    }
    // Nor does the answer to a patch tell.
    let patch = json!([{"op": "replace", "path": "/status", "value": "amended"}]);
    let patched = server.patch("Observation/a1", &own, &patch).expect(200);
    assert!(patched.text().contains("amended") && !patched.text().contains("ETHUD"), "{}", patched.text());
    let entry = json!({"request": {"method": "PATCH", "url": "Observation/a1"},
        "resource": {"resourceType": "Binary", "contentType": "application/json-patch+json", "data": "W3sib3AiOiJyZXBsYWNlIiwicGF0aCI6Ii9zdGF0dXMiLCJ2YWx1ZSI6ImZpbmFsIn1d"}});
    let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": [entry]});
    let answered = server.call("POST", "").token(&own).header("Prefer", "return=representation").json(&bundle).send();
    assert!(!answered.text().contains("ETHUD"), "{}", answered.text());
    for path in ["Observation?_security=ETHUD", "Observation?_security:not=ETHUD", "Observation?_sort=_security"] {
        assert_eq!(server.get(path, &own).status, 400, "{path}");
    }
    assert_ne!(server.get("Observation/a1/$meta", &own).status, 200);
    // Whoever keeps what they are sent is told.
    let system = server.token(json!({"scope": "system/*.rs"}));
    let seen: Value = server.get("Observation?patient=p1", &system).json();
    assert!(seen["meta"].get("security").is_none(), "no label of the whole says what was left out");
}
