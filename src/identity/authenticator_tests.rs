use super::*;
use crate::fhir::{Id, Key};
use crate::identity::forge::{Forge, hmac};
use crate::identity::{IssuerSettings, KeySet, KeysAt, Nobody, PublishedKeys};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

const NOW: Instant = Instant(1_800_000_000_000);
const ISSUER: &str = "https://idp.example";
const BASE: &str = "https://gateway.example/fhir";

fn claims() -> Value {
    json!({
        "iss": ISSUER, "aud": BASE, "sub": "s1", "client_id": "app", "scope": "patient/*.rs launch/patient",
        "exp": NOW.seconds() + 300, "iat": NOW.seconds(), "jti": "t1", "patient": "p1", "fhirUser": "Patient/p1",
    })
}

fn but(name: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[name] = value;
    claims
}

fn without(name: &str) -> Value {
    let mut claims = claims();
    claims.as_object_mut().unwrap().remove(name);
    claims
}

fn settings(keys: &[&Forge]) -> IssuerSettings {
    IssuerSettings::new(ISSUER, vec![BASE.to_owned()], KeysAt::Inline(Forge::set(keys)))
}

fn authenticator(keys: &[&Forge]) -> Authenticator {
    Authenticator::new(Issuers::new().with(settings(keys)).unwrap(), Arc::new(Nobody))
}

async fn ask(authenticator: &Authenticator, token: &str) -> Result<Arc<Caller>, &'static str> {
    ask_at(authenticator, token, None, NOW).await
}

