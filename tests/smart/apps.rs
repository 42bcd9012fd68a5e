//! Introspection, revocation, and the page of connected apps.

use super::visitor::{Visitor, ask, clinic, encoded, request, text, tokens};
use crate::support::{BASE, Reply, Server, Signer};
use amanat::smart::{ASSERTION_TYPE, Client, ClientKeys};
use serde_json::{Value, json};

const SCOPE: &str = "launch/patient openid fhirUser offline_access patient/Patient.rs";

struct Resource {
    key: Signer,
}

impl Resource {
    fn registered(server: &Server) -> Self {
        let key = Signer::of_client("rs-1");
        server.register(Client::backend("records", "Resource server", ClientKeys::Jwks(key.key_set()), "system/Patient.rs"));
        Self { key }
    }

    fn assertion(&self, server: &Server) -> String {
        let exp = super::visitor::seconds(server) + 300;
        let jti = uuid::Uuid::new_v4().to_string();
        self.key.sign(&json!({"iss": "records", "sub": "records", "aud": "https://localhost:8443/token", "exp": exp, "jti": jti}))
    }

    fn introspect(&self, server: &Server, token: &str) -> Reply {
        let assertion = self.assertion(server);
        let form = encoded(&[("token", token), ("client_assertion_type", ASSERTION_TYPE), ("client_assertion", &assertion)]);
        server.call("POST", "/introspect").form(&form).send()
    }

    fn token(&self, server: &Server) -> String {
        let assertion = self.assertion(server);
        let fields = [
            ("grant_type", "client_credentials"),
            ("scope", "system/Patient.rs"),
            ("client_assertion_type", ASSERTION_TYPE),
            ("client_assertion", assertion.as_str()),
        ];
        text(&ask(server, &fields).expect(200).json(), "access_token").to_owned()
    }
}

#[test]
fn n1_n4_an_active_token_is_told_whole() {
    let server = clinic();
    let resource = Resource::registered(&server);
    let told = tokens(&server, "amin", SCOPE);
    let reply = resource.introspect(&server, text(&told, "access_token")).expect(200);
    let seen = reply.json();
    assert_eq!((&seen["active"], &seen["client_id"], &seen["patient"]), (&json!(true), &json!("app"), &json!("p1")));
    assert_eq!((&seen["iss"], &seen["fhirUser"]), (&json!(BASE), &json!(format!("{BASE}/Patient/p1"))));
    assert_eq!(seen["exp"].as_i64().unwrap(), super::visitor::seconds(&server) + told["expires_in"].as_i64().unwrap());
    let set = |scope: &Value| scope.as_str().unwrap().split(' ').map(str::to_owned).collect::<std::collections::BTreeSet<_>>();
    assert_eq!(set(&seen["scope"]), set(&told["scope"]));
    assert_eq!(seen["sub"], super::visitor::claims(text(&told, "id_token"))["sub"]);
    let entry = &server.trail_of(&reply)[0];
    assert_eq!((&entry["event"]["word"], &entry["agent"]["client"]), (&json!("introspected"), &json!("records")));
    let refresh = resource.introspect(&server, text(&told, "refresh_token")).expect(200).json();
    assert_eq!((&refresh["active"], &refresh["client_id"]), (&json!(true), &json!("app")));
}

#[test]
fn n2_of_anything_else_only_that_it_is_not_active() {
    let server = clinic();
    let resource = Resource::registered(&server);
    let told = tokens(&server, "amin", SCOPE);
    server.wait(3700);
    for token in [text(&told, "access_token"), "garbage", "a.b.c", &server.system("system/*.rs"), text(&told, "id_token")] {
        let reply = resource.introspect(&server, token).expect(200);
        assert_eq!(reply.text(), "{\"active\":false}");
    }
}

