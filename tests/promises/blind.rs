//! Two stores that differ only in records that the caller may not see give byte-identical answers.

use crate::support::records::{condition, consent, encounter, observation, organization, patient, practitioner};
use crate::support::{Reply, Server};
use serde_json::{Value, json};

/// What the caller sees.
fn seen() -> Vec<Value> {
    let mut panel = observation("panel", "p1", "laboratory");
    // A reference to a record that may or may not be there.
    panel["hasMember"] = json!([{"reference": "Observation/hidden1"}, {"reference": "Observation/o1"}]);
    panel["encounter"] = json!({"reference": "Encounter/e-p1"});
    panel["performer"] = json!([{"reference": "Practitioner/d1"}]);
    vec![
        organization("h1", "Ward"),
        practitioner("d1", "Khan"),
        patient("p1", "Amin"),
        encounter("e-p1", "p1"),
        observation("o1", "p1", "laboratory"),
        panel,
        condition("c1", "p1"),
    ]
}

/// Another patient's records.
fn of_another() -> Vec<Value> {
    let mut linked = observation("hidden1", "p2", "laboratory");
    linked["hasMember"] = json!([{"reference": "Observation/o1"}]);
    linked["performer"] = json!([{"reference": "Practitioner/d1"}]);
    let mut shared = observation("hidden2", "p2", "vital-signs");
    shared["performer"] = json!([{"reference": "Patient/p2"}]);
    shared["derivedFrom"] = json!([{"reference": "Observation/o1"}]);
    let mut many: Vec<Value> = (0..12).map(|at| observation(&format!("more{at}"), "p2", "laboratory")).collect();
    many.extend([patient("p2", "Aminah"), encounter("e-p2", "p2"), linked, shared, condition("c2", "p2")]);
    many
}

/// The hidden ones lie before, between and behind the others.
fn filled(hidden: &[Value]) -> Server {
    let server = Server::open();
    let (seen, parts) = (seen(), hidden.len().div_ceil(3).max(1));
    let mut hidden = hidden.chunks(parts);
    for some in seen.chunks(3) {
        if let Some(hidden) = hidden.next() {
            server.seed(hidden);
        }
        server.seed(some);
    }
    hidden.for_each(|rest| server.seed(rest));
    // Versions and deletions of what is hidden.
    server
}

const REQUESTS: &[&str] = &[
    "Observation/hidden1",
    "Observation/hidden1/_history",
    "Observation/hidden1/_history/1",
    "Observation/hidden1/_history/2",
    "Observation/hidden1?_summary=true",
    "Observation/hidden1?_elements=id",
    "Observation/hidden1?_pretty=true",
    "Observation/hidden2",
    "Patient/p2",
    "Patient/p2/_history",
    "Condition/c2",
    "Encounter/e-p2",
    "Observation/o1",
    "Observation/panel",
    "Observation/o1/_history",
    "Observation/_history",
    "Patient/_history",
    "Condition/_history?_count=1",
    "_history",
    "_history?_count=2",
    "_history?_since=2026-01-01T00:00:00Z",
    "Observation/_history?_at=2026-06-01T12:00:00Z",
    "Observation",
    "Observation?_count=1",
    "Observation?_summary=count",
    "Observation?_total=accurate",
    "Observation?_total=estimate&_count=1",
    "Observation?_total=none",
    "Observation?_count=0",
    "Observation?_sort=_id",
    "Observation?_sort=-_lastUpdated",
    "Observation?_sort=-date&_count=1",
    "Observation?_sort=code,subject",
    "Observation?_id=hidden1,o1,hidden2",
    "Observation?patient=p2",
    "Observation?patient=p1,p2",
    "Observation?subject=Patient/p2&_summary=count",
    "Observation?subject:missing=false",
    "Observation?subject:missing=true",
    "Observation?identifier=urn:obs|hidden1",
    "Observation?identifier:not=urn:obs|o1",
    "Observation?category=laboratory",
    "Observation?category:not=laboratory",
    "Observation?has-member=Observation/hidden1",
    "Observation?has-member=Observation/o1",
    "Observation?derived-from=Observation/o1",
    "Observation?performer=Patient/p2",
    "Observation?performer=Practitioner/d1",
    "Observation?code=718-7&date=ge2020",
    "Observation?value-quantity=gt1",
    "Observation?_lastUpdated=ge2026-01-01",
    "Observation?_include=Observation:subject",
    "Observation?_include=Observation:has-member",
    "Observation?_include=*",
    "Observation?_include=Observation:has-member&_include:iterate=Observation:subject",
    "Observation?_id=o1&_revinclude=Observation:has-member",
    "Observation?_id=o1&_revinclude=Observation:derived-from",
    "Practitioner?_revinclude=Observation:performer",
    "Patient?_revinclude=*",
    "Patient",
    "Patient?name=Ami",
    "Patient?name:contains=min",
    "Patient?name:exact=Aminah",
    "Patient?identifier=mrn-p2",
    "Patient?_has:Observation:patient:code=718-7",
    "Patient?_has:Observation:performer:status=final",
    "Observation?subject:Patient.name=Aminah",
    "Observation?patient.name=Aminah",
    "Observation?has-member.identifier=hidden1",
    "Observation?_tag=x",
    "Observation?_security=R",
    "Observation?_profile=urn:x",
    "Observation?pateint=p2",
    "Observation?_filter=subject eq Patient/p2",
    "?_type=Observation,Condition&_count=3",
    "?_id=hidden1",
    "?_type=Patient,Observation&_summary=count",
    "Patient/p2/Observation",
    "Patient/p2/*",
    "Patient/p1/*?_count=2",
    "Encounter/e-p2/Observation",
    "Encounter/e-p1/Observation",
    "Practitioner/d1/Observation",
    "Organization?_count=1",
    "metadata",
    ".well-known/smart-configuration",
    "Observation/hidden1/$everything",
    "AuditEvent?patient=p2",
];

