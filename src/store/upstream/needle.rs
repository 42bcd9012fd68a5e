//! What a record must satisfy, everything that depends on other records already looked up.

use crate::disclosure::Taken;
use crate::fhir::search::{Criterion, IndexEntry, IndexValue, ParameterId, holds};
use crate::fhir::{Id, Key};
use std::collections::HashSet;

/// A condition on one record.
#[derive(Debug, Clone)]
pub(super) enum Needle {
    /// On its own values.
    Plain(Criterion),
    /// On what it says beside its references: those by this parameter, or any. Holds only where they are told.
    Spoken(Criterion, Option<ParameterId>),
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
    /// Does it hold of a record of which these references are silent?
    pub(super) fn holds(&self, taken: &Taken, silent: &Silent) -> bool {
        let plain = |criterion: &Criterion| {
            let values = match criterion {
                // Nearly all are, and this is asked of every record that comes.
                Criterion::Match { parameter, .. } => taken.values_of(std::slice::from_ref(&parameter.id)),
                other => {
                    let mut asked = Vec::new();
                    asked_by(other, &mut asked);
                    taken.values_of(&asked)
                }
            };
            holds(criterion, taken.key(), taken.facts.updated, &values).unwrap_or(false)
        };
        match self {
            Self::Plain(criterion) => plain(criterion),
            Self::Spoken(criterion, by) => !silent.is(*by) && plain(criterion),
            Self::Refers(parameter, keys) => referred(taken, &[*parameter]).any(|key| keys.contains(&key)),
            Self::Ids(ids) => ids.contains(&taken.key().id),
            Self::Owner(parameters, owner) => referred(taken, parameters).any(|key| key == *owner),
            Self::Patient(patient) => taken.facts.patients.contains(patient),
            Self::Every(all) => all.iter().all(|one| one.holds(taken, silent)),
            Self::Some(any) => any.iter().any(|one| one.holds(taken, silent)),
            Self::Not(inner) => !inner.holds(taken, silent),
        }
    }
}

impl Needle {
    /// The parameters whose references it listens to; `None` for all of them.
    pub(super) fn listens(&self) -> Vec<Option<ParameterId>> {
        match self {
            Self::Spoken(_, by) => vec![*by],
            Self::Every(all) | Self::Some(all) => all.iter().flat_map(Self::listens).collect(),
            Self::Not(inner) => inner.listens(),
            _ => Vec::new(),
        }
    }
}

/// The references of a record that keep their address alone, because they lead to what the caller may not see (L8, L9).
#[derive(Debug, Default)]
pub(super) struct Silent(pub(super) HashSet<ParameterId>);

impl Silent {
    fn is(&self, by: Option<ParameterId>) -> bool {
        by.map_or(!self.0.is_empty(), |by| self.0.contains(&by))
    }
}

/// The parameters whose values decide a criterion.
fn asked_by(criterion: &Criterion, asked: &mut Vec<ParameterId>) {
    match criterion {
        Criterion::Match { parameter, .. } | Criterion::Missing { parameter, .. } | Criterion::Near { parameter, .. } => {
            asked.push(parameter.id);
        }
        Criterion::Words(id, _) => asked.push(*id),
        Criterion::All(all) | Criterion::Any(all) => all.iter().for_each(|one| asked_by(one, asked)),
        Criterion::Not(inner) => asked_by(inner, asked),
        Criterion::OfEach(each) => each.iter().for_each(|(_, one)| asked_by(one, asked)),
        // The record's own address and time, or other records.
        Criterion::Id(_)
        | Criterion::LastUpdated(_)
        | Criterion::Has { .. }
        | Criterion::Chain { .. }
        | Criterion::Contained { .. } => {}
    }
}

/// The records that this one refers to by some parameters.
pub(super) fn referred(taken: &Taken, by: &[ParameterId]) -> impl Iterator<Item = Key> {
    let keys: Vec<Key> = taken.values_of(by).iter().filter(|entry| by.contains(&entry.parameter)).filter_map(key).collect();
    keys.into_iter()
}

/// The records that this one refers to, each with the parameter.
pub(super) fn references(taken: &Taken) -> impl Iterator<Item = (ParameterId, Key)> {
    taken.values().iter().filter_map(|entry| Some((entry.parameter, key(entry)?)))
}

fn key(entry: &IndexEntry) -> Option<Key> {
    match &entry.value {
        IndexValue::Reference { resource_type, id } => Some(Key::new(*resource_type, Id::parse(id)?)),
        _ => None,
    }
}
