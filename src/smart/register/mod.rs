//! Clients that register themselves: by RFC 7591 and 7592 (an operator admits them), and by UDAP (the community vouches for them).

mod metadata;
mod statement;

use super::client::Client;
use super::communities::Communities;
use super::enrolment::Enrolled;
use super::registry::Registry;
use super::secret;
use super::store::ClientStoreError;
use super::token::{TokenAnswer, TokenFacts};
use crate::fhir::{Instant, Outcome};
use crate::identity::Reach;
use metadata::Metadata;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// Who may register a client by RFC 7591.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Admission {
    /// Nobody.
    Closed,
    /// Everybody; an operator admits each client before it gets a token.
    #[default]
    Operator,
    /// Everybody, at once. For places without real people.
    AtOnce,
}

/// Clients that wait at most; more would only fill the store.
const MOST_WAITING: usize = 200;

/// The registration endpoint and what it needs.
pub struct Registrar {
    /// The clients.
    pub registry: Arc<Registry>,
    /// Who may register.
    pub admission: Admission,
    /// The URL of the endpoint.
    pub url: String,
    /// The trust communities.
    pub communities: Arc<Communities>,
    /// Whether people sign in here: without, there are no apps for users.
    pub people: bool,
}

/// A request at the endpoint, or at that of one client.
#[derive(Debug, Clone, Copy, Default)]
pub struct RegistrationRequest<'r> {
    /// `POST`, or of one client `GET`, `PUT`, `DELETE`.
    pub method: &'r str,
    /// Which client.
    pub client: Option<&'r str>,
    /// `Content-Type`
    pub content_type: Option<&'r str>,
    /// `Authorization`
    pub authorization: Option<&'r str>,
    /// JSON.
    pub body: &'r str,
}

/// RFC 7591 § 3.2.2, UDAP Dynamic Client Registration § 5.2.
#[derive(Debug)]
struct Unfit {
    status: u16,
    error: &'static str,
    text: String,
    reason: String,
}

impl Unfit {
    fn metadata(reason: &str, text: impl Into<String>) -> Self {
        Self { status: 400, error: "invalid_client_metadata", text: text.into(), reason: format!("registration:{reason}") }
    }

    fn redirect(text: impl Into<String>) -> Self {
        Self { error: "invalid_redirect_uri", ..Self::metadata("redirect-uri", text) }
    }

    fn statement(reason: &str, text: impl Into<String>) -> Self {
        Self { error: "invalid_software_statement", ..Self::metadata(reason, text) }
    }

    fn unapproved(reason: &str) -> Self {
        let text = "No community that this server trusts vouches for the certificate of the software statement.";
        Self { error: "unapproved_software_statement", ..Self::metadata(reason, text) }
    }

    fn token() -> Self {
        let text = "The registration access token is missing, or not this client's.".to_owned();
        Self { status: 401, error: "invalid_token", text, reason: "registration:token".to_owned() }
    }
}

impl From<ClientStoreError> for Unfit {
    fn from(fault: ClientStoreError) -> Self {
        tracing::error!(%fault, "a registration could not be kept");
        let text = "Nothing was registered. Try again later.".to_owned();
        Self { status: 503, error: "temporarily_unavailable", text, reason: "store".to_owned() }
    }
}

impl From<secret::NoRandomness> for Unfit {
    fn from(fault: secret::NoRandomness) -> Self {
        ClientStoreError(fault.to_string()).into()
    }
}

/// What was done, before it becomes an answer.
struct Done {
    status: u16,
    client: String,
    scope: Option<String>,
    reason: &'static str,
    body: Option<Map<String, Value>>,
}

impl Registrar {
    /// Is there such an endpoint here?
    pub fn is_open(&self) -> bool {
        self.admission != Admission::Closed || !self.communities.is_empty()
    }

