//! The corridor.

use crate::clock::Clock;
use crate::config::Config;
use crate::disclosure::{Answer, HeaderWord, Refused, Released, Sealed};
use crate::fhir::{Refusal, Request};
use std::time::Instant;

/// A request as it came in.
#[derive(Debug)]
pub struct Inbound {
    /// Without body.
    pub request: Request,
    /// The body.
    pub body: Sealed,
    /// `X-Request-Id`
    pub request_id: String,
    /// Network address of the peer.
    pub address: String,
    /// Every `Authorization` header.
    pub authorization: Vec<String>,
    /// SHA-256 of the client certificate.
    pub certificate: Option<[u8; 32]>,
    /// When its head had come.
    pub received: Instant,
}

/// A request at the token endpoint.
#[derive(Debug)]
pub struct TokenRequest {
    /// The form.
    pub body: String,
    /// `Content-Type`
    pub content_type: Option<String>,
    /// `Authorization`
    pub authorization: Option<String>,
    /// Network address of the peer.
    pub address: String,
    /// `X-Request-Id`
    pub request_id: String,
    /// SHA-256 of the client certificate.
    pub certificate: Option<[u8; 32]>,
}

/// What the token endpoint answers.
#[derive(Debug)]
pub struct TokenReply {
    /// HTTP status.
    pub status: u16,
    /// JSON.
    pub body: String,
    /// Further headers.
    pub headers: Vec<(&'static str, String)>,
}

/// Why the gateway cannot open.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct OpenError(pub String);

/// The gateway.
pub struct Gateway {
    base: String,
}

impl Gateway {
    /// Opens it.
    ///
    /// # Errors
    /// [`OpenError`]
    #[expect(clippy::unused_async, reason = "the store opens asynchronously")]
    pub async fn open(config: &Config, _clock: &Clock) -> Result<Self, OpenError> {
        Ok(Self { base: config.server.base_url.as_str().to_owned() })
    }

    /// Answers.
    #[expect(clippy::unused_async, reason = "the store answers asynchronously")]
    pub async fn answer(&self, inbound: Inbound) -> Answer {
        if inbound.request.path == "metadata" {
            let body = format!(r#"{{"resourceType":"CapabilityStatement","fhirVersion":"4.0.1","url":"{}"}}"#, self.base);
            return Ok(Released::new(200, Vec::new(), body.into_bytes()));
        }
        let told = Refusal::TokenMissing.told();
        let body = format!(r#"{{"resourceType":"OperationOutcome","issue":[{{"severity":"error","code":"{}"}}]}}"#, told.issue);
        Err(Refused::new(told.status, vec![(HeaderWord::WwwAuthenticate, "Bearer".to_owned())], body.into_bytes()))
    }

    /// The token endpoint.
    #[expect(clippy::unused_async, reason = "the registry answers asynchronously")]
    pub async fn token(&self, _form: TokenRequest) -> TokenReply {
        TokenReply { status: 401, body: r#"{"error":"invalid_client"}"#.to_owned(), headers: Vec::new() }
    }

    /// The discovery document.
    pub fn smart_configuration(&self) -> String {
        r#"{"capabilities":[]}"#.to_owned()
    }

    /// The public keys.
    pub fn jwks(&self) -> String {
        r#"{"keys":[]}"#.to_owned()
    }

    /// Whether it can work.
    ///
    /// # Errors
    /// Why it cannot.
    pub fn ready(&self) -> Result<(), String> {
        Ok(())
    }

    /// Ends.
    pub async fn shut_down(&self) {}
}
