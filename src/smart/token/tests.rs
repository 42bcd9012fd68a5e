use super::assertion::{ASSERTION_TYPE, AssertionRules};
use super::*;
use crate::identity::forge::{Forge, Host, answer, hmac};
use crate::identity::{Algorithm, Authenticator, Issuers, Reach, Registrations};
use crate::smart::State;
use crate::smart::client::Client;
use crate::smart::client::ClientKeys;
use crate::smart::memory::Memory;
use crate::smart::store::ClientStore;
use serde_json::{Value, json};
use std::sync::atomic::Ordering;

const NOW: Instant = Instant(1_800_000_000_000);
const URL: &str = "https://gateway.example/token";
const ISSUER: &str = "https://gateway.example";
const BASE: &str = "https://gateway.example/fhir";

struct Place {
    endpoint: TokenEndpoint,
    store: Arc<Memory>,
}

impl Place {
    async fn new(clients: Vec<Client>) -> Self {
        let store = Arc::new(Memory::default());
        for client in clients {
            assert!(store.add(client, NOW).await.unwrap());
        }
        let port: Arc<dyn ClientStore> = Arc::clone(&store) as _;
        let keys = Arc::new(KeyRing::open(port.as_ref(), NOW).await.unwrap());
        let registry = Arc::new(Registry::new(port, ISSUER, Reach::Inside));
        let algorithms = vec![Algorithm::RS384, Algorithm::ES384];
        let rules = AssertionRules { token_url: URL.to_owned(), issuer: ISSUER.to_owned(), algorithms, leeway: 30 };
        let nonces = crate::identity::Nonces::new(b"key", false);
        let state = State::new(Arc::clone(&store) as _);
        let (issuer, audience) = (ISSUER.to_owned(), BASE.to_owned());
        let endpoint =
            TokenEndpoint { registry, keys, rules, issuer, audience, state, refresh_key: vec![7; 32], nonces, people: true };
        Self { endpoint, store }
    }

    async fn post(&self, body: &str) -> TokenAnswer {
        self.send(TokenRequest { body, ..form() }, NOW).await
    }

    async fn send(&self, request: TokenRequest<'_>, now: Instant) -> TokenAnswer {
        let answer = self.endpoint.answer(&request, now).await;
        assert!(answer.headers.contains(&("Cache-Control", "no-store")) && answer.headers.contains(&("Pragma", "no-cache")));
        assert!(answer.headers.contains(&("Content-Type", "application/json")));
        answer
    }

    async fn assert_denied(&self, assertion: &str, why: &str) {
        let answer = self.post(&body("system/*.rs", assertion)).await;
        assert_eq!((answer.status, error(&answer).as_str()), (401, "invalid_client"), "{why}");
        assert_eq!(answer.facts.reason, format!("assertion:{why}"));
        assert_eq!(answer.facts.token_id, None);
    }
}

fn form() -> TokenRequest<'static> {
    TokenRequest { content_type: Some("application/x-www-form-urlencoded; charset=utf-8"), ..TokenRequest::default() }
}

fn body(scope: &str, assertion: &str) -> String {
    let (scope, kind) = (crate::fhir::encode(scope), crate::fhir::encode(ASSERTION_TYPE));
    format!("grant_type=client_credentials&scope={scope}&client_assertion_type={kind}&client_assertion={assertion}")
}

fn error(answer: &TokenAnswer) -> String {
    let body: Value = serde_json::from_str(&answer.body).unwrap();
    assert!(body["error_description"].is_string() && body.get("access_token").is_none());
    body["error"].as_str().unwrap().to_owned()
}

fn claims(client: &str) -> Value {
    json!({"iss": client, "sub": client, "aud": URL, "exp": NOW.seconds() + 300, "jti": uuid::Uuid::new_v4().to_string()})
}

fn but(name: &str, value: Value) -> Value {
    let mut claims = claims("lab");
    claims[name] = value;
    claims
}

