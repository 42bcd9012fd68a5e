//! Several nodes on one store: before a request is decided, its node knows of every change that any node acknowledged before.
//!
//! One look serves everybody who waits: a request is served by a look that began after the request came. So a node looks at most as often
//! as the round trip to the database allows, however many requests there are, and each waits for one look, or a little more than one.

use super::Gateway;
use crate::consent::Memberships;
use crate::fhir::{Refusal, ResourceType};
use crate::store::shared::{Epoch, Shared};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::Mutex;

/// How long a request may go on with what its node knew when it came, for all practical purposes.
const HEARD: Duration = Duration::from_secs(1);

/// What this node has heard.
pub(super) struct Freshness {
    shared: Option<Arc<dyn Shared>>,
    /// What is decided with, and so must be heard of.
    types: Vec<ResourceType>,
    asked: AtomicU64,
    looked: Mutex<Looked>,
}

struct Looked {
    epoch: Epoch,
    /// All requests up to this one are served by the last look.
    served: u64,
    /// How that went.
    well: bool,
}

impl Freshness {
    /// Where the store is now: what is read afterwards is at least as new.
    pub(super) async fn begin(shared: Option<Arc<dyn Shared>>) -> Result<Self, Refusal> {
        let epoch = match &shared {
            // Clients and keys were read before: the first request reads them once more.
            Some(shared) => Epoch { kept: -1, ..shared.look(&[], Epoch::default()).await?.epoch },
            None => Epoch::default(),
        };
        let types = Memberships::TYPES.into_iter().chain([ResourceType::Consent, ResourceType::SearchParameter]).collect();
        Ok(Self { shared, types, asked: AtomicU64::new(0), looked: Mutex::new(Looked { epoch, served: 0, well: true }) })
    }

    /// Until requests that other nodes decided before they could hear of something have most likely ended.
    pub(super) async fn let_others_hear(&self) {
        if self.shared.is_some() {
            tokio::time::sleep(HEARD).await;
        }
    }

    /// Whether this node does what only one should do.
    pub(super) fn leads(&self) -> bool {
        self.shared.as_ref().is_none_or(|shared| shared.leads())
    }
}

impl Gateway {
    /// Takes over what other nodes changed.
    ///
    /// # Errors
    /// [`Refusal::StoreUnavailable`] when that cannot be known: then nothing can be decided.
    pub(super) async fn freshen(&self) -> Result<(), Refusal> {
        let Some(shared) = &self.fresh.shared else { return Ok(()) };
        let mine = self.fresh.asked.fetch_add(1, Ordering::AcqRel) + 1;
        let mut looked = self.fresh.looked.lock().await;
        if looked.served < mine {
            let served = self.fresh.asked.load(Ordering::Acquire);
            let heard = self.hear(shared.as_ref(), looked.epoch).await;
            (looked.served, looked.well) = (served, heard.is_ok());
            looked.epoch = heard?;
        }
        if looked.well { Ok(()) } else { Err(Refusal::StoreUnavailable) }
    }

    async fn hear(&self, shared: &dyn Shared, seen: Epoch) -> Result<Epoch, Refusal> {
        let news = shared.look(&self.fresh.types, seen).await?;
        let (parameters, records): (Vec<_>, Vec<_>) =
            news.records.into_iter().partition(|row| row.facts.key.resource_type == ResourceType::SearchParameter);
        self.parts.consent.heard(records)?;
        if !parameters.is_empty() || news.epoch.kept != seen.kept {
            self.hear_of_parameters().await?;
        }
        if news.epoch.kept != seen.kept {
            let tokens = &self.parts.tokens;
            let now = self.parts.clock.now();
            let away = |error: &dyn std::fmt::Display| {
                tracing::error!(%error, "what another node changed could not be read");
                Refusal::StoreUnavailable
            };
            tokens.registry.refresh().await.map_err(|error| away(&error))?;
            tokens.keys.reload(tokens.registry.store(), now).await.map_err(|error| away(&error))?;
            tokens.registry.revocations().load(&tokens.state, now).await.map_err(|error| away(&error))?;
            self.parts.emergency.load(now).await?;
            self.parts.restrictions.load(now).await?;
            // Records behind that decisions are made with are not among the news themselves.
            if self.parts.store.shared().is_some() {
                self.parts.consent.reload(self.parts.store.as_ref()).await?;
            }
        }
        Ok(news.epoch)
    }
}
