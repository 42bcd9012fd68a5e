//! The decision on one record, slow and obvious: the requirement (`consent` § 4 to § 7) word for word, over the facts of the record.
//!
//! It shares the reading of consents and the tables of codes with the evaluator that answers requests, and no decision. It
//! also tells why, so that an explanation cannot differ from what it explains.

mod matching;
mod trace;

#[cfg(test)]
#[path = "equality_tests.rs"]
mod equality_tests;

pub use trace::{ConsentTrace, Failed, Ground, PatientTrace, PurposeTrace, Trace, Verdict};

use super::codes;
use super::compiled::{Compiled, Status};
use super::decide::Question;
use super::directory::Directory;
use super::rule::{Effect, Rule};
use super::settings::{Combine, ImplicitPolicy, Untyped};
use crate::fhir::{Confidentiality, Facts, Id, Key};
use matching::{Matching, Record};

/// May the record be shown, to whom, and why. `look` gives the facts of another record, for consents that ask what a named record
/// refers to; `None` when there is no such record.
pub fn explain(directory: &Directory, question: &Question<'_>, facts: &Facts, look: &dyn Fn(&Key) -> Option<Facts>) -> Trace {
    let record = Record { facts, look };
    // A record without a patient is outside consent; one of several needs each of them.
    let patients: Vec<PatientTrace> =
        facts.patients.iter().map(|patient| Judge { question, record, patient }.decide(directory)).collect();
    Trace {
        record: facts.key.to_string(),
        permitted: patients.iter().all(|one| one.permitted),
        ruleset: facts.marks.ruleset,
        confidentiality: facts.marks.confidentiality.code(),
        patients,
    }
}

/// May the record be shown?
pub fn permits(directory: &Directory, question: &Question<'_>, facts: &Facts, look: &dyn Fn(&Key) -> Option<Facts>) -> bool {
    explain(directory, question, facts, look).permitted
}

/// One patient's say about one record.
#[derive(Clone, Copy)]
struct Judge<'j> {
    question: &'j Question<'j>,
    record: Record<'j>,
    patient: &'j Id,
}

/// A consent before the decision: whether it applies, and whether another takes its place.
struct Candidate<'c> {
    key: &'c Key,
    consent: &'c Compiled,
    /// Why it does not apply.
    apart: Option<&'static str>,
    /// A newer one of its family speaks instead, as to what it permits, and as to what it denies.
    superseded: (bool, bool),
    may_permit: bool,
}

