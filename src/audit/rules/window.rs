//! Sliding windows over what was seen, for many names at once.

use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::Hash;

/// Names that are remembered at most; those not seen for longest go first.
pub(super) const MOST: usize = 50_000;

/// Items that one window holds at most: beyond, only their number could still matter, and it is past every threshold.
const DEEP: usize = 100_000;

/// What was seen of each name within so many milliseconds.
#[derive(Debug)]
pub(super) struct Windows<K, T> {
    within: i64,
    seen: HashMap<K, VecDeque<(i64, T)>>,
}

impl<K: Hash + Eq + Clone, T: Hash + Eq> Windows<K, T> {
    /// Of this length in seconds.
    pub(super) fn of_seconds(seconds: i64) -> Self {
        Self { within: seconds * 1_000, seen: HashMap::new() }
    }

    /// Adds an item at a moment, in milliseconds.
    pub(super) fn add(&mut self, name: K, at: i64, item: T) -> &VecDeque<(i64, T)> {
        if self.seen.len() >= MOST && !self.seen.contains_key(&name) {
            let within = self.within;
            self.seen.retain(|_, items| items.back().is_some_and(|(last, _)| at.saturating_sub(*last) < within));
        }
        let items = self.seen.entry(name).or_default();
        items.push_back((at, item));
        while items.len() > DEEP || items.front().is_some_and(|(first, _)| at.saturating_sub(*first) >= self.within) {
            items.pop_front();
        }
        items
    }

    /// What is in the window of a name, after an item was added: how many, and how many distinct.
    pub(super) fn count(&mut self, name: K, at: i64, item: T) -> (usize, usize) {
        let items = self.add(name, at, item);
        let distinct: HashSet<&T> = items.iter().map(|(_, item)| item).collect();
        (items.len(), distinct.len())
    }

    /// How many are in the window, after an item was added, without telling them apart.
    pub(super) fn total(&mut self, name: K, at: i64, item: T) -> usize {
        self.add(name, at, item).len()
    }
}
