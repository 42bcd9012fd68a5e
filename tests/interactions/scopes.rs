//! The decisions of `corpora/smart-scopes`, and granular scopes, over HTTP.

use super::{ALL, ward};
use crate::support::records::{observation, practitioner};
use crate::support::{Reply, Server};
use serde_json::{Value, json};

/// What a decision of the corpus is here.
enum Expect {
    Denied(u16),
    /// 200, exactly these.
    Shown(&'static [&'static str]),
}

use Expect::{Denied, Shown};

/// `scopes` and `request` as the corpus has them; the request as it is made here; what must come of it.
const DECISIONS: &[(&str, &str, &str, Expect)] = &[
    ("patient/Condition.rs patient/AllergyIntolerance.rs", "GET /Observation?patient=P", "Observation?patient=p1", Denied(403)),
    ("patient/Observation.r", "GET /Observation?patient=P", "Observation?patient=p1", Denied(403)),
    ("patient/Observation.s", "GET /Observation/o-of-P", "Observation/o1", Denied(403)),
    ("patient/*.rs", "GET /Observation?patient=OTHER", "Observation?patient=p2", Shown(&[])),
    ("patient/*.rs", "GET /Observation/o-of-OTHER", "Observation/o2", Denied(404)),
    (
        "patient/Observation.rs",
        "GET /Observation?patient=P&_include=Observation:subject",
        "Observation?patient=p1&_include=Observation:subject",
        Shown(&["Observation/o1", "Observation/v1"]),
    ),
    (
        "patient/Patient.rs",
        "GET /Patient/P?_revinclude / GET /Patient?_id=P&_revinclude=Observation:subject",
        "Patient?_id=p1&_revinclude=Observation:subject",
        Shown(&["Patient/p1"]),
    ),
    // The chain runs through what the caller may see, and Practitioner is not among it.
    ("patient/Patient.rs", "GET /Patient?general-practitioner.name=X", "Patient?general-practitioner.name=Khan", Shown(&[])),
    (
        "patient/Observation.rs?category=laboratory",
        "GET /Observation?patient=P",
        "Observation?patient=p1",
        Shown(&["Observation/o1"]),
    ),
    (
        "patient/Observation.rs?category=laboratory",
        "GET /Observation?patient=P&_total=accurate",
        "Observation?patient=p1&_total=accurate",
        Shown(&["Observation/o1"]),
    ),
    ("patient/Observation.rs", "POST / transaction including a create", "TRANSACTION", Denied(403)),
    (
        "user/*.read patient/Observation.write",
        "as patient principal: GET /Observation",
        "Observation",
        Shown(&["Observation/o1", "Observation/v1"]),
    ),
    ("patient/*.rs patient/Observation.u", "POST /Observation", "CREATE", Denied(403)),
    ("", "GET /Patient/P", "Patient/p1", Denied(403)),
    ("openid fhirUser launch/patient", "GET /Patient/P", "Patient/p1", Denied(403)),
    ("patient/*.rs (no patient claim in token)", "GET /Patient", "Patient", Denied(403)),
    ("system/*.rs with user token", "GET /Patient", "Patient", Denied(403)),
    ("system/Patient.rs", "GET /$export", "$export", Denied(404)),
    // The trail is for those whose scope names it.
    ("patient/*.rs", "GET /AuditEvent?patient=P", "AuditEvent?patient=p1", Denied(403)),
    ("patient/Patient.rs", "GET /Patient/P/$everything", "Patient/p1/$everything", Denied(404)),
    ("patient/Patient.read patient/Patient.cruds", "mixed v1+v2", "Patient?_id=p1", Shown(&["Patient/p1"])),
];

fn token(server: &Server, scopes: &str) -> String {
    match scopes.split_once(" with ").or_else(|| scopes.split_once(" (")) {
        Some((scopes, "user token")) => server.clinician("d1", scopes),
        Some((scopes, _)) => server.token(json!({"scope": scopes, "fhirUser": "Patient/p1"})),
        None => server.patient("p1", scopes),
    }
}

fn ask(server: &Server, token: &str, request: &str) -> Reply {
    let content = observation("x", "p1", "laboratory");
    match request {
        "CREATE" => server.post("Observation", token, &content),
        "TRANSACTION" => {
            let create = json!({"resource": content, "request": {"method": "POST", "url": "Observation"}});
            let read = json!({"request": {"method": "GET", "url": "Observation/o1"}});
            server.post("", token, &json!({"resourceType": "Bundle", "type": "transaction", "entry": [read, create]}))
        }
        path => server.get(path, token),
    }
}

#[test]
fn the_decisions_of_the_corpus_hold_over_http() {
    let server = ward();
    let before = server.get("Observation?_summary=count", &server.system(ALL)).json()["total"].clone();
    for (scopes, _, request, expected) in DECISIONS {
        let reply = ask(&server, &token(&server, scopes), request);
        let outcome = server.trail_of(&reply)[0]["outcome"].clone();
        match expected {
            Denied(status) => {
                assert_eq!((reply.status, outcome), (*status, json!("4")), "{scopes}: {request}: {}", reply.text());
                assert!(!reply.text().contains("valueQuantity"));
            }
            Shown(keys) => {
                assert_eq!((reply.status, outcome), (200, json!("0")), "{scopes}: {request}: {}", reply.text());
                assert_eq!(reply.keys(), *keys, "{scopes}: {request}");
                if let Some(total) = reply.json()["total"].as_u64() {
                    assert_eq!(usize::try_from(total).unwrap(), keys.len(), "{scopes}: {request}");
                }
            }
        }
    }
    assert_eq!(server.get("Observation?_summary=count", &server.system(ALL)).json()["total"], before);
}

