//! The other doors: HTTPS, FHIR messages, and who is let in.

use super::*;

#[test]
fn a_message_over_https_is_acknowledged_in_the_answer() {
    let server = laboratory();
    let token = server.token(json!({"client_id": "site-lab", "scope": GRANT}));
    for (at, kind) in ["application/hl7-v2", "x-application/hl7-v2+er7", "application/hl7-v2; charset=utf-8"].iter().enumerate() {
        let control = format!("c{at}");
        let body = result(&control, "F", "95", "20260501090000+0000");
        let reply = server.call("POST", "/lab/v2").token(&token).body(kind, body).send().expect(200);
        assert_eq!(reply.header("content-type"), Some("application/hl7-v2"));
        assert_eq!((field(reply.text(), "MSA", 1), field(reply.text(), "MSA", 2)), ok(&control));
    }
    assert_eq!(find(&server, "DiagnosticReport?patient=anne").len(), 1);
    let wrong = server.call("POST", "/lab/v2").token(&token).body("application/hl7-v2", "nonsense").send().expect(200);
    assert_eq!(field(wrong.text(), "MSA", 1), "AE");
}

#[test]
fn who_may_not_is_refused_before_anything_is_stored() {
    let server = laboratory();
    let body = result("c1", "F", "95", "20260501090000+0000");
    let post = |token: &str, kind: &str| server.call("POST", "/lab/v2").token(token).body(kind, body.clone()).send();
    server.refused(&post("", "application/hl7-v2"), 401, "AMANAT-AUTH-0001", "token:missing");
    let expired = server.token(json!({"scope": GRANT, "exp": server.clock.now().seconds() - 60}));
    server.refused(&post(&expired, "application/hl7-v2"), 401, "AMANAT-AUTH-0002", "token:expired");
    server.refused(&post(&server.system("openid"), "application/hl7-v2"), 403, "AMANAT-SCOPE-0001", "scope");
    let token = server.system(GRANT);
    server.refused(&post(&token, "text/plain"), 400, "AMANAT-IN-0002", "input:invalid");
    assert_eq!(server.call("GET", "/lab/v2").token(&token).send().status, 405);
    assert!(inbox(&server).is_empty());
    let patient = server.patient("anne", "patient/*.cruds");
    assert_eq!(
        field(post(&patient, "application/hl7-v2").expect(200).text(), "MSA", 1),
        "AR",
        "a patient's grant opens nothing here"
    );
}

#[test]
fn whose_writes_are_locked_files_nothing() {
    let server = laboratory();
    let token = server.token(json!({"client_id": "site-lab", "scope": GRANT}));
    let row = "'r1', 'client', 'site-lab', 'write-lock', 0, 0, 'drill', 'officer'";
    server.execute(&format!("INSERT INTO restriction (id, kind, target, effect, begins, ends, reason, by) VALUES ({row})"));
    server.inside(|gateway| async move { gateway.look_at_restrictions().await });
    let body = result("c1", "F", "95", "20260501090000+0000");
    let over_https = server.call("POST", "/lab/v2").token(&token).body("application/hl7-v2", body).send();
    let as_message = server.post("$process-message", &token, &bundle("m1", "final", 95.5, "2026-05-01T09:00:00Z"));
    for reply in [over_https, as_message] {
        assert_eq!((reply.status, reply.code().as_str()), (503, "AMANAT-HOLD-0002"), "{}", reply.text());
        let entries = server.trail_of(&reply);
        assert_eq!((entries.len(), &entries[0]["reason"], &entries[0]["outcome"]), (1, &json!("suspended:writes"), &json!("4")));
    }
    assert!(inbox(&server).is_empty());
}

#[test]
fn who_is_locked_out_sends_over_mllp_in_vain_until_let_in_again() {
    let server = laboratory();
    let body = |control: &str| result(control, "F", "95", "20260501090000+0000");
    let look = || server.inside(|gateway| async move { gateway.look_at_restrictions().await });
    let rows = [
        "'client', 'lab', 'suspend'",
        "'client', 'lab', 'write-lock'",
        "'everybody', '', 'suspend'",
        "'everybody', '', 'write-lock'",
        "'address', '127.0.0.1', 'suspend'",
    ];
    for (at, row) in rows.into_iter().enumerate() {
        server.execute(&format!(
            "INSERT INTO restriction (id, kind, target, effect, begins, ends, reason, by) VALUES ('r{at}', {row}, 0, 0, 'drill', 'officer')"
        ));
        look();
        assert_eq!(Feed::open(&server).send(body("c1").as_bytes()), None, "{row}: neither taken nor refused");
        assert!(inbox(&server).is_empty(), "{row}");
        server.execute(&format!("UPDATE restriction SET lifted = 1 WHERE id = 'r{at}'"));
    }
    // Somebody else's is not this one's.
    let other = "INSERT INTO restriction (id, kind, target, effect, begins, ends, reason, by) VALUES ('o', 'client', 'other', 'suspend', 0, 0, 'drill', 'officer')";
    server.execute(other);
    look();
    assert_eq!(Feed::open(&server).told(body("c1")), ok("c1"), "it sends again what was not acknowledged");
}

