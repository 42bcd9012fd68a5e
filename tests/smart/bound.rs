//! Tokens that are bound to a key (DPoP, RFC 9449), and requests that are pushed (RFC 9126).

use super::visitor::{ALL, HOME, VERIFIER, Visitor, claims, clinic, encoded, query, request, seconds, text};
use crate::support::{BASE, Reply, Server, Signer};
use amanat::smart::{ASSERTION_TYPE, Client, ClientKeys, Profile};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

const TOKEN_URL: &str = "https://localhost:8443/token";

/// An app's own key.
struct Prover {
    key: Signer,
}

impl Prover {
    fn new() -> Self {
        Self { key: Signer::new("dpop") }
    }

    fn jwk(&self) -> Value {
        let mut jwk = self.key.key_set()["keys"][0].clone();
        for name in ["alg", "use", "kid"] {
            jwk.as_object_mut().unwrap().remove(name);
        }
        jwk
    }

    fn thumbprint(&self) -> String {
        let jwk = self.jwk();
        let text = format!("{{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":{},\"y\":{}}}", jwk["x"], jwk["y"]);
        URL_SAFE_NO_PAD.encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes()))
    }

    fn proof(&self, server: &Server, method: &str, url: &str, token: Option<&str>) -> String {
        self.with(server, method, url, token, &json!({}), &json!({}))
    }

    /// With members of the header and of the payload changed.
    fn with(&self, server: &Server, method: &str, url: &str, token: Option<&str>, header: &Value, more: &Value) -> String {
        let mut head = json!({"typ": "dpop+jwt", "alg": "ES256", "jwk": self.jwk()});
        let jti = uuid::Uuid::new_v4().to_string();
        let mut payload = json!({"htm": method, "htu": url, "iat": seconds(server), "jti": jti});
        if let Some(token) = token {
            payload["ath"] = json!(hash(token));
        }
        for (into, from) in [(&mut head, header), (&mut payload, more)] {
            for (name, value) in from.as_object().unwrap() {
                into[name] = value.clone();
            }
        }
        self.key.sign_raw(&head.to_string(), &payload.to_string())
    }
}

fn hash(token: &str) -> String {
    URL_SAFE_NO_PAD.encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, token.as_bytes()))
}

fn exchange(server: &Server, code: &str, proof: Option<&str>) -> Reply {
    let form = encoded(&[
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", HOME),
        ("client_id", "app"),
        ("code_verifier", VERIFIER),
    ]);
    let call = server.call("POST", "/token").form(&form);
    proof.map_or_else(|| server.call("POST", "/token").form(&form), |proof| call.header("DPoP", proof)).send()
}

fn refresh(server: &Server, token: &str, proof: Option<&str>) -> Reply {
    let form = encoded(&[("grant_type", "refresh_token"), ("refresh_token", token), ("client_id", "app")]);
    let call = server.call("POST", "/token").form(&form);
    proof.map_or_else(|| server.call("POST", "/token").form(&form), |proof| call.header("DPoP", proof)).send()
}

fn bound(server: &Server, prover: &Prover, scope: &str) -> Value {
    let code = Visitor::new(server).code(&request(scope, &[]), "amin");
    exchange(server, &code, Some(&prover.proof(server, "POST", TOKEN_URL, None))).expect(200).json()
}

fn read(server: &Server, token: &str, proof: &str) -> Reply {
    server.call("GET", "Patient/p1").header("Authorization", &format!("DPoP {token}")).header("DPoP", proof).send()
}

#[test]
fn sc3_a_bound_token_serves_who_proves_to_have_its_key() {
    let (server, prover) = (clinic(), Prover::new());
    let told = bound(&server, &prover, "launch/patient openid offline_access patient/Patient.rs");
    assert_eq!(told["token_type"], "DPoP");
    let token = text(&told, "access_token");
    assert_eq!(claims(token)["cnf"]["jkt"], prover.thumbprint());
    let url = format!("{BASE}/Patient/p1");
    let proof = prover.proof(&server, "GET", &url, Some(token));
    let reply = read(&server, token, &proof).expect(200);
    assert!(reply.header("dpop-nonce").is_some(), "SC-4: the next nonce is offered");
    let again = read(&server, token, &proof);
    server.refused(&again, 401, "AMANAT-AUTH-0005", "proof:replayed");
    let challenge = again.header("www-authenticate").unwrap();
    assert!(
        challenge.starts_with("DPoP ") && challenge.contains("error=\"invalid_dpop_proof\"") && challenge.contains("algs=\"")
    );
    let search = prover.proof(&server, "GET", &format!("{BASE}/Patient"), Some(token));
    let searched = server.call("GET", "Patient?_id=p1").header("Authorization", &format!("DPoP {token}")).header("DPoP", &search);
    searched.send().expect(200);
}

