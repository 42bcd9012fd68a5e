//! The circuit breaker: a server that is away or sick is left alone for a while.
//!
//! What it cannot be reached for counts at once. What may be the fault of a question (a status 500, an answer in vain waited for) is only a
//! reason to ask it something harmless: whoever finds a query that it fails at closes it to nobody.

use super::super::fault::Fault;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Failures in a row after which it is left alone, or asked how it is.
const FAILURES: u32 = 5;
const SHORTEST: Duration = Duration::from_secs(2);
const LONGEST: Duration = Duration::from_mins(1);
/// How long it counts that it answered the harmless question.
const TRUSTED: Duration = Duration::from_secs(10);

/// What the end of a request tells of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sign {
    /// It works.
    Well,
    /// It failed, which may be the fault of what it was asked.
    Odd,
    /// It is away, or says that it cannot answer anything now.
    Away,
}

impl Sign {
    /// What a status tells.
    pub(super) fn of_status(status: u16) -> Self {
        match status {
            500 | 504 => Self::Odd,
            502 | 503 => Self::Away,
            _ => Self::Well,
        }
    }

    /// What it tells that there was no answer.
    pub(super) fn of_fault(fault: &Fault) -> Self {
        match fault {
            Fault::Unreachable(_) => Self::Away,
            Fault::Slow(_) | Fault::Lost(_) => Self::Odd,
            _ => Self::Well,
        }
    }
}

/// What is to be done before a request is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pass {
    /// Nothing.
    Go,
    /// The server is to be asked how it is, and [`Breaker::answered`] to be told. Nobody else asks meanwhile.
    Ask,
}

/// The breaker of one server.
#[derive(Debug, Default)]
pub(super) struct Breaker(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    failures: u32,
    /// One of them may be the fault of what was asked.
    doubtful: bool,
    /// Left alone until then; afterwards it is asked how it is.
    until: Option<Instant>,
    pause: Duration,
    /// Somebody is asking.
    asking: bool,
    /// When it answered the harmless question last.
    trusted: Option<Instant>,
}

impl Breaker {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// May a request go out at this moment?
    pub(super) fn pass(&self, now: Instant) -> Result<Pass, Fault> {
        let mut state = self.state();
        let left = state.until.map(|until| until.saturating_duration_since(now));
        match left {
            Some(left) if left > Duration::ZERO || state.asking => {
                let seconds = u32::try_from(left.as_secs()).unwrap_or(60).saturating_add(1);
                return Err(Fault::Busy(seconds));
            }
            None if state.asking || !state.is_in_doubt(now) => return Ok(Pass::Go),
            _ => {}
        }
        state.asking = true;
        Ok(Pass::Ask)
    }

    /// It was asked how it is: does it answer? If so others may ask again; a failure that follows an opening counts on from those before.
    pub(super) fn answered(&self, well: bool, now: Instant) -> Result<(), Fault> {
        let mut state = self.state();
        state.asking = false;
        if !well {
            state.open(now);
            return Err(Fault::Busy(u32::try_from(state.pause.as_secs()).unwrap_or(60)));
        }
        state.failures = if state.until.take().is_some() { FAILURES - 1 } else { 0 };
        (state.doubtful, state.trusted) = (false, Some(now));
        Ok(())
    }

    /// Whoever was asking how it is gave up.
    pub(super) fn forget(&self) {
        self.state().asking = false;
    }

    /// Notes how a request ended.
    pub(super) fn note(&self, sign: Sign, now: Instant) {
        let mut state = self.state();
        // One that was under way when the others failed tells nothing new.
        if state.until.is_some() && sign != Sign::Well {
            return;
        }
        if sign == Sign::Well {
            *state = State { asking: state.asking, trusted: state.trusted, ..State::default() };
            return;
        }
        state.failures = state.failures.saturating_add(1);
        state.doubtful |= sign == Sign::Odd;
        if state.failures >= FAILURES && !state.doubtful {
            state.open(now);
        }
    }

    /// Whether it is left alone.
    pub(super) fn is_open(&self) -> bool {
        self.state().until.is_some()
    }
}

