//! A change of consent bites on the next request, on every path.

use crate::support::Server;
use crate::support::records::{consent, observation, patient};
use serde_json::json;

fn filled() -> (Server, String, String) {
    let server = Server::open();
    server.seed(&[
        patient("p1", "Amin"),
        patient("p2", "Bano"),
        observation("o1", "p1", "laboratory"),
        observation("o2", "p2", "laboratory"),
        observation("v1", "p1", "vital-signs"),
        observation("v2", "p2", "vital-signs"),
    ]);
    let officer = server.system("system/Consent.cruds");
    // A denial to everybody hides the consent itself: then only the patient can take it back.
    let own = server.patient("p2", "patient/Consent.cruds");
    (server, officer, own)
}

fn revoke(server: &Server, place: &str, token: &str) {
    let _ = server.patch(place, token, &json!([{"op": "replace", "path": "/status", "value": "inactive"}])).expect(200);
}

#[test]
fn a_denial_bites_on_the_next_request_and_ends_when_it_is_taken_back() {
    let (server, officer, own) = filled();
    let token = server.clinician("d1", "user/*.rs");
    let shown = || {
        let read = server.get("Observation/o2", &token).status;
        (read, server.get("Observation?_summary=count", &token).json()["total"].as_u64().unwrap())
    };
    assert_eq!(shown(), (200, 4));
    let _ = server.put("Consent/k2", &officer, &consent("k2", "p2", "deny")).expect(201);
    assert_eq!(shown(), (404, 2));
    server.refused(&server.get("Observation/o2", &token), 404, "AMANAT-REC-0001", "not-found");
    let mut ended = consent("k2", "p2", "deny");
    ended["status"] = json!("inactive");
    let _ = server.put("Consent/k2", &own, &ended).expect(200);
    assert_eq!(shown(), (200, 4));
    let _ = server.put("Consent/k2", &own, &consent("k2", "p2", "deny")).expect(200);
    assert_eq!(shown(), (404, 2));
    let patch = json!([{"op": "replace", "path": "/provision/type", "value": "permit"}]);
    let _ = server.patch("Consent/k2", &own, &patch).expect(200);
    assert_eq!(shown(), (200, 4));
    let _ = server.put("Consent/k2", &own, &consent("k2", "p2", "deny")).expect(200);
    let _ = server.put("Consent/k2", &own, &ended).expect(200);
    assert_eq!(shown(), (200, 4));
    let entry = json!({"resource": consent("k3", "p2", "deny"), "request": {"method": "POST", "url": "Consent"}});
    for kind in ["transaction", "batch"] {
        let reply = server.post("", &officer, &json!({"resourceType": "Bundle", "type": kind, "entry": [entry]})).expect(200);
        assert_eq!(shown(), (404, 2), "{kind}");
        let place = reply.json()["entry"][0]["response"]["location"].as_str().unwrap().rsplit('/').nth(2).unwrap().to_owned();
        revoke(&server, &format!("Consent/{place}"), &own);
        assert_eq!(shown(), (200, 4), "{kind}");
    }
}

#[test]
fn a_consent_begins_and_ends_with_its_period() {
    let (server, officer, _) = filled();
    let token = server.clinician("d1", "user/*.rs");
    let mut bounded = consent("k2", "p2", "deny");
    bounded["provision"]["period"] = json!({"start": "2026-06-01T12:10:00Z", "end": "2026-06-01T12:20:00Z"});
    let _ = server.put("Consent/k2", &officer, &bounded).expect(201);
    let status = || server.get("Observation/o2", &token).status;
    assert_eq!(status(), 200);
    server.wait(601);
    assert_eq!(status(), 404);
    server.wait(700);
    assert_eq!(status(), 200);
}

#[test]
fn a_link_from_before_a_denial_shows_less_and_has_no_gaps() {
    let (server, officer, _) = filled();
    let token = server.clinician("d1", "user/*.rs");
    let paths = ["Observation?_count=1", "Observation?_count=1&_sort=-_lastUpdated", "Observation/_history?_count=1"];
    for (at, path) in paths.into_iter().enumerate() {
        let name = format!("k-{at}");
        let first = server.get(path, &token).expect(200);
        let denied = if first.keys()[0].ends_with('1') { "p2" } else { "p1" };
        let _ = server.put(&format!("Consent/{name}"), &officer, &consent(&name, denied, "deny")).expect(201);
        let mut next = first.next();
        let mut seen = first.keys();
        while let Some(link) = next {
            let page = server.get(&link, &token).expect(200);
            assert!(!page.text().contains(&format!("Patient/{denied}")), "{path}: {}", page.text());
            assert_eq!(page.keys().len(), 1, "{path}: a page is full or the last");
            seen.extend(page.keys());
            next = page.next();
        }
        assert_eq!(seen.len(), 2, "{path}: {seen:?}");
        revoke(&server, &format!("Consent/{name}"), &server.patient(denied, "patient/Consent.cruds"));
    }
}

