//! Restrictions in force: whom the gateway does not serve now, or not wholly. In memory as the store has them, looked at again several
//! times a second on every node.

use super::Gateway;
use super::rate::{Denied, Gate, Rate};
use crate::access::Caller;
use crate::fhir::{Instant, Interaction, Refusal};
use crate::store::watch::{Effect, Restricted, Restriction, WatchStore};
use arc_swap::ArcSwap;
use std::sync::Arc;
use tokio::sync::Mutex;

/// Requests a second of whoever is throttled.
const THROTTLED: Rate = Rate { per_second: 1, burst: 1 };

/// Keeps the restrictions.
pub struct Restrictions {
    store: Arc<dyn WatchStore>,
    live: ArcSwap<Vec<Restriction>>,
    /// One look at a time: what was read first must not be kept last.
    looking: Mutex<()>,
    slow: Option<Gate>,
}

impl Restrictions {
    /// None known yet.
    pub fn new(store: Arc<dyn WatchStore>) -> Self {
        Self { store, live: ArcSwap::default(), looking: Mutex::default(), slow: Gate::new(THROTTLED) }
    }

    /// Takes over what the store has now.
    pub(super) async fn load(&self, now: Instant) -> Result<(), Refusal> {
        let _looking = self.looking.lock().await;
        self.live.store(Arc::new(self.store.restrictions(now).await?));
        Ok(())
    }

    /// Is this address served, before anybody is known?
    pub(super) fn address(&self, address: &str, now: Instant) -> Result<(), Denied> {
        self.held(now, |one| one.kind == Restricted::Address && one.target == address)
    }

    /// Is this address locked out altogether?
    pub(super) fn suspends(&self, address: &str, now: Instant) -> Result<(), Denied> {
        self.held(now, |one| one.kind == Restricted::Address && one.effect == Effect::Suspend && one.target == address)
    }

    /// Is this caller served?
    pub(super) fn caller(&self, caller: &Caller, now: Instant) -> Result<(), Denied> {
        self.held(now, |one| one.kind != Restricted::Address && concerns(one, caller))
    }

    fn held(&self, now: Instant, fits: impl Fn(&Restriction) -> bool) -> Result<(), Denied> {
        let live = self.live.load();
        if live.is_empty() {
            return Ok(());
        }
        for one in live.iter().filter(|one| is_live(one, now) && fits(one)) {
            match (one.effect, one.kind) {
                (Effect::Suspend, Restricted::Token) => return Err(Refusal::TokenInvalid("revoked").into()),
                (Effect::Suspend, kind) => return Err(Refusal::Suspended(kind.word()).into()),
                (Effect::Throttle, _) => {
                    if let Some(slow) = &self.slow {
                        slow.pass((one.kind, one.target.as_str()), now).map_err(Denied::Throttled)?;
                    }
                }
                (Effect::Hold | Effect::WriteLock | Effect::Pause, _) => {}
            }
        }
        Ok(())
    }

    /// May this caller write? A lock is for one client or user, or for everybody.
    pub(super) fn writes(&self, caller: &Caller, now: Instant) -> Result<(), Refusal> {
        let locked = |one: &Restriction| one.effect == Effect::WriteLock && is_live(one, now) && concerns(one, caller);
        if self.live.load().iter().any(locked) { Err(Refusal::WriteLocked) } else { Ok(()) }
    }

    /// Is anything taken from a client that sends from this address without a token?
    pub(super) fn takes_from(&self, client: &str, address: &str, now: Instant) -> bool {
        let meant = |one: &Restriction| match one.kind {
            Restricted::Client => one.target == client,
            Restricted::Address => one.target == address,
            Restricted::Everybody => true,
            Restricted::User | Restricted::Token => false,
        };
        let stops =
            |one: &Restriction| matches!(one.effect, Effect::Suspend | Effect::WriteLock) && is_live(one, now) && meant(one);
        !self.live.load().iter().any(stops)
    }

    /// Is a client locked out, so that it gets no token either?
    pub(super) fn locks_out(&self, client: &str, now: Instant) -> bool {
        let out = |one: &Restriction| {
            let meant = (one.kind == Restricted::Client && one.target == client) || one.kind == Restricted::Everybody;
            one.effect == Effect::Suspend && is_live(one, now) && meant
        };
        self.live.load().iter().any(out)
    }

    /// Must an export of this caller wait for an approval?
    pub fn holds_exports(&self, caller: &Caller, now: Instant) -> bool {
        let held = |one: &Restriction| matches!(one.effect, Effect::Hold) && is_live(one, now) && concerns(one, caller);
        self.live.load().iter().any(held)
    }

    /// Must a notification to this subscription, of this client, wait?
    pub fn pauses(&self, subscription: &str, now: Instant) -> bool {
        let held = |one: &Restriction| {
            one.effect == Effect::Pause && is_live(one, now) && (one.target == subscription || one.target.is_empty())
        };
        self.live.load().iter().any(held)
    }
}

fn is_live(one: &Restriction, now: Instant) -> bool {
    one.begins <= now && one.ends.is_none_or(|ends| now < ends)
}

fn concerns(one: &Restriction, caller: &Caller) -> bool {
    match one.kind {
        Restricted::Client => one.target == caller.client,
        Restricted::User => {
            caller.user.as_ref().is_some_and(|user| user.to_string() == one.target) || caller.subject == one.target
        }
        Restricted::Token => caller.token_id.as_deref() == Some(one.target.as_str()),
        Restricted::Everybody => true,
        Restricted::Address => false,
    }
}

/// Whether this changes records.
pub(super) fn changes(interaction: &Interaction) -> bool {
    matches!(
        interaction,
        Interaction::Create(..)
            | Interaction::Update(..)
            | Interaction::ConditionalUpdate(..)
            | Interaction::Patch(..)
            | Interaction::ConditionalPatch(..)
            | Interaction::Delete(..)
            | Interaction::ConditionalDelete(_)
    )
}

impl Gateway {
    /// Takes over the restrictions that the store has now. To be called several times a second.
    pub async fn look_at_restrictions(&self) {
        if let Err(refusal) = self.parts.restrictions.load(self.parts.clock.now()).await {
            tracing::warn!(code = refusal.told().code, "the restrictions could not be read again");
        }
    }

    /// The restrictions in force.
    pub fn restrictions(&self) -> &Restrictions {
        &self.parts.restrictions
    }
}
