//! What apps keep here for themselves (SMART App Launch 2.2, "Persisting App State"), as a port. Bodies are opaque, and sealed by whoever
//! hands them over.

use super::{Answering, CommitError, StoreError};
use crate::audit::{Entry, Receipt};
use crate::fhir::{Id, Version};

/// States that an app may keep about one subject.
pub const MOST_STATES: i64 = 64;

/// Bytes of all of them.
pub const MOST_BYTES: i64 = 4 << 20;

/// Whose: an app, by its issuer and its `client_id`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keeper {
    /// `iss`
    pub issuer: String,
    /// `client_id`
    pub client: String,
}

/// About whom, and under which code. Neither changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateName {
    /// The absolute reference; `None` for everybody.
    pub subject: Option<String>,
    /// `system|code`
    pub code: String,
}

/// A state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptState {
    /// Its id.
    pub id: Id,
    /// What it is.
    pub name: StateName,
    /// Its version.
    pub version: Version,
    /// Bytes before it was sealed.
    pub bytes: usize,
    /// Sealed.
    pub body: String,
}

/// Why nothing was kept.
#[derive(Debug, thiserror::Error)]
pub enum AppStateFault {
    /// There is no such state of this app, or it has another version, subject or code.
    #[error("the state is not what it was taken for")]
    Stale,
    /// The app keeps as much about this subject as it may.
    #[error("there is no room for more")]
    Full,
    /// The store or the trail failed.
    #[error(transparent)]
    Failed(#[from] CommitError),
}

impl From<StoreError> for AppStateFault {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.into())
    }
}

impl From<diesel::result::Error> for AppStateFault {
    fn from(error: diesel::result::Error) -> Self {
        StoreError::from(error).into()
    }
}

/// Where states are kept. Shared by every node; a change and its entry of the trail are one transaction.
pub trait AppStateStore: Send + Sync {
    /// The states of this name, by id.
    fn states<'a>(&'a self, keeper: &'a Keeper, name: &'a StateName) -> Answering<'a, Vec<KeptState>>;

    /// Keeps a new one.
    fn add_state(&self, keeper: Keeper, state: KeptState, entry: Entry) -> Answering<'_, Receipt, AppStateFault>;

    /// Puts a state in the place of the version before it, with the same name.
    fn change_state(&self, keeper: Keeper, state: KeptState, entry: Entry) -> Answering<'_, Receipt, AppStateFault>;

    /// The name of the state with this id and version; `None` when there is none.
    fn name_of<'a>(&'a self, keeper: &'a Keeper, id: &'a Id, version: Version) -> Answering<'a, Option<StateName>>;

    /// Removes this version of a state.
    fn remove_state(&self, keeper: Keeper, id: Id, version: Version, entry: Entry) -> Answering<'_, Receipt, AppStateFault>;

    /// Removes everything that an app keeps: it is registered no more.
    fn forget<'a>(&'a self, keeper: &'a Keeper) -> Answering<'a, ()>;
}
