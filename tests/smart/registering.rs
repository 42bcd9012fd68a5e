//! Clients that register themselves (RFC 7591, RFC 7592).

use super::visitor::{ALL, HOME, VERIFIER, Visitor, ask, clinic, furnish, request, seconds, text};
use crate::support::{Reply, Server, Signer};
use amanat::smart::{ASSERTION_TYPE, Client};
use serde_json::{Value, json};

fn register(server: &Server, body: &Value) -> Reply {
    server.call("POST", "/register").body("application/json", body.to_string()).send()
}

fn app() -> Value {
    json!({
        "client_name": "Growth", "redirect_uris": [HOME], "token_endpoint_auth_method": "none", "scope": ALL,
        "grant_types": ["authorization_code", "refresh_token"], "response_types": ["code"], "contacts": ["mailto:dev@app.example"],
    })
}

fn approve(server: &Server, id: &str) {
    let now = server.clock.now();
    server.change_client(id, |client| {
        let mut enrolled = client.enrolled.clone().unwrap();
        enrolled.approved = Some(now.0);
        Client { enrolled: Some(enrolled), ..client }
    });
}

fn exchange(server: &Server, id: &str, code: &str) -> Reply {
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", HOME),
        ("client_id", id),
        ("code_verifier", VERIFIER),
    ];
    ask(server, &fields)
}

#[test]
fn c9_an_app_registers_itself_and_waits_for_the_operator() {
    let server = clinic();
    let smart = server.call("GET", "/fhir/.well-known/smart-configuration").send().json();
    assert_eq!(smart["registration_endpoint"], "https://localhost:8443/register", "D-10");
    let reply = register(&server, &app()).expect(201);
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    let told = reply.json();
    let id = text(&told, "client_id").to_owned();
    for (name, value) in app().as_object().unwrap() {
        let words = |one: &Value| -> Vec<String> {
            let mut words: Vec<String> = one.as_str().unwrap_or_default().split(' ').map(str::to_owned).collect();
            words.sort();
            words
        };
        assert!(
            told[name] == *value || (value.is_string() && words(&told[name]) == words(value)),
            "{name}: {} {value}",
            told[name]
        );
    }
    assert!(told.get("client_secret").is_none() && told["registration_access_token"].is_string());
    assert_eq!(server.trail_of(&reply)[0]["event"]["word"], "client-added");
    let waiting = Visitor::new(&server).get(&format!("/authorize?{}", request("patient/Patient.rs", &[("client_id", &id)])));
    assert_eq!(waiting.status, 400, "{}", waiting.text());
    let pushed = server.call("POST", "/par").form(&request("patient/Patient.rs", &[("client_id", &id)])).send();
    assert_eq!(pushed.expect(401).json()["error"], "invalid_client");
    approve(&server, &id);
    let code = Visitor::new(&server).code(&request("launch/patient patient/Patient.rs", &[("client_id", &id)]), "amin");
    let tokens = exchange(&server, &id, &code).expect(200).json();
    server.get("Patient/p1", text(&tokens, "access_token")).expect(200);
}

#[test]
fn c9_a_client_reads_changes_and_ends_its_own_registration() {
    let server = clinic();
    let told = register(&server, &app()).expect(201).json();
    let id = text(&told, "client_id").to_owned();
    let (path, token) = (format!("/register/{id}"), text(&told, "registration_access_token").to_owned());
    assert_eq!(told["registration_client_uri"], format!("https://localhost:8443{path}"));
    let seen = server.get(&path, &token).expect(200).json();
    assert_eq!(seen["client_id"], told["client_id"]);
    for wrong in ["", "wrong"] {
        let refused = server.get(&path, wrong).expect(401);
        assert!(refused.header("www-authenticate").unwrap().starts_with("Bearer"));
    }
    let other = register(&server, &app()).expect(201).json();
    server.get(&path, text(&other, "registration_access_token")).expect(401);
    server.get("/register/nobody", &token).expect(401);
    approve(&server, &id);
    let code = Visitor::new(&server).code(&request("launch/patient patient/Patient.rs", &[("client_id", &id)]), "amin");
    let tokens = exchange(&server, &id, &code).expect(200).json();
    let access = text(&tokens, "access_token").to_owned();
    server.get("Patient/p1", &access).expect(200);
    let put = |body: &Value| server.call("PUT", &path).token(&token).body("application/json", body.to_string()).send();
    let mut changed = app();
    changed["client_id"] = json!(id);
    changed["contacts"] = json!(["mailto:new@app.example"]);
    put(&changed).expect(200);
    server.get("Patient/p1", &access).expect(200);
    changed["redirect_uris"] = json!(["https://elsewhere.example/callback"]);
    let waiting = put(&changed).expect(200).json();
    assert_eq!(waiting["registration_status"], "pending", "what was approved was another address");
    server.refused(&server.get("Patient/p1", &access), 401, "AMANAT-AUTH-0002", "token:client-disabled");
    changed["client_id"] = json!("other");
    assert_eq!(put(&changed).expect(400).json()["error"], "invalid_client_metadata");
    server.call("DELETE", &path).token(&token).send().expect(204);
    server.get(&path, &token).expect(401);
    server.refused(&server.get("Patient/p1", &access), 401, "AMANAT-AUTH-0002", "token:client");
    server.call("POST", &path).send().expect(405);
}

