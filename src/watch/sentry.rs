//! The sentry: looks at every durable entry with the alert rules, raises alarms with what is to be done, and draws accesses for review.

use crate::audit::rules::{Acquaintance, Alarm, Detectors, Known, Measure, Rule, Subject};
use crate::audit::{Agent, Entry, Event, Leaf};
use crate::clock::Clock;
use crate::config;
use crate::fhir::{Id, Instant, Outcome, ResourceType};
use crate::store::StoreError;
use crate::store::evidence::{EvidenceStore, LeafRow, Position};
use crate::store::watch::{Alarming, Effect, Mute, Raised, Restricted, Restriction, Reviewed, WatchStore};
use crate::telemetry;
use quick_cache::sync::Cache;
use std::collections::HashMap;
use std::sync::Arc;

/// The name that its position is kept under.
const NAME: &str = "sentry";
/// Entries looked at between two notes of the position.
const BATCH: u32 = 500;
/// What it learns habits from at the start.
const HABIT: i64 = 30 * 24 * 3_600;
/// Seconds that a throttle lasts, that a revoked token is remembered, and in which somebody must have looked.
const THROTTLE: i64 = 900;
const REVOKED: i64 = 24 * 3_600;
const REVIEW: i64 = 72 * 3_600;
const SAMPLE: i64 = 14 * 24 * 3_600;
/// Pairs of user and patient whose standing is remembered.
const PAIRS: usize = 10_000;
/// Milliseconds for which that is believed.
const ACQUAINTED: i64 = 600_000;

/// What the sentry is given.
pub(super) struct Sentry {
    evidence: Arc<dyn EvidenceStore>,
    store: Arc<dyn WatchStore>,
    acquaintance: Arc<dyn Acquaintance>,
    detectors: Detectors,
    settings: config::Alarms,
    sampled: u64,
    clock: Clock,
    at: i64,
    /// When the trail began: rules about habits have to learn them first.
    began: Instant,
    /// How user and patient stand to each other, and when that was looked up.
    pairs: Cache<(String, Id), (i64, Known)>,
}

impl Sentry {
    pub(super) fn new(
        evidence: &Arc<dyn EvidenceStore>,
        store: &Arc<dyn WatchStore>,
        acquaintance: Arc<dyn Acquaintance>,
        settings: &config::Alarms,
        sampled: u32,
        clock: &Clock,
    ) -> Self {
        Self {
            evidence: Arc::clone(evidence),
            store: Arc::clone(store),
            acquaintance,
            detectors: Detectors::new(settings.thresholds.clone()),
            settings: settings.clone(),
            sampled: u64::from(sampled),
            clock: clock.clone(),
            at: 0,
            began: clock.now(),
            pairs: Cache::new(PAIRS),
        }
    }

    /// Takes up where it stood: what came before is looked at once more, to know what is usual, and raises nothing.
    pub(super) async fn begin(&mut self) -> Result<(), StoreError> {
        let end = self.evidence.position(NAME).await?.position;
        let first = self.evidence.rows(0, 1).await?;
        self.began = first.first().and_then(|row| Leaf::decode(&row.leaf).ok()).map_or(self.began, |leaf| leaf.entry.recorded);
        let mut at = self.evidence.before(self.clock.now().plus_seconds(-HABIT)).await?;
        let nobody = HashMap::new();
        while at < end {
            let rows = self.evidence.rows(at, BATCH).await?;
            let Some(last) = rows.last().map(|row| row.seq) else { break };
            for row in rows.iter().filter(|row| row.seq <= end) {
                if let Ok(leaf) = Leaf::decode(&row.leaf) {
                    drop(self.detectors.see(row.seq, &leaf.entry, &nobody));
                }
            }
            at = last;
            tokio::task::yield_now().await;
        }
        self.at = end;
        Ok(())
    }

