//! The integration tests, one binary.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test ends where it fails")]

#[path = "house/compile_fail.rs"]
mod compile_fail;
#[path = "house/rules.rs"]
mod rules;
#[expect(dead_code, reason = "the tests that use it come next")]
mod support;
mod transport;