    /// Answers a request. Never fails: every failure is an answer.
    pub async fn answer(&self, request: &RegistrationRequest<'_>, now: Instant) -> TokenAnswer {
        let asked = TokenFacts::of("registration");
        let done = match request.client {
            Some(id) => self.one(id, request, now).await,
            None => self.new_one(request, now).await,
        };
        match done {
            Ok(done) => TokenAnswer {
                status: done.status,
                headers: super::token::headers(false),
                body: done.body.map(|body| Value::Object(body).to_string()).unwrap_or_default(),
                facts: TokenFacts { client: Some(done.client), scope: done.scope, reason: done.reason.to_owned(), ..asked },
            },
            Err(unfit) => {
                let mut headers = super::token::headers(false);
                if unfit.status == 401 {
                    headers.push(("WWW-Authenticate", "Bearer realm=\"registration\", error=\"invalid_token\""));
                }
                let outcome = match unfit.status {
                    503 => Outcome::Major,
                    401 => Outcome::Serious,
                    _ => Outcome::Minor,
                };
                let client = request.client.map(str::to_owned);
                TokenAnswer {
                    status: unfit.status,
                    headers,
                    body: json!({"error": unfit.error, "error_description": unfit.text}).to_string(),
                    facts: TokenFacts { client, outcome, reason: unfit.reason, ..asked },
                }
            }
        }
    }

    async fn new_one(&self, request: &RegistrationRequest<'_>, now: Instant) -> Result<Done, Unfit> {
        let body = object(request)?;
        if body.contains_key("udap") || (body.contains_key("software_statement") && !self.communities.is_empty()) {
            return self.member(&body, now).await;
        }
        if self.admission == Admission::Closed {
            return Err(Unfit::metadata(
                "closed",
                "Clients are registered here by the operator, or with a UDAP software statement.",
            ));
        }
        if body.contains_key("software_statement") {
            return Err(Unfit::statement("statement", "This server knows nobody who could vouch for a software statement."));
        }
        let waiting = self.registry.store().list().await?.iter().filter(|client| client.waits()).count();
        if waiting >= MOST_WAITING {
            let text = "Too many clients wait for the operator. Try again when they have been looked at.".to_owned();
            return Err(Unfit { status: 503, error: "temporarily_unavailable", text, reason: "registration:full".to_owned() });
        }
        let metadata = Metadata::read(&body)?;
        let id = uuid::Uuid::new_v4().to_string();
        let token = secret::random()?;
        let approved = (self.admission == Admission::AtOnce).then_some(now.0);
        let enrolled = Enrolled { at: now.0, token: Some(secret::kept(&token)), approved, ..metadata.enrolled() };
        let (client, shown) = metadata.client(&id, enrolled, self.people)?;
        let client = checked(client)?;
        if !self.registry.store().add(client.clone(), now).await? {
            return Err(ClientStoreError("a random id was taken".to_owned()).into());
        }
        self.registry.refresh().await?;
        let mut told = metadata::told(&client);
        if let Some(secret) = shown {
            told.insert("client_secret".to_owned(), json!(secret));
            told.insert("client_secret_expires_at".to_owned(), json!(0));
        }
        self.managed(&mut told, &client.id, &token);
        Ok(Done { status: 201, client: id, scope: Some(client.scopes), reason: "client-added", body: Some(told) })
    }

    fn managed(&self, told: &mut Map<String, Value>, id: &str, token: &str) {
        told.insert("registration_access_token".to_owned(), json!(token));
        told.insert("registration_client_uri".to_owned(), json!(format!("{}/{id}", self.url)));
    }

