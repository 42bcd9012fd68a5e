//! Private keys: the gateway's own for signing tokens, and pairs for clients that have none yet.

use super::pkcs8;
use crate::identity::{Algorithm, KeySet, thumbprint};
use aws_lc_rs::encoding::{AsBigEndian as _, AsDer as _, EcPrivateKeyBin};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::EncodingKey;
use serde_json::{Value, json};
use std::fmt;

/// A key could not be made, read or used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyFault {
    /// Generating failed.
    #[error("no key could be generated")]
    Generate,
    /// The stored form is not one of ours.
    #[error("the stored signing key cannot be read")]
    Read,
    /// Signing failed.
    #[error("nothing could be signed")]
    Sign,
    /// There is no generator for this algorithm.
    #[error("keys are generated for ES384 and RS384 only")]
    Algorithm,
}

/// A key that signs the gateway's own tokens, with ES256.
pub struct SigningKey {
    id: String,
    private: EncodingKey,
    public: Value,
}

/// Never shows the private half.
impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("id", &self.id).finish_non_exhaustive()
    }
}

impl SigningKey {
    /// What it signs with.
    pub const ALGORITHM: Algorithm = Algorithm::ES256;

    /// A new key, and its private half as PKCS#8 DER for the store.
    ///
    /// # Errors
    /// [`KeyFault::Generate`]
    pub fn generate() -> Result<(Self, Vec<u8>), KeyFault> {
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new());
        let pkcs8 = document.map_err(|_| KeyFault::Generate)?.as_ref().to_vec();
        Ok((Self::from_pkcs8(&pkcs8)?, pkcs8))
    }

    /// The key with this private half.
    ///
    /// # Errors
    /// [`KeyFault::Read`]
    pub fn from_pkcs8(pkcs8: &[u8]) -> Result<Self, KeyFault> {
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8).map_err(|_| KeyFault::Read)?;
        let public = ec_public("P-256", pair.public_key().as_ref()).ok_or(KeyFault::Read)?;
        let id = public.get("kid").and_then(Value::as_str).ok_or(KeyFault::Read)?.to_owned();
        Ok(Self { id, private: EncodingKey::from_ec_der(pkcs8), public: with_use(&public, "ES256") })
    }

    /// `kid`: the thumbprint of the public key (RFC 7638).
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The public key as a JWK.
    pub fn public(&self) -> &Value {
        &self.public
    }

    /// A token in compact form with these claims.
    ///
    /// # Errors
    /// [`KeyFault::Sign`]
    pub fn sign(&self, media_type: &str, claims: &Value) -> Result<String, KeyFault> {
        let header = json!({"alg": Self::ALGORITHM.name(), "kid": self.id, "typ": media_type});
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&header), part(claims));
        let signature = jsonwebtoken::crypto::sign(signed.as_bytes(), &self.private, Self::ALGORITHM.library())
            .map_err(|_| KeyFault::Sign)?;
        Ok(format!("{signed}.{signature}"))
    }
}

/// The text of the key set with these public keys.
pub fn key_set_text<'k>(keys: impl IntoIterator<Item = &'k Value>) -> String {
    json!({"keys": keys.into_iter().collect::<Vec<_>>()}).to_string()
}

/// The key set with these public keys, as what verifies tokens reads it.
pub fn key_set<'k>(keys: impl IntoIterator<Item = &'k Value>) -> KeySet {
    KeySet::parse(key_set_text(keys).as_bytes()).unwrap_or_default()
}

/// A key pair for a client that authenticates with `private_key_jwt`: the private JWK and the public JWK. ES384 or RS384 (RSA of 3072 bits).
///
/// # Errors
/// [`KeyFault::Generate`], or [`KeyFault::Algorithm`] for any other algorithm.
pub fn generate_client_key(algorithm: Algorithm) -> Result<(Value, Value), KeyFault> {
    match algorithm {
        Algorithm::ES384 => generate_ec(),
        Algorithm::RS384 => generate_rsa(),
        _ => Err(KeyFault::Algorithm),
    }
}

