//! What the gateways before one server share of their writes: whose turn it is, and under which id a record was begun. Both are kept in the
//! ledger, so that they hold across nodes and outlive a crash.
//!
//! A turn is a lease: it ends by itself when its holder dies. A holder that is merely late has not the last word either, since what it
//! makes is begun under an id that whoever comes after takes over.

use super::fault::Fault;
use super::locks::{Identity, Name, Wishes};
use crate::fhir::{Key, ResourceType};
use crate::store::{Answering, StoreError};
use aws_lc_rs::hmac;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep};

/// How long a turn lasts by itself.
const LEASE: Duration = Duration::from_secs(15);
/// How often its holder makes it last on.
const RENEWED: Duration = Duration::from_secs(5);
/// Between two looks of somebody who waits, at most.
const LOOK_MILLIS: u64 = 60;

/// What a writer wants to itself.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Records and identifiers as keyed hashes, each with the type of its records.
    pub names: Vec<(ResourceType, Vec<u8>)>,
    /// Types of which nobody else may write anything meanwhile, each under a name of its own.
    pub alone: Vec<(ResourceType, Vec<u8>)>,
}

/// A record whose writing was begun.
#[derive(Debug, Clone)]
pub struct Begun {
    /// Its address.
    pub key: Key,
    /// When, by the ledger's clock, in milliseconds since 1970.
    pub at: i64,
    /// How long ago, by the same clock.
    pub age: Duration,
}

/// Where turns and beginnings are kept.
pub trait TurnLedger: Send + Sync {
    /// Takes all that is wanted for a holder, or nothing: then it gives the time after which what stands in the way ends by itself.
    fn take(&self, holder: String, wanted: Wanted, lease: Duration) -> Answering<'_, Option<Duration>>;

    /// Makes what a holder has last for so long from now.
    fn renew(&self, holder: String, lease: Duration) -> Answering<'_, ()>;

    /// Lets go of everything that a holder has.
    fn leave(&self, holder: String) -> Answering<'_, ()>;

    /// Remembers for a day that these records are about to be written, each under a name.
    fn begin(&self, records: Vec<(Vec<u8>, Key)>) -> Answering<'_, ()>;

    /// Tells the other nodes that records have changed that decisions are made with.
    fn tell(&self) -> Answering<'_, ()>;

    /// The records that were begun under one of these names.
    fn begun(&self, names: Vec<Vec<u8>>) -> Answering<'_, Vec<Key>>;

    /// The records that were begun under this name, with the times.
    fn begun_when(&self, name: Vec<u8>) -> Answering<'_, Vec<Begun>>;
}

/// The way to them.
pub(super) struct Turns {
    ledger: Arc<dyn TurnLedger>,
    /// Whether other nodes write too.
    shared: bool,
    secret: hmac::Key,
    /// How long a writer waits for its turn.
    queue: Duration,
}

/// A turn, until it is dropped.
pub(super) struct Turn {
    ledger: Arc<dyn TurnLedger>,
    holder: String,
    renewing: AbortHandle,
}

impl Turns {
    pub(super) fn new(ledger: Arc<dyn TurnLedger>, shared: bool, secret: &[u8], queue: Duration) -> Self {
        Self { ledger, shared, secret: hmac::Key::new(hmac::HMAC_SHA256, secret), queue }
    }

    /// Waits for a turn among the nodes; `None` when there is only this one.
    pub(super) async fn take(&self, wishes: &Wishes) -> Result<Option<Turn>, Fault> {
        if !self.shared {
            return Ok(None);
        }
        let (holder, wanted) = (uuid::Uuid::new_v4().to_string(), self.wanted(wishes));
        let end = Instant::now() + self.queue;
        while let Some(left) = self.ledger.take(holder.clone(), wanted.clone(), LEASE).await? {
            if Instant::now() >= end {
                let seconds = u32::try_from(left.as_secs()).unwrap_or(u32::MAX).saturating_add(1);
                return Err(Fault::Busy(seconds));
            }
            let jitter = uuid::Uuid::new_v4().as_u128() % u128::from(LOOK_MILLIS);
            sleep(Duration::from_millis(u64::try_from(jitter).unwrap_or(0) + 1)).await;
        }
        let renewing = tokio::spawn(renewed(Arc::clone(&self.ledger), holder.clone())).abort_handle();
        Ok(Some(Turn { ledger: Arc::clone(&self.ledger), holder, renewing }))
    }

