//! Does a provision match this record: `consent` § 5, row by row.

use crate::consent::codes;
use crate::consent::compile::key_in;
use crate::consent::decide::Question;
use crate::consent::name::{Name, Recognition, recognize};
use crate::consent::requester::Actions;
use crate::consent::rule::{Actor, Class, Concept, Criteria, Datum, Effect, Labels, Meaning};
use crate::consent::site::Site;
use crate::consent::span::Span;
use crate::fhir::{Dates, Fact, Facts, Key, is_hub};

/// A record, and a way to look at others.
#[derive(Clone, Copy)]
pub(super) struct Record<'r> {
    pub(super) facts: &'r Facts,
    pub(super) look: &'r dyn Fn(&Key) -> Option<Facts>,
}

/// What a provision is held against.
#[derive(Clone, Copy)]
pub(super) struct Matching<'m> {
    pub(super) question: &'m Question<'m>,
    pub(super) purpose: Option<&'m str>,
    pub(super) record: Record<'m>,
}

/// Are the records those of one of these organizations? `None` when it cannot be told.
pub(super) fn custody(organizations: &[Vec<Name>], site: &Site) -> Option<bool> {
    if organizations.is_empty() {
        return Some(true);
    }
    let mut unsure = false;
    for names in organizations {
        match recognize(names, |name| name.among(&site.custodian)) {
            Recognition::Is => return Some(true),
            Recognition::Unknown => unsure = true,
            Recognition::IsNot => {}
        }
    }
    if unsure { None } else { Some(false) }
}