fn without(name: &str) -> Value {
    let mut claims = claims("lab");
    claims.as_object_mut().unwrap().remove(name);
    claims
}

fn client(id: &str, key: &Forge) -> Client {
    let keys = ClientKeys::Jwks(serde_json::from_str(&Forge::set(&[key])).unwrap());
    let client = Client::backend(id, "A client", keys, "system/*.rs system/Observation.cruds");
    let organization = Some(format!("Organization/{id}"));
    Client { organization, purposes: vec!["TREAT".to_owned()], ..client }.checked(Reach::Public).unwrap()
}

async fn lab() -> (Place, Forge) {
    let key = Forge::new("ES384", "k1");
    (Place::new(vec![client("lab", &key)]).await, key)
}

#[tokio::test]
async fn a_signed_assertion_is_exchanged_for_a_token_that_works() {
    for algorithm in ["ES384", "RS384"] {
        let key = Forge::new(algorithm, "k1");
        let place = Place::new(vec![client("lab", &key)]).await;
        let assertion = key.token(&claims("lab"));
        let answer = place.post(&body("system/Observation.crs system/Patient.rs patient/*.rs openid", &assertion)).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        let told: Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!(told["token_type"], "Bearer");
        assert_eq!(told["expires_in"], json!(300));
        assert!(told.get("refresh_token").is_none() && told.get("id_token").is_none());
        let scope = told["scope"].as_str().unwrap();
        assert!(
            scope.contains("system/Patient.rs") && scope.contains("system/Observation.") && !scope.contains("patient/"),
            "{scope}"
        );
        assert_eq!(answer.facts.scope.as_deref(), Some(scope));

        let known: Arc<dyn Registrations> = Arc::clone(&place.endpoint.registry) as _;
        let issuers = Issuers::new().with_own(ISSUER, vec![BASE.to_owned()], place.endpoint.keys.published()).unwrap();
        let authenticator = Authenticator::new(issuers, known);
        let header = format!("Bearer {}", told["access_token"].as_str().unwrap());
        let caller = authenticator.authenticate(Some(&header), None, NOW).await.unwrap();
        assert_eq!((caller.client.as_str(), caller.subject.as_str(), caller.user.as_ref()), ("lab", "lab", None));
        assert_eq!(
            (caller.organization.as_deref(), caller.purposes.as_slice()),
            (Some("Organization/lab"), &["TREAT".to_owned()][..])
        );
        assert_eq!(caller.token_id, answer.facts.token_id);
        assert_eq!(Some(caller.expires), answer.facts.expires);
        assert!(authenticator.authenticate(Some(&header), None, NOW.plus_seconds(330)).await.is_err());

        assert!(place.endpoint.registry.set_disabled("lab", true).await.unwrap());
        assert!(authenticator.cached(Some(&header), None, NOW).is_none());
        assert!(authenticator.authenticate(Some(&header), None, NOW).await.is_err());
        place.assert_denied(&key.token(&claims("lab")), "client-disabled").await;
    }
}

#[tokio::test]
async fn each_defect_of_an_assertion_is_an_invalid_client() {
    let (place, key) = lab().await;
    let second = NOW.seconds();
    for (claims, why) in [
        (but("exp", json!(second - 30)), "expired"),
        (but("exp", json!(second + 331)), "lifetime"),
        (but("exp", json!((second + 60).to_string())), "expiry"),
        (without("exp"), "expiry"),
        (but("nbf", json!(second + 31)), "not-before"),
        (but("iat", json!(second + 31)), "issued-at"),
        (but("iat", json!("now")), "issued-at"),
        (without("jti"), "jti"),
        (but("jti", json!("")), "jti"),
        (but("jti", json!(7)), "jti"),
        (but("jti", json!("j".repeat(300))), "jti"),
        (but("aud", json!("https://gateway.example/token/")), "audience"),
        (but("aud", json!(ISSUER)), "audience"),
        (but("aud", json!(BASE)), "audience"),
        (without("aud"), "audience"),
        (but("iss", json!("hospital")), "subject"),
        (but("sub", json!("hospital")), "subject"),
        (without("sub"), "subject"),
        (without("iss"), "issuer"),
        (claims("nobody"), "client"),
    ] {
        place.assert_denied(&key.token(&claims), why).await;
    }
    place.assert_denied("not.a.token", "malformed").await;
    place.assert_denied("x", "malformed").await;
    let twice = claims("lab").to_string().replacen('{', "{\"jti\":\"a\",", 1);
    place.assert_denied(&key.sign(&key.header().to_string(), &twice), "malformed").await;
}

