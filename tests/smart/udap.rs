//! Trust communities (HL7 UDAP Security): discovery, registration with a software statement, and programs that say for whom they act.

use super::visitor::{ask, claims, seconds, text};
use crate::support::{BASE, Reply, Server};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use rcgen::string::Ia5String;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose, PKCS_RSA_SHA256, SanType};
use serde_json::{Value, json};
use std::path::Path;

const COMMUNITY: &str = "urn:example:community";
const REGISTER: &str = "https://localhost:8443/register";
const TOKEN: &str = "https://localhost:8443/token";

/// An authority.
struct Authority {
    params: CertificateParams,
    key: KeyPair,
}

/// Somebody with a certificate.
struct Member {
    uri: String,
    chain: Vec<String>,
    pem: String,
    key: KeyPair,
}

/// Not before and not after: the clock of the tests stands in June 2026.
fn valid(params: &mut CertificateParams, until: i32) {
    params.not_before = rcgen::date_time_ymd(2025, 1, 1);
    params.not_after = rcgen::date_time_ymd(until, 1, 1);
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        valid(&mut params, 2030);
        Self { params, key: KeyPair::generate().unwrap() }
    }

    fn pem(&self) -> String {
        self.params.self_signed(&self.key).unwrap().pem()
    }

    fn member(&self, uri: &str, until: i32) -> Member {
        let key = KeyPair::generate_for(&PKCS_RSA_SHA256).unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "member");
        params.subject_alt_names = vec![SanType::URI(Ia5String::try_from(uri).unwrap())];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        valid(&mut params, until);
        let issuer = Issuer::from_params(&self.params, &self.key);
        let certificate = params.signed_by(&key, &issuer).unwrap();
        let chain = vec![STANDARD.encode(certificate.der())];
        Member { uri: uri.to_owned(), chain, pem: certificate.pem(), key }
    }
}

impl Member {
    fn sign(&self, payload: &Value) -> String {
        self.sign_as(payload, &self.key)
    }

    fn sign_as(&self, payload: &Value, key: &KeyPair) -> String {
        let header = json!({"alg": "RS256", "x5c": self.chain});
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&header), part(payload));
        let pair = RsaKeyPair::from_pkcs8(&key.serialize_der()).unwrap();
        let mut signature = vec![0; pair.public_modulus_len()];
        pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature).unwrap();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    fn statement(&self, server: &Server) -> Value {
        let now = seconds(server);
        json!({
            "iss": self.uri, "sub": self.uri, "aud": REGISTER, "iat": now, "exp": now + 300, "jti": uuid::Uuid::new_v4().to_string(),
            "client_name": "Partner", "contacts": ["mailto:ops@partner.example"], "grant_types": ["client_credentials"],
            "token_endpoint_auth_method": "private_key_jwt", "scope": "system/Patient.rs system/Observation.rs",
        })
    }

    fn assertion(&self, server: &Server, client: &str, b2b: &Value) -> String {
        let now = seconds(server);
        let jti = uuid::Uuid::new_v4().to_string();
        let extensions = if b2b.is_null() { json!({}) } else { json!({"hl7-b2b": b2b}) };
        self.sign(&json!({
            "iss": client, "sub": client, "aud": TOKEN, "iat": now, "exp": now + 300, "jti": jti, "extensions": extensions,
        }))
    }
}

fn b2b() -> Value {
    json!({
        "version": "1", "organization_id": "https://partner.example/org", "organization_name": "Partner",
        "purpose_of_use": ["urn:oid:2.16.840.1.113883.5.8#TREAT"],
    })
}

struct Town {
    server: Server,
    authority: Authority,
    stranger: Authority,
}

fn town(more: &str) -> Town {
    let (authority, stranger) = (Authority::new("Community CA"), Authority::new("Other CA"));
    let write = |folder: &Path| {
        let own = authority.member(BASE, 2028);
        std::fs::write(folder.join("anchors.pem"), authority.pem()).unwrap();
        std::fs::write(folder.join("own.pem"), &own.pem).unwrap();
        std::fs::write(folder.join("own.key"), own.key.serialize_pem()).unwrap();
    };
    let sections = format!(
        "[[udap.communities]]\nuri = \"{COMMUNITY}\"\nanchors = \"anchors.pem\"\ncertificate = \"own.pem\"\nkey = \"own.key\"\n{more}"
    );
    let server = Server::with_files("Policy-all-normal", &sections, write);
    server.seed(&[json!({"resourceType": "Patient", "id": "p1"})]);
    Town { server, authority, stranger }
}

