//! How many requests one client may make, and one address that shows no valid token. Nothing is counted where no bound is set.

use crate::access::Caller;
use crate::fhir::{Instant, Refusal};
use quick_cache::sync::Cache;
use std::convert::Infallible;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, Mutex, PoisonError};

/// Whose requests are counted at most. Who comes back after so many others begins anew.
const COUNTED: usize = 10_000;

/// A bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rate {
    /// Requests a second in the long run; 0 is no bound.
    pub per_second: u32,
    /// Requests at once, after a rest.
    pub burst: u32,
}

/// Why a request ends here.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Denied {
    /// Refused, and entered.
    Refused(Refusal),
    /// One of too many.
    Throttled(Over),
}

/// One request beyond the bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Over {
    /// When there is room again, in seconds; at least one.
    pub(super) seconds: u32,
    /// This one is to be entered, and so many were left out before it. `None` for those that are left out.
    pub(super) left_out: Option<u64>,
}

impl From<Refusal> for Denied {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// The bounds of a gateway, and who has used how much of them.
pub(super) struct Rates {
    clients: Option<Gate>,
    strangers: Option<Gate>,
}

impl Rates {
    /// With these bounds.
    pub(super) fn new(clients: Rate, strangers: Rate) -> Self {
        Self { clients: Gate::new(clients), strangers: Gate::new(strangers) }
    }

    /// Counts a request of a client.
    pub(super) fn client(&self, caller: &Caller, now: Instant) -> Result<(), Denied> {
        let Some(gate) = &self.clients else { return Ok(()) };
        gate.pass((&caller.issuer, &caller.client), now).map_err(Denied::Throttled)
    }

    /// Counts a request of nobody known.
    pub(super) fn stranger(&self, address: &str, now: Instant) -> Result<(), Denied> {
        let Some(gate) = &self.strangers else { return Ok(()) };
        gate.pass(address, now).map_err(Denied::Throttled)
    }
}

/// One bound, held against each name by itself.
pub(super) struct Gate {
    rate: Rate,
    hasher: RandomState,
    used: Cache<u64, Arc<Mutex<Used>>>,
}

/// What a name has used, after the generic cell rate algorithm: one moment says it all.
#[derive(Debug, Default)]
struct Used {
    /// When all that was taken will have been earned, in microseconds.
    earned: i64,
    /// The second of the last entry.
    entered: i64,
    left_out: u64,
}

impl Gate {
    /// `None` when there is no bound.
    pub(super) fn new(rate: Rate) -> Option<Self> {
        let used = || Cache::new(COUNTED);
        (rate.per_second > 0).then(|| Self { rate, hasher: RandomState::new(), used: used() })
    }

    /// With a bound that is never none.
    pub(super) fn always(rate: Rate) -> Self {
        Self { rate, hasher: RandomState::new(), used: Cache::new(COUNTED) }
    }

    /// Counts a request of a name.
    pub(super) fn pass(&self, name: impl std::hash::Hash, now: Instant) -> Result<(), Over> {
        let name = self.hasher.hash_one(name);
        let found = self.used.get_or_insert_with(&name, || Ok::<_, Infallible>(Arc::default()));
        let used = match found {
            Ok(used) => used,
            Err(never) => match never {},
        };
        let mut used = used.lock().unwrap_or_else(PoisonError::into_inner);
        used.take(self.rate, now)
    }
}

impl Used {
    fn take(&mut self, rate: Rate, now: Instant) -> Result<(), Over> {
        const SECOND: i64 = 1_000_000;
        let each = (SECOND / i64::from(rate.per_second.max(1))).max(1);
        let at = now.0.saturating_mul(1_000);
        let burst = each.saturating_mul(i64::from(rate.burst.max(1)));
        if self.earned > at.saturating_add(burst) {
            // Nobody can have taken so much: the clock was set back.
            self.earned = at;
        }
        let earned = self.earned.max(at).saturating_add(each);
        let early = earned.saturating_sub(at).saturating_sub(burst);
        if early <= 0 {
            self.earned = earned;
            return Ok(());
        }
        let seconds = u32::try_from(early.div_euclid(SECOND).saturating_add(1)).unwrap_or(u32::MAX);
        let left_out = (self.entered != now.seconds()).then(|| std::mem::take(&mut self.left_out));
        match left_out {
            Some(_) => self.entered = now.seconds(),
            None => self.left_out += 1,
        }
        Err(Over { seconds, left_out })
    }
}

#[cfg(test)]
mod tests {
    use super::{Denied, Gate, Over, Rate, Rates};
    use crate::fhir::Instant;

    const RATE: Rate = Rate { per_second: 10, burst: 3 };

    #[test]
    fn a_burst_passes_and_then_what_is_earned() {
        let gate = Gate::new(RATE).unwrap();
        let ask = |at: i64| gate.pass("one", Instant(at)).is_ok();
        assert!((0..3).all(|_| ask(5_000)));
        assert!(!ask(5_000) && !ask(5_099), "nothing is earned yet");
        assert!(ask(5_100) && !ask(5_100));
        assert!((0..3).all(|_| ask(60_000)) && !ask(60_000), "a rest earns a burst, no more");
        assert!(gate.pass("other", Instant(5_000)).is_ok(), "everybody is counted alone");
    }

    #[test]
    fn a_clock_that_was_set_back_locks_nobody_out() {
        let gate = Gate::new(RATE).unwrap();
        let ask = |at: i64| gate.pass("one", Instant(at)).is_ok();
        assert!(ask(3_600_000));
        assert!((0..3).all(|_| ask(5_000)) && !ask(5_000));
    }

    #[test]
    fn one_of_a_second_is_entered_and_says_how_many_were_not() {
        let gate = Gate::new(Rate { per_second: 1, burst: 1 }).unwrap();
        let ask = |at: i64| gate.pass("one", Instant(at)).err().map(|over| over.left_out);
        assert_eq!(ask(5_000), None);
        assert_eq!([ask(5_000), ask(5_001), ask(5_002)], [Some(Some(0)), Some(None), Some(None)]);
        assert_eq!([ask(6_000), ask(6_001), ask(7_001)], [None, Some(Some(2)), None]);
    }

    #[test]
    fn without_a_bound_nothing_is_counted() {
        let rates = Rates::new(Rate::default(), Rate { per_second: 1, burst: 1 });
        assert!(rates.clients.is_none());
        assert_eq!(rates.stranger("::1", Instant(5_000)), Ok(()));
        let over = Over { seconds: 1, left_out: Some(0) };
        assert_eq!(rates.stranger("::1", Instant(5_001)), Err(Denied::Throttled(over)));
    }
}
