//! Stored value sets and code systems, read for what a search asks of them. What an inline label withholds from somebody counts for
//! nobody: which codes a search finds must not tell it.

use super::Row;
use super::record::open;
use crate::fhir::Refusal;
use crate::fhir::json::Document;
use crate::fhir::partial::{Partial, may_hold_inline_labels, partial};
use crate::fhir::terms::{CodeSystem, ValueSet};

/// A stored ValueSet.
///
/// # Errors
/// [`Refusal::Internal`] when stored content is damaged.
pub fn value_set_of(row: &Row) -> Result<ValueSet, Refusal> {
    unlabelled(row).map(|document| ValueSet::read(&document))
}

/// A stored CodeSystem.
///
/// # Errors
/// [`Refusal::Internal`] when stored content is damaged.
pub fn code_system_of(row: &Row) -> Result<CodeSystem, Refusal> {
    unlabelled(row).map(|document| CodeSystem::read(&document))
}

pub(super) fn unlabelled(row: &Row) -> Result<Document, Refusal> {
    let document = open(row.content.as_ref().ok_or(Refusal::Internal)?)?;
    if !may_hold_inline_labels(document.text().as_bytes()) {
        return Ok(document);
    }
    match partial(&document, &Partial { shows: &|_| false, tells: &|_, _| true }) {
        Some(text) => Document::parse(text.as_bytes()).map_err(|_| Refusal::Internal),
        None => Ok(document),
    }
}
