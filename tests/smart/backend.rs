//! Backend services: how a program proves who it is, and what it gets.

use super::visitor::{ask, clinic, seconds, text};
use crate::support::{BASE, Reply, Server, Signer};
use amanat::smart::{ASSERTION_TYPE, Client, ClientKeys};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

const TOKEN_URL: &str = "https://localhost:8443/token";

struct Program {
    server: Server,
    key: Signer,
}

impl Program {
    fn new() -> Self {
        let server = clinic();
        let key = Signer::of_client("k1");
        server.register(Client::backend(
            "lab",
            "Lab",
            ClientKeys::Jwks(key.key_set()),
            "system/Patient.rs system/Observation.rs",
        ));
        Self { server, key }
    }

    fn claims(&self) -> Value {
        let jti = uuid::Uuid::new_v4().to_string();
        json!({"iss": "lab", "sub": "lab", "aud": TOKEN_URL, "exp": seconds(&self.server) + 300, "jti": jti})
    }

    fn but(&self, name: &str, value: Value) -> String {
        let mut claims = self.claims();
        if value.is_null() {
            claims.as_object_mut().unwrap().remove(name);
        } else {
            claims[name] = value;
        }
        self.key.sign(&claims)
    }

    fn good(&self) -> String {
        self.key.sign(&self.claims())
    }

    fn ask(&self, assertion: &str, scope: &str) -> Reply {
        self.ask_as("client_credentials", ASSERTION_TYPE, assertion, scope)
    }

    fn ask_as(&self, grant: &str, kind: &str, assertion: &str, scope: &str) -> Reply {
        let fields = [("grant_type", grant), ("scope", scope), ("client_assertion_type", kind), ("client_assertion", assertion)];
        let fields: Vec<(&str, &str)> = fields.into_iter().filter(|(_, value)| !value.is_empty()).collect();
        ask(&self.server, &fields)
    }

    #[track_caller]
    fn refused(&self, assertion: &str) {
        let reply = self.ask(assertion, "system/Patient.rs").expect(401);
        assert_eq!(reply.json()["error"], "invalid_client", "{assertion}");
    }
}

#[test]
fn bs1_bs5_bs6_bp3_j1_r8_t11_t12_a_program_gets_a_token_and_nothing_else() {
    let lab = Program::new();
    let reply = lab.ask(&lab.good(), "system/Patient.rs").expect(200);
    assert_eq!((reply.header("cache-control"), reply.header("pragma")), (Some("no-store"), Some("no-cache")));
    let told = reply.json();
    assert_eq!((&told["token_type"], &told["scope"]), (&json!("Bearer"), &json!("system/Patient.rs")));
    assert!((1..=300).contains(&told["expires_in"].as_i64().unwrap()), "T-11");
    assert!(told.get("refresh_token").is_none() && told.get("id_token").is_none(), "R-8");
    let token = text(&told, "access_token");
    lab.server.get("Patient/p1", token).expect(200);
    let claims = super::visitor::claims(token);
    assert_eq!((&claims["aud"], &claims["sub"]), (&json!(BASE), &json!("lab")), "BS-6, BP-3");
    lab.server.wait(360);
    let late = lab.server.get("Patient/p1", token);
    lab.server.refused(&late, 401, "AMANAT-AUTH-0002", "token:expired");
    assert!(late.header("www-authenticate").unwrap().contains("error=\"invalid_token\""), "T-12, BS-5");
}

#[test]
fn bs2_bs4_nobody_gets_more_than_they_are_registered_for() {
    let lab = Program::new();
    let told = lab.ask(&lab.good(), "system/*.cruds patient/*.rs user/*.rs openid").expect(200).json();
    let mut scopes: Vec<&str> = text(&told, "scope").split(' ').collect();
    scopes.sort_unstable();
    assert_eq!(scopes, ["system/Observation.rs", "system/Patient.rs"]);
    for scope in ["", "system/Encounter.rs", "patient/Patient.rs", "user/Patient.rs", "system/Patient.sr"] {
        assert_eq!(lab.ask(&lab.good(), scope).expect(400).json()["error"], "invalid_scope", "{scope}");
    }
    let token = text(&told, "access_token").to_owned();
    let refused = lab.server.get("Encounter?_count=1", &token);
    lab.server.refused(&refused, 403, "AMANAT-SCOPE-0001", "scope");
    assert!(refused.header("www-authenticate").unwrap().contains("error=\"insufficient_scope\""), "S-14");
}

#[test]
fn bs3_bs6_j9_every_other_form_is_refused() {
    let lab = Program::new();
    let wrong = lab.ask_as("not_a_grant", ASSERTION_TYPE, &lab.good(), "system/Patient.rs").expect(400);
    assert_eq!(wrong.json()["error"], "unsupported_grant_type");
    lab.ask_as("client_credentials", "not_an_assertion_type", &lab.good(), "system/Patient.rs").expect(401);
    lab.ask_as("client_credentials", "", &lab.good(), "system/Patient.rs").expect(401);
    for malformed in ["x", "a.b.c", "", "..."] {
        lab.ask(malformed, "system/Patient.rs").expect(401);
    }
    let basic = format!("Basic {}", STANDARD.encode("lab:secret"));
    let form = "grant_type=client_credentials&scope=system/Patient.rs";
    let reply = lab.server.call("POST", "/token").header("Authorization", &basic).form(form).send().expect(401);
    assert_eq!(reply.json()["error"], "invalid_client", "BS-6");
    let secret = format!("{form}&client_id=lab&client_secret=x");
    lab.server.call("POST", "/token").form(&secret).send().expect(401);
}

