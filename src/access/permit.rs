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

impl Permit {
    /// Which rows of a type may be touched for this need.
    pub fn rows(&self, _resource_type: crate::fhir::ResourceType, _need: crate::fhir::Need) -> Predicate {
        self.narrowing.clone()
    }

    /// A permit for the store's own tests.
    #[cfg(test)]
    pub(crate) fn for_test(caller: Caller, interaction: Interaction, narrowing: Predicate) -> Self {
        Self { caller: Arc::new(caller), interaction, narrowing }
    }
}
