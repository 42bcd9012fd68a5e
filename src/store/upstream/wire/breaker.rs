//! The circuit breaker: a server that keeps failing is left alone for a while, then tried with one request.

use super::super::fault::Fault;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Failures in a row after which it is left alone.
const FAILURES: u32 = 5;
const SHORTEST: Duration = Duration::from_secs(2);
const LONGEST: Duration = Duration::from_mins(1);

/// The breaker of one server.
#[derive(Debug, Default)]
pub(in crate::store::upstream) struct Breaker(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    failures: u32,
    /// Left alone until then; afterwards one request tries.
    until: Option<Instant>,
    pause: Duration,
    trying: bool,
}

impl Breaker {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// May a request go out at this moment?
    pub(in crate::store::upstream) fn pass(&self, now: Instant) -> Result<(), Fault> {
        let mut state = self.state();
        let Some(until) = state.until else { return Ok(()) };
        let left = until.saturating_duration_since(now);
        if left > Duration::ZERO || state.trying {
            let seconds = u32::try_from(left.as_secs()).unwrap_or(60).saturating_add(1);
            return Err(Fault::Busy(seconds));
        }
        state.trying = true;
        Ok(())
    }

    /// An answer has begun: others may ask again. A failure that follows counts on from those before.
    pub(in crate::store::upstream) fn begun(&self) {
        let mut state = self.state();
        (state.until, state.trying) = (None, false);
    }

    /// Notes how a request ended.
    pub(in crate::store::upstream) fn note(&self, failed: bool, now: Instant) {
        let mut state = self.state();
        state.trying = false;
        if !failed {
            *state = State::default();
            return;
        }
        // One that was under way when the others failed tells nothing new.
        if state.until.is_some_and(|until| now < until) {
            return;
        }
        state.failures = state.failures.saturating_add(1);
        if state.failures >= FAILURES {
            state.pause = (state.pause * 2).clamp(SHORTEST, LONGEST);
            state.until = Some(now + state.pause);
            metrics::counter!("amanat_upstream_left_alone_total").increment(1);
            tracing::warn!(seconds = state.pause.as_secs(), "the upstream keeps failing and is left alone");
        }
    }

    /// A request was given up before it could tell anything.
    pub(in crate::store::upstream) fn forget(&self) {
        self.state().trying = false;
    }

    /// Whether it is left alone.
    pub(in crate::store::upstream) fn is_open(&self) -> bool {
        self.state().until.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::{Breaker, FAILURES, SHORTEST};
    use tokio::time::Instant;

    #[test]
    fn after_many_failures_it_is_left_alone_then_tried_once() {
        let (breaker, start) = (Breaker::default(), Instant::now());
        for _ in 1..FAILURES {
            breaker.note(true, start);
        }
        assert!(breaker.pass(start).is_ok());
        breaker.note(true, start);
        assert!(breaker.pass(start).is_err() && breaker.is_open());
        for _ in 0..20 {
            breaker.note(true, start);
        }
        let later = start + SHORTEST;
        assert!(breaker.pass(later).is_ok(), "one tries");
        assert!(breaker.pass(later).is_err(), "and no other");
        breaker.note(true, later);
        assert!(breaker.pass(later + SHORTEST).is_err(), "twice as long");
        assert!(breaker.pass(later + SHORTEST * 2).is_ok());
        breaker.note(false, later);
        assert!(breaker.pass(later).is_ok() && !breaker.is_open());
    }

    #[test]
    fn an_answer_that_begins_lets_others_ask_and_one_that_breaks_off_stops_them() {
        let (breaker, start) = (Breaker::default(), Instant::now());
        for _ in 0..FAILURES {
            breaker.note(true, start);
        }
        let later = start + SHORTEST;
        assert!(breaker.pass(later).is_ok() && breaker.pass(later).is_err());
        breaker.begun();
        assert!(breaker.pass(later).is_ok() && !breaker.is_open(), "it answers");
        breaker.note(true, later);
        assert!(breaker.pass(later + SHORTEST).is_err(), "and does not end: twice as long");
    }
}
