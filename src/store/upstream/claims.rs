//! Records that were written a moment ago, by their identifiers. A server that answers searches from a cache or an index that lags
//! behind does not find them yet; by their address they are there.

use super::locks::Identity;
use crate::fhir::Key;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// How long a search may lag behind.
const LAG: Duration = Duration::from_mins(10);
/// How many are remembered.
const MOST: usize = 100_000;

/// What was written lately.
#[derive(Debug, Default)]
pub(super) struct Claims(Mutex<HashMap<Identity, Vec<(Key, Instant)>>>);

impl Claims {
    fn all(&self) -> MutexGuard<'_, HashMap<Identity, Vec<(Key, Instant)>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers a record by its identifiers.
    pub(super) fn note(&self, key: &Key, identities: Vec<Identity>) {
        let now = Instant::now();
        let mut all = self.all();
        if all.len() >= MOST {
            all.retain(|_, claims| {
                claims.retain(|(_, at)| now.duration_since(*at) < LAG);
                !claims.is_empty()
            });
        }
        for identity in identities {
            let claims = all.entry(identity).or_default();
            claims.retain(|(other, at)| other != key && now.duration_since(*at) < LAG);
            claims.push((key.clone(), now));
        }
    }

    /// The records that may go by one of these.
    pub(super) fn of(&self, identities: &[Identity]) -> Vec<Key> {
        let now = Instant::now();
        let all = self.all();
        let claims = identities.iter().filter_map(|identity| all.get(identity)).flatten();
        claims.filter(|(_, at)| now.duration_since(*at) < LAG).map(|(key, _)| key.clone()).collect()
    }
}
