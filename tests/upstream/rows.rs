//! What proxies in front of FHIR servers are known to refuse, or to answer wrongly: each row over the gateway's own store and in front of a
//! server, with the same policy.

use crate::support::{Reply, Server, records};
use serde_json::{Value, json};

/// Two patients with results, conditions, encounters, orders, documents and prescriptions.
fn records() -> Vec<Value> {
    let mut all = super::sameness::records_of_two();
    for patient in ["p1", "p2"] {
        let subject = json!({"reference": format!("Patient/{patient}")});
        let code = json!({"coding": [{"system": "http://s", "code": "c"}]});
        all.extend([
            json!({"resourceType": "MedicationRequest", "id": format!("m-{patient}"), "status": "active", "intent": "order",
                "medicationCodeableConcept": code, "subject": subject}),
            json!({"resourceType": "DiagnosticReport", "id": format!("r-{patient}"), "status": "final", "code": code, "subject": subject,
                "result": [{"reference": format!("Observation/o1-{patient}")}]}),
            json!({"resourceType": "DocumentReference", "id": format!("d-{patient}"), "status": "current", "subject": subject,
                "content": [{"attachment": {"contentType": "text/plain"}}]}),
            json!({"resourceType": "ServiceRequest", "id": format!("s-{patient}"), "status": "active", "intent": "order", "subject": subject}),
        ]);
    }
    all
}

fn both() -> [Server; 2] {
    let servers = [Server::open(), Server::before_plain("Policy-all-normal", "")];
    for server in &servers {
        server.seed(&records());
    }
    servers
}

fn app(server: &Server) -> String {
    server.patient("p1", "patient/*.cruds")
}

/// Status, and the records that are shown.
fn shown(reply: &Reply) -> (u16, Vec<String>) {
    let mut keys = if reply.status == 200 && reply.json()["resourceType"] == "Bundle" { reply.keys() } else { Vec::new() };
    keys.sort();
    (reply.status, keys)
}

#[track_caller]
fn finds(servers: &[Server; 2], query: &str, expected: &[&str]) {
    for server in servers {
        let (status, keys) = shown(&server.get(query, &app(server)));
        assert_eq!((status, keys.iter().map(String::as_str).collect::<Vec<_>>()), (200, expected.to_vec()), "{query}");
    }
}

#[test]
fn records_of_any_type_are_read_by_id_by_version_and_by_history() {
    for server in &both() {
        for (mine, theirs) in [
            ("Observation/o1-p1", "Observation/o1-p2"),
            ("MedicationRequest/m-p1", "MedicationRequest/m-p2"),
            ("Condition/c-p1", "Condition/c-p2"),
            ("Patient/p1", "Patient/p2"),
        ] {
            for tail in ["", "/_history/1", "/_history"] {
                assert_eq!(server.get(&format!("{mine}{tail}"), &app(server)).status, 200, "{mine}{tail}");
                let hidden = server.get(&format!("{theirs}{tail}"), &app(server));
                let absent = server.get(&format!("{}/none{tail}", theirs.split('/').next().unwrap()), &app(server));
                assert_eq!((hidden.status, hidden.masked()), (404, absent.masked()), "{theirs}{tail}");
            }
        }
        // Every type needs a scope of its own.
        let narrow = server.patient("p1", "patient/Patient.r");
        server.refused(&server.get("Observation/o1-p1", &narrow), 403, "AMANAT-SCOPE-0001", "scope");
    }
}

