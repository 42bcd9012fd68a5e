//! What can go wrong with a server behind, and how it is told.

use crate::disclosure::CrossingFault;
use crate::fhir::Problem;
use crate::store::{CommitError, StoreError};

/// Why the server behind gave nothing that can be used. Texts are for the log: a caller is told which kind it was and no more.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    /// No connection.
    #[error("the upstream cannot be reached: {0}")]
    Unreachable(String),
    /// There was a connection, and it ended without an answer.
    #[error("the upstream broke off: {0}")]
    Lost(String),
    /// It took too long.
    #[error("the upstream did not answer in time ({0})")]
    Slow(&'static str),
    /// It has too much to do, or failed so often that it is left alone for so many seconds.
    #[error("the upstream is busy or left alone for {0} seconds")]
    Busy(u32),
    /// It, or something between, said of a change that it cannot be made now: come again after so many seconds.
    #[error("the upstream turned a change away, for {0} seconds")]
    Turned(u32),
    /// What it sent cannot be believed.
    #[error("the upstream sent something that cannot be used: {0}")]
    Wrong(String),
    /// It refuses what the gateway may ask.
    #[error("the upstream answered with status {0}")]
    Status(u16),
    /// More than the bounds allow.
    #[error("{0}")]
    Costly(&'static str),
    /// Something that is not answered in front of a server, told to the caller.
    #[error("{0}")]
    Asked(&'static str),
    /// A cursor that leads nowhere any more.
    #[error("not a place in an answer of this upstream")]
    Cursor,
    /// The gateway's own store failed.
    #[error(transparent)]
    Own(#[from] OwnFault),
}

/// A failure of the ledger, as text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct OwnFault(pub(super) String);

impl Fault {
    pub(super) fn wrong(why: impl Into<String>) -> Self {
        Self::Wrong(why.into())
    }
}

impl From<CrossingFault> for Fault {
    fn from(fault: CrossingFault) -> Self {
        Self::Wrong(fault.to_string())
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Cursor => Self::Cursor,
            StoreError::Busy(seconds) => Self::Busy(seconds),
            other => Self::Own(OwnFault(other.to_string())),
        }
    }
}

impl From<Fault> for StoreError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Cursor => Self::Cursor,
            Fault::Busy(seconds) | Fault::Turned(seconds) => Self::Busy(seconds),
            Fault::Slow(_) => Self::Slow(fault.to_string()),
            Fault::Wrong(_) | Fault::Status(_) => Self::Untrusted(fault.to_string()),
            Fault::Costly(bound) => Self::Costly(bound),
            Fault::Asked(what) => Self::Asked(Box::new(Problem::of("not-supported", what))),
            Fault::Unreachable(_) | Fault::Lost(_) | Fault::Own(_) => Self::Unavailable(fault.to_string()),
        }
    }
}

impl From<Fault> for CommitError {
    fn from(fault: Fault) -> Self {
        Self::Store(fault.into())
    }
}
