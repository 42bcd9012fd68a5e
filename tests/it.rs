//! The integration tests, one binary.

#[path = "house/compile_fail.rs"]
mod compile_fail;
#[path = "house/rules.rs"]
mod rules;
mod transport;