#[test]
fn sc3_sc5_every_other_proof_is_refused() {
    let (server, prover, other) = (clinic(), Prover::new(), Prover::new());
    let told = bound(&server, &prover, "launch/patient patient/Patient.rs");
    let token = text(&told, "access_token");
    let url = format!("{BASE}/Patient/p1");
    let with = |header: Value, more: Value| prover.with(&server, "GET", &url, Some(token), &header, &more);
    let mut private = prover.jwk();
    private["d"] = json!("AAAA");
    let now = seconds(&server);
    for (proof, why) in [
        (prover.proof(&server, "POST", &url, Some(token)), "method"),
        (prover.proof(&server, "GET", &format!("{BASE}/Patient/p2"), Some(token)), "url"),
        (prover.proof(&server, "GET", &url, None), "token"),
        (prover.proof(&server, "GET", &url, Some("another")), "token"),
        (other.proof(&server, "GET", &url, Some(token)), "key"),
        (with(json!({"typ": "JWT"}), json!({})), "type"),
        (with(json!({"jwk": private}), json!({})), "key"),
        (with(json!({"jwk": other.jwk()}), json!({})), "signature"),
        (with(json!({"alg": "none"}), json!({})), "algorithm"),
        (with(json!({"crit": ["x"]}), json!({})), "header"),
        (with(json!({}), json!({"iat": now - 300})), "time"),
        (with(json!({}), json!({"iat": now + 300})), "time"),
        (with(json!({}), json!({"iat": "now"})), "time"),
        (with(json!({}), json!({"jti": ""})), "jti"),
        (with(json!({}), json!({"nonce": "made up"})), "nonce"),
        ("no.proof".to_owned(), "malformed"),
    ] {
        server.refused(&read(&server, token, &proof), 401, "AMANAT-AUTH-0005", &format!("proof:{why}"));
    }
    let missing = server.call("GET", "Patient/p1").header("Authorization", &format!("DPoP {token}")).send();
    server.refused(&missing, 401, "AMANAT-AUTH-0005", "proof:missing");
    let bearer = server.get("Patient/p1", token);
    server.refused(&bearer, 401, "AMANAT-AUTH-0005", "proof:scheme");
    assert!(bearer.header("www-authenticate").unwrap().contains("error=\"invalid_token\""));
    let plain = server.patient("p1", "patient/*.rs");
    let unbound = read(&server, &plain, &prover.proof(&server, "GET", &url, Some(&plain)));
    server.refused(&unbound, 401, "AMANAT-AUTH-0005", "proof:unbound");
}

#[test]
fn sc6_refresh_tokens_of_a_public_app_are_bound_and_do_not_change() {
    let (server, prover, other) = (clinic(), Prover::new(), Prover::new());
    let told = bound(&server, &prover, "launch/patient offline_access patient/Patient.rs");
    let token = text(&told, "refresh_token");
    let proof = |prover: &Prover| prover.proof(&server, "POST", TOKEN_URL, None);
    assert_eq!(refresh(&server, token, None).expect(400).json()["error"], "invalid_grant");
    assert_eq!(refresh(&server, token, Some(&proof(&other))).expect(400).json()["error"], "invalid_grant");
    let again = refresh(&server, token, Some(&proof(&prover))).expect(200).json();
    assert_eq!((&again["token_type"], &again["refresh_token"]), (&json!("DPoP"), &told["refresh_token"]));
    assert_eq!(claims(text(&again, "access_token"))["cnf"]["jkt"], prover.thumbprint());
    let wrong = prover.proof(&server, "POST", "https://evil.example/token", None);
    assert_eq!(refresh(&server, token, Some(&wrong)).expect(400).json()["error"], "invalid_dpop_proof");
}

#[test]
fn sc3_a_code_can_be_bound_before_it_is_given() {
    let (server, prover, other) = (clinic(), Prover::new(), Prover::new());
    let asked = request("launch/patient patient/Patient.rs", &[("dpop_jkt", &prover.thumbprint())]);
    let proof = |prover: &Prover| prover.proof(&server, "POST", TOKEN_URL, None);
    let code = Visitor::new(&server).code(&asked, "amin");
    assert_eq!(exchange(&server, &code, Some(&proof(&other))).expect(400).json()["error"], "invalid_grant");
    exchange(&server, &code, Some(&proof(&prover))).expect(200);
}

