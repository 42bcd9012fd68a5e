//! `client_credentials`: a program without a user (SMART Backend Services).

use super::assertion::Proven;
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
        let proven = self.by_assertion(request, form, now).await?;
        if proven.client.kind != ClientKind::Backend {
            return Err(Denied::unauthorized("This client acts for users; it gets its tokens by `authorization_code`."));
        }
        let scopes = granted(&proven.client, form.get("scope"))?;
        self.known(&proven.client.id).await?;
        self.issued(proven, &scopes, now)
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
            reason: "token:issued".to_owned(),
            scope: Some(scope),
            token_id: Some(issued.id),
            assertion_id: Some(assertion),
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
