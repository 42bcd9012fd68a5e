//! SMART scopes, v1 and v2 with granular constraints (SMART App Launch 2.2, "Scopes for requesting FHIR resources").

use crate::fhir::search::Criterion;
use crate::fhir::{Need, ResourceType};
use std::sync::Arc;

/// What a token grants.
#[derive(Debug, Clone, Default)]
pub struct Scopes {
    /// The resource scopes that were understood.
    pub grants: Vec<Grant>,
    /// The other known scopes: `openid`, `fhirUser`, `launch/patient`, `offline_access`, ...
    pub contexts: Vec<String>,
    /// As it was received, for the trail.
    pub text: String,
}

/// One resource scope.
#[derive(Debug, Clone)]
pub struct Grant {
    /// `patient/`, `user/` or `system/`
    pub level: Level,
    /// The type; `None` is `*`.
    pub resource_type: Option<ResourceType>,
    /// The letters.
    pub needs: Vec<Need>,
    /// `?category=...`: all must hold; empty is no constraint.
    pub constraint: Arc<[Criterion]>,
    /// The scope as text, in v2 form.
    pub text: String,
}

/// The context of a resource scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Level {
    /// Confined to the patient in context.
    Patient,
    /// What the user may do.
    User,
    /// What the client's policy allows, no user acting.
    System,
}
