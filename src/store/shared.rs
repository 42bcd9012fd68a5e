//! A store that several nodes write to, as a port: what a node hears of the others.

use super::{Answering, Row};
use crate::fhir::ResourceType;

/// How far a store has come. Both numbers only grow.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Epoch {
    /// The last change of a record.
    pub change: i64,
    /// Changes of what every node keeps in memory: clients, keys, grants of emergency access.
    pub kept: i64,
}

/// What happened since.
#[derive(Debug)]
pub struct News {
    /// How far the store is, at least.
    pub epoch: Epoch,
    /// The records of the types asked for that changed, deleted ones included, in the order of the changes. Never an answer.
    pub records: Vec<Row>,
}

/// What nodes of one store tell each other.
pub trait Shared: Send + Sync {
    /// How far the store is now, and the records of these types that changed behind `seen`. Always asked of the first server: whoever
    /// asks afterwards sees every change that was acknowledged before, on whatever node.
    fn look<'a>(&'a self, types: &'a [ResourceType], seen: Epoch) -> Answering<'a, News>;

    /// Whether this node does what only one should do, such as making AuditEvents of the trail. When it ends, another one leads.
    fn leads(&self) -> bool;
}
