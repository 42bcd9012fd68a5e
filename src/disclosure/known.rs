//! What is known of records that came before: their facts and values are made of their bytes alone, so that the same bytes need not be read
//! again (decision 80).
//!
//! Nothing of a decision is kept, and nothing of who asked. Found is only what is the same to the last byte: the server behind may choose what it
//! sends to fall under the same hash, and wins a comparison by that.

use crate::fhir::partial::may_hold_labels;
use crate::fhir::search::{IndexEntry, IndexValue, ParameterId};
use crate::fhir::{Facts, Key};
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use std::hash::{BuildHasher as _, Hasher as _};
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// About what is known of a record takes, its text aside.
const BYTES: usize = 1_000;

/// About what an index value takes beside its text.
const VALUE: usize = 100;

/// A record of more than this part of all that may be kept is not.
const PART: u64 = 64;

/// For so many sets of parameters the values are kept with a record.
const SETS: usize = 4;

/// Bytes for each answer whose first record is remembered, about.
const HEAD_BYTES: u64 = 2_000;

/// What a text is: the same bytes mean something else elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A record, by itself.
    Record,
    /// A match in a Bundle.
    Entry,
    /// A match in a Bundle that came in part; what is known is of the whole.
    Part,
    /// Not kept.
    Other,
}

/// What the bytes of a record say, whoever asks and whenever.
pub(super) struct Known {
    pub(super) kind: Kind,
    pub(super) hash: u64,
    /// As it came.
    pub(super) came: Arc<[u8]>,
    text: Text,
    pub(super) facts: Arc<Facts>,
    pub(super) with: Vec<Key>,
    pub(super) numbered: bool,
    /// There are no labels anywhere in it.
    pub(super) unlabelled: bool,
    values: Mutex<Vec<Values>>,
    /// The hash of what came after it the last time.
    next: AtomicU64,
}

/// The text of the record, below the gateway's own base.
enum Text {
    /// A part of what came.
    Within(Range<usize>),
    /// Told anew.
    Own(Box<[u8]>),
}

/// Values of some parameters.
type Values = (Box<[ParameterId]>, Arc<[IndexEntry]>);

impl Known {
    /// Of this text.
    pub(super) fn new(facts: Arc<Facts>, with: Vec<Key>, numbered: bool, text: &str) -> Self {
        Self {
            kind: Kind::Other,
            hash: 0,
            came: Arc::default(),
            text: Text::Own(text.as_bytes().into()),
            facts,
            with,
            numbered,
            unlabelled: !may_hold_labels(text.as_bytes()),
            values: Mutex::default(),
            next: AtomicU64::new(0),
        }
    }

    /// That came as these bytes, which have this hash.
    pub(super) fn of(self, kind: Kind, hash: u64, came: &[u8]) -> Self {
        let within = memchr::memmem::find(came, self.text()).map(|at| Text::Within(at..at + self.text().len()));
        Self { kind, hash, came: came.into(), text: within.unwrap_or(self.text), ..self }
    }

    /// The text of the record.
    pub(super) fn text(&self) -> &[u8] {
        match &self.text {
            Text::Within(range) => self.came.get(range.clone()).unwrap_or_default(),
            Text::Own(text) => text,
        }
    }

    /// The values of these parameters, computed once.
    pub(super) fn values(&self, of: &[ParameterId], compute: impl FnOnce() -> Vec<IndexEntry>) -> Arc<[IndexEntry]> {
        let kept = || self.values.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, values)) = kept().iter().find(|(some, _)| **some == *of) {
            return Arc::clone(values);
        }
        let values: Arc<[IndexEntry]> = compute().into();
        let mut kept = kept();
        let room = self.came.len() + BYTES / 2;
        let taken: usize = kept.iter().map(|(_, values)| size(values)).sum();
        if self.kind != Kind::Other && kept.len() < SETS && taken + size(&values) <= room {
            kept.push((of.into(), Arc::clone(&values)));
        }
        values
    }

    fn weight(&self) -> u64 {
        let own = if let Text::Own(text) = &self.text { text.len() } else { 0 };
        // Values may take as much as the text once more, and half of what else is known of it.
        u64::try_from(2 * self.came.len() + own + BYTES).unwrap_or(u64::MAX)
    }
}

/// Bytes that index values take, about.
fn size(values: &[IndexEntry]) -> usize {
    let text = |entry: &IndexEntry| match &entry.value {
        IndexValue::Text { folded, exact } => folded.len() + exact.len(),
        IndexValue::Token { system, code: other } | IndexValue::Quantity { system, unit: other, .. } => {
            system.len() + other.len()
        }
        IndexValue::Uri(text) | IndexValue::Words(text) => text.len(),
        IndexValue::Reference { id, .. } => id.len(),
        IndexValue::Date { .. } | IndexValue::Number { .. } => 0,
    };
    values.iter().map(|entry| VALUE + text(entry)).sum()
}

