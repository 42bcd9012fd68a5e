//! Passkeys (W3C Web Authentication, Level 2): what an authenticator shows, held to the letter. ES256 and RS256; attestation is not asked
//! for and not looked at.

use super::secret;
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ciborium::Value;
use serde::{Deserialize, Serialize};

/// The algorithms, as COSE numbers them.
pub const ALGORITHMS: [i64; 2] = [ES256, RS256];

const ES256: i64 = -7;
const RS256: i64 = -257;

/// The most passkeys of one person.
pub(super) const MOST_PASSKEYS: usize = 20;

/// The longest that is read of anything, in bytes.
const LONGEST: usize = 16 << 10;

/// A passkey as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passkey {
    /// The id of the credential, base64url.
    pub id: String,
    /// Its public key.
    pub key: PasskeyKey,
    /// How often it was used, as the authenticator counts; 0 when it does not.
    pub counter: u32,
    /// What the person calls it.
    pub name: String,
    /// When it was made, in milliseconds.
    pub made: i64,
    /// When it was last used, in milliseconds.
    pub used: i64,
}

/// A public key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PasskeyKey {
    /// A point of P-256, uncompressed, base64url.
    Es256(String),
    /// Modulus and exponent, base64url.
    Rs256(String, String),
}

/// What the browser sends of a new passkey.
#[derive(Debug, Clone, Copy)]
pub struct Made<'m> {
    /// `clientDataJSON`, base64url.
    pub client_data: &'m str,
    /// `attestationObject`, base64url.
    pub attestation: &'m str,
}

/// What the browser sends of one that is used.
#[derive(Debug, Clone, Copy)]
pub struct Used<'u> {
    /// The id of the credential, base64url.
    pub id: &'u str,
    /// `clientDataJSON`, base64url.
    pub client_data: &'u str,
    /// `authenticatorData`, base64url.
    pub authenticator_data: &'u str,
    /// The signature, base64url.
    pub signature: &'u str,
}

/// For whom passkeys are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelyingParty {
    /// The host, without port.
    pub id: String,
    /// The origin of the pages.
    pub origin: String,
}

impl RelyingParty {
    /// The one at this origin.
    pub fn at(origin: &str) -> Self {
        let host = origin.split_once("://").map_or(origin, |(_, host)| host);
        let id = if host.starts_with('[') { host } else { host.split(':').next().unwrap_or(host) };
        Self { id: id.to_owned(), origin: origin.to_owned() }
    }

