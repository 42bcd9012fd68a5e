//! Subscribers of replaced results: they follow the durable trail, each from a position of its own, so nothing that was committed is
//! missed and a receiver that is away holds up nobody.

use super::follow::Follower;
use super::target::{Letter, Parcel, Receiver};
use crate::audit::{Event, Leaf};
use crate::clock::Clock;
use crate::config;
use crate::fhir::{Key, Outcome, Touched};
use crate::lab::changes::{Audience, Replaced};
use crate::store::StoreError;
use crate::store::evidence::{EvidenceStore, LeafRow, Position};
use std::sync::Arc;

/// Entries looked at at once.
const BATCH: u32 = 200;

/// One subscriber.
pub(super) struct Subscriber {
    store: Arc<dyn EvidenceStore>,
    audience: Arc<dyn Audience>,
    clock: Clock,
    /// How far it has come is kept under it.
    follower: String,
    settings: config::Subscriber,
    receiver: Receiver,
    /// The last change that was entered as told.
    entered: Option<(i64, Key)>,
}

impl Subscriber {
    pub(super) fn new(
        store: &Arc<dyn EvidenceStore>,
        audience: &Arc<dyn Audience>,
        clock: &Clock,
        settings: &config::Subscriber,
    ) -> Self {
        Self {
            store: Arc::clone(store),
            audience: Arc::clone(audience),
            clock: clock.clone(),
            follower: format!("subscriber-{}", settings.name),
            receiver: Receiver::of(&settings.to),
            settings: settings.clone(),
            entered: None,
        }
    }

    /// Takes its place. A new subscriber begins with what comes from now on.
    pub(super) async fn begin(&self) -> Result<(), StoreError> {
        if self.store.position(&self.follower).await?.at > 0 {
            return Ok(());
        }
        let newest = self.store.last_row().await?.map_or(0, |row| row.seq);
        self.advance(newest).await
    }

    async fn advance(&self, position: i64) -> Result<(), StoreError> {
        let done = Position { position, at: self.clock.now().0 };
        self.store.advance(&self.follower, done).await
    }

    async fn send(&mut self, change: &Replaced) -> Result<(), String> {
        let mark = (change.number, change.key.clone());
        let again = self.entered.as_ref() == Some(&mark);
        let told = self.audience.announce(&self.settings.name, &self.settings.client, change, again).await?;
        let Some(body) = told else { return Ok(()) };
        self.entered = Some(mark);
        let parcel = Parcel {
            media_type: "application/fhir+json",
            messages: vec![body.clone()],
            body: format!("{body}\n"),
            letter: Letter::default(),
        };
        self.receiver.send(parcel).await
    }
}

impl Follower for Subscriber {
    async fn tell(&mut self) -> Result<(), String> {
        let told = |error: StoreError| error.to_string();
        loop {
            let at = self.store.position(&self.follower).await.map_err(told)?.position;
            let rows = self.store.rows(at, BATCH).await.map_err(told)?;
            let Some(last) = rows.last().map(|row| row.seq) else { return Ok(()) };
            for row in &rows {
                let changes = replaced(row);
                for change in &changes {
                    self.send(change).await?;
                }
                if !changes.is_empty() {
                    self.advance(row.seq).await.map_err(told)?;
                }
            }
            self.advance(last).await.map_err(told)?;
        }
    }

    fn is_away(&self, error: &str) {
        let subscriber = &self.settings.name;
        tracing::warn!(code = "AMANAT-LAB-0001", subscriber, error, "a subscriber of replaced results waits");
    }
}

/// The results that an entry tells were replaced.
fn replaced(row: &LeafRow) -> Vec<Replaced> {
    let Ok(leaf) = Leaf::decode(&row.leaf) else { return Vec::new() };
    let entry = leaf.entry;
    if entry.is_opening() || entry.outcome != Outcome::Success || !matches!(entry.event, Event::Rest("update" | "patch")) {
        return Vec::new();
    }
    let change = |one: &Touched| {
        let key = Key::new(one.resource_type, one.id.clone());
        let version = one.version.filter(|version| version.0 > 1)?;
        Replaced::is_result(&key).then_some(Replaced { number: row.seq, key, version: version.0, at: entry.recorded })
    };
    entry.records.iter().filter_map(change).collect()
}
