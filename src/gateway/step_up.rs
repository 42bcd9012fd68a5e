//! What needs a fresh and strong sign-in of the user (RFC 9470), as the site's policy names it.

use crate::access::Caller;
use crate::fhir::{HistoryScope, Instant, Interaction, Operation, Refusal, ResourceType};

/// The policy.
#[derive(Debug, Clone, Default)]
pub struct StepUp {
    /// What: `export`, `administration`, `delete`.
    pub needed_for: Vec<String>,
    /// Values of `acr` that are strong enough.
    pub acr: Vec<String>,
    /// How long ago the sign-in may lie, in seconds.
    pub max_age: u32,
}

impl StepUp {
    /// Lets a request pass, or asks its user to sign in again. A program that acts for nobody has no sign-in: its keys are its strength.
    pub(super) fn demand(&self, caller: &Caller, interaction: &Interaction, now: Instant) -> Result<(), Refusal> {
        let Some(what) = steps(interaction).into_iter().find(|what| self.needed_for.iter().any(|needed| needed == what)) else {
            return Ok(());
        };
        if caller.user.is_none() || caller.signed_in_since(now.plus_seconds(-i64::from(self.max_age)), &self.acr) {
            return Ok(());
        }
        tracing::debug!(what, "a step-up is asked for");
        Err(Refusal::StepUp { acr_values: self.acr.join(" "), max_age: self.max_age })
    }
}

/// What the policy may call an interaction. `export` is what takes records out whole: the history or a search of everything.
fn steps(interaction: &Interaction) -> Vec<&'static str> {
    let mut steps = Vec::new();
    let mut of = None;
    match interaction {
        Interaction::Delete(..) | Interaction::ConditionalDelete(_) => steps.push("delete"),
        Interaction::History(query) if !matches!(query.scope, HistoryScope::Instance(_)) => steps.push("export"),
        Interaction::Search(query) if query.types.is_empty() && query.compartment.is_none() => steps.push("export"),
        Interaction::Search(query) => of = query.types.first().copied(),
        Interaction::Operate(Operation::IndexStatus | Operation::RecordDisclosure) => steps.push("administration"),
        Interaction::Read(key, _) | Interaction::Vread(key, _) | Interaction::Update(key, _) | Interaction::Patch(key, _) => {
            of = Some(key.resource_type);
        }
        Interaction::Create(kind, _) => of = Some(*kind),
        _ => {}
    }
    if matches!(of, Some(ResourceType::AuditEvent | ResourceType::SearchParameter)) {
        steps.push("administration");
    }
    steps
}
