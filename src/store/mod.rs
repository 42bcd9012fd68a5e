//! The record store port. Behind it: `sql` (a database) and `upstream` (a FHIR server).

pub mod app_state;
pub mod emergency;
pub mod evidence;
pub mod lab;
pub mod shared;
pub mod space;
pub mod sql;
pub mod upstream;
pub mod watch;

use crate::access::Permit;
pub use crate::disclosure::Row;
use crate::disclosure::{Commit, Committed};
use crate::fhir::search::{IndexEntry, ParameterId, SearchQuery};
use crate::fhir::{Facts, HistoryQuery, Id, Key, Marks, Need, Problem, ResourceType, Version};
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;

/// A page of a search.
#[derive(Debug, Default)]
pub struct SearchPage {
    /// Matches, in order.
    pub matches: Vec<Row>,
    /// What `_include` and `_revinclude` added: none twice, none that is a match.
    pub included: Vec<Row>,
    /// More belongs to the one match of this page than a page may hold, and is not there.
    pub cut: bool,
    /// How many match in all, under the permit: when it was asked for, or known at no cost.
    pub total: Option<u64>,
    /// Where the next page begins; `None` at the end.
    pub next: Option<Cursor>,
}

/// A page of a history.
#[derive(Debug, Default)]
pub struct HistoryPage {
    /// Newest first.
    pub versions: Vec<Row>,
    /// How many there are in all, when known at no cost.
    pub total: Option<u64>,
    /// Where the next page begins.
    pub next: Option<Cursor>,
}

/// A position in an ordered answer over a stable snapshot. Opaque; travels inside a sealed link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor(pub String);

/// Bounds of one page.
#[derive(Debug, Clone, Copy)]
pub struct PageBounds {
    /// Matches or versions.
    pub count: u32,
    /// Included records.
    pub included: u32,
    /// Bytes of content, at which a page ends early (with a `next`).
    pub bytes: usize,
}

/// Why the store gave nothing.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It cannot be reached, is busy for too long, or failed.
    #[error("the record store failed: {0}")]
    Unavailable(String),
    /// The query asks for something that is not there for this caller, such as a value set.
    #[error("the query asks for what is not there: {}", .0.text)]
    Asked(Box<Problem>),
    /// A cursor that is not one of ours.
    #[error("not a cursor of this store")]
    Cursor,
    /// The server behind did not answer in time.
    #[error("{0}")]
    Slow(String),
    /// A change was sent to the server behind, and how it ended cannot be found out.
    #[error("a change ended in doubt: {0}")]
    InDoubt(String),
    /// It is busy, or left alone after failures, for so many seconds.
    #[error("the record store is busy for {0} seconds")]
    Busy(u32),
    /// What the server behind sent cannot be believed.
    #[error("{0}")]
    Untrusted(String),
    /// It would take more than a request may: why, and what to do, for the caller.
    #[error("{0}")]
    Costly(&'static str),
    /// The server behind does not take the content, or does not do this: what, for the caller.
    #[error("{0}")]
    Rejected(&'static str),
}

/// Why nothing was committed.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// Something changed since the decision: decide again.
    #[error("the state that was decided on has changed")]
    Stale,
    /// The trail cannot be written.
    #[error("the trail cannot be written")]
    Trail,
    /// The store failed.
    #[error("the record store failed: {0}")]
    Unavailable(String),
    /// The same, in a way that is told apart.
    #[error(transparent)]
    Store(StoreError),
}

/// A record that other rules marked, or none did.
#[derive(Debug)]
pub struct Unmarked {
    /// The store's own name for it.
    pub place: i64,
    /// Every version, the oldest first, the current one last.
    pub versions: Vec<Row>,
}

/// Some of them.
#[derive(Debug)]
pub struct UnmarkedBatch {
    /// In the order of their places; may be empty.
    pub records: Vec<Unmarked>,
    /// How far the store was looked through for them.
    pub reached: i64,
    /// There was nothing behind.
    pub last: bool,
}

/// Marks for the versions of a record.
#[derive(Debug)]
pub struct Marked {
    /// As in [`Unmarked`].
    pub place: i64,
    /// For each version.
    pub marks: Vec<(Version, Marks)>,
    /// Whose record it is, where that was found anew; those of a version that is current no more stay.
    pub patients: Option<Vec<Id>>,
}

/// How a store whose records others write too is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shared {
    /// Between two looks at the consents and at who belongs to what.
    pub poll: std::time::Duration,
    /// How old what is known of them may be before nothing is decided by it any more.
    pub oldest: std::time::Duration,
}

/// What a server behind says that it can do.
#[derive(Debug, Clone, Default)]
pub struct Served {
    /// By type; what is not here it does not have.
    pub types: BTreeMap<ResourceType, ServedType>,
    /// Whether several changes can be made all or nothing.
    pub transactions: bool,
}

/// What it can do with one type.
#[derive(Debug, Clone, Default)]
pub struct ServedType {
    /// Codes of `http://hl7.org/fhir/restful-interaction`.
    pub interactions: BTreeSet<String>,
    /// Names of search parameters.
    pub parameters: BTreeSet<String>,
    /// Whether a PUT to a free id creates: how the gateway creates.
    pub creates_by_update: bool,
    /// Whether versions are kept.
    pub versions: bool,
}

/// A future of the port.
pub type Answering<'a, T, E = StoreError> = Pin<Box<dyn Future<Output = Result<T, E>> + Send + 'a>>;

