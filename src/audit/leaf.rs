//! The written form of an entry: what is hashed, kept and proved.
//!
//! A leaf is canonical JSON (RFC 8785: members sorted, one way to write each value). What is empty is left out.

use super::canonical::{self, Members};
use super::{Agent, Decided, Entry, Event};
use crate::fhir::json::{Document, Element};
use crate::fhir::{Id, Instant, Key, Outcome, ResourceType, Touched, Version};
use std::fmt::Write as _;

/// The format of leaves, in the member `v`.
const FORMAT: i64 = 1;

/// A leaf, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaf {
    /// Its place in the chain.
    pub seq: i64,
    /// The node that wrote it.
    pub node: String,
    /// The hash of the leaf before it.
    pub previous: [u8; 32],
    /// What it tells.
    pub entry: Entry,
}

/// A leaf that cannot be read. The text names the member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the leaf cannot be read: {0}")]
pub struct LeafError(pub &'static str);

/// Writes the leaf of an entry at its place.
pub(super) fn encode(entry: &Entry, seq: i64, node: &str, previous: &[u8; 32]) -> String {
    let mut out = String::with_capacity(640 + entry.query.as_ref().map_or(0, String::len) + 40 * entry.records.len());
    let mut leaf = Members::open(&mut out);
    agent(&entry.agent, leaf.name("agent"));
    leaf.list("decided", &entry.decided, decided);
    event(&entry.event, leaf.name("event"));
    leaf.text("node", node);
    leaf.text("outcome", entry.outcome.code());
    leaf.list("patients", &entry.patients, |id, out| canonical::string(id.as_str(), out));
    let hash = leaf.name("prev_hash");
    hash.push('"');
    canonical::hex(previous, hash);
    hash.push('"');
    if let Some(query) = &entry.query {
        leaf.text("query", query);
    }
    leaf.filled("reason", &entry.reason);
    let recorded = leaf.name("recorded");
    recorded.push('"');
    entry.recorded.write_to(recorded);
    recorded.push('"');
    leaf.list("records", &entry.records, touched);
    leaf.filled("request_id", &entry.request_id);
    leaf.name("seq").push_str(&seq.to_string());
    leaf.name("v").push_str(&FORMAT.to_string());
    leaf.close();
    out
}

fn agent(agent: &Agent, out: &mut String) {
    let mut members = Members::open(out);
    members.filled("address", &agent.address);
    members.filled("client", &agent.client);
    members.filled("issuer", &agent.issuer);
    if let Some(organization) = &agent.organization {
        members.text("organization", organization);
    }
    members.list("purposes", &agent.purposes, |purpose, out| canonical::string(purpose, out));
    members.filled("subject", &agent.subject);
    if let Some(id) = &agent.token_id {
        members.text("token_id", id);
    }
    if let Some(user) = &agent.user {
        let _ = write!(members.name("user"), "\"{user}\"");
    }
    members.close();
}

fn event(event: &Event, out: &mut String) {
    let (kind, word) = event.words();
    let mut members = Members::open(out);
    members.text("kind", kind);
    if let Some(word) = word {
        members.text("word", word);
    }
    members.close();
}

fn decided(decided: &Decided, out: &mut String) {
    let mut members = Members::open(out);
    members.list("consents", &decided.consents, |key, out| canonical::string(&key.to_string(), out));
    members.text("patient", decided.patient.as_str());
    members.close();
}

/// Types and ids hold nothing that would need an escape.
fn touched(record: &Touched, out: &mut String) {
    for part in ["\"", record.resource_type.name(), "/", record.id.as_str()] {
        out.push_str(part);
    }
    if let Some(version) = record.version {
        out.push_str("/_history/");
        out.push_str(&version.0.to_string());
    }
    out.push('"');
}

impl Leaf {
    /// Reads a leaf.
    ///
    /// # Errors
    /// [`LeafError`] for what is not JSON, lacks a member, or holds a value of the wrong form.
    pub fn decode(leaf: &[u8]) -> Result<Self, LeafError> {
        let document = Document::parse(leaf).map_err(|_| LeafError("not JSON"))?;
        let root = document.root();
        let place = Place::read(root)?;
        let entry = Entry {
            event: read_event(root).ok_or(LeafError("event"))?,
            recorded: root.text_at("recorded").and_then(|text| Instant::parse(&text)).ok_or(LeafError("recorded"))?,
            outcome: root.text_at("outcome").and_then(|code| outcome(&code)).ok_or(LeafError("outcome"))?,
            reason: text(root, "reason"),
            request_id: text(root, "request_id"),
            agent: read_agent(root.get("agent").ok_or(LeafError("agent"))?)?,
            patients: list(root, "patients", Id::parse).ok_or(LeafError("patients"))?,
            records: list(root, "records", read_touched).ok_or(LeafError("records"))?,
            query: optional(root, "query"),
            decided: read_decided(root).ok_or(LeafError("decided"))?,
        };
        Ok(Self { seq: place.seq, node: text(root, "node"), previous: place.previous, entry })
    }
}

/// What links a leaf to the one before.
pub(super) struct Place {
    pub(super) seq: i64,
    pub(super) previous: [u8; 32],
}

impl Place {
    pub(super) fn of(leaf: &[u8]) -> Option<Self> {
        Self::read(Document::parse(leaf).ok()?.root()).ok()
    }

    fn read(root: Element<'_>) -> Result<Self, LeafError> {
        let number = |name| root.get(name).and_then(Element::number_text).and_then(|digits| digits.parse::<i64>().ok());
        if number("v") != Some(FORMAT) {
            return Err(LeafError("v"));
        }
        let previous = root.text_at("prev_hash").and_then(|text| canonical::unhex(&text)).ok_or(LeafError("prev_hash"))?;
        Ok(Self { seq: number("seq").ok_or(LeafError("seq"))?, previous })
    }
}

fn optional(element: Element<'_>, name: &str) -> Option<String> {
    element.text_at(name).map(std::borrow::Cow::into_owned)
}

fn text(element: Element<'_>, name: &str) -> String {
    optional(element, name).unwrap_or_default()
}

/// `None` when an item has the wrong form; an absent list is empty.
fn list<T>(element: Element<'_>, name: &str, read: impl Fn(&str) -> Option<T>) -> Option<Vec<T>> {
    let Some(list) = element.get(name) else { return Some(Vec::new()) };
    list.items().map(|item| item.as_str().and_then(|text| read(&text))).collect()
}

fn read_decided(root: Element<'_>) -> Option<Vec<Decided>> {
    let Some(list) = root.get("decided") else { return Some(Vec::new()) };
    let one = |item: Element<'_>| {
        let patient = item.text_at("patient").and_then(|id| Id::parse(&id))?;
        Some(Decided { patient, consents: self::list(item, "consents", Key::parse)? })
    };
    list.items().map(one).collect()
}

