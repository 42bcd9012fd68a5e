//! From an `Authorization` header to a caller.

use super::bearer::{self, Scheme};
use super::caller;
use super::certificate::PeerCertificate;
use super::claims::Claims;
use super::issuer::{Issuer, Issuers};
use super::jws::Jws;
use super::proof::{Nonces, Proof, Proving};
use super::registration::{Registration, Registrations, Unkept};
use crate::access::Caller;
use crate::fhir::json::Kind;
use crate::fhir::{Instant, Refusal};
use aws_lc_rs::digest::{SHA256, digest};
use quick_cache::sync::Cache;
use std::sync::Arc;

/// How many verified tokens are remembered.
const REMEMBERED: usize = 10_000;

type Hash = [u8; 32];

/// Verifies access tokens. Verified ones are remembered by their hash, never by their text, until they end, their client changes,
/// or the keys of their issuer do.
pub struct Authenticator {
    issuers: Issuers,
    registrations: Arc<dyn Registrations>,
    verified: Cache<Hash, Arc<Verified>>,
    nonces: Nonces,
}

struct Verified {
    caller: Arc<Caller>,
    issuer: Arc<Issuer>,
    /// Of the issuer's keys and of the registrations, from before the token was verified.
    generations: (u64, u64),
    /// The thumbprint of the certificate that must come with the token.
    certificate: Option<String>,
    /// The thumbprint of the key whose proof must come with the token.
    key: Option<String>,
    /// What may be revoked while the token lives: itself, and what a person allowed. Empty for tokens of other issuers.
    revocable: Vec<String>,
}

impl Authenticator {
    /// Believes these issuers about these clients.
    pub fn new(issuers: Issuers, registrations: Arc<dyn Registrations>) -> Self {
        Self { issuers, registrations, verified: Cache::new(REMEMBERED), nonces: Nonces::new(&[], false) }
    }

    /// Takes proofs of possession that carry these nonces.
    #[must_use]
    pub fn with_nonces(self, nonces: Nonces) -> Self {
        Self { nonces, ..self }
    }

    /// The nonce that the next proof may carry.
    pub fn nonce(&self, now: Instant) -> String {
        self.nonces.offered(now)
    }

    /// The issuers that are believed.
    pub fn issuers(&self) -> &Issuers {
        &self.issuers
    }

    /// The caller of a token that was verified before and still holds, without waiting for anything. `None` says nothing: ask
    /// [`Authenticator::authenticate`].
    pub fn cached(&self, authorization: Option<&str>, peer: Option<&PeerCertificate>, now: Instant) -> Option<Arc<Caller>> {
        let token = bearer::token(authorization).ok()?;
        let verified = self.remembered(&hash(token), now).filter(|verified| verified.key.is_none())?;
        verified.for_peer(peer).ok()
    }

    /// Who calls.
    ///
    /// # Errors
    /// [`Refusal::TokenMissing`], or [`Refusal::TokenInvalid`] with one word for the trail.
    pub async fn authenticate(
        &self,
        authorization: Option<&str>,
        peer: Option<&PeerCertificate>,
        now: Instant,
    ) -> Result<Arc<Caller>, Refusal> {
        self.authenticate_holder(authorization, peer, &Proving::default(), now).await
    }

    /// Who calls, and shows with a proof that the token is theirs when it is bound to a key (RFC 9449 § 7).
    ///
    /// # Errors
    /// As [`Authenticator::authenticate`], and [`Refusal::ProofRefused`] with one word for the trail.
    pub async fn authenticate_holder(
        &self,
        authorization: Option<&str>,
        peer: Option<&PeerCertificate>,
        proving: &Proving<'_>,
        now: Instant,
    ) -> Result<Arc<Caller>, Refusal> {
        let (scheme, token) = bearer::presented(authorization)?;
        let hash = hash(token);
        let verified = match self.remembered(&hash, now) {
            Some(verified) => verified,
            None => self.verify(token, hash, now).await.map_err(refusal)?,
        };
        let caller = verified.for_peer(peer).map_err(Refusal::TokenInvalid)?;
        match (&verified.key, scheme) {
            (None, Scheme::Bearer) => Ok(caller),
            (Some(_), Scheme::Bearer) => Err(Refusal::ProofRefused("scheme")),
            (None, Scheme::Bound) => Err(Refusal::ProofRefused("unbound")),
            (Some(key), Scheme::Bound) => self.proved(key, &hash, proving, now).await.map(|()| caller),
        }
    }

