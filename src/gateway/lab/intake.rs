//! A message at the door: who sends it, is it one, has it come before. Then it is durable, and only then answered.

use super::super::space::Found;
use super::{Gateway, LabRules};
use crate::access::Caller;
use crate::audit::Agent;
use crate::fhir::Instant;
use crate::identity::Registrations as _;
use crate::lab::acknowledge::{Header, Mode, Verdict, acknowledgement};
use crate::lab::mapping::Matter;
use crate::lab::mllp::{Arrival, Door, Intake, Intaking, Taken, Trouble};
use crate::lab::tables::Sender;
use crate::lab::v2::{Charset, Fault, FaultKind, Message, moment};
use crate::store::lab::{Feed, Kept, State};
use aws_lc_rs::digest::{SHA256, digest};
use std::time::Duration;

/// How long is waited before a message that could not be filed now is filed again, before its sender must send it again.
const AGAIN: [Duration; 3] = [Duration::from_millis(20), Duration::from_millis(80), Duration::from_millis(200)];

/// A message as far as it could be read before anything was decided.
pub(super) struct Looked {
    pub(super) header: Header,
    pub(super) message: Result<Message, Fault>,
    pub(super) sender: Sender,
}

/// Reads a message with what is told about its sender.
pub(super) fn look(bytes: &[u8], client: &str, rules: &LabRules) -> Looked {
    let read = |charset| Message::read(bytes, charset);
    let mut message = read(rules.charset);
    let named = |message: &Message| {
        let text = |field: usize| message.header(field).component(1).text();
        rules.tables.load().sender(client, &text(3), &text(4)).cloned()
    };
    let sender = message.as_ref().ok().and_then(named);
    if let Some(charset) = sender.as_ref().and_then(|sender| sender.charset).filter(|charset| *charset != rules.charset) {
        message = read(charset);
    }
    let header = message.as_ref().map_or_else(|_| Header::guessed(bytes), Header::of);
    Looked { header, message, sender: sender.unwrap_or_default() }
}

/// Whether a message is one that is taken from this sender, before its content is looked at.
pub(super) fn acceptable(message: &Message, client: &str, sender: &Sender, rules: &LabRules) -> Result<Matter, Fault> {
    if !message.header(10).is_valued() {
        let text = "the message control id is missing: without it the message cannot be told from others";
        return Err(Fault::at(FaultKind::Missing, "MSH", 10, text));
    }
    let version = message.header(12).component(1).text();
    if !version.is_empty() && !version.starts_with("2.") {
        return Err(Fault::at(FaultKind::Version, "MSH", 12, format!("version `{version}` is not taken; 2.1 to 2.9 are")));
    }
    let processing = message.header(11).component(1).text();
    if !processing.is_empty() && !rules.processing.contains(&processing) {
        return Err(Fault::at(FaultKind::ProcessingId, "MSH", 11, format!("processing id `{processing}` is not taken here")));
    }
    let text = |field: usize| message.header(field).component(1).text();
    if rules.known_senders_only && rules.tables.load().sender(client, &text(3), &text(4)).is_none() {
        let text = format!("this site does not know the sender `{}|{}`", text(3), text(4));
        return Err(Fault::at(FaultKind::MessageType, "MSH", 3, text));
    }
    let kind = message.kind();
    if !sender.kinds.is_empty() && !sender.kinds.contains(&kind) {
        return Err(Fault::at(FaultKind::MessageType, "MSH", 9, format!("`{kind}` is not taken from this sender")));
    }
    Matter::of(message)
}

impl Gateway {
    /// The sender behind a certificate, or the one that needs none; `None` when nobody may send so.
    async fn feed_of(&self, peer: Option<&str>) -> Result<Option<Feed>, Trouble> {
        let (rules, registry) = (&self.parts.lab.rules, &self.parts.tokens.registry);
        let (generation, now) = (registry.generation(), self.parts.clock.now());
        if let Some(known) = self.parts.lab.known(peer, generation, now) {
            return Ok(Some(known));
        }
        let clients = registry.store().list().await.map_err(|_| Trouble)?;
        let named = match peer {
            Some(peer) => rules.feeds.iter().find(|(certificate, _)| certificate == peer).map(|(_, client)| client.as_str()),
            None => rules.plain_client.as_deref(),
        };
        let own = |client: &&crate::smart::Client| match (named, peer) {
            (Some(name), _) => client.id == name,
            (None, Some(peer)) => client.certificate.as_deref() == Some(peer),
            (None, None) => false,
        };
        let found = clients.iter().find(own).filter(|client| !client.disabled && client.issuer.is_none());
        let feed = found.map(|client| Feed {
            client: client.id.clone(),
            issuer: self.parts.tokens.issuer.clone(),
            scope: client.scopes.clone(),
            organization: client.organization.clone().unwrap_or_default(),
            purposes: client.purposes.clone(),
            ..Feed::default()
        });
        if let Some(feed) = &feed {
            self.parts.lab.note(peer, generation, now, feed.clone());
        }
        Ok(feed)
    }

