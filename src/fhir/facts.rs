//! What a decision needs to know of a record, beside its content.

use super::{Id, Instant, Key, Version};

/// Facts of one version of a record. Stored beside the content; computed from it by `fhir`, never by hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Address.
    pub key: Key,
    /// Version.
    pub version: Version,
    /// `meta.lastUpdated`
    pub updated: Instant,
    /// True for the version that a delete made.
    pub deleted: bool,
    /// Every patient of whose compartment it is a member (R4 CompartmentDefinition patient), a Patient being its own; for containers
    /// also each patient that an entry, item or member names; sorted, without repetition.
    pub patients: Vec<Id>,
}
