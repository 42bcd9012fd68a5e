//! The registered clients, with a snapshot in memory for every request and the keys of each for its assertions.

use super::client::{Client, ClientKeys};
use super::communities::Communities;
use super::revocations::Revocations;
use super::store::{ClientStore, ClientStoreError};
use crate::fhir::Instant;
use crate::identity::{FirstUse, Freshness, KeyCache, KeysAt, KeysFault, Reach, Registration, Registrations, Unkept};
use arc_swap::ArcSwap;
use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use tokio::sync::Mutex;

/// A client that is not in the snapshot leads to at most one look at the store in this many seconds.
const LOOK_INTERVAL: i64 = 1;

type Snapshot = HashMap<(String, String), Arc<Registration>>;

/// The clients.
pub struct Registry {
    store: Arc<dyn ClientStore>,
    /// The name of this gateway as an issuer.
    issuer: String,
    /// Which hosts the `jwks_uri` of a client may lead to that the operator registered; that of any other only to public ones.
    reach: Reach,
    /// Authorities of the certificates there, where those of the web are not enough.
    authorities: Option<PathBuf>,
    snapshot: ArcSwap<Snapshot>,
    /// Origins of the pages of browser apps.
    origins: ArcSwap<HashSet<String>>,
    revocations: Arc<Revocations>,
    communities: Arc<Communities>,
    generation: AtomicU64,
    looked: AtomicI64,
    /// One at a time takes a snapshot: one that was begun earlier must not end later, with clients as they were.
    refreshing: Mutex<()>,
    /// By `jwks_uri` and how far it may lead.
    addresses: Mutex<HashMap<(String, Reach), Arc<KeyCache>>>,
}

impl Registry {
    /// The registry over a store. The snapshot is empty until the first [`Registry::refresh`].
    pub fn new(store: Arc<dyn ClientStore>, issuer: &str, reach: Reach) -> Self {
        Self {
            store,
            issuer: issuer.to_owned(),
            reach,
            authorities: None,
            snapshot: ArcSwap::default(),
            origins: ArcSwap::default(),
            revocations: Arc::default(),
            communities: Arc::default(),
            generation: AtomicU64::new(0),
            looked: AtomicI64::new(i64::MIN),
            refreshing: Mutex::default(),
            addresses: Mutex::default(),
        }
    }

    /// Where the clients are kept.
    pub fn store(&self) -> &dyn ClientStore {
        self.store.as_ref()
    }

    /// Trusting these certificates (PEM) at the key addresses of clients.
    #[must_use]
    pub fn trusting(self, authorities: Option<PathBuf>) -> Self {
        Self { authorities, ..self }
    }

    /// Where the `jwks_uri` of a client that the operator registers may lead.
    pub fn reach(&self) -> Reach {
        self.reach
    }

    /// The trust communities whose members may be clients.
    pub fn communities(&self) -> &Arc<Communities> {
        &self.communities
    }

    /// With these trust communities.
    #[must_use]
    pub fn with_communities(self, communities: Arc<Communities>) -> Self {
        Self { communities, ..self }
    }

    /// What counts no more.
    pub fn revocations(&self) -> &Arc<Revocations> {
        &self.revocations
    }

    /// Is this the origin of a page of a registered app?
    pub fn knows_origin(&self, origin: &str) -> bool {
        self.origins.load().contains(origin)
    }

    /// Takes a new snapshot. Called every few seconds, it bounds how long the tokens of a client live on after it was disabled
    /// by another process.
    ///
    /// # Errors
    /// [`ClientStoreError`]; the last snapshot stays.
    pub async fn refresh(&self) -> Result<(), ClientStoreError> {
        let _refreshing = self.refreshing.lock().await;
        let issuer = |client: &Client| client.issuer.clone().unwrap_or_else(|| self.issuer.clone());
        let clients = self.store.list().await?;
        let snapshot: Snapshot =
            clients.iter().map(|client| ((issuer(client), client.id.clone()), Arc::new(client.registration()))).collect();
        let apps = clients.iter().filter(|client| client.is_out().is_none());
        let origins: HashSet<String> = apps.flat_map(Client::origins).collect();
        if **self.origins.load() != origins {
            self.origins.store(Arc::new(origins));
        }
        if *self.snapshot.load_full() != snapshot {
            self.snapshot.store(Arc::new(snapshot));
            self.generation.fetch_add(1, Ordering::AcqRel);
        }
        Ok(())
    }