#[test]
fn what_tells_of_a_record_is_withheld_with_it() {
    let (server, officer, _) = filled();
    let token = server.clinician("d1", "user/*.rs");
    let writer = server.system("system/*.cruds");
    let told = json!({
        "resourceType": "Provenance", "id": "told", "recorded": "2026-05-01T08:00:00Z", "target": [{"reference": "Observation/o2"}],
        "agent": [{"who": {"reference": "Practitioner/d1"}}],
    });
    let attached = json!({"resourceType": "Binary", "id": "attached", "contentType": "text/plain", "data": "c2VjcmV0",
        "securityContext": {"reference": "Observation/o2"}});
    let _ = server.put("Provenance/told", &writer, &told).expect(201);
    let _ = server.put("Binary/attached", &writer, &attached).expect(201);
    // In one transaction with what it tells of, and before it.
    let entry = |url: &str, resource: &serde_json::Value| json!({"fullUrl": format!("https://x.example/{url}"), "resource": resource, "request": {"method": "PUT", "url": url}});
    let mut both = told;
    both["id"] = json!("both");
    both["target"][0]["reference"] = json!("Observation/o3");
    let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": [
        entry("Provenance/both", &both), entry("Observation/o3", &observation("o3", "p2", "laboratory"))]});
    let _ = server.post("", &writer, &bundle).expect(200);
    let all = ["Provenance/told", "Provenance/both", "Binary/attached"];
    let shown = || all.map(|path| server.get(path, &token).status);
    assert_eq!(shown(), [200, 200, 200]);
    let _ = server.put("Consent/k2", &officer, &consent("k2", "p2", "deny")).expect(201);
    assert_eq!(shown(), [404, 404, 404]);
    assert_eq!(server.get("Provenance?_summary=count", &token).json()["total"], 0);
}

#[test]
fn a_role_holds_nothing_above_its_ceiling_whatever_patients_say() {
    let sections = "implicit_max_conf = \"V\"\n[[consent.ceilings]]\nrole = \"billing\"\nlabels = [\"ETH\"]\n\
                    [[consent.ceilings]]\nrole = \"volunteer\"\nmax_conf = \"N\"\n";
    let server = Server::with("Policy-all-normal", sections);
    let mut labelled = observation("alc", "p1", "laboratory");
    labelled["meta"] = json!({"security": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "ETHUD"}]});
    server.seed(&[patient("p1", "Amin"), labelled, observation("o1", "p1", "laboratory"), consent("k1", "p1", "permit")]);
    let seen = |roles: serde_json::Value| {
        let claims = json!({"scope": "user/*.rs", "fhirUser": "Practitioner/d1", "purpose_of_use": "TREAT", "roles": roles});
        let token = server.token(claims);
        let count = server.get("Observation?_summary=count", &token).expect(200).json()["total"].as_u64().unwrap();
        (server.get("Observation/alc", &token).status, count)
    };
    assert_eq!(seen(json!(["nurse"])), (200, 2));
    assert_eq!(seen(json!(["billing"])), (404, 1));
    assert_eq!(seen(json!(["nurse", "volunteer"])), (404, 1));
}

#[test]
fn a_consent_whose_patient_is_named_by_identifier_binds_that_patient() {
    let (server, officer, _) = filled();
    let token = server.clinician("d1", "user/*.rs");
    let clerk = server.system("system/*.cruds system/Consent.cruds");
    let by = |value: &str| {
        let mut denial = consent("k9", "p2", "deny");
        denial["patient"] = json!({"identifier": {"system": "urn:mrn", "value": value}, "display": "Bano"});
        denial
    };
    let reply = server.put("Consent/k9", &clerk, &by("mrn-nobody"));
    assert_eq!((reply.status, reply.json()["issue"][0]["expression"][0].as_str()), (422, Some("Consent.patient")));
    let _ = server.put("Consent/k9", &clerk, &by("mrn-p2")).expect(201);
    assert_eq!(server.get("Observation/o2", &token).status, 404, "it denies at once");
    let stored = server.get("Consent/k9", &officer).expect(200).json();
    assert_eq!(stored["patient"]["reference"], "Patient/p2");
    assert_eq!((&stored["patient"]["identifier"]["value"], &stored["patient"]["display"]), (&json!("mrn-p2"), &json!("Bano")));
    assert_eq!(server.get("Observation/o1", &token).status, 200);
}
