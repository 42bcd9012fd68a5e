//! One consent, read once: when it applies and how strongly it speaks (`consent` § 4).

use super::name::{Name, Recognition, recognize};
use super::rule::{Effect, Question, Rule};
use super::settings::{ConsentSettings, Untyped};
use super::span::Span;
use crate::fhir::{Id, Instant, Problem};

/// A Consent as decisions need it. Made by [`super::compile()`].
#[derive(Debug, Clone)]
pub struct Compiled {
    pub(super) standing: Standing,
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
    /// `policy.uri` names Policy-deny or Policy-break-glass-only.
    pub(super) refuses: bool,
    /// The root period, which bounds the whole consent.
    pub(super) period: Option<Span>,
    pub(super) rule: Option<Rule>,
    /// Every moment at which some period begins or ends.
    pub(super) boundaries: Box<[Instant]>,
    /// Why it cannot be enforced as written; it then denies.
    pub(super) faults: Box<[Problem]>,
}

/// Whether a consent speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// In force.
    Active,
    /// Revoked: it supersedes, and says nothing itself.
    Inactive,
    /// Draft, proposed, rejected, entered in error, or not about privacy: it does not exist.
    Void,
}

/// How strongly a consent speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Strength {
    /// A rule denies.
    ExplicitDeny,
    /// A rule permits.
    ExplicitPermit,
    /// Nothing said about this question, and what is said shuts the rest out.
    ImplicitDeny,
    /// Nothing said, on a base that permits.
    BasePermit,
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

    /// Does it exist for decisions: in force or revoked, about privacy, of a known patient?
    pub(super) fn counts(&self) -> bool {
        self.standing != Standing::Void && self.patient.is_some()
    }

    /// `None` when it does not apply now to these records; else whether it may permit.
    pub(super) fn applies(&self, question: &Question<'_>, settings: &ConsentSettings) -> Option<bool> {
        if !self.period.is_none_or(|period| period.contains(question.now)) {
            return None;
        }
        let about = match self.custody(&question.site.custodian) {
            Recognition::IsNot => return None,
            Recognition::Is => true,
            Recognition::Unknown => false,
        };
        Some(about && self.may_permit && (self.verified || !settings.require_verified))
    }

    /// Is it about the records of this custodian? None listed means every custodian.
    fn custody(&self, custodian: &[Name]) -> Recognition {
        let mut found = if self.organizations.is_empty() { Recognition::Is } else { Recognition::IsNot };
        for organization in &self.organizations {
            match recognize(organization, |name| name.among(custodian)) {
                Recognition::Is => return Recognition::Is,
                Recognition::Unknown => found = Recognition::Unknown,
                Recognition::IsNot => {}
            }
        }
        found
    }

    /// What it says to the question; `None` for nothing.
    pub(super) fn strength(&self, question: &Question<'_>, settings: &ConsentSettings) -> Option<Strength> {
        if !self.faults.is_empty() {
            return Some(Strength::ExplicitDeny);
        }
        let explicit = |effect| match effect {
            Effect::Permit => Strength::ExplicitPermit,
            Effect::Deny => Strength::ExplicitDeny,
        };
        let Some(rule) = &self.rule else {
            return self.base.map(explicit).or_else(|| self.refuses.then_some(Strength::ExplicitDeny));
        };
        if let Some(effect) = rule.decide(question, self.untyped(settings)) {
            return Some(explicit(effect));
        }
        match self.base {
            Some(Effect::Permit) => Some(Strength::BasePermit),
            Some(Effect::Deny) => Some(Strength::ImplicitDeny),
            None => closed_world(rule, question).then_some(Strength::ImplicitDeny),
        }
    }

    fn untyped(&self, settings: &ConsentSettings) -> Effect {
        match (settings.untyped, self.base) {
            (Untyped::Exception, Some(Effect::Deny)) => Effect::Permit,
            _ => Effect::Deny,
        }
    }
}

/// A consent that permits this purpose for some says that the rest is not permitted. Without a purpose it may be this one.
fn closed_world(root: &Rule, question: &Question<'_>) -> bool {
    let reading = if question.purpose.is_some() { Effect::Permit } else { Effect::Deny };
    root.effect == Some(Effect::Permit) && root.criteria.purpose_matches(reading, question)
}