    /// Looks at the proof of a request, and uses it up: the same one counts once, on every node.
    async fn proved(&self, key: &str, hash: &Hash, proving: &Proving<'_>, now: Instant) -> Result<(), Refusal> {
        let proof = Proof::read(proving, &self.nonces, now).map_err(Refusal::ProofRefused)?;
        if proof.key != key {
            return Err(Refusal::ProofRefused("key"));
        }
        if !proof.goes_with(hash) {
            return Err(Refusal::ProofRefused("token"));
        }
        match self.registrations.use_once(&proof.holder(), &proof.id, proof.until, now).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(Refusal::ProofRefused("replayed")),
            Err(Unkept) => Err(Refusal::StoreUnavailable),
        }
    }

    /// Whom an access token stands for, when it would be accepted from its holder now. For telling others about it: whoever holds it still
    /// has to show the certificate that it is bound to.
    pub async fn examine(&self, token: &str, now: Instant) -> Option<Arc<Caller>> {
        let header = format!("Bearer {token}");
        let (_, token) = bearer::presented(Some(&header)).ok()?;
        let hash = hash(token);
        let verified = match self.remembered(&hash, now) {
            Some(verified) => verified,
            None => self.verify(token, hash, now).await.ok()?,
        };
        Some(Arc::clone(&verified.caller))
    }

    /// Whether a caller may name new records itself: its client is registered so, or all clients of its issuer may.
    pub fn may_choose_ids(&self, caller: &Caller) -> bool {
        let registered = self.registrations.find(&caller.issuer, &caller.client);
        registered.is_some_and(|registration| registration.may_choose_ids)
            || self.issuers.named(&caller.issuer).is_some_and(|issuer| issuer.settings.update_as_create)
    }

    fn remembered(&self, hash: &Hash, now: Instant) -> Option<Arc<Verified>> {
        let verified = self.verified.get(hash)?;
        if verified.issuer.keys.is_due(now) {
            return None;
        }
        let leeway = i64::from(verified.issuer.settings.leeway);
        let current = verified.generations == self.generations(&verified.issuer);
        let revoked = verified.revocable.iter().any(|name| self.registrations.is_revoked(name));
        (current && !revoked && now < verified.caller.expires.plus_seconds(leeway)).then_some(verified)
    }

    fn generations(&self, issuer: &Issuer) -> (u64, u64) {
        (issuer.keys.generation(), self.registrations.generation())
    }

    async fn verify(&self, token: &str, hash: Hash, now: Instant) -> Result<Arc<Verified>, &'static str> {
        let jws = Jws::parse(token)?;
        let claims = Claims::parse(&jws.payload)?;
        let issuer = Arc::clone(self.issuers.named(&claims.required("iss", "issuer")?).ok_or("issuer")?);
        // Bring the keys up to date first: what was remembered may hold on.
        issuer.keys.current(now).await.map_err(|_| "keys")?;
        if let Some(verified) = self.remembered(&hash, now) {
            return Ok(verified);
        }
        let keys_before = issuer.keys.generation();
        let expires = issuer.verify(&jws, &claims, now).await?;
        let client = caller::client(&claims)?;
        let emergency = caller::emergency(&claims, &issuer)?;
        let registrar = emergency.as_ref().map_or(issuer.settings.issuer.as_str(), |(_, registrar)| registrar);
        let (registration, registered_before) = self.registration(registrar, &client, issuer.own, now).await?;
        let (certificate, key) = binding(&claims, registration.as_deref())?;
        let bound = (certificate.clone(), key.clone());
        let caller = caller::caller(&claims, &issuer, registration.as_deref(), expires, bound)?;
        let mut revocable: Vec<String> = caller::authorization(&claims, &issuer)?.into_iter().collect();
        revocable.extend(caller.token_id.clone().filter(|_| issuer.own));
        if revocable.iter().any(|name| self.registrations.is_revoked(name)) {
            return Err("revoked");
        }
        let generations = (keys_before, registered_before);
        let verified = Arc::new(Verified { caller: Arc::new(caller), issuer, generations, certificate, key, revocable });
        self.verified.insert(hash, Arc::clone(&verified));
        Ok(verified)
    }

    /// The client's registration, and the generation that it was read in. One that holds a token of this gateway itself must have one.
    async fn registration(
        &self,
        registrar: &str,
        client: &str,
        needed: bool,
        now: Instant,
    ) -> Result<(Option<Arc<Registration>>, u64), &'static str> {
        let look = || (self.registrations.generation(), self.registrations.find(registrar, client));
        let (mut generation, mut found) = look();
        if found.is_none() && needed {
            self.registrations.look_again(client, now).await;
            (generation, found) = look();
            if found.is_none() {
                return Err("client");
            }
        }
        if found.as_ref().is_some_and(|registration| registration.disabled) {
            return Err("client-disabled");
        }
        Ok((found, generation))
    }
}

