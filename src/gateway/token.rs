//! The token endpoint and the discovery documents: who gets a token, and how clients find out.

use super::Gateway;
use super::rate::Denied;
use crate::access::Caller;
use crate::audit::{Agent, Entry, Event};
use crate::fhir::{Instant, Outcome, Refusal};
use crate::identity::{PeerCertificate, Proving};
use crate::smart::{self, TokenFacts};
use std::sync::Arc;

/// A `POST` to the token endpoint.
#[derive(Debug, Default)]
pub struct TokenRequest {
    /// The raw form.
    pub body: String,
    /// The raw query.
    pub query: String,
    /// `Content-Type`
    pub content_type: Option<String>,
    /// `Authorization`
    pub authorization: Option<String>,
    /// The client's network address.
    pub address: String,
    /// `X-Request-Id`
    pub request_id: String,
    /// The client certificate, when one was presented and verified.
    pub certificate: Option<PeerCertificate>,
    /// The header `DPoP`.
    pub proof: Option<String>,
}

/// What is answered: JSON.
#[derive(Debug)]
pub struct TokenReply {
    /// HTTP status.
    pub status: u16,
    /// JSON.
    pub body: String,
    /// Headers beside the content type.
    pub headers: Vec<(&'static str, &'static str)>,
}

/// Which of the endpoints that clients call themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Endpoint {
    /// RFC 6749 § 3.2
    Token,
    /// RFC 7662
    Introspection,
    /// RFC 7009
    Revocation,
    /// RFC 9126
    Push,
}

