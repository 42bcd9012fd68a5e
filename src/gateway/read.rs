//! read and vread (<https://hl7.org/fhir/R4/http.html#read>).

use super::{Errand, Gateway};
use crate::access::Permit;
use crate::disclosure::{Pending, show};
use crate::fhir::{Key, Need, ReadConditions, Refusal, Version};

impl Gateway {
    pub(super) async fn read(
        &self,
        permit: &Permit,
        key: &Key,
        conditions: ReadConditions,
        errand: &Errand,
    ) -> Result<Pending, Refusal> {
        self.view_trail(key.resource_type).await?;
        let row = self.parts.store.read(permit, Need::Read, key).await?.ok_or(Refusal::NotFound)?;
        let hidden = self.hidden(permit, [&row]).await?;
        show(permit, &row, conditions, &errand.rendering, &errand.visit, &self.redaction().hiding(&hidden))
    }

    pub(super) async fn vread(&self, permit: &Permit, key: &Key, version: Version, errand: &Errand) -> Result<Pending, Refusal> {
        self.view_trail(key.resource_type).await?;
        let row = self.parts.store.vread(permit, key, version).await?.ok_or(Refusal::NotFound)?;
        let hidden = self.hidden(permit, [&row]).await?;
        let redaction = self.redaction().hiding(&hidden);
        show(permit, &row, ReadConditions::default(), &errand.rendering, &errand.visit, &redaction)
    }
}
