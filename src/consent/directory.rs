//! Every consent of the store, compiled, by patient: an immutable snapshot that a write replaces at the cost of a few hundred pointers.

use super::compiled::Compiled;
use super::placed::Placed;
use super::shards::Shards;
use crate::fhir::{Id, Key, Version};
use std::collections::BTreeSet;
use std::sync::Arc;

/// The consents on file. Cloning is cheap; a snapshot never changes under its reader.
#[derive(Debug, Clone)]
pub struct Directory {
    epoch: u64,
    patients: Shards<Id, Arc<[Held]>>,
    /// Whose consent each is.
    placed: Placed<Id>,
}

/// A consent of a patient.
#[derive(Debug, Clone)]
struct Held {
    key: Key,
    consent: Arc<Compiled>,
}

impl Default for Directory {
    fn default() -> Self {
        Self { epoch: 0, patients: Shards::new(), placed: Placed::new() }
    }
}

impl Directory {
    /// Rises with every change that can alter a verdict.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The directory after a Consent got this version; `None` for its deletion. An older version than the one known changes nothing.
    #[must_use]
    pub fn with(&self, key: &Key, version: Version, consent: Option<Compiled>) -> Self {
        let mut next = self.clone();
        next.put(key, version, consent);
        next
    }

    /// The same in place. Gives the patients whose verdicts this can alter, for [`super::Ruling::revised`].
    pub fn put(&mut self, key: &Key, version: Version, consent: Option<Compiled>) -> BTreeSet<Id> {
        if self.placed.knows(key, version) {
            return BTreeSet::new();
        }
        let before = self.placed.find(key).cloned();
        let consent = consent.filter(Compiled::counts).map(Arc::new);
        let patient = consent.as_ref().and_then(|consent| consent.patient.clone());
        if let Some(before) = &before {
            self.hold(before, key, None);
        }
        if let (Some(patient), Some(consent)) = (&patient, consent) {
            self.hold(patient, key, Some(consent));
        }
        if before.is_some() || patient.is_some() {
            self.epoch += 1;
        }
        let touched = before.into_iter().chain(patient.clone()).collect();
        self.placed.put(key, version, patient);
        touched
    }

    /// Lets whatever version is put next of this consent count, an older one too: who keeps it says that it is the current one.
    pub fn reopen(&mut self, key: &Key) {
        self.placed.reopen(key);
    }

    /// Whether there is any consent of this patient.
    pub fn knows(&self, patient: &Id) -> bool {
        self.patients.find(patient).is_some()
    }

    /// The consents that stand, each with the version that put it there.
    pub fn standing(&self) -> impl Iterator<Item = (&Key, Version)> {
        self.placed.standing()
    }

    /// The version of a consent that is known, standing or not.
    pub fn version_of(&self, key: &Key) -> Option<Version> {
        self.placed.version_of(key)
    }

    /// The consents of a patient, grouped by family.
    pub(super) fn consents(&self, patient: &Id) -> impl Iterator<Item = &Compiled> + Clone {
        self.patients.find(patient).into_iter().flat_map(|held| held.iter()).map(|held| &*held.consent)
    }

    /// The same with the address of each.
    pub(super) fn held(&self, patient: &Id) -> impl Iterator<Item = (&Key, &Compiled)> {
        self.patients.find(patient).into_iter().flat_map(|held| held.iter()).map(|held| (&held.key, &*held.consent))
    }

    /// Every patient with a consent, and those consents grouped by family.
    pub(super) fn patients(&self) -> impl Iterator<Item = (&Id, impl Iterator<Item = &Compiled> + Clone)> {
        self.patients.iter().map(|(patient, held)| (patient, held.iter().map(|held| &*held.consent)))
    }

    fn hold(&mut self, patient: &Id, key: &Key, consent: Option<Arc<Compiled>>) {
        let others = self.patients.find(patient).into_iter().flat_map(|held| held.iter()).filter(|held| held.key != *key);
        let mut held: Vec<Held> = others.cloned().collect();
        held.extend(consent.map(|consent| Held { key: key.clone(), consent }));
        held.sort_by(|one, other| (&one.consent.family, &one.key).cmp(&(&other.consent.family, &other.key)));
        if held.is_empty() {
            self.patients.remove(patient);
        } else {
            self.patients.insert(patient.clone(), held.into());
        }
    }
}