fn read_event(root: Element<'_>) -> Option<Event> {
    let event = root.get("event")?;
    Event::from_words(&text(event, "kind"), &text(event, "word"))
}

fn read_agent(agent: Element<'_>) -> Result<Agent, LeafError> {
    let user = match agent.text_at("user") {
        Some(user) => Some(Key::parse(&user).ok_or(LeafError("agent.user"))?),
        None => None,
    };
    Ok(Agent {
        client: text(agent, "client"),
        issuer: text(agent, "issuer"),
        subject: text(agent, "subject"),
        user,
        organization: optional(agent, "organization"),
        purposes: list(agent, "purposes", |text| Some(text.to_owned())).ok_or(LeafError("agent.purposes"))?,
        token_id: optional(agent, "token_id"),
        address: text(agent, "address"),
    })
}

fn read_touched(text: &str) -> Option<Touched> {
    let (address, version) = match text.split_once("/_history/") {
        Some((address, version)) => (address, Some(Version(version.parse().ok()?))),
        None => (text, None),
    };
    let (name, id) = address.split_once('/')?;
    Some(Touched { resource_type: ResourceType::parse(name)?, id: Id::parse(id)?, version })
}

fn outcome(code: &str) -> Option<Outcome> {
    [Outcome::Success, Outcome::Minor, Outcome::Serious, Outcome::Major].into_iter().find(|outcome| outcome.code() == code)
}

#[cfg(test)]
mod tests {
    use super::super::samples::entries;
    use super::{Leaf, LeafError, encode};
    use proptest::prelude::*;
    use serde_json::Value;

    /// Canonical form by the general rule, from a tree: sorted members, shortest escapes, integers as they are.
    fn canonical(value: &Value) -> String {
        match value {
            Value::Object(members) => {
                let mut names: Vec<_> = members.keys().collect();
                names.sort_by_key(|name| name.encode_utf16().collect::<Vec<_>>());
                let members = names.iter().map(|name| format!("{}:{}", Value::from(name.as_str()), canonical(&members[*name])));
                format!("{{{}}}", members.collect::<Vec<_>>().join(","))
            }
            Value::Array(items) => format!("[{}]", items.iter().map(canonical).collect::<Vec<_>>().join(",")),
            other => other.to_string(),
        }
    }

    proptest! {
        #[test]
        fn a_leaf_is_canonical_and_reads_back(entry in entries(), seq in 1..1_i64 << 53, previous: [u8; 32]) {
            let leaf = encode(&entry, seq, "n1", &previous);
            prop_assert_eq!(&canonical(&serde_json::from_str(&leaf).unwrap()), &leaf);
            prop_assert_eq!(Leaf::decode(leaf.as_bytes()), Ok(Leaf { seq, node: "n1".into(), previous, entry }));
        }
    }

    #[test]
    fn a_leaf_that_lacks_something_says_what() {
        let entry = super::super::samples::read("p1");
        let leaf = encode(&entry, 1, "n1", &[0; 32]);
        for (from, to, what) in [
            ("\"v\":1", "\"v\":2", "v"),
            ("\"seq\":1", "\"seq\":\"1\"", "seq"),
            ("\"outcome\":\"0\"", "\"outcome\":\"1\"", "outcome"),
            ("\"patients\":[\"p1\"]", "\"patients\":[\"p 1\"]", "patients"),
            ("\"prev_hash\":\"00", "\"prev_hash\":\"0", "prev_hash"),
        ] {
            let damaged = leaf.replacen(from, to, 1);
            assert_ne!(damaged, leaf);
            assert_eq!(Leaf::decode(damaged.as_bytes()), Err(LeafError(what)));
        }
        assert_eq!(Leaf::decode(b"{"), Err(LeafError("not JSON")));
    }
}
