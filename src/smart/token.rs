//! The token endpoint (RFC 6749 § 3.2), as a function from a request to an answer. What is there so far: `client_credentials` with
//! `private_key_jwt` (SMART Backend Services).

use super::assertion::{ASSERTION_TYPE, AssertionRules, Proven, Unproven, claimed_client, prove};
use super::client::{Client, LONGEST_BACKEND_TOKEN};
use super::issue::{Grant, issue};
use super::key_ring::KeyRing;
use super::registry::Registry;
use crate::access::{Level, Scopes};
use crate::fhir::{Instant, Outcome, pairs};
use crate::identity::{PeerCertificate, Registrations as _};
use serde_json::json;
use std::sync::Arc;

/// The parameters of RFC 6749 and 7523 that must never stand in a URL.
const CREDENTIALS: [&str; 8] = [
    "client_assertion",
    "client_assertion_type",
    "client_secret",
    "client_id",
    "code",
    "refresh_token",
    "access_token",
    "code_verifier",
];

/// The one grant that is there.
const GRANT: &str = "client_credentials";

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
    /// The client: proved when the outcome is success, else only claimed.
    pub client: Option<String>,
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

/// An error of RFC 6749 § 5.2.
struct Denied {
    status: u16,
    error: &'static str,
    /// For the caller: what to do next.
    text: &'static str,
    reason: String,
    /// Did the client try the `Authorization` header?
    basic: bool,
}

impl Denied {
    fn request(reason: &str, text: &'static str) -> Self {
        Self { status: 400, error: "invalid_request", text, reason: format!("request:{reason}"), basic: false }
    }

    fn client(reason: &str) -> Self {
        let text = "The client could not be authenticated. Check the assertion: key, kid, aud (this URL), exp (at most 5 minutes), a fresh jti.";
        Self { status: 401, error: "invalid_client", text, reason: format!("assertion:{reason}"), basic: false }
    }

    fn scope(reason: &str, text: &'static str) -> Self {
        Self { status: 400, error: "invalid_scope", text, reason: format!("grant:{reason}"), basic: false }
    }

    fn away(reason: &str) -> Self {
        let text = "The request could not be completed. Nothing was issued; try again later.";
        Self { status: 503, error: "temporarily_unavailable", text, reason: reason.to_owned(), basic: false }
    }
}

/// The form, each parameter once (RFC 6749 § 3.2).
struct Form(Vec<(String, String)>);

impl Form {
    fn read(request: &TokenRequest<'_>) -> Result<Self, Denied> {
        let media_type = request.content_type.unwrap_or_default().split(';').next().unwrap_or_default().trim();
        if !media_type.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            return Err(Denied::request("media-type", "Send a form: `Content-Type: application/x-www-form-urlencoded`."));
        }
        let malformed = |_| Denied::request("form", "The form or the query is not valid percent-encoded UTF-8.");
        if pairs(request.query).map_err(malformed)?.iter().any(|(name, _)| CREDENTIALS.contains(&name.as_str())) {
            return Err(Denied::request("query", "Credentials belong in the form, never in the URL."));
        }
        let form = pairs(request.body).map_err(malformed)?;
        let mut names: Vec<_> = form.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        if names.windows(2).any(|two| matches!(two, [one, other] if one == other)) {
            return Err(Denied::request("repeated", "A parameter may stand in the form only once."));
        }
        Ok(Self(form))
    }

    /// A parameter without value counts as left out (RFC 6749 § 3.2).
    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }
}

impl TokenEndpoint {
    /// Answers a request. Never fails: every failure is an answer.
    pub async fn answer(&self, request: &TokenRequest<'_>, now: Instant) -> TokenAnswer {
        let form = match Form::read(request) {
            Ok(form) => form,
            Err(denied) => return refused(denied, None, None),
        };
        match self.grant(request, &form, now).await {
            Ok(answer) => answer,
            Err(denied) => {
                let claimed = form.get("client_assertion").and_then(claimed_client);
                let claimed = claimed.or_else(|| form.get("client_id").map(str::to_owned));
                refused(denied, claimed, form.get("scope").map(str::to_owned))
            }
        }
    }

    async fn grant(&self, request: &TokenRequest<'_>, form: &Form, now: Instant) -> Result<TokenAnswer, Denied> {
        match form.get("grant_type") {
            None => return Err(Denied::request("grant-type", "The parameter `grant_type` is missing.")),
            Some(GRANT) => {}
            Some(_) => {
                let text = "This endpoint grants `client_credentials` only.";
                let reason = "request:grant-type".to_owned();
                return Err(Denied { status: 400, error: "unsupported_grant_type", text, reason, basic: false });
            }
        }
        let proven = self.authenticated(request, form, now).await?;
        let scopes = granted(&proven.client, form.get("scope"))?;
        self.known(&proven.client.id).await?;
        self.issued(proven, &scopes, now)
    }

