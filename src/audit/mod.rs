//! The trail: entries, their chain, and how they read as AuditEvent.

mod chain;
mod entry;
mod trail;

pub use chain::{Chain, Link, Mark};
pub use entry::{Agent, Entry, Event};
pub use trail::{Receipt, Trail, TrailError};
