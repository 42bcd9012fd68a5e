//! Amanat: a FHIR R4 interoperability gateway.

pub mod clock;
pub mod fhir;