#[tokio::test]
async fn the_header_of_an_assertion_cannot_choose_how_it_is_verified() {
    let (key, rsa, foreign) = (Forge::new("ES384", "k1"), Forge::new("RS384", "k1"), Forge::new("ES384", "k1"));
    let place = Place::new(vec![client("lab", &key), client("hospital", &rsa)]).await;
    let payload = claims("lab").to_string();
    for (by, header, why) in [
        (&foreign, foreign.header(), "signature"),
        (&key, json!({"alg": "ES384", "kid": "k2", "typ": "JWT"}), "key"),
        (&key, json!({"alg": "RS384", "kid": "k1", "typ": "JWT"}), "key"),
        (&key, json!({"alg": "ES384", "typ": "JWT"}), "header"),
        (&key, json!({"alg": "ES384", "kid": "k1"}), "header"),
        (&key, json!({"alg": "ES384", "kid": "k1", "typ": "at+jwt"}), "header"),
        (&foreign, json!({"alg": "ES384", "kid": "k1", "typ": "JWT", "jwk": foreign.jwk()}), "header"),
        (&key, json!({"alg": "ES384", "kid": "k1", "typ": "JWT", "x5u": "https://a.example"}), "header"),
        (&key, json!({"alg": "ES384", "kid": "k1", "typ": "JWT", "crit": ["jti"]}), "header"),
        (&key, json!({"alg": "ES384", "kid": "k1", "typ": "JWT", "jku": "https://a.example"}), "header"),
        (&key, json!({"alg": "none", "kid": "k1", "typ": "JWT"}), "algorithm"),
        (&key, json!({"alg": "NonE", "kid": "k1", "typ": "JWT"}), "algorithm"),
        (&key, json!({"alg": "HS256", "kid": "k1", "typ": "JWT"}), "algorithm"),
        (&key, json!({"alg": "ES256", "kid": "k1", "typ": "JWT"}), "algorithm"),
    ] {
        place.assert_denied(&by.sign(&header.to_string(), &payload), why).await;
    }
    let header = json!({"alg": "RS384", "kid": "k1", "typ": "JWT"}).to_string();
    let payload = claims("hospital").to_string();
    place.assert_denied(&hmac(&header, &payload, rsa.jwk().to_string().as_bytes()), "signature").await;
    let (signed, _) = rsa.sign(&header, &payload).rsplit_once('.').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    place.assert_denied(&format!("{signed}."), "malformed").await;
}

#[tokio::test]
async fn an_assertion_is_used_once() {
    let (key, other) = (Forge::new("ES384", "k1"), Forge::new("ES384", "k1"));
    let place = Place::new(vec![client("lab", &key), client("hospital", &other)]).await;
    let assertion = key.token(&but("jti", json!("j1")));
    assert_eq!(place.post(&body("system/*.rs", &assertion)).await.status, 200);
    place.assert_denied(&assertion, "replayed").await;
    place.assert_denied(&key.token(&but("jti", json!("j1"))), "replayed").await;
    let mut others = claims("hospital");
    others["jti"] = json!("j1");
    assert_eq!(place.post(&body("system/*.rs", &other.token(&others))).await.status, 200);
    let later = TokenRequest { body: &body("system/*.rs", &assertion), ..form() };
    let answer = place.send(later, NOW.plus_seconds(329)).await;
    assert_eq!(answer.facts.reason, "assertion:replayed");
}

