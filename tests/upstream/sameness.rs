//! In front of a plain FHIR server the gateway answers as it does over its own store.

use crate::support::{Reply, Server, records};
use serde_json::{Value, json};

/// The same records over both.
fn both(implicit_policy: &str, records: &[Value]) -> [Server; 2] {
    let servers = [Server::with(implicit_policy, ""), Server::before_plain(implicit_policy, "")];
    for server in &servers {
        server.seed(records);
    }
    servers
}

pub(super) fn records_of_two() -> Vec<Value> {
    let mut all = vec![
        records::patient("p1", "Ahmad"),
        records::patient("p2", "Weber"),
        records::practitioner("d1", "House"),
        records::organization("h1", "Hospital"),
    ];
    for patient in ["p1", "p2"] {
        all.push(records::encounter(&format!("e-{patient}"), patient));
        all.push(records::condition(&format!("c-{patient}"), patient));
        for at in 0..6 {
            let category = if at % 2 == 0 { "laboratory" } else { "vital-signs" };
            let mut one = records::observation(&format!("o{at}-{patient}"), patient, category);
            one["effectiveDateTime"] = json!(format!("2026-05-{:02}T08:00:00Z", 1 + at));
            one["valueQuantity"]["value"] = json!(10 + at);
            all.push(one);
        }
    }
    all.push(json!({"resourceType": "Provenance", "id": "pr-p2", "recorded": "2026-05-01T00:00:00Z",
        "target": [{"reference": "Observation/o1-p2"}], "agent": [{"who": {"reference": "Practitioner/d1"}}]}));
    all.push(json!({"resourceType": "List", "id": "l1", "status": "current", "mode": "working",
        "entry": [{"item": {"reference": "Patient/p1"}}]}));
    all
}

/// What an answer shows, whatever its order: status, records, total, whether it goes on.
pub(super) fn told(reply: &Reply) -> (u16, Vec<String>, Value, bool) {
    let mut keys = if reply.status == 200 { reply.keys() } else { Vec::new() };
    keys.sort();
    let total = if reply.status == 200 { reply.json()["total"].clone() } else { Value::from(reply.code()) };
    (reply.status, keys, total, reply.status == 200 && reply.next().is_some())
}

/// All pages together.
pub(super) fn everything(server: &Server, token: &str, query: &str) -> Vec<String> {
    let mut keys = Vec::new();
    let mut next = Some(query.to_owned());
    while let Some(path) = next.take() {
        let reply = server.get(&path, token).expect(200);
        keys.extend(reply.keys());
        next = reply.next();
        assert!(keys.len() < 500, "pages that never end");
    }
    keys
}

pub(super) const QUERIES: &[&str] = &[
    "Patient",
    "Patient?name=ahm",
    "Patient?name:exact=Weber",
    "Patient?birthdate=1980-02-29",
    "Patient?birthdate=ge1980&birthdate=lt1981-01",
    "Patient?identifier=urn:mrn|mrn-p1",
    "Patient?_id=p1,p2,none",
    "Patient?gender:not=male",
    "Patient?name:missing=true",
    "Observation",
    "Observation?patient=p1",
    "Observation?patient=Patient/p2&category=laboratory",
    "Observation?subject=Patient/p1,Patient/p2&_total=accurate",
    "Observation?subject:Patient=p1",
    "Observation?subject=https://localhost:8443/fhir/Patient/p1",
    "Observation?date=2026-05-02",
    "Observation?date=gt2026-05-03&patient=p1",
    "Observation?value-quantity=gt13",
    "Observation?value-quantity=12",
    "Observation?code=http://loinc.org|718-7&_summary=count",
    "Observation?code=718-8",
    "Observation?code-value-quantity=http://loinc.org|718-7$gt14",
    "Observation?patient.name=weber",
    "Observation?subject:Patient.identifier=urn:mrn|mrn-p2",
    "Observation?patient.name=nobody",
    "Patient?_has:Observation:patient:code=718-7",
    "Patient?_has:Observation:patient:value-quantity=gt14&name=weber",
    "Patient?_has:Condition:patient:encounter.status=finished",
    "Condition?encounter.subject:Patient.name=ahmad",
    "Patient/p1/Observation",
    "Patient/p1/Observation?category=laboratory",
    "Patient/p1/*",
    "Encounter/e-p1/Condition",
    "Practitioner/d1/Provenance",
    "Condition?_include=Condition:encounter&_include=Condition:subject",
    "Condition?_include=Condition:subject&_include:iterate=Patient:general-practitioner",
    "Patient?_revinclude=Observation:patient&name=ahmad",
    "Patient?_revinclude=Provenance:target&_revinclude=Condition:subject",
    "Observation?_id=o1-p2&_revinclude=Provenance:target",
    "Provenance",
    "List",
    "?_type=Patient,Condition",
    "Observation?_count=0",
    "Observation?_count=1",
    "Observation?nonsense=1",
    "Observation?_lastUpdated=ge2020",
    "Observation?_elements=status&_count=2",
];

