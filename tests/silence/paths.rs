//! By which ways records are reached: L4 to L7, L11.

use super::Twins;
use crate::support::records::consent;
use serde_json::json;

#[test]
fn l04_totals_count_what_is_shown() {
    let twins = Twins::new();
    for form in ["_summary=count", "_total=accurate", "_total=accurate&_count=1", "_count=0"] {
        let reply = twins.get(&format!("Observation?patient=p1&{form}"));
        assert_eq!(reply.json()["total"], 3, "{form}");
    }
    let estimate = twins.get("Observation?patient=p1&_total=estimate&_count=1");
    assert!(estimate.json()["total"].as_u64().is_none_or(|total| total == 3), "an estimate is computed alike, or omitted");
    assert_eq!(twins.get("Observation?code=75622-1&_summary=count").json()["total"], 0);
    assert_eq!(twins.get("?_type=Patient,Condition&_summary=count").json()["total"], 1);
}

#[test]
fn l05_pages_are_full_and_a_link_is_nobody_elses() {
    let twins = Twins::new();
    for path in
        ["Observation?patient=p1&_count=1", "Observation?patient=p1&_count=1&_sort=-date", "Observation/_history?_count=1"]
    {
        let token = Twins::clinician(&twins.with);
        let mut reply = twins.get(path);
        let mut sizes = vec![reply.keys().len()];
        while let Some(next) = reply.next() {
            let strange = twins.with.clinician("d2", "user/*.rs");
            assert_eq!(twins.with.get(&next, &strange).status, 404, "{path}");
            reply = twins.with.get(&next, &token).expect(200);
            sizes.push(reply.keys().len());
        }
        assert_eq!(sizes, [1, 1, 1], "{path}: no short page, no gap, no empty end");
    }
    // What is decided under another consent does not go on as before.
    let token = Twins::clinician(&twins.with);
    let first = twins.with.get("Observation?patient=p1&_count=1", &token).expect(200);
    let mut denial = consent("k2", "p1", "deny");
    denial["policy"] = json!([{"uri": "urn:policy:other"}]);
    twins.with.seed(&[denial]);
    let later = twins.with.get(&first.next().unwrap(), &token);
    assert!(later.status == 404 || later.keys().is_empty(), "{}", later.text());
}

#[test]
fn l06_chains_and_sort_keys_go_through_what_is_shown() {
    let twins = Twins::new();
    twins.all(&[
        "Patient?_has:Observation:patient:code=75622-1",
        "Patient?_has:Observation:patient:_id=h1",
        "Patient?_has:Condition:subject:code=38341003",
        "Encounter?_has:Condition:encounter:_id=h2",
        "Observation?has-member.code=75622-1",
        "Observation?has-member:Observation.identifier=urn:obs|h1",
        "DiagnosticReport?result.code=75622-1",
        "Observation?patient._has:Observation:patient:code=75622-1",
        "Observation?code-value-quantity=75622-1$gt1",
        "Observation?has-member:missing=false",
        "Observation?derived-from=Observation/o2",
        "Observation?_sort=has-member",
        "Observation?_sort=-date,code&_count=1",
        "Observation?_sort=code&_count=2",
        "Observation?subject:Patient.name=Bano",
        "Observation?code:not=718-7",
        "Observation?_lastUpdated=ge2026-01-01",
        "Observation?_id=h1,o1",
    ]);
    assert!(twins.get("Patient?_has:Observation:patient:code=75622-1").keys().is_empty());
    assert!(twins.get("DiagnosticReport?result.code=75622-1").keys().is_empty());
}

#[test]
fn l07_includes_are_decided_one_by_one() {
    let twins = Twins::new();
    twins.all(&[
        "DiagnosticReport?_include=DiagnosticReport:result",
        "DiagnosticReport?_include=*",
        "Observation?_id=panel&_include=Observation:has-member",
        "Observation?_id=o1&_revinclude=Observation:has-member",
        "Observation?_id=o2&_revinclude=Observation:derived-from",
        "Encounter?_revinclude=Condition:encounter",
        "Patient?_revinclude=Observation:patient&_revinclude:iterate=Provenance:target",
        "Patient?_revinclude=*",
        "DiagnosticReport?_include=DiagnosticReport:result&_include:iterate=Observation:has-member",
    ]);
    let reply = twins.get("DiagnosticReport?_include=DiagnosticReport:result");
    assert_eq!(reply.keys(), ["DiagnosticReport/r1", "Observation/o1"]);
    assert!(!reply.text().contains("OperationOutcome"), "omitted in silence");
}

#[test]
fn l11_each_version_is_under_todays_consent_and_the_stricter_label() {
    let twins = Twins::new();
    let seed = |server: &crate::support::Server| {
        let all = server.patient("p1", "patient/*.cruds");
        let mut open = crate::support::records::observation("o2", "p1", "vital-signs");
        open["note"] = json!([{"text": "second"}]);
        let _ = server.put("Observation/o2", &all, &open);
    };
    seed(&twins.with);
    seed(&twins.without);
    twins.all(&[
        "Observation/_history",
        "_history",
        "_history?_count=2",
        "Observation/_history?_since=2026-01-01T00:00:00Z",
        "Patient/_history",
        "Condition/_history",
        "Provenance/_history",
    ]);
    // A later label hides the versions before it.
    let mut labelled = crate::support::records::observation("o1", "p1", "laboratory");
    labelled["meta"] = json!({"security": [{"system": super::ACT_CODE, "code": "HIV"}]});
    let officer = twins.with.system("system/*.cruds");
    let token = Twins::clinician(&twins.with);
    assert_eq!(twins.with.get("Observation/o1/_history/1", &token).status, 200);
    let own = twins
        .with
        .token(json!({"scope": "patient/*.cruds", "patient": "p1", "fhirUser": "Patient/p1", "purpose_of_use": "PATRQT"}));
    let written = [own, officer].iter().any(|token| twins.with.put("Observation/o1", token, &labelled).status == 200);
    assert!(written);
    for path in ["Observation/o1", "Observation/o1/_history/1", "Observation/o1/_history/2", "Observation/o1/_history"] {
        assert_eq!(twins.with.get(path, &token).status, 404, "{path}");
    }
    assert!(!twins.with.get("Observation/_history", &token).keys().contains(&"Observation/o1".to_owned()));
}
