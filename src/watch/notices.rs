//! Notices of alarms: a signed webhook, a letter, syslog, a file. What could not be delivered is tried again until it is.

use super::lines;
use super::pseudonym::Pseudonyms;
use super::target::{Letter, Parcel, Receiver};
use crate::clock::Clock;
use crate::store::evidence::{EvidenceStore, Position};
use crate::store::watch::{Raised, WatchStore};
use serde_json::json;
use std::collections::HashSet;
use std::sync::Arc;

/// Alarms told at once.
const BATCH: u32 = 1_000;

/// Tells one receiver.
pub(super) struct Notices {
    evidence: Arc<dyn EvidenceStore>,
    store: Arc<dyn WatchStore>,
    clock: Clock,
    node: String,
    name: String,
    receiver: Receiver,
    pseudonyms: Arc<Pseudonyms>,
    /// Those of the entry that it stands at that it has told.
    told: HashSet<String>,
    failing: bool,
    /// The troubles of the gateway that were told and last.
    troubles: HashSet<&'static str>,
}

impl Notices {
    pub(super) fn new(
        evidence: &Arc<dyn EvidenceStore>,
        store: &Arc<dyn WatchStore>,
        clock: &Clock,
        node: &str,
        name: String,
        receiver: Receiver,
        pseudonyms: &Arc<Pseudonyms>,
    ) -> Self {
        Self {
            evidence: Arc::clone(evidence),
            store: Arc::clone(store),
            clock: clock.clone(),
            node: node.to_owned(),
            name,
            receiver,
            pseudonyms: Arc::clone(pseudonyms),
            told: HashSet::new(),
            failing: false,
            troubles: HashSet::new(),
        }
    }

    /// Tells what is new. False when the receiver does not take it now.
    pub(super) async fn tell(&mut self) -> bool {
        match self.attempt().await {
            Ok(()) => {
                self.failing = false;
                true
            }
            Err(error) => {
                if !std::mem::replace(&mut self.failing, true) {
                    tracing::error!(code = "AMANAT-ALARM-0002", receiver = self.name, error, "an alarm could not be told");
                }
                false
            }
        }
    }

    /// Tells that the gateway itself is in trouble, once for each time that it is. Nothing of this needs the database.
    pub(super) async fn tell_of(&mut self, trouble: &'static str, text: Option<&str>) {
        let Some(text) = text else {
            self.troubles.remove(trouble);
            return;
        };
        if self.troubles.contains(trouble) {
            return;
        }
        let alarm = Raised {
            id: format!("R11-{trouble}-{}-{}", self.node, self.clock.now().seconds()),
            rule: "R11".to_owned(),
            seq: 0,
            at: self.clock.now(),
            subject: self.node.clone(),
            patient: String::new(),
            text: text.to_owned(),
            action: "page".to_owned(),
            state: "open".to_owned(),
        };
        match self.receiver.send(self.parcel(&alarm)).await {
            Ok(()) => drop(self.troubles.insert(trouble)),
            Err(error) => {
                tracing::error!(code = "AMANAT-ALARM-0002", receiver = self.name, error, "an alarm could not be told");
            }
        }
    }

    async fn attempt(&mut self) -> Result<(), String> {
        let failed = |error: crate::store::StoreError| error.to_string();
        let at = self.evidence.position(&self.name).await.map_err(failed)?.position;
        let alarms = self.store.alarms_since(at, BATCH).await.map_err(failed)?;
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
        self.evidence.advance(&self.name, Position { position: last, at: self.clock.now().0 }).await.map_err(failed)
    }

    fn parcel(&self, alarm: &Raised) -> Parcel {
        let patient = (!alarm.patient.is_empty()).then(|| self.pseudonyms.of(&alarm.patient));
        let id = match &patient {
            Some(pseudonym) => alarm.id.replace(&alarm.patient, pseudonym),
            None => alarm.id.clone(),
        };
        let body = json!({
            "alarm": id, "rule": alarm.rule, "at": alarm.at.to_string(), "entry": alarm.seq, "subject": lines::clean(&alarm.subject),
            "patient": patient, "text": lines::clean(&alarm.text), "action": alarm.action, "node": self.node,
        });
        let text = format!("{} {}: {} ({})", alarm.rule, alarm.subject, alarm.text, alarm.action);
        let message = lines::alarm(alarm.at, &self.node, &alarm.rule, &text);
        let letter = self.letter(alarm, patient.as_deref());
        Parcel { media_type: "application/json", body: format!("{body}\n"), messages: vec![message], letter }
    }

    /// In words, for people; a letter lies about for long, so it names no patient.
    fn letter(&self, alarm: &Raised, patient: Option<&str>) -> Letter {
        let (rule, subject, text) = (&alarm.rule, lines::clean(&alarm.subject), lines::clean(&alarm.text));
        let about = patient.map(|pseudonym| format!("Patient: {pseudonym} (a pseudonym)\n")).unwrap_or_default();
        Letter {
            subject: format!("[Amanat {}] {rule}: {text}", self.node),
            text: format!(
                "{text}\n\nRule: {rule}\nWho: {subject}\n{about}When: {}\nDone: {}\nEntry of the trail: {}\n\nIt waits for a reviewer: amanat audit review list\n",
                alarm.at, alarm.action, alarm.seq
            ),
        }
    }
}
