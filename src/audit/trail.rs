//! The port to wherever the trail is kept.

use super::Entry;
use std::future::Future;
use std::pin::Pin;

/// Proof that an entry is durable. Nothing that holds record content leaves without one.
#[derive(Debug)]
pub struct Receipt {
    seq: i64,
}

impl Receipt {
    /// To be called by the keeper of the trail, when the disk has the entry.
    pub(crate) fn durable(seq: i64) -> Self {
        Self { seq }
    }

    /// The entry's place in the chain; 0 while it waits beside the database and has none yet.
    pub fn seq(&self) -> i64 {
        self.seq
    }
}

/// The trail could not be written. The caller gets 503 and no content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the trail cannot be written")]
pub struct TrailError;

/// Where entries go.
pub trait Trail: Send + Sync {
    /// Makes an entry durable. Calls that wait at the same moment share one commit.
    fn append(&self, entry: Entry) -> Pin<Box<dyn Future<Output = Result<Receipt, TrailError>> + Send + '_>>;

    /// How many entries are durable and not yet in the chain, because the database does not take them.
    fn waiting(&self) -> usize {
        0
    }
}

/// An entry as the trail holds it.
#[derive(Debug, Clone)]
pub struct TrailRow {
    /// Its place in the chain.
    pub seq: i64,
    /// What it says.
    pub entry: Entry,
}

/// A future of the trail's ports.
pub type Trailing<'a, T> = Pin<Box<dyn Future<Output = Result<T, TrailError>> + Send + 'a>>;

/// The trail, read back.
pub trait TrailSource: Send + Sync {
    /// At most `limit` entries behind `after`, in order.
    fn entries(&self, after: i64, limit: u32) -> Trailing<'_, Vec<TrailRow>>;

    /// The place of the last entry; 0 when there is none.
    fn head(&self) -> Trailing<'_, i64>;

    /// Up to which entry AuditEvents have been made.
    fn shown(&self) -> Trailing<'_, i64>;

    /// Notes that they have been made up to here.
    fn mark_shown(&self, seq: i64) -> Trailing<'_, ()>;
}
