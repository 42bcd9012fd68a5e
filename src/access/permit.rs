//! The permit: that this caller may do this interaction, and on which rows.

use super::{Caller, Predicate};
use crate::fhir::Interaction;
use std::sync::Arc;

/// Proof that an interaction was authorized. Made by [`super::authorize`] alone; can only be narrowed.
#[derive(Debug, Clone)]
pub struct Permit {
    pub(super) caller: Arc<Caller>,
    pub(super) interaction: Interaction,
    pub(super) narrowing: Predicate,
}

impl Permit {
    /// Who asks.
    pub fn caller(&self) -> &Arc<Caller> {
        &self.caller
    }

    /// What is permitted.
    pub fn interaction(&self) -> &Interaction {
        &self.interaction
    }

    /// The same permit on fewer rows: the further predicate must hold too.
    #[must_use]
    pub fn narrowed(mut self, further: Predicate) -> Self {
        self.narrowing = self.narrowing.and(further);
        self
    }
}
