//! Bundles around records: the frame is written here, the records are copied as they lie.

use super::pending::{Pending, Proof};
use super::record::{SecondLook, rendered, touched};
use super::{Redaction, Row, Visit, outcome};
use crate::access::Permit;
use crate::audit::Entry;
use crate::fhir::json::quote_into;
use crate::fhir::matching::Likeness;
use crate::fhir::search::Contained;
use crate::fhir::{Id, Instant, Need, Problem, Refusal, Rendering, Touched};
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// Links and count of a page.
#[derive(Debug, Clone, Default)]
pub struct PageFrame {
    /// `total`, when it is told.
    pub total: Option<u64>,
    /// `self`: what was understood.
    pub self_link: String,
    /// `next`, sealed.
    pub next_link: Option<String>,
    /// Parameters that were ignored under `handling=lenient`.
    pub ignored: Vec<String>,
    /// When.
    pub now: Option<Instant>,
    /// `_contained`: what the matches contain is what was searched.
    pub contained: Option<Contained>,
    /// Why something that was asked for is not there.
    pub incomplete: Option<Problem>,
}

/// A page of matches and included records.
///
/// # Errors
/// [`Refusal::Internal`] when stored content is damaged.
pub fn searchset(
    permit: &Permit,
    page: (&[Row], &[Row]),
    frame: &PageFrame,
    rendering: &Rendering,
    visit: &Visit,
    redaction: &Redaction<'_>,
) -> Result<Pending, Refusal> {
    let base = redaction.base();
    let mut bundle = Frame::open("searchset", frame);
    bundle.expect(page.0.iter().chain(page.1), base);
    let mut shown = Shown::default();
    // The list of elements does not apply to what is included (R4 search § 3.1.1.5.9).
    let beside = Rendering { elements: Vec::new(), ..rendering.clone() };
    for (rows, need, mode, how) in [(page.0, Need::Search, "match", rendering), (page.1, Need::Read, "include", &beside)] {
        let inside = frame.contained.as_ref().filter(|contained| contained.shows_contained && need == Need::Search);
        let mut look = SecondLook::new(permit, need, base);
        for row in rows.iter().filter(|row| look.passes(row)) {
            let Some(content) = &row.content else { continue };
            shown.add(row);
            if let Some(contained) = inside {
                bundle.contained((permit, need, redaction), row, contained, how)?;
                continue;
            }
            bundle.entry(|out| {
                full_url(out, base, row);
                out.resource(&rendered((permit, need, redaction), &row.facts, content, how)?);
                for part in [",\"search\":{\"mode\":\"", mode, "\"}"] {
                    out.raw(part);
                }
                Ok(())
            })?;
        }
    }
    let hint = redaction.settings.withheld_hint;
    if hint || !frame.ignored.is_empty() || frame.incomplete.is_some() {
        bundle.entry(|out| {
            out.raw("\"resource\":");
            out.raw(&notes(frame, hint));
            out.raw(",\"search\":{\"mode\":\"outcome\"}");
            Ok(())
        })?;
    }
    Ok(Pending::owing(200, Vec::new(), bundle.close(), shown.entry(visit)))
}

/// What `$match` found: candidates with their scores, the best first (<https://hl7.org/fhir/R4/patient-operation-match.html>).
///
/// # Errors
/// [`Refusal::Internal`] when stored content is damaged.
pub fn matches(
    permit: &Permit,
    found: &[(Row, Likeness)],
    rendering: &Rendering,
    visit: &Visit,
    redaction: &Redaction<'_>,
) -> Result<Pending, Refusal> {
    let base = redaction.base();
    let total = u64::try_from(found.len()).ok();
    let mut bundle = Frame::open("searchset", &PageFrame { total, ..PageFrame::default() });
    let mut shown = Shown::default();
    let mut look = SecondLook::new(permit, Need::Search, base);
    for (row, likeness) in found.iter().filter(|(row, _)| look.passes(row)) {
        let Some(content) = &row.content else { continue };
        shown.add(row);
        bundle.entry(|out| {
            full_url(out, base, row);
            out.resource(&rendered((permit, Need::Search, redaction), &row.facts, content, rendering)?);
            out.raw(&format!(
                ",\"search\":{{\"extension\":[{{\"url\":\"http://hl7.org/fhir/StructureDefinition/match-grade\",\"valueCode\":\"{}\"}}],\
                 \"mode\":\"match\",\"score\":{:.2}}}",
                likeness.grade.code(),
                likeness.score
            ));
            Ok(())
        })?;
    }
    Ok(Pending::owing(200, Vec::new(), bundle.close(), shown.entry(visit)))
}

