//! The queue for people: what waits, what is in it, what was decided about it. Nothing leaves it but by being filed or dismissed.

use super::super::Gateway;
use crate::audit::Agent;
use crate::fhir::{Key, Refusal, ResourceType};
use crate::lab::Warning;
use crate::lab::v2::{Charset, Fault, decode};
use crate::store::lab::{Correction, Kept, Listing, State};
use serde::Serialize;

/// A message that was not filed is tried again by the gateway itself after so many seconds.
const OVERDUE: i64 = 2;

/// An open message this old is an alarm.
const ALARM: i64 = 15 * 60;

/// Whether a message that is in this state for so many seconds should long have been seen to. A rejected one is its sender's to mend.
pub fn is_overdue(state: State, age: i64) -> bool {
    state.is_open() && state != State::Rejected && age > ALARM
}

/// Messages of one look.
const AT_ONCE: u32 = 200;

/// One thing that was found in a message.
#[derive(Debug, Clone, Serialize)]
pub struct Finding {
    /// `fault`, or the kind of a warning.
    pub kind: String,
    /// Where, as in `OBX[3]-3`.
    pub place: String,
    /// The code, unit or record that it is about.
    pub about: String,
    /// In plain words.
    pub text: String,
}

/// A message as the queue shows it: no record content.
#[derive(Debug, Clone, Serialize)]
pub struct Queued {
    /// Its id.
    pub id: String,
    /// How far it has come.
    pub state: &'static str,
    /// Why.
    pub reason: String,
    /// Type and event.
    pub kind: String,
    /// Its control id.
    pub control: String,
    /// Client, sending application and facility.
    pub sender: String,
    /// How it came.
    pub door: String,
    /// When it came.
    pub received: String,
    /// How long ago that was.
    pub age_seconds: i64,
    /// Whose records it was filed in.
    pub patients: String,
    /// Who decided or edited last.
    pub editor: String,
    /// How often it was replayed.
    pub replay: u32,
    /// What was found.
    pub findings: serde_json::Value,
}

/// Faults and warnings as they are kept.
pub(super) fn findings(faults: &[Fault], warnings: &[Warning]) -> String {
    let faults = faults.iter().map(|fault| Finding {
        kind: "fault".to_owned(),
        place: fault.place.to_string(),
        about: fault.kind.code().to_owned(),
        text: fault.text.clone(),
    });
    let warnings = warnings.iter().map(|warning| Finding {
        kind: serde_json::to_value(warning.kind).ok().and_then(|kind| kind.as_str().map(str::to_owned)).unwrap_or_default(),
        place: warning.place.clone(),
        about: warning.about.clone(),
        text: warning.text.clone(),
    });
    let all: Vec<Finding> = faults.chain(warnings).take(500).collect();
    serde_json::to_string(&all).unwrap_or_else(|_| "[]".to_owned())
}

impl Gateway {
    fn queued(&self, kept: &Kept) -> Queued {
        Queued {
            id: kept.id.clone(),
            state: kept.state.word(),
            reason: kept.reason.clone(),
            kind: kept.kind.clone(),
            control: kept.control.clone(),
            sender: kept.sender.clone(),
            door: kept.feed.door.clone(),
            received: kept.received.to_string(),
            age_seconds: self.parts.clock.now().seconds() - kept.received.seconds(),
            patients: kept.patients.clone(),
            editor: kept.editor.clone(),
            replay: kept.replay,
            findings: serde_json::from_str(&kept.detail).unwrap_or_default(),
        }
    }

