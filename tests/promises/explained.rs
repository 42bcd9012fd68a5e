//! Why somebody sees a record: for auditors whole, for patients in plain words, for nobody else at all.

use crate::interactions::operations::parameters;
use crate::support::records::{consent, observation, patient};
use crate::support::{Reply, Server};
use serde_json::{Value, json};

fn server() -> Server {
    let server = Server::open();
    let mut denial = consent("k1", "p1", "permit");
    denial["provision"]["provision"] =
        json!([{"type": "deny", "class": [{"system": "http://hl7.org/fhir/resource-types", "code": "Observation"}]}]);
    server.seed(&[patient("p1", "Amin"), patient("p2", "Bano"), observation("o1", "p1", "laboratory"), denial]);
    server
}

fn ask(server: &Server, token: &str, patient: &str, list: &[Value]) -> Reply {
    server.post(&format!("Patient/{patient}/$explain-access"), token, &parameters(list))
}

fn text(name: &str, value: &str) -> Value {
    json!({"name": name, "valueString": value})
}

#[test]
fn an_auditor_is_told_the_consent_the_provision_and_the_scope() {
    let server = server();
    let auditor = server.system("system/Patient.rs system/AuditEvent.rs");
    let about = [
        text("user", "Practitioner/d1"),
        text("purpose", "TREAT"),
        text("record", "Observation/o1"),
        text("record", "Patient/p1"),
        text("scope", "user/*.rs user/Condition.rs"),
    ];
    let reply = ask(&server, &auditor, "p1", &about).expect(200);
    let told = reply.text();
    let explanations = reply.json()["parameter"].as_array().unwrap().clone();
    assert_eq!(explanations.len(), 2);
    let shown = |at: usize| {
        explanations[at]["part"].as_array().unwrap().iter().find(|one| one["name"] == "shown").unwrap()["valueBoolean"].clone()
    };
    assert_eq!((shown(0), shown(1)), (json!(false), json!(true)), "{told}");
    for word in ["Consent/k1", "provision.provision[0]", "explicit-deny", "Policy-all-normal", "user/*.rs"] {
        assert!(told.contains(word), "{word}: {told}");
    }
    assert!(!told.contains("user/Condition.rs"), "a scope that opens nothing of it");
    assert!(!told.contains("13.5") && !told.contains("Amin"), "nothing of a record");
    server.allowed(&reply, 200, "operation", &["p1"]);
    // The same answer as the record itself gives.
    assert_eq!(server.get("Observation/o1", &server.clinician("d1", "user/*.rs")).status, 404);
    let query = "Patient/p1/$explain-access?user=Practitioner/d1&purpose=TREAT&record=Observation/o1";
    assert!(server.get(query, &auditor).expect(200).text().contains("explicit-deny"));
}

#[test]
fn a_patient_is_told_in_plain_words_of_their_own_record() {
    let server = server();
    let own = server.patient("p1", "patient/*.rs");
    let reply = ask(&server, &own, "p1", &[text("user", "Practitioner/d1"), text("record", "Observation/o1")]).expect(200);
    let sentence = reply.json()["parameter"][0]["valueString"].as_str().unwrap().to_owned();
    assert_eq!(sentence, "Practitioner/d1 may not see Observation/o1 for treatment, because your consent Consent/k1 says no.");
    let reply = ask(&server, &own, "p1", &[]).expect(200);
    assert!(reply.text().contains("may see Patient/p1"), "{}", reply.text());
    server.refused(&ask(&server, &own, "p1", &[text("record", "Patient/p2")]), 404, "AMANAT-REC-0001", "not-found");
}

#[test]
fn nobody_else_is_told_anything() {
    let server = server();
    for token in [server.clinician("d1", "user/*.rs"), server.patient("p2", "patient/*.rs"), server.system("system/*.rs")] {
        let replies = ["p1", "nobody"].map(|patient| ask(&server, &token, patient, &[]));
        for reply in &replies {
            server.refused(reply, 403, "AMANAT-EXPLAIN-0001", "explain");
        }
        assert_eq!(replies[0].masked(), replies[1].masked());
    }
    let auditor = server.system("system/Patient.rs system/AuditEvent.rs");
    server.refused(&ask(&server, &auditor, "p1", &[text("user", "nobody")]), 400, "AMANAT-IN-0002", "input:invalid");
    server.refused(&ask(&server, &auditor, "p2", &[text("record", "Observation/o1")]), 404, "AMANAT-REC-0001", "not-found");
}
