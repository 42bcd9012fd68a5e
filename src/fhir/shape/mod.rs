//! Does a record have the shape that R4 gives its type? Judged by the structure table alone; no rule is written for one type.
//!
//! Looked at: names, nesting, JSON types, repetition, choices, primitive formats and their `_` siblings, contained resources
//! (<https://hl7.org/fhir/R4/json.html>). Not looked at: cardinality, bindings, invariants, profiles.

mod formats;
mod place;
mod walk;

use super::json::Document;
use super::{Problem, ResourceType};
pub(super) use place::Place;
use walk::Walk;

/// How many problems are listed at most.
pub const MAX_PROBLEMS: usize = 50;

/// The type of a record whose shape is right.
///
/// # Errors
/// Every problem found, [`MAX_PROBLEMS`] at most, each with its FHIRPath.
pub fn check(document: &Document) -> Result<ResourceType, Vec<Problem>> {
    Walk::new(true).judge(document.root())
}

/// Like [`check`] for a Bundle whose entries are judged one by one elsewhere: their `resource` is not looked into.
///
/// # Errors
/// As [`check`].
pub fn check_envelope(document: &Document) -> Result<ResourceType, Vec<Problem>> {
    Walk::new(false).judge(document.root())
}

#[cfg(test)]
mod tests;
