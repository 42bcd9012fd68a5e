//! Pushed authorization requests (RFC 9126): an app tells what it will ask before it sends its user, and proves who it is.

use super::denied::Denied;
use super::form::Form;
use super::{TokenAnswer, TokenEndpoint, TokenFacts, TokenRequest, headers};
use crate::fhir::Instant;
use crate::smart::authorize::{Wrong, asked};
use crate::smart::client::ClientKind;
use crate::smart::secret;
use crate::smart::state::{Kind, Stored};
use serde::{Deserialize, Serialize};
use serde_json::json;

const ASKED: &str = "pushed";

/// What every `request_uri` begins with (RFC 9126 § 2.2).
pub const PUSHED_PREFIX: &str = "urn:ietf:params:oauth:request_uri:";

/// Seconds in which the user must have been sent.
const PUSHED_LIFE: i64 = 90;

/// What is no parameter of an authorization request.
const CREDENTIALS: [&str; 3] = ["client_assertion", "client_assertion_type", "client_secret"];

/// A request that was pushed, by the digest of its reference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pushed {
    /// By which client.
    pub client: String,
    /// What it asks.
    pub parameters: Vec<(String, String)>,
    /// When, in milliseconds.
    pub came: i64,
}

impl Stored for Pushed {
    const KIND: Kind = Kind::Pushed;

    fn owner(&self) -> &str {
        &self.client
    }

    fn expires(&self) -> Instant {
        Instant(self.came).plus_seconds(PUSHED_LIFE)
    }
}

impl TokenEndpoint {
    /// Answers at the endpoint for pushed requests.
    pub async fn push(&self, request: &TokenRequest<'_>, now: Instant) -> TokenAnswer {
        let form = match Form::read(request) {
            Ok(form) => form,
            Err(denied) => return denied.answer(TokenFacts::of(ASKED)),
        };
        match self.pushed(request, &form, now).await {
            Ok(answer) => answer,
            Err(denied) => denied.answer(TokenFacts::claimed(ASKED, &form)),
        }
    }

    async fn pushed(&self, request: &TokenRequest<'_>, form: &Form, now: Instant) -> Result<TokenAnswer, Denied> {
        let client = self.client(request, form, None, now).await?.client;
        if client.kind == ClientKind::Backend {
            return Err(Denied::unauthorized("A backend client has no users to send."));
        }
        if form.get("request_uri").is_some() || form.get("request").is_some() {
            return Err(Denied::request("request-uri", "Push the parameters themselves, not `request_uri` or `request`."));
        }
        let mut parameters = form.others(&CREDENTIALS);
        if form.get("client_id").is_none() {
            parameters.push(("client_id".to_owned(), client.id.clone()));
        }
        if let Some(key) = self.proven_key(request, now).await? {
            let told = parameters.iter().find(|(name, _)| name == "dpop_jkt").map(|(_, told)| told.clone());
            match told {
                Some(told) if told != key => return Err(Denied::proof("key")),
                Some(_) => {}
                None => parameters.push(("dpop_jkt".to_owned(), key)),
            }
        }
        let checked = asked(&parameters, Some(&client), &self.audience).map_err(told)?;
        let handle = secret::random().map_err(|_| Denied::away("random"))?;
        let pushed = Pushed { client: client.id.clone(), parameters, came: now.0 };
        self.state.add(&secret::kept(&handle), &pushed, now).await?;
        let body = json!({"request_uri": format!("{PUSHED_PREFIX}{handle}"), "expires_in": PUSHED_LIFE});
        let facts = TokenFacts {
            client: Some(client.id),
            reason: "request:pushed".to_owned(),
            scope: Some(checked.scope),
            ..TokenFacts::of(ASKED)
        };
        Ok(TokenAnswer { status: 201, headers: headers(false), body: body.to_string(), facts })
    }
}

/// What is wrong with the request, told the client itself (RFC 9126 § 2.3).
fn told(wrong: Wrong) -> Denied {
    let (reason, error, text) = match wrong {
        Wrong::Shown { reason, text } => (reason, "invalid_request", text),
        Wrong::SentBack { reason, error, text, .. } => (reason, error, text),
    };
    Denied { status: 400, error, text: text.into(), reason: format!("request:{reason}"), basic: false }
}
