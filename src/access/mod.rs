//! May this caller ask this: scopes, launch context, compartment -> [`Permit`]. Pure.

mod caller;
mod permit;
mod predicate;
mod scopes;

pub use caller::Caller;
pub use permit::Permit;
pub use predicate::{Look, Predicate, Verdicts};
pub use scopes::{Grant, Level, Scopes};
