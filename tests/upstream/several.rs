//! Several servers behind one gateway, each with types of its own: the same answers as over one store, nobody asked for what is not theirs.
//! The servers are the test's own, so that it is the same wherever the other tests' gateways stand.

use super::sameness::{QUERIES, records_of_two, told};
use crate::support::{Behind, Plain, Server, records};
use amanat::clock::Clock;
use amanat::fhir::Instant;
use serde_json::json;
use tempfile::TempDir;

const ALL: &str = "system/*.cruds";

/// A gateway before a server for results and one for the rest.
struct Site {
    server: Server,
    rest: Behind,
    results: Behind,
    _folders: [TempDir; 2],
}

fn site() -> Site {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let clock = Clock::fixed(Instant::parse("2026-06-01T12:00:00Z").unwrap());
    let [rest, results] = [0, 1].map(|at| Plain::start(folders[at].path(), &clock));
    let store = format!(
        "[store]\nurl = \"{}\"\nledger = \"sqlite:amanat.db\"\n[[upstreams]]\nurl = \"{}\"\ntypes = [\"Observation\", \"Provenance\"]\n",
        rest.base(),
        results.base()
    );
    Site { server: Server::with("Policy-all-normal", &store), rest, results, _folders: folders }
}

fn put(server: &Server, record: &serde_json::Value) {
    let place = format!("{}/{}", record["resourceType"].as_str().unwrap(), record["id"].as_str().unwrap());
    let _ = server.put(&place, &server.system(ALL), record).expect(201);
}

#[test]
fn searches_find_the_same_over_two_servers_as_over_one_store() {
    let (own, site) = (Server::open(), site());
    own.seed(&records_of_two());
    for record in &records_of_two() {
        put(&site.server, record);
    }
    for query in QUERIES {
        for id in ["p1", "p2"] {
            let ask = |server: &Server| told(&server.get(query, &server.patient(id, "patient/*.rs")));
            let (mut a, mut b) = (ask(&own), ask(&site.server));
            if query.contains("_count=1") || query.contains("_count=2") {
                (a.1, b.1) = (vec![a.1.len().to_string()], vec![b.1.len().to_string()]);
            }
            assert_eq!(a, b, "{query} as {id}");
        }
    }
    let of = |asked: &str| asked.split(' ').nth(1).unwrap().split('?').next().unwrap().rsplit('/').next().unwrap().to_owned();
    for asked in site.rest.asked().into_iter().filter(|asked| !asked.contains("amanat-probe")) {
        assert!(!asked.contains("/Observation?") && of(&asked) != "Observation", "{asked}");
    }
    for asked in site.results.asked() {
        let place = asked.split(' ').nth(1).unwrap();
        let probed = place.starts_with("Patient?") || place.starts_with("metadata") || place.contains("amanat-probe");
        assert!(probed || place.contains("Observation") || place.contains("Provenance"), "{asked}");
    }
}

#[test]
fn what_two_servers_would_have_to_do_together_is_refused_whole() {
    let site = site();
    put(&site.server, &records::patient("p1", "Ahmad"));
    let entries = json!([
        {"resource": records::observation("x", "p1", "laboratory"), "request": {"method": "POST", "url": "Observation"}},
        {"resource": records::condition("y", "p1"), "request": {"method": "POST", "url": "Condition"}},
    ]);
    let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": entries});
    let reply = site.server.post("", &site.server.system(ALL), &bundle);
    assert_eq!((reply.status, reply.code().as_str()), (422, "AMANAT-IN-0003"), "{}", reply.text());
    let asked = [site.rest.asked(), site.results.asked()].concat();
    assert!(!asked.iter().any(|asked| asked.starts_with("POST") || asked.contains("PUT Observation")), "{asked:?}");
    // Each by itself is a transaction of its server.
    let one = |at: usize| json!({"resourceType": "Bundle", "type": "transaction", "entry": [entries[at], entries[at]]});
    let mut two = one(0);
    two["entry"][1]["resource"] = records::observation("z", "p1", "laboratory");
    let _ = site.server.post("", &site.server.system(ALL), &two).expect(200);
    let reply = site.server.get("_history", &site.server.system(ALL));
    assert_eq!(reply.status, 400, "{}", reply.text());
}

#[test]
fn nothing_of_one_tenants_gateway_means_anything_to_anothers() {
    let tenants = [0, 1].map(|_| Server::before_plain("Policy-all-normal", ""));
    for tenant in &tenants {
        tenant.seed(&records_of_two());
    }
    let [one, other] = &tenants;
    let token = one.patient("p1", "patient/*.rs");
    let next = one.get("Observation?_count=2", &token).expect(200).next().unwrap();
    assert_eq!(one.get(&next, &token).status, 200);
    assert_eq!(other.get(&next, &other.patient("p1", "patient/*.rs")).status, 404, "a page link");
    assert_eq!(other.get("Patient/p1", &token).status, 401, "a token");
    let asked = other.behind.as_ref().unwrap().asked();
    let _ = one.delete("Observation/o1-p1", &one.system(ALL)).expect(204);
    assert_eq!(other.behind.as_ref().unwrap().asked().len(), asked.len(), "its server");
}
