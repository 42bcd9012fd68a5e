//! Result intake: what laboratories push, read, mapped to FHIR and acknowledged. The gateway decides and files; nothing here does.
//!
//! * [`v2`]: messages as text. [`mllp`]: how they travel. [`acknowledge`]: what is answered.
//! * [`tables`]: what a site tells about its senders, codes and units. [`mapping`]: from a message to a [`Plan`].
//! * [`changes`]: what is told when a result is replaced.
//! * [`fhir_message`]: the same from a Bundle of type `message`.

pub mod acknowledge;
pub mod changes;
pub mod fhir_message;
pub mod mapping;
pub mod mllp;
mod plan;
pub mod tables;
pub mod v2;

pub use plan::{Mapping, Namer, Plan, Planned, Role, Stamp, Warning, WarningKind};
