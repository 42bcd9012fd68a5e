//! The permit: that this caller may do this interaction, and on which rows.

use super::reach::{Reach, open};
use super::{Caller, Grant, Look, Predicate};
use crate::fhir::{Id, Interaction, Need, Refusal, ResourceType};
use std::sync::Arc;

/// Proof that an interaction was authorized. Made by [`super::authorize`] alone; can only be narrowed.
#[derive(Debug, Clone)]
pub struct Permit {
    pub(super) caller: Arc<Caller>,
    pub(super) interaction: Interaction,
    pub(super) narrowing: Predicate,
}

impl Permit {
    /// Who asks.
    pub fn caller(&self) -> &Arc<Caller> {
        &self.caller
    }

    /// What is permitted.
    pub fn interaction(&self) -> &Interaction {
        &self.interaction
    }

    /// The same permit on fewer rows: the further predicate must hold too.
    #[must_use]
    pub fn narrowed(mut self, further: Predicate) -> Self {
        self.narrowing = self.narrowing.and(further);
        self
    }

    /// The rows of a type that this caller may touch with this need: scopes, launch context and whatever narrowed the permit.
    /// `Predicate::None` for a type without a grant, which makes chains and includes through it empty.
    pub fn rows(&self, resource_type: ResourceType, need: Need) -> Predicate {
        match self.granted(resource_type, need) {
            Predicate::None => Predicate::None,
            // What was done is not for the patient to withhold from those who watch over it: consent is about records, not about the trail.
            granted if resource_type == ResourceType::AuditEvent => granted,
            granted => self.directives(resource_type, need).or(granted.and(self.narrowing.clone())),
        }
    }

    /// A consent officer is whom a scope that names Consent makes one: what a directive says of others does not hide it from them, else
    /// nobody but the patient could ever revise a denial.
    fn directives(&self, resource_type: ResourceType, need: Need) -> Predicate {
        let officer = |(reach, grant): &(Reach<'_>, &Grant)| {
            *reach == Reach::Everything && grant.resource_type.is_some() && grant.constraint.is_empty()
        };
        let named = resource_type == ResourceType::Consent && open(&self.caller, resource_type, need).any(|one| officer(&one));
        if named { Predicate::All } else { Predicate::None }
    }

    /// The rows of a type that scopes and launch context alone open: the union over the grants that cover type and need.
    pub fn granted(&self, resource_type: ResourceType, need: Need) -> Predicate {
        #[cfg(feature = "bench")]
        if crate::layers::off(crate::layers::Layer::Scopes) {
            return Predicate::All;
        }
        let mut whole: Vec<Reach<'_>> = Vec::new();
        for (reach, grant) in open(&self.caller, resource_type, need) {
            if grant.constraint.is_empty() && !whole.contains(&reach) {
                whole.push(reach);
            }
        }
        if whole.contains(&Reach::Everything) {
            return Predicate::All;
        }
        let rows = whole.iter().fold(Predicate::None, |rows, reach| rows.or(reach.rows(resource_type)));
        open(&self.caller, resource_type, need)
            .filter(|(reach, grant)| !grant.constraint.is_empty() && !whole.contains(reach))
            .fold(rows, |rows, (reach, grant)| {
                rows.or(reach.rows(resource_type).and(Predicate::Criteria(Arc::clone(&grant.constraint))))
            })
    }

    /// The types of which some grant opens rows for this need, in alphabetical order.
    pub fn types(&self, need: Need) -> Vec<ResourceType> {
        ResourceType::ALL.iter().copied().filter(|&one| open(&self.caller, one, need).next().is_some()).collect()
    }

    /// Does this record lie among the rows? The decision in memory, equal to the one in the query where it can be made without
    /// other records, and no where it cannot.
    pub fn admits(&self, need: Need, look: &Look<'_>) -> bool {
        self.rows(look.facts().key.resource_type, need).holds(look) == Some(true)
    }

    /// Does what narrowed the permit hold for a part of a row that is among the rows? For a part that carries labels of its own; no
    /// where it cannot be told.
    pub fn admits_part(&self, need: Need, look: &Look<'_>) -> bool {
        let of = look.facts().key.resource_type;
        self.directives(of, need).or(self.narrowing.clone()).holds(look) == Some(true)
    }

    /// What the patients allow; `All` when none restricts anything.
    pub fn consents(&self) -> Predicate {
        self.narrowing.of_consents()
    }

    /// Whether one of these patients has a say of their own that shows this caller less than all.
    pub fn is_restricted_by(&self, patients: &[Id]) -> bool {
        self.narrowing.is_restricted_by(patients)
    }

    /// Whether scopes and launch context are not all that decides.
    pub fn is_narrowed(&self) -> bool {
        !matches!(self.narrowing, Predicate::All)
    }
}

/// Decides on the content that a create, update or patch would leave behind: some one grant must take all of it.
///
/// Consent does not speak here, as it says what may be shown; the old content is decided by [`Permit::admits`].
///
/// # Errors
/// [`Refusal::WriteOutsideGrant`] when the content lies outside the compartment (it names another patient, or none) or outside the
/// constraint of every grant.
pub fn may_write(permit: &Permit, need: Need, new: &Look<'_>) -> Result<(), Refusal> {
    #[cfg(feature = "bench")]
    if crate::layers::off(crate::layers::Layer::Scopes) {
        return Ok(());
    }
    let facts = new.facts();
    let taken = open(&permit.caller, facts.key.resource_type, need).any(|(reach, grant)| {
        reach.takes(facts)
            && (grant.constraint.is_empty() || Predicate::Criteria(Arc::clone(&grant.constraint)).holds(new) == Some(true))
    });
    if taken { Ok(()) } else { Err(Refusal::WriteOutsideGrant) }
}

impl Permit {
    /// A permit for the store's own tests.
    #[cfg(test)]
    pub(crate) fn for_test(caller: Caller, interaction: Interaction, narrowing: Predicate) -> Self {
        Self { caller: Arc::new(caller), interaction, narrowing }
    }
}
