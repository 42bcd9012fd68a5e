//! Two nodes on one database: what one acknowledged, the next request on the other knows.
//!
//! They need a PostgreSQL server: `scripts/with-postgres cargo test --test it nodes::`.

mod manipulations;
mod spool;

use crate::support::records::{consent, observation, patient};
use crate::support::{Reply, Server, postgres};
use amanat::smart::{Client, ClientKeys};
use serde_json::{Value, json};
use std::thread::scope;

const ALL: &str = "system/*.cruds";

/// Two nodes with some patients; `None`, and a word about it, where there is no server.
fn nodes() -> Option<(Server, Server)> {
    let Some(server) = postgres::server() else {
        println!("skipped: AMANAT_TEST_POSTGRES names no server");
        return None;
    };
    let folder = tempfile::tempdir().unwrap();
    let store = format!("[store]\nurl = \"{}\"\nconnections = 6", postgres::schema(folder.path(), &server));
    let one = Server::with("Policy-all-normal", &store);
    let other = one.beside();
    one.seed(&[
        patient("p1", "Amin"),
        patient("p2", "Bano"),
        observation("o1", "p1", "laboratory"),
        observation("o2", "p2", "laboratory"),
    ]);
    Some((one, other))
}

#[test]
fn a_write_on_one_node_is_seen_by_the_next_request_on_the_other() {
    let Some((one, other)) = nodes() else { return };
    let all = one.system(ALL);
    assert_eq!(other.get("Observation/o1", &all).status, 200);
    for round in 0..20 {
        let (writer, reader) = if round % 2 == 0 { (&one, &other) } else { (&other, &one) };
        let id = format!("n{round}");
        let _ = writer.put(&format!("Observation/{id}"), &all, &observation(&id, "p1", "laboratory")).expect(201);
        assert_eq!(reader.get(&format!("Observation/{id}"), &all).status, 200);
        let found = reader.get("Observation?patient=p1&_summary=count", &all).json();
        assert_eq!(found["total"], 2 + round, "{found}");
        let versions = reader.get(&format!("Observation/{id}/_history"), &all).json();
        assert_eq!(versions["total"], 1);
    }
}

#[test]
fn a_change_of_consent_on_one_node_bites_on_the_next_request_on_the_other() {
    let Some((one, other)) = nodes() else { return };
    let (token, own) = (one.clinician("d1", "user/*.rs"), one.patient("p2", "patient/Consent.cruds"));
    // The officer files it; a patient's app may not choose an id.
    let mut first = consent("k2", "p2", "deny");
    first["status"] = json!("inactive");
    let _ = one.put("Consent/k2", &one.system("system/Consent.cruds"), &first).expect(201);
    let shown = |server: &Server| {
        let total = server.get("Observation?_summary=count", &token).json()["total"].as_u64().unwrap();
        (server.get("Observation/o2", &token).status, total)
    };
    for round in 0..20 {
        let (here, there) = if round % 2 == 0 { (&one, &other) } else { (&other, &one) };
        assert_eq!((shown(here), shown(there)), ((200, 2), (200, 2)), "{round}");
        let denied = here.put("Consent/k2", &own, &consent("k2", "p2", "deny"));
        assert!(matches!(denied.status, 200 | 201), "{}", denied.text());
        assert_eq!((shown(there), shown(here)), ((404, 1), (404, 1)), "{round}");
        other.refused(&other.get("Observation/o2", &token), 404, "AMANAT-REC-0001", "not-found");
        let mut ended = consent("k2", "p2", "deny");
        ended["status"] = json!("inactive");
        let _ = there.put("Consent/k2", &own, &ended).expect(200);
    }
}

#[test]
fn a_client_that_one_node_locks_out_is_refused_by_the_next_request_on_the_other() {
    let Some((one, other)) = nodes() else { return };
    let mut client = Client::backend("c1", "A hospital", ClientKeys::JwksUri("https://c.example/jwks".to_owned()), ALL);
    client.issuer = Some(crate::support::ISSUER.to_owned());
    one.register(client);
    let token = one.system(ALL);
    assert_eq!(other.get("Observation/o1", &token).status, 200);
    one.disable("c1");
    let refused = other.get("Observation/o1", &token);
    assert_eq!(refused.status, 401, "{}", refused.text());
}

