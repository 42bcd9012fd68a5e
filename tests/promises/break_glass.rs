//! Emergency access: who gets it, what it opens, how it ends, and who hears of it.

use crate::interactions::operations::parameters;
use crate::support::records::{consent, observation, patient};
use crate::support::{ISSUER, Reply, Server};
use amanat::smart::Client;
use diesel::prelude::*;
use serde_json::{Value, json};

const SITE: &str =
    "[consent.break_glass]\nroles = [\"emergency-physician\"]\nacr = [\"urn:strong\"]\nreasons = [\"unconscious\"]\n";

const SCOPES: &str = "user/*.rs user/Observation.cruds user/AuditEvent.rs";

/// Two patients who deny everybody, but for the glass of the first.
fn hospital() -> Server {
    let server = Server::with("Policy-all-normal", SITE);
    let mut denial = consent("k1", "p1", "deny");
    let reasons = "http://terminology.hl7.org/CodeSystem/v3-ActReason";
    denial["provision"]["provision"] = json!([{"type": "permit", "purpose": [{"system": reasons, "code": "BTG"}]}]);
    let mut other = denial.clone();
    (other["id"], other["patient"]["reference"]) = (json!("k2"), json!("Patient/p2"));
    server.seed(&[
        patient("p1", "Amin"),
        patient("p2", "Bano"),
        observation("o1", "p1", "laboratory"),
        observation("o2", "p2", "laboratory"),
        denial,
        other,
    ]);
    server.register(ward(&["TREAT", "BTG"]));
    server.look_at_registry();
    server
}

fn ward(purposes: &[&str]) -> Client {
    let purposes = purposes.iter().map(|&purpose| purpose.to_owned()).collect();
    Client { issuer: Some(ISSUER.to_owned()), purposes, ..Client::app("ward", "Ward", Vec::new(), SCOPES) }
}

/// A physician who signed in a minute ago; `changes` replace claims.
fn physician(server: &Server, changes: Value) -> String {
    let mut claims = json!({
        "scope": SCOPES, "fhirUser": "Practitioner/d1", "client_id": "ward", "sub": "d1", "purpose_of_use": "TREAT",
        "roles": ["emergency-physician"], "acr": "urn:strong", "auth_time": server.clock.now().seconds() - 60,
    });
    for (name, value) in changes.as_object().unwrap() {
        claims[name] = value.clone();
    }
    server.token(claims)
}

fn ask(server: &Server, token: &str, patient: &str) -> Reply {
    let given =
        [json!({"name": "reason", "valueCode": "unconscious"}), json!({"name": "text", "valueString": "found unresponsive"})];
    server.post(&format!("Patient/{patient}/$break-glass"), token, &parameters(&given))
}

fn value(reply: &Reply, name: &str) -> Value {
    let document = reply.json();
    let found = document["parameter"].as_array().unwrap().iter().find(|one| one["name"] == name).unwrap().clone();
    found.as_object().unwrap().iter().find(|(name, _)| name.starts_with("value")).unwrap().1.clone()
}

fn token_of(reply: &Reply) -> String {
    value(reply, "access_token").as_str().unwrap().to_owned()
}

fn claims_of(token: &str) -> Value {
    use base64::Engine as _;
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

fn count(server: &Server, sql: &str) -> i64 {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = diesel::sql_types::BigInt)]
        n: i64,
    }
    if let Some(url) = server.schema() {
        return crate::support::postgres::ask(&url, sql)[0].parse().unwrap();
    }
    diesel::sql_query(sql).get_result::<Row>(&mut server.connect()).unwrap().n
}

#[test]
fn who_lacks_a_precondition_is_refused_alike_for_any_patient() {
    let server = hospital();
    let now = server.clock.now().seconds();
    let lacking = [
        (json!({"roles": ["nurse"]}), "role"),
        (json!({"roles": null}), ""),
        (json!({"fhirUser": "Patient/p1", "scope": "user/Patient.rs"}), "user"),
        (json!({"client_id": "unregistered"}), "client"),
    ];
    for (changes, why) in lacking {
        let token = physician(&server, changes);
        let replies = ["p1", "nobody"].map(|patient| ask(&server, &token, patient));
        if why.is_empty() {
            for reply in &replies {
                server.refused(reply, 401, "AMANAT-AUTH-0002", "token:roles");
            }
            continue;
        }
        for reply in &replies {
            server.refused(reply, 403, "AMANAT-BTG-0001", &format!("break-glass:{why}"));
        }
        assert_eq!(replies[0].masked(), replies[1].masked());
    }
    for changes in
        [json!({"auth_time": now - 301}), json!({"acr": "urn:weak"}), json!({"acr": "urn:strong", "auth_time": now - 3600})]
    {
        let token = physician(&server, changes);
        let replies = ["p1", "nobody"].map(|patient| ask(&server, &token, patient));
        for reply in &replies {
            server.refused(reply, 401, "AMANAT-AUTH-0004", "step-up");
            let challenge = reply.header("www-authenticate").unwrap();
            assert!(challenge.contains("insufficient_user_authentication") && challenge.contains("acr_values=\"urn:strong\""));
        }
        assert_eq!(replies[0].masked(), replies[1].masked());
    }
    assert_eq!(count(&server, "SELECT count(*) AS n FROM break_glass"), 0);
}

