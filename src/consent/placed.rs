//! What records say, each by the version that said it: an older one that arrives late changes nothing.

use super::shards::Shards;
use crate::fhir::{Key, Version};

/// By record, what its newest version says; nothing once it is deleted, or does not count any more.
#[derive(Debug, Clone)]
pub(super) struct Placed<T>(Shards<Key, (Version, Option<T>)>);

impl<T: Clone> Placed<T> {
    pub(super) fn new() -> Self {
        Self(Shards::new())
    }

    /// What stands.
    pub(super) fn find(&self, key: &Key) -> Option<&T> {
        self.0.find(key).and_then(|(_, said)| said.as_ref())
    }

    /// The version that is known, whether anything stands or not.
    pub(super) fn version_of(&self, key: &Key) -> Option<Version> {
        self.0.find(key).map(|(version, _)| *version)
    }

    /// Whether this version, or a newer one, is known.
    pub(super) fn knows(&self, key: &Key, version: Version) -> bool {
        self.version_of(key).is_some_and(|known| known >= version)
    }

    /// Takes over what a version says.
    pub(super) fn put(&mut self, key: &Key, version: Version, said: Option<T>) {
        self.0.insert(key.clone(), (version, said));
    }

    /// Lets whatever version comes next count, an older one too; what stands does so until then.
    pub(super) fn reopen(&mut self, key: &Key) {
        if let Some((_, said)) = self.0.find(key).cloned() {
            self.put(key, Version(i64::MIN), said);
        }
    }

    /// The records of which something stands, each with its version.
    pub(super) fn standing(&self) -> impl Iterator<Item = (&Key, Version)> {
        self.0.iter().filter(|(_, (_, said))| said.is_some()).map(|(key, (version, _))| (key, *version))
    }
}