#[test]
fn sc4_where_a_nonce_is_needed_it_is_told_and_then_taken() {
    let server = crate::support::Server::with("Policy-all-normal", "[smart]\nproof_nonce = true");
    super::visitor::furnish(&server);
    server.seed(&[json!({"resourceType": "Patient", "id": "p1"})]);
    let prover = Prover::new();
    let code = Visitor::new(&server).code(&request("launch/patient patient/Patient.rs", &[]), "amin");
    let refused = exchange(&server, &code, Some(&prover.proof(&server, "POST", TOKEN_URL, None))).expect(400);
    assert_eq!(refused.json()["error"], "use_dpop_nonce");
    let nonce = json!({"nonce": refused.header("dpop-nonce").unwrap()});
    let proof = prover.with(&server, "POST", TOKEN_URL, None, &json!({}), &nonce);
    let told = exchange(&server, &code, Some(&proof)).expect(200).json();
    let token = text(&told, "access_token");
    let url = format!("{BASE}/Patient/p1");
    let refused = read(&server, token, &prover.proof(&server, "GET", &url, Some(token)));
    server.refused(&refused, 401, "AMANAT-AUTH-0005", "proof:nonce");
    assert!(refused.header("www-authenticate").unwrap().contains("use_dpop_nonce"));
    server.wait(160);
    let late = prover.with(&server, "GET", &url, Some(token), &json!({}), &nonce);
    read(&server, token, &late).expect(200);
    server.wait(160);
    let over = prover.with(&server, "GET", &url, Some(token), &json!({}), &nonce);
    assert_eq!(read(&server, token, &over).status, 401, "a nonce ends");
}

#[test]
fn sc5_introspection_tells_what_a_token_is_bound_to() {
    let (server, prover) = (clinic(), Prover::new());
    let told = bound(&server, &prover, "launch/patient patient/Patient.rs");
    let key = Signer::of_client("rs-1");
    server.register(Client::backend("records", "Records", ClientKeys::Jwks(key.key_set()), "system/Patient.rs"));
    let exp = seconds(&server) + 300;
    let assertion = key.sign(&json!({"iss": "records", "sub": "records", "aud": TOKEN_URL, "exp": exp, "jti": "j"}));
    let form = encoded(&[
        ("token", text(&told, "access_token")),
        ("client_assertion_type", ASSERTION_TYPE),
        ("client_assertion", &assertion),
    ]);
    let seen = server.call("POST", "/introspect").form(&form).send().expect(200).json();
    assert_eq!((&seen["active"], &seen["token_type"]), (&json!(true), &json!("DPoP")));
    assert_eq!(seen["cnf"]["jkt"], prover.thumbprint());
}

/// An app of the FAPI profile, with its key.
fn fapi(server: &Server) -> Signer {
    let key = Signer::new("fapi-1");
    let app = Client::asymmetric("fapi", "Exact", ClientKeys::Jwks(key.key_set()), vec![HOME.to_owned()], ALL);
    server.register(Client { profile: Profile::Fapi2, ..app });
    key
}

fn assertion(server: &Server, key: &Signer, audience: &Value) -> String {
    let (exp, jti) = (seconds(server) + 60, uuid::Uuid::new_v4().to_string());
    key.sign(&json!({"iss": "fapi", "sub": "fapi", "aud": audience, "exp": exp, "jti": jti}))
}

fn push(server: &Server, key: &Signer, audience: &Value, more: &[(&str, &str)]) -> Reply {
    let told = assertion(server, key, audience);
    let proved = encoded(&[("client_assertion_type", ASSERTION_TYPE), ("client_assertion", &told)]);
    let mut changes = vec![("client_id", "fapi")];
    changes.extend(more);
    let form = format!("{}&{proved}", request("launch/patient patient/Patient.rs", &changes));
    server.call("POST", "/par").form(&form).send()
}

