//! search of a type, of the system, of a compartment; by GET and by form.

use super::{ALL, ward};

#[test]
fn a_search_shows_what_the_caller_may_see_and_names_its_patients_in_the_trail() {
    let server = ward();
    let app = server.patient("p1", "patient/*.rs");
    for (method, path, form) in [
        ("GET", "Observation", None),
        ("POST", "Observation/_search", Some("")),
        ("GET", "Patient/p1/Observation", None),
        ("POST", "Patient/p1/Observation/_search", Some("status=final")),
        ("GET", "Observation?patient=p1,p2", None),
        ("GET", "Observation?_id=o1,o2,v1", None),
        ("GET", "?_type=Observation&_id=o1,o2,v1", None),
    ] {
        let call = server.call(method, path).token(&app);
        let reply = form.map_or_else(|| server.call(method, path).token(&app).send(), |form| call.form(form).send());
        server.allowed(&reply, 200, "search-type", &["p1"]);
        assert_eq!(reply.keys(), ["Observation/o1", "Observation/v1"], "{path}");
        assert_eq!(reply.json()["total"], 2, "{path}");
    }
    let reply = server.get("?_id=o1", &app);
    server.allowed(&reply, 200, "search-system", &["p1"]);
}

#[test]
fn a_search_for_somebody_else_is_as_empty_as_for_nobody() {
    let server = ward();
    let app = server.patient("p1", "patient/*.rs");
    for path in [
        "Observation?patient={}",
        "Observation?subject=Patient/{}",
        "Observation?subject:Patient={}",
        "Observation?patient=https://localhost:8443/fhir/Patient/{}",
        "Patient/{}/Observation",
        "Patient/{}/*",
        "Patient?_id={}",
        "Patient?identifier=mrn-{}",
        "?_type=Observation,Condition&_id={}",
        "?_type=Observation,Condition&patient={}",
        "?_type=Observation,Condition&patient:Patient={}&_sort=-_lastUpdated",
        "?_type=Observation,Condition&patient.identifier=mrn-{}",
        "Observation?patient={}&_summary=count",
        "Observation?patient={}&_total=accurate",
    ] {
        let ask = |id: &str| server.get(&path.replace("{}", id), &app);
        let (hidden, absent) = (ask("p2"), ask("pz"));
        let told = server.trail_of(&hidden);
        assert_eq!((hidden.status, &told[0]["outcome"]), (200, &"0".into()), "{path}");
        assert_eq!(told[0]["patients"], serde_json::Value::Null);
        assert_eq!(hidden.json()["total"], 0, "{path}");
        assert_eq!(hidden.masked().replace("p2", "pz"), absent.masked(), "{path}");
    }
}

#[test]
fn a_search_of_several_types_takes_what_each_of_them_defines() {
    let server = ward();
    let all = server.system(ALL);
    let reply = server.get("?_type=Observation,Condition&patient=p1&_total=accurate", &all);
    server.allowed(&reply, 200, "search-type", &["p1"]);
    assert_eq!((reply.keys().len(), &reply.json()["total"]), (3, &3.into()));
    let found = |query: &str, token: &str| {
        let mut keys = server.get(&format!("?_type=Observation,Condition&{query}"), token).expect(200).keys();
        keys.sort();
        keys
    };
    let everything = found("_count=50", &all);
    assert_eq!(found("patient=p1", &all), ["Condition/c1", "Observation/o1", "Observation/v1"]);
    assert_eq!(found("patient=p1,p2", &all), everything);
    assert_eq!(found("code=38341003", &all), ["Condition/c1", "Condition/c2"]);
    assert_eq!(found("code:not=38341003", &all), ["Observation/o1", "Observation/o2", "Observation/v1"]);
    assert_eq!(found("encounter:missing=true", &all), ["Observation/o1", "Observation/o2", "Observation/v1"]);
    assert_eq!(found("patient.family=Bano", &all), ["Condition/c2", "Observation/o2"]);
    assert_eq!(
        found("patient=p1,p2", &server.patient("p1", "patient/*.rs")),
        ["Condition/c1", "Observation/o1", "Observation/v1"]
    );
    // Page by page.
    let first = server.get("?_type=Observation,Condition&patient=p1&_count=2", &all).expect(200);
    let second = server.get(&first.next().unwrap(), &all).expect(200);
    assert_eq!((first.keys().len(), second.keys().len(), second.next()), (2, 1, None));
    for wrong in ["?_type=Observation,Organization&patient=p1", "?_type=Observation,Condition&status=final", "?patient=p1"] {
        server.refused(&server.get(wrong, &all), 400, "AMANAT-IN-0002", "input:invalid");
    }
}