    /// RFC 7592: the client reads, replaces or takes back its own registration.
    async fn one(&self, id: &str, request: &RegistrationRequest<'_>, now: Instant) -> Result<Done, Unfit> {
        let shown = request.authorization.and_then(|header| header.split_once(' '));
        let token = shown.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")).map(|(_, token)| token);
        let token = token.ok_or_else(Unfit::token)?;
        let client = self.registry.client(id).await?.filter(|client| !client.disabled);
        let own = client.filter(|client| {
            let kept = client.enrolled.as_ref().and_then(|enrolled| enrolled.token.as_ref());
            kept.is_some_and(|kept| secret::equal(kept, &secret::kept(token)))
        });
        let client = own.ok_or_else(Unfit::token)?;
        match request.method {
            "GET" => {
                let mut told = metadata::told(&client);
                if let Some(since) = client.keys_since {
                    told.insert("jwks_registered_at".to_owned(), json!(Instant(since).seconds()));
                }
                self.managed(&mut told, id, token);
                Ok(Done { status: 200, client: id.to_owned(), scope: None, reason: "client-read", body: Some(told) })
            }
            "DELETE" => {
                self.registry.store().remove(id).await?;
                self.registry.refresh().await?;
                Ok(Done { status: 204, client: id.to_owned(), scope: None, reason: "client-removed", body: None })
            }
            _ => self.replaced(client, token, request, now).await,
        }
    }

    /// What an operator admitted stays admitted as long as it stays what it was.
    async fn replaced(&self, old: Client, token: &str, request: &RegistrationRequest<'_>, now: Instant) -> Result<Done, Unfit> {
        let body = object(request)?;
        if body.get("client_id").is_some_and(|id| id.as_str() != Some(&old.id)) {
            return Err(Unfit::metadata("client-id", "`client_id` must be that of the registration."));
        }
        let told = body.get("client_secret").and_then(Value::as_str);
        if told.is_some_and(|told| !old.has_secret(told)) {
            return Err(Unfit::metadata("secret", "`client_secret` is not the client's; leave it out."));
        }
        let metadata = Metadata::read(&body)?;
        let before = old.enrolled.clone().unwrap_or_default();
        let enrolled = Enrolled { at: before.at, token: before.token, approved: before.approved, ..metadata.enrolled() };
        let (mut client, mut shown) = metadata.client(&old.id, enrolled, self.people)?;
        if client.kind == old.kind && old.secret.is_some() {
            client.secret.clone_from(&old.secret);
            shown = None;
        }
        client.organization.clone_from(&old.organization);
        client.purposes.clone_from(&old.purposes);
        client.certificate.clone_from(&old.certificate);
        let same = client.redirect_uris == old.redirect_uris
            && client.launch_uris == old.launch_uris
            && client.scopes == old.scopes
            && client.method() == old.method()
            && client.name == old.name;
        if !same
            && self.admission != Admission::AtOnce
            && let Some(enrolled) = &mut client.enrolled
        {
            enrolled.approved = None;
        }
        client.vetted = old.vetted && same;
        let client = checked(client)?;
        self.registry.store().replace(client.clone(), now).await?;
        self.registry.refresh().await?;
        let mut told = metadata::told(&client);
        if let Some(secret) = shown {
            told.insert("client_secret".to_owned(), json!(secret));
            told.insert("client_secret_expires_at".to_owned(), json!(0));
        }
        self.managed(&mut told, &client.id, token);
        Ok(Done { status: 200, client: client.id, scope: Some(client.scopes), reason: "client-changed", body: Some(told) })
    }
}

fn checked(client: Client) -> Result<Client, Unfit> {
    client.checked(Reach::Public).map_err(|fault| {
        if fault.fault.contains("redirect URI") { Unfit::redirect(fault.fault) } else { Unfit::metadata("metadata", fault.fault) }
    })
}

/// The body as a JSON object.
fn object(request: &RegistrationRequest<'_>) -> Result<Map<String, Value>, Unfit> {
    let media_type = request.content_type.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    if !media_type.eq_ignore_ascii_case("application/json") {
        return Err(Unfit::metadata("media-type", "Send JSON: `Content-Type: application/json`."));
    }
    match serde_json::from_str(request.body) {
        Ok(Value::Object(body)) => Ok(body),
        _ => Err(Unfit::metadata("json", "The body must be one JSON object.")),
    }
}
