//! What result intake must know of records on file, decided in here: no content leaves.

use super::draft::parse;
use super::record::open;
use super::{Row, Sealed};
use crate::fhir::json::{Document, Element};
use crate::fhir::matching::{Demographics, Likeness, likeness};
use crate::fhir::{Instant, Refusal};

/// An extension: when the message was sent that a record tells the state of, where the record has no element of its own for it.
pub const AS_OF: &str = "urn:amanat:lab:as-of";

/// How new a result on file is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reported {
    /// `status`
    pub status: String,
    /// When it was reported.
    pub at: Option<Instant>,
    /// The references of `result`.
    pub results: Vec<String>,
}

/// How new a result on file is; nothing for a deleted one.
///
/// # Errors
/// [`Refusal::Internal`] when stored content is damaged.
pub fn reported(row: &Row) -> Result<Reported, Refusal> {
    let Some(content) = row.content.as_ref().filter(|_| !row.facts.deleted) else { return Ok(Reported::default()) };
    let document = open(content)?;
    let root = document.root();
    let results = root.get("result").into_iter().flat_map(Element::flattened);
    Ok(Reported {
        status: root.text_at("status").unwrap_or_default().into_owned(),
        at: as_of(root),
        results: results.filter_map(|one| one.text_at("reference")).map(std::borrow::Cow::into_owned).collect(),
    })
}

fn as_of(record: Element<'_>) -> Option<Instant> {
    let extension = record.get("extension").into_iter().flat_map(Element::flattened);
    let mut told = extension.filter(|one| one.text_at("url").as_deref() == Some(AS_OF));
    let told = told.find_map(|one| Instant::parse(&one.text_at("valueInstant")?));
    told.or_else(|| ["issued", "date"].into_iter().find_map(|name| Instant::parse(&record.text_at(name)?)))
}

/// A patient on file beside a description.
#[derive(Debug, Clone)]
pub struct Compared {
    /// How they agree.
    pub likeness: Likeness,
    /// The organization that keeps the record.
    pub managed_by: Option<String>,
    /// Another record is to be used instead.
    pub replaced: bool,
    /// Which identifiers of the description the record lacks.
    pub lacks: Vec<usize>,
}

/// Compares a patient on file with a description.
///
/// # Errors
/// [`Refusal::Internal`] when stored content is damaged.
pub fn compared(asked: &Demographics, row: &Row, strong: &dyn Fn(&str) -> bool) -> Result<Compared, Refusal> {
    let found = match &row.content {
        Some(content) => Demographics::read(open(content)?.root()),
        None => Demographics::default(),
    };
    let lacks = asked.identifiers.iter().enumerate().filter(|(_, one)| !found.identifiers.contains(one)).map(|(at, _)| at);
    Ok(Compared {
        likeness: likeness(asked, &found, strong),
        lacks: lacks.collect(),
        managed_by: found.managed_by,
        replaced: found.replaced,
    })
}

/// The patient that `$match` is given, described.
pub fn described(draft: &super::Draft) -> Demographics {
    Demographics::read(draft.document().root())
}

/// A FHIR message on its way into the inbox. What is in it is no record yet: it is its sender's own, to be read by intake alone.
///
/// # Errors
/// [`Refusal::Malformed`] for what is not JSON.
pub fn message_in(body: &Sealed) -> Result<Document, Refusal> {
    parse(body)
}
