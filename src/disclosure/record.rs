//! One record on its way out: decided once more on its facts, then rendered.

use super::pending::Pending;
use super::released::{location, version_headers};
use super::{Redaction, Row, Sealed, Visit};
use crate::access::{Look, Permit, Predicate};
use crate::fhir::json::Document;
use crate::fhir::search::{IndexEntry, STANDARD, extract};
use crate::fhir::subset::subset;
use crate::fhir::{Facts, Need, ReadConditions, Refusal, Rendering, ResourceType, Return, Summary, Touched};
use std::borrow::Cow;

/// Shows one version of a record (read, vread).
///
/// # Errors
/// [`Refusal::Gone`] for the version that a delete made, [`Refusal::NotFound`] when the second look withholds it.
pub fn show(
    permit: &Permit,
    row: &Row,
    conditions: ReadConditions,
    rendering: &Rendering,
    visit: &Visit,
    redaction: &Redaction<'_>,
) -> Result<Pending, Refusal> {
    if !SecondLook::new(permit, Need::Read, redaction.base()).passes(row) {
        return Err(Refusal::NotFound);
    }
    let facts = &row.facts;
    let Some(content) = row.content.as_ref().filter(|_| !facts.deleted) else { return Err(Refusal::Gone) };
    let headers = version_headers(facts.version, facts.updated);
    let entry = visit.concluded(facts.patients.clone(), vec![touched(facts)]);
    if unchanged(facts, conditions) {
        return Ok(Pending::owing(304, headers, Vec::new(), entry));
    }
    let body = rendered((permit, Need::Read, redaction), facts, content, rendering)?.into_owned();
    Ok(Pending::owing(200, headers, body, entry))
}

/// Answers a conditional create whose condition found this record: its address and version; its content only to who may read it.
///
/// # Errors
/// [`Refusal::Internal`] when stored content is damaged.
pub fn found(
    permit: &Permit,
    row: &Row,
    rendering: &Rendering,
    visit: &Visit,
    redaction: &Redaction<'_>,
) -> Result<Pending, Refusal> {
    let (facts, base) = (&row.facts, redaction.base());
    let mut headers = version_headers(facts.version, facts.updated);
    headers.push(location(base, &facts.key, facts.version));
    let readable = permit.admits(Need::Read, &Look::new(facts, &|| values(row, base)));
    let body = match &row.content {
        Some(content) if readable && rendering.prefer != Some(Return::Minimal) => {
            rendered((permit, Need::Read, redaction), facts, content, rendering)?.into_owned()
        }
        _ => Vec::new(),
    };
    Ok(Pending::owing(200, headers, body, visit.concluded(facts.patients.clone(), vec![touched(facts)])))
}

/// The index values of a row, for predicates that ask for them.
fn values(row: &Row, base: &str) -> Vec<IndexEntry> {
    let document = row.content.as_ref().and_then(|content| open(content).ok());
    document.map(|document| extract(&document, row.facts.key.resource_type, base, &STANDARD)).unwrap_or_default()
}

/// The second look: does the permit hold for these very rows? A no is a defect of the first look; the row stays inside.
pub(super) struct SecondLook<'p> {
    permit: &'p Permit,
    need: Need,
    base: &'p str,
    /// The rows of the permit, of the type that was looked at last.
    open: Option<(ResourceType, Predicate)>,
}

impl<'p> SecondLook<'p> {
    /// At rows that are shown with this need, below this base.
    pub(super) fn new(permit: &'p Permit, need: Need, base: &'p str) -> Self {
        Self { permit, need, base, open: None }
    }

    /// Whether a row may leave.
    pub(super) fn passes(&mut self, row: &Row) -> bool {
        let of = row.facts.key.resource_type;
        let compute = || values(row, self.base);
        let open = match self.open.take() {
            Some(open) if open.0 == of => open,
            _ => (of, self.permit.rows(of, self.need)),
        };
        let holds = open.1.confirms(&Look::new(&row.facts, &compute));
        self.open = Some(open);
        if !holds {
            metrics::counter!("amanat_release_second_look_withheld_total").increment(1);
            tracing::error!(resource_type = of.name(), "the second look withheld a row that the query let through");
        }
        holds
    }
}

/// Parses content that the store gave.
pub(super) fn open(content: &Sealed) -> Result<Document, Refusal> {
    let text = content.open().ok_or(Refusal::Internal)?;
    Document::parse(&text).map_err(|_| Refusal::Internal)
}

/// Who looks, for what, and by which rules records are cut for them.
pub type Eye<'e> = (&'e Permit, Need, &'e Redaction<'e>);

/// The bytes to send for a record: what this caller is shown of it, then what the caller wants of that.
pub(super) fn rendered<'c>(
    eye: Eye<'_>,
    facts: &Facts,
    content: &'c Sealed,
    rendering: &Rendering,
) -> Result<Cow<'c, [u8]>, Refusal> {
    let (permit, need, redaction) = eye;
    let whole = rendering.elements.is_empty() && matches!(rendering.summary, None | Some(Summary::Count));
    let text = content.open().ok_or(Refusal::Internal)?;
    let text = match redaction.cut(permit, need, facts, (&text, content.unlabelled))? {
        Some(cut) => Cow::Owned(cut.into_bytes()),
        None => text,
    };
    if whole {
        return Ok(text);
    }
    let document = Document::parse(&text).map_err(|_| Refusal::Internal)?;
    Ok(Cow::Owned(subset(&document, rendering).unwrap_or_else(|| document.into_text()).into_bytes()))
}

/// The bytes of a record as it lies.
pub(super) fn all_of(content: &Sealed) -> Result<Vec<u8>, Refusal> {
    content.open().map(Cow::into_owned).ok_or(Refusal::Internal)
}

pub(super) fn touched(facts: &Facts) -> Touched {
    Touched { resource_type: facts.key.resource_type, id: facts.key.id.clone(), version: Some(facts.version) }
}

/// `If-None-Match` speaks before `If-Modified-Since` (RFC 9110 § 13.2.2).
fn unchanged(facts: &Facts, conditions: ReadConditions) -> bool {
    match (conditions.none_match, conditions.modified_since) {
        (Some(version), _) => version == facts.version,
        (None, Some(since)) => facts.updated.seconds() <= since.seconds(),
        (None, None) => false,
    }
}
