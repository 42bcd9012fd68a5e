//! The first decision, before any data are looked at (`consent` L2): does a grant cover what is asked?

use super::reach::open;
use super::{Caller, Level, Permit, Predicate};
use crate::fhir::search::SearchQuery;
use crate::fhir::{HistoryScope, Interaction, Need, Operation, Refusal, ResourceType};
use std::sync::Arc;

/// What an interaction asks of the grants.
#[derive(Debug, PartialEq, Eq)]
enum Demand {
    /// Nothing but a caller.
    Nothing,
    /// Each of these needs on each of these types.
    Each(Vec<ResourceType>, Vec<Need>),
    /// Some one of these needs on some one of these types; types without are left out of the answer.
    Some(Vec<ResourceType>, Vec<Need>),
}

/// Decides whether a caller may ask this at all. The rows follow from [`Permit::rows`].
///
/// Capabilities are for every caller. A system search or history needs one type with `s`, and sees the types that have it.
/// A search that names its types needs `s` on each; a compartment's `*` names none, and some type of it must have it. A page needs some `r` or `s`: what it continues is authorized when its link
/// was opened. A bundle needs any grant: each of its entries is authorized by itself.
///
/// # Errors
/// [`Refusal::ScopeMissing`], naming a scope that would do.
pub fn authorize(caller: &Arc<Caller>, interaction: Interaction) -> Result<Permit, Refusal> {
    #[cfg(feature = "bench")]
    if crate::layers::off(crate::layers::Layer::Scopes) {
        return Ok(Permit { caller: Arc::clone(caller), interaction, narrowing: Predicate::All });
    }
    let missing = match demand(&interaction) {
        Demand::Nothing => None,
        Demand::Each(types, needs) => pairs(&types, &needs)
            .find(|&(one, need)| open(caller, one, need).next().is_none())
            .map(|(one, need)| scope(caller, one.name(), need)),
        Demand::Some(types, needs) => {
            let any = pairs(&types, &needs).any(|(one, need)| open(caller, one, need).next().is_some());
            (!any).then(|| scope(caller, "*", needs.first().copied().unwrap_or(Need::Read)))
        }
    };
    match missing {
        Some(needed) => Err(Refusal::ScopeMissing { needed }),
        None => Ok(Permit { caller: Arc::clone(caller), interaction, narrowing: Predicate::All }),
    }
}

fn pairs(types: &[ResourceType], needs: &[Need]) -> impl Iterator<Item = (ResourceType, Need)> {
    types.iter().flat_map(move |&one| needs.iter().map(move |&need| (one, need)))
}

fn demand(interaction: &Interaction) -> Demand {
    use Need::{Create, Delete, Read, Search, Update};
    let on = |one: ResourceType, needs: &[Need]| Demand::Each(vec![one], needs.to_vec());
    let any = |needs: &[Need]| Demand::Some(ResourceType::ALL.to_vec(), needs.to_vec());
    match interaction {
        Interaction::Capabilities => Demand::Nothing,
        Interaction::Read(key, _) | Interaction::Vread(key, _) => on(key.resource_type, &[Read]),
        Interaction::History(query) => match &query.scope {
            HistoryScope::Instance(key) => on(key.resource_type, &[Read]),
            HistoryScope::Type(one) => on(*one, &[Search]),
            HistoryScope::System => any(&[Search]),
        },
        Interaction::Search(query) if query.types.is_empty() => any(&[Search]),
        Interaction::Search(query) if query.compartment.is_some() && query.types.len() > 1 => {
            Demand::Some(query.types.clone(), vec![Search])
        }
        Interaction::Search(query) => Demand::Each(query.types.clone(), vec![Search]),
        Interaction::Page(_) => any(&[Search, Read]),
        Interaction::Create(one, None) => on(*one, &[Create]),
        Interaction::Create(one, Some(_)) => on(*one, &[Create, Search]),
        Interaction::Update(key, _) | Interaction::Patch(key, _) => on(key.resource_type, &[Update]),
        Interaction::ConditionalUpdate(query, _) | Interaction::ConditionalPatch(query, _) => conditional(query, Update),
        Interaction::Delete(key, _) => on(key.resource_type, &[Delete]),
        Interaction::ConditionalDelete(query) => conditional(query, Delete),
        Interaction::Bundle => any(&[Read, Search, Create, Update, Delete]),
        Interaction::Operate(operation) => match operation {
            Operation::BreakGlass(_)
            | Operation::EndBreakGlass(_)
            | Operation::BreakGlassNotices(..)
            | Operation::AcknowledgeNotice(_)
            | Operation::ExplainAccess(..)
            | Operation::Accounting(..)
            | Operation::AccessLog(..) => on(ResourceType::Patient, &[Read]),
            Operation::Match => on(ResourceType::Patient, &[Search]),
            Operation::ProcessMessage => on(ResourceType::MessageHeader, &[Create]),
            Operation::RecordDisclosure => on(ResourceType::AuditEvent, &[Create]),
            Operation::FileConsent => on(ResourceType::Consent, &[Create, Update]),
            Operation::IndexStatus => on(ResourceType::SearchParameter, &[Search]),
            Operation::LastN(_) => on(ResourceType::Observation, &[Search]),
            Operation::RevokeConsent => on(ResourceType::Consent, &[Update]),
        },
    }
}

/// A condition is a search. One without a type would be a write to everything, and asks for that much.
fn conditional(query: &SearchQuery, need: Need) -> Demand {
    let types = if query.types.is_empty() { ResourceType::ALL.to_vec() } else { query.types.clone() };
    Demand::Each(types, vec![need, Need::Search])
}

/// A scope that would do, at the level that the caller's other scopes are likely to have.
fn scope(caller: &Caller, type_name: &str, need: Need) -> String {
    let level = match (&caller.patient, &caller.user) {
        (Some(_), _) => Level::Patient,
        (None, Some(_)) => Level::User,
        (None, None) => Level::System,
    };
    format!("{}/{type_name}.{}", level.name(), need.letter())
}

#[cfg(test)]
#[path = "authorize_tests.rs"]
mod tests;