fn generate_ec() -> Result<(Value, Value), KeyFault> {
    let pair = EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).map_err(|_| KeyFault::Generate)?;
    let public = ec_public("P-384", pair.public_key().as_ref()).ok_or(KeyFault::Generate)?;
    let secret: EcPrivateKeyBin<'_> = pair.private_key().as_be_bytes().map_err(|_| KeyFault::Generate)?;
    let public = with_use(&public, "ES384");
    Ok((joined(&public, &json!({"d": URL_SAFE_NO_PAD.encode(secret.as_ref())})), public))
}

fn generate_rsa() -> Result<(Value, Value), KeyFault> {
    let pair = rsa::KeyPair::generate(rsa::KeySize::Rsa3072).map_err(|_| KeyFault::Generate)?;
    let der = pair.as_der().map_err(|_| KeyFault::Generate)?;
    let numbers = pkcs8::rsa_numbers(der.as_ref()).ok_or(KeyFault::Generate)?;
    let [modulus, exponent, secret @ ..] = numbers.map(|number| URL_SAFE_NO_PAD.encode(number));
    let kid = thumbprint(format!("{{\"e\":\"{exponent}\",\"kty\":\"RSA\",\"n\":\"{modulus}\"}}").as_bytes());
    let public = with_use(&json!({"kty": "RSA", "kid": kid, "n": modulus, "e": exponent}), "RS384");
    let secret = ["d", "p", "q", "dp", "dq", "qi"].into_iter().map(str::to_owned).zip(secret.map(Value::String));
    Ok((joined(&public, &Value::Object(secret.collect())), public))
}

/// The JWK of an uncompressed point, with its thumbprint as `kid`.
pub(super) fn ec_public(curve: &str, point: &[u8]) -> Option<Value> {
    let (&form, coordinates) = point.split_first()?;
    if form != 4 {
        return None;
    }
    let (x, y) = coordinates.split_at_checked(coordinates.len() / 2)?;
    let (x, y) = (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y));
    let kid = thumbprint(format!("{{\"crv\":\"{curve}\",\"kty\":\"EC\",\"x\":\"{x}\",\"y\":\"{y}\"}}").as_bytes());
    Some(json!({"kty": "EC", "crv": curve, "kid": kid, "x": x, "y": y}))
}

/// A public JWK with what it is for.
pub(super) fn with_use(public: &Value, algorithm: &str) -> Value {
    joined(public, &json!({"use": "sig", "alg": algorithm}))
}

fn joined(one: &Value, other: &Value) -> Value {
    let members = [one, other].into_iter().filter_map(Value::as_object).flatten();
    Value::Object(members.map(|(name, value)| (name.clone(), value.clone())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Jws;

    #[test]
    fn what_a_generated_key_signs_verifies_with_its_public_half_after_a_restart() {
        let (key, pkcs8) = SigningKey::generate().unwrap();
        let again = SigningKey::from_pkcs8(&pkcs8).unwrap();
        assert_eq!(again.id(), key.id());
        let token = again.sign("at+jwt", &json!({"a": 1})).unwrap();
        assert_eq!(key_set([key.public()]).verify(&Jws::parse(&token).unwrap()), Ok(()));
        assert!(!format!("{key:?}").contains("pair"));
        assert!(!key_set_text([key.public()]).contains("\"d\""));
    }

    #[test]
    fn client_keys_come_in_two_kinds_and_the_public_half_has_no_secret() {
        for algorithm in [Algorithm::ES384, Algorithm::RS384] {
            let (private, public) = generate_client_key(algorithm).unwrap();
            assert!(private.get("d").is_some() && public.get("d").is_none());
            assert!(!key_set([&public]).is_empty(), "{public}");
            assert_eq!(private.get("kid"), public.get("kid"));
        }
        assert_eq!(generate_client_key(Algorithm::ES256).unwrap_err(), KeyFault::Algorithm);
    }
}
