//! The gateway's own signing keys: one signs, all that are kept verify.

use super::keys::{KeyFault, SigningKey, key_set, key_set_text};
use super::own_key::{OwnKey, Signs};
use super::store::{ClientStore, ClientStoreError, StoredKey};
use crate::fhir::Instant;
use crate::identity::PublishedKeys;
use arc_swap::ArcSwap;
use std::sync::Arc;
use tokio::sync::Mutex;

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
    /// One at a time loads: what was read first must not be kept last.
    loading: Mutex<()>,
    published: Arc<PublishedKeys>,
}

struct Held {
    signing: Arc<SigningKey>,
    identity: Option<Arc<OwnKey>>,
    assertion: Arc<OwnKey>,
    text: String,
    /// Which keys these are, and which of them sign.
    of: Vec<(String, Option<Instant>, bool)>,
}

impl KeyRing {
    /// Loads the keys, and makes the first one when there is none.
    ///
    /// # Errors
    /// [`KeyRingFault`]
    pub async fn open(store: &dyn ClientStore, now: Instant) -> Result<Self, KeyRingFault> {
        let usable = |key: &StoredKey| stays(key, now) && key.algorithm == SigningKey::ALGORITHM.name();
        if !store.signing_keys().await?.iter().any(usable) {
            let (key, private_key) = SigningKey::generate()?;
            let algorithm = SigningKey::ALGORITHM.name().to_owned();
            let stored = StoredKey { id: key.id().to_owned(), algorithm, private_key, created: now, retired: None };
            store.add_first_signing_key(stored).await?;
        }
        if !store.signing_keys().await?.iter().any(|key| stays(key, now) && key.algorithm == Signs::Assertions.algorithm()) {
            let (key, private_key) = OwnKey::generate(Signs::Assertions)?;
            let algorithm = Signs::Assertions.algorithm().to_owned();
            let stored = StoredKey { id: key.id().to_owned(), algorithm, private_key, created: now, retired: None };
            store.add_first_signing_key(stored).await?;
        }
        let published = Arc::new(PublishedKeys::default());
        let held = ArcSwap::from_pointee(read(kept(store, now).await?, &published, now)?);
        Ok(Self { held, loading: Mutex::default(), published })
    }

    /// Loads the keys again: another node may have added one.
    ///
    /// # Errors
    /// [`KeyRingFault`]; the keys in use stay.
    pub async fn reload(&self, store: &dyn ClientStore, now: Instant) -> Result<(), KeyRingFault> {
        let _loading = self.loading.lock().await;
        let stored = kept(store, now).await?;
        if self.held.load().of != names(&stored, now) {
            self.held.store(Arc::new(read(stored, &self.published, now)?));
        }
        Ok(())
    }

    /// The key that signs.
    pub fn signing(&self) -> Arc<SigningKey> {
        Arc::clone(&self.held.load().signing)
    }

    /// The key by which the gateway is known to other token endpoints.
    pub fn assertion(&self) -> Arc<OwnKey> {
        Arc::clone(&self.held.load().assertion)
    }

    /// The key that signs `id_token`s, made when it is first needed: RSA keys take their time, and not every gateway signs people in.
    ///
    /// # Errors
    /// [`KeyRingFault`]
    pub async fn identity(&self, store: &dyn ClientStore, now: Instant) -> Result<Arc<OwnKey>, KeyRingFault> {
        if let Some(key) = &self.held.load().identity {
            return Ok(Arc::clone(key));
        }
        self.reload(store, now).await?;
        if let Some(key) = &self.held.load().identity {
            return Ok(Arc::clone(key));
        }
        let made = tokio::task::spawn_blocking(|| OwnKey::generate(Signs::IdTokens)).await;
        let (key, private_key) = made.map_err(|_| KeyFault::Generate)??;
        let algorithm = Signs::IdTokens.algorithm().to_owned();
        let stored = StoredKey { id: key.id().to_owned(), algorithm, private_key, created: now, retired: None };
        store.add_first_signing_key(stored).await?;
        self.reload(store, now).await?;
        self.held.load().identity.clone().ok_or(KeyRingFault::Key(KeyFault::Read))
    }

