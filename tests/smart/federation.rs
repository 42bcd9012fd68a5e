//! Sign-in at another OpenID provider: a small one of the test's own, over HTTP on this computer.

use super::visitor::{Visitor, claims, exchange, furnish, query, request, text};
use crate::support::Server;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// What the next `id_token` says, beside what every one does.
#[derive(Default)]
struct Next {
    nonce: String,
    challenge: String,
    claims: Value,
    /// Signs with a key that is not published.
    forged: bool,
    /// Publishes and signs with its other key.
    rotated: bool,
    /// The documents that it was asked for.
    heard: Vec<String>,
}

struct Provider {
    issuer: String,
    next: Arc<Mutex<Next>>,
}

struct Desk {
    issuer: String,
    key: KeyPair,
    other: KeyPair,
    next: Arc<Mutex<Next>>,
}

fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

impl Provider {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let next = Arc::new(Mutex::new(Next::default()));
        let made = || KeyPair::generate(KeySize::Rsa2048).unwrap();
        let desk = Desk { issuer: issuer.clone(), key: made(), other: made(), next: Arc::clone(&next) };
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                desk.answer(stream);
            }
        });
        Self { issuer, next }
    }

    fn settings(&self, more: &str) -> String {
        format!(
            "[[smart.providers]]\nid = \"hospital\"\nname = \"City Hospital\"\nissuer = \"{}\"\nclient_id = \"amanat\"\n\
             client_secret = \"hush\"\npatients_claim = \"children\"\norganization_claim = \"org\"\nroles_claim = \"roles\"\n\
             strong_acr = [\"gold\"]\n{more}",
            self.issuer
        )
    }
}

impl Desk {
    fn answer(&self, mut stream: TcpStream) {
        let mut bytes = Vec::new();
        let mut chunk = [0; 4096];
        let (head, body) = loop {
            let Ok(read @ 1..) = stream.read(&mut chunk) else { return };
            bytes.extend(&chunk[..read]);
            let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
            let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
            let length = head
                .lines()
                .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ").map(|n| n.parse::<usize>().unwrap()));
            if bytes.len() >= end + 4 + length.unwrap_or(0) {
                break (head, String::from_utf8_lossy(&bytes[end + 4..]).into_owned());
            }
        };
        let path = head.split(' ').nth(1).unwrap_or_default();
        self.next.lock().unwrap().heard.push(path.to_owned());
        let (status, told) = match path {
            "/.well-known/openid-configuration" => (200, self.configuration()),
            "/jwks" => (200, self.keys()),
            "/token" => self.tokens(&head, &body),
            _ => (404, json!({})),
        };
        let told = told.to_string();
        let head = format!(
            "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            told.len()
        );
        drop(stream.write_all(format!("{head}{told}").as_bytes()));
    }

    fn configuration(&self) -> Value {
        let at = |path: &str| format!("{}{path}", self.issuer);
        json!({
            "issuer": self.issuer, "authorization_endpoint": at("/authorize"), "token_endpoint": at("/token"), "jwks_uri": at("/jwks"),
            "response_types_supported": ["code"], "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
        })
    }

    fn keys(&self) -> Value {
        let rotated = self.next.lock().unwrap().rotated;
        let (key, kid) = if rotated { (&self.other, "k2") } else { (&self.key, "k") };
        let (n, e) = super::visitor::rsa_numbers(key.public_key().as_ref());
        json!({"keys": [{"kty": "RSA", "use": "sig", "alg": "RS256", "kid": kid, "n": b64(n), "e": b64(e)}]})
    }

    fn tokens(&self, head: &str, body: &str) -> (u16, Value) {
        let form: BTreeMap<String, String> = amanat::fhir::pairs(body).unwrap().into_iter().collect();
        let next = self.next.lock().unwrap();
        let verifier = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, form["code_verifier"].as_bytes());
        let basic = format!("Basic {}", STANDARD.encode("amanat:hush"));
        if form["code"] != "good" || b64(verifier) != next.challenge || !head.contains(&basic) {
            return (400, json!({"error": "invalid_grant"}));
        }
        // The library looks at the clock of the machine.
        let now = amanat::clock::Clock::system().now().seconds();
        let mut claims = json!({
            "iss": self.issuer, "aud": "amanat", "sub": "u-1", "iat": now, "exp": now + 300, "nonce": next.nonce, "name": "Dr Sana",
        });
        for (name, value) in next.claims.as_object().into_iter().flatten() {
            claims[name] = value.clone();
        }
        let key = if next.forged || next.rotated { &self.other } else { &self.key };
        let header = if next.rotated { r#"{"alg":"RS256","kid":"k2"}"# } else { r#"{"alg":"RS256","kid":"k"}"# };
        let signed = format!("{}.{}", b64(header), b64(claims.to_string()));
        let mut signature = vec![0; key.public_modulus_len()];
        key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature).unwrap();
        let token = format!("{signed}.{}", b64(signature));
        (200, json!({"access_token": "a", "token_type": "Bearer", "expires_in": 60, "id_token": token}))
    }
}

