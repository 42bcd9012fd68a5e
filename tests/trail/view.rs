//! The trail read as AuditEvents.

use super::with_records;
use crate::site::{Site, until};
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use serde_json::{Value, json};

fn resources(bundle: &Value) -> Vec<Value> {
    bundle["entry"].as_array().into_iter().flatten().map(|entry| entry["resource"].clone()).collect()
}

fn auditor(site: &Site) -> String {
    site.client("auditor", "system/AuditEvent.rs")
}

#[test]
fn an_auditor_reads_every_entry_as_an_audit_event_of_the_profiles() {
    let (site, token) = with_records();
    let auditor = auditor(&site);
    let read = site.get(&token, "Observation?_count=10").expect(200);
    site.get("bad", "Patient/a").expect(401);
    site.get(&token, "Patient/nobody").expect(404);
    let bundle = site.get(&auditor, "AuditEvent?_count=100").expect(200).json();
    let events = resources(&bundle);
    assert!(events.len() >= 10, "{}", events.len());
    for event in &events {
        assert_eq!(event["resourceType"], "AuditEvent");
        for member in ["type", "recorded", "outcome", "agent", "source"] {
            assert!(!event[member].is_null(), "{member} of {event}");
        }
        assert!(event["source"]["observer"].is_object(), "{event}");
        assert!(event["agent"].as_array().unwrap().iter().all(|agent| agent["requestor"].is_boolean()), "{event}");
        // The shape that the gateway demands of records from outside holds for its own.
        let document = amanat::fhir::json::Document::parse(event.to_string().as_bytes()).unwrap();
        let checked = amanat::fhir::shape::check(&document);
        assert_eq!(checked, Ok(amanat::fhir::ResourceType::AuditEvent), "{event}");
    }
    let of_search: Vec<&Value> = events.iter().filter(|event| event.to_string().contains(read.request_id())).collect();
    assert_eq!(of_search.len(), 2, "a search that showed records of two patients is two events");
    let profile = |event: &Value| event["meta"]["profile"].to_string();
    assert!(of_search.iter().all(|event| profile(event).contains("IHE.BasicAudit.PatientQuery")), "{of_search:?}");
    let rest = events.iter().filter(|event| event["type"]["code"] == "rest" && event["outcome"] == "0");
    assert!(rest.clone().count() > 5);
    for event in rest {
        assert!(profile(event).contains("https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit."), "{event}");
    }
    let of_patient = site.get(&auditor, "AuditEvent?patient=Patient/b&_count=100").expect(200).json();
    let found = resources(&of_patient);
    assert!(!found.is_empty() && found.iter().all(|event| event.to_string().contains("Patient/b")));
}

#[test]
fn nobody_changes_the_trail_and_wildcards_do_not_open_it() {
    let (site, token) = with_records();
    let wide = site.client("wide", "system/*.rs");
    let auditor = auditor(&site);
    let events = resources(&site.get(&auditor, "AuditEvent?_count=1").expect(200).json());
    let path = format!("AuditEvent/{}", events[0]["id"].as_str().unwrap());
    let patch = json!([{ "op": "replace", "path": "/outcome", "value": "0" }]);
    for token in [&token, &auditor] {
        for (method, body) in [("PUT", Some(&events[0])), ("PATCH", Some(&patch)), ("DELETE", None)] {
            let answer = site.ask(method, token, &path, body);
            assert_eq!(answer.status, 405, "{method}: {answer:?}");
        }
        let bundle = json!({ "resourceType": "Bundle", "type": "transaction", "entry": [{ "request": { "method": "DELETE", "url": path } }] });
        let answer = site.ask("POST", token, "", Some(&bundle));
        assert_eq!(answer.status, 405, "{answer:?}");
    }
    for token in [&wide, &token] {
        let answer = site.get(token, &path);
        assert!(matches!(answer.status, 403 | 404), "{answer:?}");
        assert_eq!(site.get(token, "AuditEvent").status, 403);
        let all = site.get(token, "?_type=Patient,AuditEvent");
        assert!(all.status == 403 || !all.body.contains("\"resourceType\":\"AuditEvent\""), "{all:?}");
        let included = site.get(token, "Patient?_revinclude=AuditEvent:patient").body;
        assert!(!included.contains("\"resourceType\":\"AuditEvent\""), "{included}");
        let history = site.get(token, "_history?_count=200").body;
        assert!(!history.contains("\"resourceType\":\"AuditEvent\""), "{history}");
    }
    site.get(&auditor, &path).expect(200);
    site.get(&auditor, "Patient/a").expect(403);
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

/// Records of this type, whoever may see them.
fn stored(site: &Site, of: amanat::fhir::ResourceType) -> usize {
    let query = format!("SELECT count(*) AS count FROM record WHERE type = {}", of.code());
    let count: Count = diesel::sql_query(query).get_result(&mut site.database()).unwrap();
    usize::try_from(count.count).unwrap()
}

#[test]
fn the_view_follows_the_trail_when_there_is_time_and_nobody_asks() {
    let (mut site, token) = with_records();
    let behind = |site: &Site| site.trail().len().saturating_sub(stored(site, amanat::fhir::ResourceType::AuditEvent));
    until("every entry is a record", || behind(&site) == 0);
    for _ in 0..30 {
        site.get(&token, "Patient/a").expect(200);
    }
    until("the new ones are too", || behind(&site) == 0);
    // What was left undone is done after the next start.
    site.get(&token, "Patient/a").expect(200);
    assert_eq!(site.stop(), Some(0));
    site.start();
    until("the last ones of the process before are too", || behind(&site) == 0);
    site.done(&["audit", "verify"]);
}

#[test]
fn the_view_shows_each_entry_once_however_often_it_is_asked() {
    let (site, _) = with_records();
    let auditor = auditor(&site);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| site.get(&auditor, "AuditEvent?_summary=count").expect(200));
        }
    });
    // Asking is an entry too, so that the count of one answer is that of the entries before it.
    let before: u64 =
        site.trail().iter().map(|entry| entry.told()["patients"].as_array().map_or(1, |of| of.len().max(1)) as u64).sum();
    let total = site.get(&auditor, "AuditEvent?_summary=count").expect(200).json()["total"].as_u64();
    assert_eq!(total, Some(before));
}
