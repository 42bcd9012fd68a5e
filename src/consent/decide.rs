//! The consents of all patients to a condition each: supersession, strength, self access, grants, several purposes (`consent` § 6, § 7).

use super::codes;
use super::compiled::{Compiled, Status};
use super::directory::Directory;
use super::name::{Recognition, recognize};
use super::program::{Asked, Spoken, spoken, taken_as};
use super::requester::Requester;
use super::rule::Effect;
use super::sensitivity::{bit_of, handling_of};
use super::settings::{Combine, ImplicitPolicy};
use super::site::Site;
use super::tidy::tidy;
use crate::access::{Condition, Permit, Predicate, Test, Verdicts};
use crate::fhir::{Id, Instant, Key};

/// Who asks, where, and when.
#[derive(Clone, Copy)]
pub struct Question<'q> {
    /// Who asks, and for what.
    pub requester: &'q Requester,
    /// The site that is asked.
    pub site: &'q Site,
    /// Whether the members of this Group, `CareTeam`, `PractitionerRole` or `HealthcareService` are known
    /// ([`super::Memberships::resolves`]).
    pub resolves: &'q dyn Fn(&Key) -> bool,
    /// The moment of the decision.
    pub now: Instant,
}

/// What consents say to one requester, and how long.
#[derive(Debug, Clone)]
pub struct Ruling {
    /// For every patient.
    pub verdicts: Verdicts,
    /// The next moment at which some consent's period begins or ends; until then, and while the directory stands at the same
    /// epoch, the ruling holds for every equal requester.
    pub valid_until: Instant,
}

impl Ruling {
    /// The ruling after the consents of these patients changed; all others keep what they had. Equal to [`verdicts`] of the changed
    /// directory, as long as requester, site and memberships are the same and this ruling is still valid.
    #[must_use]
    pub fn revised<'p>(
        &self,
        directory: &Directory,
        question: &Question<'_>,
        patients: impl IntoIterator<Item = &'p Id>,
    ) -> Self {
        let mut valid_until = self.valid_until;
        let mut changes = Vec::new();
        for patient in patients {
            valid_until = boundaries(directory, patient, question.now).fold(valid_until, Ord::min);
            changes.push((patient.clone(), verdict_of(directory, question, patient)));
        }
        Self { verdicts: self.verdicts.with(changes), valid_until }
    }
}

/// Decides for every patient at once.
pub fn verdicts(directory: &Directory, question: &Question<'_>) -> Ruling {
    let mut exceptions: Vec<(Id, Condition)> = Vec::new();
    let mut valid_until = Instant(i64::MAX);
    for (patient, consents) in directory.patients() {
        valid_until = consents.clone().map(|consent| consent.next_boundary(question.now)).fold(valid_until, Ord::min);
        exceptions.push((patient.clone(), question.verdict(patient, &consents)));
    }
    for patient in question.requester.special().filter(|one| directory.consents(one).next().is_none()) {
        exceptions.push((patient.clone(), question.verdict(patient, &std::iter::empty())));
    }
    Ruling { verdicts: Verdicts::new(question.otherwise(), exceptions), valid_until }
}

/// Decides for one patient: what the requester may see of records that belong to them.
pub fn verdict_of(directory: &Directory, question: &Question<'_>, patient: &Id) -> Condition {
    question.verdict(patient, &directory.consents(patient))
}

fn boundaries(directory: &Directory, patient: &Id, now: Instant) -> impl Iterator<Item = Instant> {
    directory.consents(patient).map(move |consent| consent.next_boundary(now))
}

/// The consents of a patient that permit something to the requester, in the order of their addresses: what a disclosure rests on. None
/// where the site's own policy, or the patient's right to their own record, decides. With the moment until which that holds.
pub fn deciding(directory: &Directory, question: &Question<'_>, patient: &Id) -> (Vec<Key>, Instant) {
    let mut found: Vec<Key> = Vec::new();
    let held: Vec<(&Key, &Compiled)> = directory.held(patient).collect();
    for asked in question.asked() {
        if question.requester.own_patient() == Some(patient) && asked.purpose == Some("PATRQT") {
            continue;
        }
        let in_force = question.in_force_of(held.iter().map(|(_, consent)| *consent));
        let speaks = |consent: &Compiled| {
            let Spoken { permit, base, .. } = spoken(consent, asked);
            permit != Condition::None || base != Condition::None
        };
        let permitting = in_force.iter().filter(|(consent, may_permit)| *may_permit && speaks(consent));
        found.extend(
            permitting.filter_map(|(consent, _)| {
                held.iter().find(|(_, one)| std::ptr::eq(*one, *consent)).map(|(key, _)| (*key).clone())
            }),
        );
    }
    found.sort();
    found.dedup();
    (found, boundaries(directory, patient, question.now).min().unwrap_or(Instant(i64::MAX)))
}

