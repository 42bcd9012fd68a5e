//! Emergency access: the rules of the site, and the grants that hold, in memory as the store has them.

use super::Gateway;
use crate::access::{BreakGlass, Caller};
use crate::audit::{Agent, Entry, Event, Receipt};
use crate::fhir::{Instant, Key, Refusal};
use crate::identity::Registrations as _;
use crate::store::emergency::{EmergencyStore, Opening};
use crate::telemetry;
use arc_swap::ArcSwap;
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::Mutex;

/// `[consent.break_glass]`, as it decides here.
#[derive(Debug, Clone, Default)]
pub struct EmergencyRules {
    /// Whether there is emergency access at all.
    pub enabled: bool,
    /// Role words of users who may have it.
    pub roles: Vec<String>,
    /// Values of `acr` that are strong enough.
    pub acr: Vec<String>,
    /// Reasons that may be given.
    pub reasons: Vec<String>,
    /// How long it lasts when nothing else is asked for.
    pub minutes: u32,
    /// The longest that may be asked for.
    pub max_minutes: u32,
}

type Live = HashMap<String, Arc<BreakGlass>>;

/// Keeps the grants that hold.
pub struct Emergency {
    rules: EmergencyRules,
    store: Arc<dyn EmergencyStore>,
    live: ArcSwap<Live>,
    /// Held while the store and the memory are brought to the same state.
    changing: Mutex<()>,
}

impl Emergency {
    /// None known yet.
    pub fn new(rules: EmergencyRules, store: Arc<dyn EmergencyStore>) -> Self {
        Self { rules, store, live: ArcSwap::default(), changing: Mutex::new(()) }
    }

    /// The rules of the site.
    pub(super) fn rules(&self) -> &EmergencyRules {
        &self.rules
    }

    /// Where it is kept.
    pub(super) fn store(&self) -> &dyn EmergencyStore {
        self.store.as_ref()
    }

    /// Takes over what the store has now: another process may have ended a grant.
    pub(super) async fn load(&self, now: Instant) -> Result<(), Refusal> {
        let _changing = self.changing.lock().await;
        let grants = self.store.live(now).await?;
        self.keep(grants.into_iter().map(|grant| (grant.id.clone(), Arc::new(grant))).collect());
        Ok(())
    }

    fn keep(&self, live: Live) {
        #[expect(clippy::cast_precision_loss, reason = "nobody grants 2^52 times")]
        metrics::gauge!(telemetry::BREAK_GLASS_OPEN).set(live.len() as f64);
        self.live.store(Arc::new(live));
    }

    /// Keeps a new grant; it holds on the next request.
    pub(super) async fn open(&self, opening: Opening) -> Result<Receipt, Refusal> {
        let _changing = self.changing.lock().await;
        let grant = Arc::new(opening.grant.clone());
        let receipt = self.store.open(opening).await?;
        let mut live = Live::clone(&self.live.load());
        live.insert(grant.id.clone(), grant);
        self.keep(live);
        Ok(receipt)
    }

    /// Ends grants; they hold no more on the next request.
    pub(super) async fn end(&self, grants: &[String], by: &str, now: Instant, entry: Entry) -> Result<Receipt, Refusal> {
        let _changing = self.changing.lock().await;
        let receipt = self.store.end(grants, by, now, entry).await?;
        let mut live = Live::clone(&self.live.load());
        live.retain(|id, _| !grants.contains(id));
        self.keep(live);
        Ok(receipt)
    }

    /// The grants that hold and fit.
    pub(super) fn holding(&self, now: Instant, fits: impl Fn(&BreakGlass) -> bool) -> Vec<Arc<BreakGlass>> {
        self.live.load().values().filter(|grant| grant.is_live(now) && fits(grant)).cloned().collect()
    }

    /// The grant that a caller's token belongs to.
    ///
    /// # Errors
    /// [`Refusal::TokenInvalid`] when that grant holds no more, or is not this caller's.
    pub(super) fn of(&self, caller: &Caller, now: Instant) -> Result<Option<Arc<BreakGlass>>, Refusal> {
        let Some(id) = &caller.sign_in.grant else { return Ok(None) };
        let grant = self.live.load().get(id).filter(|grant| grant.serves(caller, now)).cloned();
        grant.map(Some).ok_or(Refusal::TokenInvalid("grant"))
    }
}

impl Gateway {
    /// Takes over what other processes changed, and ends the grants of clients that are locked out. To be called every second.
    pub(super) async fn tend_emergencies(&self) -> Result<(), Refusal> {
        let now = self.parts.clock.now();
        let emergency = &self.parts.emergency;
        emergency.load(now).await?;
        let registry = &self.parts.tokens.registry;
        let out = |grant: &BreakGlass| registry.find(&grant.issuer, &grant.client).is_none_or(|client| client.disabled);
        if self.fresh.leads() {
            self.end_emergencies("client-disabled", out).await?;
        }
        let overdue = emergency.store().cases(false).await?.iter().filter(|case| case.is_overdue(now)).count();
        #[expect(clippy::cast_precision_loss, reason = "a count of open cases is far below 2^52")]
        metrics::gauge!(telemetry::BREAK_GLASS_OVERDUE).set(overdue as f64);
        Ok(())
    }

    /// Ends the grants of a user, or the one of this id. Gives how many there were.
    ///
    /// # Errors
    /// When the store or the trail cannot be written.
    pub async fn end_emergency(&self, grant: Option<&str>, user: Option<&Key>, by: &str) -> Result<usize, Refusal> {
        let named = |held: &BreakGlass| grant == Some(held.id.as_str()) || user == Some(&held.user);
        self.end_emergencies(by, named).await
    }

    async fn end_emergencies(&self, by: &str, which: impl Fn(&BreakGlass) -> bool) -> Result<usize, Refusal> {
        let now = self.parts.clock.now();
        let ending = self.parts.emergency.holding(now, which);
        for grant in &ending {
            let agent = Agent { client: by.to_owned(), purposes: vec!["BTG".to_owned()], ..Agent::default() };
            let entry = Entry::concluded(Event::Override("ended"), agent, now, uuid::Uuid::now_v7().to_string());
            let entry = entry.concerning([grant.patient.clone()]).asking(&format!("grant={}", grant.id));
            let _receipt = self.parts.emergency.end(std::slice::from_ref(&grant.id), by, now, entry).await?;
        }
        Ok(ending.len())
    }
}