#[tokio::test]
async fn an_audience_may_be_an_array_and_the_client_id_may_be_repeated() {
    let (place, key) = lab().await;
    let array = key.token(&but("aud", json!(["https://other.example", URL])));
    assert_eq!(place.post(&body("system/*.rs", &array)).await.status, 200);
    let same = format!("{}&client_id=lab", body("system/*.rs", &key.token(&claims("lab"))));
    assert_eq!(place.post(&same).await.status, 200);
    let other = format!("{}&client_id=hospital", body("system/*.rs", &key.token(&claims("lab"))));
    let answer = place.post(&other).await;
    assert_eq!((answer.status, answer.facts.reason.as_str()), (401, "assertion:client-id"));
    assert_eq!(answer.facts.client.as_deref(), Some("lab"));
}

#[tokio::test]
async fn the_form_of_the_request_is_held_to_the_letter() {
    let (place, key) = lab().await;
    let good = body("system/*.rs", &key.token(&claims("lab")));
    let kind = crate::fhir::encode(ASSERTION_TYPE);
    for (request, status, named) in [
        (TokenRequest { content_type: Some("application/json"), body: &good, ..form() }, 400, "invalid_request"),
        (TokenRequest { content_type: None, body: &good, ..form() }, 400, "invalid_request"),
        (TokenRequest { query: "client_assertion=x", body: &good, ..form() }, 400, "invalid_request"),
        (TokenRequest { query: "client_secret=x", body: &good, ..form() }, 400, "invalid_request"),
        (TokenRequest { body: &good.replace("grant_type=client_credentials", "a=b"), ..form() }, 400, "invalid_request"),
        (TokenRequest { body: &good.replace("=client_credentials", "="), ..form() }, 400, "invalid_request"),
        (TokenRequest { body: &good.replace("client_credentials", "password"), ..form() }, 400, "unsupported_grant_type"),
        (
            TokenRequest { body: &good.replace("client_credentials", "urn:ietf:params:oauth:grant-type:device_code"), ..form() },
            400,
            "unsupported_grant_type",
        ),
        (TokenRequest { body: &format!("{good}&scope=system/*.rs"), ..form() }, 400, "invalid_request"),
        (TokenRequest { body: &format!("{good}&x=%zz"), ..form() }, 400, "invalid_request"),
        (TokenRequest { body: &good.replace(&kind, "not_a_type"), ..form() }, 401, "invalid_client"),
        (TokenRequest { body: &good.replace("client_assertion_type", "other"), ..form() }, 401, "invalid_client"),
        (TokenRequest { body: &good.replace("client_assertion=", "other="), ..form() }, 401, "invalid_client"),
        (TokenRequest { body: &format!("{good}&client_secret=s"), ..form() }, 401, "invalid_client"),
        (TokenRequest { authorization: Some("Basic bGFiOng="), body: &good, ..form() }, 401, "invalid_client"),
    ] {
        let answer = place.send(request, NOW).await;
        assert_eq!((answer.status, error(&answer).as_str()), (status, named), "{request:?}");
        let challenged = answer.headers.iter().any(|(name, _)| *name == "WWW-Authenticate");
        assert_eq!(challenged, request.authorization.is_some());
    }
    assert_eq!(place.post(&good).await.status, 200, "none of the refusals used the assertion up");
}

#[tokio::test]
async fn scopes_are_what_was_asked_and_registered_and_of_the_system_only() {
    let (place, key) = lab().await;
    for scope in ["system/Patient.c", "patient/*.rs", "user/*.rs", "openid fhirUser", "system/*.sr", "nonsense", " "] {
        let answer = place.post(&body(scope, &key.token(&claims("lab")))).await;
        assert_eq!((answer.status, error(&answer).as_str()), (400, "invalid_scope"), "{scope}");
    }
    let missing = body("x", &key.token(&claims("lab"))).replace("scope=x", "a=b");
    assert_eq!(error(&place.post(&missing).await), "invalid_scope");
}