    /// The sender that a token names.
    pub(super) fn feed_of_caller(caller: &Caller) -> Feed {
        Feed {
            client: caller.client.clone(),
            issuer: caller.issuer.clone(),
            scope: caller.scopes.text.clone(),
            organization: caller.organization.clone().unwrap_or_default(),
            purposes: caller.purposes.clone(),
            ..Feed::default()
        }
    }

    /// Makes an HL7 v2 message durable and says what to answer at once.
    pub(super) async fn take_v2(&self, feed: Feed, door: Door, arrival: Arrival) -> Result<Taken, Trouble> {
        let rules = &self.parts.lab.rules;
        let looked = look(&arrival.bytes, &feed.client, rules);
        let judged = match &looked.message {
            _ if arrival.too_large => {
                Err(Fault::of(FaultKind::Application, format!("larger than {} bytes; send it in parts", rules.message_bytes)))
            }
            Ok(message) => acceptable(message, &feed.client, &looked.sender, rules).map(drop),
            Err(fault) => Err(fault.clone()),
        };
        let mode =
            looked.message.as_ref().map_or(Mode::Original, |message| Mode::of(message, looked.sender.acknowledge_to_the_letter));
        let feed = Feed { door: door.word().to_owned(), address: arrival.address, ..feed };
        let mut kept = self.fresh(feed, &looked, arrival.bytes);
        let verdict = judged.as_ref().map_or_else(
            |fault| if arrival.too_large { Verdict::Rejected } else { Verdict::on(std::slice::from_ref(fault)) },
            |()| Verdict::Accepted,
        );
        let faults: Vec<Fault> = judged.err().into_iter().collect();
        let accept = match mode {
            Mode::Original => verdict != Verdict::Accepted,
            Mode::Enhanced { accept, .. } => accept.wants(verdict == Verdict::Accepted),
        };
        if accept {
            let code = verdict.code(mode != Mode::Original);
            let text = faults.first().map(|fault| fault.text.clone()).unwrap_or_default();
            kept.reply = Some(acknowledgement(&looked.header, code, &faults, &text, &number(&kept.id, 'C'), kept.received));
        }
        if let Some(fault) = faults.first() {
            kept.state = if verdict == Verdict::Rejected { State::Rejected } else { State::Failed };
            kept.reason = if arrival.too_large { "too-large" } else { reason(fault) }.to_owned();
            kept.detail = super::queue::findings(&faults, &[]);
        }
        self.keep_message(kept).await
    }

    /// Stores a message, or finds it stored before: then what was answered is answered again.
    async fn keep_message(&self, kept: Kept) -> Result<Taken, Trouble> {
        let agent = Agent::of(&Self::sending_caller(&kept.feed), kept.feed.address.clone());
        let asked = format!("lab received {} control={} message={}", kept.kind, kept.control, kept.id);
        let mut entry = Self::lab_entry(agent, kept.received, &kept.id, &asked);
        if matches!(kept.state, State::Rejected | State::Failed) {
            entry.outcome = crate::fhir::Outcome::Minor;
            entry.reason = format!("lab:{}", kept.reason);
        }
        let (id, open, reply) = (kept.id.clone(), kept.state == State::Received, kept.reply.clone());
        let known = self.parts.lab.store.receive(kept, entry).await.map_err(|error| {
            tracing::error!(%error, "a message of a laboratory could not be stored; it is not acknowledged");
            Trouble
        })?;
        metrics::counter!("amanat_lab_messages_total", "known" => if known.is_some() { "yes" } else { "no" }).increment(1);
        let Some(known) = known else { return Ok(Taken { reply, filing: open.then_some(id) }) };
        let ended = !matches!(known.state, State::Received | State::Failed | State::Rejected);
        let accepted = known.reply.as_deref().is_some_and(is_positive);
        Ok(match (ended, open) {
            // What was refused and is refused again.
            (false, false) if !accepted => Taken { reply: known.reply.or(reply), filing: None },
            (false, false) => Taken { reply, filing: None },
            // A sender that sends again what was refused has it looked at again: the site may have mended its tables.
            (false, true) => Taken { reply: if accepted { known.reply } else { reply }, filing: Some(known.id) },
            (true, _) => Taken { reply: known.reply.filter(|_| accepted || known.answer.is_none()), filing: Some(known.id) },
        })
    }

