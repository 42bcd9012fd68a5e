//! Where jobs wait for the writer, so that few commits and few thread switches serve many.
//!
//! The writer is woken by a job that comes while it is idle, and by no other: what comes while it gathers or writes is simply there when
//! it looks.

use super::writer::Job;
use crate::store::StoreError;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Jobs that may wait. Beyond, the answer is "unavailable" at once: a queue that cannot be worked off helps nobody.
const WAITING: usize = 4_096;
/// Bytes that may wait.
const WAITING_BYTES: usize = 256 << 20;
/// Jobs in one commit.
const BATCH: usize = 512;
/// Bytes in one commit.
const BATCH_BYTES: usize = 16 << 20;

/// How often the processor is given up before a commit while a job is there. On a core with other work its threads go on and bring what
/// they have ready, so that more requests share the commit, and a commit costs a hundred microseconds of processor; on an idle core it
/// comes back at once.
const YIELDS: usize = 4;

/// What a job that does not say how large it is counts for, in bytes that are written.
const UNKNOWN: usize = 64 << 10;

/// How long nothing may be asked before the writer is told so.
const QUIET: Duration = Duration::from_secs(1);

/// A job, and about what it holds in memory.
pub(super) struct Waiting {
    pub(super) job: Box<dyn Job>,
    pub(super) bytes: usize,
}

/// What the writer is to do next.
pub(super) enum Next {
    /// Commit these, of about so many bytes.
    Batch(Vec<Box<dyn Job>>, usize),
    /// Nothing was asked for a while.
    Quiet,
    /// End: nothing waits and nothing will come.
    End,
}

/// The queue. The writer is its only taker.
#[derive(Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    there: Condvar,
}

#[derive(Default)]
struct State {
    jobs: Vec<Waiting>,
    bytes: usize,
    /// The writer sleeps until there is a job.
    idle: bool,
    closed: bool,
}

impl std::fmt::Debug for Queue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Queue({} waiting)", self.state().jobs.len())
    }
}

impl Queue {
    /// Adds a job.
    ///
    /// # Errors
    /// When too much waits, or the queue is closed.
    pub(super) fn put(&self, waiting: Waiting) -> Result<(), StoreError> {
        let mut state = self.state();
        if state.closed {
            return Err(StoreError::Unavailable("closed".into()));
        }
        if state.jobs.len() >= WAITING || state.bytes > WAITING_BYTES {
            return Err(StoreError::Unavailable("too much waits to be written".into()));
        }
        state.bytes += waiting.bytes;
        state.jobs.push(waiting);
        if std::mem::take(&mut state.idle) {
            self.there.notify_one();
        }
        Ok(())
    }

    /// The jobs of the next commit, in the order in which they came.
    pub(super) fn take(&self) -> Next {
        let mut state = self.state();
        if state.jobs.is_empty() && !state.closed {
            state = self.wait(state);
        }
        if state.jobs.is_empty() {
            return if state.closed { Next::End } else { Next::Quiet };
        }
        for _ in 0..YIELDS {
            drop(state);
            std::thread::yield_now();
            state = self.state();
        }
        let (jobs, bytes) = state.batch();
        Next::Batch(jobs, bytes)
    }

    /// Takes no more. What waits is still to be taken.
    pub(super) fn close(&self) {
        self.state().closed = true;
        self.there.notify_one();
    }

    /// Takes no more and drops what waits, so that whoever waits for it hears that it was not done.
    pub(super) fn abandon(&self) {
        let mut state = self.state();
        state.closed = true;
        state.jobs.clear();
    }

    fn wait<'s>(&self, mut state: MutexGuard<'s, State>) -> MutexGuard<'s, State> {
        state.idle = true;
        let lacks = |state: &mut State| state.jobs.is_empty() && !state.closed;
        let (mut state, _) = self.there.wait_timeout_while(state, QUIET, lacks).unwrap_or_else(PoisonError::into_inner);
        state.idle = false;
        state
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// As many as one commit takes, one at least, and about how many bytes they write.
    fn batch(&mut self) -> (Vec<Box<dyn Job>>, usize) {
        let (mut count, mut bytes, mut written) = (0, 0, 0_usize);
        for waiting in &self.jobs {
            if count == BATCH || bytes >= BATCH_BYTES {
                break;
            }
            count += 1;
            bytes += waiting.bytes;
            written += if waiting.bytes == 0 { UNKNOWN } else { waiting.bytes };
        }
        self.bytes = self.bytes.saturating_sub(bytes);
        (self.jobs.drain(..count).map(|waiting| waiting.job).collect(), written)
    }
}
