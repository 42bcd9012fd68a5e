//! What a record must satisfy, everything that depends on other records already looked up.

use crate::disclosure::Taken;
use crate::fhir::search::{Criterion, IndexValue, ParameterId, holds};
use crate::fhir::{Id, Key};
use std::collections::HashSet;

/// A condition on one record.
#[derive(Debug, Clone)]
pub(super) enum Needle {
    /// On its own values.
    Plain(Criterion),
    /// By the parameter it refers to one of these.
    Refers(ParameterId, HashSet<Key>),
    /// Its id is one of these.
    Ids(HashSet<Id>),
    /// By one of the parameters it refers to the owner of a compartment.
    Owner(Vec<ParameterId>, Key),
    /// It belongs to the patient.
    Patient(Id),
    /// All of these hold.
    Every(Vec<Needle>),
    /// Any of these holds.
    Some(Vec<Needle>),
    /// This one does not.
    Not(Box<Needle>),
}

impl Needle {
    /// Does it hold?
    pub(super) fn holds(&self, taken: &Taken) -> bool {
        match self {
            Self::Plain(criterion) => holds(criterion, taken.key(), taken.facts.updated, taken.values()).unwrap_or(false),
            Self::Refers(parameter, keys) => referred(taken, |id| id == *parameter).any(|key| keys.contains(&key)),
            Self::Ids(ids) => ids.contains(&taken.key().id),
            Self::Owner(parameters, owner) => referred(taken, |id| parameters.contains(&id)).any(|key| key == *owner),
            Self::Patient(patient) => taken.facts.patients.contains(patient),
            Self::Every(all) => all.iter().all(|one| one.holds(taken)),
            Self::Some(any) => any.iter().any(|one| one.holds(taken)),
            Self::Not(inner) => !inner.holds(taken),
        }
    }
}

/// The records that this one refers to by some parameters.
pub(super) fn referred(taken: &Taken, by: impl Fn(ParameterId) -> bool) -> impl Iterator<Item = Key> {
    taken.values().iter().filter(move |entry| by(entry.parameter)).filter_map(|entry| match &entry.value {
        IndexValue::Reference { resource_type, id } => Some(Key::new(*resource_type, Id::parse(id)?)),
        _ => None,
    })
}