fn register(server: &Server, statement: &str) -> Reply {
    let body = json!({"software_statement": statement, "certifications": [], "udap": "1"});
    server.call("POST", "/register").body("application/json", body.to_string()).send()
}

fn token(server: &Server, assertion: &str, scope: &str) -> Reply {
    let fields = [
        ("grant_type", "client_credentials"),
        ("scope", scope),
        ("udap", "1"),
        ("client_assertion_type", amanat::smart::ASSERTION_TYPE),
        ("client_assertion", assertion),
    ];
    ask(server, &fields)
}

#[test]
fn u1_where_there_is_no_community_there_is_no_document() {
    let server = Server::open();
    server.call("GET", "/fhir/.well-known/udap").send().expect(404);
}

#[test]
fn u2_u3_u4_the_document_is_signed_under_the_name_of_the_server() {
    let town = town("");
    let reply = town.server.call("GET", "/fhir/.well-known/udap").header("Origin", "https://anybody.example").send().expect(200);
    assert!(reply.header("content-type").unwrap().starts_with("application/json"));
    let told = reply.json();
    assert_eq!(told["udap_versions_supported"], json!(["1"]));
    for profile in ["udap_dcr", "udap_authn", "udap_authz"] {
        assert!(told["udap_profiles_supported"].as_array().unwrap().contains(&json!(profile)), "{profile}");
    }
    assert_eq!(told["token_endpoint_auth_methods_supported"], json!(["private_key_jwt"]));
    assert!(told["token_endpoint_auth_signing_alg_values_supported"].as_array().unwrap().contains(&json!("RS256")));
    assert!(told["authorization_endpoint"].is_string() && told["scopes_supported"].is_array());
    let signed = text(&told, "signed_metadata");
    let header: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(signed.split('.').next().unwrap()).unwrap()).unwrap();
    assert_eq!((&header["alg"], header["x5c"].as_array().unwrap().len()), (&json!("RS256"), 1));
    let inside = claims(signed);
    assert_eq!((&inside["iss"], &inside["sub"]), (&json!(BASE), &json!(BASE)));
    for name in ["token_endpoint", "registration_endpoint", "authorization_endpoint"] {
        assert_eq!(inside[name], told[name], "{name}");
    }
    let life = inside["exp"].as_i64().unwrap() - inside["iat"].as_i64().unwrap();
    assert!((1..=31_536_000).contains(&life) && inside["jti"].is_string());
    town.server.call("GET", &format!("/fhir/.well-known/udap?community={COMMUNITY}")).send().expect(200);
    town.server.call("GET", "/fhir/.well-known/udap?community=urn:other").send().expect(404);
}

#[test]
fn u6_u10_u11_a_member_registers_and_says_for_whom_it_asks() {
    let town = town("");
    let (server, member) = (&town.server, town.authority.member("https://partner.example/app", 2028));
    let statement = member.sign(&member.statement(server));
    let reply = register(server, &statement).expect(201);
    let told = reply.json();
    assert_eq!(told["software_statement"], statement.as_str());
    assert_eq!((&told["grant_types"], &told["client_name"]), (&json!(["client_credentials"]), &json!("Partner")));
    for name in ["iss", "sub", "aud", "exp", "iat", "jti"] {
        assert!(told.get(name).is_none(), "{name}");
    }
    assert_eq!(server.trail_of(&reply)[0]["event"]["word"], "client-added");
    let id = text(&told, "client_id");
    let reply = token(server, &member.assertion(server, id, &b2b()), "system/Patient.rs").expect(200);
    assert_eq!((reply.header("cache-control"), reply.header("pragma")), (Some("no-store"), Some("no-cache")));
    let tokens = reply.json();
    assert!(tokens.get("refresh_token").is_none() && tokens["expires_in"].as_i64().unwrap() <= 3600);
    let inside = claims(text(&tokens, "access_token"));
    let told = &inside["extensions"]["hl7-b2b"];
    assert_eq!((&told["organization_id"], &told["purpose_of_use"]), (&json!("https://partner.example/org"), &json!(["TREAT"])));
    let read = server.get("Patient/p1", text(&tokens, "access_token")).expect(200);
    assert_eq!(server.trail_of(&read)[0]["agent"]["purposes"], json!(["TREAT"]));
    for (name, value) in [
        ("version", json!("2")),
        ("organization_id", Value::Null),
        ("purpose_of_use", json!([])),
        ("purpose_of_use", json!(["NONSENSE"])),
        ("consent_reference", json!(["https://a/Consent/1"])),
    ] {
        let mut wrong = b2b();
        wrong[name] = value;
        let refused = token(server, &member.assertion(server, id, &wrong), "system/Patient.rs").expect(400);
        assert_eq!(refused.json()["error"], "invalid_grant", "{wrong}");
    }
    let refused = token(server, &member.assertion(server, id, &Value::Null), "system/Patient.rs").expect(400);
    assert_eq!(refused.json()["error"], "invalid_grant", "U-11: it must be said");
}