#[test]
fn v1_what_one_node_revokes_is_refused_by_the_next_request_on_the_other() {
    let Some((one, other)) = nodes() else { return };
    crate::smart::furnish(&one);
    other.look_at_registry();
    for _ in 0..10 {
        let told = crate::smart::tokens(&one, "amin", "launch/patient offline_access patient/Patient.rs");
        let (access, refresh) = (told["access_token"].as_str().unwrap(), told["refresh_token"].as_str().unwrap());
        assert_eq!(other.get("Patient/p1", access).status, 200);
        let form = format!("token={refresh}&client_id=app");
        let _ = one.call("POST", "/revoke").form(&form).send().expect(200);
        assert_eq!(other.get("Patient/p1", access).status, 401, "no time in between");
    }
}

#[test]
fn of_64_conditional_creates_over_two_nodes_one_makes_the_record() {
    let Some((one, other)) = nodes() else { return };
    let all = one.system(ALL);
    for round in 0..4 {
        let mut body = observation("x", "p1", "laboratory");
        body["identifier"] = json!([{"system": "urn:round", "value": format!("r{round}")}]);
        let condition = format!("identifier=urn:round%7Cr{round}");
        let create = |server: &Server| {
            server.call("POST", "Observation").token(&all).header("If-None-Exist", &condition).json(&body).send()
        };
        let replies: Vec<Reply> = scope(|threads| {
            let nodes = [&one, &other];
            let calls: Vec<_> = (0..64).map(|at| threads.spawn(move || create(nodes[at % 2]))).collect();
            calls.into_iter().map(|call| call.join().unwrap()).collect()
        });
        let made = replies.iter().filter(|reply| reply.status == 201).count();
        let there = replies.iter().filter(|reply| reply.status == 200).count();
        assert_eq!((made, there), (1, 63), "{:?}", replies.iter().map(|reply| reply.status).collect::<Vec<_>>());
        let ids: Vec<Value> = replies.iter().map(|reply| reply.json()["id"].clone()).collect();
        assert!(ids.iter().all(|id| *id == ids[0]));
        for server in [&one, &other] {
            assert_eq!(server.get(&format!("Observation?{condition}"), &all).json()["total"], 1);
        }
    }
}

#[test]
fn the_trail_of_two_nodes_is_one_chain_and_reads_the_same_on_both() {
    let Some((one, other)) = nodes() else { return };
    let all = one.system(ALL);
    scope(|threads| {
        for at in 0..40 {
            let (server, all) = (if at % 2 == 0 { &one } else { &other }, &all);
            threads.spawn(move || assert_eq!(server.get("Observation/o1", all).status, 200));
        }
    });
    let leaves = one.trail();
    let numbers: Vec<i64> = leaves.iter().map(|leaf| leaf["seq"].as_i64().unwrap()).collect();
    assert_eq!(numbers, (1..).take(numbers.len()).collect::<Vec<i64>>());
    assert_eq!(leaves.iter().filter(|leaf| leaf["event"]["word"] == "read" && leaf["outcome"] == "0").count(), 40);
    let auditor = one.system("system/AuditEvent.rs");
    let count = |server: &Server| server.get("AuditEvent?_summary=count&subtype=read", &auditor).json()["total"].clone();
    assert_eq!((count(&one), count(&other)), (json!(40), json!(40)));
}

