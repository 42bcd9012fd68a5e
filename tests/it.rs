//! The integration tests, one binary.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::format_push_string,
    clippy::format_collect,
    clippy::similar_names,
    clippy::needless_pass_by_value,
    reason = "a test ends where it fails, and reads better short than fast"
)]
#![expect(clippy::print_stdout, reason = "a test says what it left out, and its figures")]

#[path = "house/compile_fail.rs"]
mod compile_fail;
mod corpora;
mod differential;
mod discovery;
mod interactions;
mod lab;
mod nodes;
mod operations;
mod oracle;
mod program;
mod promises;
#[path = "house/rules.rs"]
mod rules;
mod searching;
mod silence;
mod site;
mod smart;
mod support;
mod trail;
mod transport;
mod upstream;
mod vectors;