/// The permit on those rows alone of which every patient permits it.
pub fn narrow(permit: Permit, verdicts: &Verdicts) -> Permit {
    if verdicts.permit_all() {
        return permit;
    }
    permit.narrowed(Predicate::EveryPatient(verdicts.clone()))
}

/// A consent that applies, and whether it may permit.
type Applicable<'c> = (&'c Compiled, bool);

impl<'q> Question<'q> {
    /// For each purpose by itself; one purpose more can only take away.
    fn verdict<'c>(&'q self, patient: &Id, consents: &(impl Iterator<Item = &'c Compiled> + Clone)) -> Condition {
        tidy(self.each_purpose(|asked| self.for_purpose(patient, asked, consents.clone())))
    }

    /// For patients without consents who are nobody special to the requester.
    fn otherwise(&'q self) -> Condition {
        tidy(self.each_purpose(|asked| overruled(asked, self.implicit(asked.purpose))))
    }

    fn each_purpose(&'q self, mut decided: impl FnMut(Asked<'q>) -> Condition) -> Condition {
        self.asked().into_iter().fold(Condition::All, |all, asked| all.and(decided(asked)))
    }

    fn for_purpose<'c>(&self, patient: &Id, asked: Asked<'_>, consents: impl Iterator<Item = &'c Compiled>) -> Condition {
        // Consents bind those who receive, not the patient whose records they are.
        if self.requester.own_patient() == Some(patient) && asked.purpose == Some("PATRQT") {
            return overruled(asked, Condition::Test(Test::Handled(handling_of("NOPAT"))).negated());
        }
        let in_force = self.in_force_of(consents);
        let represents = self.requester.represents(patient);
        let implicit = if represents { Condition::None } else { self.implicit_for(patient, asked.purpose) };
        let mut decided = self.combined(asked, &in_force, implicit);
        if self.grant_overrides(patient, &in_force) {
            decided = decided.or(Condition::Test(Test::SensitiveToAny(self.site.never_overridden)).negated());
        }
        if represents {
            decided = decided.and(Condition::Test(Test::SensitiveToAny(self.site.words.closure_of("ADOL"))).negated());
        }
        overruled(asked, decided)
    }

    /// The consents that apply and are not superseded.
    fn in_force_of<'c>(&self, consents: impl Iterator<Item = &'c Compiled>) -> Vec<Applicable<'c>> {
        let applicable: Vec<Applicable<'c>> =
            consents.filter_map(|consent| self.applies(consent).map(|may_permit| (consent, may_permit))).collect();
        let combine = self.site.settings.combine;
        applicable
            .chunk_by(|(one, _), (other, _)| combine != Combine::Default || one.family == other.family)
            .flat_map(|family| in_force(family, combine))
            .collect()
    }

    /// The question for each purpose by itself.
    fn asked(&'q self) -> Vec<Asked<'q>> {
        let purposes = self.requester.purposes();
        if purposes.is_empty() {
            return vec![Asked { question: self, purpose: None }];
        }
        let known = |one: &'q String| self.site.knows_purpose(one).then_some(one.as_str());
        purposes.iter().map(|one| Asked { question: self, purpose: known(one) }).collect()
    }

    /// `None` when it does not apply now to these records; else whether it may permit.
    fn applies(&self, consent: &Compiled) -> Option<bool> {
        if !consent.period.is_none_or(|period| period.contains(self.now)) {
            return None;
        }
        let custody = consent.organizations.iter().map(|names| recognize(names, |name| name.among(&self.site.custodian)));
        let found: Vec<Recognition> = custody.collect();
        let about = found.is_empty() || found.iter().any(|one| taken_as(Effect::Permit, *one));
        if !about && !found.iter().any(|one| taken_as(Effect::Deny, *one)) {
            return None;
        }
        Some(about && consent.may_permit && (consent.verified || !self.site.settings.require_verified))
    }

    /// An implicit deny is weaker than an explicit permit: two authorizations for two hospitals must not cancel each other.
    fn combined(&self, asked: Asked<'_>, in_force: &[Applicable<'_>], implicit: Condition) -> Condition {
        let (mut deny, mut permit, mut shut, mut base) = (Condition::None, Condition::None, Condition::None, Condition::None);
        for (consent, may_permit) in in_force {
            let Spoken { deny: denies, permit: permits, shut: shuts, base: bases } = spoken(consent, asked);
            deny = deny.or(denies);
            shut = shut.or(shuts);
            if *may_permit {
                permit = permit.or(permits);
                base = base.or(bases);
            }
        }
        match self.site.settings.combine {
            Combine::DenyOverrides => deny.negated().and(shut.negated()).and(permit.or(base).or(implicit)),
            Combine::Default | Combine::Latest => deny.negated().and(permit.or(shut.negated().and(base.or(implicit)))),
        }
    }

    /// Does a grant open what is denied? Not where a refusal is absolute, unless the site says so.
    fn grant_overrides(&self, patient: &Id, in_force: &[Applicable<'_>]) -> bool {
        let glass = &self.site.settings.break_glass;
        let absolute = in_force.iter().any(|(consent, _)| consent.is_absolute());
        self.granted(patient) && glass.override_denials && (glass.override_absolute || !absolute)
    }

    fn granted(&self, patient: &Id) -> bool {
        self.site.settings.break_glass.enabled && self.requester.has_grant(patient)
    }

    fn implicit_for(&self, patient: &Id, purpose: Option<&str>) -> Condition {
        match self.site.settings.implicit_policy {
            ImplicitPolicy::BreakGlassOnly => Condition::always(self.granted(patient)),
            _ => self.implicit(purpose),
        }
    }

    /// What holds where no consent speaks and no grant was given.
    fn implicit(&self, purpose: Option<&str>) -> Condition {
        let settings = &self.site.settings;
        let normal = || Condition::Test(Test::ConfidentialityAtMost(settings.implicit_max_conf));
        let treats = || self.requester.is_clinician() && purpose.is_some_and(|purpose| codes::subsumes("TREAT", purpose));
        match settings.implicit_policy {
            ImplicitPolicy::BasicNormal if treats() => normal(),
            ImplicitPolicy::AllNormal if !self.requester.represents_everybody() => normal(),
            _ => Condition::None,
        }
    }
}

