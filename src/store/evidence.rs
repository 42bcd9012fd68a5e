//! The trail as evidence, as a port: its rows as they lie, checkpoints, and how far each follower has come.

use super::Answering;
use crate::fhir::Instant;

/// A row of the trail as it lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeafRow {
    /// Its number in the tree, from 1, without gaps.
    pub seq: i64,
    /// Its written form.
    pub leaf: Vec<u8>,
    /// The hash that stands beside it.
    pub hash: Vec<u8>,
}

/// A signed checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptCheckpoint {
    /// Entries that it tells of.
    pub size: i64,
    /// When it was made.
    pub made: Instant,
    /// The signed note.
    pub note: String,
}

/// Where the trail begins now, when what was before was sealed and dropped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// The last entry that is gone.
    pub upto: i64,
    /// Its hash.
    pub hash: Vec<u8>,
    /// The tree up to it ([`crate::audit::tree::Frontier::to_bytes`]).
    pub frontier: Vec<u8>,
    /// The file that it was exported to.
    pub file: String,
    /// SHA-256 of that file, in hexadecimal.
    pub digest: String,
    /// When.
    pub made: Instant,
}

/// How far a follower has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Position {
    /// The last entry (or size of a checkpoint) that it has done with.
    pub position: i64,
    /// When it last got somewhere, in milliseconds; 0 for never.
    pub at: i64,
}

/// Where the evidence is kept. Shared by every node.
pub trait EvidenceStore: Send + Sync {
    /// At most so many rows behind a number, in order.
    fn rows(&self, after: i64, limit: u32) -> Answering<'_, Vec<LeafRow>>;

    /// The hashes alone.
    fn hashes(&self, after: i64, limit: u32) -> Answering<'_, Vec<Vec<u8>>>;

    /// The last row.
    fn last_row(&self) -> Answering<'_, Option<LeafRow>>;

    /// Checkpoints behind a size, in order.
    fn checkpoints(&self, after: i64, limit: u32) -> Answering<'_, Vec<KeptCheckpoint>>;

    /// The newest checkpoint.
    fn last_checkpoint(&self) -> Answering<'_, Option<KeptCheckpoint>>;

    /// Keeps a checkpoint and the tree that it was made of. One of the same size that is there stays.
    fn keep_checkpoint(&self, kept: KeptCheckpoint, frontier: Vec<u8>) -> Answering<'_, ()>;

    /// The tree at the newest checkpoint.
    fn frontier(&self) -> Answering<'_, Option<Vec<u8>>>;

    /// How far a follower has come.
    fn position<'a>(&'a self, follower: &'a str) -> Answering<'a, Position>;

    /// Notes how far it has come now.
    fn advance<'a>(&'a self, follower: &'a str, position: Position) -> Answering<'a, ()>;

    /// What the gateway keeps for itself under a name; when there is nothing, this is put there first. All callers get the same.
    fn kept_or<'a>(&'a self, name: &'a str, value: Vec<u8>) -> Answering<'a, Vec<u8>>;

    /// What was sealed and dropped last.
    fn sealed(&self) -> Answering<'_, Option<Sealed>>;

    /// Drops the rows up to a number that were exported, and notes it. The last row of the trail always stays.
    fn drop_sealed(&self, sealed: Sealed) -> Answering<'_, ()>;

    /// The number of the last row recorded before a moment, 0 for none.
    fn before(&self, moment: Instant) -> Answering<'_, i64>;
}
