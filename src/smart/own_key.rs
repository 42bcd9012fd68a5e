//! Keys of the gateway's own for what is no access token: `id_token`s, and assertions at somebody else's token endpoint. Each kind has keys of
//! its own, which sign nothing else, so that neither can be mistaken for the other, nor for an access token.

use super::keys::{KeyFault, ec_public, with_use};
use super::pkcs8::rsa_numbers;
use crate::identity::thumbprint;
use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa;
use aws_lc_rs::signature::{ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

/// What a key signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signs {
    /// `id_token`s, with RSA, which every OpenID relying party knows.
    IdTokens,
    /// Client assertions, with the curve that SMART Backend Services asks every server to take.
    Assertions,
}

impl Signs {
    /// `alg`: told by it, which of the stored keys are of this kind.
    pub(super) const fn algorithm(self) -> &'static str {
        match self {
            Self::IdTokens => "RS256",
            Self::Assertions => "ES384",
        }
    }

    /// The kind that signs with this algorithm.
    pub(super) fn with(algorithm: &str) -> Option<Self> {
        [Self::IdTokens, Self::Assertions].into_iter().find(|signs| signs.algorithm() == algorithm)
    }
}

/// A key.
pub struct OwnKey {
    id: String,
    signs: Signs,
    pair: Pair,
    public: Value,
}

enum Pair {
    Rsa(rsa::KeyPair),
    Ec(EcdsaKeyPair),
}

/// Never shows the private half.
impl std::fmt::Debug for OwnKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OwnKey").field("id", &self.id).field("signs", &self.signs).finish_non_exhaustive()
    }
}

impl OwnKey {
    /// A new key, and its private half as PKCS#8 DER for the store. An RSA key takes tenths of a second: not on a thread that serves.
    ///
    /// # Errors
    /// [`KeyFault::Generate`]
    pub fn generate(signs: Signs) -> Result<(Self, Vec<u8>), KeyFault> {
        let pkcs8 = match signs {
            Signs::IdTokens => {
                let pair = rsa::KeyPair::generate(rsa::KeySize::Rsa2048).map_err(|_| KeyFault::Generate)?;
                pair.as_der().map_err(|_| KeyFault::Generate)?.as_ref().to_vec()
            }
            Signs::Assertions => {
                let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, &SystemRandom::new());
                document.map_err(|_| KeyFault::Generate)?.as_ref().to_vec()
            }
        };
        Ok((Self::from_pkcs8(signs, &pkcs8)?, pkcs8))
    }

    /// The key with this private half.
    ///
    /// # Errors
    /// [`KeyFault::Read`]
    pub fn from_pkcs8(signs: Signs, pkcs8: &[u8]) -> Result<Self, KeyFault> {
        let (pair, public) = match signs {
            Signs::IdTokens => {
                let pair = rsa::KeyPair::from_pkcs8(pkcs8).map_err(|_| KeyFault::Read)?;
                (Pair::Rsa(pair), rsa_public(pkcs8).ok_or(KeyFault::Read)?)
            }
            Signs::Assertions => {
                let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, pkcs8).map_err(|_| KeyFault::Read)?;
                let public = ec_public("P-384", pair.public_key().as_ref()).ok_or(KeyFault::Read)?;
                (Pair::Ec(pair), public)
            }
        };
        let id = public.get("kid").and_then(Value::as_str).ok_or(KeyFault::Read)?.to_owned();
        Ok(Self { id, signs, pair, public: with_use(&public, signs.algorithm()) })
    }

    /// `kid`: the thumbprint of the public key (RFC 7638).
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What it signs.
    pub(super) fn signs(&self) -> Signs {
        self.signs
    }

    /// The public key as a JWK.
    pub fn public(&self) -> &Value {
        &self.public
    }

    /// A JWT with these claims.
    ///
    /// # Errors
    /// [`KeyFault::Sign`]
    pub fn sign(&self, claims: &Value) -> Result<String, KeyFault> {
        let header = json!({"alg": self.signs.algorithm(), "kid": self.id, "typ": "JWT"});
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&header), part(claims));
        let signature = self.pair.sign(signed.as_bytes()).map_err(|_| KeyFault::Sign)?;
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}

impl Pair {
    fn sign(&self, bytes: &[u8]) -> Result<Vec<u8>, aws_lc_rs::error::Unspecified> {
        let random = SystemRandom::new();
        match self {
            Self::Ec(pair) => Ok(pair.sign(&random, bytes)?.as_ref().to_vec()),
            Self::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, bytes, &mut signature)?;
                Ok(signature)
            }
        }
    }
}

fn rsa_public(pkcs8: &[u8]) -> Option<Value> {
    let [modulus, exponent, ..] = rsa_numbers(pkcs8)?.map(|number| URL_SAFE_NO_PAD.encode(number));
    let id = thumbprint(format!("{{\"e\":\"{exponent}\",\"kty\":\"RSA\",\"n\":\"{modulus}\"}}").as_bytes());
    Some(json!({"kty": "RSA", "kid": id, "n": modulus, "e": exponent}))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Jws;
    use crate::smart::keys::key_set;

    #[test]
    fn o1_what_a_key_signs_verifies_with_its_published_half_after_a_restart() {
        for signs in [Signs::IdTokens, Signs::Assertions] {
            let (key, pkcs8) = OwnKey::generate(signs).unwrap();
            let again = OwnKey::from_pkcs8(signs, &pkcs8).unwrap();
            assert_eq!((again.id(), again.signs()), (key.id(), signs));
            let token = again.sign(&json!({"sub": "s"})).unwrap();
            assert_eq!(key_set([key.public()]).verify(&Jws::parse(&token).unwrap()), Ok(()));
            assert_eq!(key.public()["alg"], signs.algorithm());
            assert!(key.public().get("d").is_none() && !format!("{key:?}").contains("pair"));
            assert_eq!(Signs::with(signs.algorithm()), Some(signs));
        }
        assert_eq!(Signs::with("ES256"), None);
    }
}
