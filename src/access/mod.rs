//! May this caller ask this: scopes, launch context, compartment -> [`Permit`]. Pure.

mod authorize;
mod caller;
mod permit;
mod predicate;
mod reach;
mod scopes;

pub use authorize::authorize;
pub use caller::Caller;
pub use permit::{Permit, may_write};
pub use predicate::{Look, Predicate, Verdicts};
pub use scopes::{Form, Grant, Level, Scopes};
