//! A record that came from outside.

use super::known::Known;
use super::{Row, Sealed};
use crate::fhir::json::Document;
use crate::fhir::search::{IndexEntry, ParameterId, STANDARD, extract, extract_some};
use crate::fhir::{Facts, Key, Marks};
use std::sync::{Arc, OnceLock};

/// A record that came from outside, not decided on yet.
pub struct Taken {
    /// What a decision needs, computed from the content. A record that belongs with others ([`Taken::with`]) has their patients too, which
    /// whoever fetched it adds.
    pub facts: Arc<Facts>,
    known: Arc<Known>,
    document: OnceLock<Document>,
    values: OnceLock<Vec<IndexEntry>>,
    base: Arc<str>,
}

impl Taken {
    /// One that was just read.
    pub(super) fn read(known: Arc<Known>, document: Document, base: &Arc<str>) -> Self {
        Self { document: OnceLock::from(document), ..Self::known(known, base) }
    }

    /// One that is known.
    pub(super) fn known(known: Arc<Known>, base: &Arc<str>) -> Self {
        let facts = Arc::clone(&known.facts);
        Self { facts, known, document: OnceLock::new(), values: OnceLock::new(), base: Arc::clone(base) }
    }

    /// What is known of it.
    pub(super) fn shared(&self) -> &Arc<Known> {
        &self.known
    }

    /// Its address.
    pub fn key(&self) -> &Key {
        &self.facts.key
    }

    /// The records whose patients are its own too.
    pub fn with(&self) -> &[Key] {
        &self.known.with
    }

    /// Whether `meta.versionId` is a whole number, so that it can be named in a condition.
    pub fn is_numbered(&self) -> bool {
        self.known.numbered
    }

    /// The tree. What is known was parsed once, so that it is again.
    pub(super) fn document(&self) -> &Document {
        self.document.get_or_init(|| Document::parse(self.known.text()).unwrap_or_default())
    }

    /// Its index values.
    pub fn values(&self) -> &[IndexEntry] {
        self.values.get_or_init(|| extract(self.document(), self.facts.key.resource_type, &self.base, &STANDARD))
    }

    /// The values of these parameters: to look at one of them, the others need not be read.
    pub fn values_of(&self, parameters: &[ParameterId]) -> Arc<[IndexEntry]> {
        let some = || extract_some(self.document(), self.facts.key.resource_type, &self.base, &STANDARD, parameters);
        self.known.values(parameters, some)
    }

    /// Size in bytes.
    pub fn bytes(&self) -> usize {
        self.known.text().len()
    }

    /// Takes over what the records that it belongs with say.
    pub fn join(&mut self, others: &[Facts]) {
        self.facts = Arc::new(joined(&self.facts, others));
    }

    /// Takes over labels of other versions.
    pub fn raise(&mut self, marks: &Marks) {
        let facts = Arc::make_mut(&mut self.facts);
        facts.marks = std::mem::take(&mut facts.marks).raised_to(marks);
    }

    /// As a row, its content sealed.
    pub fn into_row(self) -> Row {
        Row { facts: self.facts, content: Some(Sealed::from_known(self.known)) }
    }
}

/// The facts of a record with what the records that it belongs with say.
pub fn joined(own: &Facts, others: &[Facts]) -> Facts {
    let mut facts = own.clone();
    facts.patients.extend(others.iter().flat_map(|one| one.patients.iter().cloned()));
    facts.patients.sort();
    facts.patients.dedup();
    let marks = std::mem::take(&mut facts.marks);
    facts.marks = others.iter().fold(marks, |marks, one| marks.joined_with(&own.key, &one.marks));
    facts
}

impl std::fmt::Debug for Taken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Taken({}, {} bytes)", self.facts.key, self.bytes())
    }
}
