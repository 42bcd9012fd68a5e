//! The vault. Content of records can be read in here and nowhere else, and the only ways out are `release` (to the caller, after
//! the trail is durable) and `forward` (to the store, after the checks).

mod column;
mod forward;
mod sealed;

pub use column::SealedContent;
pub use forward::{Change, Commit, Committed, Expected, Forwarded, Guard, Stored};
pub use sealed::Sealed;
