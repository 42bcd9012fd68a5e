//! The gateway's own signing keys: one signs, all that are kept verify.

use super::keys::{KeyFault, SigningKey, key_set, key_set_text};
use super::store::{ClientStore, ClientStoreError, StoredKey};
use crate::fhir::Instant;
use crate::identity::PublishedKeys;
use arc_swap::ArcSwap;
use std::sync::Arc;

/// The keys cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyRingFault {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] ClientStoreError),
    /// A key failed.
    #[error(transparent)]
    Key(#[from] KeyFault),
}

/// The signing keys, as they were when they were last loaded.
pub struct KeyRing {
    held: ArcSwap<Held>,
    published: Arc<PublishedKeys>,
}

struct Held {
    signing: Arc<SigningKey>,
    text: String,
}

impl KeyRing {
    /// Loads the keys, and makes the first one when there is none.
    ///
    /// # Errors
    /// [`KeyRingFault`]
    pub async fn open(store: &dyn ClientStore, now: Instant) -> Result<Self, KeyRingFault> {
        if store.signing_keys().await?.iter().all(|key| key.retired.is_some()) {
            let (key, private_key) = SigningKey::generate()?;
            let algorithm = SigningKey::ALGORITHM.name().to_owned();
            let stored = StoredKey { id: key.id().to_owned(), algorithm, private_key, created: now, retired: None };
            store.add_signing_key(stored).await?;
        }
        let published = Arc::new(PublishedKeys::default());
        let held = ArcSwap::from_pointee(load(store, &published).await?);
        Ok(Self { held, published })
    }

    /// Loads the keys again: another node may have added one.
    ///
    /// # Errors
    /// [`KeyRingFault`]; the keys in use stay.
    pub async fn reload(&self, store: &dyn ClientStore) -> Result<(), KeyRingFault> {
        self.held.store(Arc::new(load(store, &self.published).await?));
        Ok(())
    }

    /// The key that signs.
    pub fn signing(&self) -> Arc<SigningKey> {
        Arc::clone(&self.held.load().signing)
    }

    /// The public halves, for verifying.
    pub fn published(&self) -> Arc<PublishedKeys> {
        Arc::clone(&self.published)
    }

    /// The document at `jwks_uri`.
    pub fn document(&self) -> String {
        self.held.load().text.clone()
    }
}

/// The newest key that is not retired signs; the same on every node.
async fn load(store: &dyn ClientStore, published: &PublishedKeys) -> Result<Held, KeyRingFault> {
    let mut keys = Vec::new();
    for stored in store.signing_keys().await? {
        keys.push((SigningKey::from_pkcs8(&stored.private_key)?, stored.retired));
    }
    let public: Vec<_> = keys.iter().map(|(key, _)| key.public().clone()).collect();
    let (signing, _) = keys.into_iter().find(|(_, retired)| retired.is_none()).ok_or(KeyFault::Read)?;
    published.publish(key_set(&public));
    Ok(Held { signing: Arc::new(signing), text: key_set_text(&public) })
}
