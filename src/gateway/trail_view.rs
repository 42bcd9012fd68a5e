//! The trail, readable as AuditEvent.
//!
//! Turning an entry into a record costs far more than the read that it tells of, so it is done when there is time: in the background, a
//! little at once, and not at all while many requests come. What is still missing when an auditor asks is made up for then.

use super::Gateway;
use crate::audit::{TrailRow, audit_events};
use crate::disclosure::{Change, Commit, own_record};
use crate::fhir::{Key, Refusal, ResourceType};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Entries taken over at once for somebody who waits. Between two batches others may come first.
const BATCH: u32 = 500;
/// Entries taken over at once when nobody waits: the writer is held that much shorter.
const LITTLE: u32 = 100;
/// Entries made records before other work of the thread gets its turn.
const TURN: usize = 20;

/// How long the background rests when there is nothing to do, or no time to do it.
const REST: Duration = Duration::from_secs(1);
/// New entries in a second from which on there is no time.
const BUSY: f64 = 1_000.0;
/// New entries in a second up to which it is quiet.
const QUIET: f64 = 50.0;

impl Gateway {
    /// Brings the AuditEvents up to the head that the trail has now, when they are what is asked for: whoever asks sees every entry that
    /// was durable before.
    pub(super) async fn view_trail(&self, resource_type: ResourceType) -> Result<(), Refusal> {
        if resource_type != ResourceType::AuditEvent {
            return Ok(());
        }
        let head = self.parts.ledger.head().await.map_err(|_| Refusal::TrailUnavailable)?;
        loop {
            match self.follow(head, BATCH).await {
                Ok(true) => {}
                Ok(false) => return Ok(()),
                // Another node stored them meanwhile.
                Err(Refusal::Conflict) => tokio::task::yield_now().await,
                Err(refusal) => return Err(refusal),
            }
        }
    }

    /// Keeps the AuditEvents close behind the trail as long as the process serves. To be run beside the requests; it never ends.
    pub async fn follow_trail(&self) {
        let mut seen: Option<(Instant, i64)> = None;
        loop {
            if !self.fresh.leads() {
                sleep(REST).await;
                continue;
            }
            let Ok(head) = self.parts.ledger.head().await else {
                sleep(REST).await;
                continue;
            };
            let begun = Instant::now();
            let arriving = seen.map_or(f64::INFINITY, |(since, before)| rate(head.saturating_sub(before), begun - since));
            seen = Some((begun, head));
            let more = arriving < BUSY && self.follow(head, LITTLE).await.unwrap_or(false);
            sleep(if more { pause(arriving, begun.elapsed()) } else { REST }).await;
        }
    }

    /// Takes over the next entries, at most `most`. False when the AuditEvents have reached this entry of the trail.
    async fn follow(&self, head: i64, most: u32) -> Result<bool, Refusal> {
        let mut shown = self.shown.lock().await;
        if *shown >= head {
            return Ok(false);
        }
        // Another node may have been here.
        *shown = self.parts.ledger.shown().await.map_err(|_| Refusal::TrailUnavailable)?.max(*shown);
        if *shown >= head {
            return Ok(false);
        }
        let rows = self.parts.ledger.entries(*shown, most).await.map_err(|_| Refusal::TrailUnavailable)?;
        let Some(last) = rows.last().map(|row| row.seq) else { return Ok(false) };
        self.take_in(&rows).await?;
        self.parts.ledger.mark_shown(last).await.map_err(|_| Refusal::TrailUnavailable)?;
        *shown = last;
        Ok(last < head)
    }

    /// Stores the AuditEvents of these entries, but for those that an interrupted run stored already.
    async fn take_in(&self, rows: &[TrailRow]) -> Result<(), Refusal> {
        let mut changes = Vec::new();
        for some in rows.chunks(TURN) {
            for row in some {
                for (id, document) in audit_events(row.seq, &row.entry, &self.parts.site) {
                    let key = Key::new(ResourceType::AuditEvent, id);
                    changes.push(own_record(key, &document, &self.marking())?);
                }
            }
            tokio::task::yield_now().await;
        }
        let keys: Vec<Key> = changes.iter().map(|change| change.key.clone()).collect();
        let there = self.parts.store.versions(&keys).await?;
        let changes: Vec<Change> =
            changes.into_iter().zip(there).filter(|(_, there)| there.is_none()).map(|(change, _)| change).collect();
        if changes.is_empty() {
            return Ok(());
        }
        match self.parts.store.commit(Commit { guards: Vec::new(), changes, entries: Vec::new() }).await {
            Ok(_) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// How many came in a second.
#[expect(clippy::cast_precision_loss, reason = "entries between two looks are far below 2^52")]
fn rate(arrived: i64, within: Duration) -> f64 {
    arrived as f64 / within.as_secs_f64().max(0.001)
}

/// How long to rest after so much work: it takes a twentieth of the time while requests come, a quarter when it is quiet.
fn pause(arriving: f64, worked: Duration) -> Duration {
    let times = if arriving <= QUIET { 3 } else { 19 };
    worked.saturating_mul(times)
}

#[cfg(test)]
mod tests {
    use super::{BUSY, QUIET, pause, rate};
    use std::time::Duration;

    #[test]
    fn the_view_takes_a_twentieth_of_the_time_or_a_quarter_when_it_is_quiet() {
        let worked = Duration::from_millis(10);
        assert_eq!(pause(BUSY - 1.0, worked), Duration::from_millis(190));
        assert_eq!(pause(QUIET, worked), Duration::from_millis(30));
    }

    #[test]
    fn a_rate_is_counted_in_seconds() {
        let half = Duration::from_millis(500);
        assert!((rate(500, half) - 1_000.0).abs() < 1e-6);
        assert!(rate(0, Duration::ZERO) < QUIET && rate(1, Duration::ZERO) >= BUSY, "no time at all is a millisecond");
    }
}