async fn ask_at(
    authenticator: &Authenticator,
    token: &str,
    peer: Option<&PeerCertificate>,
    now: Instant,
) -> Result<Arc<Caller>, &'static str> {
    match authenticator.authenticate(Some(&format!("Bearer {token}")), peer, now).await {
        Ok(caller) => Ok(caller),
        Err(Refusal::TokenInvalid(why) | Refusal::PurposeRefused(why) | Refusal::ProofRefused(why)) => Err(why),
        Err(other) => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_good_token_tells_who_calls() {
    let key = Forge::new("ES256", "k1");
    let mut claims = claims();
    claims["acr"] = json!("loa3");
    claims["encounter"] = json!("e1");
    claims["extensions"] = json!({"hl7-b2b": {"organization_id": "Organization/o1", "purpose_of_use": ["TREAT", "ETREAT"]}});
    let caller = ask(&authenticator(&[&key]), &key.token(&claims)).await.unwrap();
    assert_eq!((caller.issuer.as_str(), caller.subject.as_str(), caller.client.as_str()), (ISSUER, "s1", "app"));
    assert_eq!(caller.user, Key::parse("Patient/p1"));
    assert_eq!((caller.patient.clone(), caller.encounter.clone()), (Id::parse("p1"), Id::parse("e1")));
    assert_eq!(caller.organization.as_deref(), Some("Organization/o1"));
    assert_eq!(caller.purposes, ["TREAT", "ETREAT"]);
    assert_eq!((caller.acr.as_deref(), caller.token_id.as_deref()), (Some("loa3"), Some("t1")));
    assert_eq!(caller.scopes.grants.len(), 1);
    assert_eq!(caller.expires, NOW.plus_seconds(300));
}

#[tokio::test]
async fn every_supported_algorithm_signs_a_token_that_is_taken() {
    for algorithm in ["ES256", "ES384", "RS256", "RS384"] {
        let key = Forge::new(algorithm, "k1");
        assert!(ask(&authenticator(&[&key]), &key.token(&claims())).await.is_ok(), "{algorithm}");
    }
}

#[tokio::test]
async fn a_claim_that_is_absent_wrong_or_of_another_type_is_never_overlooked() {
    let key = Forge::new("ES256", "k1");
    let authenticator = authenticator(&[&key]);
    let second = NOW.seconds();
    for (claims, why) in [
        (without("iss"), "issuer"),
        (but("iss", json!("https://idp.example/")), "issuer"),
        (but("iss", json!("http://idp.example")), "issuer"),
        (but("iss", json!("https://IDP.example")), "issuer"),
        (but("iss", json!([ISSUER])), "issuer"),
        (without("aud"), "audience"),
        (but("aud", json!("https://gateway.example/fhir/")), "audience"),
        (but("aud", json!("https://gateway.example/fhir2")), "audience"),
        (but("aud", json!("https://gateway.example")), "audience"),
        (but("aud", json!([])), "audience"),
        (but("aud", json!({"a": BASE})), "audience"),
        (without("exp"), "expiry"),
        (but("exp", json!((second + 300).to_string())), "expiry"),
        (but("exp", json!(null)), "expiry"),
        (but("exp", json!(second - 30)), "expired"),
        (but("nbf", json!(second + 3600)), "not-before"),
        (but("nbf", json!("+1h")), "not-before"),
        (but("iat", json!(second + 86_400)), "issued-at"),
        (but("iat", json!("now")), "issued-at"),
        (without("sub"), "subject"),
        (but("sub", json!(7)), "subject"),
        (but("sub", json!("")), "subject"),
        (without("client_id"), "client"),
        (but("client_id", json!(["app"])), "client"),
        (but("azp", json!("other")), "client"),
        (but("scope", json!(["patient/*.rs"])), "scope"),
        (but("scope", json!(null)), "scope"),
        (but("patient", json!("Patient/p1")), "patient"),
        (but("patient", json!(["p1"])), "patient"),
        (but("encounter", json!(1)), "encounter"),
        (but("fhirUser", json!("Group/g1")), "user"),
        (but("fhirUser", json!("https://other.example/fhir/Patient/p1")), "user"),
        (but("fhirUser", json!("Patient/p1/_history/1")), "user"),
        (but("fhirUser", json!(true)), "user"),
        (but("jti", json!(1)), "jti"),
        (but("acr", json!(2)), "acr"),
        (but("amr", json!("pwd")), "amr"),
        (but("extensions", json!([])), "extensions"),
        (but("extensions", json!({"hl7-b2b": 1})), "extensions"),
        (but("extensions", json!({"hl7-b2b": {"organization_id": 1}})), "organization"),
        (but("purpose_of_use", json!("SHOPPING")), "unknown"),
        (but("purpose_of_use", json!([{"system": "http://hl7.org/fhir/v3/ActReason", "code": "NOPE"}])), "unknown"),
        (but("cnf", json!({"jkt": "x"})), "scheme"),
        (but("cnf", json!({"x5t#S256": 1})), "binding"),
        (but("cnf", json!("x")), "binding"),
        (but("nonce", json!("n")), "kind"),
        (but("at_hash", json!("h")), "kind"),
        (but("events", json!({})), "kind"),
        (but("typ", json!("ID")), "kind"),
        (but("typ", json!("Refresh")), "kind"),
        (but("token_use", json!("id")), "kind"),
    ] {
        assert_eq!(ask(&authenticator, &key.token(&claims)).await.unwrap_err(), why, "{claims}");
    }
}

#[tokio::test]
async fn what_stands_in_a_token_is_read_in_its_accepted_forms() {
    let key = Forge::new("ES256", "k1");
    let authenticator = authenticator(&[&key]);
    for claims in [
        but("aud", json!(["https://other.example", BASE])),
        but("fhirUser", json!(format!("{BASE}/Practitioner/d1"))),
        but("fhirUser", json!("PractitionerRole/r1")),
        but("azp", json!("app")),
        but("exp", json!(NOW.seconds() - 29)),
        but("nbf", json!(NOW.seconds() + 30)),
        but("typ", json!("Bearer")),
        but("amr", json!(["pwd", "otp"])),
        without("scope"),
        without("iat"),
        without("jti"),
        without("fhirUser"),
        without("patient"),
    ] {
        assert!(ask(&authenticator, &key.token(&claims)).await.is_ok(), "{claims}");
    }
    let mut claims = without("client_id");
    claims["azp"] = json!("portal");
    assert_eq!(ask(&authenticator, &key.token(&claims)).await.unwrap().client, "portal");
}

#[tokio::test]
async fn a_header_cannot_choose_how_it_is_verified() {
    let (key, foreign, rsa) = (Forge::new("ES256", "k1"), Forge::new("ES256", "k1"), Forge::new("RS256", "k2"));
    let authenticator = authenticator(&[&key, &rsa]);
    let payload = claims().to_string();
    let ask_header =
        async |by: &Forge, header: Value| ask(&authenticator, &by.sign(&header.to_string(), &payload)).await.unwrap_err();
    assert_eq!(ask_header(&foreign, foreign.header()).await, "signature");
    for (header, why) in [
        (json!({"alg": "ES256", "kid": "k1", "jwk": foreign.jwk()}), "header"),
        (json!({"alg": "ES256", "kid": "k1", "jku": "https://evil.example/jwks"}), "header"),
        (json!({"alg": "ES256", "kid": "k1", "x5u": "https://evil.example/c"}), "header"),
        (json!({"alg": "ES256", "kid": "k1", "crit": ["exp"]}), "header"),
        (json!({"alg": "ES256", "kid": "k9"}), "key"),
        (json!({"alg": "ES256", "kid": "k2"}), "key"),
        (json!({"alg": "RS256", "kid": "k1"}), "key"),
        (json!({"alg": "PS256", "kid": "k2"}), "algorithm"),
        (json!({"alg": "HS256", "kid": "k2"}), "algorithm"),
        (json!({"alg": "nOnE"}), "algorithm"),
        (json!({"alg": "ES256", "kid": "k1", "typ": "dpop+jwt"}), "kind"),
        (json!({"alg": "ES256", "kid": "k1", "typ": "logout+jwt"}), "kind"),
        (json!({"alg": "ES256", "kid": "k1", "typ": ""}), "kind"),
    ] {
        assert_eq!(ask_header(&key, header.clone()).await, why, "{header}");
    }
    let confused = hmac(r#"{"alg":"HS256","kid":"k2"}"#, &payload, rsa.jwk().to_string().as_bytes());
    assert_eq!(ask(&authenticator, &confused).await.unwrap_err(), "algorithm");
    for header in [json!({"alg": "ES256", "kid": "k1", "typ": "application/at+jwt"}), json!({"alg": "ES256"})] {
        assert!(ask(&authenticator, &key.sign(&header.to_string(), &payload)).await.is_ok(), "{header}");
    }
}

#[tokio::test]
async fn a_claim_that_stands_twice_is_refused_whichever_a_parser_would_keep() {
    let key = Forge::new("ES256", "k1");
    let honest = claims().to_string();
    let twice = honest.replacen('{', &format!("{{\"aud\":\"{BASE}\","), 1);
    assert_eq!(ask(&authenticator(&[&key]), &key.sign(&key.header().to_string(), &twice)).await.unwrap_err(), "malformed");
    let nested = but("extensions", json!({})).to_string().replace("\"extensions\":{}", "\"extensions\":{\"a\":1,\"a\":2}");
    assert_eq!(ask(&authenticator(&[&key]), &key.sign(&key.header().to_string(), &nested)).await.unwrap_err(), "malformed");
}

#[tokio::test]
async fn purposes_come_from_the_first_place_that_states_them() {
    let key = Forge::new("ES256", "k1");
    let authenticator = authenticator(&[&key]);
    let xspa = "urn:oasis:names:tc:xspa:1.0:subject:purposeofuse";
    let mut claims =
        but("extensions", json!({"hl7-b2b": {"purpose_of_use": ["TREAT"]}, "ihe_iua": {"purpose_of_use": ["HPAYMT"]}}));
    claims["purpose_of_use"] = json!({"system": "2.16.840.1.113883.5.8", "code": "HRESCH"});
    claims[xspa] = json!("urn:oid:2.16.840.1.113883.5.8#PUBHLTH");
    let mut expected = vec!["TREAT", "HPAYMT", "HRESCH", "PUBHLTH", "PATRQT"];
    let removals: [fn(&mut Value); 4] = [
        |claims| drop(claims["extensions"].as_object_mut().unwrap().remove("hl7-b2b")),
        |claims| drop(claims["extensions"].as_object_mut().unwrap().remove("ihe_iua")),
        |claims| drop(claims.as_object_mut().unwrap().remove("purpose_of_use")),
        |claims| drop(claims.as_object_mut().unwrap().remove("urn:oasis:names:tc:xspa:1.0:subject:purposeofuse")),
    ];
    for remove in removals {
        assert_eq!(ask(&authenticator, &key.token(&claims)).await.unwrap().purposes, [expected.remove(0)]);
        remove(&mut claims);
    }
    assert_eq!(ask(&authenticator, &key.token(&claims)).await.unwrap().purposes, ["PATRQT"]);
    claims["scope"] = json!("patient/*.rs system/*.rs");
    assert!(ask(&authenticator, &key.token(&claims)).await.unwrap().purposes.is_empty());
}

#[tokio::test]
async fn the_issuer_may_have_a_default_purpose() {
    let key = Forge::new("ES256", "k1");
    let issuer = IssuerSettings { default_purposes: vec!["urn:oid:2.16.840.1.113883.5.8#TREAT".to_owned()], ..settings(&[&key]) };
    let authenticator = Authenticator::new(Issuers::new().with(issuer).unwrap(), Arc::new(Nobody));
    assert_eq!(ask(&authenticator, &key.token(&claims())).await.unwrap().purposes, ["TREAT"]);
}

#[test]
fn an_issuer_is_configured_once() {
    let key = Forge::new("ES256", "k1");
    let again = Issuers::new().with(settings(&[&key])).unwrap().with(settings(&[&key]));
    assert!(matches!(again, Err(crate::identity::IssuersFault::Twice(_))));
}

/// Registrations that a test changes.
#[derive(Default)]
struct Known {
    known: Mutex<HashMap<(String, String), Registration>>,
    generation: AtomicU64,
}

impl Known {
    fn put(&self, issuer: &str, client: &str, registration: Registration) {
        self.known.lock().unwrap().insert((issuer.to_owned(), client.to_owned()), registration);
        self.generation.fetch_add(1, Ordering::SeqCst);
    }
}

impl Registrations for Known {
    fn use_once<'a>(&'a self, _: &'a str, _: &'a str, _: Instant, _: Instant) -> crate::identity::FirstUse<'a> {
        Box::pin(std::future::ready(Ok(true)))
    }

    fn find(&self, issuer: &str, client: &str) -> Option<Arc<Registration>> {
        self.known.lock().unwrap().get(&(issuer.to_owned(), client.to_owned())).cloned().map(Arc::new)
    }

    fn is_revoked(&self, _: &str) -> bool {
        false
    }

    fn generation(&self) -> u64 {
        self.generation.load(Ordering::SeqCst)
    }

    fn look_again<'a>(&'a self, _: &'a str, _: Instant) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send + 'a>> {
        Box::pin(std::future::ready(()))
    }
}

