//! One consent, read once: what decisions need of it (`consent` § 4). What they make of it is in `decide` and `reference`.

use super::name::Name;
use super::rule::{Effect, Rule};
use super::span::Span;
use crate::fhir::{Id, Instant, Problem};

/// A Consent as decisions need it. Made by [`super::compile()`].
#[derive(Debug, Clone)]
pub struct Compiled {
    pub(super) status: Status,
    /// The patient, when one is named by a reference that ends in a record here.
    pub(super) patient: Option<Id>,
    /// False when something that only a permit needs is in doubt: it can deny, not permit.
    pub(super) may_permit: bool,
    pub(super) verified: bool,
    /// `dateTime`, the start of what it names.
    pub(super) dated: Option<Instant>,
    /// Policy identity and organizations: inside one family a newer consent supersedes an older.
    pub(super) family: Box<str>,
    pub(super) organizations: Vec<Vec<Name>>,
    /// What `policyRule` says before any provision.
    pub(super) base: Option<Effect>,
    /// The refusal that `policy.uri` names.
    pub(super) policy: Option<Refused>,
    /// The root period, which bounds the whole consent.
    pub(super) period: Option<Span>,
    pub(super) rule: Option<Rule>,
    /// Every moment at which some period begins or ends.
    pub(super) boundaries: Box<[Instant]>,
    /// Why it cannot be enforced as written; it then denies.
    pub(super) faults: Box<[Problem]>,
}

/// The policies of IHE PCF that refuse by themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// Policy-break-glass-only
    ButInEmergencies,
    /// Policy-deny: absolute
    Always,
}

/// Whether a consent speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    /// In force.
    Active,
    /// Revoked: it supersedes, and says nothing itself.
    Inactive,
    /// Draft, proposed, rejected, entered in error, or not about privacy: it does not exist.
    Void,
}

impl Compiled {
    /// The patient whose records it is about, when that can be told.
    pub fn patient(&self) -> Option<&Id> {
        self.patient.as_ref()
    }

    /// Why it cannot be enforced as written and therefore denies; empty when it can.
    pub fn faults(&self) -> &[Problem] {
        &self.faults
    }

    /// Is it a refusal that an ordinary break-glass grant does not override?
    pub(super) fn is_absolute(&self) -> bool {
        self.policy == Some(Refused::Always)
    }

    /// Does it exist for decisions: in force or revoked, about privacy, of a known patient?
    pub fn counts(&self) -> bool {
        self.status != Status::Void && self.patient.is_some()
    }

    /// The next moment at which it may say something else.
    pub(super) fn next_boundary(&self, now: Instant) -> Instant {
        self.boundaries.iter().copied().filter(|boundary| *boundary > now).min().unwrap_or(Instant(i64::MAX))
    }
}