#[test]
fn every_spelling_of_a_patients_search_finds_the_same() {
    let servers = both();
    for of in ["MedicationRequest/m", "DiagnosticReport/r", "DocumentReference/d", "ServiceRequest/s", "Condition/c"] {
        let (of, mine) = of.split_once('/').unwrap();
        let mine = format!("{of}/{mine}-p1");
        for query in [
            format!("{of}?patient=p1"),
            format!("{of}?patient=Patient/p1"),
            format!("{of}?subject=Patient/p1"),
            format!("{of}?subject:Patient=p1"),
            format!("{of}?subject=https://localhost:8443/fhir/Patient/p1"),
            format!("{of}?subject=Patient/p1,Patient/p2"),
            format!("{of}?subject=Patient/p1&patient=p1"),
            of.to_owned(),
            format!("Patient/p1/{of}"),
        ] {
            finds(&servers, &query, &[&mine]);
        }
        for query in [format!("{of}?patient=p2"), format!("{of}?subject=Patient/p2"), format!("Patient/p2/{of}")] {
            finds(&servers, &query, &[]);
        }
    }
    finds(&servers, "Patient", &["Patient/p1"]);
    finds(&servers, "Patient?name=weber", &[]);
    finds(&servers, "Patient?_id=p1,p2", &["Patient/p1"]);
    for server in &servers {
        let form = server.call("POST", "Condition/_search").token(&app(server)).form("patient=p1,p2").send();
        assert_eq!(shown(&form), (200, vec!["Condition/c-p1".to_owned()]));
        assert_eq!(server.trail_of(&form)[0]["event"]["word"], "search-type", "no create");
    }
}

#[test]
fn joins_lead_nowhere_that_the_caller_does_not_see() {
    let servers = both();
    finds(&servers, "DiagnosticReport?result.patient.name=weber", &[]);
    finds(&servers, "DiagnosticReport?result.patient.name=ahmad", &["DiagnosticReport/r-p1"]);
    finds(&servers, "Practitioner?_has:Patient:general-practitioner:name=weber", &[]);
    finds(&servers, "Patient?_has:Observation:patient:_has:DiagnosticReport:result:status=final", &["Patient/p1"]);
    finds(
        &servers,
        "DiagnosticReport?_include=DiagnosticReport:result&_include:iterate=Observation:patient",
        &["DiagnosticReport/r-p1", "Observation/o1-p1", "Patient/p1"],
    );
    finds(&servers, "Patient?_id=p1&_include=Patient:link&_revinclude=Condition:subject", &["Condition/c-p1", "Patient/p1"]);
    finds(&servers, "Practitioner?_revinclude=Patient:general-practitioner", &["Patient/p1", "Practitioner/d1"]);
    for server in &servers {
        // Without a scope for what is led to, nothing of it is told.
        let narrow = server.patient("p1", "patient/DiagnosticReport.rs");
        assert_eq!(shown(&server.get("DiagnosticReport?_include=*", &narrow)), (200, vec!["DiagnosticReport/r-p1".to_owned()]));
        assert_eq!(shown(&server.get("DiagnosticReport?result.code=718-7", &narrow)), (200, Vec::new()));
    }
}

#[test]
fn writes_are_decided_on_all_that_they_name() {
    for server in &both() {
        let token = app(server);
        let of = |patient: &str| records::observation("x", patient, "laboratory");
        assert_eq!(server.post("Observation", &token, &of("p1")).status, 201);
        assert_eq!(server.post("Observation", &token, &of("p2")).status, 403);
        let mut two = json!({"resourceType": "Appointment", "status": "booked",
            "participant": [{"actor": {"reference": "Patient/p1"}, "status": "accepted"}, {"actor": {"reference": "Patient/p2"}, "status": "accepted"}]});
        assert_eq!(server.post("Appointment", &token, &two).status, 403, "every patient must be permitted");
        two["participant"].as_array_mut().unwrap().pop();
        assert_eq!(server.post("Appointment", &token, &two).status, 201);
        let patch = json!([{"op": "replace", "path": "/status", "value": "amended"}]);
        assert_eq!(server.patch("Observation/o1-p1", &token, &patch).status, 200);
        assert_eq!(server.patch("Observation/o1-p2", &token, &patch).status, 404);
        let reading = server.patient("p1", "patient/*.rs");
        server.refused(&server.patch("Observation/o1-p1", &reading, &patch), 403, "AMANAT-SCOPE-0001", "scope");
        let moved = json!([{"op": "replace", "path": "/subject/reference", "value": "Patient/p2"}]);
        assert!(matches!(server.patch("Observation/o1-p1", &token, &moved).status, 403 | 422));
        assert_eq!(server.delete("Observation/o2-p2", &token).status, 404);
        assert_eq!(server.delete("Observation/o2-p1", &token).status, 204);
        let mut nameless = of("p1");
        nameless.as_object_mut().unwrap().remove("id");
        let conditional = |query: &str| server.call("PUT", query).token(&token).json(&nameless).send().status;
        assert_eq!(conditional("Observation?identifier=urn:obs|o3-p2"), 201, "hidden is absent");
        assert_eq!(conditional("Observation?identifier=urn:obs|o3-p1"), 200);
        assert_eq!(server.delete("Condition?patient=p2", &token).status, 204, "nothing that it may see");
        assert_eq!(server.get("Condition/c-p2", &server.system("system/*.rs")).status, 200);
    }
}

