//! The token endpoint, as apps use it.

use super::visitor::{ALL, HOME, VERIFIER, Visitor, ask, claims, clinic, encoded, exchange, request, text};
use crate::support::{BASE, Reply, Server, Signer};
use amanat::smart::{ASSERTION_TYPE, Client, ClientKeys};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

fn denied(server: &Server, reply: &Reply, status: u16, error: &str) {
    assert_eq!((reply.status, &reply.json()["error"]), (status, &json!(error)), "{}", reply.text());
    assert_eq!((reply.header("cache-control"), reply.header("pragma")), (Some("no-store"), Some("no-cache")), "T-4");
    let entries = server.trail_of(reply);
    assert_eq!((entries.len(), &entries[0]["event"]["kind"]), (1, &json!("token")), "{entries:?}");
    assert_ne!(entries[0]["outcome"], "0");
}

fn code(server: &Server, client: &str) -> String {
    Visitor::new(server).code(&request("patient/Patient.rs offline_access", &[("client_id", client)]), "amin")
}

fn form(code: &str, changes: &[(&str, &str)]) -> String {
    let mut all = vec![
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", HOME),
        ("client_id", "app"),
        ("code_verifier", VERIFIER),
    ];
    all.retain(|(name, _)| !changes.iter().any(|(changed, _)| changed == name));
    all.extend(changes.iter().filter(|(_, value)| !value.is_empty()));
    encoded(&all)
}

#[test]
fn t1_a_form_by_post_and_nothing_else() {
    let server = clinic();
    assert_eq!(server.call("GET", "/token").send().status, 405);
    let json = server.call("POST", "/token").body("application/json", "{}").send();
    denied(&server, &json, 400, "invalid_request");
}

#[test]
fn t2_t3_t4_a_code_brings_what_was_granted() {
    let server = clinic();
    let reply = exchange(&server, &code(&server, "app")).expect(200);
    assert!(reply.header("content-type").unwrap().starts_with("application/json"));
    assert_eq!((reply.header("cache-control"), reply.header("pragma")), (Some("no-store"), Some("no-cache")));
    let told = reply.json();
    assert_eq!((text(&told, "token_type"), text(&told, "scope")), ("Bearer", "offline_access patient/Patient.rs"));
    assert!(told["expires_in"].is_u64() && told["expires_in"].as_u64().unwrap() <= 3600, "T-11");
    assert_eq!(told["patient"], "p1", "L-2");
    assert!(told["refresh_token"].is_string() && told.get("id_token").is_none());
    let token = text(&told, "access_token");
    assert!(token.len() < 8000, "T-13");
    let entry = &server.trail_of(&reply)[0];
    assert_eq!(
        (&entry["outcome"], &entry["agent"]["client"], &entry["agent"]["user"]),
        (&json!("0"), &json!("app"), &json!("Patient/p1"))
    );
    let leaf = entry.to_string();
    assert!(!leaf.contains(token) && !leaf.contains(text(&told, "refresh_token")) && !leaf.contains(VERIFIER), "T-13");
    server.get("Patient/p1", token).expect(200);
    server.get("Patient/p2", token).expect(404);
    server.wait(3700);
    server.refused(&server.get("Patient/p1", token), 401, "AMANAT-AUTH-0002", "token:expired");
}

