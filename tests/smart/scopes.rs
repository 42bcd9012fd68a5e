//! Scopes: what is understood, what each letter allows, and what of it a person's tokens carry.

use super::visitor::{HOME, Visitor, claims, clinic, exchange, request, text, tokens};
use crate::support::records::observation;
use crate::support::{BASE, Server};
use amanat::smart::Client;
use serde_json::{Value, json};

#[test]
fn s3_scopes_of_version_one_are_answered_as_they_were_asked() {
    let server = clinic();
    let told = tokens(&server, "amin", "launch/patient patient/Observation.read patient/Patient.read offline_access");
    assert_eq!(told["scope"], "launch/patient offline_access patient/Observation.read patient/Patient.read");
    server.get("Observation?_id=o1", text(&told, "access_token")).expect(200);
}

#[test]
fn s4_nothing_is_granted_beyond_the_registration() {
    let server = clinic();
    server.register(Client::app("narrow", "Narrow", vec![HOME.to_owned()], "openid patient/Patient.rs"));
    let mut visitor = Visitor::new(&server);
    let asked = request("openid fhirUser offline_access patient/*.cruds user/*.rs", &[("client_id", "narrow")]);
    let code = visitor.code(&asked, "amin");
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", HOME),
        ("client_id", "narrow"),
        ("code_verifier", super::visitor::VERIFIER),
    ];
    let told = super::visitor::ask(&server, &fields).expect(200).json();
    assert_eq!(told["scope"], "openid patient/Patient.rs");
    assert!(told.get("refresh_token").is_none());
}

#[test]
fn s5_a_patients_token_stays_with_the_patient() {
    let server = clinic();
    let told = tokens(&server, "amin", "patient/*.cruds");
    let token = text(&told, "access_token");
    server.get("Patient/p1", token).expect(200);
    for hidden in ["Patient/p2", "Observation/o2", "Condition/c2"] {
        server.get(hidden, token).expect(404);
    }
    assert!(server.get("Observation?patient=p2", token).expect(200).keys().is_empty());
}

#[test]
fn s6_a_user_scope_is_no_more_than_the_user() {
    let server = clinic();
    let patient = tokens(&server, "amin", "user/*.rs");
    assert_eq!(server.get("Patient", text(&patient, "access_token")).expect(200).keys(), ["Patient/p1"]);
    let mut visitor = Visitor::new(&server);
    let code = visitor.code(&request("user/*.rs", &[]), "khan");
    let clinician = exchange(&server, &code).expect(200).json();
    assert_eq!(server.get("Patient", text(&clinician, "access_token")).expect(200).keys().len(), 2);
}

#[test]
fn s1_letters_out_of_order_and_words_of_another_case_grant_nothing() {
    let server = clinic();
    for wrong in [
        "system/Patient.dus",
        "system/Patient.sr",
        "system/Patient.x",
        "system/Patient.rrs",
        "system/Patient.RS",
        "system/Patient.",
        "system/Patient",
        "System/Patient.rs",
        "system/patient.rs",
        "system/Nonsense.rs",
        "system/*.srduc",
        "everybody/Patient.rs",
        "system/Patient.rs?",
        "system/Patient.READ",
    ] {
        let reply = server.get("Patient/p1", &server.system(wrong));
        server.refused(&reply, 403, "AMANAT-SCOPE-0001", "scope");
    }
    server.get("Patient/p1", &server.system("system/Patient.sr system/Patient.r")).expect(200);
    let told = tokens(&server, "amin", "launch/patient patient/Patient.sr patient/observation.rs patient/Observation.rs");
    assert_eq!(told["scope"], "launch/patient patient/Observation.rs");
}

/// Asks with a token; the status.
type Asking<'s> = Box<dyn Fn(&str) -> u16 + 's>;