impl Judge<'_> {
    fn decide(self, directory: &Directory) -> PatientTrace {
        let candidates = self.candidates(directory);
        let asked = self.question.requester.purposes();
        let purposes: Vec<PurposeTrace> = if asked.is_empty() {
            vec![self.for_purpose(&candidates, None)]
        } else {
            // Decide per purpose, and intersect.
            asked.iter().map(|one| self.for_purpose(&candidates, Some(one))).collect()
        };
        PatientTrace {
            patient: format!("Patient/{}", self.patient),
            permitted: purposes.iter().all(|one| one.permitted),
            purposes,
        }
    }

    /// § 4 `applicable`, § 6 rule 1.
    fn candidates<'d>(&self, directory: &'d Directory) -> Vec<Candidate<'d>> {
        let settings = self.question.site.settings();
        let mut all: Vec<Candidate<'d>> = Vec::new();
        for (key, consent) in directory.held(self.patient) {
            let custody = matching::custody(&consent.organizations, self.question.site);
            let inside = consent.period.is_none_or(|period| period.contains(self.question.now));
            let apart = match custody {
                _ if !inside => Some("now is outside its period"),
                Some(false) => Some("it is about the records of another custodian"),
                _ => None,
            };
            let verified = consent.verified || !settings.require_verified;
            let may_permit = consent.may_permit && verified && custody == Some(true);
            all.push(Candidate { key, consent, apart, superseded: (false, false), may_permit });
        }
        all.sort_by_key(|one| one.key);
        let superseded: Vec<(bool, bool)> = all.iter().map(|one| superseded(one, &all, settings.combine)).collect();
        all.iter_mut().zip(superseded).for_each(|(one, superseded)| one.superseded = superseded);
        all
    }

    fn for_purpose(&self, candidates: &[Candidate<'_>], asked: Option<&str>) -> PurposeTrace {
        let site = self.question.site;
        let purpose = asked.filter(|one| site.knows_purpose(one));
        let consents: Vec<ConsentTrace> = candidates.iter().map(|one| self.consent(one, purpose)).collect();
        let absolute = candidates.iter().zip(&consents).any(|(one, trace)| trace.in_force && one.consent.is_absolute());
        let (mut permitted, mut ground) = self.strongest(&consents, purpose);
        let marks = &self.record.facts.marks;
        let glass = &site.settings().break_glass;
        if !permitted && self.granted() && glass.override_denials && (!absolute || glass.override_absolute) {
            // § 7.3, the last of the three effects.
            if marks.sensitivity & site.never_overridden == 0 {
                (permitted, ground) = (true, Ground::Grant);
            }
        }
        if self.question.requester.represents(self.patient) && marks.sensitivity & super::bit_of("ADOL") != 0 {
            (permitted, ground) = (false, Ground::HiddenFromProxies);
        }
        if self.question.requester.own_patient() == Some(self.patient) && purpose == Some("PATRQT") {
            // § 6.1: recipients' consents do not bind the patient's own access.
            permitted = marks.handling & super::handling_of("NOPAT") == 0;
            ground = if permitted { Ground::Own } else { Ground::HiddenFromPatient };
        }
        if purpose == Some("HLEGAL") && marks.sensitivity & super::bit_of("42CFRPart2") != 0 {
            (permitted, ground) = (false, Ground::Legal);
        }
        // § 6 rule 8: labels that the caller's role may not hold.
        for (_, bits, most) in site.ceilings.iter().filter(|(role, ..)| self.question.requester.has_role(role)) {
            if marks.sensitivity & bits != 0 || most.is_some_and(|most| marks.confidentiality > most) {
                (permitted, ground) = (false, Ground::Ceiling);
            }
        }
        PurposeTrace { purpose: asked.map(str::to_owned), permitted, ground, grant: self.granted(), consents }
    }

    /// § 4 `eval_consent` of one that applies and is in force.
    fn consent(&self, one: &Candidate<'_>, purpose: Option<&str>) -> ConsentTrace {
        let consent = one.consent;
        let (older_permits, older_denies) = one.superseded;
        let mut trace = ConsentTrace::of(one.key, consent.faults());
        trace.apart = match one.apart {
            Some(why) => Some(why),
            None if consent.status == Status::Inactive => Some("it was revoked"),
            None if older_permits && older_denies => Some("a newer one of the same policy stands in its place"),
            None => None,
        };
        if trace.apart.is_some() {
            return trace;
        }
        trace.in_force = true;
        let verdict = self.evaluate(consent, purpose, &mut trace);
        let permits = matches!(verdict, Some(Verdict::ExplicitPermit | Verdict::BasePermit));
        trace.verdict = verdict.filter(|_| if permits { one.may_permit && !older_permits } else { !older_denies });
        if permits && trace.verdict.is_none() {
            trace.apart = Some("it may deny but not permit");
        }
        trace
    }

    fn evaluate(&self, consent: &Compiled, purpose: Option<&str>, trace: &mut ConsentTrace) -> Option<Verdict> {
        let explicit = |effect| if effect == Effect::Permit { Verdict::ExplicitPermit } else { Verdict::ExplicitDeny };
        if !consent.faults.is_empty() {
            return Some(Verdict::ExplicitDeny);
        }
        let Some(root) = &consent.rule else {
            return match consent.base {
                Some(effect) => Some(explicit(effect)),
                None if consent.policy.is_some() => Some(Verdict::ExplicitDeny),
                None => None,
            };
        };
        let untyped = match self.question.site.settings().untyped {
            Untyped::Exception if consent.base == Some(Effect::Deny) => Effect::Permit,
            Untyped::Deny | Untyped::Exception => Effect::Deny,
        };
        let matching = Matching { question: self.question, purpose, record: self.record };
        if let Some((effect, path)) = rule(root, "provision", untyped, &matching, trace) {
            trace.path = Some(path);
            return Some(explicit(effect));
        }
        match consent.base {
            Some(Effect::Permit) => Some(Verdict::BasePermit),
            Some(Effect::Deny) => Some(Verdict::ImplicitDeny),
            None => {
                // Closed world: a consent that permits this purpose for some does not permit the rest. Whoever hides the purpose is among the rest.
                let governs = purpose.is_none() || matching.purpose(&root.criteria, Effect::Permit);
                (root.effect == Some(Effect::Permit) && governs).then_some(Verdict::ImplicitDeny)
            }
        }
    }

    /// § 6 rule 2, or what a site chose instead.
    fn strongest(&self, consents: &[ConsentTrace], purpose: Option<&str>) -> (bool, Ground) {
        let said = |verdict: Verdict| consents.iter().any(|one| one.verdict == Some(verdict));
        let overriding = self.question.site.settings().combine == Combine::DenyOverrides;
        if said(Verdict::ExplicitDeny) {
            (false, Ground::ExplicitDeny)
        } else if overriding && said(Verdict::ImplicitDeny) {
            (false, Ground::ImplicitDeny)
        } else if said(Verdict::ExplicitPermit) {
            (true, Ground::ExplicitPermit)
        } else if said(Verdict::ImplicitDeny) {
            (false, Ground::ImplicitDeny)
        } else if said(Verdict::BasePermit) {
            (true, Ground::BasePermit)
        } else {
            (self.implicit(purpose), Ground::ImplicitPolicy)
        }
    }

    /// § 6 rule 3. Nobody stands for a patient by policy alone.
    fn implicit(&self, purpose: Option<&str>) -> bool {
        let settings = self.question.site.settings();
        let requester = self.question.requester;
        let normal = |most: Confidentiality| self.record.facts.marks.confidentiality <= most;
        if requester.represents(self.patient) {
            return false;
        }
        match settings.implicit_policy {
            ImplicitPolicy::Deny => false,
            ImplicitPolicy::BreakGlassOnly => self.granted(),
            ImplicitPolicy::AllNormal => normal(settings.implicit_max_conf),
            ImplicitPolicy::BasicNormal => {
                let treats = purpose.is_some_and(|purpose| codes::subsumes("TREAT", purpose));
                treats && requester.is_clinician() && normal(settings.implicit_max_conf)
            }
        }
    }

    fn granted(&self) -> bool {
        self.question.site.settings().break_glass.enabled && self.question.requester.has_grant(self.patient)
    }
}

