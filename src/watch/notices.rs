//! Notices of alarms: a signed webhook, a letter, syslog, a file. What could not be delivered is tried again until it is.

use super::follow::Follower;
use super::lines;
use super::pseudonym::Pseudonyms;
use super::target::{Letter, Parcel, Receiver};
use crate::audit::Trail;
use crate::clock::Clock;
use crate::store::evidence::{EvidenceStore, Position};
use crate::store::space::Space;
use crate::store::watch::{Raised, WatchStore};
use serde_json::json;
use std::collections::HashSet;
use std::sync::Arc;

/// Alarms told at once.
const BATCH: u32 = 1_000;

/// What all receivers are told of, and as whom.
pub(super) struct Sources {
    pub(super) evidence: Arc<dyn EvidenceStore>,
    pub(super) store: Arc<dyn WatchStore>,
    pub(super) trail: Arc<dyn Trail>,
    pub(super) space: Space,
    pub(super) clock: Clock,
    pub(super) node: String,
    pub(super) pseudonyms: Arc<Pseudonyms>,
}

impl Sources {
    /// The troubles that the gateway itself can be in, each with what there is to tell of it now. Nothing of this needs the database.
    fn troubles(&self) -> [(&'static str, Option<&'static str>); 2] {
        let spooled = "the database does not take entries of the trail, which wait in the spool";
        [("spool", (self.trail.waiting() > 0).then_some(spooled)), ("disk", self.space.room().told())]
    }

    /// One of them as an alarm.
    fn trouble(&self, trouble: &str, text: &str) -> Raised {
        let at = self.clock.now();
        Raised {
            id: format!("R11-{trouble}-{}-{}", self.node, at.seconds()),
            rule: "R11".to_owned(),
            seq: 0,
            at,
            subject: self.node.clone(),
            patient: String::new(),
            text: text.to_owned(),
            action: "page".to_owned(),
            state: "open".to_owned(),
        }
    }
}

/// Tells one receiver.
pub(super) struct Notices {
    sources: Arc<Sources>,
    name: String,
    receiver: Receiver,
    /// Those of the entry that it stands at that it has told.
    told: HashSet<String>,
    /// The troubles that were told and last.
    troubles: HashSet<&'static str>,
}

impl Notices {
    pub(super) fn new(sources: &Arc<Sources>, name: String, receiver: Receiver) -> Self {
        Self { sources: Arc::clone(sources), name, receiver, told: HashSet::new(), troubles: HashSet::new() }
    }

    /// Tells of each trouble, once for each time that there is one.
    async fn tell_of_troubles(&mut self) -> Result<(), String> {
        for (trouble, text) in self.sources.troubles() {
            match text {
                None => drop(self.troubles.remove(trouble)),
                Some(text) if !self.troubles.contains(trouble) => {
                    self.receiver.send(self.parcel(&self.sources.trouble(trouble, text))).await?;
                    self.troubles.insert(trouble);
                }
                Some(_) => {}
            }
        }
        Ok(())
    }

    async fn tell_of_alarms(&mut self) -> Result<(), String> {
        let Sources { evidence, store, clock, .. } = self.sources.as_ref();
        let failed = |error: crate::store::StoreError| error.to_string();
        let at = evidence.position(&self.name).await.map_err(failed)?.position;
        let alarms = store.alarms_since(at, BATCH).await.map_err(failed)?;
        let new: Vec<&Raised> = alarms.iter().filter(|alarm| !self.told.contains(&alarm.id)).collect();
        let Some(last) = new.last().map(|alarm| alarm.seq) else { return Ok(()) };
        for alarm in &new {
            self.receiver.send(self.parcel(alarm)).await?;
        }
        let ids: Vec<String> = new.iter().filter(|alarm| alarm.seq == last).map(|alarm| alarm.id.clone()).collect();
        if last != at {
            self.told.clear();
        }
        self.told.extend(ids);
        evidence.advance(&self.name, Position { position: last, at: clock.now().0 }).await.map_err(failed)
    }

    fn parcel(&self, alarm: &Raised) -> Parcel {
        let patient = (!alarm.patient.is_empty()).then(|| self.sources.pseudonyms.of(&alarm.patient));
        let id = match &patient {
            Some(pseudonym) => alarm.id.replace(&alarm.patient, pseudonym),
            None => alarm.id.clone(),
        };
        let body = json!({
            "alarm": id, "rule": alarm.rule, "at": alarm.at.to_string(), "entry": alarm.seq, "subject": lines::clean(&alarm.subject),
            "patient": patient, "text": lines::clean(&alarm.text), "action": alarm.action, "node": self.sources.node,
        });
        let text = format!("{} {}: {} ({})", alarm.rule, alarm.subject, alarm.text, alarm.action);
        let message = lines::alarm(alarm.at, &self.sources.node, &alarm.rule, &text);
        let letter = self.letter(alarm, patient.as_deref());
        Parcel { media_type: "application/json", body: format!("{body}\n"), messages: vec![message], letter }
    }

    /// In words, for people; a letter lies about for long, so it names no patient.
    fn letter(&self, alarm: &Raised, patient: Option<&str>) -> Letter {
        let (rule, subject, text) = (&alarm.rule, lines::clean(&alarm.subject), lines::clean(&alarm.text));
        let about = patient.map(|pseudonym| format!("Patient: {pseudonym} (a pseudonym)\n")).unwrap_or_default();
        Letter {
            subject: format!("[Amanat {}] {rule}: {text}", self.sources.node),
            text: format!(
                "{text}\n\nRule: {rule}\nWho: {subject}\n{about}When: {}\nDone: {}\nEntry of the trail: {}\n\nIt waits for a reviewer: amanat audit review list\n",
                alarm.at, alarm.action, alarm.seq
            ),
        }
    }
}

impl Follower for Notices {
    async fn tell(&mut self) -> Result<(), String> {
        // First what can be told without the database.
        self.tell_of_troubles().await?;
        self.tell_of_alarms().await
    }

    fn is_away(&self, error: &str) {
        tracing::error!(code = "AMANAT-ALARM-0002", receiver = self.name, error, "an alarm could not be told");
    }
}
