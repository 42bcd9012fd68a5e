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
    /// Whose consents the disclosure rests on, and on which; in the order of the patients.
    pub decided: Vec<Decided>,
}

impl Entry {
    /// The reason of an entry that says what is about to be done, before another server is asked to do it.
    pub const OPENED: &'static str = "opened";

    /// Whether this only says what is about to be done. How it ended, and that it was done at all, the entry after it says.
    pub fn is_opening(&self) -> bool {
        matches!(self.event, Event::Rest(_)) && self.reason == Self::OPENED
    }
}

/// The consents of one patient that a disclosure rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decided {
    /// Whose.
    pub patient: Id,
    /// Which.
    pub consents: Vec<Key>,
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
    /// What decides was changed: one of [`Event::POLICY`]. The query holds the hashes before and after, and who approved.
    Policy(&'static str),
    /// The software itself was changed: one of [`Event::SOFTWARE`].
    Software(&'static str),
    /// The trail could not be written any more, or can be again: one of [`Event::RECORDING`].
    Recording(&'static str),
    /// Records leave as files: one of [`Event::EXPORT`].
    Export(&'static str),
    /// A disclosure that no interaction here shows: one of [`Event::DISCLOSURE`].
    Disclosure(&'static str),
    /// Everything was copied, brought back or destroyed: one of [`Event::DATA`].
    Data(&'static str),
    /// The gateway defends itself, or somebody judges what it raised: one of [`Event::GUARD`].
    Guard(&'static str),
    /// An incident is dealt with: one of [`Event::INCIDENT`].
    Incident(&'static str),
}

/// A kind of event that has words, and the words.
pub type Worded = (fn(&'static str) -> Event, &'static [&'static str]);

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
        "role-added",
        "role-changed",
        "role-removed",
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

    /// What [`Event::Policy`] may hold.
    pub const POLICY: &'static [&'static str] = &[
        "configuration-changed",
        "consent-settings-changed",
        "label-rules-changed",
        "policy-changed",
        "key-added",
        "key-rotated",
        "key-removed",
        OTHER,
    ];

    /// What [`Event::Software`] may hold.
    pub const SOFTWARE: &'static [&'static str] = &["updated", OTHER];

    /// What [`Event::Recording`] may hold.
    pub const RECORDING: &'static [&'static str] = &["stopped", "started", OTHER];

    /// What [`Event::Export`] may hold: the job as a whole with its counts, its begin and end, one file offered or taken.
    pub const EXPORT: &'static [&'static str] = &["job", "opened", "closed", "file", "download", OTHER];

    /// What [`Event::Disclosure`] may hold: told at the source, told by whom received it, delivered as a notification, reported by an
    /// upstream system, and a consultation that led to no sharing.
    pub const DISCLOSURE: &'static [&'static str] = &["source", "recipient", "notification", "reported", "none", OTHER];

    /// What [`Event::Data`] may hold.
    pub const DATA: &'static [&'static str] = &["backup", "restored", "erased", "key-destroyed", "expired", OTHER];

    /// What [`Event::Guard`] may hold.
    pub const GUARD: &'static [&'static str] = &[
        "alarm",
        "judged",
        "muted",
        "reviewed",
        "throttled",
        "revoked",
        "suspended",
        "held",
        "write-locked",
        "paused",
        "lifted",
        OTHER,
    ];

    /// What [`Event::Incident`] may hold.
    pub const INCIDENT: &'static [&'static str] =
        &["opened", "scoped", "contained", "notified", "noted", "closed", "suspected", OTHER];

    /// Every kind that has words, with them.
    pub const WORDED: &'static [Worded] = &[
        (Self::Rest, Self::REST),
        (Self::Registry, Self::REGISTRY),
        (Self::TrailUse, Self::TRAIL_USE),
        (Self::Override, Self::OVERRIDE),
        (Self::SignOn, Self::SIGN_ON),
        (Self::Policy, Self::POLICY),
        (Self::Software, Self::SOFTWARE),
        (Self::Recording, Self::RECORDING),
        (Self::Export, Self::EXPORT),
        (Self::Disclosure, Self::DISCLOSURE),
        (Self::Data, Self::DATA),
        (Self::Guard, Self::GUARD),
        (Self::Incident, Self::INCIDENT),
    ];

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
            Self::Policy(word) => ("policy", Some(word)),
            Self::Software(word) => ("software", Some(word)),
            Self::Recording(word) => ("recording", Some(word)),
            Self::Export(word) => ("export", Some(word)),
            Self::Disclosure(word) => ("disclosure", Some(word)),
            Self::Data(word) => ("data", Some(word)),
            Self::Guard(word) => ("guard", Some(word)),
            Self::Incident(word) => ("incident", Some(word)),
        }
    }

    /// Reads the written form. A word outside the lists becomes `operation` or `other`; an unknown kind is `None`.
    pub fn from_words(kind: &str, word: &str) -> Option<Self> {
        match kind {
            "token" => return Some(Self::Token),
            "start" => return Some(Self::Start),
            "stop" => return Some(Self::Stop),
            _ => {}
        }
        let (of, words) = Self::WORDED.iter().find(|(of, _)| of(OTHER).words().0 == kind)?;
        let other = if kind == "rest" { "operation" } else { OTHER };
        Some(of(words.iter().copied().find(|&known| known == word).unwrap_or(other)))
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
