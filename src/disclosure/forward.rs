//! The way in: what a store may commit.

use crate::access::Permit;
use crate::audit::{Entry, Receipt};
use crate::disclosure::Sealed;
use crate::fhir::search::{IndexEntry, OrderedBefore, SearchQuery};
use crate::fhir::stamp::Prepared;
use crate::fhir::{Facts, Id, Instant, Key, Marks, Need, Version};

/// Content that passed the checks, waiting for its version and time.
pub struct Forwarded {
    pub(in crate::disclosure) prepared: Prepared,
}

/// One change of one record, checked and ready.
pub struct Change {
    /// Which record.
    pub key: Key,
    /// What must be there when it is applied, else nothing of the commit is.
    pub expected: Expected,
    /// New content; `None` deletes.
    pub content: Option<Forwarded>,
    /// The patients of the new content (of the old, for a delete).
    pub patients: Vec<Id>,
    /// What consents decide by: of the new content and of every version before (of the old, for a delete).
    pub marks: Marks,
    /// Index rows that the record gains.
    pub add: Vec<IndexEntry>,
    /// Index rows that it loses.
    pub remove: Vec<IndexEntry>,
    /// Where it stood in the orders that it has a place in, as far as that changes.
    pub before: Vec<OrderedBefore>,
}

impl Change {
    /// The facts that the record will have.
    pub fn facts(&self, updated: Instant) -> Facts {
        let version = match self.expected {
            Expected::Absent => Version::FIRST,
            Expected::Version(version) => version.next(),
        };
        let (key, patients, marks) = (self.key.clone(), self.patients.clone(), self.marks.clone());
        Facts { key, version, updated, deleted: self.content.is_none(), patients, marks }
    }
}

/// The state that a change was decided on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// No such record, and never one.
    Absent,
    /// This version is current (a deleted record's last version included).
    Version(Version),
}

/// A search that must give the same answer inside the commit as it did when the change was decided (exactly-once).
pub struct Guard {
    /// Under whose eyes.
    pub permit: Permit,
    /// With which need the rows are seen.
    pub need: Need,
    /// The condition.
    pub query: SearchQuery,
    /// The records that it selected, sorted.
    pub selected: Vec<Key>,
}

/// Everything that one request changes: all of it or nothing, with its entries in the same transaction.
pub struct Commit {
    /// Re-checked first.
    pub guards: Vec<Guard>,
    /// In order.
    pub changes: Vec<Change>,
    /// Trail entries, in order; never empty.
    pub entries: Vec<Entry>,
}

/// What became of one change.
#[derive(Debug)]
pub struct Stored {
    /// Which record.
    pub key: Key,
    /// Its new version.
    pub version: Version,
    /// Its `meta.lastUpdated`.
    pub updated: Instant,
    /// The content as stored; `None` after a delete.
    pub content: Option<Sealed>,
}

/// A commit that is durable.
#[derive(Debug)]
pub struct Committed {
    /// One for each change, in order.
    pub stored: Vec<Stored>,
    /// Of the last entry.
    pub receipt: Receipt,
}

impl Forwarded {
    /// Size in bytes, before version and time are written in.
    pub fn size(&self) -> usize {
        self.prepared.body().len()
    }

    /// The content as this version of this moment, sealed for the answer.
    pub fn told(&self, version: Version, updated: Instant) -> Sealed {
        Sealed::from_wire(self.prepared.stamp(version, updated).into_bytes())
    }

    /// Content for the store's own tests.
    #[cfg(test)]
    pub(crate) fn for_test(text: &str) -> Self {
        use crate::fhir::{ResourceType, json::Document, stamp::prepare};
        let document = Document::parse(text.as_bytes()).unwrap_or_else(|error| panic!("{error}: {text}"));
        Self { prepared: prepare(&document, ResourceType::Basic, &Id::random()) }
    }
}
