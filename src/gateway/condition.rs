//! Conditions: what a search selects before a change, within what the caller sees, and again inside the commit.

use super::Gateway;
use super::write::new_id;
use crate::access::Permit;
use crate::disclosure::{Guard, Row};
use crate::fhir::search::SearchQuery;
use crate::fhir::{Id, Need, Refusal};

/// What a condition selected; two rows stand for several.
pub(super) struct Selected {
    pub(super) rows: Vec<Row>,
    need: Need,
    /// Under what a record was begun that it does not select yet.
    begun: Option<Id>,
}

impl Gateway {
    pub(super) async fn selected(&self, permit: &Permit, need: Need, condition: &SearchQuery) -> Result<Selected, Refusal> {
        let rows = self.parts.store.select(permit, need, condition, 2).await?;
        let begun = if rows.is_empty() { self.parts.store.begun(condition).await? } else { None };
        Ok(Selected { rows, need, begun })
    }
}

impl Selected {
    /// The id of the record that is made where none was selected.
    pub(super) fn id(&self) -> Id {
        self.begun.clone().unwrap_or_else(new_id)
    }

    /// The guard that makes the change depend on the same selection.
    ///
    /// # Errors
    /// [`Refusal::SeveralMatch`]
    pub(super) fn none_or_one(&self, permit: &Permit, condition: &SearchQuery) -> Result<Guard, Refusal> {
        if self.rows.len() > 1 {
            return Err(Refusal::SeveralMatch);
        }
        let selected = self.rows.iter().map(|row| row.facts.key.clone()).collect();
        Ok(Guard { permit: permit.clone(), need: self.need, query: condition.clone(), selected })
    }
}
