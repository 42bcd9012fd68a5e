//! Public keys (RFC 7517) and the one way to verify a signature with them.

use super::algorithm::{Algorithm, Curve};
use super::jws::{Header, Jws};
use crate::fhir::json::{Document, Element, Kind};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::DecodingKey;

/// The most keys that a set may hold.
const MOST_KEYS: usize = 100;

/// Why a text is no key set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeySetFault {
    /// Not strict JSON.
    #[error("the key set is not JSON, or names a member twice")]
    Json,
    /// Not an object with an array `keys` of objects, or too many of them.
    #[error("the key set has no array `keys` of at most {MOST_KEYS} objects")]
    Shape,
    /// It holds private or symmetric key material, which nobody may publish.
    #[error("the key set holds private or symmetric key material; publish the public members only")]
    Private,
}

/// A set of public keys. Keys of other kinds, and keys that are not for verifying, are left out when it is read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeySet {
    keys: Vec<Key>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Key {
    id: Option<String>,
    /// `alg`, when the key is pinned to one.
    pinned: Option<Algorithm>,
    material: Material,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Material {
    Rsa { n: Vec<u8>, e: Vec<u8> },
    Ec { curve: Curve, x: Vec<u8>, y: Vec<u8> },
}

impl KeySet {
    /// Reads `{"keys": [...]}`. A key of an unknown kind, for encryption, or with broken numbers is left out.
    ///
    /// # Errors
    /// [`KeySetFault`] when the text as a whole is no public key set.
    pub fn parse(bytes: &[u8]) -> Result<Self, KeySetFault> {
        let document = Document::parse(bytes).map_err(|_| KeySetFault::Json)?;
        let keys = document.root().get("keys").filter(|keys| keys.kind() == Kind::Array).ok_or(KeySetFault::Shape)?;
        let all: Vec<_> = keys.items().take(MOST_KEYS + 1).collect();
        if all.len() > MOST_KEYS || all.iter().any(|key| key.kind() != Kind::Object) {
            return Err(KeySetFault::Shape);
        }
        if all.iter().any(|key| key.get("d").is_some() || key.get("k").is_some()) {
            return Err(KeySetFault::Private);
        }
        Ok(Self { keys: all.into_iter().filter_map(Key::read).collect() })
    }

    /// The set of this one key, as it stands in the header of a proof (RFC 9449 § 4.2), with its thumbprint (RFC 7638).
    ///
    /// # Errors
    /// `key` when it is no public key that can verify a signature.
    pub fn of_one(jwk: &str) -> Result<(Self, String), &'static str> {
        let set = Self::parse(format!("{{\"keys\":[{jwk}]}}").as_bytes()).map_err(|_| "key")?;
        let document = Document::parse(jwk.as_bytes()).map_err(|_| "key")?;
        let text = |name: &str| document.root().text_at(name).filter(|text| text.bytes().all(is_plain)).ok_or("key");
        let members: &[&str] = if text("kty")? == "RSA" { &["e", "kty", "n"] } else { &["crv", "kty", "x", "y"] };
        let mut parts = Vec::new();
        for name in members {
            parts.push(format!("\"{name}\":\"{}\"", text(name)?));
        }
        if set.is_empty() {
            return Err("key");
        }
        Ok((set, super::certificate::thumbprint(format!("{{{}}}", parts.join(",")).as_bytes())))
    }

    /// Does it hold no usable key?
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Is there a key that this header may mean? When not, a newer set may have it.
    pub fn knows(&self, header: &Header) -> bool {
        self.keys.iter().any(|key| key.may_sign(header))
    }

    /// Verifies the signature. The key is the one with exactly the header's `kid` that fits the algorithm; without a `kid`,
    /// the only one that fits. None or several is a failure.
    ///
    /// # Errors
    /// `key` when not exactly one key is meant, `signature` when it does not verify.
    pub fn verify(&self, jws: &Jws<'_>) -> Result<(), &'static str> {
        let mut fitting = self.keys.iter().filter(|key| key.may_sign(&jws.header));
        let key = fitting.next().ok_or("key")?;
        if fitting.next().is_some() {
            return Err("key");
        }
        key.verify(jws.header.algorithm, jws.signed.as_bytes(), &jws.signature)
    }
}

impl Key {
    fn read(jwk: Element<'_>) -> Option<Self> {
        let text = |name: &str| jwk.text_at(name);
        if jwk.get("use").is_some() && text("use").as_deref() != Some("sig") {
            return None;
        }
        if jwk.get("key_ops").is_some_and(|operations| !operations.items().any(|one| one.as_str().as_deref() == Some("verify"))) {
            return None;
        }
        let pinned = match jwk.get("alg") {
            None => None,
            Some(name) => Some(Algorithm::parse(&name.as_str()?)?),
        };
        let id = match jwk.get("kid") {
            None => None,
            Some(id) => Some(id.as_str()?.into_owned()),
        };
        let material = match text("kty")?.as_ref() {
            "RSA" => Material::rsa(number(jwk, "n")?, number(jwk, "e")?)?,
            "EC" => Material::ec(Curve::parse(&text("crv")?)?, bytes(jwk, "x")?, bytes(jwk, "y")?)?,
            _ => return None,
        };
        Some(Self { id, pinned, material })
    }

    /// The token's `kid` is this key's, and the key is of the kind, curve and pinned algorithm that `alg` needs.
    fn may_sign(&self, header: &Header) -> bool {
        let named = header.key_id.is_none() || header.key_id == self.id;
        named && self.pinned.is_none_or(|pinned| pinned == header.algorithm) && self.material.fits(header.algorithm)
    }

    fn verify(&self, algorithm: Algorithm, signed: &[u8], signature: &[u8]) -> Result<(), &'static str> {
        let key = self.material.decoding_key(algorithm).ok_or("key")?;
        match jsonwebtoken::crypto::verify(&URL_SAFE_NO_PAD.encode(signature), signed, &key, algorithm.library()) {
            Ok(true) => Ok(()),
            _ => Err("signature"),
        }
    }
}

