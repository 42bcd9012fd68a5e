//! The RSA key that signs `id_token`s (RS256, which every OpenID relying party knows). It signs nothing else, so an access token can
//! never be mistaken for one, nor one for an access token.

use super::keys::KeyFault;
use super::pkcs8::rsa_numbers;
use crate::identity::thumbprint;
use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::RSA_PKCS1_SHA256;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

/// `alg`
pub(super) const ALGORITHM: &str = "RS256";

/// A key for `id_token`s.
pub struct IdentityKey {
    id: String,
    pair: KeyPair,
    public: Value,
}

/// Never shows the private half.
impl std::fmt::Debug for IdentityKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IdentityKey").field("id", &self.id).finish_non_exhaustive()
    }
}

impl IdentityKey {
    /// A new key of 2048 bits, and its private half as PKCS#8 DER for the store. Takes tenths of a second: not on a thread that serves.
    ///
    /// # Errors
    /// [`KeyFault::Generate`]
    pub fn generate() -> Result<(Self, Vec<u8>), KeyFault> {
        let pair = KeyPair::generate(KeySize::Rsa2048).map_err(|_| KeyFault::Generate)?;
        let pkcs8 = pair.as_der().map_err(|_| KeyFault::Generate)?.as_ref().to_vec();
        Ok((Self::from_pkcs8(&pkcs8)?, pkcs8))
    }

    /// The key with this private half.
    ///
    /// # Errors
    /// [`KeyFault::Read`]
    pub fn from_pkcs8(pkcs8: &[u8]) -> Result<Self, KeyFault> {
        let pair = KeyPair::from_pkcs8(pkcs8).map_err(|_| KeyFault::Read)?;
        let [modulus, exponent, ..] = rsa_numbers(pkcs8).ok_or(KeyFault::Read)?.map(|number| URL_SAFE_NO_PAD.encode(number));
        let id = thumbprint(format!("{{\"e\":\"{exponent}\",\"kty\":\"RSA\",\"n\":\"{modulus}\"}}").as_bytes());
        let public = json!({"kty": "RSA", "kid": id, "use": "sig", "alg": ALGORITHM, "n": modulus, "e": exponent});
        Ok(Self { id, pair, public })
    }

    /// `kid`
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The public key as a JWK.
    pub fn public(&self) -> &Value {
        &self.public
    }

    /// An `id_token` with these claims.
    ///
    /// # Errors
    /// [`KeyFault::Sign`]
    pub fn sign(&self, claims: &Value) -> Result<String, KeyFault> {
        let header = json!({"alg": ALGORITHM, "kid": self.id, "typ": "JWT"});
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&header), part(claims));
        let mut signature = vec![0; self.pair.public_modulus_len()];
        let done = self.pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature);
        done.map_err(|_| KeyFault::Sign)?;
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Jws;
    use crate::smart::keys::key_set;

    #[test]
    fn o1_an_id_token_verifies_with_the_published_key_after_a_restart() {
        let (key, pkcs8) = IdentityKey::generate().unwrap();
        let token = IdentityKey::from_pkcs8(&pkcs8).unwrap().sign(&json!({"sub": "s"})).unwrap();
        assert_eq!(key_set([key.public()]).verify(&Jws::parse(&token).unwrap()), Ok(()));
        assert!(key.public().get("d").is_none() && !format!("{key:?}").contains("pair"));
    }
}
