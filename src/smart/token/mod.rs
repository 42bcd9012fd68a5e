//! The token endpoint (RFC 6749 § 3.2), as a function from a request to an answer: `authorization_code`, `refresh_token`, and
//! `client_credentials` (SMART Backend Services). Beside it, introspection (RFC 7662) and revocation (RFC 7009).

mod assertion;
mod b2b;
mod backend;
mod bound;
mod client_auth;
mod code;
mod denied;
mod form;
mod give;
mod introspect;
mod push;
mod refresh;
mod revoke;

pub use assertion::{ASSERTION_TYPE, AssertionRules, LONGEST_ASSERTION};
pub use push::{PUSHED_PREFIX, Pushed};

use super::key_ring::KeyRing;
use super::registry::Registry;
use super::state::State;
use super::store::ClientStoreError;
use crate::fhir::{Instant, Key, Outcome};
use crate::identity::{Nonces, PeerCertificate, Registrations as _};
use assertion::claimed_client;
use denied::Denied;
use form::Form;
use std::sync::Arc;

/// The endpoint and what it needs.
pub struct TokenEndpoint {
    /// The clients.
    pub registry: Arc<Registry>,
    /// The gateway's keys.
    pub keys: Arc<KeyRing>,
    /// How assertions are judged.
    pub rules: AssertionRules,
    /// `iss` of the tokens.
    pub issuer: String,
    /// `aud` of the tokens: the FHIR base.
    pub audience: String,
    /// Codes, authorizations, sessions.
    pub state: State,
    /// Derives each refresh token from the one before; the same for every node.
    pub refresh_key: Vec<u8>,
    /// What proofs of possession may carry.
    pub nonces: Nonces,
    /// Whether people sign in, without whom there is no code to exchange.
    pub people: bool,
}

/// A `POST` to the endpoint.
#[derive(Debug, Clone, Copy, Default)]
pub struct TokenRequest<'r> {
    /// `Content-Type`
    pub content_type: Option<&'r str>,
    /// `Authorization`
    pub authorization: Option<&'r str>,
    /// The raw query, without `?`.
    pub query: &'r str,
    /// The raw form.
    pub body: &'r str,
    /// The certificate that came.
    pub peer: Option<&'r PeerCertificate>,
    /// The header `DPoP`.
    pub proof: Option<&'r str>,
    /// The URL of the endpoint, as the world sees it.
    pub at: &'r str,
}

/// What is answered. Nothing of it may be sent before the trail has the facts.
#[derive(Clone)]
pub struct TokenAnswer {
    /// HTTP status.
    pub status: u16,
    /// Headers.
    pub headers: Vec<(&'static str, &'static str)>,
    /// JSON.
    pub body: String,
    /// For the trail.
    pub facts: TokenFacts,
}

/// What the trail says about it. No secret, and no token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenFacts {
    /// `grant_type`, or what else was asked: `introspection`, `revocation`.
    pub asked: String,
    /// The client: proved when the outcome is success, else only claimed.
    pub client: Option<String>,
    /// The user for whom a token was issued: `sub` and `fhirUser`.
    pub user: Option<(String, Option<Key>)>,
    /// The purposes of the token.
    pub purposes: Vec<String>,
    /// How it went.
    pub outcome: Outcome,
    /// A machine code, such as `token:issued`, `assertion:replayed`, `grant:scope`.
    pub reason: String,
    /// What was granted, or else asked.
    pub scope: Option<String>,
    /// `jti` of the token that was issued.
    pub token_id: Option<String>,
    /// `jti` of the assertion that was used.
    pub assertion_id: Option<String>,
    /// When the token ends.
    pub expires: Option<Instant>,
}

impl TokenFacts {
    pub(super) fn of(asked: &str) -> Self {
        Self {
            asked: asked.to_owned(),
            client: None,
            user: None,
            purposes: Vec::new(),
            outcome: Outcome::Success,
            reason: String::new(),
            scope: None,
            token_id: None,
            assertion_id: None,
            expires: None,
        }
    }

    /// What a request claims of itself.
    fn claimed(asked: &str, form: &Form) -> Self {
        let claimed = form.get("client_assertion").and_then(claimed_client);
        let client = claimed.or_else(|| form.get("client_id").map(str::to_owned));
        Self { client, scope: form.get("scope").map(str::to_owned), ..Self::of(asked) }
    }
}

impl TokenEndpoint {
    /// Answers a request. Never fails: every failure is an answer.
    pub async fn answer(&self, request: &TokenRequest<'_>, now: Instant) -> TokenAnswer {
        let form = match Form::read(request) {
            Ok(form) => form,
            Err(denied) => return denied.answer(TokenFacts::of("token")),
        };
        let asked = form.get("grant_type").unwrap_or("token");
        match self.grant(request, &form, now).await {
            Ok(answer) => answer,
            Err(denied) => denied.answer(TokenFacts::claimed(asked, &form)),
        }
    }

    async fn grant(&self, request: &TokenRequest<'_>, form: &Form, now: Instant) -> Result<TokenAnswer, Denied> {
        match form.get("grant_type") {
            None => Err(Denied::request("grant-type", "The parameter `grant_type` is missing.")),
            Some(backend::GRANT) => self.backend(request, form, now).await,
            Some(code::GRANT) if self.people => self.code(request, form, now).await,
            Some(refresh::GRANT) if self.people => self.refresh(request, form, now).await,
            Some(_) => {
                let text = "See `grant_types_supported` in the SMART configuration for what this endpoint grants.";
                let reason = "request:grant-type".to_owned();
                Err(Denied { status: 400, error: "unsupported_grant_type", text: text.into(), reason, basic: false })
            }
        }
    }

    /// A client that was added a moment ago must be known where its token will be looked at.
    async fn known(&self, client: &str) -> Result<(), Denied> {
        if self.registry.find(&self.issuer, client).is_some() {
            return Ok(());
        }
        self.registry.refresh().await.map_err(|_| Denied::away("store"))
    }

    /// Ends what a person allowed an app: its refresh tokens and access tokens count no more. False when there was nothing left to end.
    ///
    /// # Errors
    /// [`ClientStoreError`]
    pub async fn end(&self, authorization: &str, why: &str, now: Instant) -> Result<bool, ClientStoreError> {
        self.registry.revocations().revoke(&self.state, authorization, why, now).await?;
        self.state.remove(super::state::Kind::Authorization, authorization).await
    }
}

/// RFC 6749 § 5.1 and § 5.2.
pub(super) fn headers(challenge: bool) -> Vec<(&'static str, &'static str)> {
    let mut headers = vec![("Content-Type", "application/json"), ("Cache-Control", "no-store"), ("Pragma", "no-cache")];
    if challenge {
        headers.push(("WWW-Authenticate", "Basic realm=\"token\""));
    }
    headers
}

#[cfg(test)]
mod tests;
