//! Stored value sets and code systems, read for what a search asks of them. What an inline label withholds from somebody counts for
//! nobody: which codes a search finds must not tell it.

use super::record::open;
use super::{Marking, Row};
use crate::fhir::Refusal;
use crate::fhir::definitions::Proposed;
use crate::fhir::json::Document;
use crate::fhir::partial::{Partial, may_hold_inline_labels, partial};
use crate::fhir::search::{IndexEntry, ParameterId, extract};
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
    match partial(&document, &Partial { shows: &|_| false, tells: &|_, _| true, hushes: &|_| None }) {
        Some(text) => Document::parse(text.as_bytes()).map_err(|_| Refusal::Internal),
        None => Ok(document),
    }
}

/// A stored SearchParameter; `None` for one that is not active.
///
/// # Errors
/// [`Refusal::Internal`] when stored content is damaged.
pub fn parameter_of(row: &Row) -> Result<Option<Proposed>, Refusal> {
    unlabelled(row).map(|document| Proposed::read(&document))
}

/// The index values of a stored record under some parameters of the site alone.
///
/// # Errors
/// [`Refusal::Internal`] when stored content is damaged.
pub fn values_under(row: &Row, parameters: &[ParameterId], marking: &Marking<'_>) -> Result<Vec<IndexEntry>, Refusal> {
    let mut entries = index_of(row, marking)?;
    entries.retain(|entry| parameters.iter().any(|id| id.holds(entry.parameter)));
    Ok(entries)
}

/// Every index value of a stored record.
///
/// # Errors
/// [`Refusal::Internal`] when stored content is damaged.
pub fn index_of(row: &Row, marking: &Marking<'_>) -> Result<Vec<IndexEntry>, Refusal> {
    let document = open(row.content.as_ref().ok_or(Refusal::Internal)?)?;
    Ok(extract(&document, row.facts.key.resource_type, marking.base, marking.known))
}