    /// Looks at what has come since. Gives whether there may be more.
    pub(super) async fn follow(&mut self) -> Result<bool, StoreError> {
        let rows = self.evidence.rows(self.at, BATCH).await?;
        let Some(last) = rows.last().map(|row| row.seq) else { return Ok(false) };
        let mut drawn = Vec::new();
        for row in &rows {
            let Ok(leaf) = Leaf::decode(&row.leaf) else { continue };
            let known = self.known(&leaf.entry).await;
            for alarm in self.detectors.see(row.seq, &leaf.entry, &known) {
                self.raise(alarm).await?;
            }
            drawn.extend(self.draw(row, &leaf.entry));
        }
        if !drawn.is_empty() {
            self.store.sample(drawn).await?;
        }
        self.at = last;
        self.evidence.advance(NAME, Position { position: last, at: self.clock.now().0 }).await?;
        Ok(rows.len() == BATCH as usize)
    }

    async fn known(&self, entry: &Entry) -> HashMap<Id, Known> {
        let (Some(user), true) = (&entry.agent.user, Detectors::asks(entry)) else { return HashMap::new() };
        let pair = |patient: &Id| (user.to_string(), patient.clone());
        let (mut known, mut asked) = (HashMap::new(), Vec::new());
        let now = self.clock.now().0;
        for patient in &entry.patients {
            match self.pairs.get(&pair(patient)) {
                Some((at, found)) if now.saturating_sub(at) < ACQUAINTED => drop(known.insert(patient.clone(), found)),
                _ => asked.push(patient.clone()),
            }
        }
        if !asked.is_empty() {
            for (patient, found) in self.acquaintance.known(user, &asked, &self.settings.protected_labels).await {
                self.pairs.insert(pair(&patient), (now, found));
                known.insert(patient, found);
            }
        }
        known
    }

    /// An alarm of the checkpoints: the same as one that an entry tips over, but for the entry.
    pub(super) async fn missing_checkpoint(&self, receiver: &str) -> Result<(), StoreError> {
        let text = format!("`{receiver}` has had no checkpoint for too long");
        // One an hour is enough.
        let hour = self.clock.now().seconds().div_euclid(3_600);
        let alarm = Alarm {
            rule: Rule::R11,
            seq: self.at,
            at: self.clock.now(),
            subject: Subject::Everybody,
            patient: None,
            text,
            measure: Measure::Page,
        };
        self.raise_as(format!("R11-checkpoint-{receiver}-{hour}"), alarm).await
    }

    async fn raise(&self, alarm: Alarm) -> Result<(), StoreError> {
        let patient = alarm.patient.as_ref().map(|id| format!("-{id}")).unwrap_or_default();
        let id = format!("{}-{}-{}{patient}", alarm.rule.name(), alarm.seq, alarm.subject.name());
        self.raise_as(id, alarm).await
    }

    async fn raise_as(&self, id: String, alarm: Alarm) -> Result<(), StoreError> {
        let now = self.clock.now();
        let muted = self.store.mutes(now).await?;
        let hushed =
            |mute: &Mute| mute.rule == alarm.rule.name() && (mute.subject.is_empty() || mute.subject == alarm.subject.name());
        if muted.iter().any(hushed) {
            return Ok(());
        }
        let measure = self.settings.policy.measure(&alarm, self.began);
        let restriction = restriction(&id, &alarm, measure, now);
        let action = match (&restriction, measure) {
            (Some(one), _) => one.effect.word(),
            (None, Measure::Page) => "page",
            (None, _) => "alert",
        };
        let entries = entries(&alarm, restriction.as_ref(), now);
        let raised = Raised {
            id,
            rule: alarm.rule.name().to_owned(),
            seq: alarm.seq,
            at: now,
            subject: alarm.subject.name().to_owned(),
            patient: alarm.patient.as_ref().map(Id::to_string).unwrap_or_default(),
            text: alarm.text.clone(),
            action: action.to_owned(),
            state: "open".to_owned(),
        };
        let alarming = Alarming { raised, restriction, due: now.plus_seconds(REVIEW), entries };
        let fresh = self.store.raise(alarming).await.map_err(|error| StoreError::Unavailable(error.to_string()))?;
        if fresh {
            metrics::counter!(telemetry::ALARMS, "rule" => alarm.rule.name()).increment(1);
            tracing::warn!(code = "AMANAT-ALARM-0001", rule = alarm.rule.name(), seq = alarm.seq, action, "an alarm was raised");
        }
        Ok(())
    }

