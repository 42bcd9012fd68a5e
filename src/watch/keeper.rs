//! The keeper of the tree: follows the trail with its hashes alone, and signs its state now and then.

use crate::audit::tree::{Checkpoint, Frontier, NoteError, NoteSigner, NoteVerifier, Purpose};
use crate::clock::Clock;
use crate::fhir::Instant;
use crate::store::StoreError;
use crate::store::evidence::{EvidenceStore, KeptCheckpoint};
use crate::telemetry;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;

/// The name under which the private half of the signing key is kept.
const KEY: &str = "trail-key";

/// Hashes read at once.
const BATCH: u32 = 10_000;

/// Why there is no checkpoint.
#[derive(Debug, thiserror::Error)]
pub enum KeeperError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The signing key, or the name of the log.
    #[error("the key of the trail: {0}")]
    Note(#[from] NoteError),
    /// A file cannot be written.
    #[error("`{0}`: {1}")]
    File(String, String),
    /// What the store holds is not what it must be.
    #[error("{0}")]
    Damaged(&'static str),
}

/// Signs the state of the trail.
pub struct Keeper {
    store: Arc<dyn EvidenceStore>,
    origin: String,
    signer: NoteSigner,
    clock: Clock,
    state: Mutex<State>,
}

struct State {
    tree: Frontier,
    signed: u64,
    made: Instant,
}

impl Keeper {
    /// Takes up where the last checkpoint stands, with the key of the store; the first call makes the key.
    ///
    /// # Errors
    /// [`KeeperError`]
    pub async fn open(store: Arc<dyn EvidenceStore>, origin: &str, clock: &Clock) -> Result<Self, KeeperError> {
        let (_, fresh) = NoteSigner::generate(origin, Purpose::Log)?;
        let kept = store.kept_or(KEY, fresh).await?;
        let signer = NoteSigner::from_pkcs8(origin, Purpose::Log, &kept)?;
        let tree = match store.frontier().await? {
            Some(bytes) => Frontier::from_bytes(&bytes).ok_or(KeeperError::Damaged("the kept tree of the trail is damaged"))?,
            None => Frontier::default(),
        };
        let last = store.last_checkpoint().await?;
        let made = last.as_ref().map_or(clock.now(), |kept| kept.made);
        let size = last.and_then(|kept| u64::try_from(kept.size).ok()).unwrap_or(0);
        let state = Mutex::new(State { tree, signed: size, made });
        Ok(Self { store, origin: origin.to_owned(), signer, clock: clock.clone(), state })
    }

    /// The public key, to be handed to whoever is to verify.
    pub fn public_key(&self) -> NoteVerifier {
        self.signer.verifier()
    }

    /// Which log this is.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Signs the present state. `None` when nothing was added since the last.
    ///
    /// # Errors
    /// [`KeeperError`]
    pub async fn checkpoint(&self) -> Result<Option<KeptCheckpoint>, KeeperError> {
        let mut state = self.state.lock().await;
        self.grow(&mut state).await?;
        self.sign(&mut state).await
    }

    /// Signs when so many entries wait, or any have waited for so long. To be called every second.
    ///
    /// # Errors
    /// [`KeeperError`]
    pub async fn tend(&self, every_entries: u64, every: Duration) -> Result<Option<KeptCheckpoint>, KeeperError> {
        let mut state = self.state.lock().await;
        self.grow(&mut state).await?;
        let waiting = state.tree.size().saturating_sub(state.signed);
        let since = self.clock.now().0.saturating_sub(state.made.0);
        let late = u128::try_from(since).is_ok_and(|since| since >= every.as_millis());
        if waiting >= every_entries || (waiting > 0 && late) { self.sign(&mut state).await } else { Ok(None) }
    }

    async fn grow(&self, state: &mut State) -> Result<(), KeeperError> {
        loop {
            let after = i64::try_from(state.tree.size()).map_err(|_| KeeperError::Damaged("too many entries"))?;
            let hashes = self.store.hashes(after, BATCH).await?;
            if hashes.is_empty() {
                return Ok(());
            }
            for hash in hashes {
                let hash = hash.try_into().map_err(|_| KeeperError::Damaged("a hash of the trail is damaged"))?;
                state.tree.push(hash);
            }
            tokio::task::yield_now().await;
        }
    }

    async fn sign(&self, state: &mut State) -> Result<Option<KeptCheckpoint>, KeeperError> {
        let size = state.tree.size();
        if size == state.signed {
            return Ok(None);
        }
        let text = Checkpoint { origin: self.origin.clone(), size, root: state.tree.root() }.text();
        let counted = i64::try_from(size).map_err(|_| KeeperError::Damaged("too many entries"))?;
        let kept = KeptCheckpoint { size: counted, made: self.clock.now(), note: self.signer.sign(&text) };
        self.store.keep_checkpoint(kept.clone(), state.tree.to_bytes()).await?;
        (state.signed, state.made) = (size, kept.made);
        #[expect(clippy::cast_precision_loss, reason = "a count of entries is far below 2^52")]
        metrics::gauge!(telemetry::CHECKPOINT_SIZE).set(size as f64);
        Ok(Some(kept))
    }
}
