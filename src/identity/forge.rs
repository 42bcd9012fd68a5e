//! For tests: keys that sign anything, however wrong, and hosts that answer anything.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256,
    RSA_PKCS1_SHA384,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// A key pair.
pub(crate) struct Forge {
    kid: String,
    algorithm: &'static str,
    pair: Pair,
}

enum Pair {
    Ec(EcdsaKeyPair),
    Rsa(Box<rsa::KeyPair>),
}

impl Forge {
    /// `ES256`, `ES384`, `RS256` or `RS384`.
    pub(crate) fn new(algorithm: &'static str, kid: &str) -> Self {
        let pair = match algorithm {
            "ES256" => Pair::Ec(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap()),
            "ES384" => Pair::Ec(EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).unwrap()),
            _ => Pair::Rsa(Box::new(rsa::KeyPair::generate(rsa::KeySize::Rsa2048).unwrap())),
        };
        Self { kid: kid.to_owned(), algorithm, pair }
    }

    /// The public JWK, without `alg` and `use`.
    pub(crate) fn jwk(&self) -> Value {
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        match &self.pair {
            Pair::Ec(pair) => {
                let (x, y) = pair.public_key().as_ref()[1..].split_at(pair.public_key().as_ref().len() / 2);
                let crv = if self.algorithm == "ES256" { "P-256" } else { "P-384" };
                json!({"kty": "EC", "crv": crv, "kid": self.kid, "x": text(x), "y": text(y)})
            }
            Pair::Rsa(pair) => {
                let der = pair.public_key().as_ref();
                assert_eq!(&der[267..270], &[1, 0, 1]);
                json!({"kty": "RSA", "kid": self.kid, "n": text(&der[9..265]), "e": "AQAB"})
            }
        }
    }

    /// `{"keys": [...]}`
    pub(crate) fn set(keys: &[&Self]) -> String {
        json!({"keys": keys.iter().map(|key| key.jwk()).collect::<Vec<_>>()}).to_string()
    }

    /// The header that an honest signer writes.
    pub(crate) fn header(&self) -> Value {
        json!({"alg": self.algorithm, "kid": self.kid, "typ": "JWT"})
    }

    /// A token of these claims.
    pub(crate) fn token(&self, claims: &Value) -> String {
        self.sign(&self.header().to_string(), &claims.to_string())
    }

    /// A token of exactly this header and payload, whatever they say.
    pub(crate) fn sign(&self, header: &str, payload: &str) -> String {
        let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
        let random = SystemRandom::new();
        let signature = match &self.pair {
            Pair::Ec(pair) => pair.sign(&random, signed.as_bytes()).unwrap().as_ref().to_vec(),
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                let padding = if self.algorithm == "RS256" { &RSA_PKCS1_SHA256 } else { &RSA_PKCS1_SHA384 };
                pair.sign(padding, &random, signed.as_bytes(), &mut signature).unwrap();
                signature
            }
        };
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

/// A token signed with HMAC-SHA-256 over this secret.
pub(crate) fn hmac(header: &str, payload: &str, secret: &[u8]) -> String {
    use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign};
    let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
    let signature = sign(&Key::new(HMAC_SHA256, secret), signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// A host on loopback, which gives these answers, one a connection, and then closes.
pub(crate) struct Host {
    pub(crate) url: String,
    hits: Arc<AtomicUsize>,
}

impl Host {
    pub(crate) fn new(answers: Vec<String>) -> Self {
        Self::slow(answers, Duration::ZERO)
    }

    /// Waits before each answer.
    pub(crate) fn slow(answers: Vec<String>, pause: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/jwks", listener.local_addr().unwrap());
        let hits = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&hits);
        std::thread::spawn(move || {
            for answer in answers {
                let Ok((mut stream, _)) = listener.accept() else { return };
                counted.fetch_add(1, Ordering::SeqCst);
                let _ = stream.read(&mut [0; 4096]);
                std::thread::sleep(pause);
                let _ = stream.write_all(answer.as_bytes());
            }
        });
        Self { url, hits }
    }

    pub(crate) fn hits(&self) -> usize {
        self.hits.load(Ordering::SeqCst)
    }
}

/// A good answer with this body.
pub(crate) fn answer(cache: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nCache-Control: {cache}\r\nConnection: close\r\n\r\n{body}")
}