#[derive(Clone)]
struct Weight;

impl Weighter<u64, Arc<Known>> for Weight {
    fn weight(&self, _: &u64, known: &Arc<Known>) -> u64 {
        known.weight()
    }
}

/// Those that came lately, by the hash of their bytes.
pub(super) struct Recall {
    known: Cache<u64, Arc<Known>, Weight>,
    /// The first record of each answer, by the hash of what was asked.
    heads: Cache<u64, u64>,
    hasher: foldhash::fast::RandomState,
    largest: u64,
}

impl Recall {
    /// None kept yet; at most so many bytes later.
    pub(super) fn new(bytes: u64) -> Self {
        let items = |each: u64| usize::try_from(bytes / each).unwrap_or(0);
        Self {
            known: Cache::with_weighter(items(4_000), bytes, Weight),
            heads: Cache::new(items(HEAD_BYTES)),
            hasher: foldhash::fast::RandomState::default(),
            largest: bytes / PART,
        }
    }

    fn hash(&self, kind: Kind, bytes: &[u8]) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        hasher.write_u8(kind as u8);
        hasher.write(bytes);
        hasher.finish()
    }

    /// What is known of these very bytes; or their hash, under which it can be kept.
    pub(super) fn find(&self, kind: Kind, bytes: &[u8]) -> Result<Arc<Known>, u64> {
        let hash = self.hash(kind, bytes);
        self.known.get(&hash).filter(|known| known.kind == kind && *known.came == *bytes).ok_or(hash)
    }

    /// Keeps it, if it is not too large.
    pub(super) fn keep(&self, known: Known) -> Arc<Known> {
        let (hash, known) = (known.hash, Arc::new(known));
        if known.weight() <= self.largest {
            self.known.insert(hash, Arc::clone(&known));
        }
        known
    }

    /// The entry with which the answer to this began the last time. A guess.
    pub(super) fn first(&self, asked: u64) -> Option<Arc<Known>> {
        self.entry(self.heads.get(&asked)?)
    }

    /// The entry that came after this one the last time. A guess.
    pub(super) fn after(&self, known: &Known) -> Option<Arc<Known>> {
        match known.next.load(Ordering::Relaxed) {
            0 => None,
            next => self.entry(next),
        }
    }

    fn entry(&self, hash: u64) -> Option<Arc<Known>> {
        self.known.get(&hash).filter(|known| known.kind == Kind::Entry)
    }

    /// Remembers what came after an entry, or first in the answer to what was asked.
    pub(super) fn follows(&self, before: Option<&Known>, asked: u64, now: &Known) {
        match before {
            Some(before) if before.next.load(Ordering::Relaxed) != now.hash => before.next.store(now.hash, Ordering::Relaxed),
            None if self.heads.get(&asked) != Some(now.hash) => self.heads.insert(asked, now.hash),
            _ => {}
        }
    }

    /// The hash of what is asked.
    pub(super) fn asked(&self, place: &str) -> u64 {
        self.hash(Kind::Other, place.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::{Kind, Known};
    use crate::fhir::search::{IndexEntry, IndexValue, ParameterId};
    use crate::fhir::{Facts, Instant, Key, Marks, Version};
    use std::sync::Arc;

    #[test]
    fn no_more_values_are_kept_than_the_record_is_long() {
        let key = Key::parse("Patient/p").unwrap();
        let facts = Facts {
            key,
            version: Version(1),
            updated: Instant(0),
            deleted: false,
            patients: Vec::new(),
            marks: Marks::default(),
        };
        let known = Known::new(Arc::new(facts), Vec::new(), true, "{}").of(Kind::Record, 1, &[b' '; 1_000]);
        let values = |so_many: usize| {
            let value = IndexValue::Token { system: String::new(), code: "c".to_owned() };
            vec![IndexEntry { parameter: ParameterId(1), group: 0, value }; so_many]
        };
        let computed = |id: i32, so_many: usize| {
            let mut computed = false;
            let found = known.values(&[ParameterId(id)], || {
                computed = true;
                values(so_many)
            });
            assert_eq!(found.len(), so_many);
            computed
        };
        assert_eq!([computed(1, 5), computed(1, 5)], [true, false], "kept");
        assert_eq!([computed(2, 50), computed(2, 50)], [true, true], "too many to be kept");
        assert_eq!([computed(3, 5), computed(3, 5)], [true, false], "what is kept already stays");
    }
}