#[test]
fn reason_text_and_minutes_are_what_the_site_says() {
    let server = hospital();
    let token = physician(&server, json!({}));
    let ask = |list: &[Value]| server.post("Patient/p1/$break-glass", &token, &parameters(list));
    let (reason, text) = (json!({"name": "reason", "valueCode": "unconscious"}), json!({"name": "text", "valueString": "x"}));
    server.refused(&ask(std::slice::from_ref(&reason)), 400, "AMANAT-IN-0002", "input:invalid");
    server.refused(&ask(std::slice::from_ref(&text)), 400, "AMANAT-IN-0002", "input:invalid");
    let curious = json!({"name": "reason", "valueCode": "curious"});
    server.refused(&ask(&[curious, text.clone()]), 422, "AMANAT-IN-0003", "input:content");
    for minutes in [0, 241] {
        let minutes = json!({"name": "minutes", "valueInteger": minutes});
        server.refused(&ask(&[reason.clone(), text.clone(), minutes]), 422, "AMANAT-IN-0003", "input:content");
    }
    let reply = ask(&[reason, text, json!({"name": "minutes", "valueInteger": 5})]).expect(200);
    assert_eq!(value(&reply, "expires_in"), 300);
    server.refused(&self::ask(&server, &token, "nobody"), 404, "AMANAT-REC-0001", "not-found");
}

#[test]
fn a_grant_opens_one_patient_to_one_user_and_nothing_else() {
    let server = hospital();
    let old = physician(&server, json!({}));
    server.refused(&server.get("Observation/o1", &old), 404, "AMANAT-REC-0001", "not-found");
    let reply = ask(&server, &old, "p1").expect(200);
    let token = token_of(&reply);
    let claims = claims_of(&token);
    assert_eq!(claims["extensions"]["hl7-b2b"]["purpose_of_use"], json!(["BTG"]));
    assert_eq!(
        (&claims["patient"], &claims["fhirUser"], &claims["client_id"]),
        (&json!("p1"), &json!("Practitioner/d1"), &json!("ward"))
    );
    assert_eq!(claims["exp"].as_i64().unwrap(), server.clock.now().seconds() + 3600);
    assert_eq!(claims["scope"], "patient/*.rs patient/Observation.rs", "reading only, this patient only, no trail");
    let read = server.get("Observation/o1", &token).expect(200);
    let entry = &server.trail_of(&read)[0];
    assert_eq!((&entry["agent"]["purposes"], &entry["patients"]), (&json!(["BTG"]), &json!(["p1"])));
    assert_eq!(server.get("Observation?patient=p1", &token).expect(200).keys(), ["Observation/o1"]);
    // The other patient would show herself to the purpose BTG as well.
    server.refused(&server.get("Observation/o2", &token), 404, "AMANAT-REC-0001", "not-found");
    server.refused(&server.get("Patient/p2", &token), 404, "AMANAT-REC-0001", "not-found");
    assert!(server.get("Observation", &token).expect(200).keys().iter().all(|key| key != "Observation/o2"));
    let record = observation("o1", "p1", "vital-signs");
    server.refused(&server.put("Observation/o1", &token, &record), 403, "AMANAT-SCOPE-0001", "scope");
    server.refused(&server.get("AuditEvent", &token), 403, "AMANAT-SCOPE-0001", "scope");
    // The old token is what it was, and the new one is no way to a further grant.
    server.refused(&server.get("Observation/o1", &old), 404, "AMANAT-REC-0001", "not-found");
    server.refused(&ask(&server, &token, "p1"), 403, "AMANAT-BTG-0001", "break-glass:role");
}