/// What is asked, and the letter that it needs.
fn cells(server: &Server) -> Vec<(&'static str, char, Asking<'_>)> {
    let new = || observation("x", "p1", "laboratory");
    let same = |id: &str| observation(id, "p1", "laboratory");
    let patch = json!([{"op": "replace", "path": "/status", "value": "amended"}]);
    vec![
        ("create", 'c', Box::new(move |token: &str| server.post("Observation", token, &new()).status)),
        ("read", 'r', Box::new(|token| server.get("Observation/o1", token).status)),
        ("vread", 'r', Box::new(|token| server.get("Observation/o1/_history/1", token).status)),
        ("history-instance", 'r', Box::new(|token| server.get("Observation/o1/_history", token).status)),
        ("update", 'u', Box::new(move |token| server.put("Observation/o1", token, &same("o1")).status)),
        ("update-as-create", 'u', Box::new(move |token| server.put("Observation/brand-new", token, &same("brand-new")).status)),
        ("patch", 'u', Box::new(move |token| server.patch("Observation/o1", token, &patch).status)),
        ("search-type", 's', Box::new(|token| server.get("Observation?_count=1", token).status)),
        (
            "search-type by POST",
            's',
            Box::new(|token| server.call("POST", "Observation/_search").token(token).form("_count=1").send().status),
        ),
        ("search-system", 's', Box::new(|token| server.get("?_type=Observation&_count=1", token).status)),
        ("history-type", 's', Box::new(|token| server.get("Observation/_history?_count=1", token).status)),
        ("delete", 'd', Box::new(|token| server.delete("Observation/v1", token).status)),
    ]
}

#[test]
fn s2_each_letter_allows_its_interactions_and_no_other() {
    let server = clinic();
    for (name, needed, asks) in cells(&server) {
        for letter in "crus".chars().chain(['d']) {
            let status = asks(&server.system(&format!("system/Observation.{letter}")));
            let allowed = (200..300).contains(&status);
            assert_eq!(allowed, letter == needed, "{name} with `{letter}`: {status}");
            assert!(allowed || status == 403, "{name} with `{letter}`: {status}");
        }
        assert_eq!(asks(&server.system("system/Condition.cruds")), 403, "{name} of another type");
        assert_eq!(asks(&server.system("user/Observation.cruds")), 403, "{name} of another level");
    }
}

#[test]
fn s9_granular_scopes_add_up_and_each_of_their_conditions_holds() {
    let server = clinic();
    server.seed(&[{
        let mut amended = observation("o9", "p1", "laboratory");
        amended["status"] = json!("amended");
        amended
    }]);
    let all = ["Observation/o1", "Observation/o9", "Observation/v1"];
    for (scope, shown) in [
        ("patient/Observation.rs?category=laboratory patient/Observation.rs?category=vital-signs", &all[..]),
        ("patient/Observation.rs?category=laboratory patient/Observation.rs", &all[..]),
        ("patient/Observation.rs?category=laboratory,vital-signs", &all[..]),
        ("patient/Observation.rs?category=laboratory", &all[..2]),
        ("patient/Observation.rs?category=laboratory&status=amended", &all[1..2]),
        ("patient/Observation.rs?category=vital-signs&status=amended", &[]),
    ] {
        let mut found = server.get("Observation", &server.patient("p1", scope)).expect(200).keys();
        found.sort();
        assert_eq!(found, shown, "{scope}");
    }
}

#[test]
fn s10_each_entry_of_a_bundle_is_authorized_by_itself() {
    let server = clinic();
    let token = server.system("system/Patient.rs");
    let entry = |method: &str, url: &str, content: Option<Value>| {
        let mut entry = json!({"request": {"method": method, "url": url}});
        if let Some(content) = content {
            entry["resource"] = content;
        }
        entry
    };
    let entries = [entry("GET", "Patient/p1", None), entry("POST", "Observation", Some(observation("x", "p1", "laboratory")))];
    let before = server.get("Observation?_summary=count", &server.system("system/*.rs")).json()["total"].clone();
    let bundle = |kind: &str| json!({"resourceType": "Bundle", "type": kind, "entry": entries});
    let batch = server.post("", &token, &bundle("batch")).expect(200).json();
    let status = |at: usize| batch["entry"][at]["response"]["status"].as_str().unwrap()[..3].to_owned();
    assert_eq!((status(0), status(1)), ("200".to_owned(), "403".to_owned()));
    let whole = server.post("", &token, &bundle("transaction"));
    server.refused(&whole, 403, "AMANAT-SCOPE-0001", "scope");
    assert_eq!(server.get("Observation?_summary=count", &server.system("system/*.rs")).json()["total"], before);
}

