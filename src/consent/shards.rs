//! A map that snapshots share: cloning costs a few pointers, a write a few hundred.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

const WIDTH: usize = 64;

/// A map in 64 times 64 parts, each copied only when it is written while a snapshot still looks at it.
#[derive(Debug, Clone)]
pub(super) struct Shards<K, V>(Vec<Arc<Row<K, V>>>);

/// One of the outer parts.
type Row<K, V> = Vec<Arc<HashMap<K, V>>>;

impl<K: Clone + Eq + Hash, V: Clone> Shards<K, V> {
    pub(super) fn new() -> Self {
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

    pub(super) fn find(&self, key: &K) -> Option<&V> {
        let (outer, inner) = Self::place(key);
        self.0.get(outer)?.get(inner)?.get(key)
    }

    fn shard(&mut self, key: &K) -> Option<&mut HashMap<K, V>> {
        let (outer, inner) = Self::place(key);
        Arc::make_mut(self.0.get_mut(outer)?).get_mut(inner).map(Arc::make_mut)
    }

    pub(super) fn insert(&mut self, key: K, value: V) {
        if let Some(shard) = self.shard(&key) {
            shard.insert(key, value);
        }
    }

    pub(super) fn remove(&mut self, key: &K) {
        if let Some(shard) = self.shard(key) {
            shard.remove(key);
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.0.iter().flat_map(|parts| parts.iter()).flat_map(|shard| shard.iter())
    }
}