impl Gateway {
    /// Answers at one of the endpoints that clients call themselves, once the trail has the entry.
    pub async fn token(&self, endpoint: Endpoint, request: TokenRequest) -> TokenReply {
        let now = self.parts.clock.now();
        let asked = smart::TokenRequest {
            content_type: request.content_type.as_deref(),
            authorization: request.authorization.as_deref(),
            query: &request.query,
            body: &request.body,
            peer: request.certificate.as_ref(),
            proof: request.proof.as_deref(),
            at: self.url_of(endpoint),
        };
        let mut answer = match endpoint {
            Endpoint::Token => self.parts.tokens.answer(&asked, now).await,
            Endpoint::Introspection => self.introspected(asked, now).await,
            Endpoint::Push => self.parts.tokens.push(&asked, now).await,
            Endpoint::Revocation => {
                let examined = self.examined(&request.body, now).await;
                self.parts.tokens.revoke(&asked, examined.as_deref(), now).await
            }
        };
        if endpoint == Endpoint::Token
            && answer.status == 200
            && answer.facts.client.as_deref().is_some_and(|client| self.parts.restrictions.locks_out(client, now))
        {
            (answer.facts.outcome, answer.facts.reason) = (Outcome::Serious, "suspended:client".to_owned());
            answer.facts.token_id = None;
            (answer.status, answer.body) =
                (401, r#"{"error":"invalid_client","error_description":"This client is locked out."}"#.to_owned());
        }
        // Until it is proved, a client is only claimed.
        if answer.status == 200
            && let Some(client) = &answer.facts.client
        {
            crate::telemetry::note_client(client);
        }
        if answer.status == 401
            && let Err(denied) = self.rates.stranger(&request.address, now)
        {
            return throttled(&denied);
        }
        let entry = self.token_entry(endpoint, answer.facts, &request, now);
        if self.parts.trail.append(entry).await.is_err() {
            let body = r#"{"error":"temporarily_unavailable","error_description":"The audit trail cannot be written, so no token is issued. Try again later."}"#;
            return TokenReply {
                status: 503,
                body: body.to_owned(),
                headers: vec![("Cache-Control", "no-store"), ("Retry-After", "5")],
            };
        }
        TokenReply { status: answer.status, body: answer.body, headers: answer.headers }
    }

    /// The URL of an endpoint.
    fn url_of(&self, endpoint: Endpoint) -> &str {
        let endpoints = &self.parts.endpoints;
        match endpoint {
            Endpoint::Token => &endpoints.token,
            Endpoint::Introspection => &endpoints.introspection,
            Endpoint::Revocation => &endpoints.revocation,
            Endpoint::Push => endpoints.people.as_ref().map_or(&endpoints.token, |people| &people.push),
        }
    }

    /// The nonce that the next proof of possession may carry.
    pub fn proof_nonce(&self) -> String {
        self.parts.authenticator.nonce(self.parts.clock.now())
    }

    /// A bearer token may stand for the client that asks.
    async fn introspected(&self, asked: smart::TokenRequest<'_>, now: Instant) -> smart::TokenAnswer {
        let is = |header: &str, word: &str| header.get(..word.len()).is_some_and(|lead| lead.eq_ignore_ascii_case(word));
        let header = asked.authorization.filter(|header| is(header, "bearer ") || is(header, "dpop "));
        let proving = Proving { proof: asked.proof, method: "POST", url: asked.at };
        let bearer = match header {
            Some(_) => self.parts.authenticator.authenticate_holder(header, asked.peer, &proving, now).await.ok(),
            None => None,
        };
        let examined = self.examined(asked.body, now).await;
        self.parts.tokens.introspect(&asked, bearer.as_deref(), examined.as_deref(), now).await
    }

    /// Whom the access token in a form stands for, when it would be accepted now.
    async fn examined(&self, form: &str, now: Instant) -> Option<Arc<Caller>> {
        let form = crate::fhir::pairs(form).ok()?;
        let (_, token) = form.iter().find(|(name, _)| name == "token")?;
        let caller = self.parts.authenticator.examine(token, now).await?;
        self.parts.emergency.of(&caller, now).ok().map(|_| caller)
    }

    fn token_entry(&self, endpoint: Endpoint, facts: TokenFacts, request: &TokenRequest, now: Instant) -> Entry {
        let client = facts.client.unwrap_or_default();
        let (subject, user) = facts.user.unwrap_or_else(|| (client.clone(), None));
        let agent = Agent {
            issuer: self.parts.tokens.issuer.clone(),
            subject,
            user,
            client,
            purposes: facts.purposes,
            token_id: facts.token_id,
            ..Agent::unknown(&request.address)
        };
        let event = match endpoint {
            Endpoint::Token => Event::Token,
            Endpoint::Push => Event::SignOn("asked"),
            Endpoint::Introspection => Event::SignOn("introspected"),
            Endpoint::Revocation => Event::SignOn("ended"),
        };
        let mut entry = Entry::concluded(event, agent, now, &request.request_id).because(facts.reason);
        entry.outcome = facts.outcome;
        let asked: String = facts.asked.chars().take(100).collect();
        let grant = format!("grant_type={}", crate::fhir::encode(&asked));
        match (endpoint, facts.scope) {
            (Endpoint::Token, Some(scope)) => entry.asking(&format!("{grant}&scope={}", crate::fhir::encode(&scope))),
            (Endpoint::Token, None) => entry.asking(&grant),
            _ => entry,
        }
    }

    /// Who the user of a token is (OpenID Connect Core § 5.3), for apps that were told `openid`.
    ///
    /// # Errors
    /// The refusal of the token, or [`Refusal::ScopeMissing`].
    pub async fn userinfo(
        &self,
        authorization: Option<&str>,
        peer: Option<&PeerCertificate>,
        (method, proof): (&str, Option<&str>),
    ) -> Result<String, Refusal> {
        let now = self.parts.clock.now();
        let url = self.parts.endpoints.people.as_ref().map(|people| people.userinfo.as_str()).unwrap_or_default();
        let proving = Proving { proof, method, url };
        let caller = self.parts.authenticator.authenticate_holder(authorization, peer, &proving, now).await?;
        let told = |name: &str| caller.scopes.contexts.iter().any(|held| held == name);
        if caller.issuer != self.parts.base || !told("openid") {
            return Err(Refusal::ScopeMissing { needed: "openid".to_owned() });
        }
        let mut claims = serde_json::Map::new();
        claims.insert("sub".to_owned(), caller.subject.clone().into());
        if let Some(user) = caller.user.as_ref().filter(|_| told("fhirUser") || told("profile")) {
            claims.insert("fhirUser".to_owned(), format!("{}/{user}", self.parts.base).into());
        }
        Ok(serde_json::Value::Object(claims).to_string())
    }

    /// `.well-known/smart-configuration`
    pub fn smart_configuration(&self) -> String {
        smart::smart_configuration(&self.parts.endpoints, &self.parts.tokens.rules.algorithms).to_string()
    }

    /// `.well-known/openid-configuration`, and `oauth-authorization-server`.
    pub fn openid_configuration(&self) -> String {
        smart::openid_configuration(&self.parts.endpoints, &self.parts.tokens.rules.algorithms).to_string()
    }

    /// The brand bundle, where people sign in.
    pub fn brands(&self) -> Option<String> {
        Some(self.parts.brands.clone()).filter(|brands| !brands.is_empty())
    }

    /// The public keys of the gateway's own issuer.
    pub async fn jwks(&self) -> String {
        if self.people_sign_in() {
            let (keys, store) = (&self.parts.tokens.keys, self.parts.tokens.registry.store());
            if let Err(error) = keys.identity(store, self.parts.clock.now()).await {
                tracing::warn!(%error, "there is no key for id_tokens");
            }
        }
        self.parts.tokens.keys.document()
    }

    /// Ends what a person allowed an app, for an operator.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn end_authorization(&self, authorization: &str, why: &str) -> Result<bool, smart::ClientStoreError> {
        self.parts.tokens.end(authorization, why, self.parts.clock.now()).await
    }

    /// Is this the origin of a page of a registered app?
    pub fn knows_origin(&self, origin: &str) -> bool {
        self.parts.tokens.registry.knows_origin(origin)
    }

