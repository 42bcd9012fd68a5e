//! What the authorization server keeps, as a port.

use super::client::Client;
use crate::fhir::Instant;
use std::future::Future;
use std::pin::Pin;

/// The store failed: nothing was decided, nothing may be issued.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the client store failed: {0}")]
pub struct ClientStoreError(pub String);

/// A future of the port.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = Result<T, ClientStoreError>> + Send + 'a>>;

/// A signing key as it is kept.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredKey {
    /// `kid`
    pub id: String,
    /// `alg`
    pub algorithm: String,
    /// PKCS#8 DER.
    pub private_key: Vec<u8>,
    /// When it was made.
    pub created: Instant,
    /// Since when it signs no more. Its tokens verify until they end.
    pub retired: Option<Instant>,
}

impl StoredKey {
    /// Whether it signs what the other one would.
    pub(super) fn signs_beside(&self, other: &Self) -> bool {
        self.retired.is_none() && self.algorithm == other.algorithm
    }
}

/// Never shows the private half.
impl std::fmt::Debug for StoredKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StoredKey").field("id", &self.id).field("created", &self.created).finish_non_exhaustive()
    }
}

/// Where clients, used assertions and signing keys are kept. Shared by every node.
pub trait ClientStore: Send + Sync {
    /// The client with this id.
    fn find<'a>(&'a self, id: &'a str) -> Pending<'a, Option<Client>>;

    /// Every client, by id.
    fn list(&self) -> Pending<'_, Vec<Client>>;

    /// Adds a client; `false` when the id is taken.
    fn add(&self, client: Client, now: Instant) -> Pending<'_, bool>;

    /// Locks a client out or lets it in again; `false` when there is none.
    fn set_disabled<'a>(&'a self, id: &'a str, disabled: bool) -> Pending<'a, bool>;

    /// Puts a client in the place of the one with its id; `false` when there is none. Whether it is locked out stays as it is.
    fn replace(&self, client: Client, now: Instant) -> Pending<'_, bool>;

    /// Removes a client; `false` when there is none.
    fn remove<'a>(&'a self, id: &'a str) -> Pending<'a, bool>;

    /// Notes that a client used this assertion id; `false` when it had been used and that use has not expired. Durable and
    /// exactly once, on every node, before it answers `true`.
    fn remember_jti<'a>(&'a self, client: &'a str, jti: &'a str, expires: Instant, now: Instant) -> Pending<'a, bool>;

    /// Every signing key, newest first.
    fn signing_keys(&self) -> Pending<'_, Vec<StoredKey>>;

    /// Retires every other key that signs with the same algorithm from the moment on that the new one signs, and keeps the new one, in
    /// one step. Keys that are `lost` are as if they had been retired long ago.
    fn rotate_signing_key(&self, key: StoredKey, lost: bool) -> Pending<'_, ()>;

    /// Keeps a new signing key.
    fn add_signing_key(&self, key: StoredKey) -> Pending<'_, ()>;

    /// Keeps a signing key unless one with its algorithm signs already: of nodes that start together, one makes the key of all.
    fn add_first_signing_key(&self, key: StoredKey) -> Pending<'_, ()>;
}
