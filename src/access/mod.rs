//! May this caller ask this: scopes, launch context, compartment -> [`Permit`]. Pure.

mod app_state;
mod authorize;
mod break_glass;
mod caller;
mod condition;
mod formula;
mod one_of;
mod permit;
mod predicate;
mod reach;
mod scopes;
mod verdicts;

pub use app_state::{ADMINISTRATOR, StateOf, grants_app_state, may_use_app_state, needed_for_app_state};
pub use authorize::authorize;
pub use break_glass::BreakGlass;
pub use caller::{Caller, SignIn};
pub use condition::{Condition, Test};
pub use formula::decided;
pub use one_of::OneOf;
pub use permit::{Permit, may_write};
pub use predicate::{Look, Predicate};
pub use scopes::{Form, Grant, Level, Scopes};
pub use verdicts::{Group, Verdicts};
