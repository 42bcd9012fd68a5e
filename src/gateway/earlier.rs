//! Records that an earlier release indexed: read again in the background, so that every search of this release finds them.

use super::Gateway;
use crate::disclosure::index_of;
use crate::fhir::search::EXTRACTION;
use crate::fhir::{Refusal, ResourceType};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Between two small commits, so that others get to write.
const PAUSE: Duration = Duration::from_millis(10);

/// After a failure, and while another node does it.
const AGAIN: Duration = Duration::from_secs(2);

/// How far the records have been read for what a release extracts.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Reached {
    /// [`EXTRACTION`] of the release that reads.
    extraction: i64,
    /// Types that are done, in the order of [`ResourceType::ALL`].
    types: usize,
    /// Within the next type, up to this place.
    place: i64,
    records: u64,
}

impl Gateway {
    /// Until the index is what this release makes of the records. One node does it.
    pub(super) async fn index_earlier(&self) {
        loop {
            match self.index_anew().await {
                Ok(()) => return,
                Err(_) => tokio::time::sleep(AGAIN).await,
            }
        }
    }

    /// Notes that no earlier release has indexed anything, when there is nothing yet: what is taken in from now on need not be read again.
    pub(crate) async fn index_begins(&self) -> Result<(), Refusal> {
        let store = &self.parts.store;
        if store.extraction_state().await?.is_some() || store.any_indexed().await? {
            return Ok(());
        }
        self.keep_reached(&Reached { extraction: EXTRACTION, types: ResourceType::ALL.len(), place: -1, records: 0 }).await
    }

    /// Goes on where an earlier run was ended.
    async fn index_anew(&self) -> Result<(), Refusal> {
        let mut reached = self.reached().await?;
        while let Some(of) = ResourceType::ALL.get(reached.types).copied() {
            if !self.fresh.leads() {
                return Err(Refusal::StoreUnavailable);
            }
            let rows = self.parts.store.records_after(of, reached.place).await?;
            let Some((last, _)) = rows.last() else {
                reached = Reached { types: reached.types + 1, place: -1, ..reached };
                if reached.types == ResourceType::ALL.len() {
                    self.keep_reached(&reached).await?;
                }
                continue;
            };
            reached.place = *last;
            reached.records += u64::try_from(rows.len()).unwrap_or(0);
            // A record whose content is damaged stays as it is.
            let read =
                |(place, row): &(i64, _)| index_of(row, &self.marking()).ok().map(|entries| (*place, row.facts.version, entries));
            self.parts.store.index_anew(rows.iter().filter_map(read).collect()).await?;
            self.keep_reached(&reached).await?;
            tracing::info!(resource_type = %of, records = reached.records, "records of an earlier release are being indexed");
            tokio::time::sleep(PAUSE).await;
        }
        Ok(())
    }

    async fn reached(&self) -> Result<Reached, Refusal> {
        let kept = self.parts.store.extraction_state().await?;
        let kept: Option<Reached> = kept.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let begin = Reached { extraction: EXTRACTION, place: -1, ..Reached::default() };
        Ok(kept.filter(|kept| kept.extraction == EXTRACTION).unwrap_or(begin))
    }

    async fn keep_reached(&self, reached: &Reached) -> Result<(), Refusal> {
        let state = serde_json::to_vec(reached).map_err(|_| Refusal::Internal)?;
        Ok(self.parts.store.keep_extraction_state(state).await?)
    }
}
