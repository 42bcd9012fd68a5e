//! Every consent of the store, compiled, by patient: an immutable snapshot that a write replaces at the cost of a few hundred pointers.

use super::compiled::{Compiled, Standing};
use crate::fhir::{Id, Key, Version};
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

/// The consents on file. Cloning is cheap; a snapshot never changes under its reader.
#[derive(Debug, Clone)]
pub struct Directory {
    epoch: u64,
    patients: Shards<Id, Arc<[Held]>>,
    placed: Shards<Key, Placed>,
}

/// What a new consent means for those on file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Succession {
    /// Those in force that it takes the place of.
    pub replaced: Vec<Key>,
    /// One that is newer is on file, so that the new one says nothing.
    pub outdated: bool,
}

/// A consent of a patient.
#[derive(Debug, Clone)]
struct Held {
    key: Key,
    consent: Arc<Compiled>,
}

/// Where a consent stands, and the version that put it there: an older one that arrives late changes nothing.
#[derive(Debug, Clone)]
struct Placed {
    version: Version,
    patient: Option<Id>,
}

impl Default for Directory {
    fn default() -> Self {
        Self { epoch: 0, patients: Shards::new(), placed: Shards::new() }
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

    /// The same in place, for loading many.
    pub fn put(&mut self, key: &Key, version: Version, consent: Option<Compiled>) {
        let known = self.placed.find(key);
        if known.is_some_and(|known| known.version >= version) {
            return;
        }
        let before = known.and_then(|known| known.patient.clone());
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
        self.placed.insert(key.clone(), Placed { version, patient });
    }

    /// The consents of a patient, grouped by family.
    pub(super) fn consents(&self, patient: &Id) -> impl Iterator<Item = &Compiled> + Clone {
        self.patients.find(patient).into_iter().flat_map(|held| held.iter()).map(|held| &*held.consent)
    }

    /// What a new consent means for those on file of the same patient, policy and organizations.
    pub fn succession(&self, new: &Compiled) -> Succession {
        let held = new.patient.as_ref().and_then(|patient| self.patients.find(patient));
        let family = held.into_iter().flat_map(|held| held.iter()).filter(|held| held.consent.family == new.family);
        let (older, newer): (Vec<&Held>, Vec<&Held>) =
            family.filter(|held| held.consent.dated.is_some()).partition(|held| held.consent.dated <= new.dated);
        let active = older.into_iter().filter(|held| held.consent.standing == Standing::Active);
        Succession { replaced: active.map(|held| held.key.clone()).collect(), outdated: !newer.is_empty() }
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

const WIDTH: usize = 64;

/// A map in 64 times 64 parts, each copied only when it is written while a snapshot still looks at it.
#[derive(Debug, Clone)]
struct Shards<K, V>(Vec<Arc<Row<K, V>>>);

/// One of the outer parts.
type Row<K, V> = Vec<Arc<HashMap<K, V>>>;

impl<K: Clone + Eq + Hash, V: Clone> Shards<K, V> {
    fn new() -> Self {
        // Every part begins as the same empty map; a write gives a part a map of its own.
        let empty = Arc::new(HashMap::new());
        let row: Arc<Row<K, V>> = Arc::new((0..WIDTH).map(|_| Arc::clone(&empty)).collect());
        Self((0..WIDTH).map(|_| Arc::clone(&row)).collect())
    }

    fn place(key: &K) -> (usize, usize) {
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        let part = |hash: u64| usize::try_from(hash % WIDTH as u64).unwrap_or(0);
        (part(hasher.finish()), part(hasher.finish() / WIDTH as u64))
    }

    fn find(&self, key: &K) -> Option<&V> {
        let (outer, inner) = Self::place(key);
        self.0.get(outer)?.get(inner)?.get(key)
    }

    fn shard(&mut self, key: &K) -> Option<&mut HashMap<K, V>> {
        let (outer, inner) = Self::place(key);
        Arc::make_mut(self.0.get_mut(outer)?).get_mut(inner).map(Arc::make_mut)
    }

    fn insert(&mut self, key: K, value: V) {
        if let Some(shard) = self.shard(&key) {
            shard.insert(key, value);
        }
    }

    fn remove(&mut self, key: &K) {
        if let Some(shard) = self.shard(key) {
            shard.remove(key);
        }
    }

    fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.0.iter().flat_map(|parts| parts.iter()).flat_map(|shard| shard.iter())
    }
}
