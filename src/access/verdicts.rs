//! For every patient, what a caller may see of records that belong to them.

use super::{Condition, Test, decided};
use crate::fhir::{Facts, Id, Key};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// For every patient a condition on records. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Verdicts {
    otherwise: Arc<Condition>,
    groups: Arc<[Group]>,
    of: Arc<HashMap<Id, usize>>,
}

/// Patients to whose records one condition applies.
#[derive(Debug, Clone)]
pub struct Group {
    /// The condition.
    pub condition: Condition,
    /// To whose records.
    pub patients: Arc<BTreeSet<Id>>,
}

impl Verdicts {
    /// `otherwise` for everyone but those named. Equal conditions make one group; who has the same as everyone is no exception.
    pub fn new(otherwise: Condition, exceptions: impl IntoIterator<Item = (Id, Condition)>) -> Self {
        let mut sets: BTreeMap<Condition, BTreeSet<Id>> = BTreeMap::new();
        for (patient, condition) in exceptions {
            if condition != otherwise {
                sets.entry(condition).or_default().insert(patient);
            }
        }
        let sets = sets.into_iter().map(|(condition, patients)| (condition, Arc::new(patients))).collect();
        Self::grouped(Arc::new(otherwise), sets)
    }

    /// The same with other conditions for these patients. What does not change is shared with the original.
    #[must_use]
    pub fn with(&self, changes: impl IntoIterator<Item = (Id, Condition)>) -> Self {
        let real = changes.into_iter().filter(|(patient, condition)| self.of(patient) != condition);
        let changes: BTreeMap<Id, Condition> = real.collect();
        let mut sets: BTreeMap<Condition, Arc<BTreeSet<Id>>> =
            self.groups.iter().map(|group| (group.condition.clone(), Arc::clone(&group.patients))).collect();
        for (patient, condition) in &changes {
            if let Some(before) = sets.get_mut(self.of(patient)) {
                Arc::make_mut(before).remove(patient);
            }
            if *condition != *self.otherwise {
                Arc::make_mut(sets.entry(condition.clone()).or_default()).insert(patient.clone());
            }
        }
        sets.retain(|_, patients| !patients.is_empty());
        if !sets.keys().eq(self.groups.iter().map(|group| &group.condition)) {
            return Self::grouped(Arc::clone(&self.otherwise), sets);
        }
        let places: BTreeMap<&Condition, usize> = sets.keys().zip(0..).collect();
        let mut of = Arc::clone(&self.of);
        for (patient, condition) in changes {
            match places.get(&condition) {
                Some(at) => Arc::make_mut(&mut of).insert(patient, *at),
                None => Arc::make_mut(&mut of).remove(&patient),
            };
        }
        let groups = sets.into_iter().map(|(condition, patients)| Group { condition, patients }).collect();
        Self { otherwise: Arc::clone(&self.otherwise), groups, of }
    }

    fn grouped(otherwise: Arc<Condition>, sets: BTreeMap<Condition, Arc<BTreeSet<Id>>>) -> Self {
        let groups: Arc<[Group]> = sets.into_iter().map(|(condition, patients)| Group { condition, patients }).collect();
        let places = groups.iter().enumerate().flat_map(|(at, group)| group.patients.iter().map(move |one| (one.clone(), at)));
        Self { of: Arc::new(places.collect()), otherwise, groups }
    }

    /// What holds for patients in no group.
    pub fn otherwise(&self) -> &Condition {
        &self.otherwise
    }

    /// Patients for whom something else holds; none is in two groups.
    pub fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// What holds for a patient.
    pub fn of(&self, patient: &Id) -> &Condition {
        self.of.get(patient).and_then(|at| self.groups.get(*at)).map_or(&*self.otherwise, |group| &group.condition)
    }

    /// The same for records of these patients alone; those of anybody else are nobody's to see.
    #[must_use]
    pub fn only(&self, patients: &BTreeSet<Id>) -> Self {
        Self::new(Condition::None, patients.iter().map(|patient| (patient.clone(), self.of(patient).clone())))
    }

    /// Whether something else than for everyone holds for this patient's records, and not all of them are shown. How the patients
    /// themselves are to be spared (handling codes) is no such thing.
    pub fn restricts(&self, patient: &Id) -> bool {
        let spares =
            |one: &Condition| matches!(one, Condition::Not(inner) if matches!(**inner, Condition::Test(Test::Handled(_))));
        self.of.contains_key(patient) && !matches!(self.of(patient), Condition::All) && !spares(self.of(patient))
    }

    /// The patients of whom that is so.
    pub fn restricting(&self) -> impl Iterator<Item = &Id> {
        self.of.keys().filter(|patient| self.restricts(patient))
    }

    /// A number for these verdicts: clones have the same, no others do as long as one of them lives.
    pub fn handle(&self) -> usize {
        Arc::as_ptr(&self.of).addr()
    }

    /// Whether the conditions, of all patients together, ask more than this many tests.
    pub fn ask_more_than(&self, most: usize) -> bool {
        let all = std::iter::once(&*self.otherwise).chain(self.groups.iter().map(|group| &group.condition));
        let mut left = most;
        !all.map(Condition::tests).all(|tests| left.checked_sub(tests).map(|rest| left = rest).is_some())
    }

    /// Whether everything is permitted, whosever it is.
    pub fn permit_all(&self) -> bool {
        self.groups.is_empty() && *self.otherwise == Condition::All
    }

    /// Do all patients of the record permit it? A record without patient passes. `None` when another record would have to be
    /// looked at to tell.
    pub fn permit(&self, facts: &Facts) -> Option<bool> {
        self.permit_given(facts, &mut |_| None)
    }

    /// The same for who can look at other records, see [`Condition::holds_given`].
    pub fn permit_given(&self, facts: &Facts, refers: &mut dyn FnMut(&Key) -> Option<bool>) -> Option<bool> {
        decided(&facts.patients, false, |patient| self.of(patient).holds_given(facts, refers))
    }
}
