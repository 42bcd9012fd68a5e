//! What the authorization server keeps between two steps, as a port and in types: documents of a few kinds, each under its key, with
//! an owner and an end. They live in the store, so that any node serves any step. The key of a secret is its digest.

use super::store::{ClientStoreError, Pending};
use crate::fhir::Instant;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;

/// The kinds of document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A person who can sign in, by username.
    Account,
    /// Somebody signed in, by the digest of the cookie.
    Session,
    /// An authorization request under way, by the digest of its handle.
    Request,
    /// An authorization code, by its digest.
    Code,
    /// What a person allowed an app.
    Authorization,
    /// A launch from an EHR, by the digest of its handle.
    Launch,
    /// An authorization or token id that counts no more.
    Revocation,
    /// A link that lets somebody choose how to sign in, by its digest.
    Invitation,
    /// An authorization request that was pushed, by the digest of its reference.
    Pushed,
    /// Somebody who is away at an OpenID provider, by the digest of `state`.
    Outbound,
    /// What a passkey is to sign, by its digest.
    Challenge,
    /// What a person allowed an app and wished not to be asked for again.
    Remembered,
    /// A key that may be used once, by its digest: proofs, challenges.
    Once,
}

impl Kind {
    /// As it is stored.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Session => "session",
            Self::Request => "request",
            Self::Code => "code",
            Self::Authorization => "authorization",
            Self::Launch => "launch",
            Self::Revocation => "revocation",
            Self::Invitation => "invitation",
            Self::Pushed => "pushed",
            Self::Outbound => "outbound",
            Self::Challenge => "challenge",
            Self::Remembered => "remembered",
            Self::Once => "once",
        }
    }
}

/// A document as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateRow {
    /// Its key within its kind.
    pub id: String,
    /// Whose it is; empty for nobody's.
    pub owner: String,
    /// From then on it is as if it were not there.
    pub expires: Instant,
    /// Counts its changes.
    pub version: i64,
    /// JSON.
    pub body: String,
}

/// Where the documents are kept. Shared by every node; each call is one transaction, durable when it answers.
pub trait StateStore: Send + Sync {
    /// The document with this key, expired or not.
    fn state<'a>(&'a self, kind: Kind, id: &'a str) -> Pending<'a, Option<StateRow>>;

    /// Those that have not expired, of this owner or of everybody, by key.
    fn states<'a>(&'a self, kind: Kind, owner: Option<&'a str>, now: Instant) -> Pending<'a, Vec<StateRow>>;

    /// Adds one; `false` when the key is taken. What has expired may be swept.
    fn add_state(&self, kind: Kind, row: StateRow, now: Instant) -> Pending<'_, bool>;

    /// Puts a document in the place of the one with the same key, if that still has the row's version; `false` when it has not. The
    /// version grows by one.
    fn change_state(&self, kind: Kind, row: StateRow) -> Pending<'_, bool>;

    /// Removes one; `false` when there is none.
    fn remove_state<'a>(&'a self, kind: Kind, id: &'a str) -> Pending<'a, bool>;
}

/// A type that is kept as a document.
pub trait Stored: Serialize + DeserializeOwned + Send {
    /// Its kind.
    const KIND: Kind;

    /// Whose it is.
    fn owner(&self) -> &str;

    /// When it ends.
    fn expires(&self) -> Instant;
}

/// A document that was read, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held<T> {
    /// Its key.
    pub id: String,
    /// The version that was read.
    pub version: i64,
    /// What it says.
    pub value: T,
}

/// The documents, in types.
#[derive(Clone)]
pub struct State(Arc<dyn StateStore>);

/// A moment that never comes.
pub const NEVER: Instant = Instant(i64::MAX);

impl State {
    /// Over a store.
    pub fn new(store: Arc<dyn StateStore>) -> Self {
        Self(store)
    }

    /// The document with this key, unless it has expired.
    ///
    /// # Errors
    /// [`ClientStoreError`] when the store fails or the document cannot be read.
    pub async fn find<T: Stored>(&self, id: &str, now: Instant) -> Result<Option<Held<T>>, ClientStoreError> {
        let row = self.0.state(T::KIND, id).await?.filter(|row| row.expires > now);
        row.map(read).transpose()
    }

    /// Every document of this owner, or of everybody, that has not expired.
    ///
    /// # Errors
    /// As [`State::find`].
    pub async fn list<T: Stored>(&self, owner: Option<&str>, now: Instant) -> Result<Vec<Held<T>>, ClientStoreError> {
        self.0.states(T::KIND, owner, now).await?.into_iter().map(read).collect()
    }

    /// Adds a document; `false` when the key is taken.
    ///
    /// # Errors
    /// As [`State::find`].
    pub async fn add<T: Stored>(&self, id: &str, value: &T, now: Instant) -> Result<bool, ClientStoreError> {
        self.0.add_state(T::KIND, row(id, 0, value)?, now).await
    }

    /// Puts a changed document back; `false` when somebody else changed it since it was read.
    ///
    /// # Errors
    /// As [`State::find`].
    pub async fn change<T: Stored>(&self, held: &Held<T>) -> Result<bool, ClientStoreError> {
        self.0.change_state(T::KIND, row(&held.id, held.version, &held.value)?).await
    }

    /// Changes a document as it is now, however often others change it meanwhile. `None` when there is none, or `change` says no.
    ///
    /// # Errors
    /// As [`State::find`].
    pub async fn update<T: Stored>(
        &self,
        id: &str,
        now: Instant,
        change: impl Fn(&mut T) -> bool + Send + Sync,
    ) -> Result<Option<Held<T>>, ClientStoreError> {
        loop {
            let Some(mut held) = self.find::<T>(id, now).await? else { return Ok(None) };
            if !change(&mut held.value) {
                return Ok(None);
            }
            if self.change(&held).await? {
                return Ok(Some(held));
            }
        }
    }

    /// Removes a document; `false` when there was none.
    ///
    /// # Errors
    /// As [`State::find`].
    pub async fn remove(&self, kind: Kind, id: &str) -> Result<bool, ClientStoreError> {
        self.0.remove_state(kind, id).await
    }
}

fn row<T: Stored>(id: &str, version: i64, value: &T) -> Result<StateRow, ClientStoreError> {
    let body = serde_json::to_string(value).map_err(|fault| ClientStoreError(fault.to_string()))?;
    Ok(StateRow { id: id.to_owned(), owner: value.owner().to_owned(), expires: value.expires(), version, body })
}

fn read<T: Stored>(row: StateRow) -> Result<Held<T>, ClientStoreError> {
    let damaged = |fault: serde_json::Error| ClientStoreError(format!("a stored {} cannot be read: {fault}", T::KIND.name()));
    Ok(Held { value: serde_json::from_str(&row.body).map_err(damaged)?, id: row.id, version: row.version })
}
