//! One entry of the trail: who did what to whose record, why, and how it ended.

use crate::fhir::{Id, Instant, Key, Outcome, Touched};

/// An entry before it is written. It names, it never quotes: no record content, no usable token.
#[derive(Debug, Clone)]
pub struct Entry {
    /// What happened.
    pub event: Event,
    /// When, as the gateway began to conclude it.
    pub recorded: Instant,
    /// How it ended.
    pub outcome: Outcome,
    /// Machine code of the reason (AuditEvent.outcomeDesc); empty on success.
    pub reason: String,
    /// `X-Request-Id`; entries of one batch share it.
    pub request_id: String,
    /// Who.
    pub agent: Agent,
    /// Whose records were touched; one AuditEvent each.
    pub patients: Vec<Id>,
    /// Which records, where the event names some.
    pub records: Vec<Touched>,
    /// The raw request, for searches and operations.
    pub query: Option<String>,
}

/// The kinds of event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A FHIR interaction: a code of `http://hl7.org/fhir/restful-interaction`.
    Rest(&'static str),
    /// A token was asked for at the token endpoint (ITI-71).
    Token,
    /// The gateway began to serve.
    Start,
    /// The gateway stopped.
    Stop,
    /// Clients or users were changed: a word such as `client-added`.
    Registry(&'static str),
    /// The trail itself was read, exported or verified.
    TrailUse(&'static str),
}

/// Who acted: a person through a client, or a client alone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Agent {
    /// `client_id`; empty when no token was accepted.
    pub client: String,
    /// `iss`
    pub issuer: String,
    /// `sub`
    pub subject: String,
    /// `fhirUser`; present exactly when a person acted.
    pub user: Option<Key>,
    /// Organization acted for.
    pub organization: Option<String>,
    /// Purposes of use.
    pub purposes: Vec<String>,
    /// `jti` of the token.
    pub token_id: Option<String>,
    /// Network address of the client.
    pub address: String,
}