#[tokio::test]
async fn keys_by_address_are_fetched_and_a_failing_host_is_asked_once() {
    let key = Forge::new("ES384", "k1");
    let failure = "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n".to_owned();
    let host = Host::new(vec![answer("max-age=2", &Forge::set(&[&key])), failure]);
    let by_address = Client { keys: ClientKeys::JwksUri(host.url.clone()), ..client("lab", &key) };
    let place = Place::new(vec![by_address]).await;
    let jku = json!({"alg": "ES384", "kid": "k1", "typ": "JWT", "jku": host.url}).to_string();
    assert_eq!(place.post(&body("system/*.rs", &key.sign(&jku, &claims("lab").to_string()))).await.status, 200);
    for later in [3, 4, 5] {
        let text = body("system/*.rs", &key.token(&claims("lab")));
        let answer = place.send(TokenRequest { body: &text, ..form() }, NOW.plus_seconds(later)).await;
        assert_eq!(answer.facts.reason, "assertion:keys");
    }
    assert_eq!(host.hits(), 2);
}

#[tokio::test]
async fn a_client_with_a_certificate_gets_a_token_bound_to_it_and_nothing_without_it() {
    let key = Forge::new("ES384", "k1");
    let peer = PeerCertificate { thumbprint: "A".repeat(43), subject: "CN=lab".to_owned(), ..PeerCertificate::default() };
    let bound = Client { certificate: Some(peer.thumbprint.clone()), ..client("lab", &key) };
    let place = Place::new(vec![bound]).await;
    place.assert_denied(&key.token(&claims("lab")), "certificate").await;
    let text = body("system/*.rs", &key.token(&claims("lab")));
    let answer = place.send(TokenRequest { body: &text, peer: Some(&peer), ..form() }, NOW).await;
    assert_eq!(answer.status, 200);
    let told: Value = serde_json::from_str(&answer.body).unwrap();
    let token = told["access_token"].as_str().unwrap();
    let claims = crate::identity::Claims::parse(&crate::identity::Jws::parse(token).unwrap().payload).unwrap();
    assert_eq!(claims.get("cnf").unwrap().text_at("x5t#S256").unwrap(), peer.thumbprint);
}

#[tokio::test]
async fn a_failing_store_grants_nothing() {
    let (place, key) = lab().await;
    place.store.failing.store(true, Ordering::SeqCst);
    let answer = place.post(&body("system/*.rs", &key.token(&claims("lab")))).await;
    assert_eq!((answer.status, error(&answer).as_str()), (503, "temporarily_unavailable"));
    assert_eq!(answer.facts.outcome, Outcome::Major);
}

#[tokio::test]
async fn an_app_cannot_act_as_a_backend() {
    let app = Client::app("app", "App", vec!["https://app.example/callback".to_owned()], "patient/*.rs");
    let place = Place::new(vec![app.checked(Reach::Public).unwrap()]).await;
    let key = Forge::new("ES384", "k1");
    place.assert_denied(&key.token(&claims("app")), "keys").await;
}

