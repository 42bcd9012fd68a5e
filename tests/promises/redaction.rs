//! Elements with labels of their own, and labels themselves: cut on every path that shows a record.

use crate::support::records::{consent, observation, patient};
use crate::support::{Reply, Server};
use serde_json::{Value, json};

const INLINE: &str = "http://hl7.org/fhir/uv/security-label-ds4p/StructureDefinition/extension-inline-sec-label";

/// A patient whose identifier and birth date are restricted, and nobody has signed anything.
fn guarded() -> Value {
    let coding = json!({"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "R"});
    let label = json!([{"url": INLINE, "valueCoding": coding}]);
    let mut record = patient("p1", "Amin");
    record["text"] = json!({"status": "generated", "div": "<div xmlns=\"http://www.w3.org/1999/xhtml\">mrn-p1</div>"});
    record["identifier"][0]["extension"] = label.clone();
    record["birthDate"] = json!("1977-07-07");
    record["_birthDate"] = json!({"extension": label});
    record
}

/// A record that its patient shows to everybody, sensitive as it is.
fn sensitive() -> Value {
    let mut record = observation("alc", "p2", "laboratory");
    let act_code = "http://terminology.hl7.org/CodeSystem/v3-ActCode";
    record["meta"] = json!({"security": [{"system": act_code, "code": "ETHUD"}, {"system": act_code, "code": "NORDSCLCD"}]});
    record
}

fn filled() -> Server {
    let server = Server::open();
    server.seed(&[guarded(), observation("o1", "p1", "laboratory"), patient("p2", "Bano"), sensitive()]);
    server.seed(&[consent("k2", "p2", "permit")]);
    server
}

#[track_caller]
fn cut(reply: &Reply, what: &str) {
    let text = reply.text();
    assert!(text.contains("Amin") && text.contains("REDACTED") && text.contains("SUBSETTED"), "{what}: {text}");
    assert!(!text.contains("mrn-p1") && !text.contains("1977-07-07") && !text.contains("<div"), "{what}: {text}");
}

#[test]
fn a_labelled_element_is_withheld_on_every_path() {
    let server = filled();
    let token = server.clinician("d1", "user/*.cruds");
    for path in [
        "Patient/p1",
        "Patient/p1?_pretty=true",
        "Patient/p1?_summary=true",
        "Patient/p1?_summary=data",
        "Patient/p1?_elements=identifier,name,birthDate",
        "Patient/p1/_history/1",
        "Patient/p1/_history",
        "Patient/_history",
        "_history",
        "Patient?name=Amin",
        "Patient?name=Amin&_elements=name,identifier",
        "Patient?_id=p1&_summary=true",
        "Patient/p1/*",
        "?_type=Patient&_id=p1",
        "Observation?_id=o1&_include=Observation:subject",
    ] {
        cut(&server.get(path, &token).expect(200), path);
    }
    let search = server.call("POST", "Patient/_search").token(&token).form("name=Amin").send();
    cut(&search.expect(200), "POST _search");
    let entries =
        json!([{"request": {"method": "GET", "url": "Patient/p1"}}, {"request": {"method": "GET", "url": "Patient?name=Amin"}}]);
    for kind in ["batch", "transaction"] {
        let bundle = json!({"resourceType": "Bundle", "type": kind, "entry": entries});
        cut(&server.post("", &token, &bundle).expect(200), kind);
    }
    let create = server.call("POST", "Patient").token(&token).header("If-None-Exist", "name=Amin");
    cut(&create.json(&patient("x", "Amin")).send().expect(200), "conditional create");
    // The patient is shown all of it.
    let own = server.get("Patient/p1", &server.patient("p1", "patient/*.rs")).expect(200);
    assert!(own.text().contains("mrn-p1") && own.text().contains("1977-07-07") && !own.text().contains("REDACTED"));
}

#[test]
fn a_labelled_element_cannot_be_searched_sorted_or_tested() {
    let server = filled();
    let token = server.clinician("d1", "user/*.cruds");
    let count = |path: &str| server.get(path, &token).expect(200).json()["total"].as_u64().unwrap();
    assert_eq!(count("Patient?identifier=mrn-p1&_total=accurate"), 0);
    assert_eq!(count("Patient?birthdate=1977-07-07&_id=p1&_total=accurate"), 0);
    assert_eq!(count("Patient?identifier:missing=true&_total=accurate"), 1);
    assert_eq!(count("Observation?subject:Patient.identifier=mrn-p1&_total=accurate"), 0);
    assert_eq!(count("Patient?name=Amin&_total=accurate"), 1);
    let steps = |value: &str| json!([{"op": "test", "path": "/birthDate", "value": value}]);
    let tried = ["1977-07-07", "1990-01-01"].map(|value| server.patch("Patient/p1", &token, &steps(value)).expect(422));
    assert_eq!(tried[0].text(), tried[1].text(), "right or wrong, the answer is the same");
}

#[test]
fn a_redacted_record_cannot_be_written_back() {
    let server = filled();
    let token = server.clinician("d1", "user/*.cruds");
    let shown = server.get("Patient/p1", &token).expect(200).json();
    let _ = server.put("Patient/p1", &token, &shown).expect(422);
    // Nor with the tags taken off: what is not shown would be lost.
    let mut bare = shown;
    bare.as_object_mut().unwrap().remove("meta");
    let _ = server.put("Patient/p1", &token, &bare).expect(422);
    for kind in ["batch", "transaction"] {
        let entry = json!({"resource": bare, "request": {"method": "PUT", "url": "Patient/p1"}});
        let bundle = json!({"resourceType": "Bundle", "type": kind, "entry": [entry]});
        let reply = server.post("", &token, &bundle);
        assert!(reply.status == 422 || reply.text().contains("\"status\":\"422\""), "{kind}: {}", reply.text());
    }
    let own = server.get("Patient/p1", &server.patient("p1", "patient/*.rs")).expect(200);
    assert!(own.text().contains("mrn-p1") && own.header("etag") == Some("W/\"1\""));
}

#[test]
fn labels_are_told_to_those_who_are_entitled() {
    let server = filled();
    let clinician = server.clinician("d1", "user/*.cruds");
    for path in ["Observation/alc", "Observation/alc/_history", "Observation?_id=alc", "Patient/p2/Observation?_summary=true"] {
        let reply = server.get(path, &clinician).expect(200);
        assert!(reply.text().contains("NORDSCLCD") && !reply.text().contains("ETHUD"), "{path}: {}", reply.text());
        assert!(!reply.text().contains("REDACTED"), "a tag would tell that there are labels");
    }
    let officer = server.clinician("d1", "user/*.rs user/Consent.rs");
    for entitled in [server.system("system/*.rs"), server.system("system/Observation.rs"), officer] {
        assert!(server.get("Observation/alc", &entitled).expect(200).text().contains("ETHUD"));
    }
    for path in ["Observation?_security=ETHUD", "Observation?_sort=_security", "Patient?_has:Observation:patient:_security=ETHUD"]
    {
        assert_eq!(server.get(path, &clinician).status, 400, "{path}");
        assert_eq!(server.get(path, &server.system("system/*.rs")).status, 200, "{path}");
    }
}

#[test]
fn a_site_may_name_who_is_told_labels() {
    for settings in ["labels = \"everyone\"", "label_readers = [\"ward\"]"] {
        let server = Server::with("Policy-all-normal", settings);
        server.seed(&[patient("p2", "Bano"), sensitive(), consent("k2", "p2", "permit")]);
        let reply = server.get("Observation/alc", &server.clinician("d1", "user/*.rs")).expect(200);
        assert!(reply.text().contains("ETHUD"), "{settings}");
    }
}