/// A page of versions, newest first.
///
/// # Errors
/// [`Refusal::Internal`] when stored content is damaged.
pub fn history(
    permit: &Permit,
    need: Need,
    versions: &[Row],
    frame: &PageFrame,
    rendering: &Rendering,
    visit: &Visit,
    redaction: &Redaction<'_>,
) -> Result<Pending, Refusal> {
    let base = redaction.base();
    let mut bundle = Frame::open("history", frame);
    let mut shown = Shown::default();
    let mut look = SecondLook::new(permit, need, base);
    for row in versions.iter().filter(|row| look.passes(row)) {
        shown.add(row);
        bundle.entry(|out| {
            full_url(out, base, row);
            if let Some(content) = &row.content {
                out.resource(&rendered((permit, need, redaction), &row.facts, content, rendering)?);
            }
            out.raw(&change(row));
            Ok(())
        })?;
    }
    Ok(Pending::owing(200, Vec::new(), bundle.close(), shown.entry(visit)))
}

/// The answers of a batch's or transaction's entries, in the order of the request.
pub fn responses(kind: &str, parts: Vec<Result<Pending, (Refusal, Entry)>>) -> Pending {
    let mut bundle = Frame::open(kind, &PageFrame::default());
    let mut owed = Vec::new();
    for part in parts {
        match part {
            Ok(pending) => {
                bundle.response(pending.status, &pending.headers, &pending.body);
                if let Proof::Owed(entries) = pending.proof {
                    owed.extend(entries);
                }
            }
            Err((refusal, entry)) => {
                bundle.outcome(refusal.told().status, &outcome::document(&refusal, None));
                owed.push(entry);
            }
        }
    }
    Pending { status: 200, headers: Vec::new(), body: bundle.close(), proof: Proof::Owed(owed) }
}

/// Who and what an answer shows.
#[derive(Default)]
struct Shown {
    patients: BTreeSet<Id>,
    records: Vec<Touched>,
}

impl Shown {
    fn add(&mut self, row: &Row) {
        // Nearly all of a page are of one patient.
        for patient in &row.facts.patients {
            if !self.patients.contains(patient) {
                self.patients.insert(patient.clone());
            }
        }
        self.records.push(touched(&row.facts));
    }

    fn entry(self, visit: &Visit) -> Entry {
        visit.concluded(self.patients.into_iter().collect(), self.records)
    }
}

pub(super) fn full_url(out: &mut Frame, base: &str, row: &Row) {
    let key = &row.facts.key;
    for part in ["\"fullUrl\":\"", base, "/", key.resource_type.name(), "/", key.id.as_str(), "\""] {
        out.raw(part);
    }
}

/// `request` and `response` of a history entry.
fn change(row: &Row) -> String {
    let facts = &row.facts;
    let (method, url, status) = match (facts.deleted, facts.version.0) {
        (true, _) => ("DELETE", facts.key.to_string(), "204"),
        (false, 1) => ("POST", facts.key.resource_type.to_string(), "201"),
        (false, _) => ("PUT", facts.key.to_string(), "200"),
    };
    format!(
        ",\"request\":{{\"method\":\"{method}\",\"url\":\"{url}\"}},\"response\":{{\"status\":\"{status}\",\"etag\":\"W/\\\"{}\\\"\",\"lastModified\":\"{}\"}}",
        facts.version, facts.updated
    )
}

