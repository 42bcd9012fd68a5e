//! An issuer of the site's own, or a client with its own key: signs any claims.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

/// `iss` of the issuer's tokens.
pub(crate) const ISSUER: &str = "https://idp.example";

/// A key pair.
pub(crate) struct Signer {
    kid: &'static str,
    algorithm: &'static str,
    pair: EcdsaKeyPair,
}

impl Signer {
    /// ES256, as the issuer uses it.
    pub(crate) fn new(kid: &'static str) -> Self {
        Self { kid, algorithm: "ES256", pair: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap() }
    }

    /// ES384, as clients use it for assertions.
    pub(crate) fn of_client(kid: &'static str) -> Self {
        Self { kid, algorithm: "ES384", pair: EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).unwrap() }
    }

    /// The public key set.
    pub(crate) fn key_set(&self) -> Value {
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let point = &self.pair.public_key().as_ref()[1..];
        let (x, y) = point.split_at(point.len() / 2);
        let curve = if self.algorithm == "ES256" { "P-256" } else { "P-384" };
        json!({"keys": [{
            "kty": "EC", "crv": curve, "alg": self.algorithm, "use": "sig", "kid": self.kid, "x": text(x), "y": text(y),
        }]})
    }

    /// A token of these claims, with an honest header.
    pub(crate) fn sign(&self, claims: &Value) -> String {
        self.sign_raw(&json!({"alg": self.algorithm, "kid": self.kid, "typ": "JWT"}).to_string(), &claims.to_string())
    }

    /// A token of exactly this header and payload.
    pub(crate) fn sign_raw(&self, header: &str, payload: &str) -> String {
        let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
        let signature = self.pair.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
    }
}
