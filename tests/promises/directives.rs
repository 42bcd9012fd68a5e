//! Filing and revoking what patients direct: nothing is lost, and nobody favours themselves.

use crate::interactions::operations::parameters;
use crate::support::records::{consent, observation, patient};
use crate::support::{Reply, Server};
use serde_json::{Value, json};

fn server() -> Server {
    let server = Server::open();
    server.seed(&[
        patient("p1", "Amin"),
        patient("p2", "Bano"),
        observation("o1", "p1", "laboratory"),
        observation("o2", "p2", "laboratory"),
    ]);
    server
}

fn file(server: &Server, token: &str, consent: &Value) -> Reply {
    server.post("Consent/$fileConsent", token, &parameters(&[json!({"name": "consent", "resource": consent})]))
}

fn revoke(server: &Server, token: &str, id: &str, patient: &str) -> Reply {
    let given = [
        json!({"name": "consent", "valueReference": {"reference": format!("Consent/{id}")}}),
        json!({"name": "patient", "valueReference": {"reference": format!("Patient/{patient}")}}),
    ];
    server.post("Consent/$revokeConsent", token, &parameters(&given))
}

fn placed(reply: &Reply) -> String {
    reply.header("location").unwrap().rsplit('/').nth(2).unwrap().to_owned()
}

#[test]
fn filing_takes_the_place_of_the_older_one_of_the_same_policy_in_one_commit() {
    let server = server();
    let own = server.patient("p1", "patient/Consent.cruds patient/*.rs");
    let clinician = server.clinician("d1", "user/*.rs");
    let first = file(&server, &own, &consent("x", "p1", "deny")).expect(200);
    let first_id = placed(&first);
    assert_eq!(server.get("Observation/o1", &clinician).status, 404);
    let mut other = consent("y", "p1", "permit");
    other["policy"] = json!([{"uri": "urn:policy:research"}]);
    let other_id = placed(&file(&server, &own, &other).expect(200));
    let mut newer = consent("z", "p1", "permit");
    newer["dateTime"] = json!("2026-02-01T00:00:00Z");
    let second = file(&server, &own, &newer).expect(200);
    assert_eq!(second.json()["resourceType"], "OperationOutcome");
    assert_eq!(server.get("Observation/o1", &clinician).status, 200, "on the next request");
    let old = server.get(&format!("Consent/{first_id}"), &own).expect(200).json();
    assert_eq!((&old["status"], &old["meta"]["versionId"]), (&json!("inactive"), &json!("2")));
    let before = server.get(&format!("Consent/{first_id}/_history/1"), &own).expect(200).json();
    assert_eq!(before["status"], "active", "versions are kept");
    assert_eq!(server.get(&format!("Consent/{other_id}"), &own).expect(200).json()["status"], "active", "never across policies");
    let entries = server.concluded_of(&second);
    assert_eq!((entries.len(), entries[0]["records"].as_array().unwrap().len()), (1, 2), "{entries:?}");
    let mut late = consent("w", "p1", "deny");
    late["dateTime"] = json!("2026-01-15T00:00:00Z");
    let told = file(&server, &own, &late).expect(200).json();
    assert!(told["issue"].as_array().unwrap().iter().any(|issue| issue["severity"] == "warning"), "{told}");
}

#[test]
fn revoking_bites_on_the_next_request_and_keeps_everything() {
    let server = server();
    let own = server.patient("p1", "patient/Consent.cruds patient/*.rs");
    let clinician = server.clinician("d1", "user/*.rs");
    let id = placed(&file(&server, &own, &consent("x", "p1", "deny")).expect(200));
    assert_eq!(server.get("Observation/o1", &clinician).status, 404);
    let stranger = server.patient("p2", "patient/Consent.cruds");
    server.refused(&revoke(&server, &stranger, &id, "p1"), 404, "AMANAT-REC-0001", "not-found");
    server.refused(&revoke(&server, &own, &id, "p2"), 422, "AMANAT-IN-0003", "input:content");
    server.refused(&revoke(&server, &own, "nothing", "p1"), 404, "AMANAT-REC-0001", "not-found");
    let _ = revoke(&server, &own, &id, "p1").expect(200);
    assert_eq!(server.get("Observation/o1", &clinician).status, 200);
    let row = server.get(&format!("Consent/{id}"), &own).expect(200).json();
    assert_eq!((&row["status"], &row["meta"]["versionId"]), (&json!("inactive"), &json!("2")));
}

