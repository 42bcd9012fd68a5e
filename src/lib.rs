//! Amanat: a FHIR R4 interoperability gateway.

pub mod access;
pub mod audit;
pub mod clock;
pub mod consent;
pub mod disclosure;
pub mod fhir;
pub mod store;