#[test]
fn t2_a_client_with_a_secret_uses_the_header_and_only_that() {
    let server = clinic();
    let (web, secret) = Client::symmetric("web:app", "Web", vec![HOME.to_owned()], ALL).unwrap();
    server.register(web);
    let header = |id: &str, secret: &str| {
        let encoded = |text: &str| super::visitor::percent(text);
        format!("Basic {}", STANDARD.encode(format!("{}:{}", encoded(id), encoded(secret))))
    };
    let code = code(&server, "web:app");
    let send = |form: &str, authorization: Option<&str>| {
        let call = server.call("POST", "/token").form(form);
        match authorization {
            Some(value) => call.header("Authorization", value),
            None => call,
        }
        .send()
    };
    let plain = form(&code, &[("client_id", "")]);
    for (form, authorization) in [
        (plain.clone(), Some(header("web:app", "wrong"))),
        (plain.clone(), Some(header("other", &secret))),
        (form(&code, &[("client_id", "other")]), Some(header("web:app", &secret))),
    ] {
        let reply = send(&form, authorization.as_deref());
        denied(&server, &reply, 401, "invalid_client");
        assert!(reply.header("www-authenticate").unwrap().starts_with("Basic"), "T-6");
    }
    denied(&server, &send(&form(&code, &[("client_id", "web:app")]), None), 401, "invalid_client");
    denied(&server, &send(&form(&code, &[("client_id", "web:app"), ("client_secret", &secret)]), None), 401, "invalid_client");
    let told = send(&plain, Some(&header("web:app", &secret))).expect(200).json();
    let refresh = encoded(&[("grant_type", "refresh_token"), ("refresh_token", text(&told, "refresh_token"))]);
    denied(&server, &send(&refresh, None), 401, "invalid_client");
    send(&refresh, Some(&header("web:app", &secret))).expect(200);
}

#[test]
fn t2_a_client_with_a_key_signs_an_assertion() {
    let server = clinic();
    let key = Signer::of_client("k1");
    server.register(Client::asymmetric("keyed", "Keyed", ClientKeys::Jwks(key.key_set()), vec![HOME.to_owned()], ALL));
    let code = code(&server, "keyed");
    let assertion = |client: &str| {
        let exp = super::visitor::seconds(&server) + 300;
        key.sign(&json!({"iss": client, "sub": client, "aud": "https://localhost:8443/token", "exp": exp, "jti": uuid::Uuid::new_v4().to_string()}))
    };
    let with = |grant: &str, assertion: &str| {
        format!("{grant}&{}", encoded(&[("client_assertion_type", ASSERTION_TYPE), ("client_assertion", assertion)]))
    };
    let send = |form: &str| server.call("POST", "/token").form(form).send();
    denied(&server, &send(&form(&code, &[("client_id", "keyed")])), 401, "invalid_client");
    denied(&server, &send(&with(&form(&code, &[("client_id", "")]), &assertion("app"))), 401, "invalid_client");
    denied(
        &server,
        &send(&with("grant_type=client_credentials&scope=system/*.rs", &assertion("keyed"))),
        400,
        "unauthorized_client",
    );
    let told = send(&with(&form(&code, &[("client_id", "")]), &assertion("keyed"))).expect(200).json();
    let refresh = encoded(&[("grant_type", "refresh_token"), ("refresh_token", text(&told, "refresh_token"))]);
    denied(&server, &send(&refresh), 401, "invalid_client");
    send(&with(&refresh, &assertion("keyed"))).expect(200);
}

#[test]
fn t5_without_the_right_verifier_a_code_brings_nothing() {
    let server = clinic();
    let code = code(&server, "app");
    for verifier in ["", "wrong-wrong-wrong-wrong-wrong-wrong-wrong-wr", super::visitor::CHALLENGE] {
        let reply = server.call("POST", "/token").form(&form(&code, &[("code_verifier", verifier)])).send();
        denied(&server, &reply, 400, "invalid_grant");
    }
    exchange(&server, &code).expect(200);
}

#[test]
fn t6_t7_a_code_is_its_clients_and_its_addresss() {
    let server = clinic();
    server.register(super::visitor::app("other"));
    let code = code(&server, "app");
    let send = |changes: &[(&str, &str)]| server.call("POST", "/token").form(&form(&code, changes)).send();
    denied(&server, &send(&[("code", "unknown")]), 400, "invalid_grant");
    denied(&server, &send(&[("code", "")]), 400, "invalid_request");
    denied(&server, &send(&[("client_id", "other")]), 400, "invalid_grant");
    denied(&server, &send(&[("client_id", "nobody")]), 401, "invalid_client");
    denied(&server, &send(&[("client_id", "")]), 401, "invalid_client");
    denied(&server, &send(&[("redirect_uri", "")]), 400, "invalid_grant");
    denied(&server, &send(&[("redirect_uri", "http://127.0.0.1:8765/callback")]), 400, "invalid_grant");
    exchange(&server, &code).expect(200);
}

