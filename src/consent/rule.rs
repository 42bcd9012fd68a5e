//! A provision as it was read: its criteria joined with what it inherits, and its exceptions. What they decide is elsewhere.

use super::name::Name;
use super::program::Own;
use super::requester::Actions;
use super::span::Span;
use crate::fhir::{Confidentiality, ResourceType};

/// `permit` or `deny`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// May be shown.
    Permit,
    /// May not.
    Deny,
}

/// A provision, its criteria already joined with what it inherits: an element that it states replaces the parent's.
#[derive(Debug, Clone)]
pub(super) struct Rule {
    pub(super) effect: Option<Effect>,
    pub(super) criteria: Criteria,
    /// What remains of the criteria for a record, once for each reading.
    pub(super) own: Own,
    pub(super) exceptions: Vec<Rule>,
}

/// What must hold for a provision to match; absent always holds. Inside one element any of what is listed is enough.
#[derive(Debug, Clone, Default)]
pub(super) struct Criteria {
    pub(super) period: Option<Span>,
    pub(super) actors: Option<Vec<Actor>>,
    pub(super) actions: Option<ListedActions>,
    pub(super) purposes: Option<Vec<String>>,
    pub(super) labels: Option<Labels>,
    pub(super) classes: Option<Vec<Class>>,
    pub(super) codes: Option<Vec<Concept>>,
    pub(super) data_period: Option<Span>,
    pub(super) records: Option<Vec<Datum>>,
}

/// One named actor.
#[derive(Debug, Clone)]
pub(super) struct Actor {
    /// Role CST: says whose records, not who receives them.
    pub(super) custodian: bool,
    pub(super) names: Vec<Name>,
}

/// The actions that a provision lists.
#[derive(Debug, Clone)]
pub(super) struct ListedActions {
    pub(super) known: Vec<Actions>,
    pub(super) any_unknown: bool,
}

/// The security labels that a provision lists.
#[derive(Debug, Clone, Default)]
pub(super) struct Labels {
    pub(super) confidentiality: Vec<Confidentiality>,
    /// For each listed sensitivity its bit and the bits of everything under it.
    pub(super) sensitivity: Vec<u64>,
    pub(super) any_unknown: bool,
}

/// A kind of content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Class {
    /// Records of a type.
    Type(ResourceType),
    /// Records that claim a profile, by canonical URL, with a version if one was given.
    Profile(String),
    /// Records with content of a MIME type.
    Mime(String),
    /// In a system, or by a code, that is not known.
    Unknown,
}

/// The codings of a concept, by system (empty when there is none) and code (empty when there is none).
#[derive(Debug, Clone)]
pub(super) struct Concept(pub(super) Vec<(String, String)>);

/// How a record is connected to the one that a consent names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// It is that one.
    Instance,
    /// It is that one, refers to it, or is referred to by it.
    Related,
    /// It is that one, or refers to it.
    Dependents,
    /// That one is among its authors.
    AuthoredBy,
}

/// Named data.
#[derive(Debug, Clone)]
pub(super) struct Datum {
    pub(super) meaning: Meaning,
    pub(super) names: Vec<Name>,
}
