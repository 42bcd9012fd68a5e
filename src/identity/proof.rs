//! Proof of possession (DPoP, RFC 9449): a token is of use only to who has the key that it is bound to.

use super::algorithm::Algorithm;
use super::certificate::thumbprint;
use super::claims::Claims;
use super::jws::Jws;
use super::key_set::KeySet;
use crate::fhir::Instant;
use aws_lc_rs::{constant_time, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// What a proof may be signed with.
pub const PROOF_ALGORITHMS: [Algorithm; 6] =
    [Algorithm::ES256, Algorithm::ES384, Algorithm::PS256, Algorithm::PS384, Algorithm::RS256, Algorithm::RS384];

/// How old a proof may be, in seconds.
const OLDEST: i64 = 60;

/// How far ahead its clock may be, in seconds.
const AHEAD: i64 = 30;

/// The longest `jti`, in bytes.
const LONGEST_ID: usize = 256;

/// Seconds in which the same nonce is offered; it is taken for as long again.
const NONCE_SECONDS: i64 = 150;

/// What came with a request, and what the request is.
#[derive(Debug, Clone, Copy, Default)]
pub struct Proving<'p> {
    /// The header `DPoP`.
    pub proof: Option<&'p str>,
    /// The method of the request.
    pub method: &'p str,
    /// The URL of the request as the world sees it, without query.
    pub url: &'p str,
}

/// A proof that verifies, and belongs to this request. It still has to be used up: [`Proof::id`] counts once until [`Proof::until`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// The thumbprint of the key (RFC 7638): `jkt`.
    pub key: String,
    /// `jti`
    pub id: String,
    /// Until when it could be taken again.
    pub until: Instant,
    /// `ath`: the hash of the token that it goes with.
    pub token: Option<String>,
}

/// The names that servers give proofs to carry, so that none can be made in advance (RFC 9449 § 8). They follow from a key and the time:
/// every node of a store knows them.
#[derive(Debug, Clone)]
pub struct Nonces {
    key: hmac::Key,
    required: bool,
}

impl Nonces {
    /// With the key of the store; `required` says whether a proof without one is refused.
    pub fn new(key: &[u8], required: bool) -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, key), required }
    }

    /// The one that is offered now.
    pub fn offered(&self, now: Instant) -> String {
        self.of(now.seconds().div_euclid(NONCE_SECONDS))
    }

    fn of(&self, slot: i64) -> String {
        URL_SAFE_NO_PAD.encode(hmac::sign(&self.key, format!("nonce {slot}").as_bytes()))
    }

    /// Is this one that was offered lately? None at all will do where none is required.
    fn take(&self, told: Option<&str>, now: Instant) -> bool {
        let Some(told) = told else { return !self.required };
        let slot = now.seconds().div_euclid(NONCE_SECONDS);
        let same = |slot: i64| constant_time::verify_slices_are_equal(self.of(slot).as_bytes(), told.as_bytes()).is_ok();
        same(slot) || same(slot - 1)
    }
}

impl Proof {
    /// Reads the proof of a request (RFC 9449 § 4.3).
    ///
    /// # Errors
    /// One word on what is wrong; `nonce` when another nonce is needed.
    pub fn read(proving: &Proving<'_>, nonces: &Nonces, now: Instant) -> Result<Self, &'static str> {
        let (mut jws, jwk) = Jws::carrying_key(proving.proof.ok_or("missing")?)?;
        if jws.header.media_type.as_deref() != Some("dpop+jwt") {
            return Err("type");
        }
        if !PROOF_ALGORITHMS.contains(&jws.header.algorithm) {
            return Err("algorithm");
        }
        let (keys, key) = KeySet::of_one(&jwk)?;
        // The key is the one in the header, whatever it is called there.
        jws.header.key_id = None;
        keys.verify(&jws)?;
        let claims = Claims::parse(&jws.payload)?;
        if claims.required("htm", "method")? != proving.method {
            return Err("method");
        }
        if !same_place(&claims.required("htu", "url")?, proving.url) {
            return Err("url");
        }
        let issued = claims.moment("iat", "time")?.ok_or("time")?;
        if issued > now.plus_seconds(AHEAD) || issued < now.plus_seconds(-OLDEST) {
            return Err("time");
        }
        let id = claims.required("jti", "jti")?.into_owned();
        if id.len() > LONGEST_ID {
            return Err("jti");
        }
        let token = claims.text("ath", "token")?.map(std::borrow::Cow::into_owned);
        if !nonces.take(claims.text("nonce", "nonce")?.as_deref(), now) {
            return Err("nonce");
        }
        Ok(Self { key, id, until: issued.plus_seconds(OLDEST + 1), token })
    }

    /// Does it go with a token of this hash?
    pub(super) fn goes_with(&self, hash: &[u8]) -> bool {
        self.token.as_deref() == Some(URL_SAFE_NO_PAD.encode(hash).as_str())
    }

    /// Whose `jti` it is: each key has its own.
    pub fn holder(&self) -> String {
        format!("dpop {}", self.key)
    }
}

/// The hash of a token as `ath` has it (RFC 9449 § 4.2).
pub fn token_hash(token: &str) -> String {
    thumbprint(token.as_bytes())
}

/// The same URL after what RFC 3986 § 6.2.2 and § 6.2.3 call the same: letter case of scheme and host, the usual port, no path. What
/// follows the path of `htu` does not count (RFC 9449 § 4.3).
fn same_place(told: &str, ours: &str) -> bool {
    plain(told).is_some_and(|told| plain(ours) == Some(told))
}

fn plain(url: &str) -> Option<(String, &str)> {
    let (scheme, rest) = url.split_once("://")?;
    let rest = rest.split(['?', '#']).next()?;
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let (scheme, host) = (scheme.to_ascii_lowercase(), host.to_ascii_lowercase());
    let usual = if scheme == "https" { ":443" } else { ":80" };
    let host = host.strip_suffix(usual).unwrap_or(&host);
    Some((format!("{scheme}://{host}"), path.strip_suffix('/').unwrap_or(path)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_place_has_many_spellings_and_a_query_is_none_of_it() {
        let ours = "https://fhir.example/r4/Patient/p1";
        for same in [ours, "HTTPS://FHIR.example:443/r4/Patient/p1", "https://fhir.example/r4/Patient/p1?_count=1#x"] {
            assert!(same_place(same, ours), "{same}");
        }
        for other in [
            "https://fhir.example/r4/patient/p1",
            "http://fhir.example/r4/Patient/p1",
            "https://fhir.example:8443/r4/Patient/p1",
            "https://evil.example/r4/Patient/p1",
            "fhir.example/r4/Patient/p1",
            "",
        ] {
            assert!(!same_place(other, ours), "{other}");
        }
    }

    #[test]
    fn a_nonce_is_taken_while_it_is_offered_and_a_while_after() {
        let (nonces, now) = (Nonces::new(b"key", true), Instant(1_800_000_000_000));
        let offered = nonces.offered(now);
        assert!(nonces.take(Some(&offered), now) && nonces.take(Some(&offered), now.plus_seconds(NONCE_SECONDS)));
        assert!(!nonces.take(Some(&offered), now.plus_seconds(2 * NONCE_SECONDS)));
        assert!(!nonces.take(None, now) && Nonces::new(b"key", false).take(None, now));
        assert!(!Nonces::new(b"other", false).take(Some(&offered), now));
    }
}