#[test]
fn an_unknown_parameter_is_an_error_that_suggests_the_nearest_name() {
    let server = ward();
    let all = server.system(ALL);
    let reply = server.get("Observation?pateint=p1", &all);
    server.refused(&reply, 400, "AMANAT-IN-0002", "input:invalid");
    assert!(reply.text().contains("patient"), "{}", reply.text());
    for path in [
        "Observation?_filter=subject is Patient/p2",
        "Observation?_query=all",
        "Observation?date=yesterday",
        "Observation?_sort=nothing",
        "Observation?_include=Observation:nothing",
        "Observation?_count=-1",
        "Observation?_total=all",
        "Observation?status:below=final",
        "Observation?code%ZZ=1",
    ] {
        server.refused(&server.get(path, &all), 400, "AMANAT-IN-0002", "input:invalid");
    }
}

#[test]
fn what_narrows_is_never_ignored_even_when_handling_is_lenient() {
    let server = ward();
    let all = server.system(ALL);
    let lenient = |path: &str| server.call("GET", path).token(&all).header("Prefer", "handling=lenient").send();
    for path in ["Observation?_filter=(subject eq Patient/p2", "Observation?_query=x"] {
        server.refused(&lenient(path), 400, "AMANAT-IN-0002", "input:invalid");
    }
    let reply = lenient("Observation?colour=red").expect(200);
    assert!(reply.text().contains("colour"), "what was ignored is said: {}", reply.text());
    let own = reply.json()["link"][0]["url"].as_str().unwrap().to_owned();
    assert!(!own.contains("colour"), "the self link says what was understood: {own}");
}

#[test]
fn the_star_of_a_compartment_shows_the_types_that_are_granted() {
    let server = ward();
    let app = server.patient("p1", "patient/Observation.rs patient/Condition.rs");
    let reply = server.get("Patient/p1/*", &app);
    let mut keys = reply.expect(200).keys();
    keys.sort();
    assert_eq!(keys, ["Condition/c1", "Observation/o1", "Observation/v1"]);
    // Organization lies in no patient's compartment.
    server.refused(&server.get("Patient/p1/*", &server.system("system/Organization.rs")), 403, "AMANAT-SCOPE-0001", "scope");
}

#[test]
fn a_form_must_be_a_form() {
    let server = ward();
    let all = server.system(ALL);
    let reply = server.call("POST", "Observation/_search").token(&all).body("application/json", "{}").send();
    assert_eq!((reply.status, reply.code().as_str()), (415, "AMANAT-IN-0004"));
    let reply = server.call("GET", "Observation/_search").token(&all).send();
    server.refused(&reply, 405, "AMANAT-IN-0007", "input:method");
    let reply = server.call("PUT", "Patient/p1/Observation").token(&all).send();
    server.refused(&reply, 405, "AMANAT-IN-0007", "input:method");
}

#[test]
fn the_system_that_a_code_has_by_definition_may_be_named() {
    let server = ward();
    let all = server.system(ALL);
    for (query, expected) in [
        ("Patient?gender=http://hl7.org/fhir/administrative-gender|female", 2),
        ("Patient?gender=http://hl7.org/fhir/administrative-gender|", 2),
        ("Patient?gender=|female", 2),
        ("Patient?gender=http://hl7.org/fhir/other|female", 0),
        ("Patient?gender:not=http://hl7.org/fhir/administrative-gender|female", 0),
        ("Encounter?status=http://hl7.org/fhir/encounter-status|finished,http://hl7.org/fhir/encounter-status|planned", 2),
        ("Observation?encounter.status=http://hl7.org/fhir/encounter-status|finished", 0),
        ("Observation?status=http://hl7.org/fhir/observation-status|final", 3),
        ("Patient?_id:not=p1", 1),
        ("Patient?_id:not=p1,p2", 0),
    ] {
        assert_eq!(server.get(&format!("{query}&_total=accurate"), &all).expect(200).json()["total"], expected, "{query}");
    }
}