    fn wanted(&self, wishes: &Wishes) -> Wanted {
        let names = wishes.names.iter().map(|name| (name.of(), self.hashed(&told(name)))).collect();
        let alone = wishes.types.iter().filter(|(_, alone)| **alone);
        Wanted { names, alone: alone.map(|(of, _)| (*of, self.hashed(&["type", of.name()]))).collect() }
    }

    fn hashed(&self, parts: &[&str]) -> Vec<u8> {
        let mut context = hmac::Context::with_key(&self.secret);
        for part in parts {
            context.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            context.update(part.as_bytes());
        }
        context.sign().as_ref().to_vec()
    }

    fn name(&self, identity: &Identity) -> Vec<u8> {
        let (of, system, value) = identity;
        self.hashed(&["identifier", of.name(), system, value])
    }

    /// Remembers, before anything is sent, that these records are begun under their identifiers.
    pub(super) async fn begin(&self, records: Vec<(Identity, Key)>) -> Result<(), StoreError> {
        if records.is_empty() {
            return Ok(());
        }
        self.ledger.begin(records.into_iter().map(|(identity, key)| (self.name(&identity), key)).collect()).await
    }

    /// Remembers that these records are written, with which decisions are made: whoever reads them all from a server whose searches lag looks
    /// these up by their addresses. Told before the write, in case that nobody hears of its end, and after it, since somebody may have looked
    /// in between.
    pub(super) async fn decide(&self, keys: Vec<Key>) -> Result<(), StoreError> {
        if keys.is_empty() {
            return Ok(());
        }
        self.ledger.begin(keys.into_iter().map(|key| (self.hashed(&["decides", key.resource_type.name()]), key)).collect()).await
    }

    /// What was written lately of a type that decisions are made with.
    pub(super) async fn decided(&self, of: ResourceType) -> Result<Vec<Begun>, StoreError> {
        self.ledger.begun_when(self.hashed(&["decides", of.name()])).await
    }

    /// Lets the other nodes read again what decisions are made with, before anybody hears of the change.
    pub(super) async fn tell(&self) -> Result<(), StoreError> {
        if self.shared { self.ledger.tell().await } else { Ok(()) }
    }

    /// The records that may go by one of these, whether a search finds them or not.
    pub(super) async fn begun(&self, identities: &[Identity]) -> Result<Vec<Key>, StoreError> {
        if identities.is_empty() {
            return Ok(Vec::new());
        }
        self.ledger.begun(identities.iter().map(|identity| self.name(identity)).collect()).await
    }
}

fn told(name: &Name) -> [&str; 4] {
    match name {
        Name::Record(key) => ["record", key.resource_type.name(), key.id.as_str(), ""],
        Name::Identity((of, system, value)) => ["identifier", of.name(), system, value],
    }
}

async fn renewed(ledger: Arc<dyn TurnLedger>, holder: String) {
    loop {
        sleep(RENEWED).await;
        if let Err(error) = ledger.renew(holder.clone(), LEASE).await {
            tracing::warn!(%error, "a turn to write could not be made to last");
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.renewing.abort();
        let (ledger, holder) = (Arc::clone(&self.ledger), std::mem::take(&mut self.holder));
        // Without a runtime the process is ending, and the lease with it.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            drop(runtime.spawn(async move {
                if let Err(error) = ledger.leave(holder).await {
                    tracing::warn!(%error, "a turn to write could not be given back, and ends by itself");
                }
            }));
        }
    }
}
