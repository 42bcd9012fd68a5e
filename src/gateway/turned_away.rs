//! Requests that HTTP itself turned away below the FHIR base, entered into the trail: a denial is an entry too.
//!
//! Nobody is known yet, so anybody can cause these. Each costs a row, so that no more than [`A_SECOND`] are entered in one second; the next
//! entry tells how many were left out, and the log has a line for each of them.

use super::Gateway;
use crate::audit::{Agent, Entry, Event};
use crate::fhir::{Instant, Outcome};
use std::sync::{Mutex, PoisonError};

/// Entries of one second.
const A_SECOND: u32 = 50;

/// A request that was turned away before anybody could be asked.
#[derive(Debug)]
pub struct TurnedAway<'a> {
    /// The HTTP method, as it came.
    pub method: &'a str,
    /// `X-Request-Id`
    pub request_id: &'a str,
    /// The client's network address.
    pub address: String,
    /// How it ended.
    pub outcome: Outcome,
    /// Machine code of the reason.
    pub reason: &'a str,
}

/// How many may still be entered.
#[derive(Debug, Default)]
pub(super) struct Allowance(Mutex<Counted>);

#[derive(Debug, Default)]
struct Counted {
    second: i64,
    entered: u32,
    left_out: u64,
}

impl Allowance {
    /// Whether one more may be entered now; then, how many were left out since the last.
    fn take(&self, now: Instant) -> Option<u64> {
        let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if counted.second != now.seconds() {
            (counted.second, counted.entered) = (now.seconds(), 0);
        }
        if counted.entered >= A_SECOND {
            counted.left_out += 1;
            return None;
        }
        counted.entered += 1;
        Some(std::mem::take(&mut counted.left_out))
    }
}

impl Gateway {
    /// Enters a request that was turned away, within the bound. Its answer holds nothing of any record, so that it is given even when the
    /// trail cannot be written.
    pub async fn turned_away(&self, request: TurnedAway<'_>) {
        let now = self.parts.clock.now();
        let Some(left_out) = self.turned_away.take(now) else { return };
        let agent = Agent::unknown(&request.address);
        let reason = match left_out {
            0 => request.reason.to_owned(),
            more => format!("{} and {more} like it before", request.reason),
        };
        let mut entry = Entry::concluded(Event::Rest(event(request.method)), agent, now, request.request_id).because(reason);
        entry.outcome = request.outcome;
        if self.parts.trail.append(entry).await.is_err() {
            tracing::error!("the trail cannot be written");
        }
    }
}

/// The interaction that a method most likely meant.
fn event(method: &str) -> &'static str {
    match method {
        "GET" | "HEAD" => "read",
        "POST" => "create",
        "PUT" => "update",
        "PATCH" => "patch",
        "DELETE" => "delete",
        _ => "operation",
    }
}

#[cfg(test)]
mod tests {
    use super::{A_SECOND, Allowance};
    use crate::fhir::Instant;

    #[test]
    fn a_flood_is_counted_and_only_its_beginning_entered() {
        let (allowance, second) = (Allowance::default(), Instant(5_000));
        for _ in 0..A_SECOND {
            assert_eq!(allowance.take(second), Some(0));
        }
        for _ in 0..7 {
            assert_eq!(allowance.take(second), None);
        }
        let next = Instant(6_000);
        assert_eq!(allowance.take(next), Some(7), "what was left out is told once");
        assert_eq!(allowance.take(next), Some(0));
    }
}
