//! An issuer of access tokens, ready to verify what it signed.

use super::claims::Claims;
use super::jws::{Header, Jws};
use super::key_cache::{Freshness, KeyCache, KeysFault, PublishedKeys};
use super::settings::{IssuerFault, IssuerSettings, KeysAt};
use crate::fhir::Instant;
use std::sync::Arc;

/// Claims that an access token has no use for, and that tell another kind of token: `id_token` (OpenID Connect Core § 2, § 3.3.2.11),
/// logout and security event tokens (RFC 8417).
const FOREIGN_CLAIMS: [&str; 6] = ["nonce", "at_hash", "c_hash", "s_hash", "events", "sub_jwk"];

/// An issuer.
#[derive(Debug)]
pub struct Issuer {
    /// How it is configured.
    pub settings: IssuerSettings,
    /// Its public keys.
    pub keys: KeyCache,
    /// Is it this gateway? Then every client of it is registered here.
    pub own: bool,
}

/// Why the issuers cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IssuersFault {
    /// A setting is wrong.
    #[error(transparent)]
    Setting(#[from] IssuerFault),
    /// The keys cannot be.
    #[error("issuer `{0}`: {1}")]
    Keys(String, KeysFault),
    /// Two have the same name.
    #[error("issuer `{0}` is configured twice")]
    Twice(String),
}

/// All issuers that are believed.
#[derive(Debug, Default)]
pub struct Issuers(Vec<Arc<Issuer>>);

impl Issuers {
    /// Nobody yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a configured issuer.
    ///
    /// # Errors
    /// [`IssuersFault`] for settings out of bounds, an address that may not be fetched, or a second issuer of the same name.
    pub fn with(self, settings: IssuerSettings) -> Result<Self, IssuersFault> {
        let keys =
            KeyCache::new(&settings.keys, Freshness::ISSUER).map_err(|e| IssuersFault::Keys(settings.issuer.clone(), e))?;
        self.adding(settings, keys, false)
    }

    /// Adds the gateway itself, under the name that its tokens carry. Its settings' `keys` are not used.
    ///
    /// # Errors
    /// As [`Issuers::with`].
    pub fn with_own(self, issuer: &str, audience: Vec<String>, keys: Arc<PublishedKeys>) -> Result<Self, IssuersFault> {
        let usual = IssuerSettings::new(issuer, audience, KeysAt::Inline(String::new()));
        // Every client of the gateway itself is registered, and its registration says whether it may.
        let settings = IssuerSettings { update_as_create: false, ..usual };
        self.adding(settings, KeyCache::published(keys), true)
    }

    fn adding(mut self, settings: IssuerSettings, keys: KeyCache, own: bool) -> Result<Self, IssuersFault> {
        let settings = settings.checked()?;
        if self.named(&settings.issuer).is_some() {
            return Err(IssuersFault::Twice(settings.issuer));
        }
        self.0.push(Arc::new(Issuer { settings, keys, own }));
        Ok(self)
    }

    /// The issuer of exactly this name.
    pub fn named(&self, issuer: &str) -> Option<&Arc<Issuer>> {
        self.0.iter().find(|known| known.settings.issuer == issuer)
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Issuer>> {
        self.0.iter()
    }
}

impl Issuer {
    /// Verifies an access token of this issuer: algorithm, kind, key, signature, audience, times. Gives the moment at which it ends.
    ///
    /// # Errors
    /// One word on what is wrong.
    pub async fn verify(&self, jws: &Jws<'_>, claims: &Claims, now: Instant) -> Result<Instant, &'static str> {
        if !self.settings.algorithms.contains(&jws.header.algorithm) {
            return Err("algorithm");
        }
        self.is_access_token(&jws.header, claims)?;
        self.points_home(&jws.header)?;
        let keys = self.keys.knowing(&jws.header, now).await.map_err(|_| "keys")?;
        keys.verify(jws)?;
        if claims.required("iss", "issuer")? != self.settings.issuer {
            return Err("issuer");
        }
        claims.is_for(&self.settings.audience)?;
        claims.in_force(now, self.settings.leeway)
    }

    /// An `id_token`, an assertion or a refresh token is not an access token, whoever signed it.
    fn is_access_token(&self, header: &Header, claims: &Claims) -> Result<(), &'static str> {
        if header.media_type.as_ref().is_some_and(|media_type| !self.settings.media_types.contains(media_type)) {
            return Err("kind");
        }
        if FOREIGN_CLAIMS.iter().any(|name| claims.get(name).is_some()) {
            return Err("kind");
        }
        // Some issuers write the kind as a claim.
        let told = |name: &str, kinds: &[&str]| {
            claims
                .text(name, "kind")
                .map(|kind| kind.is_none_or(|kind| kinds.iter().any(|known| kind.eq_ignore_ascii_case(known))))
        };
        let access = told("typ", &["bearer", "jwt", "at+jwt", "access"])? && told("token_use", &["access"])?;
        access.then_some(()).ok_or("kind")
    }

    /// `jku` may repeat the configured address. It is never followed.
    fn points_home(&self, header: &Header) -> Result<(), &'static str> {
        match (&header.key_url, &self.settings.keys) {
            (None, _) => Ok(()),
            (Some(told), KeysAt::Address { url, .. }) if told == url => Ok(()),
            _ => Err("header"),
        }
    }
}