/// What both answer must be the same, links followed to the end.
#[track_caller]
fn same(one: &Server, other: &Server, what: &str, ask: &dyn Fn(&Server) -> Reply) {
    let (mut left, mut right) = (ask(one), ask(other));
    let mut pages = 0;
    loop {
        assert_eq!(left.masked(), right.masked(), "{what}, page {pages}");
        let (Some(next), Some(also)) = (following(&left), following(&right)) else { return };
        let token = (ask(one).request_id().len(), pages);
        assert!(token.1 < 40, "{what} does not end");
        pages += 1;
        (left, right) = (follow(one, &next), follow(other, &also));
    }
}

fn following(reply: &Reply) -> Option<String> {
    (reply.status == 200 && reply.text().contains("\"relation\":\"next\"")).then(|| reply.next()).flatten()
}

fn follow(server: &Server, link: &str) -> Reply {
    server.get(link, &CALLER.with(|caller| caller.borrow().as_ref().unwrap()(server)))
}

type Caller = fn(&Server) -> String;

thread_local! {
    /// Who follows the links of this test.
    static CALLER: std::cell::RefCell<Option<Caller>> = const { std::cell::RefCell::new(None) };
}

fn compare(one: &Server, other: &Server, caller: Caller) {
    CALLER.with(|cell| *cell.borrow_mut() = Some(caller));
    let (lenient, head) = (("Prefer", "handling=lenient"), "HEAD");
    for path in REQUESTS {
        same(one, other, path, &|server| server.get(path, &caller(server)));
        same(one, other, &format!("{path}, lenient"), &|server| {
            server.call("GET", path).token(&caller(server)).header(lenient.0, lenient.1).send()
        });
        let asked = |server: &Server| server.call(head, path).token(&caller(server)).send().masked();
        assert_eq!(asked(one), asked(other), "HEAD {path}");
        same(one, other, &format!("{path} without a token"), &|server| server.get(path, ""));
    }
    for (name, value) in [("If-None-Match", "W/\"1\""), ("If-Modified-Since", "Mon, 01 Jun 2026 12:00:00 GMT")] {
        same(one, other, name, &|server| {
            server.call("GET", "Observation/hidden1").token(&caller(server)).header(name, value).send()
        });
    }
    same(one, other, "POST _search", &|server| {
        server.call("POST", "Observation/_search").token(&caller(server)).form("patient=p2&_total=accurate").send()
    });
    let entries: Vec<Value> = REQUESTS
        .iter()
        .filter(|path| !path.contains("_count") && !path.starts_with('.'))
        .map(|path| json!({"request": {"method": "GET", "url": path.replace(' ', "%20")}}))
        .collect();
    same(one, other, "batch", &|server| {
        server.post("", &caller(server), &json!({"resourceType": "Bundle", "type": "batch", "entry": entries}))
    });
}