impl Material {
    /// 2048 bits at least (RFC 7518 § 3.3), and an odd exponent above 1 that fits 64 bits.
    fn rsa(n: Vec<u8>, e: Vec<u8>) -> Option<Self> {
        let sized = (256..=1024).contains(&n.len()) && (1..=8).contains(&e.len());
        let exponent = e.iter().fold(0u64, |all, &byte| (all << 8) | u64::from(byte));
        (sized && exponent > 1 && exponent % 2 == 1).then_some(Self::Rsa { n, e })
    }

    fn ec(curve: Curve, x: Vec<u8>, y: Vec<u8>) -> Option<Self> {
        let sized = x.len() == curve.width() && y.len() == curve.width();
        sized.then_some(Self::Ec { curve, x, y })
    }

    fn fits(&self, algorithm: Algorithm) -> bool {
        match (self, algorithm.curve()) {
            (Self::Rsa { .. }, None) => true,
            (Self::Ec { curve, .. }, Some(of)) => *curve == of,
            _ => false,
        }
    }

    /// The key as the library takes it, when it is of the kind that the algorithm needs.
    fn decoding_key(&self, algorithm: Algorithm) -> Option<DecodingKey> {
        if !self.fits(algorithm) {
            return None;
        }
        match self {
            Self::Rsa { n, e } => Some(DecodingKey::from_rsa_raw_components(n, e)),
            Self::Ec { x, y, .. } => DecodingKey::from_ec_components(&URL_SAFE_NO_PAD.encode(x), &URL_SAFE_NO_PAD.encode(y)).ok(),
        }
    }
}

/// A character that stands in JSON as itself.
const fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

fn bytes(jwk: Element<'_>, name: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(jwk.text_at(name)?.as_bytes()).ok()
}

/// A big-endian number without the leading zeros that some writers add.
fn number(jwk: Element<'_>, name: &str) -> Option<Vec<u8>> {
    let mut bytes = bytes(jwk, name)?;
    let zeros = bytes.iter().take_while(|&&byte| byte == 0).count();
    bytes.drain(..zeros);
    Some(bytes)
}

#[cfg(test)]
#[path = "key_set_tests.rs"]
mod tests;
