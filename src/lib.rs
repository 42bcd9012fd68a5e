//! Amanat: a FHIR R4 interoperability gateway. One decision on every path, and nothing leaves undecided or unaudited.
//!
//! The rooms in layer order, lowest first; imports point downward only:
//!
//! * [`fhir`]: R4 words without an opinion. [`clock`]: the only `now()`.
//! * [`access`]: may this caller ask this. [`consent`]: may this record be shown. [`audit`]: what will be remembered.
//! * [`disclosure`]: the vault, the only reader of record content.
//! * [`store`]: where records live. [`identity`]: who asks. [`smart`]: who gets a token.
//! * [`lab`]: what laboratories push, read and mapped.
//! * [`watch`]: what follows the trail: checkpoints, feeds, alarms. [`gateway`]: the order of things. Begin to read there.
//! * [`http`], [`startup`], [`config`], [`telemetry`], [`cli`]: how it travels and how it runs.

pub mod access;
pub mod audit;
pub mod cli;
pub mod clock;
pub mod config;
pub mod consent;
pub mod disclosure;
pub mod fhir;
pub mod gateway;
pub mod http;
pub mod identity;
pub mod lab;
#[cfg(feature = "bench")]
mod layers;
pub mod portal;
pub mod smart;
pub mod startup;
pub mod store;
pub mod telemetry;
pub mod watch;
