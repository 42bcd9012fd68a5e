//! The authorization endpoint (RFC 6749 § 3.1): what an app asks of a person, what is offered to the person, and what comes of the answer.

mod offer;
mod pending;
mod remembered;
mod request;

pub use offer::{CATEGORIES, Category, Choice, KINDS, Offer};
pub use pending::{Answered, Pending};
pub use remembered::Remembered;
pub use request::{Asked, Wrong, asked, sent_back};
