//! Amanat: a FHIR R4 interoperability gateway.

pub mod access;
pub mod audit;
pub mod cli;
pub mod clock;
pub mod consent;
pub mod disclosure;
pub mod fhir;
pub mod identity;
pub mod smart;
pub mod store;
