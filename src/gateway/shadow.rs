//! A draft policy beside the real one, over a window of the trail: who would gain or lose what (`consent` § 13).

use super::Gateway;
use super::consent::ConsentOffice;
use crate::access::{Caller, Scopes, SignIn};
use crate::audit::{Agent, Entry};
use crate::consent::{ConsentSettings, Site};
use crate::fhir::{Instant, Key, Refusal, ResourceType};
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

impl Gateway {
    /// Decides each question of the trail since a moment again, at this moment, with the consents on file: once under the policy in
    /// force, once under the draft.
    ///
    /// # Errors
    /// When the store or the trail cannot be read.
    pub async fn shadow(&self, draft: &ConsentSettings, since: Instant) -> Result<Vec<Shift>, Refusal> {
        let office = ConsentOffice::new(Site::new(draft, &self.parts.base));
        office.load(self.parts.store.as_ref()).await?;
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
                    shifts.extend(self.shifted(&office, &caller, &key, now)?);
                }
            }
        }
        Ok(shifts.into_iter().collect())
    }

    fn shifted(&self, draft: &ConsentOffice, caller: &Caller, key: &Key, now: Instant) -> Result<Option<Shift>, Refusal> {
        let Some(facts) = self.parts.store.facts_of(key)? else { return Ok(None) };
        let look = |key: &Key| self.parts.store.facts_of(key).ok().flatten();
        let decided = |office: &ConsentOffice| office.explain(caller, &[], &facts, &look, now).permitted;
        let (before, after) = (decided(&self.parts.consent), decided(draft));
        Ok((before != after).then(|| Shift {
            record: key.to_string(),
            who: caller.user.as_ref().map_or_else(|| caller.client.clone(), ToString::to_string),
            client: caller.client.clone(),
            purposes: caller.purposes.clone(),
            gains: after,
        }))
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