impl Verified {
    /// The caller, when the certificate that the token or its client is bound to is the one that came.
    fn for_peer(&self, peer: Option<&PeerCertificate>) -> Result<Arc<Caller>, &'static str> {
        match (&self.certificate, peer) {
            (None, _) => Ok(Arc::clone(&self.caller)),
            (Some(bound), Some(peer)) if *bound == peer.thumbprint => Ok(Arc::clone(&self.caller)),
            _ => Err("certificate"),
        }
    }
}

/// A token that is sound but states a purpose that it must not is no bad token: its holder is refused, not sent for another (`consent` § 8).
fn refusal(why: &'static str) -> Refusal {
    match why {
        caller::UNKNOWN_PURPOSE => Refusal::PurposeRefused("unknown"),
        caller::NOT_REGISTERED => Refusal::PurposeRefused("not-registered"),
        why => Refusal::TokenInvalid(why),
    }
}

fn hash(token: &str) -> Hash {
    let mut hash = Hash::default();
    for (into, from) in hash.iter_mut().zip(digest(&SHA256, token.as_bytes()).as_ref()) {
        *into = *from;
    }
    hash
}

/// The certificate that the token (`cnf`, RFC 8705 § 3.1) or the registration asks for, and the key whose proof the token asks for
/// (`jkt`, RFC 9449 § 6). A token that is bound in a way that is not verified here is refused, not taken as a bearer token.
fn binding(claims: &Claims, registration: Option<&Registration>) -> Result<(Option<String>, Option<String>), &'static str> {
    let registered = registration.and_then(|registration| registration.certificate.clone());
    let Some(confirmation) = claims.get("cnf") else { return Ok((registered, None)) };
    let known = |name: &str| matches!(name, "x5t#S256" | "jkt");
    if confirmation.kind() != Kind::Object || !confirmation.members().all(|(name, _)| known(&name)) {
        return Err("binding");
    }
    let text = |name: &str| match confirmation.get(name) {
        None => Ok(None),
        Some(value) => value.as_str().filter(|text| !text.is_empty()).map(|text| Some(text.into_owned())).ok_or("binding"),
    };
    let (certificate, key) = (text("x5t#S256")?, text("jkt")?);
    if certificate.is_none() && key.is_none() {
        return Err("binding");
    }
    match (registered, certificate) {
        (Some(registered), Some(told)) if registered != told => Err("certificate"),
        (registered, told) => Ok((told.or(registered), key)),
    }
}

#[cfg(test)]
#[path = "authenticator_tests.rs"]
mod tests;