#[test]
fn a_grant_ends_by_itself_by_its_user_and_with_its_client() {
    let server = hospital();
    let gone = |token: &str, why: &str| server.refused(&server.get("Observation/o1", token), 401, "AMANAT-AUTH-0002", why);
    let first = token_of(&ask(&server, &physician(&server, json!({})), "p1").expect(200));
    let _ = server.get("Observation/o1", &first).expect(200);
    let none = parameters(&[]);
    let stranger = server.token(
        json!({"scope": SCOPES, "fhirUser": "Practitioner/d2", "client_id": "ward", "sub": "d2", "purpose_of_use": "TREAT"}),
    );
    server.refused(&server.post("Patient/p1/$end-break-glass", &stranger, &none), 404, "AMANAT-REC-0001", "not-found");
    server.refused(&server.post("Patient/p2/$end-break-glass", &first, &none), 404, "AMANAT-REC-0001", "not-found");
    let ended = server.post("Patient/p1/$end-break-glass", &first, &none).expect(200);
    assert_eq!(server.trail_of(&ended)[0]["event"], json!({"kind": "override", "word": "ended"}));
    gone(&first, "token:grant");
    let second = token_of(&ask(&server, &physician(&server, json!({})), "p1").expect(200));
    server.wait(3599);
    let _ = server.get("Observation/o1", &second).expect(200);
    server.wait(1);
    gone(&second, "token:grant");
    let third = token_of(&ask(&server, &physician(&server, json!({})), "p1").expect(200));
    let _ = server.get("Observation/o1", &third).expect(200);
    server.disable("ward");
    gone(&third, "token:client-disabled");
}

#[test]
fn a_grant_is_told_reviewed_and_entered_with_the_answer() {
    let server = hospital();
    let token = physician(&server, json!({}));
    let reply = ask(&server, &token, "p1").expect(200);
    let entries = server.trail_of(&reply);
    assert_eq!(entries.len(), 1, "{entries:?}");
    let entry = &entries[0];
    assert_eq!(
        (&entry["event"], &entry["agent"]["purposes"]),
        (&json!({"kind": "override", "word": "started"}), &json!(["BTG"]))
    );
    assert_eq!(entry["patients"], json!(["p1"]));
    assert!(!entry.to_string().contains("unresponsive"), "the words of the user are no matter of the trail");
    let told =
        "SELECT count(*) AS n FROM notice WHERE rule = 'R9' AND taken = 0 AND recipient IN ('privacy-office', 'Patient/p1')";
    assert_eq!(count(&server, told), 2);
    assert_eq!(
        count(&server, "SELECT count(*) AS n FROM review_case WHERE state = 'open' AND due - opened = 72 * 3600 * 1000"),
        1
    );
    let _ = ask(&server, &token, "p1").expect(200);
    assert_eq!(
        count(&server, "SELECT count(*) AS n FROM notice WHERE recipient = 'privacy-office' AND text LIKE '%Not the first%'"),
        1
    );
    let auditor = server.system("system/AuditEvent.rs");
    let events = server.get("AuditEvent?patient=p1", &auditor).expect(200).json();
    let started: Vec<&Value> = events["entry"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| &entry["resource"])
        .filter(|event| event["subtype"][0]["code"] == "110127")
        .collect();
    assert_eq!(started.len(), 2, "{events}");
    assert_eq!(started[0]["purposeOfEvent"][0]["coding"][0]["code"], "BTG");
}

#[test]
fn a_token_is_bound_to_the_certificate_that_the_old_one_was_bound_to() {
    let server = hospital();
    let thumbprint = "A".repeat(43);
    let token = physician(&server, json!({"cnf": {"x5t#S256": thumbprint}}));
    // Without that certificate the old token itself is none.
    server.refused(&ask(&server, &token, "p1"), 401, "AMANAT-AUTH-0002", "token:certificate");
}

#[test]
fn the_purpose_alone_is_no_grant() {
    let server = hospital();
    let token = physician(&server, json!({"purpose_of_use": "BTG"}));
    // It meets the criteria of the consents, of both patients, as a purpose does.
    let _ = server.get("Observation/o1", &token).expect(200);
    let _ = server.get("Observation/o2", &token).expect(200);
    assert_eq!(count(&server, "SELECT count(*) AS n FROM break_glass"), 0);
    let claimed = physician(&server, json!({"extensions": {"amanat": {"break_glass": "x", "client_issuer": ISSUER}}}));
    server.refused(&server.get("Observation/o1", &claimed), 404, "AMANAT-REC-0001", "not-found");
}

