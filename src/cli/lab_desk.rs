//! The calls of `amanat lab` into the gateway.

use super::desk::{Desk, refused};
use super::screen::Failure;
use crate::gateway::Queued;
use crate::store::lab::{Correction, Listing};

impl Desk {
    /// Messages in the inbox.
    pub(super) async fn lab_queue(&self, listing: Listing) -> Result<Vec<Queued>, Failure> {
        self.gateway().lab_queue(listing).await.map_err(|refusal| refused(&refusal))
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
