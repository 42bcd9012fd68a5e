//! The trail: entries, their chain, and how they read as AuditEvent.

mod entry;
mod trail;

pub use entry::{Agent, Entry, Event};
pub use trail::{Receipt, Trail, TrailError};
