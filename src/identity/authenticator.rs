//! From an `Authorization` header to a caller.

use super::bearer;
use super::caller;
use super::certificate::PeerCertificate;
use super::claims::Claims;
use super::issuer::{Issuer, Issuers};
use super::jws::Jws;
use super::registration::{Registration, Registrations};
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
}

struct Verified {
    caller: Arc<Caller>,
    issuer: Arc<Issuer>,
    /// Of the issuer's keys and of the registrations, from before the token was verified.
    generations: (u64, u64),
    /// The thumbprint of the certificate that must come with the token.
    certificate: Option<String>,
    /// What may be revoked while the token lives: itself, and what a person allowed. Empty for tokens of other issuers.
    revocable: Vec<String>,
}

impl Authenticator {
    /// Believes these issuers about these clients.
    pub fn new(issuers: Issuers, registrations: Arc<dyn Registrations>) -> Self {
        Self { issuers, registrations, verified: Cache::new(REMEMBERED) }
    }

    /// The issuers that are believed.
    pub fn issuers(&self) -> &Issuers {
        &self.issuers
    }

    /// The caller of a token that was verified before and still holds, without waiting for anything. `None` says nothing: ask
    /// [`Authenticator::authenticate`].
    pub fn cached(&self, authorization: Option<&str>, peer: Option<&PeerCertificate>, now: Instant) -> Option<Arc<Caller>> {
        let token = bearer::token(authorization).ok()?;
        self.remembered(&hash(token), now)?.for_peer(peer).ok()
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
        let token = bearer::token(authorization)?;
        let hash = hash(token);
        let verified = match self.remembered(&hash, now) {
            Some(verified) => verified,
            None => self.verify(token, hash, now).await.map_err(refusal)?,
        };
        verified.for_peer(peer).map_err(Refusal::TokenInvalid)
    }

    /// Whom an access token stands for, when it would be accepted from its holder now. For telling others about it: whoever holds it still
    /// has to show the certificate that it is bound to.
    pub async fn examine(&self, token: &str, now: Instant) -> Option<Arc<Caller>> {
        let header = format!("Bearer {token}");
        let token = bearer::token(Some(&header)).ok()?;
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
        let certificate = binding(&claims, registration.as_deref())?;
        let caller = caller::caller(&claims, &issuer, registration.as_deref(), expires, certificate.clone())?;
        let mut revocable: Vec<String> = caller::authorization(&claims, &issuer)?.into_iter().collect();
        revocable.extend(caller.token_id.clone().filter(|_| issuer.own));
        if revocable.iter().any(|name| self.registrations.is_revoked(name)) {
            return Err("revoked");
        }
        let generations = (keys_before, registered_before);
        let verified = Arc::new(Verified { caller: Arc::new(caller), issuer, generations, certificate, revocable });
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

/// The certificate that the token (`cnf`, RFC 8705 § 3.1) or the registration asks for. A token that is bound in a way that
/// is not verified here (a `DPoP` key, for example) is refused, not taken as a bearer token.
fn binding(claims: &Claims, registration: Option<&Registration>) -> Result<Option<String>, &'static str> {
    let registered = registration.and_then(|registration| registration.certificate.clone());
    let Some(confirmation) = claims.get("cnf") else { return Ok(registered) };
    if confirmation.kind() != Kind::Object || confirmation.members().any(|(name, _)| name != "x5t#S256") {
        return Err("binding");
    }
    let told = confirmation.text_at("x5t#S256").filter(|thumbprint| !thumbprint.is_empty()).ok_or("binding")?;
    match registered {
        Some(registered) if registered != told => Err("certificate"),
        _ => Ok(Some(told.into_owned())),
    }
}

#[cfg(test)]
#[path = "authenticator_tests.rs"]
mod tests;
