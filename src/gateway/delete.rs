//! delete, conditional delete (<https://hl7.org/fhir/R4/http.html#delete>).

use super::update::demand;
use super::write::{Failed, until_settled};
use super::{Errand, Gateway};
use crate::access::Permit;
use crate::disclosure::{Guard, Pending, Row, Stored, deletion, written};
use crate::fhir::search::SearchQuery;
use crate::fhir::{Key, Need, Refusal, WriteCondition};

impl Gateway {
    pub(super) async fn delete(
        &self,
        permit: &Permit,
        key: &Key,
        condition: WriteCondition,
        errand: &Errand,
    ) -> Result<Pending, Refusal> {
        until_settled!(self.try_delete(permit, key, condition, Vec::new(), errand).await)
    }

    async fn try_delete(
        &self,
        permit: &Permit,
        key: &Key,
        condition: WriteCondition,
        guards: Vec<Guard>,
        errand: &Errand,
    ) -> Result<Pending, Failed> {
        let old = self.parts.store.read(permit, Need::Delete, key).await?.ok_or(Refusal::NotFound)?;
        if old.facts.deleted {
            return Ok(self.already_deleted(&old, errand)?);
        }
        demand(condition, Some(&old))?;
        self.may_delete(&old).await?;
        let change = deletion(&old, &self.marking())?;
        self.conclude(permit, (change, Some(&old)), guards, &[], errand).await
    }

    /// Deleting twice is no mistake, and makes no version.
    fn already_deleted(&self, old: &Row, errand: &Errand) -> Result<Pending, Refusal> {
        let facts = &old.facts;
        let stored = Stored { key: facts.key.clone(), version: facts.version, updated: facts.updated, content: None };
        let entry = errand.visit.concluded(facts.patients.clone(), errand.visit.record.iter().cloned().collect());
        Ok(written(&stored, false, &errand.rendering, &[], &self.parts.base, None)?.owes(entry))
    }

    pub(super) async fn conditional_delete(
        &self,
        permit: &Permit,
        query: &SearchQuery,
        errand: &Errand,
    ) -> Result<Pending, Refusal> {
        until_settled!(self.try_conditional_delete(permit, query, errand).await)
    }

    async fn try_conditional_delete(&self, permit: &Permit, query: &SearchQuery, errand: &Errand) -> Result<Pending, Failed> {
        let selected = self.selected(permit, Need::Search, query).await?;
        let guard = selected.none_or_one(permit, query)?;
        // Nothing that the caller sees matches: nothing to delete, whether or not others match.
        let Some(found) = selected.rows.first() else {
            return Ok(Pending::nothing(errand.visit.concluded(Vec::new(), Vec::new())));
        };
        self.try_delete(permit, &found.facts.key, WriteCondition::None, vec![guard], errand).await
    }
}