#[test]
fn j2_j3_only_the_clients_own_key_proves_it() {
    let lab = Program::new();
    let good = lab.good();
    let flipped = if good.ends_with('A') { "Q" } else { "A" };
    lab.refused(&format!("{}{flipped}", &good[..good.len() - 1]));
    lab.refused(&Signer::of_client("k1").sign(&lab.claims()));
    lab.refused(&Signer::of_client("k2").sign(&lab.claims()));
    let claims = lab.claims().to_string();
    let jwk = lab.key.key_set()["keys"][0].clone();
    for header in [
        json!({"alg": "RS384", "kid": "k1", "typ": "JWT"}),
        json!({"alg": "ES256", "kid": "k1", "typ": "JWT"}),
        json!({"alg": "none", "kid": "k1", "typ": "JWT"}),
        json!({"alg": "nOnE", "kid": "k1", "typ": "JWT"}),
        json!({"alg": "HS256", "kid": "k1", "typ": "JWT"}),
        json!({"alg": "ES384", "typ": "JWT"}),
        json!({"alg": "ES384", "kid": "k1", "typ": "JWT", "jwk": jwk}),
        json!({"alg": "ES384", "kid": "k1", "typ": "JWT", "x5u": "https://a.example"}),
        json!({"alg": "ES384", "kid": "k1", "typ": "JWT", "crit": ["exp"]}),
        json!({"alg": "ES384", "kid": "k1", "typ": "JWT", "jku": "https://evil.example/jwks"}),
    ] {
        lab.refused(&lab.key.sign_raw(&header.to_string(), &claims));
    }
    let unsigned = |text: &str| URL_SAFE_NO_PAD.encode(text);
    lab.refused(&format!("{}.{}.", unsigned(r#"{"alg":"none","typ":"JWT"}"#), unsigned(&claims)));
}

#[test]
fn j5_j6_j7_j8_the_claims_are_held_to_the_letter() {
    let lab = Program::new();
    let now = seconds(&lab.server);
    for (name, value) in [
        ("exp", json!(now - 60)),
        ("exp", json!(now + 900)),
        ("exp", json!("soon")),
        ("exp", Value::Null),
        ("nbf", json!(now + 600)),
        ("iat", json!(now + 600)),
        ("jti", Value::Null),
        ("aud", json!("https://other.example/token")),
        ("aud", json!(BASE)),
        ("aud", Value::Null),
        ("sub", json!("other")),
        ("iss", json!("other")),
    ] {
        lab.refused(&lab.but(name, value));
    }
    lab.ask(&lab.but("aud", json!([TOKEN_URL, "https://b.example"])), "system/Patient.rs").expect(200);
    let once = lab.good();
    lab.ask(&once, "system/Patient.rs").expect(200);
    lab.refused(&once);
    let fields = [
        ("grant_type", "client_credentials"),
        ("scope", "system/Patient.rs"),
        ("client_id", "other"),
        ("client_assertion_type", ASSERTION_TYPE),
        ("client_assertion", &lab.good()),
    ];
    ask(&lab.server, &fields).expect(401);
}

#[test]
fn c1_c4_a_change_of_the_registration_takes_effect_at_once() {
    let lab = Program::new();
    lab.ask(&lab.good(), "system/Observation.rs").expect(200);
    let other = Signer::of_client("k2");
    lab.server.change_client("lab", |client| Client {
        keys: ClientKeys::Jwks(other.key_set()),
        scopes: "system/Patient.rs".to_owned(),
        ..client
    });
    lab.refused(&lab.good());
    let told = ask(
        &lab.server,
        &[
            ("grant_type", "client_credentials"),
            ("scope", "system/Observation.rs system/Patient.rs"),
            ("client_assertion_type", ASSERTION_TYPE),
            ("client_assertion", &other.sign(&lab.claims())),
        ],
    );
    assert_eq!(told.expect(200).json()["scope"], "system/Patient.rs");
}

#[test]
fn s14_bp4_bp5_a_token_stands_in_one_place_and_says_what_it_lacks() {
    let lab = Program::new();
    let told = lab.ask(&lab.good(), "system/Patient.rs").expect(200).json();
    let token = text(&told, "access_token");
    let bare = lab.server.get("Patient/p1", "").expect(401);
    assert!(bare.header("www-authenticate").unwrap().starts_with("Bearer"));
    assert_eq!(bare.json()["resourceType"], "OperationOutcome");
    let bad = lab.server.get("Patient/p1", "garbage").expect(401);
    assert!(bad.header("www-authenticate").unwrap().contains("error=\"invalid_token\""));
    let misplaced = lab.server.get(&format!("Patient/p1?access_token={token}"), "");
    lab.server.refused(&misplaced, 400, "AMANAT-AUTH-0003", "token:misplaced");
    for forwarded in ["X-Forwarded-Client-Cert", "X-SSL-Client-Cert"] {
        let reply = lab.server.call("GET", "Patient/p1").header(forwarded, "Hash=abc").send();
        assert_eq!(reply.status, 401, "BP-4: no header stands for a certificate");
    }
}

#[test]
fn d1_d2_d18_the_document_lies_below_the_base_and_names_whole_sets() {
    let lab = Program::new();
    for accept in ["application/fhir+json", "text/html", "*/*"] {
        let call = lab.server.call("GET", "/fhir/.well-known/smart-configuration").header("Accept", accept);
        let reply = call.send().expect(200);
        assert!(reply.header("content-type").unwrap().starts_with("application/json"), "D-2");
        let told = reply.json();
        let has = |name: &str| told["capabilities"].as_array().unwrap().contains(&json!(name));
        let patient = ["launch-standalone", "client-public", "context-standalone-patient", "permission-patient"];
        let clinician = ["launch-ehr", "client-confidential-symmetric", "context-ehr-patient", "permission-user"];
        assert!(patient.iter().chain(&clinician).all(|name| has(name)), "D-18");
    }
}