#[test]
fn a_lost_connection_is_made_anew_and_nothing_is_shown_meanwhile() {
    let Some((one, other)) = nodes() else { return };
    let all = one.system(ALL);
    let url = one.schema().unwrap();
    for _ in 0..5 {
        let ours = "application_name = current_setting('application_name') AND pid <> pg_backend_pid()";
        drop(postgres::ask(&url, &format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {ours}")));
        for server in [&one, &other] {
            let mut statuses = Vec::new();
            for _ in 0..200 {
                let reply = server.get("Observation/o1", &all);
                statuses.push(reply.status);
                assert!(matches!(reply.status, 200 | 503), "{}", reply.text());
                assert_eq!(reply.status == 200, reply.json()["resourceType"] == "Observation");
                if reply.status == 200 {
                    break;
                }
            }
            assert_eq!(statuses.last(), Some(&200), "it serves again: {statuses:?}");
        }
    }
}

#[test]
fn a_replica_answers_when_it_has_everything_and_is_passed_over_when_it_has_not() {
    let Some(server) = postgres::server() else { return println!("skipped: AMANAT_TEST_POSTGRES names no server") };
    let folder = || tempfile::tempdir().unwrap();
    let (here, elsewhere) = (folder(), folder());
    let (first, behind) = (postgres::schema(here.path(), &server), postgres::schema(elsewhere.path(), &server));
    // A store that never hears of anything: the tables are there, and nothing in them.
    drop(Server::with("Policy-all-normal", &format!("[store]\nurl = \"{behind}\"\nconnections = 4")));
    for replica in [&behind, &first, &"postgres://amanat@127.0.0.1:9/amanat".to_owned()] {
        let store = format!("[store]\nurl = \"{first}\"\nconnections = 4\nreplicas = [\"{replica}\"]");
        let gateway = Server::with("Policy-all-normal", &store);
        let all = gateway.system(ALL);
        for round in 0..5 {
            let id = format!("o{round}");
            let body = observation(&id, "p1", "laboratory");
            let written = gateway.put(&format!("Observation/{id}"), &all, &body);
            assert!(matches!(written.status, 200 | 201), "{}", written.text());
            let version = written.json()["meta"]["versionId"].clone();
            let found = gateway.get(&format!("Observation?_id={id}"), &all).json();
            assert_eq!(found["entry"][0]["resource"]["meta"]["versionId"], version, "{replica}: {found}");
        }
    }
}

#[test]
fn whom_one_node_locks_out_the_next_request_on_the_other_refuses() {
    let Some((one, other)) = nodes() else { return };
    let all = one.system(ALL);
    let url = one.schema().unwrap();
    for round in 0..10 {
        assert_eq!(other.get("Observation/o1", &all).status, 200);
        let row = format!("'r{round}', 'client', 'c1', 'suspend', 0, 0, 'drill', 'officer'");
        drop(postgres::ask(
            &url,
            &format!("INSERT INTO restriction (id, kind, target, effect, begins, ends, reason, by) VALUES ({row})"),
        ));
        for server in [&other, &one] {
            let refused = server.get("Observation/o1", &all);
            assert_eq!((refused.status, refused.code().as_str()), (403, "AMANAT-HOLD-0001"), "{}", refused.text());
            assert_eq!(server.trail_of(&refused)[0]["reason"], "suspended:client");
        }
        drop(postgres::ask(&url, &format!("UPDATE restriction SET lifted = 1 WHERE id = 'r{round}'")));
    }
}

#[test]
fn a_search_parameter_of_the_site_is_known_to_the_next_request_on_the_other_node() {
    let Some((one, other)) = nodes() else { return };
    let all = one.system(ALL);
    let married = |id: &str| {
        let mut record = patient(id, "Amin");
        record["maritalStatus"] = json!({"coding": [{"system": "http://m", "code": "M"}]});
        record
    };
    one.seed(&[married("p1")]);
    let parameter = json!({"resourceType": "SearchParameter", "id": "marital", "url": "http://own/marital", "name": "marital",
        "status": "active", "description": "own", "code": "marital", "base": ["Patient"], "type": "token", "expression": "Patient.maritalStatus"});
    let _ = one.put("SearchParameter/marital", &all, &parameter).expect(201);
    // From here on the other one fills its rows, whoever goes over those that were there.
    other.seed(&[married("p3")]);
    let begun = std::time::Instant::now();
    while !one.get("SearchParameter/$index-status", &all).text().contains("\"indexed\"") {
        assert!(begun.elapsed().as_secs() < 30, "never indexed");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    for server in [&other, &one] {
        let found = server.get("Patient?marital=M&_total=accurate", &all).expect(200).json();
        assert_eq!(found["total"], 2, "{found}");
    }
    let _ = other.delete("SearchParameter/marital", &all);
    for server in [&one, &other] {
        server.refused(&server.get("Patient?marital=M", &all), 400, "AMANAT-IN-0002", "input:invalid");
    }
}

#[test]
fn nodes_that_start_together_for_the_first_time_make_one_key() {
    let Some(server) = postgres::server() else { return println!("skipped: AMANAT_TEST_POSTGRES names no server") };
    for _ in 0..3 {
        let folder = tempfile::tempdir().unwrap();
        let url = postgres::schema(folder.path(), &server);
        let store = format!("[store]\nurl = \"{url}\"\nconnections = 4");
        let nodes: Vec<Server> = scope(|threads| {
            let starts: Vec<_> = (0..3).map(|_| threads.spawn(|| Server::with("Policy-all-normal", &store))).collect();
            starts.into_iter().map(|start| start.join().unwrap()).collect()
        });
        let mut made = postgres::ask(&url, "SELECT algorithm FROM signing_key ORDER BY algorithm");
        let all = made.len();
        made.dedup();
        assert_eq!(made.len(), all, "one of each kind: {made:?}");
        let keys: Vec<String> =
            nodes.iter().map(|node| node.get("/.well-known/jwks.json", "").expect(200).text().to_owned()).collect();
        assert!(keys.iter().all(|one| *one == keys[0]), "{keys:?}");
    }
}
