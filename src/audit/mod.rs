//! The trail: entries, their chain, and how they read as AuditEvent.

mod canonical;
mod chain;
mod decision;
mod entry;
mod event;
mod examine;
mod leaf;
mod opening;
mod participants;
mod pattern;
pub mod rules;
#[cfg(test)]
mod samples;
#[cfg(test)]
mod tests;
mod trail;
pub mod tree;
mod verify;

pub use chain::{Chain, FIRST_NODE, GENESIS, Link, Mark, leaf_hash};
pub use entry::{Agent, Decided, Entry, Event, Worded};
pub use event::{Site, audit_events};
pub use examine::{Examined, Examiner};
pub use leaf::{Leaf, LeafError};
pub use trail::{Receipt, Trail, TrailError, TrailRow, TrailSource, Trailing};
pub use verify::{Fault, Finding, TAIL_CAVEAT, Verdict, Verifier};