/// Changes that must not tell either; ids that the server gives are hidden first.
fn compare_changes(one: &Server, other: &Server, caller: Caller) {
    let patch = json!([{"op": "test", "path": "/status", "value": "final"}]);
    let put = |id: &str| observation(id, "p1", "laboratory");
    for id in ["hidden1", "hidden2", "nope"] {
        let path = format!("Observation/{id}");
        same(one, other, &path, &|server| server.patch(&path, &caller(server), &patch));
        same(one, other, &path, &|server| server.delete(&path, &caller(server)));
        same(one, other, &path, &|server| server.put(&path, &caller(server), &put(id)));
        same(one, other, &path, &|server| {
            server.call("PUT", &path).token(&caller(server)).header("If-Match", "W/\"1\"").json(&put(id)).send()
        });
        for condition in [format!("identifier=urn:obs|{id}"), "patient=p2".to_owned()] {
            let path = format!("Observation?{condition}");
            same(one, other, &path, &|server| server.delete(&path, &caller(server)));
            same(one, other, &path, &|server| server.patch(&path, &caller(server), &patch));
            same(one, other, &path, &|server| {
                let entry = json!({"request": {"method": "DELETE", "url": path}});
                server.post("", &caller(server), &json!({"resourceType": "Bundle", "type": "transaction", "entry": [entry]}))
            });
        }
        let entries = json!([{"request": {"method": "DELETE", "url": format!("Observation/{id}")}}]);
        for kind in ["batch", "transaction"] {
            same(one, other, kind, &|server| {
                server.post("", &caller(server), &json!({"resourceType": "Bundle", "type": kind, "entry": entries}))
            });
        }
        // A conditional reference selects within what is seen.
        same(one, other, "conditional reference", &|server| {
            let mut body = put("x");
            body["hasMember"] = json!([{"reference": format!("Observation?identifier=urn:obs|{id}")}]);
            server.post("Observation", &caller(server), &body)
        });
    }
    let made = |server: &Server| {
        let call =
            server.call("POST", "Observation").token(&caller(server)).header("If-None-Exist", "identifier=urn:obs%7Chidden1");
        let reply = call.json(&put("x")).send().expect(201);
        let id = reply.json()["id"].as_str().unwrap().to_owned();
        reply.masked().replace(&id, "ID")
    };
    assert_eq!(made(one), made(other));
}

#[test]
fn an_app_cannot_tell_whether_another_patient_has_records() {
    let (with, without) = (filled(&of_another()), filled(&[]));
    let caller: Caller = |server| server.patient("p1", "patient/*.cruds");
    compare(&with, &without, caller);
    compare_changes(&with, &without, caller);
}

#[test]
fn a_clinician_cannot_tell_whether_a_patient_who_refuses_has_records() {
    let mut refusing = vec![consent("k2", "p2", "deny")];
    refusing.extend(of_another());
    let (with, without) = (filled(&refusing), filled(&[]));
    compare(&with, &without, |server| server.clinician("d1", "user/*.rs"));
}

#[test]
fn a_laboratory_cannot_tell_whether_there_are_other_categories() {
    let hidden: Vec<Value> = (1..6).map(|at| observation(&format!("hidden{at}"), "p1", "vital-signs")).collect();
    let (with, without) = (filled(&hidden), filled(&[]));
    let caller: Caller = |server| {
        let category = "category=laboratory";
        server.system(&format!("system/Observation.cruds?{category} system/Patient.rs system/Encounter.rs"))
    };
    compare(&with, &without, caller);
    compare_changes(&with, &without, caller);
}

#[test]
fn deleted_and_changed_records_of_others_tell_as_little() {
    let (with, without) = (filled(&of_another()), filled(&[]));
    let all = with.system("system/*.cruds");
    let _ = with.put("Observation/hidden1", &all, &observation("hidden1", "p2", "vital-signs")).expect(200);
    let _ = with.delete("Observation/hidden2", &all).expect(204);
    let _ = with.delete("Condition/c2", &all).expect(204);
    compare(&with, &without, |server| server.patient("p1", "patient/*.rs"));
}