impl State {
    /// Whether it failed so often that it is to be asked, and was not asked just now.
    fn is_in_doubt(&self, now: Instant) -> bool {
        let trusted = self.trusted.is_some_and(|since| now.saturating_duration_since(since) < TRUSTED);
        self.failures >= FAILURES && self.doubtful && !trusted
    }

    fn open(&mut self, now: Instant) {
        self.pause = (self.pause * 2).clamp(SHORTEST, LONGEST);
        (self.until, self.failures, self.doubtful) = (Some(now + self.pause), 0, false);
        metrics::counter!("amanat_upstream_left_alone_total").increment(1);
        tracing::warn!(seconds = self.pause.as_secs(), "the upstream keeps failing and is left alone");
    }
}

#[cfg(test)]
mod tests {
    use super::{Breaker, FAILURES, Pass, SHORTEST, Sign, TRUSTED};
    use tokio::time::Instant;

    fn fail(breaker: &Breaker, sign: Sign, now: Instant) {
        for _ in 0..FAILURES {
            assert_eq!(breaker.pass(now), Ok(Pass::Go));
            breaker.note(sign, now);
        }
    }

    #[test]
    fn a_server_that_is_away_is_left_alone_then_asked_by_one() {
        let (breaker, start) = (Breaker::default(), Instant::now());
        fail(&breaker, Sign::Away, start);
        assert!(breaker.pass(start).is_err() && breaker.is_open());
        for _ in 0..20 {
            breaker.note(Sign::Away, start);
        }
        let later = start + SHORTEST;
        assert_eq!(breaker.pass(later), Ok(Pass::Ask), "one asks");
        assert!(breaker.pass(later).is_err(), "and no other");
        assert!(breaker.answered(false, later).is_err());
        assert!(breaker.pass(later + SHORTEST).is_err(), "twice as long");
        let last = later + SHORTEST * 2;
        assert_eq!(breaker.pass(last), Ok(Pass::Ask));
        assert!(breaker.answered(true, last).is_ok() && !breaker.is_open());
        assert_eq!(breaker.pass(last), Ok(Pass::Go));
        breaker.note(Sign::Well, last);
        fail(&breaker, Sign::Away, last);
        assert_eq!(breaker.pass(last + SHORTEST), Ok(Pass::Ask), "as short as at first");
    }

    #[test]
    fn what_a_question_may_be_to_blame_for_is_asked_before_it_counts() {
        let (breaker, start) = (Breaker::default(), Instant::now());
        fail(&breaker, Sign::Odd, start);
        assert_eq!(breaker.pass(start), Ok(Pass::Ask));
        assert_eq!(breaker.pass(start), Ok(Pass::Go), "others go on meanwhile");
        assert!(breaker.answered(true, start).is_ok());
        for _ in 0..4 {
            fail(&breaker, Sign::Odd, start + TRUSTED / 2);
        }
        assert!(!breaker.is_open(), "it was asked just now");
        assert_eq!(breaker.pass(start + TRUSTED), Ok(Pass::Ask));
        assert!(breaker.answered(false, start + TRUSTED).is_err() && breaker.is_open());
    }

    #[test]
    fn a_server_that_answers_nothing_but_the_harmless_question_is_left_alone_longer_each_time() {
        let (breaker, mut now) = (Breaker::default(), Instant::now());
        fail(&breaker, Sign::Away, now);
        for pause in [SHORTEST, SHORTEST * 2, SHORTEST * 4] {
            assert!(breaker.pass(now + pause / 2).is_err());
            now += pause;
            assert_eq!(breaker.pass(now), Ok(Pass::Ask));
            assert!(breaker.answered(true, now).is_ok());
            breaker.note(Sign::Away, now);
            assert!(breaker.is_open(), "one more is enough");
        }
    }

    #[test]
    fn whoever_gives_up_asking_leaves_it_to_the_next() {
        let (breaker, start) = (Breaker::default(), Instant::now());
        fail(&breaker, Sign::Away, start);
        assert_eq!(breaker.pass(start + SHORTEST), Ok(Pass::Ask));
        breaker.forget();
        assert_eq!(breaker.pass(start + SHORTEST), Ok(Pass::Ask));
    }
}