    fn fresh(&self, feed: Feed, looked: &Looked, bytes: Vec<u8>) -> Kept {
        let received = self.parts.clock.now();
        let text =
            |field: usize| looked.message.as_ref().map(|message| message.header(field).component(1).text()).unwrap_or_default();
        let zone = looked.sender.zone.as_ref().unwrap_or(&self.parts.lab.rules.zone);
        let sent = moment(&text(7), zone).map_or(received, |sent| sent.instant);
        let sender = [self.feed_name(&feed).as_str(), &text(3), &text(4)].join("|");
        let kind = looked.message.as_ref().map(Message::kind).unwrap_or_default();
        blank(
            feed,
            sender,
            looked.message.as_ref().map(|message| message.header(10).text()).unwrap_or_default(),
            kind,
            sent,
            received,
            bytes,
        )
    }

    /// The same for a FHIR message, which is judged by who reads it.
    pub(super) async fn take_fhir(
        &self,
        feed: Feed,
        said: (String, String, String),
        sent: Instant,
        bytes: Vec<u8>,
    ) -> Result<Taken, Trouble> {
        let (source, control, event) = said;
        let sender = [self.feed_name(&feed).as_str(), &source, ""].join("|");
        let feed = Feed { door: Door::Fhir.word().to_owned(), ..feed };
        self.keep_message(blank(feed, sender, control, format!("FHIR^{event}"), sent, self.parts.clock.now(), bytes)).await
    }
}

fn blank(feed: Feed, sender: String, control: String, kind: String, sent: Instant, received: Instant, bytes: Vec<u8>) -> Kept {
    Kept {
        id: uuid::Uuid::now_v7().to_string(),
        sender,
        control,
        digest: digest(&SHA256, &bytes).as_ref().to_vec(),
        feed,
        kind,
        sent,
        received,
        updated: received,
        state: State::Received,
        reason: String::new(),
        detail: "[]".to_owned(),
        patients: String::new(),
        decided: String::new(),
        editor: String::new(),
        replay: 0,
        reply: None,
        answer: None,
        content: bytes,
        original: None,
    }
}

/// Whether an acknowledgement accepts.
fn is_positive(acknowledgement: &[u8]) -> bool {
    let read = Message::read(acknowledgement, Charset::Latin1).ok();
    let code = read.as_ref().and_then(|read| read.first("MSA")).map(|msa| msa.field(1).text());
    code.and_then(|code| Verdict::parse(&code)) == Some(Verdict::Accepted)
}

/// The control id of an acknowledgement: the same each time that it is made.
pub(super) fn number(id: &str, mark: char) -> String {
    let digits: String = id.chars().filter(char::is_ascii_alphanumeric).collect();
    let tail = digits.len().saturating_sub(19);
    format!("{mark}{}", digits.get(tail..).unwrap_or_default())
}

/// The machine code of a fault, for the queue.
pub(super) fn reason(fault: &Fault) -> &'static str {
    match fault.kind {
        FaultKind::MessageType | FaultKind::EventCode => "message-type",
        FaultKind::Version => "version",
        FaultKind::ProcessingId => "processing-id",
        FaultKind::Application => "not-allowed",
        FaultKind::Table | FaultKind::DataType if fault.place.field == 18 => "charset",
        _ => "syntax",
    }
}

impl Intake for Gateway {
    fn knows<'a>(&'a self, peer: Option<&'a str>) -> Intaking<'a, bool> {
        Box::pin(async move { Ok(self.feed_of(peer).await?.is_some()) })
    }

    fn take(&self, arrival: Arrival) -> Intaking<'_, Taken> {
        Box::pin(async move {
            // Again for each message: the client may have been disabled since the connection was made.
            let feed = self.feed_of(arrival.peer.as_deref()).await?.ok_or(Trouble)?;
            // Not taken is better than taken and stuck: the sender keeps it and sends it again.
            if !self.parts.restrictions.takes_from(&feed.client, &arrival.address, self.parts.clock.now()) {
                tracing::warn!(client = feed.client, "a message of a laboratory is not taken: its sender is locked out");
                return Err(Trouble);
            }
            self.demand_room(&Found::default()).map_err(|_| Trouble)?;
            self.take_v2(feed, Door::Mllp, arrival).await
        })
    }

    fn file<'a>(&'a self, message: &'a str) -> Intaking<'a, Option<Vec<u8>>> {
        Box::pin(async move {
            // Two of the same at the same moment, on two connections or nodes: whoever comes second finds it filed.
            for pause in AGAIN {
                if let Ok(answer) = self.file_message(message).await {
                    return Ok(answer);
                }
                tokio::time::sleep(pause).await;
            }
            self.file_message(message).await
        })
    }
}
