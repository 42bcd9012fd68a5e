//! `Patient/$match`.

use super::*;
use crate::interactions::operations::parameters;

fn ask(server: &Server, token: &str, patient: &Value, more: &[Value]) -> crate::support::Reply {
    let mut list = vec![json!({"name": "resource", "resource": patient})];
    list.extend(more.iter().cloned());
    server.post("Patient/$match", token, &parameters(&list))
}

fn grades(reply: &crate::support::Reply) -> Vec<(String, String)> {
    let bundle = reply.json();
    let grade = |entry: &Value| {
        (
            entry["resource"]["id"].as_str().unwrap().to_owned(),
            entry["search"]["extension"][0]["valueCode"].as_str().unwrap().to_owned(),
        )
    };
    bundle["entry"].as_array().into_iter().flatten().map(grade).collect()
}

#[test]
fn candidates_come_with_grade_and_score_the_best_first() {
    let server = laboratory();
    let token = server.system("system/Patient.rs");
    let by_number =
        json!({"resourceType": "Patient", "identifier": [{"system": "urn:id:MRN", "value": "1001"}], "birthDate": "1980-02-03"});
    let reply = ask(&server, &token, &by_number, &[]).expect(200);
    assert_eq!(grades(&reply), [("anne".to_owned(), "certain".to_owned())]);
    assert_eq!(reply.json()["type"], "searchset");
    assert!(reply.json()["entry"][0]["search"]["score"].as_f64().unwrap() > 0.6);
    let by_name = json!({"resourceType": "Patient", "name": [{"family": "Doe", "given": ["Anne"]}], "birthDate": "1980-02-03", "gender": "female"});
    let reply = ask(&server, &token, &by_name, &[]).expect(200);
    assert_eq!(grades(&reply), [("anne".to_owned(), "probable".to_owned())]);
    let certain = json!({"name": "onlyCertainMatches", "valueBoolean": true});
    assert!(grades(&ask(&server, &token, &by_name, std::slice::from_ref(&certain)).expect(200)).is_empty());
    assert_eq!(grades(&ask(&server, &token, &by_number, &[certain]).expect(200)).len(), 1);
}

#[test]
fn count_bounds_the_answer() {
    let server = laboratory();
    let mut twin = anne();
    twin["id"] = json!("twin");
    twin["identifier"] = json!([{"system": "urn:id:MRN", "value": "7"}]);
    server.seed(&[twin]);
    let by_name = json!({"resourceType": "Patient", "name": [{"family": "Doe", "given": ["Anne"]}], "birthDate": "1980-02-03"});
    let token = server.system("system/Patient.rs");
    assert_eq!(grades(&ask(&server, &token, &by_name, &[]).expect(200)).len(), 2);
    assert_eq!(grades(&ask(&server, &token, &by_name, &[json!({"name": "count", "valueInteger": 1})]).expect(200)).len(), 1);
}

#[test]
fn too_little_is_no_question_and_nobody_lists_patients_with_it() {
    let server = laboratory();
    let token = server.system("system/Patient.rs");
    for patient in [
        json!({"resourceType": "Patient"}),
        json!({"resourceType": "Patient", "gender": "female"}),
        json!({"resourceType": "Patient", "name": [{"family": "Doe"}]}),
        json!({"resourceType": "Patient", "name": [{"family": "Doe"}], "birthDate": "1980"}),
        json!({"resourceType": "Patient", "identifier": [{"value": "1001"}]}),
    ] {
        server.refused(&ask(&server, &token, &patient, &[]), 422, "AMANAT-IN-0003", "input:content");
    }
    server.refused(&ask(&server, &server.system("system/Patient.c"), &anne(), &[]), 403, "AMANAT-SCOPE-0001", "scope");
}

#[test]
fn who_is_hidden_from_the_caller_matches_nothing() {
    let server = laboratory();
    let own = server.patient("bob", "patient/*.rs");
    assert!(grades(&ask(&server, &own, &anne(), &[]).expect(200)).is_empty());
    let absent =
        json!({"resourceType": "Patient", "identifier": [{"system": "urn:id:MRN", "value": "0"}], "birthDate": "1980-02-03"});
    let (hidden, none) = (ask(&server, &own, &anne(), &[]), ask(&server, &own, &absent, &[]));
    assert_eq!(hidden.masked(), none.masked(), "a hidden patient and none are the same answer");
    let entry = server.trail_of(&hidden);
    assert_eq!(entry.len(), 1, "the question itself is an access");
}
