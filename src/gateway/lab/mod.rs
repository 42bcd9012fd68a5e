//! Result intake in its order: known sender, durable, matched, mapped, filed, acknowledged.
//!
//! A message is stored as it came before anything is answered ([`intake`]). Filing it ([`filing`]) writes all its records and a testimony
//! (a Provenance of a name that only this message has) in one commit: whoever files it again, after a crash or beside another, finds
//! the testimony and does nothing. So each result is in the store once, whatever store that is.

mod audience;
mod filing;
mod identity;
mod intake;
mod matching;
mod message;
mod plan;
mod queue;

pub use queue::{Finding, Queued, is_overdue};

use super::Gateway;
use crate::access::{Caller, Permit, Scopes, SignIn, authorize};
use crate::audit::{Agent, Entry, Event};
use crate::disclosure::Visit;
use crate::fhir::{Instant, Interaction, Refusal};
use crate::lab::Namer;
use crate::lab::mapping::Context;
use crate::lab::tables::{Sender, Tables};
use crate::lab::v2::Charset;
use crate::store::lab::{Feed, Kept, LabStore, State};
use arc_swap::ArcSwap;
use jiff::tz::TimeZone;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// What result intake goes by.
#[derive(Debug, Clone)]
pub struct LabRules {
    /// What the site tells about codes, units and senders.
    pub tables: Arc<ArcSwap<Tables>>,
    /// The zone of times without an offset.
    pub zone: TimeZone,
    /// The character set of messages that name none and are not UTF-8.
    pub charset: Charset,
    /// From which score on a patient is taken who has no number in common with the message.
    pub threshold: f64,
    /// Bytes of a message.
    pub message_bytes: usize,
    /// Only senders of the tables may send.
    pub known_senders_only: bool,
    /// Accepted values of MSH-11.
    pub processing: Vec<String>,
    /// Certificates (SHA-256, base64url) and the clients that send with them.
    pub feeds: Vec<(String, String)>,
    /// The client that sends without a certificate, on loopback.
    pub plain_client: Option<String>,
}

/// The parts of result intake.
pub struct Laboratory {
    /// Where messages are kept.
    pub store: Arc<dyn LabStore>,
    /// By what it goes.
    pub rules: LabRules,
    /// Makes ids that nobody can guess, the same on every node.
    pub secret: Vec<u8>,
    /// Who was found behind a certificate, of which generation of the registry, and when: not every message is worth a look at the store.
    known: Mutex<HashMap<Option<String>, (u64, Instant, Feed)>>,
    /// When an alarm of a state was last given.
    alarmed: Mutex<HashMap<&'static str, Instant>>,
}

impl Laboratory {
    /// Of these parts.
    pub fn new(store: Arc<dyn LabStore>, rules: LabRules, secret: Vec<u8>) -> Self {
        Self { store, rules, secret, known: Mutex::default(), alarmed: Mutex::default() }
    }

    /// Whether an alarm of this state is due: one in a quarter of an hour.
    fn alarms(&self, state: State, now: Instant) -> bool {
        let mut alarmed = self.alarmed.lock().unwrap_or_else(PoisonError::into_inner);
        let due = alarmed.get(state.word()).is_none_or(|last| now.0 >= last.plus_seconds(QUIET).0);
        if due {
            alarmed.insert(state.word(), now);
        }
        due
    }

    /// Who was found behind a certificate within the last second, if the registry has not changed since.
    fn known(&self, peer: Option<&str>, generation: u64, now: Instant) -> Option<Feed> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let (of, at, feed) = known.get(&peer.map(str::to_owned))?;
        (*of == generation && now.0 < at.0.saturating_add(KNOWN)).then(|| feed.clone())
    }

    fn note(&self, peer: Option<&str>, generation: u64, now: Instant, feed: Feed) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= CERTIFICATES {
            known.clear();
        }
        known.insert(peer.map(str::to_owned), (generation, now, feed));
    }
}

/// Milliseconds for which a look at the registry holds.
const KNOWN: i64 = 1_000;

/// Seconds between two alarms of the same state.
const QUIET: i64 = 15 * 60;

/// Certificates that are remembered.
const CERTIFICATES: usize = 1_000;

/// The name under which the gateway itself looks and files.
const INTAKE: &str = "amanat-lab-intake";

impl Gateway {
    /// The gateway as whoever looks for patients and files what goes with results: orders, practitioners, testimony. What it finds is
    /// told to no sender.
    fn intake_caller(&self) -> Arc<Caller> {
        Arc::new(Caller {
            issuer: self.parts.base.clone(),
            subject: INTAKE.to_owned(),
            client: INTAKE.to_owned(),
            user: None,
            organization: None,
            scopes: Scopes::parse("system/*.crus"),
            patient: None,
            encounter: None,
            purposes: vec!["TREAT".to_owned()],
            acr: None,
            token_id: None,
            expires: Instant(i64::MAX),
            sign_in: SignIn::default(),
        })
    }

    /// The sender of a message, with what it was granted when the message came.
    fn sending_caller(feed: &Feed) -> Arc<Caller> {
        Arc::new(Caller {
            issuer: feed.issuer.clone(),
            subject: feed.client.clone(),
            client: feed.client.clone(),
            user: None,
            organization: Some(feed.organization.clone()).filter(|text| !text.is_empty()),
            scopes: Scopes::parse(&feed.scope),
            patient: None,
            encounter: None,
            purposes: feed.purposes.clone(),
            acr: None,
            token_id: None,
            expires: Instant(i64::MAX),
            sign_in: SignIn::default(),
        })
    }

    /// What tells a sender from every other: the same client id of two issuers is two clients.
    fn feed_name(&self, feed: &Feed) -> String {
        if feed.issuer == self.parts.tokens.issuer { feed.client.clone() } else { format!("{}@{}", feed.client, feed.issuer) }
    }

    /// A permit of the gateway's own.
    fn own_permit(&self, interaction: Interaction) -> Result<Permit, Refusal> {
        authorize(&self.intake_caller(), interaction)
    }

    /// The circumstances of filing a message, for the trail: its sender did it.
    fn lab_visit(kept: &Kept, event: &'static str, now: Instant) -> Visit {
        let agent = Agent::of(&Self::sending_caller(&kept.feed), kept.feed.address.clone());
        let query = Some(format!("lab {} {} message={}", kept.feed.door, kept.kind, kept.id));
        Visit { request_id: kept.id.clone(), agent, event, record: None, query, now }
    }

    /// An entry about a message: it came, or a person did something about it.
    fn lab_entry(agent: Agent, now: Instant, id: &str, asked: &str) -> Entry {
        Entry::concluded(Event::Rest("operation"), agent, now, id).asking(asked)
    }

    /// Goes by other tables from now on; messages that are being filed end by those that they began with.
    pub fn lab_tables(&self, tables: Tables) {
        self.parts.lab.rules.tables.store(Arc::new(tables));
    }

    /// What a mapping goes by for this message.
    fn lab_context(&self, kept: &Kept, sender: Sender) -> Context {
        let lab = &self.parts.lab;
        Context {
            tables: lab.rules.tables.load_full(),
            sender,
            zone: lab.rules.zone.clone(),
            namer: Namer::new(&lab.secret, &self.feed_name(&kept.feed)),
            message: kept.id.clone(),
            replay: kept.replay,
            received: kept.received,
        }
    }
}
