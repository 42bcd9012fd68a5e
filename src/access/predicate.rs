//! Which rows a caller may touch, as data: decided on facts here, compiled into SQL by a store.

use super::Verdicts;
use super::formula::{Formula, decided, joined};
use crate::fhir::search::{Criterion, IndexEntry};
use crate::fhir::{Facts, Id, Key};
use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::sync::Arc;

/// A condition on a record's facts and index values.
#[derive(Debug, Clone)]
pub enum Predicate {
    /// Every row.
    All,
    /// No row.
    None,
    /// All of these.
    And(Vec<Predicate>),
    /// Any of these.
    Or(Vec<Predicate>),
    /// The record lies in this patient's compartment.
    Patient(Id),
    /// The record belongs to no patient.
    WithoutPatient,
    /// The constraint of a granular scope: all of these hold.
    Criteria(Arc<[Criterion]>),
    /// Each patient of the record is permitted (a record without patient passes).
    EveryPatient(Verdicts),
}

/// A record as a predicate sees it. Index values are computed when a criterion asks for them, and once.
pub struct Look<'r> {
    facts: &'r Facts,
    values: OnceCell<Vec<IndexEntry>>,
    compute: Option<&'r dyn Fn() -> Vec<IndexEntry>>,
}

impl<'r> Look<'r> {
    /// A look at a record with these facts, whose index values `compute` gives.
    pub fn new(facts: &'r Facts, compute: &'r dyn Fn() -> Vec<IndexEntry>) -> Self {
        Self { facts, values: OnceCell::new(), compute: Some(compute) }
    }

    /// A look at a version that has no index values (a superseded one, a deletion): a condition on values does not hold for it.
    pub fn without_values(facts: &'r Facts) -> Self {
        Self { facts, values: OnceCell::new(), compute: None }
    }

    /// The facts.
    pub fn facts(&self) -> &'r Facts {
        self.facts
    }

    fn values(&self) -> Option<&[IndexEntry]> {
        self.compute.map(|compute| self.values.get_or_init(compute).as_slice())
    }
}

impl Predicate {
    /// Both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        joined(self, other, true)
    }

    /// Either.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        joined(self, other, false)
    }

    /// Whether the patients say more than this many different things.
    pub fn says_much(&self, most: usize) -> bool {
        match self {
            Self::And(parts) | Self::Or(parts) => parts.iter().any(|one| one.says_much(most)),
            Self::EveryPatient(verdicts) => verdicts.groups().len() > most,
            _ => false,
        }
    }

    /// What the patients say, and nothing else that must hold too.
    #[must_use]
    pub fn of_consents(&self) -> Self {
        match self {
            Self::And(all) => all.iter().map(Self::of_consents).fold(Self::All, Self::and),
            Self::EveryPatient(_) => self.clone(),
            _ => Self::All,
        }
    }

    /// The patients who have a say of their own that shows less than all.
    pub fn restricting(&self) -> BTreeSet<Id> {
        match self {
            Self::And(parts) | Self::Or(parts) => parts.iter().flat_map(Self::restricting).collect(),
            Self::EveryPatient(verdicts) => verdicts.restricting().cloned().collect(),
            _ => BTreeSet::new(),
        }
    }

    /// Whether one of these patients has a say of their own that shows less than all.
    pub fn is_restricted_by(&self, patients: &[Id]) -> bool {
        match self {
            Self::And(parts) | Self::Or(parts) => parts.iter().any(|one| one.is_restricted_by(patients)),
            Self::EveryPatient(verdicts) => patients.iter().any(|patient| verdicts.restricts(patient)),
            _ => false,
        }
    }

    /// The same for records of these patients and of none; those that belong to anybody else are left out.
    #[must_use]
    pub fn of_patients(&self, patients: &BTreeSet<Id>) -> Self {
        match self {
            Self::And(all) => Self::And(all.iter().map(|one| one.of_patients(patients)).collect()),
            Self::Or(any) => Self::Or(any.iter().map(|one| one.of_patients(patients)).collect()),
            Self::EveryPatient(verdicts) => Self::EveryPatient(verdicts.only(patients)),
            one => one.clone(),
        }
    }

    /// Decides, in memory, what the store decides in its query. A criterion that needs other records (a chain) does not hold; `None`
    /// when a consent asks for another record.
    pub fn holds(&self, look: &Look<'_>) -> Option<bool> {
        self.holds_given(look, &mut |_| None)
    }

    /// The same for who can look: `refers` tells whether the live record of this key refers to the one decided on, `None` when that
    /// is not known.
    pub fn holds_given(&self, look: &Look<'_>, refers: &mut dyn FnMut(&Key) -> Option<bool>) -> Option<bool> {
        Some(match self {
            Self::All => true,
            Self::None => false,
            Self::And(all) => return decided(all, false, |one| one.holds_given(look, refers)),
            Self::Or(any) => return decided(any, true, |one| one.holds_given(look, refers)),
            Self::Patient(patient) => look.facts.patients.contains(patient),
            Self::WithoutPatient => look.facts.patients.is_empty(),
            Self::Criteria(criteria) => criteria.iter().all(|one| criterion_holds(one, look)),
            Self::EveryPatient(verdicts) => return verdicts.permit_given(look.facts, refers),
        })
    }

    /// May a row that the query let through have passed? Only what is certainly outside may not.
    pub fn confirms(&self, look: &Look<'_>) -> bool {
        self.holds(look) != Some(false)
    }

    /// The patient to whose compartment this confines everything, if it does.
    pub fn confined_to(&self) -> Option<&Id> {
        match self {
            Self::Patient(patient) => Some(patient),
            Self::And(all) => all.iter().find_map(Self::confined_to),
            Self::Or(any) => {
                let mut patients = any.iter().map(Self::confined_to);
                let first = patients.next()??;
                patients.all(|other| other == Some(first)).then_some(first)
            }
            _ => None,
        }
    }
}

impl Formula for Predicate {
    fn constant(&self) -> Option<bool> {
        match self {
            Self::All => Some(true),
            Self::None => Some(false),
            _ => None,
        }
    }

    fn parts(self, all: bool) -> Result<Vec<Self>, Self> {
        match self {
            Self::And(parts) if all => Ok(parts),
            Self::Or(parts) if !all => Ok(parts),
            one => Err(one),
        }
    }

    fn of_parts(parts: Vec<Self>, all: bool) -> Self {
        if all { Self::And(parts) } else { Self::Or(parts) }
    }
}

fn criterion_holds(criterion: &Criterion, look: &Look<'_>) -> bool {
    let holds = |values| crate::fhir::search::holds(criterion, &look.facts.key, look.facts.updated, values).unwrap_or(false);
    look.values().is_some_and(holds)
}

#[cfg(test)]
#[path = "predicate_tests.rs"]
mod tests;
