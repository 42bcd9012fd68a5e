//! The gateway's own signing keys: one signs, all that are kept verify.

use super::client::LONGEST_TOKEN_LIFE;
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
        let held = ArcSwap::from_pointee(load(store, &published, now).await?);
        Ok(Self { held, published })
    }

    /// Loads the keys again: another node may have added one.
    ///
    /// # Errors
    /// [`KeyRingFault`]; the keys in use stay.
    pub async fn reload(&self, store: &dyn ClientStore, now: Instant) -> Result<(), KeyRingFault> {
        self.held.store(Arc::new(load(store, &self.published, now).await?));
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

/// The newest key that is not retired signs, the same on every node. A retired one verifies until the last token that it signed has ended.
async fn load(store: &dyn ClientStore, published: &PublishedKeys, now: Instant) -> Result<Held, KeyRingFault> {
    let mut keys = Vec::new();
    let ended = |at: Instant| at.plus_seconds(2 * i64::from(LONGEST_TOKEN_LIFE)) < now;
    for stored in store.signing_keys().await?.into_iter().filter(|key| !key.retired.is_some_and(ended)) {
        keys.push((SigningKey::from_pkcs8(&stored.private_key)?, stored.retired));
    }
    let public: Vec<_> = keys.iter().map(|(key, _)| key.public().clone()).collect();
    let (signing, _) = keys.into_iter().find(|(_, retired)| retired.is_none()).ok_or(KeyFault::Read)?;
    published.publish(key_set(&public));
    Ok(Held { signing: Arc::new(signing), text: key_set_text(&public) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::smart::memory::Memory;

    const NOW: Instant = Instant(1_800_000_000_000);

    fn stored(created: Instant, retired: Option<Instant>) -> StoredKey {
        let (key, private_key) = SigningKey::generate().unwrap();
        StoredKey { id: key.id().to_owned(), algorithm: "ES256".to_owned(), private_key, created, retired }
    }

    #[tokio::test]
    async fn the_first_start_makes_a_key_and_the_next_one_finds_it() {
        let store = Memory::default();
        let first = KeyRing::open(&store, NOW).await.unwrap();
        let second = KeyRing::open(&store, NOW).await.unwrap();
        assert_eq!(first.signing().id(), second.signing().id());
        assert_eq!(first.document(), second.document());
        assert!(!first.document().contains("\"d\""));
    }

    #[tokio::test]
    async fn the_newest_key_signs_and_a_retired_one_verifies_until_its_tokens_have_ended() {
        let store = Memory::default();
        let (old, new) = (stored(NOW, Some(NOW.plus_seconds(10))), stored(NOW.plus_seconds(10), None));
        for key in [&old, &new] {
            store.add_signing_key(key.clone()).await.unwrap();
        }
        let ring = KeyRing::open(&store, NOW.plus_seconds(10)).await.unwrap();
        assert_eq!(ring.signing().id(), new.id);
        assert!(ring.document().contains(&old.id));
        ring.reload(&store, NOW.plus_seconds(86_400)).await.unwrap();
        assert!(!ring.document().contains(&old.id) && ring.document().contains(&new.id));
    }
}
