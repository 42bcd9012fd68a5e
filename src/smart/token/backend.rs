//! `client_credentials`: a program without a user (SMART Backend Services).

use super::b2b::{self, B2b};
use super::bound::Bound;
use super::client_auth::Known;
use super::denied::Denied;
use super::form::Form;
use super::{TokenAnswer, TokenEndpoint, TokenFacts, TokenRequest, headers};
use crate::access::{Level, Scopes};
use crate::fhir::Instant;
use crate::smart::client::{Client, ClientKind, LONGEST_BACKEND_TOKEN};
use crate::smart::issue::{Grant, issue};
use serde_json::json;

/// `grant_type`
pub(super) const GRANT: &str = "client_credentials";

impl TokenEndpoint {
    pub(super) async fn backend(&self, request: &TokenRequest<'_>, form: &Form, now: Instant) -> Result<TokenAnswer, Denied> {
        let asserted = form.get("client_assertion").is_some() || form.get("client_assertion_type").is_some();
        let known = match form.get("client_id").filter(|_| !asserted && request.authorization.is_none()) {
            // Without an assertion only a certificate can prove a backend client.
            Some(_) => self.client(request, form, None, now).await?,
            None => Known::proven(self.by_assertion(request, form, now).await?),
        };
        if known.client.kind != ClientKind::Backend {
            return Err(Denied::unauthorized("This client acts for users; it gets its tokens by `authorization_code`."));
        }
        let scopes = granted(&known.client, form.get("scope"))?;
        let b2b = b2b::read(&known.client, form.get("client_assertion"))?;
        self.known(&known.client.id).await?;
        let bound = self.bound(&known.client, request, now).await?;
        self.issued(known, &scopes, (bound, b2b), now)
    }

    fn issued(&self, known: Known, scopes: &Scopes, (bound, b2b): (Bound, B2b), now: Instant) -> Result<TokenAnswer, Denied> {
        let Known { client, assertion } = known;
        let token_type = bound.token_type();
        let scope = scopes.to_text();
        let grant = Grant {
            issuer: self.issuer.clone(),
            audience: self.audience.clone(),
            client: client.id.clone(),
            scope: scope.clone(),
            lifetime: client.token_lifetime.clamp(1, LONGEST_BACKEND_TOKEN),
            organization: b2b.organization.or(client.organization),
            purposes: b2b.purposes.unwrap_or(client.purposes),
            roles: b2b.roles,
            certificate: bound.certificate,
            key: bound.key,
            ..Grant::default()
        };
        let issued = issue(&self.keys.signing(), &grant, now).map_err(|fault| {
            tracing::error!(%fault, "a token could not be signed");
            Denied::away("signing")
        })?;
        let body = json!({
            "access_token": issued.token, "token_type": token_type, "expires_in": grant.lifetime, "scope": scope,
        });
        let facts = TokenFacts {
            client: Some(client.id),
            purposes: grant.purposes.clone(),
            reason: "token:issued".to_owned(),
            scope: Some(scope),
            token_id: Some(issued.id),
            assertion_id: assertion,
            expires: Some(issued.expires),
            ..TokenFacts::of(GRANT)
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
