//! What somebody touched between two moments: every entry of the trail is asked, so that the answer is exact.

use super::moment;
use crate::audit::{Entry, Event, Leaf};
use crate::cli::audit::evidence::{BATCH, Evidence, failed};
use crate::cli::screen::Failure;
use crate::fhir::{Instant, Outcome};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Whose, and when.
#[derive(Debug, clap::Args)]
pub(super) struct Touching {
    /// By the token of this `jti`.
    #[arg(long, value_name = "JTI")]
    token: Option<String>,
    /// By this user.
    #[arg(long, value_name = "REFERENCE")]
    user: Option<String>,
    /// By this client.
    #[arg(long, value_name = "ID")]
    client: Option<String>,
    /// From this address.
    #[arg(long, value_name = "ADDRESS")]
    ip: Option<String>,
    /// From this moment on.
    #[arg(long, value_name = "MOMENT")]
    from: Option<String>,
    /// Until this moment.
    #[arg(long, value_name = "MOMENT")]
    to: Option<String>,
}

/// What was touched.
#[derive(Debug, Default)]
pub(super) struct Touched {
    /// Patients, and how often.
    pub(super) patients: BTreeMap<String, u64>,
    /// Records whose content went out, with how often.
    shown: BTreeMap<String, u64>,
    /// Records that were written or deleted.
    changed: BTreeMap<String, u64>,
    /// Attempts that were refused.
    refused: u64,
    /// Entries that were counted.
    entries: u64,
    /// The numbers of the first and the last of them.
    pub(super) span: Option<(i64, i64)>,
    first: Option<Instant>,
    last: Option<Instant>,
    clients: BTreeSet<String>,
    addresses: BTreeSet<String>,
    tokens: BTreeSet<String>,
}

impl Touching {
    /// As words.
    pub(super) fn told(&self) -> String {
        let parts = [
            ("token", &self.token),
            ("user", &self.user),
            ("client", &self.client),
            ("ip", &self.ip),
            ("from", &self.from),
            ("to", &self.to),
        ];
        parts
            .iter()
            .filter_map(|(name, value)| value.as_ref().map(|value| format!("{name}={value}")))
            .collect::<Vec<_>>()
            .join(" ")
    }

    /// All that is named must fit.
    fn fits(&self, entry: &Entry) -> bool {
        let agent = &entry.agent;
        let user = agent.user.as_ref().map(ToString::to_string).unwrap_or_default();
        self.token.as_ref().is_none_or(|token| agent.token_id.as_ref() == Some(token))
            && self.user.as_ref().is_none_or(|one| *one == user || *one == agent.subject)
            && self.client.as_ref().is_none_or(|client| *client == agent.client)
            && self.ip.as_ref().is_none_or(|ip| *ip == agent.address)
    }
}

/// Reads the trail.
pub(super) async fn touched(evidence: &Evidence, touching: &Touching) -> Result<Touched, Failure> {
    if touching.token.is_none() && touching.user.is_none() && touching.client.is_none() && touching.ip.is_none() {
        return Err(Failure::Usage("say by whom: --token, --user, --client or --ip".to_owned()));
    }
    let from = touching.from.as_deref().map(moment).transpose()?.unwrap_or(Instant(i64::MIN));
    let to = touching.to.as_deref().map(moment).transpose()?.unwrap_or(Instant(i64::MAX));
    // A clock that was set back a little must not hide anything.
    let mut at = evidence.store().before(Instant(from.0.saturating_sub(3_600_000))).await.map_err(failed)?;
    let mut found = Touched::default();
    loop {
        let rows = evidence.store().rows(at, BATCH).await.map_err(failed)?;
        let Some(last) = rows.last().map(|row| row.seq) else { return Ok(found) };
        at = last;
        for row in &rows {
            let leaf = Leaf::decode(&row.leaf).map_err(|fault| Failure::Failed(format!("entry {}: {fault}", row.seq)))?;
            let within = from <= leaf.entry.recorded && leaf.entry.recorded <= to;
            if within && touching.fits(&leaf.entry) {
                found.add(row.seq, &leaf.entry);
            }
        }
    }
}

impl Touched {
    fn add(&mut self, seq: i64, entry: &Entry) {
        self.entries += 1;
        self.span = Some((self.span.map_or(seq, |(first, _)| first), seq));
        self.first = self.first.or(Some(entry.recorded));
        self.last = Some(entry.recorded);
        let agent = &entry.agent;
        self.clients.extend((!agent.client.is_empty()).then(|| agent.client.clone()));
        self.addresses.extend((!agent.address.is_empty()).then(|| agent.address.clone()));
        self.tokens.extend(agent.token_id.clone());
        if entry.outcome != Outcome::Success {
            self.refused += 1;
            return;
        }
        for patient in &entry.patients {
            *self.patients.entry(patient.to_string()).or_default() += 1;
        }
        let writes = matches!(entry.event, Event::Rest("create" | "update" | "patch" | "delete"));
        let records = if writes { &mut self.changed } else { &mut self.shown };
        for record in &entry.records {
            *records.entry(format!("{}/{}", record.resource_type, record.id)).or_default() += 1;
        }
    }

    /// In a few words.
    pub(super) fn summary(&self) -> String {
        format!(
            "{} entries, {} patients, {} records shown, {} changed, {} attempts refused",
            self.entries,
            self.patients.len(),
            self.shown.len(),
            self.changed.len(),
            self.refused
        )
    }

    /// The kinds of records that went out or were changed.
    pub(super) fn kinds(&self) -> BTreeSet<String> {
        let all = self.shown.keys().chain(self.changed.keys());
        all.filter_map(|key| key.split_once('/').map(|(kind, _)| kind.to_owned())).collect()
    }

    /// When it began and ended.
    pub(super) fn when(&self) -> (Option<String>, Option<String>) {
        (self.first.map(|at| at.to_string()), self.last.map(|at| at.to_string()))
    }

    /// As a document.
    pub(super) fn told(&self) -> Value {
        let names = |map: &BTreeMap<String, u64>| map.keys().cloned().collect::<Vec<_>>();
        json!({
            "summary": self.summary(), "entries": self.entries, "patients": names(&self.patients), "records_shown": names(&self.shown),
            "records_changed": names(&self.changed), "refused": self.refused, "first": self.when().0, "last": self.when().1,
            "clients": self.clients, "addresses": self.addresses, "tokens": self.tokens,
            "first_entry": self.span.map(|(first, _)| first), "last_entry": self.span.map(|(_, last)| last),
        })
    }
}
