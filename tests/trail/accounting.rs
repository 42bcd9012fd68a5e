//! Who saw a patient's records: for whom it must be accounted, and for the patient in plain words.

use crate::support::Server;
use crate::support::records::{consent, observation, patient};
use base64::Engine as _;
use serde_json::{Value, json};

fn ward() -> Server {
    let server = Server::open();
    server.seed(&[
        patient("p1", "Amin"),
        patient("p2", "Bano"),
        observation("o1", "p1", "laboratory"),
        consent("k1", "p1", "permit"),
    ]);
    let _ = server.get("Observation/o1", &server.clinician("d1", "user/*.rs")).expect(200);
    let public = server.token(json!({"scope": "system/*.rs", "client_id": "health-office", "purpose_of_use": "PUBHLTH"}));
    let _ = server.get("Observation?patient=p2,p1", &public).expect(200);
    let _ = server.get("Patient/p2", &public).expect(200);
    server
}

fn events(bundle: &Value) -> Vec<Value> {
    bundle["entry"].as_array().into_iter().flatten().map(|entry| entry["resource"].clone()).collect()
}

fn subtypes(bundle: &Value) -> Vec<String> {
    let all = events(bundle);
    let accesses = all.iter().filter(|event| event["type"]["code"] == "rest");
    accesses.map(|event| event["subtype"][0]["code"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn an_accounting_holds_everything_or_what_the_rule_demands() {
    let server = ward();
    let auditor = server.system("system/AuditEvent.rs system/Patient.rs");
    let all = server.get("Patient/p2/$accounting-of-disclosures", &auditor).expect(200).json();
    assert_eq!(subtypes(&all), ["read"], "{all:#}");
    let all = server.get("Patient/p1/$accounting-of-disclosures", &auditor).expect(200).json();
    assert_eq!(subtypes(&all), ["read", "search-type"], "what the patient's own system wrote is no disclosure: {all:#}");
    assert!(!all.to_string().contains("Patient/p2"), "nobody else is in it");
    let decided = events(&all).into_iter().filter(|event| event["subtype"][0]["code"] == "AuthZ-Consent").count();
    assert_eq!(decided, 2, "and which consent decided");
    let due = server.clock.now().plus_seconds(60 * 24 * 3600).to_string();
    assert_eq!(all["meta"]["tag"][0]["display"], due, "the clock to answer is shown");
    let hipaa = server.get("Patient/p2/$accounting-of-disclosures?mode=hipaa", &auditor).expect(200).json();
    assert_eq!(subtypes(&hipaa), ["read"], "public health counts");
    let hipaa = server.get("Patient/p1/$accounting-of-disclosures?mode=hipaa", &auditor).expect(200).json();
    assert!(subtypes(&hipaa).is_empty(), "treatment does not, nor what the patient authorized: {hipaa:#}");
    let early = server.get("Patient/p1/$accounting-of-disclosures?end=2026-05-01", &auditor).expect(200).json();
    assert!(events(&early).is_empty());
    let csv = server.get("Patient/p2/$accounting-of-disclosures?format=csv", &auditor).expect(200).json();
    let text = base64::engine::general_purpose::STANDARD.decode(csv["data"].as_str().unwrap()).unwrap();
    let text = String::from_utf8(text).unwrap();
    assert!(
        text.starts_with("first,last,times,recipient,") && text.contains("\"health-office\"") && text.contains("PUBHLTH"),
        "{text}"
    );
    for wrong in ["mode=some", "format=pdf", "start=soon", "start=2026-05-02&end=2026-05-01"] {
        let reply = server.get(&format!("Patient/p1/$accounting-of-disclosures?{wrong}"), &auditor);
        server.refused(&reply, 422, "AMANAT-IN-0003", "input:content");
    }
}

#[test]
fn a_patient_reads_their_own_log_in_plain_words_and_nobody_elses() {
    let server = ward();
    let own = server.patient("p1", "patient/*.rs patient/AuditEvent.rs");
    let log = server.get("Patient/p1/$access-log", &own).expect(200).json();
    let parts = |name: &str| {
        let all = log["parameter"].as_array().unwrap().iter().filter(|one| one["name"] == name);
        all.map(|one| one["part"].clone()).collect::<Vec<_>>()
    };
    let text = |part: &Value| part[0]["valueString"].as_str().unwrap().to_owned();
    let people = parts("access");
    assert_eq!(people.len(), 1, "{log:#}");
    assert_eq!(text(&people[0]), "Practitioner/d1 looked at your record (Observation); purpose: TREAT.");
    assert!(
        people[0]
            .as_array()
            .unwrap()
            .iter()
            .any(|one| one["name"] == "consent" && one["valueReference"]["reference"] == "Consent/k1")
    );
    assert!(
        parts("system").iter().any(|one| text(one).starts_with("The system health-office handled your data 1 times")),
        "{log:#}"
    );
    assert!(!log.to_string().contains("p2"));
    // Before the patient asks for somebody else: what they ask themselves is in their log too.
    let mine = server.get("AuditEvent?patient=me&_count=100", &own).expect(200).json();
    assert!(!events(&mine).is_empty());
    assert!(
        events(&mine).iter().all(|event| event.to_string().contains("Patient/p1") && !event.to_string().contains("Patient/p2"))
    );
    // A search names whom it looks for: that is not for everybody whom it found.
    let words = |bundle: &Value| -> Vec<String> {
        let all = events(bundle);
        let entities = all.iter().flat_map(|event| event["entity"].as_array().cloned().unwrap_or_default());
        entities.filter_map(|entity| entity["query"].as_str().map(str::to_owned)).collect()
    };
    assert!(words(&mine).is_empty(), "{mine:#}");
    let searched = events(&mine).into_iter().find(|event| event["subtype"][0]["code"] == "search-type").unwrap();
    assert!(searched["meta"]["security"].to_string().contains("REDACTED"), "{searched:#}");
    let accounted = server.get("Patient/p1/$accounting-of-disclosures", &own).expect(200).json();
    assert!(words(&accounted).is_empty(), "{accounted:#}");
    let auditor = server.system("system/AuditEvent.rs");
    assert!(!words(&server.get("AuditEvent?patient=p1&_count=100", &auditor).expect(200).json()).is_empty(), "auditors see it");
    for path in ["Patient/p2/$access-log", "Patient/p2/$accounting-of-disclosures"] {
        let reply = server.get(path, &own);
        server.refused(&reply, 403, "AMANAT-EXPLAIN-0001", "explain");
    }
    let clinician = server.clinician("d1", "user/*.rs");
    server.refused(&server.get("Patient/p1/$access-log", &clinician), 403, "AMANAT-EXPLAIN-0001", "explain");
}

#[test]
fn registered_sources_report_and_are_kept_apart() {
    let server = ward();
    let source = server.token(json!({"scope": "system/AuditEvent.crs", "client_id": "upstream"}));
    let told = |outcome: &str| {
        json!({"resourceType": "Parameters", "parameter": [
            {"name": "patient", "valueReference": {"reference": "Patient/p2"}}, {"name": "recipient", "valueString": "registry=x\nevil"},
            {"name": "purpose", "valueCode": "PUBHLTH"}, {"name": "outcome", "valueCode": outcome},
            {"name": "record", "valueReference": {"reference": "Observation/o9"}},
        ]})
    };
    let shared = server.post("AuditEvent/$recordDisclosure", &source, &told("shared")).expect(200);
    let entry = &server.trail_of(&shared)[0];
    assert_eq!((&entry["event"]["kind"], &entry["patients"]), (&json!("disclosure"), &json!(["p2"])), "{entry}");
    let _ = server.post("AuditEvent/$recordDisclosure", &source, &told("not-shared")).expect(200);
    server.refused(&server.post("AuditEvent/$recordDisclosure", &source, &told("maybe")), 422, "AMANAT-IN-0003", "input:content");
    let auditor = server.system("system/AuditEvent.rs system/Patient.rs");
    let all = server.get("Patient/p2/$accounting-of-disclosures?mode=hipaa", &auditor).expect(200).json();
    let reported = events(&all).into_iter().filter(|event| event["type"]["code"] == "110106").count();
    assert_eq!(reported, 1, "what led to no sharing is recorded, and is no disclosure");
    // An event as the other system wrote it.
    let event = json!({
        "resourceType": "AuditEvent", "type": {"code": "rest"}, "recorded": "2026-05-01T00:00:00Z",
        "agent": [{"requestor": true}], "source": {"observer": {"display": "other"}}
    });
    let made = server.post("AuditEvent", &source, &event).expect(201).json();
    assert!(made["id"].as_str().unwrap().starts_with("received-"), "{made}");
    let everything = server.system("system/*.cruds");
    server.refused(&server.post("AuditEvent", &everything, &event), 403, "AMANAT-SCOPE-0001", "scope");
    server.refused(&server.post("AuditEvent/$recordDisclosure", &everything, &told("shared")), 403, "AMANAT-SCOPE-0001", "scope");
    let id = made["id"].as_str().unwrap();
    for (method, path) in
        [("PUT", format!("AuditEvent/{id}")), ("PATCH", format!("AuditEvent/{id}")), ("DELETE", format!("AuditEvent/{id}"))]
    {
        let call = server.call(method, &path).token(&source);
        let reply = if method == "DELETE" { call.send() } else { call.json(&event).send() };
        server.refused(&reply, 405, "AMANAT-IN-0007", "input:method");
    }
}
