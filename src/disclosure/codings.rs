//! What kind of observation a record is, for `$lastn`. What an inline label withholds from somebody counts for nobody.

use super::Row;
use super::terms::unlabelled;
use crate::fhir::Refusal;
use crate::fhir::json::Element;
use crate::fhir::search::fold;

/// The codings of a record's `code`; its text where there are none; nothing where there is neither. Records that share one are of a kind.
///
/// # Errors
/// [`Refusal::Internal`] when stored content is damaged.
pub fn kinds_of(row: &Row) -> Result<Vec<(String, String)>, Refusal> {
    let document = unlabelled(row)?;
    let Some(code) = document.root().get("code") else { return Ok(Vec::new()) };
    let codings = code.get("coding").into_iter().flat_map(Element::flattened);
    let kinds: Vec<(String, String)> = codings
        .filter_map(|coding| {
            Some((coding.text_at("system").unwrap_or_default().into_owned(), coding.text_at("code")?.into_owned()))
        })
        .collect();
    if !kinds.is_empty() {
        return Ok(kinds);
    }
    // No system is a blank, so that a text is never taken for a code.
    Ok(code.text_at("text").map(|text| (" ".to_owned(), fold(&text))).into_iter().collect())
}