#[test]
fn f1_to_f8_the_strict_profile_from_push_to_record() {
    let server = clinic();
    let (key, prover) = (fapi(&server), Prover::new());
    let issuer = json!(BASE);
    for wrong in [json!(TOKEN_URL), json!([BASE]), json!("https://localhost:8443/par")] {
        assert_eq!(push(&server, &key, &wrong, &[]).expect(401).json()["error"], "invalid_client", "F-6 {wrong}");
    }
    let unpushed = Visitor::new(&server).get(&format!("/authorize?{}", request("patient/Patient.rs", &[("client_id", "fapi")])));
    assert_eq!(query(&unpushed)["error"], "invalid_request", "F-2");
    let refused = push(&server, &key, &issuer, &[("code_challenge_method", "plain")]).expect(400);
    assert_eq!(refused.json()["error"], "invalid_request", "F-3");
    assert_eq!(push(&server, &key, &issuer, &[("request_uri", "urn:x")]).expect(400).json()["error"], "invalid_request");
    server.call("GET", "/par").send().expect(405);
    let pushed = push(&server, &key, &issuer, &[]).expect(201);
    let told = pushed.json();
    assert!(told["expires_in"].as_i64().unwrap() < 600 && pushed.header("cache-control") == Some("no-store"));
    let short = encoded(&[("client_id", "fapi"), ("request_uri", text(&told, "request_uri"))]);
    let foreign = encoded(&[("client_id", "app"), ("request_uri", text(&told, "request_uri"))]);
    Visitor::new(&server).get(&format!("/authorize?{foreign}")).expect(400);
    let mut visitor = Visitor::new(&server);
    let first = visitor.open(&short);
    assert!(first.text().contains("id=\"password\""));
    let code = visitor.code(&short, "amin");
    assert_eq!(visitor.get(&format!("/authorize?{short}")).status, 400, "F-2: used");
    let exchange = |proof: Option<&str>| {
        let told = assertion(&server, &key, &issuer);
        let form = encoded(&[
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("redirect_uri", HOME),
            ("code_verifier", VERIFIER),
            ("client_assertion_type", ASSERTION_TYPE),
            ("client_assertion", &told),
        ]);
        let call = server.call("POST", "/token").form(&form);
        proof.map_or_else(|| server.call("POST", "/token").form(&form), |proof| call.header("DPoP", proof)).send()
    };
    assert_eq!(exchange(None).expect(400).json()["error"], "invalid_dpop_proof", "F-4");
    let told = exchange(Some(&prover.proof(&server, "POST", TOKEN_URL, None))).expect(200).json();
    let token = text(&told, "access_token");
    let url = format!("{BASE}/Patient/p1");
    read(&server, token, &prover.proof(&server, "GET", &url, Some(token))).expect(200);
    let late = push(&server, &key, &issuer, &[]).expect(201).json();
    server.wait(700);
    let late = encoded(&[("client_id", "fapi"), ("request_uri", text(&late, "request_uri"))]);
    Visitor::new(&server).get(&format!("/authorize?{late}")).expect(400);
}

#[test]
fn f7_the_strict_profile_takes_no_other_algorithm() {
    let server = clinic();
    let key = Signer::of_client("fapi-2");
    let app = Client::asymmetric("fapi", "Exact", ClientKeys::Jwks(key.key_set()), vec![HOME.to_owned()], ALL);
    server.register(Client { profile: Profile::Fapi2, ..app });
    assert_eq!(push(&server, &key, &json!(BASE), &[]).expect(401).json()["error"], "invalid_client");
}

#[test]
fn par_a_public_app_pushes_and_the_documents_say_so() {
    let server = clinic();
    let form = request("launch/patient patient/Patient.rs", &[]);
    let told = server.call("POST", "/par").form(&form).send().expect(201).json();
    let short = encoded(&[("client_id", "app"), ("request_uri", text(&told, "request_uri"))]);
    let code = Visitor::new(&server).code(&short, "amin");
    exchange(&server, &code, None).expect(200);
    let smart = server.call("GET", "/fhir/.well-known/smart-configuration").send().json();
    assert_eq!(smart["pushed_authorization_request_endpoint"], "https://localhost:8443/par");
    assert!(smart["dpop_signing_alg_values_supported"].as_array().unwrap().contains(&json!("ES256")));
    assert!(smart.get("tls_client_certificate_bound_access_tokens").is_none(), "no certificates are asked for here");
    for place in ["/.well-known/oauth-protected-resource", "/.well-known/oauth-protected-resource/fhir"] {
        let resource = server.call("GET", place).header("Origin", "https://anybody.example").send().expect(200);
        assert_eq!(resource.header("access-control-allow-origin"), Some("*"));
        let resource = resource.json();
        assert_eq!((&resource["resource"], &resource["authorization_servers"][0]), (&json!(BASE), &json!(BASE)), "BP-7");
        assert_eq!(resource["bearer_methods_supported"], json!(["header"]));
    }
}
