//! The token endpoint, and tokens of the gateway's own issuer.

use super::ward;
use crate::support::{Reply, Server, Signer};
use amanat::smart::{ASSERTION_TYPE, Client, ClientKeys};
use serde_json::{Value, json};

const ENDPOINT: &str = "https://localhost:8443/token";

struct Lab {
    server: Server,
    key: Signer,
}

impl Lab {
    fn new() -> Self {
        let server = ward();
        let key = Signer::of_client("lab-1");
        let keys = ClientKeys::Jwks(key.key_set());
        server.register(Client::backend("lab", "Laboratory", keys, "system/Observation.crs system/Patient.rs"));
        Self { server, key }
    }

    fn claims(&self, name: &str, value: Value) -> Value {
        let now = self.server.clock.now().seconds();
        let mut claims =
            json!({"iss": "lab", "sub": "lab", "aud": ENDPOINT, "exp": now + 60, "jti": uuid::Uuid::new_v4().to_string()});
        claims[name] = value;
        claims
    }

    fn ask(&self, claims: &Value, scope: &str) -> Reply {
        self.post(&format!(
            "grant_type=client_credentials&scope={scope}&client_assertion_type={ASSERTION_TYPE}&client_assertion={}",
            self.key.sign(claims)
        ))
    }

    fn post(&self, form: &str) -> Reply {
        self.server.call("POST", "/token").form(form).send()
    }

    /// An OAuth error, and one entry that says why.
    #[track_caller]
    fn refused(&self, reply: &Reply, status: u16, error: &str, reason: &str) {
        assert_eq!((reply.status, &reply.json()["error"]), (status, &json!(error)), "{}", reply.text());
        assert_eq!(reply.header("cache-control"), Some("no-store"));
        let entries = self.server.trail_of(reply);
        assert_eq!((entries.len(), &entries[0]["reason"], &entries[0]["event"]["kind"]), (1, &json!(reason), &json!("token")));
        assert_ne!(entries[0]["outcome"], "0");
    }
}

#[test]
fn a_backend_client_gets_a_token_that_works() {
    let lab = Lab::new();
    let reply = lab.ask(&lab.claims("x", json!(1)), "system/Observation.rs+system/Condition.rs").expect(200);
    assert_eq!((&reply.json()["scope"], &reply.json()["token_type"]), (&json!("system/Observation.rs"), &json!("Bearer")));
    let token = reply.json()["access_token"].as_str().unwrap().to_owned();
    let entry = &lab.server.trail_of(&reply)[0];
    assert_eq!((&entry["outcome"], &entry["agent"]["client"]), (&json!("0"), &json!("lab")));
    assert!(!entry.to_string().contains(&token), "the trail holds a usable token");
    let read = lab.server.get("Observation/o1", &token);
    lab.server.allowed(&read, 200, "read", &["p1"]);
    assert_eq!(lab.server.trail_of(&read)[0]["agent"]["token_id"], entry["agent"]["token_id"]);
    lab.server.refused(&lab.server.get("Condition/c1", &token), 403, "AMANAT-SCOPE-0001", "scope");
    lab.server.wait(400);
    lab.server.refused(&lab.server.get("Observation/o1", &token), 401, "AMANAT-AUTH-0002", "token:expired");
}

#[test]
fn an_assertion_that_proves_nothing_gets_no_token() {
    let lab = Lab::new();
    let now = lab.server.clock.now().seconds();
    for (name, value, why) in [
        ("aud", json!("https://localhost:8443/fhir"), "audience"),
        ("exp", json!(now - 60), "expired"),
        ("exp", json!(now + 3600), "expiry"),
        ("nbf", json!(now + 3600), "not-before"),
        ("jti", Value::Null, "token-id"),
        ("iss", json!("other"), "issuer"),
        ("sub", json!("other"), "subject"),
    ] {
        let reply = lab.ask(&lab.claims(name, value.clone()), "system/Observation.rs");
        assert_eq!((reply.status, &reply.json()["error"]), (401, &json!("invalid_client")), "{name}: {value}");
        let entries = lab.server.trail_of(&reply);
        assert_eq!((entries.len(), &entries[0]["outcome"]), (1, &json!("8")), "{name} ({why}): {entries:?}");
    }
    let once = lab.claims("x", json!(1));
    let _ = lab.ask(&once, "system/Observation.rs").expect(200);
    lab.refused(&lab.ask(&once, "system/Observation.rs"), 401, "invalid_client", "assertion:replayed");
}

#[test]
fn a_request_that_is_not_understood_gets_no_token() {
    let lab = Lab::new();
    lab.refused(&lab.post("scope=system/*.rs"), 400, "invalid_request", "request:grant-type");
    lab.refused(&lab.post("grant_type=password"), 400, "unsupported_grant_type", "request:grant-type");
    lab.refused(&lab.post("grant_type=client_credentials&grant_type=x"), 400, "invalid_request", "request:repeated");
    lab.refused(&lab.post("grant_type=client_credentials&scope=x"), 401, "invalid_client", "assertion:type");
    for scope in ["", "system/Condition.rs", "patient/Observation.rs", "system/Observation.sr"] {
        let reply = lab.ask(&lab.claims("x", json!(1)), scope);
        assert_eq!((reply.status, &reply.json()["error"]), (400, &json!("invalid_scope")), "{scope}");
        assert_eq!(lab.server.trail_of(&reply)[0]["outcome"], "4");
    }
    let reply = lab.server.call("POST", "/token").body("application/json", "{}").send();
    lab.refused(&reply, 400, "invalid_request", "request:media-type");
}

#[test]
fn a_client_that_is_locked_out_is_refused_with_the_token_it_has() {
    let lab = Lab::new();
    let token = lab.ask(&lab.claims("x", json!(1)), "system/Observation.rs").expect(200).json()["access_token"]
        .as_str()
        .unwrap()
        .to_owned();
    let _ = lab.server.get("Observation/o1", &token).expect(200);
    lab.server.disable("lab");
    lab.server.refused(&lab.server.get("Observation/o1", &token), 401, "AMANAT-AUTH-0002", "token:client-disabled");
    let reply = lab.ask(&lab.claims("x", json!(1)), "system/Observation.rs");
    assert_eq!(reply.status, 401);
}
