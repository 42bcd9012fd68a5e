//! The reads of a transaction: one that would fail fails the whole, before anything is done (<https://hl7.org/fhir/R4/http.html#trules>).

use super::super::write::Failed;
use super::{Act, Gateway, Plan, Step, at_entry};
use crate::disclosure::{Change, Row};
use crate::fhir::{Instant, Interaction, Key, Need, Refusal};
use std::collections::HashMap;

impl Gateway {
    /// Demands that what is read by its address will be there.
    pub(super) async fn demand_readable(&self, steps: &[Step], plan: &Plan, now: Instant) -> Result<(), Failed> {
        let reads: Vec<(usize, &Step)> = steps.iter().enumerate().filter(|(_, step)| matches!(step.act, Act::Read)).collect();
        if reads.is_empty() {
            return Ok(());
        }
        let changes: HashMap<&Key, &Change> = plan.changes.iter().map(|change| (&change.key, change)).collect();
        for (at, step) in reads {
            self.readable(step, &changes, now).await.map_err(|refusal| at_entry(refusal.into(), at))?;
        }
        Ok(())
    }

    async fn readable(&self, step: &Step, changes: &HashMap<&Key, &Change>, now: Instant) -> Result<(), Refusal> {
        let there = |row: Option<Row>| match row {
            None => Err(Refusal::NotFound),
            Some(row) if row.facts.deleted => Err(Refusal::Gone),
            Some(_) => Ok(()),
        };
        match step.permit.interaction() {
            Interaction::Read(key, _) => match changes.get(key) {
                Some(change) if change.content.is_none() => Err(Refusal::Gone),
                Some(_) => Ok(()),
                None => {
                    self.view_trail(key.resource_type).await?;
                    there(self.parts.store.read(&step.permit, Need::Read, key).await?)
                }
            },
            Interaction::Vread(key, version) => match changes.get(key).map(|change| change.facts(now)) {
                Some(facts) if facts.version == *version => {
                    if facts.deleted {
                        Err(Refusal::Gone)
                    } else {
                        Ok(())
                    }
                }
                _ => {
                    self.view_trail(key.resource_type).await?;
                    there(self.parts.store.vread(&step.permit, key, *version).await?)
                }
            },
            _ => Ok(()),
        }
    }
}
