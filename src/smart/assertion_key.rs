//! The key by which the gateway is known to somebody else's token endpoint: ES384, which SMART Backend Services asks every server to take.
//! It signs nothing else, so that an assertion can never be mistaken for an access token.

use super::keys::{KeyFault, ec_public, with_use};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

/// `alg`
pub(super) const ALGORITHM: &str = "ES384";

/// A key for client assertions.
pub struct AssertionKey {
    id: String,
    pair: EcdsaKeyPair,
    public: Value,
}

/// Never shows the private half.
impl std::fmt::Debug for AssertionKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AssertionKey").field("id", &self.id).finish_non_exhaustive()
    }
}

impl AssertionKey {
    /// A new key, and its private half as PKCS#8 DER for the store.
    ///
    /// # Errors
    /// [`KeyFault::Generate`]
    pub fn generate() -> Result<(Self, Vec<u8>), KeyFault> {
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, &SystemRandom::new());
        let pkcs8 = document.map_err(|_| KeyFault::Generate)?.as_ref().to_vec();
        Ok((Self::from_pkcs8(&pkcs8)?, pkcs8))
    }

    /// The key with this private half.
    ///
    /// # Errors
    /// [`KeyFault::Read`]
    pub fn from_pkcs8(pkcs8: &[u8]) -> Result<Self, KeyFault> {
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, pkcs8).map_err(|_| KeyFault::Read)?;
        let public = ec_public("P-384", pair.public_key().as_ref()).ok_or(KeyFault::Read)?;
        let id = public.get("kid").and_then(Value::as_str).ok_or(KeyFault::Read)?.to_owned();
        Ok(Self { id, pair, public: with_use(&public, ALGORITHM) })
    }

    /// `kid`: the thumbprint of the public key (RFC 7638).
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The public key as a JWK.
    pub fn public(&self) -> &Value {
        &self.public
    }

    /// An assertion with these claims.
    ///
    /// # Errors
    /// [`KeyFault::Sign`]
    pub fn sign(&self, claims: &Value) -> Result<String, KeyFault> {
        let header = json!({"alg": ALGORITHM, "kid": self.id, "typ": "JWT"});
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&header), part(claims));
        let signature = self.pair.sign(&SystemRandom::new(), signed.as_bytes()).map_err(|_| KeyFault::Sign)?;
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref())))
    }
}

#[cfg(test)]
mod tests {
    use super::AssertionKey;
    use crate::identity::Jws;
    use crate::smart::key_set;
    use serde_json::json;

    #[test]
    fn what_it_signs_verifies_with_its_public_half_after_a_restart() {
        let (key, pkcs8) = AssertionKey::generate().unwrap();
        let again = AssertionKey::from_pkcs8(&pkcs8).unwrap();
        assert_eq!(again.id(), key.id());
        let assertion = again.sign(&json!({"iss": "amanat"})).unwrap();
        assert_eq!(key_set([key.public()]).verify(&Jws::parse(&assertion).unwrap()), Ok(()));
        assert!(!format!("{key:?}").contains("pair"));
    }
}
