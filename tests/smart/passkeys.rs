//! Passkeys, with an authenticator made of software.

use super::visitor::{Visitor, claims, clinic, exchange, query, request, text};
use crate::support::{Reply, Server};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaPair, KeySize};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ciborium::Value as Cbor;
use serde_json::{Value, json};

const ORIGIN: &str = "https://localhost:8443";

enum Key {
    Ec(EcdsaKeyPair),
    Rsa(RsaPair),
}

struct Authenticator {
    id: Vec<u8>,
    key: Key,
    counter: u32,
    user: String,
}

fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn client_data(kind: &str, challenge: &str, origin: &str) -> String {
    json!({"type": kind, "challenge": challenge, "origin": origin, "crossOrigin": false}).to_string()
}

impl Authenticator {
    fn ec() -> Self {
        let key = Key::Ec(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap());
        Self { id: b"a credential".to_vec(), key, counter: 1, user: String::new() }
    }

    fn rsa() -> Self {
        let key = Key::Rsa(RsaPair::generate(KeySize::Rsa2048).unwrap());
        Self { id: b"another credential".to_vec(), key, counter: 0, user: String::new() }
    }

    fn cose(&self) -> Vec<u8> {
        let number = |n: i64| Cbor::Integer(n.into());
        let bytes = |b: &[u8]| Cbor::Bytes(b.to_vec());
        let members = match &self.key {
            Key::Ec(pair) => {
                let point = &pair.public_key().as_ref()[1..];
                vec![
                    (number(1), number(2)),
                    (number(3), number(-7)),
                    (number(-1), number(1)),
                    (number(-2), bytes(&point[..32])),
                    (number(-3), bytes(&point[32..])),
                ]
            }
            Key::Rsa(pair) => {
                let (n, e) = super::visitor::rsa_numbers(pair.public_key().as_ref());
                vec![(number(1), number(3)), (number(3), number(-257)), (number(-1), bytes(&n)), (number(-2), bytes(&e))]
            }
        };
        let mut out = Vec::new();
        ciborium::into_writer(&Cbor::Map(members), &mut out).unwrap();
        out
    }

    fn data(&self, host: &str, flags: u8) -> Vec<u8> {
        let mut data = digest(&SHA256, host.as_bytes()).as_ref().to_vec();
        data.push(flags);
        data.extend(self.counter.to_be_bytes());
        data
    }

    /// `attestationObject`
    fn attestation(&self, host: &str, flags: u8) -> String {
        let mut data = self.data(host, flags);
        data.extend([0; 16]);
        data.extend(u16::try_from(self.id.len()).unwrap().to_be_bytes());
        data.extend(&self.id);
        data.extend(self.cose());
        let text = |text: &str| Cbor::Text(text.to_owned());
        let object =
            vec![(text("fmt"), text("none")), (text("attStmt"), Cbor::Map(Vec::new())), (text("authData"), Cbor::Bytes(data))];
        let mut out = Vec::new();
        ciborium::into_writer(&Cbor::Map(object), &mut out).unwrap();
        b64(out)
    }

    fn sign(&self, data: &[u8], client_data: &str) -> Vec<u8> {
        let mut signed = data.to_vec();
        signed.extend(digest(&SHA256, client_data.as_bytes()).as_ref());
        match &self.key {
            Key::Ec(pair) => pair.sign(&SystemRandom::new(), &signed).unwrap().as_ref().to_vec(),
            Key::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), &signed, &mut signature).unwrap();
                signature
            }
        }
    }
}

/// Asks for a challenge, as the script of this page does.
fn challenge(visitor: &mut Visitor<'_>, page: &Reply) -> Value {
    let form = super::visitor::form(
        page.text(),
        if page.text().contains("/account/passkey\"") { "/account/passkey" } else { "/sign-in/passkey" },
    );
    let token = form.split("name=\"form_token\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    visitor.post("/passkeys/challenge", &format!("form_token={token}")).expect(200).json()
}

fn enrol(visitor: &mut Visitor<'_>, authenticator: &mut Authenticator) -> Reply {
    let page = visitor.get("/account/passkey").expect(200);
    assert!(page.header("content-security-policy").unwrap().contains("script-src 'self'"));
    let told = challenge(visitor, &page);
    text(&told["user"], "id").clone_into(&mut authenticator.user);
    let challenge = text(&told, "challenge");
    assert_eq!(told["rpId"], "localhost");
    let fields = [
        ("challenge", challenge),
        ("name", "my phone"),
        ("client_data", &b64(client_data("webauthn.create", challenge, ORIGIN))),
        ("attestation", &authenticator.attestation("localhost", 0x45)),
    ];
    visitor.submit(&page, "/account/passkey", &fields)
}

/// Fills in the form of sign-in with what this authenticator signs, but for what `spoil` changes.
fn sign_in(
    visitor: &mut Visitor<'_>,
    page: &Reply,
    authenticator: &Authenticator,
    (origin, host, flags): (&str, &str, u8),
) -> Reply {
    let told = challenge(visitor, page);
    let challenge = text(&told, "challenge").to_owned();
    let client_data = client_data("webauthn.get", &challenge, origin);
    let data = authenticator.data(host, flags);
    let signature = authenticator.sign(&data, &client_data);
    let fields = [
        ("challenge", challenge.as_str()),
        ("id", &b64(&authenticator.id)),
        ("user", &authenticator.user),
        ("client_data", &b64(&client_data)),
        ("authenticator_data", &b64(data)),
        ("signature", &b64(signature)),
    ];
    visitor.submit(page, "/sign-in/passkey", &fields)
}

const GOOD: (&str, &str, u8) = (ORIGIN, "localhost", 5);

fn with_passkey<'s>(server: &'s Server, authenticator: &mut Authenticator) -> Visitor<'s> {
    let mut visitor = Visitor::signed_in(server, "amin");
    let done = enrol(&mut visitor, authenticator);
    assert_eq!((done.status, done.header("location")), (303, Some("/account")), "{}", done.text());
    assert!(visitor.get("/account").text().contains("my phone"));
    visitor
}