#[test]
fn n3_who_proves_nothing_is_told_nothing() {
    let server = clinic();
    let resource = Resource::registered(&server);
    let told = tokens(&server, "amin", SCOPE);
    let form = encoded(&[("token", text(&told, "access_token"))]);
    let bare = server.call("POST", "/introspect").form(&form).send().expect(401);
    assert_eq!(bare.json()["error"], "invalid_client");
    let named = format!("{form}&client_id=app");
    server.call("POST", "/introspect").form(&named).send().expect(401);
    server.call("POST", "/introspect").token("garbage").form(&form).send().expect(401);
    let bearer = resource.token(&server);
    let seen = server.call("POST", "/introspect").token(&bearer).form(&form).send().expect(200).json();
    assert_eq!(seen["active"], true, "a backend's own bearer token will do");
    server.register(super::visitor::app("other"));
    let foreign = {
        let code = Visitor::new(&server).code(&request("patient/Patient.rs", &[("client_id", "other")]), "bano");
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", code.as_str()),
            ("redirect_uri", super::visitor::HOME),
            ("client_id", "other"),
            ("code_verifier", super::visitor::VERIFIER),
        ];
        text(&ask(&server, &fields).expect(200).json(), "access_token").to_owned()
    };
    let seen = server.call("POST", "/introspect").token(&foreign).form(&form).send().expect(200);
    assert_eq!(seen.text(), "{\"active\":false}", "an app asks about its own tokens only");
}

#[test]
fn v1_an_app_gives_its_tokens_up() {
    let server = clinic();
    server.register(super::visitor::app("other"));
    let told = tokens(&server, "amin", SCOPE);
    let (access, refresh) = (text(&told, "access_token"), text(&told, "refresh_token"));
    let revoke = |token: &str, client: &str, more: &str| {
        let form = format!("{}{more}", encoded(&[("token", token), ("client_id", client)]));
        server.call("POST", "/revoke").form(&form).send()
    };
    for (token, client) in [("unknown", "app"), (access, "other"), (refresh, "other")] {
        let reply = revoke(token, client, "").expect(200);
        assert!(reply.body.is_empty());
    }
    server.get("Patient/p1", access).expect(200);
    assert_eq!(revoke(access, "app", "&token_type_hint=saml").expect(400).json()["error"], "unsupported_token_type");
    server.call("POST", "/revoke").form(&encoded(&[("token", access)])).send().expect(401);
    let reply = revoke(access, "app", "&token_type_hint=access_token").expect(200);
    assert_eq!(server.trail_of(&reply)[0]["event"]["word"], "ended");
    server.refused(&server.get("Patient/p1", access), 401, "AMANAT-AUTH-0002", "token:revoked");
    let again = ask(&server, &[("grant_type", "refresh_token"), ("refresh_token", refresh)]).expect(200).json();
    revoke(text(&again, "refresh_token"), "app", "").expect(200);
    server.refused(&server.get("Patient/p1", text(&again, "access_token")), 401, "AMANAT-AUTH-0002", "token:revoked");
    ask(&server, &[("grant_type", "refresh_token"), ("refresh_token", text(&again, "refresh_token"))]).expect(400);
}

#[test]
fn v2_a_patient_disconnects_an_app_with_one_tap() {
    let server = clinic();
    let mut visitor = Visitor::signed_in(&server, "amin");
    let code = visitor.code(&request(SCOPE, &[]), "amin");
    let told = super::visitor::exchange(&server, &code).expect(200).json();
    server.get("Patient/p1", text(&told, "access_token")).expect(200);
    let mut other = Visitor::signed_in(&server, "bano");
    let page = other.get("/account").expect(200);
    assert!(page.text().contains("id=\"no-apps\""), "nobody sees what others allowed");
    let page = visitor.get("/account").expect(200);
    assert!(page.text().contains("My Records") && page.text().contains("see: name, birth date"), "{}", page.text());
    let name = page.text().split("name=\"authorization\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let home = other.get("/account");
    let foreign = home.text().split("name=\"form_token\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    other.post("/account/disconnect", &encoded(&[("form_token", &foreign), ("authorization", &name)])).expect(303);
    server.get("Patient/p1", text(&told, "access_token")).expect(200);
    let done = visitor.submit(&page, "/account/disconnect", &[("authorization", &name)]).expect(200);
    assert!(done.text().contains("id=\"ended\"") && done.text().contains("id=\"no-apps\""));
    assert!(server.trail_of(&done).iter().any(|entry| entry["event"]["word"] == "ended"));
    server.refused(&server.get("Patient/p1", text(&told, "access_token")), 401, "AMANAT-AUTH-0002", "token:revoked");
    ask(&server, &[("grant_type", "refresh_token"), ("refresh_token", text(&told, "refresh_token"))]).expect(400);
    assert_eq!(Resource::registered(&server).introspect(&server, text(&told, "access_token")).text(), "{\"active\":false}");
}
