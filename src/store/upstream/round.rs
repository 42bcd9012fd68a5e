//! What one request remembers while it is answered.

use super::fault::Fault;
use crate::fhir::{Facts, Key};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// A record by itself: its facts, and the records with which it belongs.
pub(super) type Alone = Option<Arc<(Arc<Facts>, Vec<Key>)>>;

/// One request's own memory. Nothing in it outlives the request.
#[derive(Debug)]
pub(super) struct Round {
    /// The facts of live records, with what the records that they belong with say; `None` for those that are not there.
    pub(super) known: HashMap<Key, Option<Facts>>,
    /// The same, each by itself.
    alone: HashMap<Key, Alone>,
    /// Records looked at.
    pub(super) looked: usize,
    begun: Instant,
}

impl Default for Round {
    fn default() -> Self {
        Self { known: HashMap::new(), alone: HashMap::new(), looked: 0, begun: Instant::now() }
    }
}

impl Round {
    /// What was found under an address before.
    pub(super) fn found(&self, key: &Key) -> Option<Alone> {
        self.alone.get(key).cloned()
    }

    /// Remembers what is under an address, of so many at most.
    pub(super) fn remember(&mut self, key: &Key, alone: Alone, most: usize) -> Result<(), Fault> {
        if self.alone.len() >= most {
            return Err(Fault::Costly(TOO_MANY));
        }
        self.alone.insert(key.clone(), alone);
        Ok(())
    }

    /// Whether it has lasted so long already.
    pub(super) fn lasted(&self, limit: Duration) -> bool {
        self.begun.elapsed() >= limit
    }
}

const TOO_MANY: &str = "this depends on more other records than one request may look up; ask for less at a time";