fn bundle(id: &str, status: &str, value: f64, issued: &str) -> Value {
    let coding = json!([{"system": "http://loinc.org", "code": "2345-7"}]);
    json!({
        "resourceType": "Bundle", "type": "message", "timestamp": issued,
        "entry": [
            {"fullUrl": "urn:uuid:h", "resource": {"resourceType": "MessageHeader", "id": id, "eventCoding": {"system": "http://terminology.hl7.org/CodeSystem/v2-0003", "code": "R01"},
                "source": {"endpoint": "urn:lab"}, "focus": [{"reference": "urn:uuid:r"}]}},
            {"fullUrl": "urn:uuid:p", "resource": {"resourceType": "Patient", "identifier": [{"system": "urn:id:MRN", "value": "1001"}],
                "name": [{"family": "Doe", "given": ["Anne"]}], "birthDate": "1980-02-03"}},
            {"fullUrl": "urn:uuid:o", "resource": {"resourceType": "Observation", "identifier": [{"system": "urn:lab", "value": "O1"}], "status": status,
                "code": {"coding": coding}, "subject": {"reference": "urn:uuid:p"}, "issued": issued, "valueQuantity": {"value": value, "unit": "mg/dL"}}},
            {"fullUrl": "urn:uuid:r", "resource": {"resourceType": "DiagnosticReport", "identifier": [{"system": "urn:lab", "value": "R1"}], "status": status,
                "code": {"coding": coding}, "subject": {"reference": "urn:uuid:p"}, "issued": issued, "result": [{"reference": "urn:uuid:o"}]}},
        ],
    })
}

#[test]
fn a_fhir_message_is_filed_once_by_the_same_rules() {
    let server = laboratory();
    let token = server.token(json!({"client_id": "fhir-lab", "scope": GRANT}));
    let send = |body: &Value| {
        let answer = server.post("$process-message", &token, body).expect(200).json();
        let header = &answer["entry"][0]["resource"];
        (header["response"]["identifier"].as_str().unwrap().to_owned(), header["response"]["code"].as_str().unwrap().to_owned())
    };
    let first = bundle("m1", "final", 95.5, "2026-05-01T09:00:00Z");
    for _ in 0..3 {
        assert_eq!(send(&first), ("m1".to_owned(), "ok".to_owned()));
    }
    let report = only(&server, "DiagnosticReport?patient=anne");
    let told = only(&server, "Observation?patient=anne");
    assert_eq!(report["result"][0]["reference"], format!("Observation/{}", told["id"].as_str().unwrap()));
    assert_eq!(report["meta"]["versionId"], "1");
    assert_eq!(send(&bundle("m3", "corrected", 96.0, "2026-05-01T11:00:00Z")).1, "ok");
    assert_eq!(send(&bundle("m2", "final", 94.0, "2026-05-01T10:00:00Z")).1, "ok");
    assert_eq!(only(&server, "Observation?patient=anne")["valueQuantity"]["value"], 96.0);
    assert_eq!(inbox(&server), [state("filed", ""), state("filed", ""), state("superseded", "older")]);
    let mut stranger = bundle("m4", "final", 1.0, "2026-05-01T12:00:00Z");
    stranger["entry"][1]["resource"]["identifier"][0]["value"] = json!("9");
    stranger["entry"][1]["resource"]["name"][0]["family"] = json!("Nobody");
    assert_eq!(send(&stranger).1, "ok", "it is stored, and waits");
    assert_eq!(inbox(&server)[3].0, "held");
}

#[test]
fn what_is_no_fhir_message_is_refused() {
    let server = laboratory();
    let token = server.system(GRANT);
    let mut transaction = bundle("m1", "final", 1.0, "2026-05-01T09:00:00Z");
    transaction["type"] = json!("transaction");
    let mut headless = bundle("m1", "final", 1.0, "2026-05-01T09:00:00Z");
    headless["entry"].as_array_mut().unwrap().remove(0);
    for body in [transaction, headless] {
        server.refused(&server.post("$process-message", &token, &body), 422, "AMANAT-IN-0003", "input:content");
    }
    let narrow = server.system("system/MessageHeader.c system/Observation.c");
    let answer = server.post("$process-message", &narrow, &bundle("m2", "final", 1.0, "2026-05-01T09:00:00Z")).expect(200).json();
    assert_eq!(answer["entry"][0]["resource"]["response"]["code"], "fatal-error");
    assert!(find(&server, "Observation").is_empty(), "all or nothing");
}
