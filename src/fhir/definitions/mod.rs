//! The R4 definition tables, loaded once from `fhir-profiles`.