/// Where records live. Every row comes through the permit's predicate.
pub trait RecordStore: Send + Sync {
    /// The current version, a deleted one included. `None` when there is none that the permit shows with this need.
    fn read<'a>(&'a self, permit: &'a Permit, need: Need, key: &'a Key) -> Answering<'a, Option<Row>>;

    /// A given version.
    fn vread<'a>(&'a self, permit: &'a Permit, key: &'a Key, version: Version) -> Answering<'a, Option<Row>>;

    /// A page of a search.
    fn search<'a>(
        &'a self,
        permit: &'a Permit,
        query: &'a SearchQuery,
        from: Option<&'a Cursor>,
        bounds: PageBounds,
    ) -> Answering<'a, SearchPage>;

    /// A page of a history.
    fn history<'a>(
        &'a self,
        permit: &'a Permit,
        query: &'a HistoryQuery,
        from: Option<&'a Cursor>,
        bounds: PageBounds,
    ) -> Answering<'a, HistoryPage>;

    /// At most `limit` current records that satisfy a condition, seen with this need (conditional interactions).
    fn select<'a>(&'a self, permit: &'a Permit, need: Need, query: &'a SearchQuery, limit: u32) -> Answering<'a, Vec<Row>>;

    /// The id under which a record that this condition names was begun and has not come to be: whoever begins it again takes the same one,
    /// so that it is made once, whatever became of the first attempt. A store that does all or nothing has none.
    fn begun<'a>(&'a self, _condition: &'a SearchQuery) -> Answering<'a, Option<Id>> {
        Box::pin(async { Ok(None) })
    }

    /// Applies a commit: all or nothing, its trail entries in the same transaction.
    fn commit(&self, commit: Commit) -> Answering<'_, Committed, CommitError>;

    /// Every current Consent: the policy's own input, never an answer.
    fn consents(&self) -> Answering<'_, Vec<Row>>;

    /// Every current record of a type that decisions are made with (who belongs to which group, role or organization). Never an answer.
    fn current(&self, of: ResourceType) -> Answering<'_, Vec<Row>>;

    /// The facts of a record, whoever may see it, read by its key on the calling thread: to explain a decision. Never an answer.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn facts_of(&self, key: &Key) -> Result<Option<Facts>, StoreError>;

    /// Every version of a record, the current one first: to tell whether a Consent ever was in force, and how other rules would label
    /// it. Never an answer.
    fn all_versions<'a>(&'a self, key: &'a Key) -> Answering<'a, Vec<Row>>;

    /// Which of these keys exist at all, whoever may see them: to keep an id from being taken twice. Never an answer.
    fn versions<'a>(&'a self, keys: &'a [Key]) -> Answering<'a, Vec<Option<(Version, bool)>>>;

    /// The facts of the live records of these keys, whoever may see them: for records that belong to whom those belong to. Never an
    /// answer.
    fn facts<'a>(&'a self, keys: &'a [Key]) -> Answering<'a, Vec<Facts>>;

    /// The next records whose marks are not of this ruleset, from where [`RecordStore::mark`] has come to; `None` when all are.
    fn unmarked(&self, ruleset: i64) -> Answering<'_, Option<UnmarkedBatch>>;

    /// Keeps marks, but for versions that are gone, and that the store was looked through up to `reached`.
    fn mark(&self, ruleset: i64, marked: Vec<Marked>, reached: i64, last: bool) -> Answering<'_, ()>;

    /// What this store keeps about search parameters beside those of R4; nothing by itself.
    fn parameter_state(&self) -> Answering<'_, Option<Vec<u8>>> {
        Box::pin(async { Ok(None) })
    }

    /// Keeps it; with `tell`, so that every node of the store looks at it before its next request.
    fn keep_parameter_state(&self, _state: Vec<u8>, _tell: bool) -> Answering<'_, ()> {
        Box::pin(async { Err(StoreError::Unavailable("this store has no index of its own".to_owned())) })
    }

    /// How far the index has been brought up to date with what this release indexes; nothing by itself.
    fn extraction_state(&self) -> Answering<'_, Option<Vec<u8>>> {
        Box::pin(async { Ok(None) })
    }

    /// Keeps it.
    fn keep_extraction_state(&self, _state: Vec<u8>) -> Answering<'_, ()> {
        Box::pin(async { Ok(()) })
    }

    /// Whether there is a live record whose index this store keeps. Never an answer.
    fn any_indexed(&self) -> Answering<'_, bool> {
        Box::pin(async { Ok(false) })
    }

    /// The next live records of a type behind a place, to be indexed anew. Never an answer. Empty at the end.
    fn records_after(&self, _of: ResourceType, _place: i64) -> Answering<'_, Vec<(i64, Row)>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    /// Adds index rows to records, but for those that have another version by now: whoever wrote that has seen to it.
    fn index(&self, _entries: Vec<(i64, Version, Vec<IndexEntry>)>) -> Answering<'_, ()> {
        Box::pin(async { Ok(()) })
    }

    /// Sees to it that records have these index rows, whichever of them are there already, but for those that have another version by now.
    fn index_anew(&self, _entries: Vec<(i64, Version, Vec<IndexEntry>)>) -> Answering<'_, ()> {
        Box::pin(async { Ok(()) })
    }

    /// Takes all rows of a parameter out of the index.
    fn unindex(&self, _parameter: ParameterId) -> Answering<'_, ()> {
        Box::pin(async { Ok(()) })
    }

    /// Whether reads and writes work.
    fn ready(&self) -> bool;

    /// Whether others write the records too, so that those that decisions are made with must be read again now and then.
    fn shared(&self) -> Option<Shared> {
        None
    }

    /// What a server behind can do, where that is less than everything.
    fn served(&self) -> Option<Served> {
        None
    }

    /// Finishes what was taken and lets go.
    fn close(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;
}
