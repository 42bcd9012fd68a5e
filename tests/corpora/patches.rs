//! JSON Patch over HTTP.

use super::hospital::{Hospital, Reply};

const PATIENT: &str =
    r#"{"resourceType":"Patient","id":"p","active":true,"name":[{"family":"Shah","given":["Ali"]}],"multipleBirthInteger":2}"#;

fn patch(hospital: &Hospital, headers: &[(&str, &str)], body: &str) -> Reply {
    let usual = [("Content-Type", "application/json-patch+json")];
    let headers: Vec<_> = if headers.iter().any(|(name, _)| *name == "Content-Type") { Vec::new() } else { usual.to_vec() }
        .into_iter()
        .chain(headers.iter().copied())
        .collect();
    hospital.send("PATCH", "Patient/p", &headers, body.into())
}

#[test]
fn operations_of_a_patch_change_the_record_together() {
    let hospital = Hospital::open("system/*.cruds");
    assert_eq!(hospital.put("Patient/p", PATIENT).status, 201);
    let reply = patch(
        &hospital,
        &[],
        r#"[{"op":"test","path":"/active","value":true},{"op":"add","path":"/name/0/given/-","value":"Raza"},
            {"op":"replace","path":"/name/0/family","value":"Khan"},{"op":"remove","path":"/multipleBirthInteger"},
            {"op":"copy","from":"/name/0/given/0","path":"/name/0/given/0"},{"op":"add","path":"/gender","value":"male"}]"#,
    );
    assert_eq!((reply.status, reply.etag.as_str()), (200, "W/\"2\""), "{}", reply.diagnosis());
    let now = hospital.get("Patient/p").tree().without_stamp().to_string();
    let expected = r#"{"resourceType":"Patient","id":"p","active":true,"name":[{"family":"Khan","given":["Ali","Ali","Raza"]}],"gender":"male"}"#;
    assert_eq!(now, expected);
}

#[test]
fn a_patch_that_fails_changes_nothing() {
    let hospital = Hospital::open("system/*.cruds");
    assert_eq!(hospital.put("Patient/p", PATIENT).status, 201);
    let failing = [
        (422, r#"[{"op":"replace","path":"/active","value":false},{"op":"test","path":"/name/0/family","value":"Khan"}]"#),
        (422, r#"[{"op":"remove","path":"/gender"}]"#),
        (422, r#"[{"op":"replace","path":"/resourceType","value":"Practitioner"}]"#),
        (422, r#"[{"op":"replace","path":"/id","value":"q"}]"#),
        (422, r#"[{"op":"add","path":"/nickname","value":"Ali"}]"#),
        (400, r#"{"op":"remove","path":"/active"}"#),
        (400, r#"[{"op":"remove","path":"/active"}"#),
    ];
    for (status, body) in failing {
        let reply = patch(&hospital, &[], body);
        assert_eq!(reply.status, status, "{body}: {}", reply.diagnosis());
        assert!(reply.text.contains("OperationOutcome"), "{body}: {}", reply.text);
    }
    let plain = patch(&hospital, &[("Content-Type", "text/plain")], r#"[{"op":"remove","path":"/active"}]"#);
    assert_eq!(plain.status, 415, "{}", plain.diagnosis());
    let late = patch(&hospital, &[("If-Match", "W/\"7\"")], r#"[{"op":"remove","path":"/active"}]"#);
    assert_eq!(late.status, 412, "{}", late.diagnosis());
    let now = hospital.get("Patient/p");
    assert_eq!((now.etag.as_str(), now.tree().without_stamp().to_string().as_str()), ("W/\"1\"", PATIENT));
    let timely = patch(&hospital, &[("If-Match", "W/\"1\"")], r#"[{"op":"remove","path":"/active"}]"#);
    assert_eq!(timely.status, 200, "{}", timely.diagnosis());
}