fn hospital(more: &str) -> (Server, Provider) {
    let provider = Provider::start();
    let server = Server::with("Policy-all-normal", &provider.settings(more));
    furnish(&server);
    server.seed(&[json!({"resourceType": "Patient", "id": "p1"}), json!({"resourceType": "Practitioner", "id": "d9"})]);
    (server, provider)
}

/// From the page of sign-in to the provider and back, with these claims; `spoil` changes what comes back.
fn through(
    visitor: &mut Visitor<'_>,
    provider: &Provider,
    page: &crate::support::Reply,
    told: &Value,
    spoil: impl FnOnce(&mut BTreeMap<String, String>),
) -> crate::support::Reply {
    let link = page.text().split("id=\"provider-hospital\" href=\"").nth(1).unwrap().split('"').next().unwrap();
    let left = visitor.get(&link.replace("&amp;", "&"));
    assert!(left.header("location").unwrap().starts_with(&format!("{}/authorize?", provider.issuer)), "{}", left.text());
    let asked = query(&left);
    assert_eq!((asked["response_type"].as_str(), asked["code_challenge_method"].as_str()), ("code", "S256"));
    assert!(asked["scope"].contains("openid") && asked["redirect_uri"] == "https://localhost:8443/sign-in/back");
    {
        let mut next = provider.next.lock().unwrap();
        (next.nonce, next.challenge, next.claims) = (asked["nonce"].clone(), asked["code_challenge"].clone(), told.clone());
    }
    let mut back: BTreeMap<String, String> =
        [("code".to_owned(), "good".to_owned()), ("state".to_owned(), asked["state"].clone())].into();
    spoil(&mut back);
    let pairs: Vec<(&str, &str)> = back.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    visitor.get(&format!("/sign-in/back?{}", super::visitor::encoded(&pairs)))
}

#[test]
fn who_signs_in_at_the_hospital_is_a_practitioner_here() {
    let (server, provider) = hospital("takes_on = true");
    let told = json!({"fhirUser": "Practitioner/d9", "org": "Organization/city", "roles": ["doctor"], "acr": "gold"});
    for _ in 0..2 {
        let mut visitor = Visitor::new(&server);
        let page = visitor.open(&request("openid fhirUser user/Patient.rs", &[]));
        let reply = through(&mut visitor, &provider, &page, &told, |_| {});
        assert_eq!(server.trail_of(&reply)[0]["event"]["word"], "login");
        let consent = visitor.follow(reply);
        let allowed = visitor.allow(&consent);
        let tokens = exchange(&server, &query(&allowed)["code"]).expect(200).json();
        let (access, identity) = (claims(text(&tokens, "access_token")), claims(text(&tokens, "id_token")));
        assert_eq!(access["fhirUser"], "Practitioner/d9");
        assert_eq!(access["extensions"]["hl7-b2b"]["organization_id"], "Organization/city");
        assert_eq!((&access["roles"], &access["acr"]), (&json!(["doctor"]), &json!("urn:amanat:acr:two-factor")));
        assert_eq!(identity["amr"], json!(["fed", "mfa"]));
        server.get("Patient/p1", text(&tokens, "access_token")).expect(200);
    }
}

#[test]
fn a_parent_who_comes_from_there_acts_for_the_children_that_are_told() {
    let (server, provider) = hospital("takes_on = true\nuser_claim = \"person\"\nuser_type = \"RelatedPerson\"");
    let mut visitor = Visitor::new(&server);
    let page = visitor.open(&request("launch/patient patient/Patient.rs", &[]));
    let told = json!({"person": "r9", "children": ["Patient/p1"]});
    let reply = through(&mut visitor, &provider, &page, &told, |_| {});
    let consent = visitor.follow(reply);
    let allowed = visitor.allow(&consent);
    let tokens = exchange(&server, &query(&allowed)["code"]).expect(200).json();
    assert_eq!(
        (&tokens["patient"], &claims(text(&tokens, "access_token"))["acr"]),
        (&json!("p1"), &json!("urn:amanat:acr:federated"))
    );
}