#[test]
fn every_decision_of_the_corpus_is_among_them() {
    let folder = std::env::var("AMANAT_CORPORA").unwrap_or_else(|_| format!("{}/../shared/corpora", env!("CARGO_MANIFEST_DIR")));
    let Ok(text) = std::fs::read_to_string(format!("{folder}/smart-scopes/cases.json")) else {
        eprintln!("skipped: no corpora at {folder}");
        return;
    };
    let cases: Value = serde_json::from_str(&text).unwrap();
    for case in cases["decisions"].as_array().unwrap() {
        let known = DECISIONS.iter().any(|(scopes, request, ..)| case["scopes"] == *scopes && case["request"] == *request);
        assert!(known, "{case}");
    }
}

#[test]
fn a_granular_scope_holds_on_every_path() {
    let server = ward();
    let mut panel = observation("panel", "p1", "laboratory");
    panel["hasMember"] = json!([{"reference": "Observation/v1"}, {"reference": "Observation/o1"}]);
    server.seed(&[panel]);
    let lab = server.patient("p1", "patient/Observation.rs?category=laboratory patient/Patient.rs");
    let only = ["Observation/o1", "Observation/panel"];
    for path in [
        "Observation",
        "Observation?_id=o1,v1,panel",
        "Observation?category=laboratory,vital-signs",
        "Patient/p1/Observation",
        "?_type=Observation",
        "Observation?_include=Observation:has-member",
        "Observation?_sort=-_lastUpdated&_sort:x=1",
    ] {
        let reply = server.get(path, &lab);
        if reply.status == 400 {
            continue;
        }
        let mut keys = reply.expect(200).keys();
        keys.sort();
        assert_eq!(keys, only, "{path}");
    }
    assert_eq!(server.get("Observation?category=vital-signs", &lab).json()["total"], 0);
    assert_eq!(server.get("Observation?category:not=laboratory", &lab).json()["total"], 0);
    let mut with = server.get("Patient?_id=p1&_revinclude=Observation:subject", &lab).keys();
    with.sort();
    assert_eq!(with, ["Observation/o1", "Observation/panel", "Patient/p1"]);
    assert_eq!(server.get("Observation?_summary=count", &lab).json()["total"], 2);
    let mut pages = Vec::new();
    let mut next = Some("Observation?_count=1".to_owned());
    while let Some(path) = next {
        let page = server.get(&path, &lab).expect(200);
        pages.extend(page.keys());
        next = page.next();
    }
    pages.sort();
    assert_eq!(pages, only);
    for path in ["Observation/_history", "_history"] {
        assert!(server.get(path, &lab).expect(200).keys().iter().all(|key| key != "Observation/v1"), "{path}");
    }
    // Two constraints of one scope are both needed, values of one are either; several scopes add up; the whole type is the whole type.
    for (scopes, total) in [
        ("patient/Observation.rs?category=laboratory&status=amended", 0),
        ("patient/Observation.rs?category=laboratory,vital-signs", 3),
        ("patient/Observation.rs?category=laboratory patient/Observation.rs?category=vital-signs", 3),
        ("patient/Observation.rs?category=laboratory patient/Observation.rs", 3),
        ("patient/Observation.rs?category=http://terminology.hl7.org/CodeSystem/observation-category|vital-signs", 1),
    ] {
        assert_eq!(server.get("Observation?_summary=count", &server.patient("p1", scopes)).json()["total"], total, "{scopes}");
    }
    // What cannot be held to is not granted at all.
    for scopes in [
        "patient/Observation.rs?category:not=laboratory",
        "patient/Observation.rs?_sort=date",
        "patient/Observation.rs?nothing=1",
        "patient/Observation.rs?category=",
    ] {
        server.refused(&server.get("Observation", &server.patient("p1", scopes)), 403, "AMANAT-SCOPE-0001", "scope");
    }
}

#[test]
fn a_granular_history_shows_no_version_outside_the_constraint() {
    let server = ward();
    let all = server.system(ALL);
    let _ = server.put("Observation/o1", &all, &observation("o1", "p1", "vital-signs")).expect(200);
    let lab = server.patient("p1", "patient/Observation.rs?category=laboratory");
    // The current version is of another category: today the record is not the laboratory's to see.
    for path in ["Observation/o1", "Observation/o1/_history/2"] {
        server.refused(&server.get(path, &lab), 404, "AMANAT-REC-0001", "not-found");
    }
    assert!(!server.get("Observation/_history", &lab).expect(200).text().contains("\"code\":\"vital-signs\""));
}

#[test]
fn includes_obey_the_scope_of_their_own_type() {
    let server = ward();
    server.seed(&[practitioner("d2", "Malik")]);
    let mut seen = observation("seen", "p1", "laboratory");
    seen["performer"] = json!([{"reference": "Practitioner/d2"}]);
    seen["encounter"] = json!({"reference": "Encounter/e-p1"});
    server.seed(&[seen]);
    let with = |scopes: &str| {
        let token = server.patient("p1", scopes);
        let mut keys = server
            .get("Observation?_id=seen&_include=Observation:performer&_include=Observation:encounter", &token)
            .expect(200)
            .keys();
        keys.sort();
        keys
    };
    assert_eq!(with("patient/Observation.rs"), ["Observation/seen"]);
    assert_eq!(with("patient/Observation.rs patient/Practitioner.s"), ["Observation/seen"]);
    assert_eq!(with("patient/Observation.rs patient/Practitioner.r"), ["Observation/seen", "Practitioner/d2"]);
    assert_eq!(with("patient/*.rs"), ["Encounter/e-p1", "Observation/seen", "Practitioner/d2"]);
}
