//! JSON Patch (<https://hl7.org/fhir/R4/http.html#patch>).

use super::write::{Failed, until_settled};
use super::{Errand, Gateway};
use crate::access::Permit;
use crate::disclosure::{Guard, Pending, patched};
use crate::fhir::search::SearchQuery;
use crate::fhir::{Key, Need, Refusal, WriteCondition};

impl Gateway {
    pub(super) async fn patch(
        &self,
        permit: &Permit,
        key: &Key,
        condition: WriteCondition,
        errand: &Errand,
    ) -> Result<Pending, Refusal> {
        until_settled!(self.try_patch(permit, key, condition, Vec::new(), errand).await)
    }

    async fn try_patch(
        &self,
        permit: &Permit,
        key: &Key,
        condition: WriteCondition,
        mut guards: Vec<Guard>,
        errand: &Errand,
    ) -> Result<Pending, Failed> {
        let old = self.standing(permit, Need::Update, key, condition).await?;
        // A `test` could probe what is not shown, silent references among it.
        let hidden = self.hidden(permit, [&old]).await?;
        self.redaction().hiding(&hidden).demand_whole(permit, Need::Update, &old)?;
        let draft = self.resolved(permit, patched(&errand.body, &old)?, &mut guards).await?;
        let warnings = self.directed(permit, &draft, Some(&old), errand.visit.now)?;
        let change = draft.change(permit, Need::Update, key.clone(), Some(&old), &self.marking(), errand.visit.now)?;
        self.conclude(permit, (change, Some(&old)), guards, &warnings, errand).await
    }

    pub(super) async fn conditional_patch(
        &self,
        permit: &Permit,
        query: &SearchQuery,
        condition: WriteCondition,
        errand: &Errand,
    ) -> Result<Pending, Refusal> {
        until_settled!(self.try_conditional_patch(permit, query, condition, errand).await)
    }

    async fn try_conditional_patch(
        &self,
        permit: &Permit,
        query: &SearchQuery,
        condition: WriteCondition,
        errand: &Errand,
    ) -> Result<Pending, Failed> {
        let selected = self.selected(permit, Need::Search, query).await?;
        let guard = selected.none_or_one(permit, query)?;
        let found = selected.rows.first().ok_or(Refusal::NotFound)?;
        self.try_patch(permit, &found.facts.key, condition, vec![guard], errand).await
    }
}
