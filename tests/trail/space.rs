//! A disk that is nearly full: what comes in stops before the trail does.

use super::{EVERYTHING, observation, patient};
use crate::site::{Answer, Site, until};
use serde_json::{Value, json};
use std::fs;

/// A site on a disk that counts as full from this percentage on, with a record from before.
fn site(bounds: &str) -> (Site, String) {
    let mut site = Site::prepare("[alarms.notify]\nfile = \"alarms\"");
    let token = site.client("hospital", EVERYTHING);
    site.start();
    site.ask("PUT", &token, "Patient/a", Some(&patient("a"))).expect(201);
    site.ask("PUT", &token, "Consent/c", Some(&consent())).expect(201);
    keep(&site, &token, ("POST", "Basic"), "", &state("before")).expect(201);
    assert_eq!(site.stop(), Some(0));
    let settings = fs::read_to_string(site.settings()).unwrap();
    fs::write(site.settings(), format!("{settings}\n[store.space]\nfree_bytes = 9000000000000000000\n{bounds}\n")).unwrap();
    site.start();
    (site, token)
}

fn consent() -> Value {
    let coded = |system: &str, code: &str| json!({"coding": [{"system": format!("http://terminology.hl7.org/CodeSystem/{system}"), "code": code}]});
    json!({
        "resourceType": "Consent", "id": "c", "status": "active", "scope": coded("consentscope", "patient-privacy"),
        "category": [{"coding": [{"system": "http://loinc.org", "code": "59284-0"}]}], "patient": {"reference": "Patient/a"},
        "dateTime": "2026-01-01T00:00:00Z", "policyRule": coded("v3-ActCode", "OPTIN"), "provision": {"type": "permit"},
    })
}

fn state(code: &str) -> Value {
    json!({"resourceType": "Basic", "code": {"coding": [{"system": "urn:app", "code": code}]},
        "extension": [{"url": "urn:app:keys", "valueString": "x"}]})
}

/// A request where apps keep what is theirs, with further header lines.
fn keep(site: &Site, token: &str, (method, place): (&str, &str), headers: &str, state: &Value) -> Answer {
    let body = if state.is_null() { String::new() } else { state.to_string() };
    site.raw(&format!(
        "{method} /app-state/{place} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/fhir+json\r\nContent-Length: {}\r\n{headers}\r\n{body}",
        body.len()
    ))
}

fn entries(count: usize) -> Value {
    let entry = |_| json!({"resource": observation("a"), "request": {"method": "POST", "url": "Observation"}});
    json!({"resourceType": "Bundle", "type": "transaction", "entry": (0..count).map(entry).collect::<Vec<_>>()})
}

#[track_caller]
fn is_full(site: &Site, answer: Answer, reason: &str) {
    let answer = answer.expect(503);
    let outcome = answer.json();
    assert_eq!(outcome["issue"][0]["code"], "no-store", "{outcome}");
    assert_eq!(outcome["issue"][0]["details"]["coding"][0]["code"], "AMANAT-STORE-0002", "{outcome}");
    assert_ne!(answer.header("retry-after"), "");
    let told = site.entries_of(answer.header("x-request-id"));
    assert!(told.iter().any(|entry| entry["reason"] == reason && entry["outcome"] == "12"), "{told:?}");
}

#[test]
fn above_the_first_step_bundles_with_many_changes_are_refused() {
    let (site, token) = site("bulk_percent = 0\nwrites_percent = 100");
    is_full(&site, site.ask("POST", &token, "", Some(&entries(21))), "space:bulk");
    assert_eq!(site.get(&token, "Observation?_summary=count").expect(200).json()["total"], 0, "nothing of it was done");
    site.ask("POST", &token, "", Some(&entries(20))).expect(200);
    site.ask("POST", &token, "Observation", Some(&observation("a"))).expect(201);
}

#[test]
fn above_the_second_nothing_is_written_but_the_trail() {
    let (site, token) = site("bulk_percent = 0\nwrites_percent = 0");
    is_full(&site, site.ask("POST", &token, "Observation", Some(&observation("a"))), "space:writes");
    is_full(&site, site.ask("PUT", &token, "Patient/a", Some(&patient("a"))), "space:writes");
    is_full(&site, site.ask("DELETE", &token, "Patient/a", None), "space:writes");
    is_full(&site, site.ask("POST", &token, "", Some(&entries(1))), "space:writes");
    let read = json!({"resourceType": "Bundle", "type": "batch", "entry": [{"request": {"method": "GET", "url": "Patient/a"}}]});
    assert_eq!(site.ask("POST", &token, "", Some(&read)).expect(200).json()["entry"][0]["response"]["status"], "200");
    let before = site.trail().len();
    site.get(&token, "Patient/a").expect(200);
    assert!(site.trail().len() > before, "the read is in the trail");
    assert!(site.ready(), "it serves");
    let withdrawn = json!({"resourceType": "Parameters", "parameter": [
        {"name": "consent", "valueReference": {"reference": "Consent/c"}}, {"name": "patient", "valueReference": {"reference": "Patient/a"}}]});
    site.ask("POST", &token, "Consent/$revokeConsent", Some(&withdrawn)).expect(200);
    assert_eq!(site.get(&token, "Consent/c").expect(200).json()["status"], "inactive");
    until("somebody is told", || {
        fs::read_to_string(site.folder.path().join("alarms")).is_ok_and(|text| text.contains("nothing is written but the trail"))
    });
}

#[test]
fn above_the_second_no_app_keeps_anything_more() {
    let (site, token) = site("bulk_percent = 0\nwrites_percent = 0");
    let find = || keep(&site, &token, ("GET", "Basic?code=urn:app%7Cbefore&subject:missing=true"), "", &Value::Null).expect(200);
    let mut kept = find().json()["entry"][0]["resource"].clone();
    let place = format!("Basic/{}", kept["id"].as_str().unwrap());
    kept["extension"][0]["valueString"] = json!("y");
    is_full(&site, keep(&site, &token, ("POST", "Basic"), "", &state("after")), "space:writes");
    is_full(&site, keep(&site, &token, ("PUT", &place), "If-Match: W/\"1\"\r\n", &kept), "space:writes");
    is_full(&site, keep(&site, &token, ("DELETE", &place), "If-Match: W/\"1\"\r\n", &Value::Null), "space:writes");
    assert_eq!(find().json()["entry"][0]["resource"]["extension"][0]["valueString"], "x", "as it was before");
    // Who may not keep anything at all is told that, not how full the disk is.
    let reader = site.done(&["client", "add", "reader", "--scope", "system/Basic.s", "--redirect-uri", "http://127.0.0.1:1/"]);
    drop(reader);
    std::thread::sleep(std::time::Duration::from_millis(1300));
    keep(&site, &site.token("reader"), ("POST", "Basic"), "", &state("after")).expect(403);
}

#[test]
fn a_percentage_above_a_hundred_is_a_fault_of_the_settings() {
    let site = Site::prepare("[store.space]\nbulk_percent = 101");
    let output = site.amanat(&["audit", "verify"]);
    assert_ne!(output.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&output.stderr).contains("store.space.bulk_percent"), "{output:?}");
}