    /// Only an assertion proves a client; secrets and passwords are refused beside it as well (one method a client).
    async fn authenticated(&self, request: &TokenRequest<'_>, form: &Form, now: Instant) -> Result<Proven, Denied> {
        if request.authorization.is_some() {
            return Err(Denied { basic: true, ..Denied::client("method") });
        }
        if form.get("client_secret").is_some() {
            return Err(Denied::client("method"));
        }
        if form.get("client_assertion_type") != Some(ASSERTION_TYPE) {
            return Err(Denied::client("type"));
        }
        let assertion = form.get("client_assertion").ok_or_else(|| Denied::client("missing"))?;
        if form.get("client_id").is_some_and(|told| claimed_client(assertion).as_deref() != Some(told)) {
            return Err(Denied::client("client-id"));
        }
        prove(assertion, request.peer, &self.registry, &self.rules, now).await.map_err(|unproven| match unproven {
            Unproven::Refused(why) => Denied::client(why),
            Unproven::Store(fault) => {
                tracing::error!(%fault, "a client could not be authenticated");
                Denied::away("store")
            }
        })
    }

    /// A client that was added a moment ago must be known where its token will be looked at.
    async fn known(&self, client: &str) -> Result<(), Denied> {
        if self.registry.find(&self.issuer, client).is_some() {
            return Ok(());
        }
        self.registry.refresh().await.map_err(|_| Denied::away("store"))
    }

    fn issued(&self, proven: Proven, scopes: &Scopes, now: Instant) -> Result<TokenAnswer, Denied> {
        let Proven { client, assertion } = proven;
        let scope = scopes.to_text();
        let grant = Grant {
            issuer: self.issuer.clone(),
            audience: self.audience.clone(),
            client: client.id.clone(),
            scope: scope.clone(),
            lifetime: client.token_lifetime.clamp(1, LONGEST_BACKEND_TOKEN),
            organization: client.organization,
            purposes: client.purposes,
            certificate: client.certificate,
            ..Grant::default()
        };
        let issued = issue(&self.keys.signing(), &grant, now).map_err(|fault| {
            tracing::error!(%fault, "a token could not be signed");
            Denied::away("signing")
        })?;
        let body = json!({
            "access_token": issued.token, "token_type": "Bearer", "expires_in": grant.lifetime, "scope": scope,
        });
        let facts = TokenFacts {
            client: Some(client.id),
            outcome: Outcome::Success,
            reason: "token:issued".to_owned(),
            scope: Some(scope),
            token_id: Some(issued.id),
            assertion_id: Some(assertion),
            expires: Some(issued.expires),
        };
        Ok(TokenAnswer { status: 200, headers: headers(false), body: body.to_string(), facts })
    }
}

/// What was asked and is registered, `system/` only: nobody is there for `user/` or `patient/`, nor for a launch.
fn granted(client: &Client, asked: Option<&str>) -> Result<Scopes, Denied> {
    let asked = asked.filter(|asked| !asked.trim().is_empty());
    let asked = asked.ok_or_else(|| Denied::scope("scope-missing", "The parameter `scope` is missing."))?;
    let mut both = Scopes::parse(asked).intersect(&Scopes::parse(&client.scopes));
    both.grants.retain(|grant| grant.level == Level::System);
    both.contexts.clear();
    if both.grants.is_empty() {
        return Err(Denied::scope(
            "scope",
            "None of the scopes is registered for this client; ask for `system/` scopes that are.",
        ));
    }
    Ok(both)
}

/// RFC 6749 § 5.1 and § 5.2.
fn headers(challenge: bool) -> Vec<(&'static str, &'static str)> {
    let mut headers = vec![("Content-Type", "application/json"), ("Cache-Control", "no-store"), ("Pragma", "no-cache")];
    if challenge {
        headers.push(("WWW-Authenticate", "Basic realm=\"token\""));
    }
    headers
}

fn refused(denied: Denied, client: Option<String>, scope: Option<String>) -> TokenAnswer {
    let outcome = match denied.status {
        503 => Outcome::Major,
        401 => Outcome::Serious,
        _ => Outcome::Minor,
    };
    TokenAnswer {
        status: denied.status,
        headers: headers(denied.basic),
        body: json!({"error": denied.error, "error_description": denied.text}).to_string(),
        facts: TokenFacts { client, outcome, reason: denied.reason, scope, token_id: None, assertion_id: None, expires: None },
    }
}

#[cfg(test)]
#[path = "token_tests.rs"]
mod tests;