#[test]
fn c7_c9_what_cannot_be_registered_is_told_by_the_words_of_the_rfc() {
    let server = clinic();
    let but = |name: &str, value: Value| {
        let mut body = app();
        body[name] = value;
        body
    };
    for (body, error) in [
        (but("redirect_uris", json!(["http://app.example/cb"])), "invalid_redirect_uri"),
        (but("redirect_uris", json!(["https://app.example/#x"])), "invalid_redirect_uri"),
        (but("redirect_uris", json!(["javascript:alert(1)"])), "invalid_redirect_uri"),
        (but("redirect_uris", json!(["https://*.example/"])), "invalid_redirect_uri"),
        (but("redirect_uris", json!(["https://u@app.example/"])), "invalid_redirect_uri"),
        (but("redirect_uris", json!([])), "invalid_redirect_uri"),
        (but("redirect_uris", json!("x")), "invalid_client_metadata"),
        (but("grant_types", json!(["implicit"])), "invalid_client_metadata"),
        (but("grant_types", json!(["authorization_code", "client_credentials"])), "invalid_client_metadata"),
        (but("response_types", json!(["token"])), "invalid_client_metadata"),
        (but("token_endpoint_auth_method", json!("client_secret_post")), "invalid_client_metadata"),
        (but("token_endpoint_auth_method", json!("private_key_jwt")), "invalid_client_metadata"),
        (but("scope", json!("system/*.rs")), "invalid_client_metadata"),
        (but("logo_uri", json!("http://app.example/logo.png")), "invalid_client_metadata"),
        (but("software_statement", json!("a.b.c")), "invalid_software_statement"),
    ] {
        let reply = register(&server, &body).expect(400);
        assert_eq!(reply.json()["error"], error, "{body}");
    }
    server.call("POST", "/register").body("text/plain", "x").send().expect(400);
    server.call("POST", "/register").body("application/json", "[]").send().expect(400);
    server.call("GET", "/register").send().expect(405);
}

#[test]
fn c2_c6_a_backend_and_a_secret_come_as_they_were_asked_for() {
    let server = Server::with("Policy-all-normal", "[smart]\nregistration = \"at-once\"");
    furnish(&server);
    server.seed(&[json!({"resourceType": "Patient", "id": "p1"})]);
    let key = Signer::of_client("own");
    let body = json!({
        "client_name": "Lab", "grant_types": ["client_credentials"], "token_endpoint_auth_method": "private_key_jwt",
        "jwks": key.key_set(), "scope": "system/Patient.rs",
    });
    let told = register(&server, &body).expect(201).json();
    let id = text(&told, "client_id");
    let assertion = key.sign(&json!({
        "iss": id, "sub": id, "aud": "https://localhost:8443/token", "exp": seconds(&server) + 300, "jti": "1",
    }));
    let fields = [
        ("grant_type", "client_credentials"),
        ("scope", "system/Patient.rs"),
        ("client_assertion_type", ASSERTION_TYPE),
        ("client_assertion", &assertion),
    ];
    let tokens = ask(&server, &fields).expect(200).json();
    server.get("Patient/p1", text(&tokens, "access_token")).expect(200);
    let mut secret = app();
    secret["token_endpoint_auth_method"] = json!("client_secret_basic");
    let told = register(&server, &secret).expect(201).json();
    assert!(text(&told, "client_secret").len() >= 40 && told["client_secret_expires_at"] == 0);
}

#[test]
fn c9_who_registers_all_the_time_is_slowed_down_and_a_site_can_close_it() {
    let server = clinic();
    let tried: Vec<u16> = (0..60).map(|_| register(&server, &json!({})).status).collect();
    assert!(tried.contains(&400) && tried.contains(&429), "{tried:?}");
    let closed = Server::with("Policy-all-normal", "[smart]\nregistration = \"closed\"");
    register(&closed, &app()).expect(404);
    let smart = closed.call("GET", "/fhir/.well-known/smart-configuration").send().json();
    assert!(smart.get("registration_endpoint").is_none());
}

#[test]
fn c5_the_owner_is_told_how_old_the_keys_are() {
    let server = clinic();
    let key = Signer::of_client("k1");
    let mut body = json!({
        "client_name": "Lab", "token_endpoint_auth_method": "private_key_jwt", "grant_types": ["client_credentials"],
        "scope": "system/Patient.rs", "jwks": key.key_set(),
    });
    let told = register(&server, &body).expect(201).json();
    let (path, token) = (format!("/register/{}", text(&told, "client_id")), text(&told, "registration_access_token").to_owned());
    let since = |server: &Server| server.get(&path, &token).expect(200).json()["jwks_registered_at"].as_i64().unwrap();
    let first = seconds(&server);
    assert_eq!(since(&server), first);
    server.wait(400 * 24 * 3600);
    body["client_id"] = told["client_id"].clone();
    body["contacts"] = json!(["mailto:dev@lab.example"]);
    let put =
        |body: &Value| server.call("PUT", &path).token(&token).body("application/json", body.to_string()).send().expect(200);
    put(&body);
    assert_eq!(since(&server), first, "the same keys");
    body["jwks"] = Signer::of_client("k2").key_set();
    put(&body);
    assert_eq!(since(&server), seconds(&server));
}