fn with_registrations(key: &Forge) -> (Authenticator, Arc<Known>) {
    let registrations = Arc::new(Known::default());
    let known: Arc<dyn Registrations> = Arc::clone(&registrations) as _;
    (Authenticator::new(Issuers::new().with(settings(&[key])).unwrap(), known), registrations)
}

#[tokio::test]
async fn a_verified_token_is_remembered_until_it_ends() {
    let key = Forge::new("ES256", "k1");
    let authenticator = authenticator(&[&key]);
    let token = key.token(&claims());
    let header = format!("Bearer {token}");
    assert!(authenticator.cached(Some(&header), None, NOW).is_none());
    let first = ask(&authenticator, &token).await.unwrap();
    assert!(Arc::ptr_eq(&first, &authenticator.cached(Some(&header), None, NOW).unwrap()));
    assert!(authenticator.cached(Some(&header), None, NOW.plus_seconds(329)).is_some());
    assert!(authenticator.cached(Some(&header), None, NOW.plus_seconds(330)).is_none());
    assert_eq!(ask_at(&authenticator, &token, None, NOW.plus_seconds(330)).await.unwrap_err(), "expired");
    assert!(authenticator.cached(None, None, NOW).is_none());
}

#[tokio::test]
async fn a_token_ends_with_its_client() {
    let key = Forge::new("ES256", "k1");
    let (authenticator, registrations) = with_registrations(&key);
    let token = key.token(&claims());
    assert!(ask(&authenticator, &token).await.is_ok());
    registrations.put(ISSUER, "app", Registration { disabled: true, ..Registration::default() });
    assert!(authenticator.cached(Some(&format!("Bearer {token}")), None, NOW).is_none());
    assert_eq!(ask(&authenticator, &token).await.unwrap_err(), "client-disabled");
    registrations.put(ISSUER, "app", Registration::default());
    assert!(ask(&authenticator, &token).await.is_ok());
}

