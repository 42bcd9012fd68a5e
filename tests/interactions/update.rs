//! update: `PUT Type/id`

use super::{ALL, hidden_as_absent, ward};
use crate::support::records::{condition, consent, observation, patient, practitioner};
use crate::support::{ISSUER, Server};
use amanat::smart::Client;
use serde_json::json;

#[test]
fn an_update_makes_the_next_version() {
    let server = ward();
    let app = server.patient("p1", "patient/Observation.ru");
    let reply = server.put("Observation/o1", &app, &observation("o1", "p1", "vital-signs"));
    server.allowed(&reply, 200, "update", &["p1"]);
    assert_eq!(reply.header("etag"), Some("W/\"2\""));
    assert_eq!(server.trail_of(&reply)[0]["records"], json!(["Observation/o1/_history/2"]));
}

#[test]
fn an_update_of_a_hidden_record_is_not_found() {
    let server = ward();
    let app = server.patient("p1", "patient/*.cruds");
    let mine = observation("x", "p1", "laboratory");
    hidden_as_absent(&server, &app, "PUT", "Observation/o2", "Observation/nope", Some(&mine));
    hidden_as_absent(&server, &app, "PUT", "Patient/p2", "Patient/p9", Some(&patient("x", "New")));
    let lab = server.system("system/Observation.cruds?category=laboratory");
    hidden_as_absent(&server, &lab, "PUT", "Observation/v1", "Observation/nope", Some(&mine));
    // Preconditions come after existence.
    for (name, value) in [("If-Match", "W/\"7\""), ("If-None-Match", "*")] {
        let ask = |id: &str| {
            let body = observation(id, "p1", "laboratory");
            server.call("PUT", &format!("Observation/{id}")).token(&app).header(name, value).json(&body).send()
        };
        assert_eq!(ask("o2").masked(), ask("nope").masked());
        server.refused(&ask("o2"), 404, "AMANAT-REC-0001", "not-found");
    }
    // And so does content.
    let broken = json!({"resourceType": "Observation", "colour": "red"});
    hidden_as_absent(&server, &app, "PUT", "Observation/o2", "Observation/nope", Some(&broken));
}

#[test]
fn an_update_moves_no_record_to_another_patient() {
    let server = ward();
    let app = server.patient("p1", "patient/*.cruds");
    let reply = server.put("Observation/o1", &app, &observation("o1", "p2", "laboratory"));
    server.refused(&reply, 403, "AMANAT-SCOPE-0002", "compartment");
    let reply = server.put("Observation/o1", &server.system(ALL), &observation("o1", "p2", "laboratory"));
    server.refused(&reply, 422, "AMANAT-IN-0003", "input:content");
    let lab = server.system("system/Observation.cruds?category=laboratory");
    let reply = server.put("Observation/o1", &lab, &observation("o1", "p1", "vital-signs"));
    server.refused(&reply, 403, "AMANAT-SCOPE-0002", "compartment");
    assert_eq!(server.get("Observation/o1", &app).header("etag"), Some("W/\"1\""));
}

#[test]
fn a_stale_update_is_refused_and_a_current_one_is_not() {
    let server = ward();
    let all = server.system(ALL);
    let body = observation("o1", "p1", "laboratory");
    let put = |name: &str, value: &str| server.call("PUT", "Observation/o1").token(&all).header(name, value).json(&body).send();
    server.refused(&put("If-Match", "W/\"9\""), 412, "AMANAT-REC-0003", "input:version");
    server.refused(&put("If-None-Match", "*"), 412, "AMANAT-REC-0003", "input:version");
    server.refused(&put("If-Match", "nonsense"), 400, "AMANAT-IN-0002", "input:invalid");
    server.refused(&put("If-None-Match", "W/\"1\""), 400, "AMANAT-IN-0002", "input:invalid");
    assert_eq!(put("If-Match", "W/\"1\"").expect(200).header("etag"), Some("W/\"2\""));
    server.refused(&put("If-Match", "W/\"1\""), 412, "AMANAT-REC-0003", "input:version");
}

#[test]
fn an_update_creates_where_nothing_is_and_the_grant_covers_the_type() {
    let server = ward();
    let all = server.system(ALL);
    let body = observation("chosen", "p1", "laboratory");
    let put = || server.call("PUT", "Observation/chosen").token(&all).header("If-None-Match", "*").json(&body).send();
    let reply = put();
    server.allowed(&reply, 201, "update", &["p1"]);
    assert_eq!(reply.header("location"), Some("https://localhost:8443/fhir/Observation/chosen/_history/1"));
    server.refused(&put(), 412, "AMANAT-REC-0003", "input:version");
    let _ = server.delete("Observation/chosen", &all).expect(204);
    assert_eq!(put().expect(201).header("etag"), Some("W/\"3\""), "versions go on after a delete");
}