impl Matching<'_> {
    /// The elements that do not match; none when the provision does.
    pub(super) fn failed(&self, criteria: &Criteria, effect: Effect) -> Vec<&'static str> {
        let deny = effect == Effect::Deny;
        let matches = [
            ("period", criteria.period.is_none_or(|period| period.contains(self.question.now))),
            ("actor", criteria.actors.as_ref().is_none_or(|all| self.actors(all, deny))),
            ("action", self.action(criteria, deny)),
            ("purpose", self.purpose(criteria, effect)),
            ("securityLabel", criteria.labels.as_ref().is_none_or(|labels| self.labelled(labels, deny))),
            ("class", criteria.classes.as_ref().is_none_or(|all| all.iter().any(|one| self.of_class(one, deny)))),
            ("code", criteria.codes.as_ref().is_none_or(|all| all.iter().any(|one| self.coded(one, deny)))),
            ("dataPeriod", criteria.data_period.is_none_or(|span| self.dated(span, deny))),
            ("data", criteria.records.as_ref().is_none_or(|all| all.iter().any(|one| self.named(one, deny)))),
        ];
        matches.into_iter().filter(|(_, holds)| !holds).map(|(name, _)| name).collect()
    }

    /// Recipients and custodian, both where both are listed.
    fn actors(&self, all: &[Actor], deny: bool) -> bool {
        let holds = |found: Recognition| found == Recognition::Is || (deny && found == Recognition::Unknown);
        let recipient = |actor: &Actor| {
            let recognized = |name: &Name| self.question.requester.recognizes(name, self.question.resolves);
            holds(recognize(&actor.names, recognized))
        };
        let custodian = |actor: &Actor| holds(recognize(&actor.names, |name| name.among(&self.question.site.custodian)));
        let (custodians, recipients): (Vec<&Actor>, Vec<&Actor>) = all.iter().partition(|actor| actor.custodian);
        (recipients.is_empty() || recipients.into_iter().any(recipient))
            && (custodians.is_empty() || custodians.into_iter().any(custodian))
    }

    fn action(&self, criteria: &Criteria, deny: bool) -> bool {
        let Some(listed) = &criteria.actions else { return true };
        let each = [Actions::ACCESS, Actions::COLLECT, Actions::USE, Actions::DISCLOSE, Actions::CORRECT];
        let asked = self.question.requester.actions();
        let mut needed = each.into_iter().filter(|one| asked.contains(*one));
        if deny {
            let named = needed.any(|one| listed.known.contains(&one));
            return named || listed.known.contains(&Actions::ACCESS) || listed.any_unknown;
        }
        let allowed = |one: Actions| {
            listed.known.iter().any(|known| {
                let also = [Actions::COLLECT, Actions::USE, Actions::CORRECT].contains(known) && one == Actions::ACCESS;
                *known == one || also
            })
        };
        needed.all(allowed)
    }

    /// Some listed code subsumes the request's. What is unknown on either side matches a deny and no permit.
    pub(super) fn purpose(&self, criteria: &Criteria, effect: Effect) -> bool {
        let deny = effect == Effect::Deny;
        match (&criteria.purposes, self.purpose) {
            (None, _) => true,
            (Some(_), None) => deny,
            (Some(listed), Some(asked)) => {
                listed.iter().any(|one| if self.question.site.knows_purpose(one) { codes::subsumes(one, asked) } else { deny })
            }
        }
    }

    fn labelled(&self, labels: &Labels, deny: bool) -> bool {
        let marks = &self.record.facts.marks;
        if labels.any_unknown {
            return deny;
        }
        let present: Vec<u64> = (0..63).map(|bit| 1_u64 << bit).filter(|bit| marks.sensitivity & bit != 0).collect();
        let subsumed = |bit: &u64| labels.sensitivity.iter().any(|closure| closure & bit != 0);
        let own = marks.confidentiality;
        if deny {
            let confidential = labels.confidentiality.iter().any(|listed| own >= *listed);
            return confidential || present.iter().any(subsumed);
        }
        let confidential = labels.confidentiality.is_empty() || labels.confidentiality.iter().any(|listed| own <= *listed);
        let sensitive = labels.sensitivity.is_empty() || (!present.is_empty() && present.iter().all(subsumed));
        confidential && sensitive
    }

    fn of_class(&self, class: &Class, deny: bool) -> bool {
        match class {
            Class::Type(of) => self.record.facts.key.resource_type == *of,
            Class::Profile(canonical) => self.has(Fact::profile(canonical)),
            Class::Mime(kind) => self.has(Fact::mime(kind)),
            Class::Unknown => deny,
        }
    }

    fn coded(&self, concept: &Concept, deny: bool) -> bool {
        let one = |(system, code): &(String, String)| {
            if code.is_empty() {
                return deny;
            }
            if system.is_empty() {
                return deny && self.has(Fact::code(code));
            }
            let fact = if deny { Fact::coding } else { Fact::primary };
            codes::spellings(system).any(|system| self.has(fact(system, code)))
        };
        if concept.0.is_empty() { deny } else { concept.0.iter().any(one) }
    }

    fn dated(&self, span: Span, deny: bool) -> bool {
        match &self.record.facts.marks.dates {
            Dates::Timeless => !deny,
            Dates::At(all) if all.is_empty() => deny,
            Dates::At(all) if deny => all.iter().any(|one| one.low < span.high && one.high > span.low),
            Dates::At(all) => all.iter().all(|one| one.low >= span.low && one.high <= span.high),
        }
    }

    fn named(&self, datum: &Datum, deny: bool) -> bool {
        let authored = datum.meaning == Meaning::AuthoredBy;
        datum.names.iter().any(|name| match name {
            Name::Local(key) if authored => self.has(Fact::author(key)),
            Name::Elsewhere(url) if authored => self.has(Fact::author_named(url)),
            Name::Identifier(_, system, value) if authored => self.has(Fact::author_named(&format!("{system}|{value}"))),
            Name::Local(key) => self.connected(key, datum.meaning),
            Name::Elsewhere(url) => deny && key_in(url).is_none_or(|key| self.connected(&key, datum.meaning)),
            Name::Identifier(..) | Name::Unreadable => deny,
        })
    }

    /// Itself, or one hop; a hub is never drawn in.
    fn connected(&self, key: &Key, meaning: Meaning) -> bool {
        let own = &self.record.facts.key;
        if own == key {
            return true;
        }
        let refers = || self.has(Fact::names(key));
        let referred = || (self.record.look)(key).is_some_and(|named| named.marks.facts.contains(Fact::names(own)));
        let drawn = match meaning {
            Meaning::Instance | Meaning::AuthoredBy => false,
            Meaning::Dependents => refers(),
            Meaning::Related => refers() || referred(),
        };
        drawn && !is_hub(own.resource_type)
    }

    fn has(&self, fact: Fact) -> bool {
        self.record.facts.marks.facts.contains(fact)
    }
}
