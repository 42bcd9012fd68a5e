//! The circumstances of one request or one bundle entry, for its trail entry.

use crate::audit::{Agent, Entry, Event};
use crate::fhir::{Id, Instant, Outcome, Refusal, Touched};

/// Who came, when, and for what.
#[derive(Debug, Clone)]
pub struct Visit {
    /// `X-Request-Id`
    pub request_id: String,
    /// Who.
    pub agent: Agent,
    /// The interaction's code.
    pub event: &'static str,
    /// The record that the request names, if it names one.
    pub record: Option<Touched>,
    /// The raw request, when the interaction is a search or an operation.
    pub query: Option<String>,
    /// When.
    pub now: Instant,
}

impl Visit {
    /// The entry of a success on these records and patients.
    pub fn concluded(&self, patients: Vec<Id>, records: Vec<Touched>) -> Entry {
        Entry {
            event: Event::Rest(self.event),
            recorded: self.now,
            outcome: Outcome::Success,
            reason: String::new(),
            request_id: self.request_id.clone(),
            agent: self.agent.clone(),
            patients,
            records,
            query: self.query.clone(),
            decided: Vec::new(),
        }
    }

    /// The entry of a refusal.
    pub fn refused(&self, refusal: &Refusal) -> Entry {
        let told = refusal.told();
        Entry {
            outcome: told.outcome,
            reason: told.reason.into_owned(),
            ..self.concluded(Vec::new(), self.record.iter().cloned().collect())
        }
    }
}