#[tokio::test]
async fn a_registration_gives_organization_and_purposes_to_its_own_issuers_client_alone() {
    let key = Forge::new("ES256", "k1");
    let (authenticator, registrations) = with_registrations(&key);
    let registration = Registration {
        organization: Some("Organization/o1".to_owned()),
        purposes: vec!["TREAT".to_owned()],
        ..Registration::default()
    };
    registrations.put("https://another.example", "app", registration.clone());
    assert_eq!(ask(&authenticator, &key.token(&claims())).await.unwrap().organization, None);
    registrations.put(ISSUER, "app", registration);
    let caller = ask(&authenticator, &key.token(&claims())).await.unwrap();
    assert_eq!(
        (caller.organization.as_deref(), caller.purposes.as_slice()),
        (Some("Organization/o1"), &["TREAT".to_owned()][..])
    );
    assert_eq!(ask(&authenticator, &key.token(&but("purpose_of_use", json!("BTG")))).await.unwrap_err(), "not-registered");
}

#[tokio::test]
async fn a_bound_token_needs_its_certificate_each_time() {
    let key = Forge::new("ES256", "k1");
    let (authenticator, registrations) = with_registrations(&key);
    let peer = |name: &str| PeerCertificate {
        thumbprint: format!("{name:A<43}"),
        subject: format!("CN={name}"),
        ..PeerCertificate::default()
    };
    let (good, bad) = (peer("good"), peer("bad"));
    let bound = key.token(&but("cnf", json!({"x5t#S256": good.thumbprint})));
    assert!(ask_at(&authenticator, &bound, Some(&good), NOW).await.is_ok());
    for wrong in [None, Some(&bad)] {
        assert_eq!(ask_at(&authenticator, &bound, wrong, NOW).await.unwrap_err(), "certificate");
        assert!(authenticator.cached(Some(&format!("Bearer {bound}")), wrong, NOW).is_none());
    }
    let plain = key.token(&claims());
    assert!(ask(&authenticator, &plain).await.is_ok());
    registrations.put(ISSUER, "app", Registration { certificate: Some(good.thumbprint.clone()), ..Registration::default() });
    assert_eq!(ask(&authenticator, &plain).await.unwrap_err(), "certificate");
    assert!(ask_at(&authenticator, &plain, Some(&good), NOW).await.is_ok());
    let foreign = key.token(&but("cnf", json!({"x5t#S256": bad.thumbprint})));
    assert_eq!(ask_at(&authenticator, &foreign, Some(&bad), NOW).await.unwrap_err(), "certificate");
}

