//! A consent to conditions on records: what is the same for a whole request is folded away (`consent` § 11).

use super::codes;
use super::compile::key_in;
use super::compiled::Compiled;
use super::name::{Name, Recognition, recognize};
use super::requester::Actions;
use super::rule::{Class, Concept, Criteria, Datum, Effect, Labels, ListedActions, Meaning, Rule};
use super::settings::Untyped;
use super::span::Span;
use super::{Question, tidy::tidy};
use crate::access::{Condition, Test};
use crate::fhir::{Fact, Interval, Key};

/// What remains of a provision's criteria for a record, once read narrow and once read broad. Made when the consent is read.
#[derive(Debug, Clone)]
pub(super) struct Own {
    permit: Condition,
    deny: Condition,
}

/// A question for one purpose.
#[derive(Clone, Copy)]
pub(super) struct Asked<'q> {
    pub(super) question: &'q Question<'q>,
    /// `None` when the caller declared none, or one that nobody knows.
    pub(super) purpose: Option<&'q str>,
}

/// What a consent says of records: where it denies, where it permits, where it shuts out what it does not name, and where its base permits.
pub(super) struct Spoken {
    pub(super) deny: Condition,
    pub(super) permit: Condition,
    pub(super) shut: Condition,
    pub(super) base: Condition,
}

impl Own {
    /// Of criteria.
    pub(super) fn of(criteria: &Criteria) -> Self {
        Self { permit: tidy(own(criteria, Effect::Permit)), deny: tidy(own(criteria, Effect::Deny)) }
    }

    /// Read narrow for a permit, broad for a deny.
    pub(super) fn read_as(&self, effect: Effect) -> &Condition {
        match effect {
            Effect::Permit => &self.permit,
            Effect::Deny => &self.deny,
        }
    }
}

/// What a consent that applies says to the question.
pub(super) fn spoken(consent: &Compiled, asked: Asked<'_>) -> Spoken {
    let only = |effect: Effect| Spoken {
        deny: Condition::always(effect == Effect::Deny),
        permit: Condition::always(effect == Effect::Permit),
        shut: Condition::None,
        base: Condition::None,
    };
    let nothing = Spoken { deny: Condition::None, ..only(Effect::Deny) };
    if !consent.faults.is_empty() {
        return only(Effect::Deny);
    }
    let Some(rule) = &consent.rule else {
        return consent.base.or(consent.policy.map(|_| Effect::Deny)).map_or(nothing, only);
    };
    let untyped = match (asked.question.site.settings.untyped, consent.base) {
        (Untyped::Exception, Some(Effect::Deny)) => Effect::Permit,
        _ => Effect::Deny,
    };
    let (deny, permit) = fold(rule, asked, untyped);
    let silent = || deny.clone().or(permit.clone()).negated();
    match consent.base {
        Some(Effect::Permit) => Spoken { base: silent(), shut: Condition::None, deny, permit },
        Some(Effect::Deny) => Spoken { shut: silent(), base: Condition::None, deny, permit },
        None if closed(rule, asked) => Spoken { shut: silent(), base: Condition::None, deny, permit },
        None => Spoken { shut: Condition::None, base: Condition::None, deny, permit },
    }
}

/// A consent that permits this purpose for some says that the rest is not permitted. Without a purpose it may be this one.
fn closed(root: &Rule, asked: Asked<'_>) -> bool {
    let reading = if asked.purpose.is_some() { Effect::Permit } else { Effect::Deny };
    root.effect == Some(Effect::Permit) && purpose_matches(&root.criteria, reading, asked)
}

/// Where a provision denies and where it permits: its exceptions first, whether or not it matches itself; among them deny wins.
fn fold(rule: &Rule, asked: Asked<'_>, untyped: Effect) -> (Condition, Condition) {
    let (mut denied, mut permitted) = (Condition::None, Condition::None);
    for exception in &rule.exceptions {
        let (deny, permit) = fold(exception, asked, untyped);
        denied = denied.or(deny);
        permitted = permitted.or(permit);
    }
    let effect = rule.effect.unwrap_or(untyped);
    let own = if matches_request(&rule.criteria, effect, asked) { rule.own.read_as(effect).clone() } else { Condition::None };
    match effect {
        Effect::Deny => (denied.clone().or(permitted.clone().negated().and(own)), denied.negated().and(permitted)),
        Effect::Permit => (denied.clone(), denied.negated().and(permitted.or(own))),
    }
}

/// The criteria that are the same for every record.
fn matches_request(criteria: &Criteria, effect: Effect, asked: Asked<'_>) -> bool {
    criteria.period.is_none_or(|period| period.contains(asked.question.now))
        && actors_match(criteria, effect, asked)
        && criteria.actions.as_ref().is_none_or(|listed| action_matches(listed, effect, asked.question.requester.actions()))
        && purpose_matches(criteria, effect, asked)
}

/// Somebody among the recipients, and the custodian where one is listed.
fn actors_match(criteria: &Criteria, effect: Effect, asked: Asked<'_>) -> bool {
    let Some(actors) = &criteria.actors else { return true };
    let question = asked.question;
    let named = |custodian: bool| {
        let mut listed = actors.iter().filter(|actor| actor.custodian == custodian).peekable();
        listed.peek().is_none()
            || listed.any(|actor| {
                let found = recognize(&actor.names, |name| {
                    if custodian {
                        name.among(&question.site.custodian)
                    } else {
                        question.requester.recognizes(name, question.resolves)
                    }
                });
                taken_as(effect, found)
            })
    };
    named(false) && named(true)
}