#[test]
fn u7_u8_u13_what_no_member_signed_is_not_registered() {
    let town = town("");
    let (server, member) = (&town.server, town.authority.member("https://partner.example/app", 2028));
    let but = |name: &str, value: Value| {
        let mut statement = member.statement(server);
        statement[name] = value;
        member.sign(&statement)
    };
    let now = seconds(server);
    let foreign = town.stranger.member("https://partner.example/app", 2028);
    let old = town.authority.member("https://partner.example/app", 2026);
    for (statement, errors) in [
        (but("iss", json!("https://other.example")), ["invalid_software_statement"].as_slice()),
        (but("aud", json!(TOKEN)), &["invalid_software_statement"]),
        (but("exp", json!(now - 60)), &["invalid_software_statement"]),
        (but("exp", json!(now + 900)), &["invalid_software_statement"]),
        (but("jti", Value::Null), &["invalid_software_statement", "invalid_client_metadata"]),
        (but("contacts", json!(["https://partner.example"])), &["invalid_client_metadata"]),
        (but("grant_types", json!(["client_credentials", "refresh_token"])), &["invalid_client_metadata"]),
        (but("redirect_uris", json!(["https://partner.example/cb"])), &["invalid_redirect_uri"]),
        (but("token_endpoint_auth_method", json!("none")), &["invalid_client_metadata"]),
        (member.sign_as(&member.statement(server), &foreign.key), &["invalid_software_statement"]),
        (foreign.sign(&foreign.statement(server)), &["unapproved_software_statement"]),
        (old.sign(&old.statement(server)), &["unapproved_software_statement"]),
        ("no.statement.x".to_owned(), &["invalid_software_statement", "unapproved_software_statement"]),
    ] {
        let reply = register(server, &statement).expect(400);
        assert!(errors.contains(&text(&reply.json(), "error")), "{} {errors:?}", reply.text());
    }
    let once = member.sign(&member.statement(server));
    register(server, &once).expect(201);
    register(server, &once).expect(400);
}

#[test]
fn u9_a_second_registration_replaces_the_first_and_none_takes_it_back() {
    let town = town("");
    let (server, member) = (&town.server, town.authority.member("https://partner.example/app", 2028));
    let first = register(server, &member.sign(&member.statement(server))).expect(201).json();
    let mut less = member.statement(server);
    less["scope"] = json!("system/Observation.rs");
    let again = register(server, &member.sign(&less)).expect(200).json();
    assert_eq!((&again["client_id"], &again["scope"]), (&first["client_id"], &json!("system/Observation.rs")));
    let id = text(&first, "client_id");
    let refused = token(server, &member.assertion(server, id, &b2b()), "system/Patient.rs").expect(400);
    assert_eq!(refused.json()["error"], "invalid_scope");
    let renewed = town.authority.member("https://partner.example/app", 2029);
    token(server, &renewed.assertion(server, id, &b2b()), "system/Observation.rs").expect(200);
    let stranger = town.authority.member("https://stranger.example/app", 2029);
    let refused = token(server, &stranger.assertion(server, id, &b2b()), "system/Observation.rs").expect(401);
    assert_eq!(refused.json()["error"], "invalid_client");
    let mut none = member.statement(server);
    none["grant_types"] = json!([]);
    register(server, &member.sign(&none)).expect(200);
    token(server, &member.assertion(server, id, &b2b()), "system/Observation.rs").expect(401);
}

#[test]
fn u9_a_site_can_look_at_each_member_first() {
    let town = town("operator_admits = true");
    let (server, member) = (&town.server, town.authority.member("https://partner.example/app", 2028));
    let told = register(server, &member.sign(&member.statement(server))).expect(201).json();
    let refused = token(server, &member.assertion(server, text(&told, "client_id"), &b2b()), "system/Patient.rs").expect(401);
    assert_eq!(refused.json()["error"], "invalid_client");
}
