//! Records that were read lately, kept in memory as they lie in the database, so that reading one again asks no database.
//!
//! A row is kept as it was found, whoever asked: each reader's predicate is held against its facts anew. What must not happen is that a
//! row is shown after a change of it was acknowledged. So each record has a count, which it shares with others of the same hash. The
//! writer makes it odd before it commits a change of the record, and even again before it acknowledges it. A row is good as long as the
//! count is the even one that was read before the row was.

use crate::fhir::Key;
use crate::store::Row;
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How many counts there are. Those who share one lose their rows together.
const COUNTS: usize = 4_096;

/// About what a row takes beside its content.
const ROW_BYTES: usize = 500;

/// Rows kept, and the counts.
pub(super) struct Recent {
    rows: Cache<Key, Arc<Kept>, Bytes>,
    counts: Vec<AtomicU64>,
    hasher: RandomState,
}

impl std::fmt::Debug for Recent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Recent({} rows)", self.rows.len())
    }
}

/// A row, and the count that it is good for.
struct Kept {
    row: Row,
    seen: Seen,
}

/// A record's count before its row was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seen(u64);

/// Which of the counts is a record's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Slot(usize);

#[derive(Clone)]
struct Bytes;

impl Weighter<Key, Arc<Kept>> for Bytes {
    fn weight(&self, _: &Key, kept: &Arc<Kept>) -> u64 {
        let bytes = ROW_BYTES + kept.row.content.as_ref().map_or(0, crate::disclosure::Sealed::len);
        u64::try_from(bytes).unwrap_or(u64::MAX)
    }
}

impl Recent {
    /// None kept yet; at most so many bytes later. None are kept with 0.
    pub(super) fn new(bytes: u64) -> Self {
        let items = usize::try_from(bytes / 2_000).unwrap_or(0);
        let counts = std::iter::repeat_with(AtomicU64::default).take(COUNTS).collect();
        Self { rows: Cache::with_weighter(items, bytes, Bytes), counts, hasher: RandomState::new() }
    }

    /// Where the count of a record is.
    pub(super) fn slot(&self, key: &Key) -> Slot {
        let hash = self.hasher.hash_one(key);
        Slot(usize::try_from(hash % COUNTS as u64).unwrap_or(0))
    }

    /// The present count of a record; `None` while a change of it is being committed. To be asked before the database is.
    pub(super) fn seen(&self, key: &Key) -> Option<Seen> {
        let count = self.counts.get(self.slot(key).0)?.load(Ordering::SeqCst);
        (count % 2 == 0).then_some(Seen(count))
    }

    /// What `look` makes of the row of a record, if it is kept and still good.
    pub(super) fn find<T>(&self, key: &Key, look: impl FnOnce(&Row) -> T) -> Option<T> {
        let kept = self.rows.get(key)?;
        (self.seen(key) == Some(kept.seen)).then(|| look(&kept.row))
    }

    /// Keeps a row that was read after its count was.
    pub(super) fn keep(&self, seen: Option<Seen>, row: &Row) {
        if let Some(seen) = seen {
            self.rows.insert(row.facts.key.clone(), Arc::new(Kept { row: row.clone(), seen }));
        }
    }

    /// Runs what makes changes of these records visible to others. Until it is done none of them is found or kept, and afterwards none
    /// that was read before.
    pub(super) fn changing<T>(&self, mut slots: Vec<Slot>, commit: impl FnOnce() -> T) -> T {
        slots.sort_unstable();
        slots.dedup();
        self.count(&slots);
        let done = commit();
        self.count(&slots);
        done
    }

    /// Forgets all rows: somebody else has changed the database.
    pub(super) fn forget(&self) {
        self.changing(Self::everywhere().collect(), || ());
    }

    /// Every slot.
    pub(super) fn everywhere() -> impl Iterator<Item = Slot> {
        (0..COUNTS).map(Slot)
    }

    fn count(&self, slots: &[Slot]) {
        for count in slots.iter().filter_map(|slot| self.counts.get(slot.0)) {
            count.fetch_add(1, Ordering::SeqCst);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Recent;
    use crate::disclosure::Sealed;
    use crate::fhir::{Facts, Instant, Key, Marks, Version};
    use crate::store::Row;

    fn row(key: &str, version: i64) -> Row {
        let key = Key::parse(key).unwrap();
        let facts = Facts {
            key,
            version: Version(version),
            updated: Instant(0),
            deleted: false,
            patients: Vec::new(),
            marks: Marks::default(),
        };
        Row::new(facts, Some(Sealed::from_wire(b"{}".to_vec())))
    }

    fn version(recent: &Recent, row: &Row) -> Option<i64> {
        recent.find(&row.facts.key, |row| row.facts.version.0)
    }

    #[test]
    fn a_row_is_found_until_its_record_changes() {
        let (recent, first) = (Recent::new(1 << 20), row("Patient/p1", 1));
        recent.keep(recent.seen(&first.facts.key), &first);
        assert_eq!(version(&recent, &first), Some(1));
        let during = recent.changing(vec![recent.slot(&first.facts.key)], || version(&recent, &first));
        assert_eq!(during, None, "not while it is committed");
        assert_eq!(version(&recent, &first), None);
    }

    #[test]
    fn a_row_that_was_read_before_a_change_is_not_kept_as_good_after_it() {
        let (recent, old) = (Recent::new(1 << 20), row("Patient/p1", 1));
        let before = recent.seen(&old.facts.key);
        let slot = recent.slot(&old.facts.key);
        // Twice in one commit is one change.
        let during = recent.changing(vec![slot, slot], || recent.seen(&old.facts.key));
        assert_eq!(during, None);
        recent.keep(during, &old);
        recent.keep(before, &old);
        assert_eq!(version(&recent, &old), None);
        let new = row("Patient/p1", 2);
        recent.keep(recent.seen(&new.facts.key), &new);
        assert_eq!(version(&recent, &new), Some(2));
    }

    #[test]
    fn nothing_is_left_after_others_wrote_and_nothing_is_kept_in_no_bytes() {
        let (recent, one) = (Recent::new(1 << 20), row("Patient/p1", 1));
        recent.keep(recent.seen(&one.facts.key), &one);
        recent.forget();
        assert_eq!(version(&recent, &one), None);
        let none = Recent::new(0);
        none.keep(none.seen(&one.facts.key), &one);
        assert_eq!(version(&none, &one), None);
    }
}
