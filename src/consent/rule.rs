//! A provision and its exceptions: what it says to one question (`consent` § 4, § 5).

use super::codes;
use super::name::{Name, Recognition, recognize};
use super::requester::{Actions, Requester};
use super::span::Span;
use crate::fhir::Instant;

/// `permit` or `deny`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// May be shown.
    Permit,
    /// May not.
    Deny,
}

/// One question to the consents of a patient: this requester, for one purpose, now.
#[derive(Debug, Clone, Copy)]
pub(super) struct Question<'q> {
    pub(super) requester: &'q Requester,
    /// `None` when the caller declared none, or one that nobody knows.
    pub(super) purpose: Option<&'q str>,
    pub(super) site: &'q Site,
    pub(super) now: Instant,
}

/// What a site knows that consents need.
#[derive(Debug)]
pub(super) struct Site {
    /// The organization that holds the records.
    pub(super) custodian: Vec<Name>,
    /// Purposes of its own.
    pub(super) purposes: Vec<String>,
}

impl Site {
    pub(super) fn knows_purpose(&self, purpose: &str) -> bool {
        codes::is_purpose(purpose) || self.purposes.iter().any(|own| own == purpose)
    }
}

/// A provision, its criteria already joined with what it inherits: an element that it states replaces the parent's.
#[derive(Debug, Clone)]
pub(super) struct Rule {
    pub(super) effect: Option<Effect>,
    pub(super) criteria: Criteria,
    pub(super) exceptions: Vec<Rule>,
}

/// What must hold for a provision to match; absent always holds.
///
/// The further elements of R4 (labels, class, code, data) join here; until then a consent that has one cannot be enforced.
#[derive(Debug, Clone, Default)]
pub(super) struct Criteria {
    pub(super) period: Option<Span>,
    pub(super) actors: Option<Vec<Actor>>,
    pub(super) actions: Option<ListedActions>,
    pub(super) purposes: Option<Vec<String>>,
}

/// One named actor.
#[derive(Debug, Clone)]
pub(super) struct Actor {
    /// Role CST: says whose records, not who receives them.
    pub(super) custodian: bool,
    pub(super) names: Vec<Name>,
}

/// The actions that a provision lists.
#[derive(Debug, Clone, Copy)]
pub(super) struct ListedActions {
    pub(super) known: Actions,
    /// What they allow, taken together.
    pub(super) expanded: Actions,
    pub(super) any_unknown: bool,
}

impl Rule {
    /// Exceptions first, whether or not the rule itself matches; among them deny wins; then the rule.
    pub(super) fn decide(&self, question: &Question<'_>, untyped: Effect) -> Option<Effect> {
        let mut excepted = None;
        for exception in &self.exceptions {
            match exception.decide(question, untyped) {
                Some(Effect::Deny) => return Some(Effect::Deny),
                Some(Effect::Permit) => excepted = Some(Effect::Permit),
                None => {}
            }
        }
        excepted.or_else(|| {
            let effect = self.effect.unwrap_or(untyped);
            self.criteria.match_as(effect, question).then_some(effect)
        })
    }
}

impl Criteria {
    /// A permit reads narrow, a deny reads broad.
    fn match_as(&self, effect: Effect, question: &Question<'_>) -> bool {
        self.period.is_none_or(|period| period.contains(question.now))
            && self.actors_match(effect, question)
            && self.actions.is_none_or(|listed| listed.match_as(effect, question.requester.actions()))
            && self.purpose_matches(effect, question)
    }

    /// Somebody among the recipients, and the custodian where one is listed.
    fn actors_match(&self, effect: Effect, question: &Question<'_>) -> bool {
        let Some(actors) = &self.actors else { return true };
        let named = |custodian: bool| {
            let mut listed = actors.iter().filter(|actor| actor.custodian == custodian).peekable();
            listed.peek().is_none()
                || listed.any(|actor| {
                    let found = recognize(&actor.names, |name| {
                        if custodian { name.among(&question.site.custodian) } else { question.requester.recognizes(name) }
                    });
                    taken_as(effect, found)
                })
        };
        named(false) && named(true)
    }

    /// An unknown purpose on either side matches a deny and no permit.
    pub(super) fn purpose_matches(&self, effect: Effect, question: &Question<'_>) -> bool {
        let Some(listed) = &self.purposes else { return true };
        let Some(asked) = question.purpose else { return effect == Effect::Deny };
        listed.iter().any(
            |one| {
                if question.site.knows_purpose(one) { codes::subsumes(one, asked) } else { effect == Effect::Deny }
            },
        )
    }
}

impl ListedActions {
    fn match_as(self, effect: Effect, asked: Actions) -> bool {
        match effect {
            Effect::Permit => self.expanded.contains(asked),
            Effect::Deny => self.any_unknown || self.known.meets(asked) || self.known.contains(Actions::ACCESS),
        }
    }
}

/// What cannot be told counts as yes for a deny and as no for a permit.
pub(super) fn taken_as(effect: Effect, found: Recognition) -> bool {
    match found {
        Recognition::Is => true,
        Recognition::IsNot => false,
        Recognition::Unknown => effect == Effect::Deny,
    }
}
