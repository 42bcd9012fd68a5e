//! Conditional references: `Patient?identifier=...` in new content becomes the one record that it selects.

use super::Gateway;
use super::write::Failed;
use crate::access::Permit;
use crate::disclosure::{Change, Draft, Guard};
use crate::fhir::search::SearchQuery;
use crate::fhir::{Interaction, Key, Need, Problem, Refusal, Request, RouteOptions, has_value, interaction, pairs};
use std::collections::HashMap;

impl Gateway {
    /// The draft with its conditional references resolved; each adds a guard.
    pub(super) async fn resolved(&self, permit: &Permit, draft: Draft, guards: &mut Vec<Guard>) -> Result<Draft, Failed> {
        let draft = self.about(permit, draft, guards).await?;
        let conditions = draft.conditional_references();
        if conditions.is_empty() {
            return self.settled(draft, &[]).await;
        }
        let mut targets = HashMap::new();
        for condition in conditions {
            let key = self.resolve(permit, &condition, guards).await?;
            targets.insert(condition, key.to_string());
        }
        self.settled(draft.rewritten(&|url| targets.get(url).cloned()), &[]).await
    }

    /// A Consent whose patient is named by identifier alone, with the record of the one patient whom that names.
    pub(super) async fn about(&self, permit: &Permit, draft: Draft, guards: &mut Vec<Guard>) -> Result<Draft, Failed> {
        let Some(sought) = draft.patient_sought() else { return Ok(draft) };
        let found = self.resolve(permit, &sought, guards).await.map_err(|failed| match failed {
            Failed::Refused(Refusal::Unprocessable(_)) => {
                let text = "the identifier must be that of exactly one Patient here that you can see";
                Failed::Refused(Refusal::Unprocessable(vec![Problem::at("not-found", "Consent.patient", text)]))
            }
            other => other,
        })?;
        Ok(draft.about(&found)?)
    }

    /// The draft, knowing the records that it belongs with: those that these changes make, and those in the store.
    pub(super) async fn settled(&self, draft: Draft, changes: &[Change]) -> Result<Draft, Failed> {
        let mut keys = draft.belongs_with(&self.parts.base);
        if keys.is_empty() {
            return Ok(draft);
        }
        let made: Vec<&Change> = changes.iter().filter(|change| keys.contains(&change.key)).collect();
        keys.retain(|key| made.iter().all(|change| change.key != *key));
        let mut facts = self.parts.store.facts(&keys).await?;
        facts.extend(
            made.into_iter().filter(|change| change.content.is_some()).map(|change| change.facts(self.parts.clock.now())),
        );
        Ok(draft.with(facts))
    }

    /// The one record that the caller sees and the condition selects.
    pub(super) async fn resolve(&self, permit: &Permit, condition: &str, guards: &mut Vec<Guard>) -> Result<Key, Failed> {
        let search = self.condition_of(condition)?;
        let selected = self.selected(permit, Need::Search, &search).await?;
        let guard = selected.none_or_one(permit, &search).map_err(|_| unresolved(condition, "selects several records"))?;
        guards.push(guard);
        let found = selected.rows.first().ok_or_else(|| unresolved(condition, "selects no record"))?;
        Ok(found.facts.key.clone())
    }

    /// The search that a conditional reference is: of one type, with nothing in it that says nothing.
    pub(super) fn condition_of(&self, condition: &str) -> Result<Box<SearchQuery>, Refusal> {
        let relative = condition.strip_prefix(&self.parts.base).map_or(condition, |rest| rest.trim_start_matches('/'));
        let request = Request::get(relative);
        let options = RouteOptions { base: &self.parts.base, now: self.parts.clock.now(), max_count: 2, known: self.known() };
        let Interaction::Search(search) = interaction(&request, &options)? else {
            return Err(unresolved(condition, "is no search"));
        };
        if search.types.len() != 1 || search.criteria.is_empty() {
            return Err(unresolved(condition, "names no type or no condition"));
        }
        if pairs(&request.query).is_ok_and(|all| !all.iter().all(has_value)) {
            return Err(unresolved(condition, "has a parameter without a value"));
        }
        Ok(search)
    }
}

pub(super) fn unresolved(condition: &str, reason: &str) -> Refusal {
    let text = format!("the conditional reference `{condition}` {reason}: it must select exactly one record that you can see");
    Refusal::Unprocessable(vec![Problem::of("not-found", text)])
}