#[test]
fn s11_what_a_constraint_cannot_be_is_refused_and_never_left_out() {
    let server = clinic();
    for constraint in [
        "category:in=http://example.org/vs",
        "category:not=laboratory",
        "subject.name=Amin",
        "patient:Patient.name=Amin",
        "_has:Provenance:target:agent=x",
        "_filter=status eq final",
        "_sort=date",
        "_count=1",
        "_summary=count",
        "_include=Observation:patient",
        "nonsense=1",
        "category=",
        "category",
        "",
    ] {
        for scope in [format!("system/Observation.rs?{constraint}"), format!("system/*.rs?{constraint}")] {
            // A blank ends a scope, so what follows it is another one that is none.
            let reply = server.get("Observation?_count=1", &server.system(&scope));
            server.refused(&reply, 403, "AMANAT-SCOPE-0001", "scope");
        }
    }
}

#[test]
fn s12_the_wildcard_is_every_type_and_a_link_widens_nothing() {
    let server = clinic();
    let token = server.system("system/*.rs");
    for of in amanat::fhir::ResourceType::ALL.iter().map(|of| of.name()).filter(|of| *of != "AuditEvent") {
        let status = server.get(&format!("{of}?_count=1"), &token).status;
        assert!(status != 403, "{of}: {status}");
    }
    let mut linked = crate::support::records::patient("p1", "Amin");
    linked["link"] = json!([{"other": {"reference": "Patient/p2"}, "type": "seealso"}]);
    server.seed(&[linked]);
    let token = server.patient("p1", "patient/*.rs");
    server.get("Patient/p1", &token).expect(200);
    for hidden in ["Patient/p2", "Observation/o2"] {
        server.get(hidden, &token).expect(404);
    }
}

#[test]
fn s13_each_type_of_us_core_can_be_granted_by_itself() {
    let server = clinic();
    for of in [
        "AllergyIntolerance",
        "CarePlan",
        "CareTeam",
        "Condition",
        "Coverage",
        "Device",
        "DiagnosticReport",
        "DocumentReference",
        "Encounter",
        "Goal",
        "Immunization",
        "MedicationDispense",
        "MedicationRequest",
        "Observation",
        "Organization",
        "Patient",
        "Practitioner",
        "PractitionerRole",
        "Procedure",
        "Provenance",
        "QuestionnaireResponse",
        "RelatedPerson",
        "ServiceRequest",
        "Specimen",
        "Location",
        "Medication",
    ] {
        for (level, token) in [
            ("system", server.system(&format!("system/{of}.rs"))),
            ("user", server.clinician("d1", &format!("user/{of}.rs"))),
            ("patient", server.patient("p1", &format!("patient/{of}.rs"))),
        ] {
            server.get(&format!("{of}?_count=1"), &token).expect(200);
            let other = if of == "Observation" { "Condition" } else { "Observation" };
            assert_eq!(server.get(&format!("{other}?_count=1"), &token).status, 403, "{level}/{of}.rs");
        }
    }
}

#[test]
fn bp2_a_token_is_for_this_server_and_for_what_was_asked() {
    let server = clinic();
    let told = tokens(&server, "amin", "launch/patient patient/Patient.rs");
    let own = claims(text(&told, "access_token"));
    assert_eq!((&own["aud"], &own["scope"]), (&json!(BASE), &json!("launch/patient patient/Patient.rs")));
    for aud in [json!("https://other.example/fhir"), json!(format!("{BASE}/")), json!([])] {
        let foreign = server.token(json!({"scope": "system/*.rs", "aud": aud}));
        server.refused(&server.get("Patient/p1", &foreign), 401, "AMANAT-AUTH-0002", "token:audience");
    }
    server.change_client("app", |client| Client { proves_keys: true, ..client });
    let code = Visitor::new(&server).code(&request("patient/Patient.rs", &[]), "amin");
    assert_eq!(exchange(&server, &code).status, 400, "a client that can is held to it");
}
