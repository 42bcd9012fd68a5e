//! The trail in the ledger.

use super::SqlStore;
use super::statement::Statement;
use crate::audit::{self, Entry, Leaf, Receipt, Trail, TrailError, TrailSource, Trailing};
use crate::fhir::Instant;
use crate::store::StoreError;
use diesel::sql_types::{BigInt, Binary};
use std::future::Future;
use std::pin::Pin;

/// An entry as it stands in the trail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrailRow {
    /// Its number; the first is 1, none is left out.
    pub seq: i64,
    /// When it was recorded.
    pub recorded: Instant,
    /// Its written form.
    pub leaf: Vec<u8>,
    /// The head of the chain after it.
    pub hash: Vec<u8>,
}

type Columns = (BigInt, BigInt, Binary, Binary);
type Values = (i64, i64, Vec<u8>, Vec<u8>);

fn row((seq, recorded, leaf, hash): Values) -> TrailRow {
    TrailRow { seq, recorded: Instant(recorded), leaf, hash }
}

impl Trail for SqlStore {
    fn append(&self, entry: Entry) -> Pin<Box<dyn Future<Output = Result<Receipt, TrailError>> + Send + '_>> {
        Box::pin(async move {
            self.ledger.enter(entry).await.map(Receipt::durable).map_err(|error| {
                tracing::error!(%error, "the trail cannot be written");
                TrailError
            })
        })
    }

    fn waiting(&self) -> usize {
        self.spooled()
    }
}

impl SqlStore {
    /// Entries from number `from` on, at most `limit`, in order.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn trail_entries(&self, from: i64, limit: u32) -> Result<Vec<TrailRow>, StoreError> {
        self.ledger
            .read(move |connection| {
                let statement = Statement::new("SELECT seq, recorded, leaf, hash FROM trail WHERE seq >= ? ORDER BY seq LIMIT ?");
                let rows = statement.bind(from).bind(i64::from(limit)).rows::<Columns, Values>(connection)?;
                Ok(rows.into_iter().map(row).collect())
            })
            .await
    }

    /// The last entry.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn trail_head(&self) -> Result<Option<TrailRow>, StoreError> {
        self.ledger
            .read(|connection| {
                let statement = Statement::new("SELECT seq, recorded, leaf, hash FROM trail ORDER BY seq DESC LIMIT 1");
                Ok(statement.row::<Columns, Values>(connection)?.map(row))
            })
            .await
    }
}

/// The setting that says up to which entry AuditEvents have been made.
const SHOWN: &str = "trail-shown";

fn lost(error: impl std::fmt::Display) -> TrailError {
    tracing::error!(%error, "the trail cannot be read");
    TrailError
}

impl TrailSource for SqlStore {
    fn entries(&self, after: i64, limit: u32) -> Trailing<'_, Vec<audit::TrailRow>> {
        Box::pin(async move {
            let rows = self.trail_entries(after.saturating_add(1), limit).await.map_err(lost)?;
            let read =
                rows.iter().map(|row| Ok(audit::TrailRow { seq: row.seq, entry: Leaf::decode(&row.leaf).map_err(lost)?.entry }));
            read.collect()
        })
    }

    fn head(&self) -> Trailing<'_, i64> {
        Box::pin(async move { Ok(self.trail_head().await.map_err(lost)?.map_or(0, |row| row.seq)) })
    }

    fn shown(&self) -> Trailing<'_, i64> {
        Box::pin(async move {
            let kept = self.setting(SHOWN).await.map_err(lost)?;
            Ok(kept.and_then(|bytes| bytes.try_into().ok()).map_or(0, i64::from_be_bytes))
        })
    }

    fn mark_shown(&self, seq: i64) -> Trailing<'_, ()> {
        Box::pin(async move { self.set_setting(SHOWN, seq.to_be_bytes().to_vec()).await.map_err(lost) })
    }
}
