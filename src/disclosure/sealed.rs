//! Record content that only this room can read.

use super::known::Known;
use crate::fhir::Facts;
use std::sync::Arc;

/// A row that a store's predicate let through: facts in the open, content sealed.
#[derive(Debug, Clone)]
pub struct Row {
    /// What a decision needs.
    pub facts: Arc<Facts>,
    /// Everything else; `None` for the version that a delete made.
    pub content: Option<Sealed>,
}

impl Row {
    /// A row of these facts.
    pub fn new(facts: Facts, content: Option<Sealed>) -> Self {
        Self { facts: Arc::new(facts), content }
    }

    /// Its facts, without its content.
    pub fn into_facts(self) -> Facts {
        Arc::unwrap_or_clone(self.facts)
    }
}

/// The bytes of a record, in wire or stored form, unreadable outside the vault: no `Debug` of the content, no `Serialize`, no access.
///
/// Sealing is free to everyone; opening is not. A copy is as sealed as what it is a copy of.
#[derive(Clone)]
pub struct Sealed {
    held: Held,
    pub(in crate::disclosure) form: Form,
    /// Known to hold no labels anywhere, so that none have to be looked for.
    pub(in crate::disclosure) unlabelled: bool,
}

/// Where the bytes are.
#[derive(Clone)]
enum Held {
    Own(Vec<u8>),
    /// They are kept with what is known of them.
    Known(Arc<Known>),
}

/// How the bytes are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::disclosure) enum Form {
    /// As received: any bytes at all.
    Wire,
    /// As stored: a mark and a compact JSON text, perhaps compressed.
    Stored,
}

impl Sealed {
    /// Seals what came from outside.
    pub fn from_wire(bytes: Vec<u8>) -> Self {
        Self { held: Held::Own(bytes), form: Form::Wire, unlabelled: false }
    }

    /// Seals the text of a record that is known.
    pub(super) fn from_known(known: Arc<Known>) -> Self {
        Self { unlabelled: known.unlabelled, held: Held::Known(known), form: Form::Wire }
    }

    /// Seals what a content column holds.
    pub fn from_column(bytes: Vec<u8>) -> Self {
        Self { held: Held::Own(bytes), form: Form::Stored, unlabelled: false }
    }

    /// The bytes, for this room's eyes.
    pub(in crate::disclosure) fn bytes(&self) -> &[u8] {
        match &self.held {
            Held::Own(bytes) => bytes,
            Held::Known(known) => known.text(),
        }
    }

    /// Size in bytes, as it is held.
    pub fn len(&self) -> usize {
        self.bytes().len()
    }

    /// Nothing inside.
    pub fn is_empty(&self) -> bool {
        self.bytes().is_empty()
    }
}

impl std::fmt::Debug for Sealed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sealed({} bytes)", self.len())
    }
}
