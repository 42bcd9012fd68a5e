//! Amanat: a FHIR R4 interoperability gateway.

pub mod cli;
pub mod clock;
pub mod fhir;
