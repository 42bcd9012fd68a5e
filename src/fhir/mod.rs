//! R4 words without an opinion. Pure: no I/O, no clock, nobody's rights.

pub mod bundle;
mod compartment;
#[cfg(test)]
pub(crate) mod corpora;
pub mod definitions;
mod facts;
mod id;
mod instant;
mod interaction;
pub mod json;
mod marks;
pub mod matching;
mod methods;
pub mod naming;
mod operation;
pub mod parameters;
pub mod partial;
pub mod patch;
pub mod prefer;
pub mod pretty;
pub mod rebase;
mod refusal;
mod request;
mod resource_type;
pub mod rewrite;
mod route;
pub mod search;
pub mod shape;
pub mod stamp;
pub mod subset;
pub mod terms;

pub use compartment::compartments_of;
pub use facts::{Facts, belongs_with, patients_of};
pub use id::{Id, Key, Version};
pub use instant::Instant;
pub use interaction::{CompartmentOwner, HistoryQuery, HistoryScope, Interaction, Need, ReadConditions, Span, WriteCondition};
pub use marks::{Confidentiality, Dates, Fact, FactSet, Interval, Marks, Mentions, Pair, Reading, is_hub};
pub use methods::methods;
pub use operation::{Called, Defined, OPERATIONS, Operation};
pub use refusal::{Outcome, Problem, Refusal, Told, Touched};
pub use request::{Headers, Method, Rendering, Request, Return, Summary, decode, encode, has_value, pairs};
pub use resource_type::ResourceType;
pub use route::{RouteOptions, interaction, rendering};