/// What is to be said beside the matches: what was ignored, and where the site wants it, on every search alike, that something may be
/// missing (L16).
fn notes(frame: &PageFrame, hint: bool) -> String {
    let hint = hint.then(|| "Records that patients do not let you see are not among these, nor counted.".to_owned());
    let ignored = (!frame.ignored.is_empty())
        .then(|| format!("These parameters were ignored, as `handling=lenient` asks: {}", frame.ignored.join(", ")));
    let told: Vec<String> = ignored.into_iter().chain(hint).collect();
    outcome::beside(&told.join(" "), frame.incomplete.as_slice())
}

/// About what an entry takes beside its record and the base.
const ENTRY: usize = 160;

/// A Bundle while it is written.
pub(super) struct Frame {
    text: Vec<u8>,
    entries: usize,
}

impl Frame {
    fn open(kind: &str, frame: &PageFrame) -> Self {
        let mut text = format!("{{\"resourceType\":\"Bundle\",\"type\":\"{kind}\"");
        if let Some(now) = frame.now {
            let _written = write!(text, ",\"timestamp\":\"{now}\"");
        }
        if let Some(total) = frame.total {
            let _written = write!(text, ",\"total\":{total}");
        }
        let links = [("self", Some(&frame.self_link).filter(|link| !link.is_empty())), ("next", frame.next_link.as_ref())];
        let mut opened = false;
        for (relation, url) in links {
            let Some(url) = url else { continue };
            text.push_str(if opened { "," } else { ",\"link\":[" });
            opened = true;
            let _written = write!(text, "{{\"relation\":\"{relation}\",\"url\":");
            quote_into(url, &mut text);
            text.push('}');
        }
        if opened {
            text.push(']');
        }
        Self { text: text.into_bytes(), entries: 0 }
    }

    /// Makes room for entries about as large as these.
    fn expect<'r>(&mut self, rows: impl Iterator<Item = &'r Row>, base: &str) {
        let each = |row: &Row| row.content.as_ref().map_or(0, super::Sealed::len) + base.len() + ENTRY;
        self.text.reserve(rows.map(each).sum());
    }

    pub(super) fn raw(&mut self, text: &str) {
        self.text.extend_from_slice(text.as_bytes());
    }

    pub(super) fn resource(&mut self, content: &[u8]) {
        self.raw(",\"resource\":");
        self.text.extend_from_slice(content);
    }

    pub(super) fn entry(&mut self, write: impl FnOnce(&mut Self) -> Result<(), Refusal>) -> Result<(), Refusal> {
        self.raw(if self.entries == 0 { ",\"entry\":[{" } else { ",{" });
        self.entries += 1;
        write(self)?;
        self.raw("}");
        Ok(())
    }

    fn response(&mut self, status: u16, headers: &[(super::HeaderWord, String)], body: &[u8]) {
        use super::HeaderWord::{ETag, LastModified, Location};
        self.raw(if self.entries == 0 { ",\"entry\":[{" } else { ",{" });
        self.entries += 1;
        if !body.is_empty() {
            self.raw("\"resource\":");
            self.text.extend_from_slice(body);
            self.raw(",");
        }
        let mut response = format!("\"response\":{{\"status\":\"{status}\"");
        for (word, value) in headers {
            let (name, value) = match word {
                Location => ("location", value.clone()),
                ETag => ("etag", value.clone()),
                LastModified => match Instant::parse_http_date(value) {
                    Some(moment) => ("lastModified", moment.to_string()),
                    None => continue,
                },
                _ => continue,
            };
            let _written = write!(response, ",\"{name}\":");
            quote_into(&value, &mut response);
        }
        self.raw(&response);
        self.raw("}}");
    }

    fn outcome(&mut self, status: u16, outcome: &str) {
        self.raw(if self.entries == 0 { ",\"entry\":[{" } else { ",{" });
        self.entries += 1;
        self.raw(&format!("\"response\":{{\"status\":\"{status}\",\"outcome\":{outcome}}}}}"));
    }

    fn close(mut self) -> Vec<u8> {
        self.raw(if self.entries == 0 { "}" } else { "]}" });
        self.text
    }
}