#[test]
fn t8_t9_t10_what_is_no_grant_is_refused_in_json() {
    let server = clinic();
    for grant in ["password", "implicit", "urn:ietf:params:oauth:grant-type:device_code"] {
        denied(&server, &ask(&server, &[("grant_type", grant), ("client_id", "app")]), 400, "unsupported_grant_type");
    }
    denied(&server, &ask(&server, &[("client_id", "app")]), 400, "invalid_request");
    for secret in ["code=x", "refresh_token=x", "client_secret=x"] {
        let reply = server.call("POST", &format!("/token?{secret}")).form("grant_type=refresh_token").send();
        denied(&server, &reply, 400, "invalid_request");
    }
}

#[test]
fn t14_registered_origins_read_the_answers_and_others_do_not() {
    let server = clinic();
    for (origin, allowed) in [("https://app.example", true), ("https://evil.example", false), ("null", false)] {
        let refusal = server.call("POST", "/token").header("Origin", origin).form("grant_type=x").send();
        assert_eq!(refusal.header("access-control-allow-origin"), allowed.then_some(origin), "{origin}");
        assert_eq!(refusal.header("access-control-allow-credentials"), None);
        let preflight = server.call("OPTIONS", "/token").header("Origin", origin).send();
        assert_eq!(preflight.header("access-control-allow-origin"), allowed.then_some(origin), "{origin}");
    }
}

#[test]
fn o1_o2_o3_an_id_token_tells_who_signed_in() {
    let server = clinic();
    let asked = request("openid fhirUser patient/Patient.rs", &[("nonce", "n-0S6")]);
    let code = Visitor::new(&server).code(&asked, "amin");
    let told = exchange(&server, &code).expect(200).json();
    let id_token = text(&told, "id_token");
    let header: Value = {
        use base64::engine::general_purpose::URL_SAFE_NO_PAD;
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(id_token.split('.').next().unwrap()).unwrap()).unwrap()
    };
    assert_eq!(header["alg"], "RS256");
    let keys = server.call("GET", "/.well-known/jwks.json").send().expect(200).json();
    let key = keys["keys"].as_array().unwrap().iter().find(|key| key["kid"] == header["kid"]).unwrap();
    assert_eq!((&key["kty"], &key["alg"], &key["use"]), (&json!("RSA"), &json!("RS256"), &json!("sig")));
    assert!(["d", "p", "q", "dp", "dq", "qi"].iter().all(|secret| key.get(secret).is_none()));
    let part = |name: &str| {
        use base64::engine::general_purpose::URL_SAFE_NO_PAD;
        URL_SAFE_NO_PAD.decode(key[name].as_str().unwrap()).unwrap()
    };
    let (signed, signature) = id_token.rsplit_once('.').unwrap();
    let signature = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(signature).unwrap();
    let public = aws_lc_rs::signature::RsaPublicKeyComponents { n: part("n"), e: part("e") };
    public.verify(&aws_lc_rs::signature::RSA_PKCS1_2048_8192_SHA256, signed.as_bytes(), &signature).unwrap();
    let claims = claims(id_token);
    let now = super::visitor::seconds(&server);
    assert_eq!((&claims["iss"], &claims["aud"], &claims["nonce"]), (&json!(BASE), &json!("app"), &json!("n-0S6")));
    assert_eq!((&claims["fhirUser"], &claims["iat"]), (&json!(format!("{BASE}/Patient/p1")), &json!(now)));
    assert!(claims["exp"].as_i64().unwrap() > now && (1..=255).contains(&text(&claims, "sub").len()));
    assert_eq!(claims["auth_time"], json!(now));
    server.refused(&server.get("Patient/p1", id_token), 401, "AMANAT-AUTH-0002", "token:kind");
    let openid = server.call("GET", "/fhir/.well-known/openid-configuration").send().expect(200).json();
    assert_eq!((&openid["issuer"], &openid["id_token_signing_alg_values_supported"]), (&json!(BASE), &json!(["RS256"])));
    let again = exchange(&server, &Visitor::new(&server).code(&asked, "amin")).expect(200).json();
    assert_eq!(super::visitor::claims(text(&again, "id_token"))["sub"], claims["sub"], "stable");
}

