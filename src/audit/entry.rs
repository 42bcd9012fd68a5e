//! One entry of the trail: who did what to whose record, why, and how it ended.

use crate::fhir::{Id, Instant, Key, Outcome, Touched};

/// An entry before it is written. It names, it never quotes: no record content, no usable token.
#[derive(Debug, Clone, PartialEq, Eq)]
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
    /// A FHIR interaction: a code of `http://hl7.org/fhir/restful-interaction`, one of [`Event::REST`].
    Rest(&'static str),
    /// A token was asked for at the token endpoint (ITI-71).
    Token,
    /// The gateway began to serve.
    Start,
    /// The gateway stopped.
    Stop,
    /// Clients or users were changed: one of [`Event::REGISTRY`].
    Registry(&'static str),
    /// The trail itself was used: one of [`Event::TRAIL_USE`].
    TrailUse(&'static str),
    /// Emergency access began or ended: one of [`Event::OVERRIDE`].
    Override(&'static str),
    /// A person signed in or out, or allowed an app something: one of [`Event::SIGN_ON`].
    SignOn(&'static str),
}

/// Stands for a word that a later version wrote.
const OTHER: &str = "other";

impl Event {
    /// What [`Event::Rest`] may hold (`http://hl7.org/fhir/restful-interaction`).
    pub const REST: &'static [&'static str] = &[
        "read",
        "vread",
        "update",
        "patch",
        "delete",
        "history-instance",
        "history-type",
        "history-system",
        "create",
        "search",
        "search-type",
        "search-system",
        "capabilities",
        "transaction",
        "batch",
        "operation",
    ];

    /// What [`Event::Registry`] may hold. `-added` reads as a creation, `-removed` as a deletion, everything else as an update.
    pub const REGISTRY: &'static [&'static str] = &[
        "client-added",
        "client-changed",
        "client-disabled",
        "client-enabled",
        "client-removed",
        "user-added",
        "user-changed",
        "user-disabled",
        "user-enabled",
        "user-removed",
        "key-added",
        "key-removed",
        OTHER,
    ];

    /// What [`Event::TrailUse`] may hold.
    pub const TRAIL_USE: &'static [&'static str] = &["read", "searched", "exported", "verified", "proved", OTHER];

    /// What [`Event::Override`] may hold.
    pub const OVERRIDE: &'static [&'static str] = &["started", "ended", "reviewed", "noticed", OTHER];

    /// What [`Event::SignOn`] may hold.
    pub const SIGN_ON: &'static [&'static str] = &["login", "logout", "asked", "authorized", "ended", "introspected", OTHER];

    /// The kind and, where the kind has several, the word: the written form.
    pub const fn words(&self) -> (&'static str, Option<&'static str>) {
        match self {
            Self::Rest(code) => ("rest", Some(code)),
            Self::Token => ("token", None),
            Self::Start => ("start", None),
            Self::Stop => ("stop", None),
            Self::Registry(word) => ("registry", Some(word)),
            Self::TrailUse(word) => ("trail", Some(word)),
            Self::Override(word) => ("override", Some(word)),
            Self::SignOn(word) => ("sign-on", Some(word)),
        }
    }

    /// Reads the written form. A word outside the lists becomes `operation` or `other`; an unknown kind is `None`.
    pub fn from_words(kind: &str, word: &str) -> Option<Self> {
        let known = |words: &'static [&'static str], other| words.iter().copied().find(|&known| known == word).unwrap_or(other);
        Some(match kind {
            "rest" => Self::Rest(known(Self::REST, "operation")),
            "token" => Self::Token,
            "start" => Self::Start,
            "stop" => Self::Stop,
            "registry" => Self::Registry(known(Self::REGISTRY, OTHER)),
            "trail" => Self::TrailUse(known(Self::TRAIL_USE, OTHER)),
            "override" => Self::Override(known(Self::OVERRIDE, OTHER)),
            "sign-on" => Self::SignOn(known(Self::SIGN_ON, OTHER)),
            _ => return None,
        })
    }
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
