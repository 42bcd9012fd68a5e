//! Following the trail, which is the same for everybody who is told of it: look, tell, wait, and say once that a receiver is away.

use std::future::Future;
use std::time::Duration;

/// How often followers look for something new, and how long they wait for a receiver that is away.
pub(super) const LOOK: Duration = Duration::from_millis(300);
pub(super) const AWAY: Duration = Duration::from_secs(5);

/// Somebody who tells a receiver what is new, from a position of its own.
pub(super) trait Follower: Send {
    /// Tells all that is new, or why the receiver does not take it now; what it did not take comes again.
    fn tell(&mut self) -> impl Future<Output = Result<(), String>> + Send;

    /// Says in the log that the receiver has begun to be away.
    fn is_away(&self, error: &str);

    /// Says in the log that it is back.
    fn is_back(&self) {}
}

/// Follows for as long as the gateway runs.
pub(super) async fn follow(mut follower: impl Follower) {
    let mut away = false;
    loop {
        match follower.tell().await {
            Ok(()) if std::mem::take(&mut away) => follower.is_back(),
            Err(error) if !std::mem::replace(&mut away, true) => follower.is_away(&error),
            Ok(()) | Err(_) => {}
        }
        tokio::time::sleep(if away { AWAY } else { LOOK }).await;
    }
}
