//! The consents of all patients to one verdict each: supersession, strength, self access, several purposes (`consent` § 6).

use super::codes;
use super::compiled::{Compiled, Standing, Strength};
use super::directory::Directory;
use super::name::Name;
use super::requester::Requester;
use super::rule::{Question, Site};
use super::settings::{Combine, ConsentSettings, ImplicitPolicy};
use crate::access::{Condition, Permit, Predicate, Verdicts};
use crate::fhir::{Id, Instant};

/// What consents say to one requester, and how long.
#[derive(Debug, Clone)]
pub struct Ruling {
    /// For every patient.
    pub verdicts: Verdicts,
    /// The next moment at which some consent's period begins or ends; until then, and while the directory stands at the same
    /// epoch, the ruling holds for every equal requester.
    pub valid_until: Instant,
}

/// Decides for every patient at once.
pub fn verdicts(directory: &Directory, requester: &Requester, settings: &ConsentSettings, now: Instant) -> Ruling {
    let site = Site::of(settings);
    let asking = Asking { requester, settings, site: &site, now };
    let otherwise = asking.permits_without_consent();
    let mut exceptions: Vec<(Id, Condition)> = Vec::new();
    let mut valid_until = Instant(i64::MAX);
    for (patient, consents) in directory.patients() {
        let boundaries = consents.clone().flat_map(|consent| &consent.boundaries).copied();
        valid_until = boundaries.filter(|boundary| *boundary > now).fold(valid_until, Ord::min);
        exceptions.push((patient.clone(), Condition::always(asking.permits(patient, &consents))));
    }
    if let Some(own) = requester.own_patient()
        && directory.consents(own).next().is_none()
    {
        exceptions.push((own.clone(), Condition::always(asking.permits(own, &std::iter::empty()))));
    }
    Ruling { verdicts: Verdicts::new(Condition::always(otherwise), exceptions), valid_until }
}

/// Decides for one patient.
pub fn permits(directory: &Directory, requester: &Requester, settings: &ConsentSettings, now: Instant, patient: &Id) -> bool {
    let site = Site::of(settings);
    Asking { requester, settings, site: &site, now }.permits(patient, &directory.consents(patient))
}

/// The permit on those rows alone of which every patient permits it.
pub fn narrow(permit: Permit, verdicts: &Verdicts) -> Permit {
    if verdicts.permit_all() {
        return permit;
    }
    permit.narrowed(Predicate::EveryPatient(verdicts.clone()))
}

impl Site {
    fn of(settings: &ConsentSettings) -> Self {
        Self {
            custodian: settings.custodian.iter().map(|one| Name::of_claim(one)).collect(),
            purposes: settings.local_purposes.iter().map(|one| codes::asked_purpose(one).into_owned()).collect(),
        }
    }
}

#[derive(Clone, Copy)]
struct Asking<'a> {
    requester: &'a Requester,
    settings: &'a ConsentSettings,
    site: &'a Site,
    now: Instant,
}

impl<'a> Asking<'a> {
    /// For each purpose by itself; one purpose more can only take away.
    fn permits<'c>(&self, patient: &Id, consents: &(impl Iterator<Item = &'c Compiled> + Clone)) -> bool {
        let own = self.requester.own_patient() == Some(patient);
        self.each_purpose(|purpose| {
            // Consents bind those who receive, not the patient whose records they are.
            (own && purpose == Some("PATRQT")) || self.permits_for(&self.question(purpose), consents.clone())
        })
    }

    fn permits_without_consent(&self) -> bool {
        self.each_purpose(|purpose| self.implicit(purpose))
    }

    fn each_purpose(&self, mut permitted: impl FnMut(Option<&'a str>) -> bool) -> bool {
        let purposes = self.requester.purposes();
        if purposes.is_empty() {
            return permitted(None);
        }
        purposes.iter().all(|one| permitted(self.site.knows_purpose(one).then_some(one.as_str())))
    }

    fn question(&self, purpose: Option<&'a str>) -> Question<'a> {
        Question { requester: self.requester, purpose, site: self.site, now: self.now }
    }

    /// The consents of one patient, which stand grouped by family.
    fn permits_for<'c>(&self, question: &Question<'_>, consents: impl Iterator<Item = &'c Compiled>) -> bool {
        let applicable = consents.filter_map(|consent| consent.applies(question, self.settings).map(|may| (consent, may)));
        let applicable: Vec<(&Compiled, bool)> = applicable.collect();
        let speaking = applicable
            .chunk_by(|(one, _), (other, _)| self.settings.combine != Combine::Default || one.family == other.family)
            .flat_map(|family| in_force(family, self.settings.combine));
        let strengths = speaking.filter_map(|(consent, may_permit)| {
            let permission = |one: &Strength| matches!(one, Strength::ExplicitPermit | Strength::BasePermit);
            consent.strength(question, self.settings).filter(|one| may_permit || !permission(one))
        });
        self.strongest(strengths).unwrap_or_else(|| self.implicit(question.purpose))
    }

    /// An implicit deny is weaker than an explicit permit: two authorizations for two hospitals must not cancel each other.
    fn strongest(&self, strengths: impl Iterator<Item = Strength>) -> Option<bool> {
        let said: Vec<Strength> = strengths.collect();
        let order = match self.settings.combine {
            Combine::DenyOverrides => {
                [Strength::ExplicitDeny, Strength::ImplicitDeny, Strength::ExplicitPermit, Strength::BasePermit]
            }
            Combine::Default | Combine::Latest => {
                [Strength::ExplicitDeny, Strength::ExplicitPermit, Strength::ImplicitDeny, Strength::BasePermit]
            }
        };
        let strongest = order.into_iter().find(|one| said.contains(one))?;
        Some(matches!(strongest, Strength::ExplicitPermit | Strength::BasePermit))
    }

    /// What holds where no consent speaks. Nobody stands for a patient by policy alone, and no grant breaks glass at this level.
    fn implicit(&self, purpose: Option<&str>) -> bool {
        match self.settings.implicit_policy {
            _ if self.requester.is_proxy() => false,
            ImplicitPolicy::Deny | ImplicitPolicy::BreakGlassOnly => false,
            ImplicitPolicy::BasicNormal => {
                self.requester.is_clinician() && purpose.is_some_and(|purpose| codes::subsumes("TREAT", purpose))
            }
            ImplicitPolicy::AllNormal => true,
        }
    }
}

/// Supersession inside one group: only the newest date counts, a tie keeps all, the undated stand aside; then only active ones
/// speak, so that revoking the newest does not bring an older one back.
///
/// A newer consent that may not permit (it is unverified, say) takes away what older ones permit, but not what they deny.
fn in_force<'c>(group: &[(&'c Compiled, bool)], combine: Combine) -> impl Iterator<Item = (&'c Compiled, bool)> {
    let newest = group.iter().filter_map(|(consent, _)| consent.dated).max();
    let certain = group.iter().filter(|(_, may_permit)| *may_permit).filter_map(|(consent, _)| consent.dated).max();
    let stands = move |dated: Option<Instant>, against: Option<Instant>| {
        combine == Combine::DenyOverrides || dated.is_none() || dated >= against
    };
    let active = group.iter().filter(|(consent, _)| consent.standing == Standing::Active);
    active
        .filter(move |(consent, _)| stands(consent.dated, certain))
        .map(move |(consent, may_permit)| (*consent, *may_permit && stands(consent.dated, newest)))
}

#[cfg(test)]
#[path = "decide_tests.rs"]
mod tests;
