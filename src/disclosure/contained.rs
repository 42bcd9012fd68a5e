//! `_containedType=contained`: of a record that matched, what it contains and what was searched.

use super::frame::{Frame, full_url};
use super::record::{Eye, rendered};
use super::{Redaction, Row};
use crate::fhir::json::Document;
use crate::fhir::search::{Contained, contained_matching, extract, holds};
use crate::fhir::subset::subset;
use crate::fhir::{Refusal, Rendering};

impl Frame {
    /// An entry for each contained resource that matches, and for the record itself where records of its type are searched as well.
    pub(super) fn contained(
        &mut self,
        eye: Eye<'_>,
        row: &Row,
        contained: &Contained,
        rendering: &Rendering,
    ) -> Result<(), Refusal> {
        let (_, _, redaction) = eye;
        let Some(content) = &row.content else { return Ok(()) };
        let whole = rendered(eye, &row.facts, content, &Rendering::default())?;
        let document = Document::parse(&whole).map_err(|_| Refusal::Internal)?;
        if contained.containers_too && matches_itself(&document, row, contained, redaction) {
            let shown = rendered(eye, &row.facts, content, rendering)?;
            self.matched(|out| {
                full_url(out, redaction.base(), row);
                out.resource(&shown);
            })?;
        }
        for resource in contained_matching(&document, contained, redaction.base(), redaction.known()) {
            let id = resource.text_at("id").unwrap_or_default().into_owned();
            let own = Document::parse(resource.raw().as_bytes()).map_err(|_| Refusal::Internal)?;
            let shown = subset(&own, rendering).unwrap_or_else(|| own.into_text());
            self.matched(|out| {
                out.raw(&format!("\"fullUrl\":\"{}/{}#{id}\"", redaction.base(), row.facts.key));
                out.resource(shown.as_bytes());
            })?;
        }
        Ok(())
    }

    fn matched(&mut self, write: impl FnOnce(&mut Self)) -> Result<(), Refusal> {
        self.entry(|out| {
            write(out);
            out.raw(",\"search\":{\"mode\":\"match\"}");
            Ok(())
        })
    }
}

fn matches_itself(document: &Document, row: &Row, contained: &Contained, redaction: &Redaction<'_>) -> bool {
    let facts = &row.facts;
    if facts.key.resource_type != contained.of {
        return false;
    }
    let entries = extract(document, facts.key.resource_type, redaction.base(), redaction.known());
    contained.criteria.iter().all(|one| holds(one, &facts.key, facts.updated, &entries) == Some(true))
}