#[test]
fn o4_who_was_told_fhir_user_reads_that_record_and_no_other() {
    let server = clinic();
    server.seed(&[crate::support::records::practitioner("d2", "Raza")]);
    let mut visitor = Visitor::new(&server);
    let code = visitor.code(&request("openid fhirUser user/Observation.rs", &[]), "khan");
    let told = exchange(&server, &code).expect(200).json();
    let token = text(&told, "access_token");
    let url = claims(text(&told, "id_token"))["fhirUser"].as_str().unwrap().strip_prefix(&format!("{BASE}/")).unwrap().to_owned();
    let own = server.get(&url, token).expect(200);
    assert_eq!(own.json()["resourceType"], "Practitioner");
    assert_eq!(server.get("Practitioner/d2", token).status, 404);
    server.refused(&server.get("Practitioner?_id=d1", token), 403, "AMANAT-SCOPE-0001", "scope");
    let without = super::visitor::tokens(&server, "khan", "user/Observation.rs");
    assert_eq!(server.get(&url, text(&without, "access_token")).status, 403);
    let told = server.call("GET", "/userinfo").token(token).send().expect(200).json();
    assert_eq!((&told["fhirUser"], told["sub"].is_string()), (&json!(format!("{BASE}/Practitioner/d1")), true), "O-5");
    assert_eq!(server.call("GET", "/userinfo").send().status, 401);
    assert_eq!(server.call("GET", "/userinfo").token(text(&without, "access_token")).send().status, 403);
}

#[test]
fn t11_t12_an_apps_token_lasts_an_hour_at_most() {
    let server = clinic();
    let told = super::visitor::tokens(&server, "amin", "launch/patient patient/Patient.rs");
    let life = told["expires_in"].as_i64().unwrap();
    assert!((1..=3600).contains(&life), "{life}");
    let token = text(&told, "access_token");
    server.get("Patient/p1", token).expect(200);
    server.wait(life + 60);
    let late = server.get("Patient/p1", token);
    server.refused(&late, 401, "AMANAT-AUTH-0002", "token:expired");
    assert!(late.header("www-authenticate").unwrap().contains("error=\"invalid_token\""));
}

#[test]
fn t13_secrets_are_long_and_kept_as_digests() {
    let server = clinic();
    let mut visitor = Visitor::new(&server);
    let code = visitor.code(&request("launch/patient offline_access patient/*.rs", &[]), "amin");
    let told = exchange(&server, &code).expect(200).json();
    let (access, refresh) = (text(&told, "access_token"), text(&told, "refresh_token"));
    assert!(access.len() < 8000, "{}", access.len());
    let secret = refresh.split('.').nth(1).unwrap();
    for (name, secret) in [("code", code.as_str()), ("refresh token", secret)] {
        // 43 characters of base64url are 256 bits.
        assert_eq!(secret.len(), 43, "{name}");
    }
    let kept = server.column("SELECT id || ' ' || body AS leaf FROM authorization_state").join("\n");
    let cookie = visitor.cookie("__Host-amanat-session").unwrap().clone();
    for secret in [code.as_str(), secret, access, access.rsplit('.').next().unwrap(), &cookie] {
        assert!(!kept.contains(secret), "{secret}");
    }
    let trail = server.trail().iter().map(ToString::to_string).collect::<String>();
    for secret in [code.as_str(), secret, access, &cookie] {
        assert!(!trail.contains(secret), "{secret}");
    }
}