    /// Puts new keys in the place of those that sign. They are published at once and sign after [`KEY_LEAD`], when everybody who verifies has
    /// seen them; the old ones stay published until the last of their tokens has ended. Keys that somebody else may have are `lost`: the
    /// new ones sign at once, and what the old ones signed is not accepted any more. Gives the names of the new keys.
    ///
    /// # Errors
    /// [`KeyRingFault`]; what was rotated before stays so.
    pub async fn rotate(&self, store: &dyn ClientStore, lost: bool, now: Instant) -> Result<Vec<String>, KeyRingFault> {
        let from = if lost { now } else { now.plus_seconds(KEY_LEAD) };
        let (signing, signing_private) = SigningKey::generate()?;
        let made = tokio::task::spawn_blocking(|| OwnKey::generate(Signs::IdTokens)).await;
        let (identity, identity_private) = made.map_err(|_| KeyFault::Generate)??;
        let (assertion, assertion_private) = OwnKey::generate(Signs::Assertions)?;
        let new = [
            (signing.id(), SigningKey::ALGORITHM.name(), signing_private),
            (identity.id(), Signs::IdTokens.algorithm(), identity_private),
            (assertion.id(), Signs::Assertions.algorithm(), assertion_private),
        ];
        let mut names = Vec::new();
        for (id, algorithm, private_key) in new {
            let (id, algorithm) = (id.to_owned(), algorithm.to_owned());
            names.push(id.clone());
            let key = StoredKey { id, algorithm, private_key, created: from, retired: None };
            store.rotate_signing_key(key, lost).await?;
        }
        self.reload(store, now).await?;
        Ok(names)
    }

    /// The public halves of the keys of access tokens, for verifying.
    pub fn published(&self) -> Arc<PublishedKeys> {
        Arc::clone(&self.published)
    }

    /// The document at `jwks_uri`.
    pub fn document(&self) -> String {
        self.held.load().text.clone()
    }
}

/// Seconds for which a new key is published before it signs: as long as its document may be kept.
pub const KEY_LEAD: i64 = 300;

/// Seconds for which a key is published after it signed last: longer than any token lives, those of emergency access among them.
const KEY_TAIL: i64 = 5 * 3600;

/// The keys that sign or verify, the newest first. A retired one verifies until the last token that it signed has ended.
async fn kept(store: &dyn ClientStore, now: Instant) -> Result<Vec<StoredKey>, ClientStoreError> {
    let ended = |at: Instant| at.plus_seconds(KEY_TAIL) < now;
    Ok(store.signing_keys().await?.into_iter().filter(|key| !key.retired.is_some_and(ended)).collect())
}

fn names(stored: &[StoredKey], now: Instant) -> Vec<(String, Option<Instant>, bool)> {
    stored.iter().map(|key| (key.id.clone(), key.retired, signs(key, now))).collect()
}

/// Has its time come, and is it not past?
fn signs(key: &StoredKey, now: Instant) -> bool {
    key.created <= now && stays(key, now)
}

fn stays(key: &StoredKey, now: Instant) -> bool {
    key.retired.is_none_or(|at| at > now)
}

/// How well a key may sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fit {
    /// Its time is now.
    Signs,
    /// Its time comes.
    Waits,
    /// Its time is past.
    Retired,
}

impl Fit {
    fn of(key: &StoredKey, now: Instant) -> Self {
        match (signs(key, now), stays(key, now)) {
            (true, _) => Self::Signs,
            (false, true) => Self::Waits,
            (false, false) => Self::Retired,
        }
    }
}

