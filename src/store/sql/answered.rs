//! How those who wait for a commit hear of it: one wake-up for each thread that waits, not one for each request.
//!
//! Waking a task of another thread costs a system call. So of the waiting requests of one thread the first is woken, and it wakes the
//! others when it runs, on their own thread, where that costs nothing.

use crate::store::StoreError;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread::ThreadId;

/// What came of one entry: its number.
pub(super) type Outcome = Result<i64, StoreError>;

/// The side of whoever waits.
pub(super) struct Answered(Arc<Slot>);

/// The side of the writer. Dropped without an answer, it says that the writer ended.
pub(super) struct Answering {
    slot: Arc<Slot>,
    /// The thread that waits.
    home: ThreadId,
}

struct Slot(Mutex<State>);

#[derive(Default)]
struct State {
    outcome: Option<Outcome>,
    waker: Option<Waker>,
    /// Those of the same thread that are to be woken by this one.
    others: Vec<Arc<Slot>>,
    /// Nobody waits any more.
    gone: bool,
}

/// A place to wait, and one to answer to.
pub(super) fn waiting() -> (Answering, Answered) {
    let slot = Arc::new(Slot(Mutex::default()));
    (Answering { slot: Arc::clone(&slot), home: std::thread::current().id() }, Answered(slot))
}

impl Slot {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake(&self) {
        let waker = self.state().waker.take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

fn wake_all(slots: &[Arc<Slot>]) {
    for slot in slots {
        slot.wake();
    }
}

impl Future for Answered {
    type Output = Outcome;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Outcome> {
        let mut state = self.0.state();
        let Some(outcome) = state.outcome.take() else {
            state.waker = Some(context.waker().clone());
            return Poll::Pending;
        };
        let others = std::mem::take(&mut state.others);
        drop(state);
        wake_all(&others);
        Poll::Ready(outcome)
    }
}

impl Drop for Answered {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.gone = true;
        let others = std::mem::take(&mut state.others);
        drop(state);
        wake_all(&others);
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        let mut state = self.slot.state();
        if state.outcome.is_none() && !state.gone {
            state.outcome = Some(Err(StoreError::Unavailable("the writer ended".into())));
            drop(state);
            self.slot.wake();
        }
    }
}

/// Answers that are ready to be given, gathered over a batch.
#[derive(Default)]
pub(super) struct Answers(Vec<(ThreadId, Arc<Slot>)>);

impl Answers {
    /// Notes an answer. Whoever waits sees it when woken.
    pub(super) fn add(&mut self, to: &Answering, outcome: Outcome) {
        to.slot.state().outcome = Some(outcome);
        self.0.push((to.home, Arc::clone(&to.slot)));
    }

    /// Wakes one waiting request of each thread, and through it the others.
    pub(super) fn give(mut self) {
        while let Some((home, first)) = self.0.pop() {
            let others: Vec<Arc<Slot>> = self.0.extract_if(.., |(thread, _)| *thread == home).map(|(_, slot)| slot).collect();
            let mut state = first.state();
            // Taken already, or never waited for: there is no run to come in which it could wake anybody.
            if state.gone || state.outcome.is_none() {
                drop(state);
                wake_all(&others);
                continue;
            }
            state.others = others;
            drop(state);
            first.wake();
        }
    }
}
