//! Between decided and sent: an answer whose trail entries are still owed, or paid by the commit that made it.

use super::outcome;
use super::{Answer, HeaderWord, Refused, Released, Visit};
use crate::audit::{Decided, Entry, Event, Receipt, Trail};
use crate::fhir::pretty::pretty;
use crate::fhir::{Id, Key, Outcome, Refusal, Rendering, ResourceType};
use futures_util::future::join_all;

/// An answer that is decided and rendered, and cannot be read before [`release`].
pub struct Pending {
    pub(super) status: u16,
    pub(super) headers: Vec<(HeaderWord, String)>,
    pub(super) body: Vec<u8>,
    pub(super) proof: Proof,
}

/// Whether the trail knows.
pub(super) enum Proof {
    /// These entries must be durable first.
    Owed(Vec<Entry>),
    /// The entry went with the change that is answered.
    Paid(Receipt),
    /// No record is shown: one of the gateway's own public documents.
    Public,
}

impl Pending {
    pub(super) fn owing(status: u16, headers: Vec<(HeaderWord, String)>, body: Vec<u8>, entry: Entry) -> Self {
        Self { status, headers, body, proof: Proof::Owed(vec![entry]) }
    }

    /// One of the gateway's own documents, which holds nothing of any record.
    pub fn public(document: String) -> Self {
        Self { status: 200, headers: Vec::new(), body: document.into_bytes(), proof: Proof::Public }
    }

    /// Tells the entries that are owed on which consents of each patient the disclosure rests. The trail itself is not the patients' to
    /// permit.
    #[must_use]
    pub fn resting_on(mut self, consents: impl Fn(&[Id]) -> Vec<(Id, Vec<Key>)>) -> Self {
        let Proof::Owed(entries) = &mut self.proof else { return self };
        let shows = |entry: &&mut Entry| {
            matches!(entry.event, Event::Rest(_))
                && entry.outcome == Outcome::Success
                && entry.records.iter().any(|one| one.resource_type != ResourceType::AuditEvent)
        };
        for entry in entries.iter_mut().filter(shows) {
            let decided = consents(&entry.patients).into_iter();
            entry.decided = decided.map(|(patient, consents)| Decided { patient, consents }).collect();
        }
        self
    }

    /// HTTP status that this will have.
    pub fn status(&self) -> u16 {
        self.status
    }
}

/// Lets an answer go, once the trail has its entries. If the trail cannot be written, nothing goes.
///
/// # Errors
/// [`Refusal::TrailUnavailable`], as the caller is told it.
pub async fn release(pending: Pending, rendering: &Rendering, visit: &Visit, trail: &dyn Trail) -> Answer {
    match pending.proof {
        Proof::Owed(entries) => {
            // All wait for the same commit; the keeper takes them in this order.
            let receipts = join_all(entries.into_iter().map(|entry| trail.append(entry))).await;
            if receipts.iter().any(Result::is_err) {
                return Err(outcome::refused(&Refusal::TrailUnavailable, visit));
            }
        }
        Proof::Paid(Receipt { .. }) | Proof::Public => {}
    }
    let body = if rendering.pretty { indented(pending.body) } else { pending.body };
    Ok(Released::mint(pending.status, pending.headers, body))
}

/// Refuses, once the trail knows of it. A refusal that cannot be recorded becomes [`Refusal::TrailUnavailable`].
pub async fn refuse(refusal: &Refusal, visit: &Visit, trail: &dyn Trail) -> Refused {
    match trail.append(visit.refused(refusal)).await {
        Ok(_) => outcome::refused(refusal, visit),
        Err(_) => outcome::refused(&Refusal::TrailUnavailable, visit),
    }
}

/// Refuses one of too many requests; in so many seconds there is room again. They tell nothing of any record, and a flood of them must
/// not become a flood of entries: only where `left_out` says how many were not entered before, this one is.
pub async fn throttle(seconds: u32, left_out: Option<u64>, visit: &Visit, trail: &dyn Trail) -> Refused {
    let refusal = Refusal::TooManyRequests(seconds);
    if let Some(left_out) = left_out {
        let mut entry = visit.refused(&refusal);
        if left_out > 0 {
            entry.reason = format!("{} and {left_out} like it before", entry.reason);
        }
        if trail.append(entry).await.is_err() {
            return outcome::refused(&Refusal::TrailUnavailable, visit);
        }
    }
    outcome::refused(&refusal, visit)
}

fn indented(body: Vec<u8>) -> Vec<u8> {
    match String::from_utf8(body) {
        Ok(text) => pretty(&text).into_bytes(),
        Err(error) => error.into_bytes(),
    }
}
