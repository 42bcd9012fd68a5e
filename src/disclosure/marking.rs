//! The marks of what is written, and of what was written before there were these rules.

use super::Row;
use super::record::open;
use crate::consent::Labelling;
use crate::fhir::json::Document;
use crate::fhir::{Confidentiality, Key, Marks, Refusal};

/// By which rules content is marked.
#[derive(Debug, Clone, Copy)]
pub struct Marking<'m> {
    /// The rules.
    pub labelling: &'m Labelling,
    /// The server's own base URL.
    pub base: &'m str,
}

impl Marking<'_> {
    /// The marks of new content in place of the old: what any version before was labelled stays (`consent` § 3.4, high-water mark).
    ///
    /// An old version that other rules marked, or none, leaves a record that is still to be read anew: its chain of versions may hold
    /// what these rules would see.
    pub(super) fn marks(&self, document: &Document, key: &Key, old: Option<&Row>) -> Result<Marks, Refusal> {
        let marks = self.labelling.marks(document, key, self.base);
        let Some(old) = old else { return Ok(marks) };
        let before = &old.facts.marks;
        if !before.is_unread() {
            let ruleset = if before.ruleset == marks.ruleset { marks.ruleset } else { 0 };
            return Ok(Marks { ruleset, ..marks }.raised_to(before));
        }
        let before = match &old.content {
            Some(content) => self.labelling.marks(&open(content)?, key, self.base),
            None => Marks::default(),
        };
        let confidentiality = marks.confidentiality.max(Confidentiality::R);
        Ok(Marks { confidentiality, ruleset: 0, ..marks }.raised_to(&before))
    }

    /// The marks of every version of one record, oldest first: each with what the ones before it said. A deletion has those of the
    /// version that it ended.
    ///
    /// # Errors
    /// [`Refusal::Internal`] when stored content is damaged.
    pub fn chain(&self, versions: &[Row]) -> Result<Vec<Marks>, Refusal> {
        let mut all: Vec<Marks> = Vec::with_capacity(versions.len());
        for row in versions {
            let marks = match (&row.content, all.last()) {
                (Some(content), Some(last)) => {
                    self.labelling.marks(&open(content)?, &row.facts.key, self.base).raised_to(last)
                }
                (Some(content), None) => self.labelling.marks(&open(content)?, &row.facts.key, self.base),
                (None, Some(last)) => last.clone(),
                (None, None) => Marks { ruleset: self.labelling.ruleset(), ..Marks::unread() },
            };
            all.push(marks);
        }
        Ok(all)
    }
}