#[test]
fn each_entry_of_a_bundle_is_a_request_of_its_own() {
    for server in &both() {
        let token = app(server);
        let get = |url: &str| json!({"request": {"method": "GET", "url": url}});
        let entries =
            json!([get("Observation/o1-p1"), get("Observation/o1-p2"), get("Condition?patient=p2"), get("Condition/_history")]);
        let reply =
            server.post("", &token, &json!({"resourceType": "Bundle", "type": "batch", "entry": entries})).expect(200).json();
        let status = |at: usize| reply["entry"][at]["response"]["status"].as_str().unwrap()[..3].to_owned();
        assert_eq!([status(0), status(1), status(2), status(3)], ["200", "404", "200", "200"]);
        assert!(!reply.to_string().contains("p2\"") || !reply["entry"][2].to_string().contains("c-p2"), "{reply}");
        assert!(!reply["entry"][3].to_string().contains("c-p2"), "{reply}");
        let entries = json!([
            {"resource": records::observation("n1", "p1", "laboratory"), "request": {"method": "POST", "url": "Observation"}},
            {"request": {"method": "DELETE", "url": "Observation/o3-p1"}},
            get("Observation/o4-p1"),
        ]);
        let all =
            server.post("", &token, &json!({"resourceType": "Bundle", "type": "transaction", "entry": entries})).expect(200);
        assert_eq!(all.json()["entry"].as_array().unwrap().len(), 3);
        assert_eq!(server.get("Observation/o3-p1", &token).status, 410);
        let theirs = json!([
            {"request": {"method": "DELETE", "url": "Observation/o4-p1"}},
            {"resource": records::observation("n2", "p2", "laboratory"), "request": {"method": "POST", "url": "Observation"}},
        ]);
        let refused = server.post("", &token, &json!({"resourceType": "Bundle", "type": "transaction", "entry": theirs}));
        assert_eq!(refused.status, 403, "{}", refused.text());
        assert_eq!(server.get("Observation/o4-p1", &token).status, 200, "all or nothing");
    }
}

#[test]
fn what_the_server_offers_past_these_ways_is_not_passed() {
    for server in &both() {
        let token = server.system("system/*.cruds");
        for (method, path) in [
            ("GET", "?_getpages=abc"),
            ("GET", "$export"),
            ("GET", "Patient/$export"),
            ("POST", "Patient/p1/$expunge"),
            ("POST", "$graphql"),
            ("GET", "Patient/p1/$nothing"),
            ("GET", "Nonsense/1"),
            ("GET", "Patient/p1/../p2"),
            ("GET", "Patient/p1%2f..%2fp2"),
        ] {
            let reply = server.call(method, path).token(&token).json(&json!({"resourceType": "Parameters"})).send();
            assert!(
                (400..=405).contains(&reply.status) || reply.status == 501,
                "{method} {path}: {} {}",
                reply.status,
                reply.text()
            );
        }
    }
}

#[test]
fn the_statement_is_the_gateways_own() {
    for server in &both() {
        let statement = server.get("metadata", "").expect(200).json();
        assert_eq!(statement["resourceType"], "CapabilityStatement");
        assert!(statement["rest"][0]["security"].is_object(), "the gateway's security, which the server behind has none of");
    }
}
