//! What counts no more: names of authorizations and tokens, in memory as the store has them. Each is kept until the last access token
//! that it could concern has ended.

use super::state::{Kind, State, Stored};
use super::store::ClientStoreError;
use crate::fhir::Instant;
use arc_swap::ArcSwap;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::sync::Arc;
use tokio::sync::Mutex;

/// Seconds beyond the life of a token in which its end is remembered: leeway, and clocks of other nodes.
const MARGIN: i64 = 120;

/// Tokens of emergency access live longest: a day at most.
const LONGEST: i64 = 24 * 3600;

#[derive(Debug, Serialize, Deserialize)]
struct Revocation {
    /// Why, in one word, for the operator.
    why: String,
    /// When it may be forgotten, in milliseconds.
    ends: i64,
}

impl Stored for Revocation {
    const KIND: Kind = Kind::Revocation;

    fn owner(&self) -> &str {
        &self.why
    }

    fn expires(&self) -> Instant {
        Instant(self.ends)
    }
}

/// What is revoked.
#[derive(Default)]
pub struct Revocations {
    held: ArcSwap<HashSet<String>>,
    /// Held while store and memory are brought to the same state.
    changing: Mutex<()>,
}

impl Revocations {
    /// Does this authorization or token count no more?
    pub fn holds(&self, name: &str) -> bool {
        self.held.load().contains(name)
    }

    /// Revokes an authorization or a token: at once on this node, on others when they look next.
    ///
    /// # Errors
    /// [`ClientStoreError`]; then nothing is revoked.
    pub async fn revoke(&self, state: &State, name: &str, why: &str, now: Instant) -> Result<(), ClientStoreError> {
        let revocation = Revocation { why: why.to_owned(), ends: now.plus_seconds(LONGEST + MARGIN).0 };
        let _changing = self.changing.lock().await;
        state.add(name, &revocation, now).await?;
        self.held.rcu(|held| {
            let mut more = HashSet::clone(held);
            more.insert(name.to_owned());
            Arc::new(more)
        });
        Ok(())
    }

    /// Is it revoked in the store, whatever this node knows?
    ///
    /// # Errors
    /// [`ClientStoreError`]
    pub async fn is_stored(&self, state: &State, name: &str, now: Instant) -> Result<bool, ClientStoreError> {
        Ok(state.find::<Revocation>(name, now).await?.is_some())
    }

    /// Takes over what other nodes revoked, and forgets what no token is left of.
    ///
    /// # Errors
    /// [`ClientStoreError`]; what was known stays.
    pub async fn load(&self, state: &State, now: Instant) -> Result<(), ClientStoreError> {
        let _changing = self.changing.lock().await;
        let all = state.list::<Revocation>(None, now).await?;
        let all: HashSet<String> = all.into_iter().map(|held| held.id).collect();
        if **self.held.load() != all {
            self.held.store(Arc::new(all));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::smart::memory::Memory;

    const NOW: Instant = Instant(1_800_000_000_000);

    #[tokio::test]
    async fn what_one_node_revokes_another_knows_when_it_looks() {
        let state = State::new(Arc::new(Memory::default()));
        let (one, other) = (Revocations::default(), Revocations::default());
        one.revoke(&state, "a1", "test", NOW).await.unwrap();
        assert!(one.holds("a1") && !other.holds("a1"));
        assert!(other.is_stored(&state, "a1", NOW).await.unwrap());
        other.load(&state, NOW).await.unwrap();
        assert!(other.holds("a1"));
        other.load(&state, NOW.plus_seconds(LONGEST + MARGIN + 1)).await.unwrap();
        assert!(!other.holds("a1"), "no token of it is left");
    }
}