    /// Locks a client out or lets it in again, at once on this node.
    ///
    /// # Errors
    /// [`ClientStoreError`]
    pub async fn set_disabled(&self, id: &str, disabled: bool) -> Result<bool, ClientStoreError> {
        let found = self.store.set_disabled(id, disabled).await?;
        self.refresh().await?;
        Ok(found)
    }

    /// A client of this gateway itself, as the store has it now.
    ///
    /// # Errors
    /// [`ClientStoreError`]
    pub async fn client(&self, id: &str) -> Result<Option<Client>, ClientStoreError> {
        Ok(self.store.find(id).await?.filter(|client| client.issuer.is_none()))
    }

    /// The keys of a client.
    ///
    /// # Errors
    /// [`KeysFault`] when it has none, or an address that may not be fetched.
    pub(super) async fn keys(&self, client: &Client) -> Result<Arc<KeyCache>, KeysFault> {
        match &client.keys {
            ClientKeys::None => Err(KeysFault::Missing),
            ClientKeys::Jwks(set) => KeyCache::new(&KeysAt::Inline(set.to_string()), Freshness::CLIENT).map(Arc::new),
            ClientKeys::JwksUri(url) => {
                let reach = if client.enrolled.is_some() { Reach::Public } else { self.reach };
                let place = (url.clone(), reach);
                let mut addresses = self.addresses.lock().await;
                if let Some(known) = addresses.get(&place) {
                    return Ok(Arc::clone(known));
                }
                let authorities = self.authorities.clone();
                let at = KeysAt::Address { url: url.clone(), reach, authorities };
                let cache = Arc::new(KeyCache::new(&at, Freshness::CLIENT)?);
                addresses.insert(place, Arc::clone(&cache));
                Ok(cache)
            }
        }
    }
}

impl Registrations for Registry {
    fn find(&self, issuer: &str, client: &str) -> Option<Arc<Registration>> {
        self.snapshot.load().get(&(issuer.to_owned(), client.to_owned())).cloned()
    }

    fn is_revoked(&self, name: &str) -> bool {
        self.revocations.holds(name)
    }

    fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    fn use_once<'a>(&'a self, by: &'a str, name: &'a str, until: Instant, now: Instant) -> FirstUse<'a> {
        Box::pin(async move {
            self.store.remember_jti(by, name, until, now).await.map_err(|fault| {
                tracing::error!(%fault, "the use of a proof could not be kept");
                Unkept
            })
        })
    }

    fn look_again<'a>(&'a self, _: &'a str, now: Instant) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>> {
        Box::pin(async move {
            let last = self.looked.load(Ordering::Acquire);
            let rested = now.0.saturating_sub(last) >= LOOK_INTERVAL * 1000;
            let mine = rested && self.looked.compare_exchange(last, now.0, Ordering::AcqRel, Ordering::Acquire).is_ok();
            if mine && let Err(fault) = self.refresh().await {
                tracing::warn!(%fault, "the clients could not be read");
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::smart::memory::Memory;

    #[tokio::test]
    async fn a_look_that_began_before_a_change_does_not_undo_it() {
        let store = Arc::new(Memory::default());
        let slow = store.hold_next_list();
        let registry = Arc::new(Registry::new(Arc::clone(&store) as Arc<dyn ClientStore>, "https://own", Reach::Public));
        let look = |registry: &Arc<Registry>| {
            tokio::spawn({
                let registry = Arc::clone(registry);
                async move { registry.refresh().await }
            })
        };
        let earlier = look(&registry);
        tokio::task::yield_now().await;
        let client = Client::backend("c1", "Lab", ClientKeys::None, "system/*.rs");
        assert!(store.add(client, Instant(0)).await.unwrap());
        let later = look(&registry);
        tokio::task::yield_now().await;
        slow.send(()).unwrap();
        for look in [earlier, later] {
            look.await.unwrap().unwrap();
        }
        assert!(registry.find("https://own", "c1").is_some(), "what was read first is not kept last");
    }
}