#[tokio::test]
async fn the_gateways_own_tokens_need_a_registered_client_and_end_with_their_key() {
    let (key, next) = (Forge::new("ES256", "k1"), Forge::new("ES256", "k2"));
    let published = Arc::new(PublishedKeys::default());
    let publish = |key: &Forge| published.publish(KeySet::parse(Forge::set(&[key]).as_bytes()).unwrap());
    publish(&key);
    let registrations = Arc::new(Known::default());
    let known: Arc<dyn Registrations> = Arc::clone(&registrations) as _;
    let issuers = Issuers::new().with_own(ISSUER, vec![BASE.to_owned()], Arc::clone(&published)).unwrap();
    let authenticator = Authenticator::new(issuers, known);
    let token = key.token(&claims());
    assert_eq!(ask(&authenticator, &token).await.unwrap_err(), "client");
    registrations.put(ISSUER, "app", Registration::default());
    assert!(ask(&authenticator, &token).await.is_ok());
    publish(&next);
    assert!(authenticator.cached(Some(&format!("Bearer {token}")), None, NOW).is_none());
    assert_eq!(ask(&authenticator, &token).await.unwrap_err(), "key");
}

#[tokio::test]
async fn a_missing_token_and_an_invalid_one_are_told_apart() {
    let key = Forge::new("ES256", "k1");
    let authenticator = authenticator(&[&key]);
    assert_eq!(authenticator.authenticate(None, None, NOW).await.unwrap_err(), Refusal::TokenMissing);
    assert_eq!(authenticator.authenticate(Some("Bearer x"), None, NOW).await.unwrap_err(), Refusal::TokenInvalid("malformed"));
}

#[test]
fn a_request_may_be_authenticated_on_any_thread() {
    fn sent<T: Send>(_: T) {}
    let key = Forge::new("ES256", "k1");
    let authenticator = authenticator(&[&key]);
    sent(authenticator.authenticate(None, None, NOW));
}