#[test]
fn a_registration_that_cannot_be_held_to_is_refused() {
    let key = Forge::new("ES384", "k1");
    let good = client("lab", &key);
    let app = |uri: &str| Client::app("app", "App", vec![uri.to_owned()], "patient/*.rs");
    for wrong in [
        Client { id: String::new(), ..good.clone() },
        Client { id: "Practitioner/d1".to_owned(), ..good.clone() },
        Client { id: "a b".to_owned(), ..good.clone() },
        Client { keys: ClientKeys::None, ..good.clone() },
        Client { keys: ClientKeys::Jwks(json!({"keys": []})), ..good.clone() },
        Client { keys: ClientKeys::Jwks(json!({"keys": [{"kty": "oct", "k": "AA"}]})), ..good.clone() },
        Client { keys: ClientKeys::JwksUri("http://lab.example/jwks".to_owned()), ..good.clone() },
        Client { scopes: "openid".to_owned(), ..good.clone() },
        Client { scopes: "patient/*.rs".to_owned(), ..good.clone() },
        Client { token_lifetime: 301, ..good.clone() },
        Client { token_lifetime: 0, ..good.clone() },
        Client { purposes: vec!["FUN".to_owned()], ..good.clone() },
        Client { certificate: Some("short".to_owned()), ..good.clone() },
        app("http://app.example/callback"),
        app("https://app.example/#f"),
        app("https://app.example/*"),
        app("https://u@app.example/"),
        app("javascript:alert(1)"),
        app("https:app.example"),
        app("http://localhost.evil.example/"),
    ] {
        assert!(wrong.clone().checked(Reach::Public).is_err(), "{wrong:?}");
    }
    for uri in ["http://localhost:3000/callback", "http://127.0.0.1/", "com.example.app:/callback"] {
        assert!(app(uri).checked(Reach::Public).is_ok(), "{uri}");
    }
}

/// The sample assertions of the SMART App Launch guide, with the public keys that are published beside them.
mod known_answer {
    use super::*;

    const CLIENT: &str = "https://bili-monitor.example.com";
    const URL: &str = "https://authorize.smarthealthit.org/token";
    const PAYLOAD: &str = "eyJpc3MiOiJodHRwczovL2JpbGktbW9uaXRvci5leGFtcGxlLmNvbSIsInN1YiI6Imh0dHBzOi8vYmlsaS1tb25pdG9yLmV4YW1wbGUuY29tIiwiYXVkIjoiaHR0cHM6Ly9hdXRob3JpemUuc21hcnRoZWFsdGhpdC5vcmcvdG9rZW4iLCJleHAiOjE0MjI1Njg4NjAsImp0aSI6InJhbmRvbS1ub24tcmV1c2FibGUtand0LWlkLTEyMyJ9";
    const RS384: (&str, &str) = (
        "eyJhbGciOiJSUzM4NCIsImtpZCI6ImVlZTlmMTdhM2I1OThmZDg2NDE3YTk4MGI1OTFmYmU2IiwidHlwIjoiSldUIn0",
        "D5kAqNJwaftCqsRdVVQDq6dMBxuGFOF5svQJuXbcYp-oEyg5qOwK9ZE5cGLTHxqwfpUPNzRKgVdIGuhawAA-8g0s1nKQae8CuKs33hhKh4J34xSEwW3MYs1gwI4GHTtR_g3kYSX6QCi14Ed3GIAvYFgqRqt-gD7sewMUXL4SB8I8cXcDbCqVizm7uPVhjw6QaeKZygJJ_AVLhM4Xs9LTy4HAhdCHpN0FrNmCerUIYJvHDpcod7A0jDmxdoeW1KIBYlhdhQNwjtsTvT1ce4qacN_3KIv_fIzCKLIgDv9eWxkjAtxOmIm8aW5gX9xX7X0nbd0QglIyiic_bZVNNEh0kg",
    );
    const ES384: (&str, &str) = (
        "eyJhbGciOiJFUzM4NCIsImtpZCI6ImNkNTIwMjExZTU2NjFkYmJhMjI1NmY2N2Y2ZDUzZjk3IiwidHlwIjoiSldUIn0",
        "ddl5N8dt5PYI_7syKg_dm1wj1LR3dYVztFlTODs6pU1vKH1Zv3d9NctbnAsZ4aZ1K7HE83_fA_hIAL0JsU1GoB7roLmrpj8zfygG9Q1ZBAmKNoR60pyONPZsGTihoR29",
    );