/// What nothing overrides: records of federally assisted substance use programs are not for legal proceedings (42 CFR Part 2), and nobody
/// is shown what their role may not hold.
fn overruled(asked: Asked<'_>, decided: Condition) -> Condition {
    let without = |bits: u64| Condition::Test(Test::SensitiveToAny(bits)).negated();
    let legal = if asked.purpose == Some("HLEGAL") { without(bit_of("42CFRPart2")) } else { Condition::All };
    let Question { site, requester, .. } = asked.question;
    let ceilings = site.ceilings.iter().filter(|(role, ..)| requester.has_role(role)).map(|(_, bits, most)| {
        let labels = if *bits == 0 { Condition::All } else { without(*bits) };
        labels.and(most.map_or(Condition::All, |most| Condition::Test(Test::ConfidentialityAtMost(most))))
    });
    ceilings.fold(decided.and(legal), Condition::and)
}

/// Supersession inside one group: only the newest date counts, a tie keeps all, the undated stand aside; then only active ones
/// speak, so that revoking the newest does not bring an older one back.
///
/// A newer consent that may not permit (it is unverified, say) takes away what older ones permit, but not what they deny.
fn in_force<'c>(group: &[Applicable<'c>], combine: Combine) -> impl Iterator<Item = Applicable<'c>> {
    let newest = group.iter().filter_map(|(consent, _)| consent.dated).max();
    let certain = group.iter().filter(|(_, may_permit)| *may_permit).filter_map(|(consent, _)| consent.dated).max();
    let stands = move |dated: Option<Instant>, against: Option<Instant>| {
        combine == Combine::DenyOverrides || dated.is_none() || dated >= against
    };
    let active = group.iter().filter(|(consent, _)| consent.status == Status::Active);
    active
        .filter(move |(consent, _)| stands(consent.dated, certain))
        .map(move |(consent, may_permit)| (*consent, *may_permit && stands(consent.dated, newest)))
}

#[cfg(test)]
#[path = "decide_tests.rs"]
mod tests;
