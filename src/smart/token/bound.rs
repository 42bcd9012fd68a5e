//! What an access token is bound to: the key that the client proves to have (RFC 9449 § 5), the certificate that it connects with
//! (RFC 8705 § 3), or nothing where its profile allows that.

use super::denied::Denied;
use super::{TokenEndpoint, TokenRequest};
use crate::fhir::Instant;
use crate::identity::{Proof, Proving};
use crate::smart::client::Client;

/// What a token will be bound to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Bound {
    /// SHA-256 of the certificate, base64url.
    pub(super) certificate: Option<String>,
    /// The thumbprint of the key.
    pub(super) key: Option<String>,
}

impl Bound {
    /// `token_type`
    pub(super) const fn token_type(&self) -> &'static str {
        if self.key.is_some() { "DPoP" } else { "Bearer" }
    }
}

impl TokenEndpoint {
    /// What the tokens of this request are bound to. A proof is used up.
    pub(super) async fn bound(&self, client: &Client, request: &TokenRequest<'_>, now: Instant) -> Result<Bound, Denied> {
        let key = self.proven_key(request, now).await?;
        let shown = client.shows_certificate || client.tls.is_some() || client.profile.binds();
        let peer = request.peer.filter(|_| shown).map(|peer| peer.thumbprint.clone());
        let bound = Bound { certificate: client.certificate.clone().or(peer), key };
        let unbound = bound.key.is_none() && bound.certificate.is_none();
        if bound.key.is_none() && (client.proves_keys || (client.profile.binds() && unbound)) {
            return Err(Denied::proof("missing"));
        }
        if client.shows_certificate && bound.certificate.is_none() {
            return Err(Denied::unknown_client("certificate"));
        }
        Ok(bound)
    }

    /// The thumbprint of the key that the request proves to be the client's.
    pub(super) async fn proven_key(&self, request: &TokenRequest<'_>, now: Instant) -> Result<Option<String>, Denied> {
        if request.proof.is_none() {
            return Ok(None);
        }
        let url = if request.at.is_empty() { &self.rules.token_url } else { request.at };
        let proving = Proving { proof: request.proof, method: "POST", url };
        let proof = Proof::read(&proving, &self.nonces, now).map_err(Denied::proof)?;
        if !self.registry.store().remember_jti(&proof.holder(), &proof.id, proof.until, now).await? {
            return Err(Denied::proof("replayed"));
        }
        Ok(Some(proof.key))
    }
}
