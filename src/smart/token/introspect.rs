//! Introspection (RFC 7662): what a token says, told to those who may ask.

use super::denied::Denied;
use super::form::Form;
use super::{TokenAnswer, TokenEndpoint, TokenFacts, TokenRequest, headers};
use crate::access::Caller;
use crate::fhir::{Instant, Key};
use crate::identity::{Claims, Jws};
use crate::smart::authorization::{Authorization, Presented, RefreshToken};
use crate::smart::client::ClientKind;
use crate::smart::state::Held;
use serde_json::{Map, Value, json};

const ASKED: &str = "introspection";

/// Who asks.
struct Asker {
    client: String,
    /// May ask about the tokens of every client: a backend that the operator registered.
    any: bool,
}

impl TokenEndpoint {
    /// Answers at the introspection endpoint. `bearer` is whom an access token in the `Authorization` header stands for; `examined` is
    /// whom the token that is asked about stands for, when it is an access token that would be accepted now.
    pub async fn introspect(
        &self,
        request: &TokenRequest<'_>,
        bearer: Option<&Caller>,
        examined: Option<&Caller>,
        now: Instant,
    ) -> TokenAnswer {
        let form = match Form::read(request) {
            Ok(form) => form,
            Err(denied) => return denied.answer(TokenFacts::of(ASKED)),
        };
        match self.introspected(request, &form, bearer, examined, now).await {
            Ok((client, told)) => {
                let active = told.get("active") == Some(&json!(true));
                let reason = if active { "introspection:active" } else { "introspection:inactive" };
                let facts = TokenFacts { client: Some(client), reason: reason.to_owned(), ..TokenFacts::of(ASKED) };
                TokenAnswer { status: 200, headers: headers(false), body: told.to_string(), facts }
            }
            Err(denied) => denied.answer(TokenFacts::claimed(ASKED, &form)),
        }
    }

    async fn introspected(
        &self,
        request: &TokenRequest<'_>,
        form: &Form,
        bearer: Option<&Caller>,
        examined: Option<&Caller>,
        now: Instant,
    ) -> Result<(String, Value), Denied> {
        let asker = self.asker(request, form, bearer, now).await?;
        let token = form.get("token").ok_or_else(|| Denied::request("token", "The parameter `token` is missing."))?;
        let told = match examined.filter(|caller| caller.issuer == self.issuer) {
            Some(caller) => Some(self.access(caller, token, now).await?),
            None => self.refreshing(token, now).await?,
        };
        let told = told.filter(|(client, _)| asker.any || *client == asker.client);
        Ok((asker.client, told.map_or_else(|| json!({"active": false}), |(_, told)| Value::Object(told))))
    }

    async fn asker(
        &self,
        request: &TokenRequest<'_>,
        form: &Form,
        bearer: Option<&Caller>,
        now: Instant,
    ) -> Result<Asker, Denied> {
        if let Some(caller) = bearer {
            let registered = if caller.issuer == self.issuer { self.registry.client(&caller.client).await? } else { None };
            let client = registered.ok_or_else(|| Denied::unknown_client("bearer"))?;
            return Ok(Asker { any: client.kind == ClientKind::Backend, client: client.id });
        }
        let known = self.client(request, form, None, now).await?.client;
        if known.kind == ClientKind::Public {
            return Err(Denied::unknown_client("method"));
        }
        Ok(Asker { any: known.kind == ClientKind::Backend, client: known.id })
    }

    async fn access(&self, caller: &Caller, token: &str, now: Instant) -> Result<(String, Map<String, Value>), Denied> {
        let authorization = match authorization_of(token) {
            Some(name) => self.state.find::<Authorization>(&name, now).await?.map(|held| held.value),
            None => None,
        };
        let mut told = told(&caller.client, &caller.scopes.text, caller.expires, &self.issuer, &caller.subject);
        let kind = if caller.sign_in.key.is_some() { "DPoP" } else { "Bearer" };
        told.insert("token_type".to_owned(), json!(kind));
        told.insert("aud".to_owned(), json!(self.audience));
        if let Some(jti) = &caller.token_id {
            told.insert("jti".to_owned(), json!(jti));
        }
        if let Some(patient) = &caller.patient {
            told.insert("patient".to_owned(), json!(patient.as_str()));
        }
        if let Some(encounter) = &caller.encounter {
            told.insert("encounter".to_owned(), json!(encounter.as_str()));
        }
        let bound = [("x5t#S256", &caller.sign_in.certificate), ("jkt", &caller.sign_in.key)];
        let bound = bound.into_iter().filter_map(|(name, to)| Some((name.to_owned(), json!(to.as_ref()?))));
        let bound: Map<String, Value> = bound.collect();
        if !bound.is_empty() {
            told.insert("cnf".to_owned(), Value::Object(bound));
        }
        if let Some(authorization) = authorization {
            told.extend(authorization.context.members());
        }
        if let Some(user) = &caller.user {
            told.insert("fhirUser".to_owned(), json!(absolute(&self.audience, user)));
        }
        Ok((caller.client.clone(), told))
    }

    async fn refreshing(&self, token: &str, now: Instant) -> Result<Option<(String, Map<String, Value>)>, Denied> {
        let Some(token) = RefreshToken::read(token) else { return Ok(None) };
        let Some(Held { id, value, .. }) = self.state.find::<Authorization>(&token.authorization, now).await? else {
            return Ok(None);
        };
        let presented = value.refresh.as_ref().map_or(Presented::Foreign, |refresh| token.presented(refresh, now));
        let live = matches!(presented, Presented::Current | Presented::Lost);
        if !live || self.registry.revocations().is_stored(&self.state, &id, now).await? {
            return Ok(None);
        }
        let mut told = told(&value.client, &value.scope, Instant(value.ends), &self.issuer, &value.subject);
        told.insert("token_type".to_owned(), json!("refresh_token"));
        told.extend(value.context.members());
        Ok(Some((value.client, told)))
    }
}

fn told(client: &str, scope: &str, expires: Instant, issuer: &str, subject: &str) -> Map<String, Value> {
    let told = json!({
        "active": true, "client_id": client, "scope": scope, "exp": expires.seconds(), "iss": issuer, "sub": subject,
    });
    told.as_object().cloned().unwrap_or_default()
}

/// The URL of a record of this gateway.
pub(super) fn absolute(base: &str, user: &Key) -> String {
    format!("{base}/{user}")
}

/// The authorization that a token of this gateway belongs to. The token has been verified.
pub(super) fn authorization_of(token: &str) -> Option<String> {
    let jws = Jws::parse(token).ok()?;
    let claims = Claims::parse(&jws.payload).ok()?;
    let own = claims.get("extensions")?.get("amanat")?;
    own.text_at("authorization").map(std::borrow::Cow::into_owned)
}
