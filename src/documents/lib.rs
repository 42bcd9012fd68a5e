//! The documents that the gateway itself writes, authored with the typed model of FHIR (R4B).
//!
//! Everything here takes plain text and gives JSON text: no generic function and no FHIR type crosses the border, so the
//! crates that use it never compile the model's code again. Typed values are serialised, never parsed. Where R4 and R4B differ, R4 is written.

mod bare;
mod capability;
mod event;
mod object;
mod outcome;

pub use capability::{Capability, Parameter, Security, Served, capability_statement};
pub use event::{AgentParts, AuditEventParts, Code, EntityParts, Pointer, audit_event};
pub use outcome::{CODES, Issue, operation_outcome};