#[test]
fn a_deleted_record_that_comes_back_is_created_in_each_way_that_brings_it_back() {
    let server = ward();
    let all = server.system(ALL);
    let body = observation("o1", "p1", "laboratory");
    let gone = || drop(server.delete("Observation/o1", &all).expect(204));
    let at = |version: u32| format!("https://localhost:8443/fhir/Observation/o1/_history/{version}");
    gone();
    let reply = server.put("Observation/o1", &all, &body);
    server.allowed(&reply, 201, "update", &["p1"]);
    assert_eq!(reply.header("location"), Some(at(3).as_str()));
    assert_eq!(server.put("Observation/o1", &all, &body).status, 200, "only what was gone is created");
    gone();
    let reply = server.put("Observation?identifier=urn:obs|o1", &all, &body);
    server.allowed(&reply, 201, "update", &["p1"]);
    assert_eq!(reply.header("location"), Some(at(6).as_str()));
    let entry = json!({"resource": body, "request": {"method": "PUT", "url": "Observation/o1"}});
    for (kind, version) in [("batch", 8), ("transaction", 10)] {
        gone();
        let bundle = json!({"resourceType": "Bundle", "type": kind, "entry": [entry]});
        let response = server.post("", &all, &bundle).expect(200).json()["entry"][0]["response"].clone();
        assert_eq!((&response["status"], &response["location"]), (&json!("201"), &json!(at(version))), "{kind}");
    }
    // To whom the grant shows no more than this patient's records, what they saw before can come back too.
    gone();
    server.allowed(&server.put("Observation/o1", &server.patient("p1", "patient/Observation.u"), &body), 201, "update", &["p1"]);
}

#[test]
fn ids_and_types_must_agree_and_views_are_not_put_back() {
    let server = ward();
    let all = server.system(ALL);
    let mut nameless = observation("o1", "p1", "laboratory");
    nameless.as_object_mut().unwrap().remove("id");
    for body in [observation("other", "p1", "laboratory"), nameless, patient("o1", "x")] {
        server.refused(&server.put("Observation/o1", &all, &body), 400, "AMANAT-IN-0002", "input:invalid");
    }
    for view in ["_elements=id,status,code", "_summary=true", "_summary=text", "_summary=data"] {
        let part = server.get(&format!("Observation/o1?{view}"), &all).expect(200).json();
        server.refused(&server.put("Observation/o1", &all, &part), 422, "AMANAT-IN-0003", "input:content");
    }
    server.refused(
        &server.put("Observation/o1?x=1", &all, &observation("o1", "p1", "laboratory")),
        400,
        "AMANAT-IN-0002",
        "input:invalid",
    );
}

#[test]
fn only_clients_who_are_trusted_to_choose_ids_create_by_update() {
    let server = Server::with_issuer("update_as_create = false");
    let all = server.system(ALL);
    let lent = |id: &str| practitioner(id, "Khan");
    server.register(Client { issuer: Some(ISSUER.to_owned()), may_choose_ids: true, ..registered("trusted") });
    server.register(Client { issuer: Some(ISSUER.to_owned()), ..registered("stranger") });
    server.look_at_registry();
    let of = |client: &str| server.token(json!({"scope": ALL, "client_id": client}));
    server.allowed(&server.put("Practitioner/d1", &of("trusted"), &lent("d1")), 201, "update", &[]);
    server.allowed(&server.put("Practitioner/d1", &of("stranger"), &lent("d1")), 200, "update", &[]);
    for token in [&all, &of("stranger")] {
        server.refused(&server.put("Practitioner/d2", token, &lent("d2")), 404, "AMANAT-REC-0001", "not-found");
        let named = server.put("Practitioner?name=Bano", token, &lent("d2"));
        server.refused(&named, 404, "AMANAT-REC-0001", "not-found");
        let entry = json!({"resource": lent("d2"), "request": {"method": "PUT", "url": "Practitioner/d2"}});
        let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": [entry]});
        server.refused(&server.post("", token, &bundle), 404, "AMANAT-REC-0001", "not-found");
    }
    // What a patient withholds answers as what is not there.
    let trusted = of("trusted");
    server.allowed(&server.put("Patient/p1", &trusted, &patient("p1", "Amin")), 201, "update", &["p1"]);
    server.allowed(&server.put("Condition/c1", &trusted, &condition("c1", "p1")), 201, "update", &["p1"]);
    let officer = server.token(json!({"scope": "system/Consent.cruds", "client_id": "trusted"}));
    server.allowed(&server.put("Consent/no", &officer, &consent("no", "p1", "deny")), 201, "update", &["p1"]);
    hidden_as_absent(&server, &of("stranger"), "PUT", "Condition/c1", "Condition/free", Some(&condition("x", "p1")));
    hidden_as_absent(&server, &of("stranger"), "DELETE", "Condition/c1", "Condition/free", None);
}

fn registered(id: &str) -> Client {
    Client::app(id, id, vec!["http://127.0.0.1:1/".to_owned()], ALL)
}
