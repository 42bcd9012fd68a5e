//! search (<https://hl7.org/fhir/R4/http.html#search>): one page, links, total.

use super::{Errand, Gateway};
use crate::access::{Permit, Predicate};
use crate::disclosure::{PageFrame, Pending, searchset};
use crate::fhir::search::SearchQuery;
use crate::fhir::{Need, Problem, Refusal, ResourceType, Summary, encode};
use crate::store::Cursor;

impl Gateway {
    pub(super) async fn search(
        &self,
        permit: &Permit,
        query: &SearchQuery,
        from: Option<&Cursor>,
        errand: &Errand,
    ) -> Result<Pending, Refusal> {
        let asked = query.types.is_empty() || query.types.contains(&ResourceType::AuditEvent);
        if asked && !matches!(permit.granted(ResourceType::AuditEvent, Need::Search), Predicate::None) {
            self.view_trail(ResourceType::AuditEvent).await?;
        }
        let mut bounds = self.bounds(query.shape.count);
        if query.rendering.summary == Some(Summary::Count) {
            bounds.count = 0;
        }
        let page = self.parts.store.search(permit, query, from, bounds).await?;
        let path = search_path(query);
        let next_link = page.next.map(|cursor| self.next_link(permit, &path, &cursor)).transpose()?;
        let frame = PageFrame {
            total: page.total,
            self_link: format!("{}/{path}", self.parts.base),
            next_link,
            ignored: query.ignored.clone(),
            now: Some(errand.visit.now),
            contained: query.contained.clone(),
            incomplete: page.cut.then(too_much),
        };
        let hidden = self.hidden(permit, page.matches.iter().chain(&page.included)).await?;
        let redaction = self.redaction().hiding(&hidden);
        searchset(permit, (&page.matches, &page.included), &frame, &query.rendering, &errand.visit, &redaction)
    }
}

/// What is said where not everything that belongs to a match could be included.
fn too_much() -> Problem {
    let text = "more is to be included with this match than one answer holds, and the rest is not here: search for what refers to it, \
                or is referred to, by a search of its own (`Observation?subject=Patient/...` instead of `_revinclude=Observation:subject`)";
    Problem::of("incomplete", text)
}

/// The search as it was understood, below the base: `Observation?patient=p1`.
fn search_path(query: &SearchQuery) -> String {
    let typed = query.applied.iter().any(|(name, _)| name == "_type");
    let member = match (query.types.as_slice(), &query.compartment) {
        // As it was asked: `_type` narrows a search that names no type.
        (_, None) if typed => "",
        (_, Some(_)) if typed => "*",
        ([one], _) => one.name(),
        (_, Some(_)) => "*",
        _ => "",
    };
    let owner = query.compartment.as_ref().map(|owner| format!("{}/{}/", owner.resource_type, owner.id)).unwrap_or_default();
    let parameters: Vec<String> =
        query.applied.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
    let mark = if parameters.is_empty() { "" } else { "?" };
    format!("{owner}{member}{mark}{}", parameters.join("&"))
}