    /// Messages, the oldest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn lab_queue(&self, listing: Listing) -> Result<Vec<Queued>, Refusal> {
        Ok(self.parts.lab.store.list(listing).await?.iter().map(|kept| self.queued(kept)).collect())
    }

    /// A message with its text, which is shown once the trail knows who looks.
    ///
    /// # Errors
    /// [`Refusal::NotFound`]; when the trail cannot be written or the store read.
    pub async fn lab_message(&self, id: &str, by: &str) -> Result<(Queued, String), Refusal> {
        let kept = self.parts.lab.store.message(id).await?.ok_or(Refusal::NotFound)?;
        let entry = Self::lab_entry(desk(by), self.parts.clock.now(), id, &format!("lab show message={id}"));
        let patients = kept.patients.split(' ').filter_map(Key::parse).map(|key| key.id).collect();
        let entry = crate::audit::Entry { patients, ..entry };
        self.parts.trail.append(entry).await.map_err(|_| Refusal::TrailUnavailable)?;
        let text = decode(&kept.content, self.parts.lab.rules.charset)
            .unwrap_or_else(|_| Charset::Latin1.text(&kept.content).unwrap_or_default());
        Ok((self.queued(&kept), text.replace("\r\n", "\n").replace('\r', "\n")))
    }

    /// Notes what a person decided, and files the message anew unless it was dismissed.
    ///
    /// # Errors
    /// [`Refusal::NotFound`]; [`Refusal::Invalid`] for a patient that is none; when nothing can be stored now.
    pub async fn lab_correct(&self, id: &str, correction: Correction) -> Result<Queued, Refusal> {
        if let Some(decided) = &correction.decided {
            for reference in decided.split(' ') {
                let key = Key::parse(reference).filter(|key| key.resource_type == ResourceType::Patient);
                let known = match key {
                    Some(key) => self.parts.store.versions(&[key]).await?.into_iter().flatten().any(|(_, deleted)| !deleted),
                    None => false,
                };
                if !known {
                    let text = format!("`{reference}` is no patient on file; write it like Patient/id");
                    return Err(Refusal::Invalid(vec![crate::fhir::Problem::of("invalid", text)]));
                }
            }
        }
        let dismissed = correction.dismissed.is_some();
        let word = match &correction {
            Correction { dismissed: Some(_), .. } => "dismissed",
            Correction { content: Some(_), .. } => "edited",
            Correction { decided: Some(_), .. } => "patient decided",
            _ => "replayed",
        };
        let now = self.parts.clock.now();
        let mut entry = Self::lab_entry(desk(&correction.editor), now, id, &format!("lab {word} message={id}"));
        let decided = correction.decided.iter().flat_map(|text| text.split(' '));
        entry.patients = decided.filter_map(Key::parse).map(|key| key.id).collect();
        if !self.parts.lab.store.correct(id, correction, now, entry).await? {
            return Err(Refusal::NotFound);
        }
        if !dismissed {
            self.file_message(id).await.map_err(|_| Refusal::StoreUnavailable)?;
        }
        let kept = self.parts.lab.store.message(id).await?.ok_or(Refusal::NotFound)?;
        Ok(self.queued(&kept))
    }

    /// How many messages are in each state, and how old the oldest of it is, in seconds.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn lab_counts(&self) -> Result<Vec<(State, u64, i64)>, Refusal> {
        let now = self.parts.clock.now().seconds();
        let counts = self.parts.lab.store.counts().await?;
        Ok(counts.into_iter().map(|(state, count, oldest)| (state, count, now - oldest.seconds())).collect())
    }

    /// Files what was stored and not filed, because the process ended or the store failed; and tells how the queue stands. To be called
    /// now and then.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn tend_lab(&self) -> Result<(), Refusal> {
        let before = self.parts.clock.now().plus_seconds(-OVERDUE);
        let waiting = Listing { states: vec![State::Received], limit: AT_ONCE, ..Listing::default() };
        for kept in self.parts.lab.store.list(waiting).await?.iter().filter(|kept| kept.updated <= before) {
            if self.file_message(&kept.id).await.is_err() {
                break;
            }
        }
        for (state, count, age) in self.lab_counts().await? {
            gauge("amanat_lab_queue", state, count);
            if state.is_open() {
                gauge("amanat_lab_queue_oldest_seconds", state, u64::try_from(age).unwrap_or(0));
                if is_overdue(state, age) && self.parts.lab.alarms(state, self.parts.clock.now()) {
                    let (code, state) = ("AMANAT-LAB-0002", state.word());
                    tracing::warn!(code, state, count, age, "messages of laboratories wait for a person: `amanat lab queue`");
                }
            }
        }
        Ok(())
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts and seconds are far below 2^52")]
fn gauge(name: &'static str, state: State, value: u64) {
    metrics::gauge!(name, "state" => state.word()).set(value as f64);
}

/// A person at the command line.
fn desk(by: &str) -> Agent {
    Agent { client: "amanat".to_owned(), subject: by.to_owned(), ..Agent::default() }
}
