//! The calls of `amanat lab` into the gateway.

use super::desk::{Desk, refused};
use super::screen::Failure;
use crate::gateway::{Queued, is_overdue};
use crate::store::lab::{Correction, Listing};

impl Desk {
    /// Messages in the inbox.
    pub(super) async fn lab_queue(&self, listing: Listing) -> Result<Vec<Queued>, Failure> {
        self.gateway().lab_queue(listing).await.map_err(|refusal| refused(&refusal))
    }

    /// What waits for longer than it should: state, how many, and for how many seconds the oldest.
    pub(super) async fn lab_waiting(&self) -> Result<Vec<(&'static str, u64, i64)>, Failure> {
        let counts = self.gateway().lab_counts().await.map_err(|refusal| refused(&refusal))?;
        let overdue = counts.into_iter().filter(|(state, _, age)| is_overdue(*state, *age));
        Ok(overdue.map(|(state, count, age)| (state.word(), count, age)).collect())
    }

    /// One of them, with its text.
    pub(super) async fn lab_message(&self, id: &str, by: &str) -> Result<(Queued, String), Failure> {
        self.gateway().lab_message(id, by).await.map_err(|refusal| refused(&refusal))
    }

    /// Decides about one of them.
    pub(super) async fn lab_correct(&self, id: &str, correction: Correction) -> Result<Queued, Failure> {
        self.gateway().lab_correct(id, correction).await.map_err(|refusal| refused(&refusal))
    }
}