    /// Reads a new passkey (§ 7.1). `challenge` is the one that was given out for it.
    ///
    /// # Errors
    /// One word on what is wrong.
    pub fn made(&self, made: &Made<'_>, challenge: &str, name: &str, now: i64) -> Result<Passkey, &'static str> {
        self.client_data(made.client_data, "webauthn.create", challenge)?;
        let object: Value = ciborium::from_reader(bytes(made.attestation)?.as_slice()).map_err(|_| "attestation")?;
        let data = member(&object, "authData").and_then(Value::as_bytes).ok_or("attestation")?;
        let (flags, counter, rest) = self.authenticator(data)?;
        if flags & ATTESTED == 0 {
            return Err("credential");
        }
        // The model of the authenticator comes first, then the length of the id.
        let (_, rest) = rest.split_at_checked(16).ok_or("credential")?;
        let (length, rest) = rest.split_at_checked(2).ok_or("credential")?;
        let length = length.iter().fold(0, |all, &byte| (all << 8) | usize::from(byte));
        let (id, mut key) = rest.split_at_checked(length).filter(|_| (1..=1023).contains(&length)).ok_or("credential")?;
        let key: Value = ciborium::from_reader(&mut key).map_err(|_| "key")?;
        let name: String = name.trim().chars().take(60).collect();
        let id = URL_SAFE_NO_PAD.encode(id);
        Ok(Passkey { id, key: PasskeyKey::read(&key).ok_or("key")?, counter, name, made: now, used: now })
    }

    /// Holds what came to a passkey (§ 7.2); the count after this use.
    ///
    /// # Errors
    /// One word on what is wrong; `cloned` when the count says that there are two of it.
    pub fn used(&self, used: &Used<'_>, passkey: &Passkey, challenge: &str) -> Result<u32, &'static str> {
        let client_data = self.client_data(used.client_data, "webauthn.get", challenge)?;
        let data = bytes(used.authenticator_data)?;
        let (_, counter, _) = self.authenticator(&data)?;
        let mut signed = data;
        signed.extend(digest(&SHA256, &client_data).as_ref());
        passkey.key.verify(&signed, &bytes(used.signature)?)?;
        if (counter != 0 || passkey.counter != 0) && counter <= passkey.counter {
            return Err("cloned");
        }
        Ok(counter)
    }

    /// `clientDataJSON`: what the browser says that it was asked, and by which page.
    fn client_data(&self, text: &str, kind: &str, challenge: &str) -> Result<Vec<u8>, &'static str> {
        let bytes = bytes(text)?;
        let told: serde_json::Value = serde_json::from_slice(&bytes).map_err(|_| "client-data")?;
        let text = |name: &str| told.get(name).and_then(serde_json::Value::as_str).unwrap_or_default();
        if text("type") != kind {
            return Err("type");
        }
        if !secret::equal(text("challenge"), challenge) {
            return Err("challenge");
        }
        if text("origin") != self.origin || told.get("crossOrigin").and_then(serde_json::Value::as_bool) == Some(true) {
            return Err("origin");
        }
        Ok(bytes)
    }

    /// `authenticatorData` (§ 6.1): for this host, with the person there and recognized. Flags, count, and what follows.
    fn authenticator<'d>(&self, data: &'d [u8]) -> Result<(u8, u32, &'d [u8]), &'static str> {
        let (host, rest) = data.split_at_checked(32).ok_or("authenticator-data")?;
        if host != digest(&SHA256, self.id.as_bytes()).as_ref() {
            return Err("host");
        }
        let (&flags, rest) = rest.split_first().ok_or("authenticator-data")?;
        if flags & PRESENT == 0 || flags & RECOGNIZED == 0 {
            return Err("unverified");
        }
        let (count, rest) = rest.split_at_checked(4).ok_or("authenticator-data")?;
        Ok((flags, count.iter().fold(0, |all, &byte| (all << 8) | u32::from(byte)), rest))
    }
}

/// The person touched it.
const PRESENT: u8 = 1;
/// It recognized the person: PIN, finger, face.
const RECOGNIZED: u8 = 4;
/// A new credential follows.
const ATTESTED: u8 = 64;

impl PasskeyKey {
    /// A COSE key (RFC 9053).
    fn read(key: &Value) -> Option<Self> {
        let number = |label: i64| entry(key, label).and_then(Value::as_integer).map(i128::from);
        let part = |label: i64| entry(key, label).and_then(Value::as_bytes);
        match (number(1)?, number(3)?) {
            (2, -7) if number(-1) == Some(1) => {
                let (x, y) = (part(-2)?, part(-3)?);
                let point: Vec<u8> = std::iter::once(4).chain(x.iter().copied()).chain(y.iter().copied()).collect();
                (x.len() == 32 && y.len() == 32).then(|| Self::Es256(URL_SAFE_NO_PAD.encode(point)))
            }
            (3, -257) => {
                let (n, e) = (part(-1)?, part(-2)?);
                let sized = (256..=1024).contains(&n.len()) && (1..=8).contains(&e.len());
                sized.then(|| Self::Rs256(URL_SAFE_NO_PAD.encode(n), URL_SAFE_NO_PAD.encode(e)))
            }
            _ => None,
        }
    }

    fn verify(&self, signed: &[u8], signature: &[u8]) -> Result<(), &'static str> {
        let verified = match self {
            Self::Es256(point) => UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, bytes(point)?).verify(signed, signature),
            Self::Rs256(n, e) => {
                RsaPublicKeyComponents { n: bytes(n)?, e: bytes(e)? }.verify(&RSA_PKCS1_2048_8192_SHA256, signed, signature)
            }
        };
        verified.map_err(|_| "signature")
    }
}

fn bytes(text: &str) -> Result<Vec<u8>, &'static str> {
    if text.len() > LONGEST {
        return Err("size");
    }
    URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).map_err(|_| "base64")
}

fn member<'v>(object: &'v Value, name: &str) -> Option<&'v Value> {
    object.as_map()?.iter().find(|(key, _)| key.as_text() == Some(name)).map(|(_, value)| value)
}

fn entry(object: &Value, label: i64) -> Option<&Value> {
    let same = |key: &Value| key.as_integer().map(i128::from) == Some(i128::from(label));
    object.as_map()?.iter().find(|(key, _)| same(key)).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_of_an_origin_has_no_port() {
        assert_eq!(RelyingParty::at("https://localhost:8443").id, "localhost");
        assert_eq!(RelyingParty::at("https://fhir.example").id, "fhir.example");
    }

    proptest::proptest! {
        #[test]
        fn whatever_comes_is_refused_and_nothing_breaks(data in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..300)) {
            let party = RelyingParty::at("https://a.example");
            let text = URL_SAFE_NO_PAD.encode(&data);
            let client = URL_SAFE_NO_PAD.encode(r#"{"type":"webauthn.create","challenge":"c","origin":"https://a.example"}"#);
            let made = Made { client_data: &client, attestation: &text };
            proptest::prop_assert!(party.made(&made, "c", "", 0).is_err());
            let mut object = Vec::new();
            let map = vec![(Value::Text("authData".to_owned()), Value::Bytes(data))];
            ciborium::into_writer(&Value::Map(map), &mut object).unwrap();
            let text = URL_SAFE_NO_PAD.encode(object);
            let made = Made { client_data: &client, attestation: &text };
            proptest::prop_assert!(party.made(&made, "c", "", 0).is_err());
        }
    }
}
