//! Who may write when. The server behind may let two writers create the same thing; here they take turns, by what makes it the same.

use crate::disclosure::{Change, Commit, Guard};
use crate::fhir::definitions::search_parameter;
use crate::fhir::search::{Criterion, IndexEntry, IndexValue, Modifier, SystemMatch, Value};
use crate::fhir::{Key, ResourceType};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{OwnedMutexGuard, OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};

/// An identifier of records of a type.
pub(super) type Identity = (ResourceType, String, String);

/// What is taken before a write.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Name {
    Record(Key),
    Identity(Identity),
}

impl Name {
    /// The type of its records.
    pub(super) fn of(&self) -> ResourceType {
        match self {
            Self::Record(key) => key.resource_type,
            Self::Identity((of, ..)) => *of,
        }
    }
}

/// Everything that a commit touches. A condition that names an identifier excludes writes of that identifier; any other one excludes every
/// write of its types.
pub(super) struct Wishes {
    /// Each type, and whether it is excluded.
    pub(super) types: BTreeMap<ResourceType, bool>,
    pub(super) names: BTreeSet<Name>,
}

impl Wishes {
    pub(super) fn of(commit: &Commit) -> Self {
        let (mut types, mut names) = (BTreeMap::new(), BTreeSet::new());
        for change in &commit.changes {
            types.entry(change.key.resource_type).or_insert(false);
            names.insert(Name::Record(change.key.clone()));
            names.extend(identities_of(change).into_iter().map(Name::Identity));
        }
        for guard in &commit.guards {
            names.extend(guard.selected.iter().cloned().map(Name::Record));
            match identities(&guard.query.criteria, &guard.query.types) {
                found if found.is_empty() => exclude(&mut types, guard),
                found => names.extend(found.into_iter().map(Name::Identity)),
            }
        }
        Self { types, names }
    }
}

type Names = HashMap<Name, Arc<tokio::sync::Mutex<()>>>;

/// The locks of one server.
#[derive(Default)]
pub(super) struct Locks {
    types: Mutex<HashMap<ResourceType, Arc<RwLock<()>>>>,
    names: Arc<Mutex<Names>>,
}

/// Held until the write has ended.
pub(super) struct Held {
    names: Vec<OwnedMutexGuard<()>>,
    kept: Arc<Mutex<Names>>,
    _shared: Vec<OwnedRwLockReadGuard<()>>,
    _alone: Vec<OwnedRwLockWriteGuard<()>>,
}

impl Locks {
    /// Takes everything that is wished for, always in the same order.
    pub(super) async fn take(&self, wishes: &Wishes) -> Held {
        let (mut shared, mut alone) = (Vec::new(), Vec::new());
        for (of, exclusive) in &wishes.types {
            let lock = Arc::clone(locked(&self.types).entry(*of).or_default());
            if *exclusive {
                alone.push(lock.write_owned().await);
            } else {
                shared.push(lock.read_owned().await);
            }
        }
        let mut held = Held { names: Vec::new(), kept: Arc::clone(&self.names), _shared: shared, _alone: alone };
        for name in &wishes.names {
            let lock = Arc::clone(locked(&self.names).entry(name.clone()).or_default());
            held.names.push(lock.lock_owned().await);
        }
        held
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.names.clear();
        // Whoever waits for a name holds on to it too.
        locked(&self.kept).retain(|_, lock| Arc::strong_count(lock) > 1);
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn exclude(types: &mut BTreeMap<ResourceType, bool>, guard: &Guard) {
    for of in &guard.query.types {
        types.insert(*of, true);
    }
}

/// The identifiers that a change gives or takes.
fn identities_of(change: &Change) -> Vec<Identity> {
    named(change.key.resource_type, change.add.iter().chain(&change.remove))
}

/// The identifiers that a change gives.
pub(super) fn identities_given(change: &Change) -> Vec<Identity> {
    named(change.key.resource_type, change.add.iter())
}

fn named<'e>(of: ResourceType, entries: impl Iterator<Item = &'e IndexEntry>) -> Vec<Identity> {
    let Some(parameter) = search_parameter(of, "identifier") else { return Vec::new() };
    let entries = entries.filter(|entry| entry.parameter == parameter.id);
    let pair = |value: &IndexValue| match value {
        IndexValue::Token { system, code } => Some((of, system.clone(), code.clone())),
        _ => None,
    };
    entries.filter_map(|entry| pair(&entry.value)).collect()
}

/// The identifiers that a condition demands, each by system and value; none when it demands something else.
pub(super) fn identities(criteria: &[Criterion], types: &[ResourceType]) -> Vec<Identity> {
    let [of] = types else { return Vec::new() };
    let found = criteria.iter().find_map(|criterion| match criterion {
        Criterion::Match { parameter, modifier: Modifier::Plain, values } if parameter.code == "identifier" => {
            values.iter().map(|value| exact(*of, value)).collect::<Option<Vec<Identity>>>()
        }
        _ => None,
    });
    found.unwrap_or_default()
}

fn exact(of: ResourceType, value: &Value) -> Option<Identity> {
    let Value::Token(token) = value else { return None };
    let code = token.code.clone()?;
    match &token.system {
        SystemMatch::Is(system) => Some((of, system.clone(), code)),
        SystemMatch::Absent => Some((of, String::new(), code)),
        SystemMatch::Any => None,
    }
}
