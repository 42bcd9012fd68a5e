//! The trail: entries, their chain, and how they read as AuditEvent.

mod canonical;
mod chain;
mod entry;
mod event;
mod leaf;
mod opening;
mod participants;
mod pattern;
#[cfg(test)]
mod samples;
#[cfg(test)]
mod tests;
mod trail;
mod verify;

pub use chain::{Chain, FIRST_NODE, GENESIS, Link, Mark, leaf_hash};
pub use entry::{Agent, Entry, Event};
pub use event::{Site, audit_events};
pub use leaf::{Leaf, LeafError};
pub use trail::{Receipt, Trail, TrailError, TrailRow, TrailSource, Trailing};
pub use verify::{Fault, Finding, TAIL_CAVEAT, Verdict, Verifier};