#[test]
fn a_consent_that_was_in_force_is_never_deleted() {
    let server = server();
    let own = server.patient("p1", "patient/Consent.cruds patient/*.rs");
    let id = placed(&file(&server, &own, &consent("x", "p1", "permit")).expect(200));
    let refused = |server: &Server| {
        let reply = server.delete(&format!("Consent/{id}"), &own);
        server.refused(&reply, 409, "AMANAT-CONSENT-0001", "consent:revoke-instead");
    };
    refused(&server);
    let _ = revoke(&server, &own, &id, "p1").expect(200);
    refused(&server);
    let mut error = server.get(&format!("Consent/{id}"), &own).expect(200).json();
    error["status"] = json!("entered-in-error");
    let _ = server.put(&format!("Consent/{id}"), &own, &error).expect(200);
    refused(&server);
    let entry = json!({"request": {"method": "DELETE", "url": format!("Consent/{id}")}});
    let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": [entry]});
    server.refused(&server.post("", &own, &bundle), 409, "AMANAT-CONSENT-0001", "consent:revoke-instead");
    let mut draft = consent("d", "p1", "permit");
    draft["status"] = json!("draft");
    let created = server.post("Consent", &own, &draft).expect(201);
    let _ = server.delete(&format!("Consent/{}", placed(&created)), &own).expect(204);
}

#[test]
fn a_clinician_files_nothing_in_their_own_favour() {
    let server = server();
    let officer = server.clinician("d1", "user/Consent.cruds");
    let naming = |who: &str, verdict: &str| {
        let mut one = consent("x", "p1", verdict);
        let role = json!({"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "code": "IRCP"}]});
        one["provision"]["actor"] = json!([{"role": role, "reference": {"reference": who}}]);
        one
    };
    let favour = naming("Practitioner/d1", "permit");
    server.refused(&file(&server, &officer, &favour), 403, "AMANAT-CONSENT-0002", "consent:favours-author");
    server.refused(&server.post("Consent", &officer, &favour), 403, "AMANAT-CONSENT-0002", "consent:favours-author");
    let placed_at = placed(&file(&server, &officer, &naming("Practitioner/d2", "permit")).expect(200));
    let patch = json!([{"op": "replace", "path": "/provision/actor/0/reference/reference", "value": "Practitioner/d1"}]);
    let reply = server.patch(&format!("Consent/{placed_at}"), &officer, &patch);
    server.refused(&reply, 403, "AMANAT-CONSENT-0002", "consent:favours-author");
    // Nor takes back what denies them: the patient does.
    let own = server.patient("p2", "patient/Consent.cruds");
    let mut denial = naming("Practitioner/d1", "deny");
    denial["patient"]["reference"] = json!("Patient/p2");
    let denied = placed(&file(&server, &own, &denial).expect(200));
    server.refused(&revoke(&server, &officer, &denied, "p2"), 403, "AMANAT-CONSENT-0002", "consent:favours-author");
    let _ = revoke(&server, &own, &denied, "p2").expect(200);
}

#[test]
fn only_patient_proxy_and_officer_file() {
    let server = server();
    let plain = server.clinician("d1", "user/*.cruds");
    server.refused(&file(&server, &plain, &consent("x", "p1", "permit")), 403, "AMANAT-SCOPE-0001", "scope");
    let own = server.patient("p1", "patient/Consent.cruds");
    server.refused(&file(&server, &own, &consent("x", "p2", "permit")), 403, "AMANAT-SCOPE-0002", "compartment");
    let claims =
        json!({"scope": "patient/Consent.cu", "patient": "p1", "fhirUser": "RelatedPerson/r1", "client_id": "app", "sub": "r1"});
    let _ = file(&server, &server.token(claims), &consent("x", "p1", "deny")).expect(200);
    let mut draft = consent("x", "p1", "permit");
    draft["status"] = json!("draft");
    server.refused(&file(&server, &own, &draft), 422, "AMANAT-IN-0003", "input:content");
    let paper = json!({"resourceType": "DocumentReference", "status": "current", "subject": {"reference": "Patient/p1"},
        "content": [{"attachment": {"contentType": "text/plain"}}]});
    let given =
        [json!({"name": "consent", "resource": consent("x", "p1", "permit")}), json!({"name": "document", "resource": paper})];
    let both = parameters(&given);
    server.refused(&server.post("Consent/$fileConsent", &own, &both), 403, "AMANAT-SCOPE-0001", "scope");
    let wide = server.patient("p1", "patient/Consent.cu patient/DocumentReference.crs");
    let _ = server.post("Consent/$fileConsent", &wide, &both).expect(200);
    assert_eq!(server.get("DocumentReference?patient=p1", &wide).expect(200).keys().len(), 1);
}
