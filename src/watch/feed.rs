//! Feeds: the entries of the trail to other systems, each from a position of its own. A slow or absent receiver holds up nobody.

use super::follow::Follower;
use super::lines::{self, Told};
use super::pseudonym::Pseudonyms;
use super::target::{Parcel, Receiver};
use crate::audit::{Entry, Leaf, Site, audit_events};
use crate::clock::Clock;
use crate::config::{self, FeedFormat};
use crate::store::evidence::{EvidenceStore, LeafRow, Position};
use crate::telemetry;
use serde_json::value::RawValue;
use std::fmt::Write as _;
use std::sync::Arc;

/// Entries sent at once.
const BATCH: u32 = 200;

/// One feed.
pub(super) struct Feed {
    store: Arc<dyn EvidenceStore>,
    clock: Clock,
    site: Site,
    name: String,
    format: FeedFormat,
    receiver: Receiver,
    pseudonyms: Option<Arc<Pseudonyms>>,
}

/// An entry with what stands beside it.
struct Read {
    seq: i64,
    hash: String,
    node: String,
    entry: Entry,
}

impl Feed {
    /// As the settings have it.
    pub(super) fn new(
        store: &Arc<dyn EvidenceStore>,
        clock: &Clock,
        site: &Site,
        settings: &config::Feed,
        pseudonyms: &Arc<Pseudonyms>,
    ) -> Self {
        Self {
            store: Arc::clone(store),
            clock: clock.clone(),
            site: site.clone(),
            name: format!("feed-{}", settings.name),
            format: settings.format,
            receiver: Receiver::of(&settings.to),
            pseudonyms: (!settings.entitled).then(|| Arc::clone(pseudonyms)),
        }
    }

    fn parcel(&self, read: &[Read]) -> Parcel {
        let pseudonyms = self.pseudonyms.as_deref();
        let told: Vec<Told<'_>> = read
            .iter()
            .map(|one| Told { seq: one.seq, hash: &one.hash, entry: &one.entry, node: &one.node, pseudonyms })
            .collect();
        match self.format {
            FeedFormat::Syslog => lined("text/plain; charset=utf-8", told.iter().map(Told::syslog).collect()),
            FeedFormat::Cef => lined("text/plain; charset=utf-8", told.iter().map(Told::cef).collect()),
            FeedFormat::Json => lined("application/x-ndjson", told.iter().map(Told::json_line).collect()),
            FeedFormat::Otlp => {
                let body = lines::otlp(&told);
                Parcel {
                    media_type: "application/json",
                    messages: vec![body.clone()],
                    body: format!("{body}\n"),
                    ..Parcel::default()
                }
            }
            FeedFormat::Atna => {
                let body = batch(read, &self.site);
                Parcel {
                    media_type: "application/fhir+json",
                    messages: vec![body.clone()],
                    body: format!("{body}\n"),
                    ..Parcel::default()
                }
            }
        }
    }
}

impl Follower for Feed {
    async fn tell(&mut self) -> Result<(), String> {
        loop {
            let at = self.store.position(&self.name).await.map_err(|error| error.to_string())?.position;
            let rows = self.store.rows(at, BATCH).await.map_err(|error| error.to_string())?;
            #[expect(clippy::cast_precision_loss, reason = "a batch is small")]
            metrics::gauge!(telemetry::FEED_WAITING, "feed" => self.name.clone()).set(rows.len() as f64);
            let Some(last) = rows.last().map(|row| row.seq) else { return Ok(()) };
            let read: Vec<Read> = rows.iter().filter_map(read).collect();
            let parcel = self.parcel(&read);
            self.receiver.send(parcel).await?;
            let done = Position { position: last, at: self.clock.now().0 };
            self.store.advance(&self.name, done).await.map_err(|error| error.to_string())?;
        }
    }

    fn is_away(&self, error: &str) {
        tracing::warn!(code = "AMANAT-TRAIL-0004", feed = self.name, error, "a feed waits for its receiver");
    }

    fn is_back(&self) {
        tracing::info!(feed = self.name, "the receiver of the feed is back");
    }
}

fn lined(media_type: &'static str, messages: Vec<String>) -> Parcel {
    let body = messages.iter().fold(String::new(), |mut body, line| {
        let _written = writeln!(body, "{line}");
        body
    });
    Parcel { media_type, body, messages, ..Parcel::default() }
}

/// A leaf that cannot be read is not for a feed: `amanat audit verify` finds it.
fn read(row: &LeafRow) -> Option<Read> {
    let leaf = Leaf::decode(&row.leaf).ok()?;
    let hash = row.hash.iter().fold(String::with_capacity(64), |mut text, byte| {
        let _written = write!(text, "{byte:02x}");
        text
    });
    Some(Read { seq: row.seq, hash, node: leaf.node, entry: leaf.entry })
}

/// A Bundle of the `AuditEvents` (ITI-20, RESTful; a repository takes them without judging them).
fn batch(read: &[Read], site: &Site) -> String {
    let events = read.iter().flat_map(|one| audit_events(one.seq, &one.entry, site));
    let entries: Vec<serde_json::Value> = events
        .filter_map(|(_, text)| RawValue::from_string(text).ok())
        .filter_map(|event| serde_json::from_str::<serde_json::Value>(event.get()).ok())
        .map(|event| serde_json::json!({ "resource": event, "request": { "method": "POST", "url": "AuditEvent" } }))
        .collect();
    serde_json::json!({ "resourceType": "Bundle", "type": "batch", "entry": entries }).to_string()
}