fn action_matches(listed: &ListedActions, effect: Effect, asked: Actions) -> bool {
    let all = listed.known.iter().copied().fold(Actions::NONE, Actions::with);
    match effect {
        Effect::Permit => listed.known.iter().copied().map(Actions::expanded).fold(Actions::NONE, Actions::with).contains(asked),
        Effect::Deny => listed.any_unknown || all.meets(asked) || all.contains(Actions::ACCESS),
    }
}

/// An unknown purpose on either side matches a deny and no permit.
fn purpose_matches(criteria: &Criteria, effect: Effect, asked: Asked<'_>) -> bool {
    let Some(listed) = &criteria.purposes else { return true };
    let Some(purpose) = asked.purpose else { return effect == Effect::Deny };
    let known = |one: &str| asked.question.site.knows_purpose(one);
    listed.iter().any(|one| if known(one) { codes::subsumes(one, purpose) } else { effect == Effect::Deny })
}

/// What cannot be told counts as yes for a deny and as no for a permit.
pub(super) fn taken_as(effect: Effect, found: Recognition) -> bool {
    match found {
        Recognition::Is => true,
        Recognition::IsNot => false,
        Recognition::Unknown => effect == Effect::Deny,
    }
}

/// The criteria that differ from record to record.
fn own(criteria: &Criteria, effect: Effect) -> Condition {
    let labels = criteria.labels.as_ref().map(|labels| labelled(labels, effect));
    let classes = criteria.classes.as_ref().map(|all| any(all, |one| of_class(one, effect)));
    let codes = criteria.codes.as_ref().map(|all| any(all, |one| coded(one, effect)));
    let dates = criteria.data_period.map(|span| dated(span, effect));
    let records = criteria.records.as_ref().map(|all| any(all, |one| named(one, effect)));
    [labels, classes, codes, dates, records].into_iter().flatten().fold(Condition::All, Condition::and)
}

fn any<T>(all: &[T], one: impl FnMut(&T) -> Condition) -> Condition {
    all.iter().map(one).fold(Condition::None, Condition::or)
}

fn labelled(labels: &Labels, effect: Effect) -> Condition {
    let (low, high) = (labels.confidentiality.iter().min(), labels.confidentiality.iter().max());
    let bits = labels.sensitivity.iter().fold(0, |all, bits| all | bits);
    match effect {
        Effect::Permit if labels.any_unknown => Condition::None,
        Effect::Permit => {
            let confidentiality = high.map_or(Condition::All, |high| Condition::Test(Test::ConfidentialityAtMost(*high)));
            let sensitivity = if bits == 0 { Condition::All } else { Condition::Test(Test::SensitiveOnlyTo(bits)) };
            confidentiality.and(sensitivity)
        }
        Effect::Deny if labels.any_unknown => Condition::All,
        Effect::Deny => {
            let confidentiality = low.map_or(Condition::None, |low| Condition::Test(Test::ConfidentialityAtLeast(*low)));
            confidentiality.or(if bits == 0 { Condition::None } else { Condition::Test(Test::SensitiveToAny(bits)) })
        }
    }
}

fn of_class(class: &Class, effect: Effect) -> Condition {
    match class {
        Class::Type(resource_type) => Condition::Test(Test::Type((*resource_type).into())),
        Class::Profile(canonical) => has(Fact::profile(canonical)),
        Class::Mime(kind) => has(Fact::mime(kind)),
        Class::Unknown => Condition::always(effect == Effect::Deny),
    }
}

fn coded(concept: &Concept, effect: Effect) -> Condition {
    let deny = effect == Effect::Deny;
    if concept.0.is_empty() {
        return Condition::always(deny);
    }
    any(&concept.0, |(system, code)| match (system.as_str(), code.as_str()) {
        (_, "") => Condition::always(deny),
        ("", code) if deny => has(Fact::code(code)),
        ("", _) => Condition::None,
        (system, code) => codes::spellings(system)
            .map(|system| has(if deny { Fact::coding(system, code) } else { Fact::primary(system, code) }))
            .fold(Condition::None, Condition::or),
    })
}

fn dated(span: Span, effect: Effect) -> Condition {
    let interval = Interval { low: span.low, high: span.high }.into();
    Condition::Test(if effect == Effect::Permit { Test::DatesInside(interval) } else { Test::DatesMeet(interval) })
}

fn named(datum: &Datum, effect: Effect) -> Condition {
    any(&datum.names, |name| match (datum.meaning, name) {
        (Meaning::AuthoredBy, Name::Local(key)) => has(Fact::author(key)),
        (Meaning::AuthoredBy, Name::Elsewhere(url)) => has(Fact::author_named(url)),
        (Meaning::AuthoredBy, Name::Identifier(_, system, value)) => has(Fact::author_named(&format!("{system}|{value}"))),
        (meaning, Name::Local(key)) => connected(key, meaning),
        // The URL of another server may be another name of this one.
        (meaning, Name::Elsewhere(url)) if effect == Effect::Deny => {
            key_in(url).map_or(Condition::All, |key| connected(&key, meaning))
        }
        _ => Condition::always(effect == Effect::Deny),
    })
}

fn connected(key: &Key, meaning: Meaning) -> Condition {
    let itself = Condition::Test(Test::Record(key.clone().into()));
    let refers = || Condition::Test(Test::RefersTo(Fact::names(key).into()));
    match meaning {
        Meaning::Instance | Meaning::AuthoredBy => itself,
        Meaning::Dependents => itself.or(refers()),
        Meaning::Related => itself.or(refers()).or(Condition::Test(Test::ReferredToBy(key.clone().into()))),
    }
}

fn has(fact: Fact) -> Condition {
    Condition::Test(Test::Has(fact.into()))
}
