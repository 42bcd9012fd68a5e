//! Too many requests: of one client, of one address without a valid token.

use super::{ALL, fill};
use crate::support::Server;
use serde_json::json;

fn bounded(limits: &str) -> Server {
    let server = Server::with("Policy-all-normal", &format!("[limits]\n{limits}"));
    fill(&server);
    server
}

#[test]
fn a_client_that_asks_too_often_waits_and_others_do_not() {
    let server = bounded("requests_per_second = 2\nrequests_burst = 3");
    let eager = server.token(json!({"scope": ALL, "client_id": "eager"}));
    let ask = || server.get("Patient/p1", &eager);
    for _ in 0..3 {
        server.allowed(&ask(), 200, "read", &["p1"]);
    }
    let reply = ask();
    server.refused(&reply, 429, "AMANAT-RATE-0001", "rate");
    assert_eq!((reply.header("retry-after"), reply.json()["issue"][0]["code"].as_str()), (Some("1"), Some("throttled")));
    assert_eq!(server.trail_of(&reply)[0]["agent"]["client"], "eager");
    // Another token of the same client is no other client, and an interaction that would be refused is one that was asked.
    let again = server.token(json!({"scope": ALL, "client_id": "eager", "jti": "j2"}));
    for path in ["Patient/p1", "Patient/nobody", "Nosuch"] {
        let reply = server.get(path, &again);
        assert_eq!((reply.status, server.trail_of(&reply).len()), (429, 0), "of a flood one entry a second is enough");
    }
    server.allowed(&server.get("Patient/p1", &server.token(json!({"scope": ALL, "client_id": "calm"}))), 200, "read", &["p1"]);
    server.wait(1);
    server.allowed(&ask(), 200, "read", &["p1"]);
    server.allowed(&ask(), 200, "read", &["p1"]);
    server.refused(&ask(), 429, "AMANAT-RATE-0001", "rate and 3 like it before");
    server.wait(1);
    server.allowed(&ask(), 200, "read", &["p1"]);
}

#[test]
fn an_address_without_a_valid_token_waits_and_those_who_have_one_do_not() {
    let server = bounded("strangers_per_second = 1\nstrangers_burst = 2");
    let all = server.system(ALL);
    server.refused(&server.get("Patient/p1", ""), 401, "AMANAT-AUTH-0001", "token:missing");
    server.refused(&server.get("Patient/p1", "nonsense"), 401, "AMANAT-AUTH-0002", "token:malformed");
    let reply = server.get("Patient/p1", "");
    server.refused(&reply, 429, "AMANAT-RATE-0001", "rate");
    assert!(reply.header("www-authenticate").is_none() && reply.header("retry-after").is_some());
    for _ in 0..10 {
        server.allowed(&server.get("Patient/p1", &all), 200, "read", &["p1"]);
    }
    server.wait(1);
    server.refused(&server.get("Patient/p1", ""), 401, "AMANAT-AUTH-0001", "token:missing");
}