#[test]
fn every_kind_of_search_finds_the_same() {
    let servers = both("Policy-all-normal", &records_of_two());
    let callers = |server: &Server| {
        [
            server.system("system/*.rs"),
            server.patient("p1", "patient/*.rs"),
            server.patient("p2", "patient/Observation.rs patient/Patient.rs"),
            server.clinician("d1", "user/*.rs"),
            server.system("system/Observation.rs?category=laboratory system/Patient.rs"),
        ]
    };
    let [own, behind] = &servers;
    for (at, (mine, theirs)) in callers(own).iter().zip(&callers(behind)).enumerate() {
        for query in QUERIES {
            let (a, b) = (own.get(query, mine), behind.get(query, theirs));
            let (mut a, mut b) = (told(&a), told(&b));
            if query.contains("_count=1") || query.contains("_count=2") {
                // Which ones come first is each store's own order.
                (a.1, b.1) = (vec![a.1.len().to_string()], vec![b.1.len().to_string()]);
            }
            assert_eq!(a, b, "caller {at}: {query}");
        }
    }
}

#[test]
fn orders_and_pages_are_the_same() {
    let servers = both("Policy-all-normal", &records_of_two());
    let [own, behind] = &servers;
    for query in [
        "Observation?_sort=date,_id&_count=2",
        "Observation?_sort=-value-quantity,_id&_count=5",
        "Observation?_sort=-date,_id&patient=p1&_count=4",
        "Patient?_sort=family",
        "Condition?_sort=_id",
    ] {
        for scopes in ["system/*.rs", "system/Observation.rs?category=laboratory system/Patient.rs system/Condition.rs"] {
            let (a, b) = (everything(own, &own.system(scopes), query), everything(behind, &behind.system(scopes), query));
            assert_eq!(a, b, "{query} with {scopes}");
        }
    }
    for query in
        ["Observation?_count=2", "Observation?_count=3&category=laboratory", "?_type=Patient,Observation,Condition&_count=2"]
    {
        let token = behind.patient("p1", "patient/*.rs");
        let (mut a, mut b) = (everything(own, &own.patient("p1", "patient/*.rs"), query), everything(behind, &token, query));
        a.sort();
        b.sort();
        assert_eq!(a, b, "{query}");
    }
}

#[test]
fn a_page_link_is_nobody_elses_and_tells_nothing_of_the_server() {
    let server = Server::before_plain("Policy-all-normal", "");
    server.seed(&records_of_two());
    let next = server.get("Observation?_count=2", &server.patient("p1", "patient/*.rs")).expect(200).next().unwrap();
    let _ = server.get(&next, &server.patient("p1", "patient/*.rs")).expect(200);
    let reply = server.get(&next, &server.patient("p2", "patient/*.rs"));
    server.refused(&reply, 404, "AMANAT-REC-0001", "not-found");
}