    fn published() -> Client {
        let keys = json!({"keys": [
            {"kty": "RSA", "alg": "RS384", "kid": "eee9f17a3b598fd86417a980b591fbe6", "key_ops": ["verify"], "e": "AQAB",
             "n": "wJq2RHIA-7RT6q4go7wjcbHdW7ck7Kz22A8wf-kN7Wi5CWvhFG2_Y7nQp1lDpb2IKMQr-Q4n_vgJ6d5rWPspJpSPY7iffUK4ipQCEbzID5DJ6fQMBZOfCTXyxkuMh3jYGKEF3Ziw2oxbM1H9j-eJAPtrj5stUG6kVoXowegdox-bSjWP0iI5PnkwUNzcekLMug4M3LRluEQgGR9O_BAML6-w3igZ_rZA_gunyrLAMbfmCVaceW5ohLp679kyM7U6W2gDK_NbkDKcINUakVmPeoG5h8RzgGzvGrySR0k0VDFiZv60Ua07DqHTeDGH9e4NV07AECae-oykIj5NDCs3pw"},
            {"kty": "EC", "alg": "ES384", "crv": "P-384", "kid": "cd520211e5661dbba2256f67f6d53f97", "key_ops": ["verify"],
             "x": "pyqburM9y8HPcFhNosDW6ngoVEJitqXi_HJgI5hYqX21PoFDwCbYirGy_o0oapIU",
             "y": "95bxkCnMKoHvgbcPAIAcgzzu8scd81mXfM_IzuJFNfkUNkGYBFGvuEU1KPi5j1ob"},
        ]});
        Client::backend(CLIENT, "Bilirubin monitor", ClientKeys::Jwks(keys), "system/*.rs").checked(Reach::Public).unwrap()
    }

    #[tokio::test]
    async fn the_guides_sample_assertion_verifies_and_is_refused_for_audience_and_expiry() {
        for (header, signature) in [RS384, ES384] {
            let assertion = format!("{header}.{PAYLOAD}.{signature}");
            let mut place = Place::new(vec![published()]).await;
            place.assert_denied(&assertion, "audience").await;
            URL.clone_into(&mut place.endpoint.rules.token_url);
            place.assert_denied(&assertion, "expired").await;
            let text = body("system/*.rs", &assertion);
            let in_time = place.send(TokenRequest { body: &text, ..form() }, Instant(1_422_568_800_000)).await;
            assert_eq!(in_time.status, 200, "{}", in_time.facts.reason);
        }
    }
}

#[tokio::test]
async fn sc1_a_certificate_proves_a_client_and_binds_its_token() {
    use crate::smart::profile::TlsName;
    let known = |id: &str, tls: TlsName| Client { tls: Some(tls), ..Client::backend(id, id, ClientKeys::None, "system/*.rs") };
    let place = Place::new(vec![
        known("named", TlsName::SubjectDn("CN=lab".to_owned())),
        known("pinned", TlsName::Itself("A".repeat(43))),
        known("host", TlsName::SanDns("lab.example".to_owned())),
    ])
    .await;
    let peer = PeerCertificate {
        thumbprint: "A".repeat(43),
        subject: "CN=lab".to_owned(),
        dns: vec!["lab.example".to_owned()],
        ..PeerCertificate::default()
    };
    let other = PeerCertificate { thumbprint: "B".repeat(43), subject: "CN=other".to_owned(), ..PeerCertificate::default() };
    for id in ["named", "pinned", "host"] {
        let body = format!("grant_type=client_credentials&scope=system/*.rs&client_id={id}");
        let answer = place.send(TokenRequest { body: &body, peer: Some(&peer), ..form() }, NOW).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        let told: Value = serde_json::from_str(&answer.body).unwrap();
        let token = told["access_token"].as_str().unwrap();
        let payload = crate::identity::Jws::parse(token).unwrap().payload;
        let claims: Value = serde_json::from_slice(&payload).unwrap();
        assert_eq!(claims["cnf"], json!({"x5t#S256": "A".repeat(43)}));
        for wrong in [Some(&other), None] {
            let answer = place.send(TokenRequest { body: &body, peer: wrong, ..form() }, NOW).await;
            assert_eq!((answer.status, error(&answer).as_str()), (401, "invalid_client"));
        }
    }
}
