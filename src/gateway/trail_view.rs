//! The trail, readable as AuditEvent: entries are turned into records when an auditor asks, never on anybody else's time.

use super::Gateway;
use crate::audit::{TrailRow, audit_events};
use crate::disclosure::{Change, Commit, own_record};
use crate::fhir::{Key, Refusal, ResourceType};
use crate::store::CommitError;

/// Entries taken over at once.
const BATCH: u32 = 500;

impl Gateway {
    /// Brings the AuditEvents up to the head of the trail, when they are what is asked for.
    pub(super) async fn view_trail(&self, resource_type: ResourceType) -> Result<(), Refusal> {
        if resource_type != ResourceType::AuditEvent {
            return Ok(());
        }
        let mut shown = self.shown.lock().await;
        loop {
            let rows = self.parts.ledger.entries(*shown, BATCH).await.map_err(|_| Refusal::TrailUnavailable)?;
            let Some(last) = rows.last().map(|row| row.seq) else { return Ok(()) };
            self.take_in(&rows).await?;
            self.parts.ledger.mark_shown(last).await.map_err(|_| Refusal::TrailUnavailable)?;
            *shown = last;
        }
    }

    /// Stores the AuditEvents of these entries, but for those that an interrupted run stored already.
    async fn take_in(&self, rows: &[TrailRow]) -> Result<(), Refusal> {
        let mut changes = Vec::new();
        for row in rows {
            for (id, document) in audit_events(row.seq, &row.entry, &self.parts.site) {
                let key = Key::new(ResourceType::AuditEvent, id);
                changes.push(own_record(key, &document, &self.parts.labelling, &self.parts.base)?);
            }
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
            Err(CommitError::Stale) => Err(Refusal::Conflict),
            Err(CommitError::Trail) => Err(Refusal::TrailUnavailable),
            Err(CommitError::Unavailable(reason)) => {
                tracing::error!(reason, "the record store failed");
                Err(Refusal::StoreUnavailable)
            }
        }
    }
}
