//! The integration tests, one binary.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test ends where it fails")]

#[path = "house/compile_fail.rs"]
mod compile_fail;
mod interactions;
mod promises;
#[path = "house/rules.rs"]
mod rules;
mod support;
mod transport;