#[test]
fn what_does_not_verify_signs_nobody_in() {
    let (server, provider) = hospital("takes_on = true");
    let told = json!({"fhirUser": "Practitioner/d9"});
    let attempt = |told: &Value, spoil: fn(&mut BTreeMap<String, String>)| {
        let mut visitor = Visitor::new(&server);
        let page = visitor.get("/sign-in").expect(200);
        let reply = through(&mut visitor, &provider, &page, told, spoil);
        assert_eq!(visitor.get("/account").header("location"), Some("/sign-in"), "nobody is signed in");
        reply
    };
    for (claims, reason) in [
        (json!({"fhirUser": "Practitioner/d9", "aud": "other"}), "sign-in:provider-answer"),
        (json!({"fhirUser": "Practitioner/d9", "iss": "https://evil.example"}), "sign-in:provider-answer"),
        (json!({"fhirUser": "Practitioner/d9", "exp": 1_000_000_000}), "sign-in:provider-answer"),
        (json!({"fhirUser": "Practitioner/d9", "nonce": "another"}), "sign-in:provider-answer"),
        (json!({}), "sign-in:provider-nobody"),
        (json!({"fhirUser": "https://elsewhere.example/fhir/Practitioner/d9"}), "sign-in:provider-nobody"),
    ] {
        let reply = attempt(&claims, |_| {});
        assert_eq!((reply.status, &server.trail_of(&reply)[0]["reason"]), (403, &json!(reason)), "{claims}");
    }
    provider.next.lock().unwrap().forged = true;
    attempt(&told, |_| {}).expect(403);
    provider.next.lock().unwrap().forged = false;
    attempt(&told, |back| drop(back.insert("code".to_owned(), "bad".to_owned()))).expect(403);
    attempt(&told, |back| drop(back.insert("iss".to_owned(), "https://evil.example".to_owned()))).expect(403);
    attempt(&told, |back| drop(back.insert("state".to_owned(), "made-up".to_owned()))).expect(400);
    attempt(&told, |back| drop(back.remove("code"))).expect(403);
}

#[test]
fn who_is_not_known_is_taken_on_only_where_the_site_wants_it_and_a_provider_away_is_told() {
    let (server, provider) = hospital("takes_on = false");
    let mut visitor = Visitor::new(&server);
    let page = visitor.get("/sign-in").expect(200);
    through(&mut visitor, &provider, &page, &json!({"fhirUser": "Practitioner/d9"}), |_| {}).expect(403);
    Visitor::new(&server).get("/sign-in/with?provider=nobody").expect(400);
    let settings = "[[smart.providers]]\nid = \"hospital\"\nissuer = \"http://127.0.0.1:9\"\nclient_id = \"a\"";
    let alone = Server::with("Policy-all-normal", settings);
    Visitor::new(&alone).get("/sign-in/with?provider=hospital").expect(502);
}

#[test]
fn what_a_provider_says_of_itself_is_known_for_a_while_and_a_new_key_is_looked_for() {
    let (server, provider) = hospital("takes_on = true");
    let told = json!({"fhirUser": "Practitioner/d9"});
    let sign_in = || {
        let mut visitor = Visitor::new(&server);
        let page = visitor.get("/sign-in").expect(200);
        through(&mut visitor, &provider, &page, &told, |_| {}).status
    };
    let asked = |name: &str| provider.next.lock().unwrap().heard.iter().filter(|path| path.contains(name)).count();
    assert_eq!((sign_in(), sign_in(), sign_in()), (303, 303, 303));
    assert_eq!((asked("openid-configuration"), asked("jwks"), asked("token")), (1, 1, 3), "once, and not at each sign-in");
    server.wait(601);
    assert_eq!(sign_in(), 303);
    assert_eq!((asked("openid-configuration"), asked("jwks")), (2, 2), "ten minutes at most");
    server.wait(11);
    provider.next.lock().unwrap().rotated = true;
    assert_eq!(sign_in(), 303, "a key that is not known yet is looked for");
    assert_eq!((asked("openid-configuration"), asked("jwks")), (3, 3));
    provider.next.lock().unwrap().rotated = false;
    provider.next.lock().unwrap().forged = true;
    assert_eq!((sign_in(), sign_in()), (403, 403));
    assert_eq!(asked("jwks"), 3, "but not again and again");
}