/// Whether a newer consent stands in the place of what this one permits, and of what it denies. One that may not permit takes away
/// what older ones permit, but not what they deny.
fn superseded(one: &Candidate<'_>, all: &[Candidate<'_>], combine: Combine) -> (bool, bool) {
    if combine == Combine::DenyOverrides {
        return (false, false);
    }
    let newer = |other: &&Candidate<'_>| {
        let comparable = combine == Combine::Latest || other.consent.family == one.consent.family;
        let later = other.consent.dated.zip(one.consent.dated).is_some_and(|(other, own)| other > own);
        other.apart.is_none() && comparable && later
    };
    (all.iter().any(|other| newer(&other)), all.iter().any(|other| newer(&other) && other.may_permit))
}

/// § 4 `eval_rule`: the effect and where it stands. Children are looked at even when the rule itself does not match.
fn rule(
    rule_: &Rule,
    path: &str,
    untyped: Effect,
    matching: &Matching<'_>,
    trace: &mut ConsentTrace,
) -> Option<(Effect, String)> {
    let below: Vec<(Effect, String)> = rule_
        .exceptions
        .iter()
        .enumerate()
        .filter_map(|(at, one)| rule(one, &format!("{path}.provision[{at}]"), untyped, matching, trace))
        .collect();
    for wanted in [Effect::Deny, Effect::Permit] {
        if let Some(found) = below.iter().find(|(effect, _)| *effect == wanted) {
            return Some(found.clone());
        }
    }
    let effect = rule_.effect.unwrap_or(untyped);
    let failed = matching.failed(&rule_.criteria, effect);
    if failed.is_empty() {
        return Some((effect, path.to_owned()));
    }
    trace.failed.push(Failed { path: path.to_owned(), criteria: failed });
    None
}
