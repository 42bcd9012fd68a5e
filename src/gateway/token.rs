//! The token endpoint and the discovery documents: who gets a token, and how clients find out.

use super::Gateway;
use crate::audit::{Agent, Entry, Event};
use crate::fhir::Refusal;
use crate::identity::PeerCertificate;
use crate::smart::{self, Endpoints, TokenFacts};

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

impl Gateway {
    /// Answers at the token endpoint, once the trail has the entry.
    pub async fn token(&self, request: TokenRequest) -> TokenReply {
        let now = self.parts.clock.now();
        let asked = smart::TokenRequest {
            content_type: request.content_type.as_deref(),
            authorization: request.authorization.as_deref(),
            query: &request.query,
            body: &request.body,
            peer: request.certificate.as_ref(),
        };
        let answer = self.parts.tokens.answer(&asked, now).await;
        // Until it is proved, a client is only claimed.
        if answer.status == 200
            && let Some(client) = &answer.facts.client
        {
            crate::telemetry::note_client(client);
        }
        let entry = self.token_entry(answer.facts, &request, now);
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

    fn token_entry(&self, facts: TokenFacts, request: &TokenRequest, now: crate::fhir::Instant) -> Entry {
        let client = facts.client.unwrap_or_default();
        let agent = Agent {
            issuer: self.parts.tokens.issuer.clone(),
            subject: client.clone(),
            client,
            token_id: facts.token_id,
            ..Agent::unknown(&request.address)
        };
        let mut entry = Entry::concluded(Event::Token, agent, now, &request.request_id).because(facts.reason);
        entry.outcome = facts.outcome;
        match facts.scope {
            Some(scope) => entry.asking(&format!("grant_type=client_credentials&scope={}", crate::fhir::encode(&scope))),
            None => entry.asking("grant_type=client_credentials"),
        }
    }

    /// `.well-known/smart-configuration`
    pub fn smart_configuration(&self) -> String {
        let endpoints = Endpoints { token: self.parts.token_endpoint.clone(), jwks: self.parts.jwks_uri.clone() };
        smart::smart_configuration(&endpoints, &self.parts.tokens.rules.algorithms).to_string()
    }

    /// The public keys of the gateway's own issuer.
    pub fn jwks(&self) -> String {
        self.parts.tokens.keys.document()
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

    /// Looks again at what other processes may have changed: clients and keys. To be called every second.
    pub async fn refresh(&self) {
        if let Err(error) = self.parts.tokens.registry.refresh().await {
            tracing::warn!(%error, "the client registry could not be read again");
        }
        if let Err(error) = self.parts.tokens.keys.reload(self.parts.tokens.registry.store(), self.parts.clock.now()).await {
            tracing::warn!(%error, "the signing keys could not be read again");
        }
        if let Err(refusal) = self.tend_emergencies().await {
            tracing::warn!(code = refusal.told().code, "the grants of emergency access could not be read again");
        }
    }

    /// Finishes what was taken: the last entries and the store.
    pub async fn shut_down(&self) {
        self.note(Event::Stop).await;
        self.close().await;
    }

    /// The same without an entry, for a process that did not serve.
    pub async fn close(&self) {
        self.parts.store.close().await;
    }

    /// Writes an entry about the gateway itself.
    pub async fn note(&self, event: Event) {
        self.note_about(event, "amanat").await;
    }

    /// Writes an entry about a question that was put at the command line.
    pub async fn note_question(&self, question: &str) {
        let agent = Agent { client: "amanat".to_owned(), ..Agent::default() };
        let entry = Entry::concluded(Event::Rest("operation"), agent, self.parts.clock.now(), uuid::Uuid::now_v7().to_string());
        if self.parts.trail.append(entry.asking(question)).await.is_err() {
            tracing::error!("the trail cannot be written");
        }
    }

    /// Writes an entry about a client.
    pub async fn note_about(&self, event: Event, client: &str) {
        let agent = Agent { client: client.to_owned(), ..Agent::default() };
        let entry = Entry::concluded(event, agent, self.parts.clock.now(), uuid::Uuid::now_v7().to_string());
        if self.parts.trail.append(entry).await.is_err() {
            tracing::error!("the trail cannot be written");
        }
    }
}
