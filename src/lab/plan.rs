//! What a message comes to: records to be written, each with an identity of its own.

use super::mapping::json::Json;
use super::v2::Fault;
use crate::fhir::{Id, Instant, Key, ResourceType};
use serde::Serialize;
use std::fmt;

/// Gives records their ids: the same for the same thing of the same sender, on every node and at every time, and not to be guessed.
#[derive(Clone)]
pub struct Namer {
    key: aws_lc_rs::hmac::Key,
    /// Whose things: the client, so that no sender ever meets the records of another.
    scope: String,
}

impl fmt::Debug for Namer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Namer({})", self.scope)
    }
}

impl Namer {
    /// For the things of a client.
    pub fn new(secret: &[u8], client: &str) -> Self {
        Self { key: aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, secret), scope: client.to_owned() }
    }

    /// The record that stands for this.
    pub fn key(&self, resource_type: ResourceType, identity: &str) -> Key {
        let tag =
            aws_lc_rs::hmac::sign(&self.key, [self.scope.as_str(), resource_type.name(), identity].join("\u{1f}").as_bytes());
        let mut bytes = [0_u8; 16];
        for (into, from) in bytes.iter_mut().zip(tag.as_ref()) {
            *into = *from;
        }
        let id = uuid::Builder::from_custom_bytes(bytes).into_uuid().to_string();
        Key::new(resource_type, Id::parse(&id).unwrap_or_else(Id::random))
    }
}

/// When a result was reported, and how far it had come: what decides which of two versions is the newer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamp {
    /// OBR-22, else MSH-7.
    pub at: Instant,
    /// The FHIR status.
    pub status: String,
}

impl Stamp {
    /// How far a status has come: registered, preliminary, final, corrected.
    pub fn rank(status: &str) -> u8 {
        match status {
            "registered" | "unknown" | "draft" | "active" => 0,
            "partial" => 1,
            "preliminary" => 2,
            "final" | "completed" | "current" => 3,
            _ => 4,
        }
    }
}

/// How a record is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Role {
    /// A result: a newer version takes the place of an older, never the other way; the sender's grant must cover it.
    Result(Stamp),
    /// It goes with this result, and is written when that is; the sender's grant must cover it.
    With(Key),
    /// It stands for somebody or something known elsewhere: made when there is none, never changed.
    Known,
    /// An order: linked where one is on file, else made; changed by the one who made it.
    Order(Option<Stamp>),
    /// What the gateway says of the others.
    Testimony,
}

/// A record to be written.
#[derive(Debug, Clone)]
pub struct Planned {
    /// Under which id, unless one is on file already.
    pub key: Key,
    /// Search conditions (`identifier=system|value`) by which one may be on file already; the first that finds exactly one counts.
    pub known_by: Vec<String>,
    /// How it is written.
    pub role: Role,
    /// The content, with references to the keys of this plan.
    pub content: Json,
}

/// What should be known of a mapping.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum WarningKind {
    /// A code without a standard one beside it.
    UnmappedCode,
    /// A unit that is not UCUM and stands in no table.
    UnmappedUnit,
    /// Something was read otherwise than it stands.
    Lenient,
    /// An order that nobody knows.
    Unsolicited,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Warning {
    /// What kind.
    pub kind: WarningKind,
    /// Where, as in `OBX[3]-3`.
    pub place: String,
    /// The code, unit or word that it is about.
    pub about: String,
    /// In plain words.
    pub text: String,
}

/// The records of a message.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// In the order in which they are written.
    pub records: Vec<Planned>,
    /// What should be known.
    pub warnings: Vec<Warning>,
    /// For each OBX, in order, the record that holds it.
    pub observations: Vec<Key>,
}

impl Plan {
    /// Adds a record, unless there is one of this key; its key.
    pub fn add(&mut self, record: Planned) -> Key {
        let key = record.key.clone();
        if self.records.iter().all(|known| known.key != key) {
            self.records.push(record);
        }
        key
    }

    /// Notes something.
    pub fn warn(&mut self, kind: WarningKind, place: impl fmt::Display, about: &str, text: impl Into<String>) {
        self.warnings.push(Warning { kind, place: place.to_string(), about: about.to_owned(), text: text.into() });
    }

    /// As a transaction, for people to look at.
    pub fn bundle(&self) -> String {
        let entries = self.records.iter().map(|record| {
            let request = Json::object([("method", Json::text("PUT")), ("url", Json::text(&record.key.to_string()))]);
            Json::object([
                ("fullUrl", Json::text(&format!("urn:uuid:{}", record.key.id))),
                ("resource", record.content.clone()),
                ("request", request),
            ])
        });
        let bundle =
            [("resourceType", Json::text("Bundle")), ("type", Json::text("transaction")), ("entry", Json::array(entries))];
        Json::object(bundle).to_string()
    }
}

/// A mapping, or what its sender must correct.
pub type Mapping = Result<Plan, Vec<Fault>>;
