//! Changes whose end nobody told: the answer was lost, or is one by something between that knows nothing. The records themselves are
//! asked what became of them.

use super::UpstreamStore;
use super::commit::{Written, as_decided};
use super::fault::Fault;
use super::fetch::Current;
use super::round::Round;
use super::wire::Answer;
use crate::disclosure::{Change, Expected, Forwarded, Taken};
use crate::store::{CommitError, StoreError};

/// An answer that does not say how it ended is none: of a proxy that lost the server, or of a server that lost its thread.
pub(super) fn certain(answer: Result<Answer, Fault>) -> Result<Answer, Fault> {
    match answer {
        // From 520 on they are words of things between, for which there is no standard.
        Ok(Answer { status: status @ (500 | 502 | 504 | 520..), .. }) => Err(Fault::Status(status)),
        other => other,
    }
}

/// What is told of a change that was sent, when its end cannot be found out.
pub(super) fn unsure(fault: Fault) -> CommitError {
    match fault {
        Fault::Unreachable(_) | Fault::Lost(_) | Fault::Slow(_) | Fault::Status(502 | 504 | 520..) => {
            CommitError::Store(StoreError::InDoubt(fault.to_string()))
        }
        told => told.into(),
    }
}

impl UpstreamStore {
    /// What became of changes that were sent together, of which all were made or none. Each is asked: one that changes nothing looks the
    /// same either way. What is not there may still come, so it is not called undone.
    pub(super) async fn found_out(&self, changes: &[Change], fault: Fault) -> Result<Vec<Written>, CommitError> {
        // It was not even begun.
        if let Fault::Busy(_) = fault {
            return Err(fault.into());
        }
        let mut made = Vec::with_capacity(changes.len());
        for change in changes {
            tracing::warn!(%fault, record = %change.key, "a change ended in doubt; the record is asked");
            match self.made(change).await {
                Some(written) => made.push(written?),
                None => return Err(unsure(fault)),
            }
        }
        Ok(made)
    }

    /// What a change has made; `None` when the record does not show that it has.
    async fn made(&self, change: &Change) -> Option<Result<Written, CommitError>> {
        match (self.current(&change.key, &mut Round::default()).await, &change.content) {
            (Ok(Current::Live(taken)), Some(content)) if self.is_this(change, content, &taken) => {
                Some(as_decided(change, content, &taken))
            }
            // It was there before, and nobody else's turn to delete it. A server may not know any more that there ever was one.
            (Ok(Current::Deleted(facts)), None) => Some(Ok((self.removed(change, Some(facts.version)), None))),
            (Ok(Current::Absent), None) => Some(Ok((self.removed(change, None), None))),
            (found, _) => {
                if let Err(fault) = found {
                    tracing::warn!(%fault, record = %change.key, "the record could not be asked");
                }
                None
            }
        }
    }

    /// Under an address that nobody else knows there is nothing but what was sent.
    fn is_this(&self, change: &Change, content: &Forwarded, taken: &Taken) -> bool {
        match change.expected {
            Expected::Absent => true,
            Expected::Version(before) => self.crossing.is_same(content, taken, taken.facts.version > before),
        }
    }
}