#[test]
fn the_policy_for_emergencies_alone_opens_under_a_grant_and_never_else() {
    let server = Server::with("Policy-break-glass-only", SITE);
    server.seed(&[patient("p1", "Amin"), observation("o1", "p1", "laboratory")]);
    server.register(ward(&["TREAT", "BTG"]));
    server.look_at_registry();
    let claimed = physician(&server, json!({"purpose_of_use": "BTG"}));
    server.refused(&server.get("Observation/o1", &claimed), 404, "AMANAT-REC-0001", "not-found");
    let token = token_of(&ask(&server, &physician(&server, json!({})), "p1").expect(200));
    let _ = server.get("Observation/o1", &token).expect(200);
}

#[test]
fn a_grant_overrides_a_denial_only_where_the_site_says_so() {
    for (setting, status) in [("", 404), ("override = true\n", 200)] {
        let server = Server::with("Policy-all-normal", &format!("{SITE}{setting}"));
        server.seed(&[patient("p1", "Amin"), observation("o1", "p1", "laboratory"), consent("k1", "p1", "deny")]);
        server.register(ward(&["TREAT", "BTG"]));
        server.look_at_registry();
        let token = token_of(&ask(&server, &physician(&server, json!({})), "p1").expect(200));
        assert_eq!(server.get("Observation/o1", &token).status, status, "{setting}");
    }
}

fn notices(server: &Server, token: &str, query: &str) -> Vec<Value> {
    let reply = server.get(&format!("Patient/p1/$break-glass-notices{query}"), token).expect(200).json();
    reply["parameter"].as_array().cloned().unwrap_or_default()
}

fn part(notice: &Value, name: &str) -> String {
    let found = notice["part"].as_array().unwrap().iter().find(|one| one["name"] == name);
    found.map(|one| one["valueString"].as_str().unwrap_or_default().to_owned()).unwrap_or_default()
}

#[test]
fn what_was_told_is_read_and_taken_note_of_by_those_whom_it_is_for() {
    let server = hospital();
    let _ = ask(&server, &physician(&server, json!({})), "p1").expect(200);
    let office = server.system("system/Patient.rs system/AuditEvent.rs");
    let own = server.patient("p1", "patient/*.rs");
    let told = notices(&server, &office, "");
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(part(&told[0], "text").starts_with("Emergency access: Practitioner/d1"));
    let theirs = notices(&server, &own, "");
    assert_eq!(theirs.len(), 1);
    assert!(part(&theirs[0], "text").starts_with("Your record was opened"));
    // Nobody else, whether there are any or not.
    let clinician = server.clinician("d2", "user/*.rs");
    for patient in ["p1", "p2", "nobody"] {
        let reply = server.get(&format!("Patient/{patient}/$break-glass-notices"), &clinician);
        server.refused(&reply, 403, "AMANAT-BTG-0002", "notices");
        let reply = server.post(&format!("Patient/{patient}/$acknowledge-notice"), &clinician, &parameters(&[]));
        server.refused(&reply, 403, "AMANAT-BTG-0002", "notices");
    }
    let take = |token: &str, id: &str| {
        server.post("Patient/p1/$acknowledge-notice", token, &parameters(&[json!({"name": "notice", "valueString": id})]))
    };
    // The office's notice is not the patient's to take note of.
    server.refused(&take(&own, &part(&told[0], "id")), 404, "AMANAT-REC-0001", "not-found");
    let taken = take(&office, &part(&told[0], "id")).expect(200);
    let entries = server.trail_of(&taken);
    assert_eq!(entries[0]["event"], json!({"kind": "override", "word": "noticed"}), "{entries:?}");
    assert!(notices(&server, &office, "").is_empty());
    server.refused(&take(&office, &part(&told[0], "id")), 404, "AMANAT-REC-0001", "not-found");
    let all = notices(&server, &office, "?all=true");
    assert!(all[0].to_string().contains("acknowledged-by"), "{all:?}");
    assert_eq!(notices(&server, &own, "").len(), 1, "each for themselves");
}

#[test]
fn an_end_in_another_process_bites_on_the_next_request() {
    let server = hospital();
    let token = token_of(&ask(&server, &physician(&server, json!({})), "p1").expect(200));
    let _ = server.get("Observation/o1", &token).expect(200);
    let now = server.clock.now().0;
    diesel::sql_query(format!("UPDATE break_glass SET ended = {now}, ended_by = 'another'"))
        .execute(&mut server.connect())
        .unwrap();
    server.refused(&server.get("Observation/o1", &token), 401, "AMANAT-AUTH-0002", "token:grant");
}