    /// Whether this access token would be accepted now. Nothing is done with it.
    ///
    /// # Errors
    /// Why not.
    pub async fn accepts(&self, token: &str) -> Result<(), Refusal> {
        let bearer = format!("Bearer {token}");
        self.parts.authenticator.authenticate(Some(&bearer), None, self.parts.clock.now()).await.map(drop)
    }

    /// Whether requests can be answered.
    ///
    /// # Errors
    /// Why not, in words for the operator.
    pub fn ready(&self) -> Result<(), String> {
        if self.parts.store.ready() { Ok(()) } else { Err("the record store or the trail cannot be written".to_owned()) }
    }

    /// What is not as it should be while requests are served nevertheless, in words for an operator.
    pub fn degraded(&self) -> Option<String> {
        let waiting = self.parts.trail.waiting();
        let spooled =
            (waiting > 0).then(|| format!("{waiting} entries of the trail wait in the spool: the database does not take them"));
        let full = self.parts.space.room().told().map(str::to_owned);
        let all: Vec<String> = spooled.into_iter().chain(full).collect();
        (!all.is_empty()).then(|| all.join("; "))
    }

    /// Looks again at what other processes may have changed: clients and keys. To be called every second.
    pub async fn refresh(&self) {
        if let Err(error) = self.parts.tokens.registry.refresh().await {
            tracing::warn!(%error, "the client registry could not be read again");
        }
        if let Err(error) = self.parts.tokens.keys.reload(self.parts.tokens.registry.store(), self.parts.clock.now()).await {
            tracing::warn!(%error, "the signing keys could not be read again");
        }
        if let Err(refusal) = self.tend_consents().await {
            tracing::warn!(code = refusal.told().code, "the consents could not be read again");
        }
        if let Err(refusal) = self.tend_emergencies().await {
            tracing::warn!(code = refusal.told().code, "the grants of emergency access could not be read again");
        }
    }

    /// Looks again at what other nodes revoked. To be called twice a second.
    pub async fn refresh_revocations(&self) {
        let tokens = &self.parts.tokens;
        if let Err(error) = tokens.registry.revocations().load(&tokens.state, self.parts.clock.now()).await {
            tracing::warn!(%error, "the revocations could not be read again");
        }
    }

    /// Finishes what was taken: the last entries and the store.
    pub async fn close(&self) {
        self.parts.store.close().await;
    }

    /// Writes an entry about the gateway itself.
    pub async fn note(&self, event: Event) {
        self.note_about(event, "amanat").await;
    }

    /// Tells the trail that it could not be written for a while, once it can be again. To be called every second, with what the last call
    /// left.
    pub async fn tell_of_recording(&self, stopped: &mut Option<Instant>) {
        let now = self.parts.clock.now();
        #[expect(clippy::cast_precision_loss, reason = "a spool holds far fewer than 2^52 entries")]
        metrics::gauge!(crate::telemetry::SPOOLED).set(self.parts.trail.waiting() as f64);
        metrics::gauge!(crate::telemetry::ROOM).set(f64::from(self.parts.space.room() as u8));
        match (self.ready(), *stopped) {
            (Err(_), None) => *stopped = Some(now),
            (Ok(()), Some(since)) => {
                *stopped = None;
                for (word, told) in [("stopped", format!("since={since}")), ("started", format!("after={since}"))] {
                    let agent = Agent { client: "amanat".to_owned(), ..Agent::default() };
                    let entry = Entry::concluded(Event::Recording(word), agent, now, uuid::Uuid::now_v7().to_string());
                    self.record(entry.asking(&told)).await;
                }
            }
            _ => {}
        }
    }

    /// Writes an entry about something that no request brought about.
    pub async fn record(&self, entry: Entry) {
        if self.parts.trail.append(entry).await.is_err() {
            tracing::error!("the trail cannot be written");
        }
    }

    /// Writes an entry about a question that was put at the command line.
    pub async fn note_question(&self, question: &str) {
        let agent = Agent { client: "amanat".to_owned(), ..Agent::default() };
        let entry = Entry::concluded(Event::Rest("operation"), agent, self.parts.clock.now(), uuid::Uuid::now_v7().to_string());
        self.record(entry.asking(question)).await;
    }

    /// Writes an entry about a client.
    pub async fn note_about(&self, event: Event, client: &str) {
        let agent = Agent { client: client.to_owned(), ..Agent::default() };
        self.record(Entry::concluded(event, agent, self.parts.clock.now(), uuid::Uuid::now_v7().to_string())).await;
    }
}

pub(super) fn throttled(denied: &Denied) -> TokenReply {
    tracing::debug!(?denied, "one of too many");
    let body = r#"{"error":"temporarily_unavailable","error_description":"Too many requests that prove no client came from your address. Wait a moment."}"#;
    TokenReply { status: 429, body: body.to_owned(), headers: vec![("Cache-Control", "no-store"), ("Retry-After", "5")] }
}