/// The newest that signs. A clock that was set back must not stop the gateway: then the oldest of those whose time comes.
fn chosen<K>(keys: Vec<(K, Fit)>) -> Option<K> {
    let newest = keys.iter().position(|(_, fit)| *fit == Fit::Signs);
    let at = newest.or_else(|| keys.iter().rposition(|(_, fit)| *fit == Fit::Waits))?;
    keys.into_iter().nth(at).map(|(key, _)| key)
}

/// The newest key of each kind that is not retired signs, the same on every node.
fn read(stored: Vec<StoredKey>, published: &PublishedKeys, now: Instant) -> Result<Held, KeyRingFault> {
    let of = names(&stored, now);
    let (mut keys, mut own) = (Vec::new(), Vec::new());
    for stored in stored {
        let fit = Fit::of(&stored, now);
        match Signs::with(&stored.algorithm) {
            Some(signs) => own.push((OwnKey::from_pkcs8(signs, &stored.private_key)?, fit)),
            None => keys.push((SigningKey::from_pkcs8(&stored.private_key)?, fit)),
        }
    }
    let access: Vec<_> = keys.iter().map(|(key, _)| key.public().clone()).collect();
    let text = key_set_text(access.iter().chain(own.iter().map(|(key, _)| key.public())));
    let signing = chosen(keys).ok_or(KeyFault::Read)?;
    let (identity, assertion): (Vec<_>, Vec<_>) = own.into_iter().partition(|(key, _)| key.signs() == Signs::IdTokens);
    let identity = chosen(identity).map(Arc::new);
    let assertion = chosen(assertion).ok_or(KeyFault::Read)?;
    published.publish(key_set(&access));
    Ok(Held { signing: Arc::new(signing), identity, assertion: Arc::new(assertion), text, of })
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
    async fn a_clock_that_was_set_back_stops_nobody() {
        let store = Memory::default();
        let first = KeyRing::open(&store, NOW).await.unwrap();
        let back = KeyRing::open(&store, NOW.plus_seconds(-86_400)).await.unwrap();
        assert_eq!(first.signing().id(), back.signing().id());
        assert_eq!(store.signing_keys().await.unwrap().len(), 2, "one to sign, one for other token endpoints");
    }

    #[tokio::test]
    async fn of_nodes_that_start_together_one_makes_the_key() {
        let store = Memory::default();
        for _ in 0..2 {
            // Both looked before either of them had kept one.
            store.add_first_signing_key(stored(NOW, None)).await.unwrap();
        }
        assert_eq!(store.signing_keys().await.unwrap().len(), 1);
        let ring = KeyRing::open(&store, NOW).await.unwrap();
        let (one, other) = (ring.identity(&store, NOW).await.unwrap(), KeyRing::open(&store, NOW).await.unwrap());
        assert_eq!(one.id(), other.identity(&store, NOW).await.unwrap().id());
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

    #[tokio::test]
    async fn a_new_key_is_seen_before_it_signs_and_a_lost_one_counts_no_more() {
        let store = Memory::default();
        let ring = KeyRing::open(&store, NOW).await.unwrap();
        let old = ring.signing().id().to_owned();
        let new = ring.rotate(&store, false, NOW).await.unwrap();
        assert_eq!(ring.signing().id(), old);
        assert!(new.iter().chain([&old]).all(|id| ring.document().contains(id)));
        ring.reload(&store, NOW.plus_seconds(KEY_LEAD)).await.unwrap();
        assert_eq!(ring.signing().id(), new[0]);
        assert!(ring.document().contains(&old), "its last token may live");
        ring.reload(&store, NOW.plus_seconds(KEY_LEAD + KEY_TAIL + 1)).await.unwrap();
        assert!(!ring.document().contains(&old));
        let later = NOW.plus_seconds(KEY_LEAD + KEY_TAIL + 2);
        let newer = ring.rotate(&store, true, later).await.unwrap();
        assert_eq!(ring.signing().id(), newer[0]);
        assert!(!ring.document().contains(&new[0]));
    }
}
