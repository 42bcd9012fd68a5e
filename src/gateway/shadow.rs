//! A draft policy beside the real one, over a window of the trail: who would gain or lose what (`consent` § 13).

use super::Gateway;
use super::consent::ConsentOffice;
use crate::access::{Caller, Scopes, SignIn};
use crate::audit::{Agent, Entry};
use crate::consent::{ConsentSettings, Labelling, Site};
use crate::disclosure::Marking;
use crate::fhir::json::Document;
use crate::fhir::{Facts, Instant, Key, Marks, Refusal, ResourceType};
use serde::Serialize;
use std::collections::BTreeSet;

/// Entries of the trail read at once.
const BATCH: u32 = 1_000;

/// One who would see something else under the draft.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Shift {
    /// The record; for a search the Patient whose records it found.
    pub record: String,
    /// The user, or else the client.
    pub who: String,
    /// Through which client.
    pub client: String,
    /// For what.
    pub purposes: Vec<String>,
    /// Hidden now and shown under the draft; otherwise the other way round.
    pub gains: bool,
}

/// What would be otherwise. What is not given stays as it is.
#[derive(Debug, Default)]
pub struct Draft {
    /// `[consent]`
    pub settings: Option<ConsentSettings>,
    /// By which rules records are labelled.
    pub labelling: Option<Labelling>,
    /// Consents that would be filed, each as its Consent resource. One with the id of a consent on file takes its place.
    pub consents: Vec<Document>,
}

impl Gateway {
    /// Decides each question of the trail since a moment again, at this moment: once under policy, labels and consents in force, once
    /// under the draft.
    ///
    /// # Errors
    /// [`Refusal::Unprocessable`] for a draft that is no Consent of a patient here; when the store or the trail cannot be read.
    pub async fn shadow(&self, draft: &Draft, since: Instant) -> Result<Vec<Shift>, Refusal> {
        let settings = draft.settings.as_ref().unwrap_or_else(|| self.parts.consent.site().settings());
        let office = ConsentOffice::new(Site::new(settings, &self.parts.base));
        office.load(self.parts.store.as_ref()).await?;
        for (at, consent) in draft.consents.iter().enumerate() {
            office.suppose(consent, at)?;
        }
        let marking =
            draft.labelling.as_ref().map(|labelling| Marking { labelling, base: &self.parts.base, known: self.known() });
        let (now, mut after) = (self.parts.clock.now(), 0);
        let mut asked: BTreeSet<(String, String)> = BTreeSet::new();
        let mut shifts = BTreeSet::new();
        loop {
            let rows = self.parts.ledger.entries(after, BATCH).await.map_err(|_| Refusal::TrailUnavailable)?;
            let Some(last) = rows.last() else { break };
            after = last.seq;
            for row in rows.iter().filter(|row| row.entry.recorded >= since && !row.entry.agent.client.is_empty()) {
                let caller = caller_of(&row.entry.agent, now);
                let name = format!("{:?}", (&caller.client, &caller.user, &caller.organization, &caller.purposes));
                for key in subjects(&row.entry).into_iter().filter(|key| asked.insert((name.clone(), key.to_string()))) {
                    shifts.extend(self.shifted(&office, marking, &caller, &key, now).await?);
                }
            }
        }
        Ok(shifts.into_iter().collect())
    }

    async fn shifted(
        &self,
        draft: &ConsentOffice,
        marking: Option<Marking<'_>>,
        caller: &Caller,
        key: &Key,
        now: Instant,
    ) -> Result<Option<Shift>, Refusal> {
        let Some(facts) = self.parts.store.facts_of(key)? else { return Ok(None) };
        let supposed = match marking {
            Some(marking) => Facts { marks: self.labelled(marking, key).await?, ..facts.clone() },
            None => facts.clone(),
        };
        let look = |key: &Key| self.parts.store.facts_of(key).ok().flatten();
        let decided = |office: &ConsentOffice, facts: &Facts| office.explain(caller, &[], facts, &look, now).permitted;
        let (before, after) = (decided(&self.parts.consent, &facts), decided(draft, &supposed));
        Ok((before != after).then(|| Shift {
            record: key.to_string(),
            who: caller.user.as_ref().map_or_else(|| caller.client.clone(), ToString::to_string),
            client: caller.client.clone(),
            purposes: caller.purposes.clone(),
            gains: after,
        }))
    }
}

impl Gateway {
    /// The marks that a record would have by other rules, all its versions counted.
    async fn labelled(&self, marking: Marking<'_>, key: &Key) -> Result<Marks, Refusal> {
        let mut versions = self.parts.store.all_versions(key).await?;
        versions.reverse();
        marking.chain(&versions)?.pop().ok_or(Refusal::NotFound)
    }
}

/// What an entry was about: its records, and each patient as a whole.
fn subjects(entry: &Entry) -> BTreeSet<Key> {
    let records = entry.records.iter().map(|record| Key::new(record.resource_type, record.id.clone()));
    let patients = entry.patients.iter().map(|id| Key::new(ResourceType::Patient, id.clone()));
    records.chain(patients).collect()
}

/// The caller whom an entry names.
fn caller_of(agent: &Agent, now: Instant) -> Caller {
    Caller {
        issuer: agent.issuer.clone(),
        subject: agent.subject.clone(),
        client: agent.client.clone(),
        user: agent.user.clone(),
        organization: agent.organization.clone(),
        scopes: Scopes::default(),
        patient: None,
        encounter: None,
        purposes: agent.purposes.clone(),
        acr: None,
        token_id: None,
        expires: now,
        sign_in: SignIn::default(),
    }
}