#[test]
fn consent_decides_the_same() {
    let mut all = records_of_two();
    all.push(records::consent("deny-p2", "p2", "deny"));
    let mut hidden = records::observation("secret", "p1", "laboratory");
    hidden["meta"] = json!({"security": [{"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "R"}]});
    all.push(hidden);
    let servers = both("Policy-all-normal", &all);
    let [own, behind] = &servers;
    for query in [
        "Observation",
        "Patient",
        "Provenance",
        "Observation?patient.name=weber",
        "Patient?_has:Observation:patient:code=718-7",
        "Observation?_total=accurate&_count=3",
    ] {
        let told = |server: &Server| told(&server.get(query, &server.clinician("d1", "user/*.rs")));
        let (a, b) = (told(own), told(behind));
        assert_eq!((a.0, &a.2, a.3), (b.0, &b.2, b.3), "{query}");
        assert!(!b.1.iter().any(|key| key.ends_with("p2") || key.ends_with("secret")), "{query}: {b:?}");
    }
    for path in [
        "Observation/o1-p2",
        "Patient/p2",
        "Provenance/pr-p2",
        "Observation/secret",
        "Observation/none",
        "Observation/o1-p2/_history",
    ] {
        let told = |server: &Server| server.get(path, &server.clinician("d1", "user/*.rs")).masked();
        assert_eq!(told(own), told(behind), "{path}");
    }
    // The patient takes the denial back, past the gateway: it is seen within the time that the site permits.
    let plain = behind.behind.as_ref().unwrap();
    delete(plain.address, "/fhir/Consent/deny-p2");
    behind.wait(120);
    let _ = behind.get("Observation/o1-p2", &behind.clinician("d1", "user/*.rs")).expect(200);
}

/// A change that the gateway does not see.
fn delete(address: std::net::SocketAddr, path: &str) {
    use std::io::{Read as _, Write as _};
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    write!(stream, "DELETE {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n").unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 204"), "{}", String::from_utf8_lossy(&answer));
}

#[test]
fn versions_and_histories_are_the_same() {
    let servers = both("Policy-all-normal", &records_of_two());
    for server in &servers {
        let token = server.system("system/*.cruds");
        let mut changed = records::observation("o1-p1", "p1", "laboratory");
        changed["status"] = json!("amended");
        let _ = server.put("Observation/o1-p1", &token, &changed).expect(200);
        let _ = server.delete("Observation/o2-p1", &token).expect(204);
        let _ = server.delete("Condition/c-p2", &token).expect(204);
        let _ = server.put("Condition/c-p2", &token, &records::condition("c-p2", "p2")).expect(201);
    }
    let [own, behind] = &servers;
    let told = |server: &Server, path: &str, token: &str| {
        let reply = server.get(path, token);
        let entries = reply.json()["entry"].as_array().cloned().unwrap_or_default();
        let entry = |one: &Value| format!("{} {} {}", one["request"]["method"], one["fullUrl"], one["response"]["etag"]);
        let mut all: Vec<String> = entries.iter().map(entry).collect();
        all.sort();
        (reply.status, reply.header("etag").map(str::to_owned), all)
    };
    for path in [
        "Observation/o1-p1",
        "Observation/o1-p1/_history/1",
        "Observation/o1-p1/_history/2",
        "Observation/o1-p1/_history/3",
        "Observation/o2-p1",
        "Observation/o2-p1/_history/2",
        "Observation/o1-p1/_history",
        "Observation/o2-p1/_history",
        "Condition/c-p2/_history",
        "Condition/_history",
        "Observation/_history?_count=100",
        "Observation/none/_history",
    ] {
        for token in [own.system("system/*.rs"), own.patient("p1", "patient/*.rs"), own.patient("p2", "patient/*.rs")] {
            // Both know the same issuer's key only by chance of the name: each signs its own.
            let claims = token.split('.').nth(1).unwrap().to_owned();
            let again = behind.signer.sign(&claims_of(&claims));
            assert_eq!(told(own, path, &token), told(behind, path, &again), "{path}");
        }
    }
}

fn claims_of(part: &str) -> Value {
    use base64::Engine as _;
    serde_json::from_slice(&base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}
