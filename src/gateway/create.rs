//! create, conditional create (<https://hl7.org/fhir/R4/http.html#create>).

use super::accounting::registered_source;
use super::write::{Failed, new_id, received_id, until_settled};
use super::{Errand, Gateway};
use crate::access::Permit;
use crate::disclosure::{Draft, Pending, found as existing};
use crate::fhir::search::SearchQuery;
use crate::fhir::{Key, Need, Refusal, ResourceType};

impl Gateway {
    pub(super) async fn create(
        &self,
        permit: &Permit,
        resource_type: ResourceType,
        condition: Option<&SearchQuery>,
        errand: &Errand,
    ) -> Result<Pending, Refusal> {
        until_settled!(self.try_create(permit, resource_type, condition, errand).await)
    }

    async fn try_create(
        &self,
        permit: &Permit,
        resource_type: ResourceType,
        condition: Option<&SearchQuery>,
        errand: &Errand,
    ) -> Result<Pending, Failed> {
        let (mut guards, mut fresh) = (Vec::new(), new_id());
        if let Some(condition) = condition {
            let selected = self.selected(permit, Need::Search, condition).await?;
            if let [found] = selected.rows.as_slice() {
                let hidden = self.hidden(permit, [found]).await?;
                return Ok(existing(permit, found, &errand.rendering, &errand.visit, &self.redaction().hiding(&hidden))?);
            }
            guards.push(selected.none_or_one(permit, condition)?);
            fresh = selected.id();
        }
        // What others report of themselves is kept apart from what this gateway saw: by its id, which is none of an entry.
        let id = if resource_type == ResourceType::AuditEvent {
            registered_source(permit.caller())?;
            received_id()
        } else {
            fresh
        };
        let draft = Draft::read(&errand.body, resource_type, None)?;
        let draft = self.resolved(permit, draft, &mut guards).await?;
        let warnings = self.directed(permit, &draft, None, errand.visit.now)?;
        let change = draft.change(permit, Need::Create, Key::new(resource_type, id), None, &self.marking(), errand.visit.now)?;
        self.conclude(permit, (change, None), guards, &warnings, errand).await
    }
}
