//! Amanat: a FHIR R4 interoperability gateway.

pub mod access;
pub mod audit;
pub mod cli;
pub mod clock;
pub mod config;
pub mod disclosure;
pub mod fhir;
pub mod gateway;
pub mod http;
pub mod identity;
pub mod smart;
pub mod startup;
pub mod store;
pub mod telemetry;