#[test]
fn somebody_signs_in_with_a_passkey_and_the_app_is_told_how() {
    let server = clinic();
    for mut authenticator in [Authenticator::ec(), Authenticator::rsa()] {
        with_passkey(&server, &mut authenticator);
        let mut visitor = Visitor::new(&server);
        let asked = request("launch/patient openid patient/Patient.rs", &[("acr_values", "urn:amanat:acr:passkey")]);
        let page = visitor.open(&asked);
        if authenticator.counter > 0 {
            authenticator.counter += 1;
        }
        let reply = sign_in(&mut visitor, &page, &authenticator, GOOD);
        assert_eq!(server.trail_of(&reply)[0]["event"]["word"], "login");
        let consent = visitor.follow(reply);
        let allowed = visitor.allow(&consent);
        let told = exchange(&server, &query(&allowed)["code"]).expect(200).json();
        let token = claims(text(&told, "id_token"));
        assert_eq!((&token["acr"], &token["amr"]), (&json!("urn:amanat:acr:passkey"), &json!(["hwk", "user", "mfa"])));
    }
}

#[test]
fn a_passkey_that_is_not_whole_opens_nothing() {
    let server = clinic();
    let mut authenticator = Authenticator::ec();
    with_passkey(&server, &mut authenticator);
    authenticator.counter = 5;
    let stranger = Authenticator { user: authenticator.user.clone(), counter: 9, ..Authenticator::ec() };
    let mut visitor = Visitor::new(&server);
    let page = visitor.get("/sign-in").expect(200);
    for (who, how, why) in [
        (&authenticator, ("https://evil.example", "localhost", 5), "origin"),
        (&authenticator, (ORIGIN, "evil.example", 5), "host"),
        (&authenticator, (ORIGIN, "localhost", 1), "unverified"),
        (&stranger, GOOD, "signature"),
    ] {
        let reply = sign_in(&mut visitor, &page, who, how).expect(200);
        assert!(reply.text().contains("id=\"fault\""));
        assert_eq!(server.trail_of(&reply)[0]["reason"], format!("sign-in:passkey-{why}"));
    }
    let reply = sign_in(&mut visitor, &page, &authenticator, GOOD);
    assert_eq!(reply.header("location"), Some("/account"));
    let mut other = Visitor::new(&server);
    let page = other.get("/sign-in").expect(200);
    let reply = sign_in(&mut other, &page, &authenticator, GOOD).expect(200);
    assert_eq!(server.trail_of(&reply)[0]["reason"], "sign-in:passkey-cloned", "the count did not grow");
}

#[test]
fn a_challenge_is_good_once_and_in_one_browser() {
    let server = clinic();
    let mut authenticator = Authenticator::ec();
    with_passkey(&server, &mut authenticator);
    authenticator.counter = 5;
    let (mut one, mut two) = (Visitor::new(&server), Visitor::new(&server));
    let (first, second) = (one.get("/sign-in").expect(200), two.get("/sign-in").expect(200));
    let told = challenge(&mut one, &first);
    let asked = text(&told, "challenge").to_owned();
    let client_data = client_data("webauthn.get", &asked, ORIGIN);
    let data = authenticator.data("localhost", 5);
    let signature = b64(authenticator.sign(&data, &client_data));
    let (id, client_data, data) = (b64(&authenticator.id), b64(client_data), b64(data));
    let fields = [
        ("challenge", asked.as_str()),
        ("id", &id),
        ("user", &authenticator.user),
        ("client_data", &client_data),
        ("authenticator_data", &data),
        ("signature", &signature),
    ];
    let foreign = two.submit(&second, "/sign-in/passkey", &fields).expect(200);
    assert_eq!(server.trail_of(&foreign)[0]["reason"], "sign-in:passkey-challenge");
    assert_eq!(one.submit(&first, "/sign-in/passkey", &fields).status, 303);
    let again = one.submit(&first, "/sign-in/passkey", &fields).expect(200);
    assert_eq!(server.trail_of(&again)[0]["reason"], "sign-in:passkey-challenge");
}

#[test]
fn a_passkey_is_made_for_who_is_signed_in_and_given_up_again() {
    let server = clinic();
    assert_eq!(Visitor::new(&server).get("/account/passkey").header("location"), Some("/sign-in"));
    let mut authenticator = Authenticator::ec();
    let mut visitor = with_passkey(&server, &mut authenticator);
    let twice = enrol(&mut visitor, &mut authenticator).expect(200);
    assert!(twice.text().contains("id=\"fault\""), "it is known already");
    let page = visitor.get("/account").expect(200);
    let gone = visitor.submit(&page, "/account/passkey/forget", &[("id", &b64(&authenticator.id))]);
    assert_eq!(gone.status, 303);
    assert!(visitor.get("/account").text().contains("id=\"no-passkeys\""));
    let mut other = Visitor::new(&server);
    let page = other.get("/sign-in").expect(200);
    authenticator.counter = 9;
    sign_in(&mut other, &page, &authenticator, GOOD).expect(200);
}
