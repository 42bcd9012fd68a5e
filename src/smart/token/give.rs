//! The answer that brings an app its tokens.

use super::bound::Bound;
use super::client_auth::Known;
use super::denied::Denied;
use super::{TokenAnswer, TokenEndpoint, TokenFacts, headers};
use crate::fhir::Instant;
use crate::smart::authorization::Authorization;
use crate::smart::client::LONGEST_TOKEN_LIFE;
use crate::smart::id_token;
use crate::smart::issue::{Grant, Issued, issue};
use serde_json::{Map, Value, json};

/// What goes with the access token.
pub(super) struct Gift<'g> {
    /// `grant_type`
    pub(super) asked: &'static str,
    /// Of which authorization, by its name.
    pub(super) name: &'g str,
    pub(super) authorization: &'g Authorization,
    /// `scope`: all that was granted, or the part that was asked for.
    pub(super) scope: String,
    pub(super) refresh: Option<String>,
    /// Whether an `id_token` goes with it.
    pub(super) introduce: bool,
}

impl TokenEndpoint {
    /// Issues the tokens.
    pub(super) async fn give(&self, known: Known, gift: Gift<'_>, bound: Bound, now: Instant) -> Result<TokenAnswer, Denied> {
        let authorization = gift.authorization;
        self.known(&known.client.id).await?;
        let token_type = bound.token_type();
        let (issued, lifetime) = self.access_token(&known, &gift, bound, now)?;
        let mut body = Map::new();
        body.insert("access_token".to_owned(), json!(issued.token));
        body.insert("token_type".to_owned(), json!(token_type));
        body.insert("expires_in".to_owned(), json!(lifetime));
        body.insert("scope".to_owned(), json!(gift.scope));
        if let Some(refresh) = gift.refresh {
            body.insert("refresh_token".to_owned(), json!(refresh));
        }
        if gift.introduce && authorization.has("openid") {
            let key = self.keys.identity(self.registry.store(), now).await.map_err(unsigned)?;
            let claims = id_token::claims(authorization, &self.issuer, &issued.token, now);
            body.insert("id_token".to_owned(), json!(key.sign(&claims).map_err(unsigned)?));
        }
        body.extend(authorization.context.members());
        let facts = TokenFacts {
            client: Some(known.client.id),
            user: Some((authorization.subject.clone(), authorization.user())),
            purposes: authorization.purposes.clone(),
            reason: "token:issued".to_owned(),
            scope: Some(gift.scope),
            token_id: Some(issued.id),
            assertion_id: known.assertion,
            expires: Some(issued.expires),
            ..TokenFacts::of(gift.asked)
        };
        Ok(TokenAnswer { status: 200, headers: headers(false), body: Value::Object(body).to_string(), facts })
    }

    fn access_token(&self, known: &Known, gift: &Gift<'_>, bound: Bound, now: Instant) -> Result<(Issued, u32), Denied> {
        let authorization = gift.authorization;
        let grant = Grant {
            issuer: self.issuer.clone(),
            audience: self.audience.clone(),
            client: known.client.id.clone(),
            subject: Some(authorization.subject.clone()),
            scope: gift.scope.clone(),
            lifetime: known.client.token_lifetime.clamp(1, LONGEST_TOKEN_LIFE),
            user: authorization.user(),
            patient: authorization.context.patient(),
            encounter: authorization.context.encounter(),
            organization: authorization.organization.clone(),
            purposes: authorization.purposes.clone(),
            certificate: bound.certificate,
            key: bound.key,
            authorization: Some(gift.name.to_owned()),
            sign_in: Some(authorization.sign_in.clone()),
            roles: authorization.roles.clone(),
            emergency: None,
        };
        Ok((issue(&self.keys.signing(), &grant, now).map_err(unsigned)?, grant.lifetime))
    }
}

fn unsigned(fault: impl std::fmt::Display) -> Denied {
    tracing::error!(%fault, "a token could not be signed");
    Denied::away("signing")
}
