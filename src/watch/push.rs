//! Checkpoints off the host: each receiver from its own position, and an alarm when one has had none for too long.

use super::target::{Parcel, Receiver};
use crate::clock::Clock;
use crate::store::evidence::{EvidenceStore, Position};
use std::sync::Arc;

/// Checkpoints sent at once.
const BATCH: u32 = 100;

/// Sends checkpoints to one receiver.
pub(super) struct Pusher {
    store: Arc<dyn EvidenceStore>,
    clock: Clock,
    name: String,
    receiver: Receiver,
    /// When it first failed since it last succeeded, in milliseconds.
    failing: Option<i64>,
}

impl Pusher {
    /// To this receiver; `name` is what its position is kept under.
    pub(super) fn new(store: Arc<dyn EvidenceStore>, clock: &Clock, name: String, receiver: Receiver) -> Self {
        Self { store, clock: clock.clone(), name, receiver, failing: None }
    }

    /// Which receiver.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Sends what it has not had. Gives for how many seconds something has waited in vain.
    pub(super) async fn push(&mut self) -> i64 {
        let now = self.clock.now().0;
        match self.attempt().await {
            Ok(()) => {
                self.failing = None;
                0
            }
            Err(error) => {
                let since = *self.failing.get_or_insert(now);
                if since == now {
                    tracing::warn!(code = "AMANAT-TRAIL-0003", receiver = self.name, error, "a checkpoint could not be pushed");
                }
                now.saturating_sub(since) / 1_000
            }
        }
    }

    async fn attempt(&mut self) -> Result<(), String> {
        loop {
            let at = self.store.position(&self.name).await.map_err(|error| error.to_string())?;
            let waiting = self.store.checkpoints(at.position, BATCH).await.map_err(|error| error.to_string())?;
            let Some(last) = waiting.last().map(|kept| kept.size) else { return Ok(()) };
            let body = waiting.iter().fold(String::new(), |body, kept| body + &kept.note + "\n");
            let messages = waiting.iter().map(|kept| super::lines::checkpoint(&kept.note, kept.made)).collect();
            let parcel = Parcel { media_type: "text/plain; charset=utf-8", body, messages, ..Parcel::default() };
            self.receiver.send(parcel).await?;
            let done = Position { position: last, at: self.clock.now().0 };
            self.store.advance(&self.name, done).await.map_err(|error| error.to_string())?;
        }
    }
}
