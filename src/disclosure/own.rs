//! Records that the gateway itself writes: AuditEvents made of the trail.

use super::{Change, Expected, Forwarded, Marking};
use crate::fhir::json::Document;
use crate::fhir::search::extract;
use crate::fhir::stamp::prepare;
use crate::fhir::{Key, Refusal, patients_of};

/// The change that stores one of the gateway's own documents, made from no caller's content.
///
/// # Errors
/// [`Refusal::Internal`] when the document is not JSON.
pub fn own_record(key: Key, document: &str, marking: &Marking<'_>) -> Result<Change, Refusal> {
    let base = marking.base;
    let document = Document::parse(document.as_bytes()).map_err(|_| Refusal::Internal)?;
    let patients = patients_of(&document, &key, base);
    let marks = marking.labelling.marks(&document, &key, base);
    let add = extract(&document, key.resource_type, base, marking.known);
    let content = Forwarded { prepared: prepare(&document, key.resource_type, &key.id) };
    Ok(Change {
        key,
        expected: Expected::Absent,
        content: Some(content),
        patients,
        marks,
        add,
        remove: Vec::new(),
        before: Vec::new(),
    })
}