    /// Of every hundred accesses by people to other people's records, some are drawn; which, the hash of the entry says.
    fn draw(&self, row: &LeafRow, entry: &Entry) -> Option<Reviewed> {
        let user = entry.agent.user.as_ref().filter(|user| user.resource_type != ResourceType::Patient)?;
        let patient = entry.patients.first()?;
        let lot = row.hash.first_chunk::<8>().map(|bytes| u64::from_be_bytes(*bytes) % 100)?;
        let ordinary = matches!(entry.event, Event::Rest(_)) && entry.outcome == Outcome::Success && !entry.is_opening();
        let now = self.clock.now();
        (ordinary && lot < self.sampled).then(|| Reviewed {
            id: format!("sample-{}", row.seq),
            kind: "sample".to_owned(),
            about: row.seq.to_string(),
            patient: patient.to_string(),
            actor: user.to_string(),
            opened: now,
            due: now.plus_seconds(SAMPLE),
            state: "open".to_owned(),
            reviewer: String::new(),
            note: String::new(),
        })
    }
}

/// What an alarm restricts.
fn restriction(id: &str, alarm: &Alarm, measure: Measure, now: Instant) -> Option<Restriction> {
    let (kind, target) = match &alarm.subject {
        Subject::Client(name) => (Restricted::Client, name),
        Subject::User(name) => (Restricted::User, name),
        Subject::Token(name) => (Restricted::Token, name),
        Subject::Address(name) => (Restricted::Address, name),
        Subject::Subscription(name) => (Restricted::Everybody, name),
        Subject::Everybody => (Restricted::Everybody, &String::new()),
    };
    let (kind, target, effect, seconds) = match (measure, kind) {
        // The gateway as a whole is nobody to be slowed down or locked out.
        (Measure::Alert | Measure::Page, _) | (Measure::Throttle | Measure::Revoke | Measure::Suspend, Restricted::Everybody) => {
            return None;
        }
        (Measure::Suspend, Restricted::Client | Restricted::User) => (kind, target.clone(), Effect::Suspend, None),
        (Measure::Suspend, _) | (Measure::Revoke, Restricted::Token) => (kind, target.clone(), Effect::Suspend, Some(REVOKED)),
        // Without a token to revoke, whoever used it is slowed down.
        (Measure::Throttle | Measure::Revoke, _) => (kind, target.clone(), Effect::Throttle, Some(THROTTLE)),
        (Measure::Hold, _) => (kind, target.clone(), Effect::Hold, None),
        (Measure::WriteLock, _) => (Restricted::Everybody, String::new(), Effect::WriteLock, None),
        (Measure::Pause, _) => (Restricted::Everybody, target.clone(), Effect::Pause, None),
    };
    Some(Restriction {
        id: id.to_owned(),
        kind,
        target,
        effect,
        begins: Instant(0),
        ends: seconds.map(|seconds| now.plus_seconds(seconds)),
        reason: format!("{}: {}", alarm.rule.name(), alarm.text),
        by: "amanat".to_owned(),
    })
}

/// The entries of an alarm and of what it restricts.
fn entries(alarm: &Alarm, restriction: Option<&Restriction>, now: Instant) -> Vec<Entry> {
    let agent = Agent { client: "amanat".to_owned(), ..Agent::default() };
    let entry = |word: &'static str, text: &str| {
        let entry = Entry::concluded(Event::Guard(word), agent.clone(), now, uuid::Uuid::now_v7().to_string());
        entry.concerning(alarm.patient.clone()).asking(text)
    };
    let told = format!("{} entry={} subject={}: {}", alarm.rule.name(), alarm.seq, alarm.subject.name(), alarm.text);
    let mut all = vec![entry("alarm", &told)];
    all.extend(restriction.map(|one| {
        let word = match (one.effect, one.kind) {
            (Effect::Suspend, Restricted::Token) => "revoked",
            (Effect::Suspend, _) => "suspended",
            (Effect::Throttle, _) => "throttled",
            (Effect::Hold, _) => "held",
            (Effect::WriteLock, _) => "write-locked",
            (Effect::Pause, _) => "paused",
        };
        entry(word, &format!("{} {} by {}", one.kind.word(), one.target, alarm.rule.name()))
    }));
    all
}
