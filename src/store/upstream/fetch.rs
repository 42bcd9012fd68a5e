//! Records by their address.

use super::UpstreamStore;
use super::fault::Fault;
use super::page::Page;
use super::round::Round;
use super::wire::Ask;
use crate::disclosure::{Arrived, Fragment, Taken};
use crate::fhir::{Facts, Id, Instant, Key, Marks, ResourceType, Version};
use std::collections::HashMap;
use std::sync::Arc;

/// Ids in one query.
pub(super) const AT_ONCE: usize = 40;
/// Versions of one record that are looked at.
const VERSIONS: usize = 1_000;

/// What is under an address now.
pub(super) enum Current {
    /// A record.
    Live(Box<Taken>),
    /// One that was deleted: the facts of its last version, which is the deletion.
    Deleted(Arc<Facts>),
    /// Nothing.
    Absent,
}

/// What the server says is under an address.
enum Under {
    Record(Box<Taken>),
    Gone,
    Nothing,
}

/// One version of a record.
pub(super) struct Past {
    /// Its facts, its labels raised to those of every version.
    pub(super) facts: Arc<Facts>,
    /// The content; `None` for a deletion.
    pub(super) taken: Option<Taken>,
}

impl UpstreamStore {
    /// The record under this address, as the server has it now.
    pub(super) async fn current(&self, key: &Key, round: &mut Round) -> Result<Current, Fault> {
        match self.under(key, false).await? {
            Under::Record(taken) => Ok(Current::Live(Box::new(self.settled(*taken, round).await?))),
            Under::Nothing => Ok(Current::Absent),
            Under::Gone => {
                let newest = self.versions(key, round).await?.into_iter().next();
                Ok(newest.filter(|past| past.facts.deleted).map_or(Current::Absent, |past| Current::Deleted(past.facts)))
            }
        }
    }

    /// The live record under this address by itself. `beside`: it is looked up while another answer of the server is being read.
    pub(super) async fn there(&self, key: &Key, beside: bool) -> Result<Option<Taken>, Fault> {
        match self.under(key, beside).await? {
            Under::Record(mut taken) => {
                self.raised(&mut taken);
                Ok(Some(*taken))
            }
            Under::Gone | Under::Nothing => Ok(None),
        }
    }

    async fn under(&self, key: &Key, beside: bool) -> Result<Under, Fault> {
        let ask = Ask::get(key.to_string());
        let ask = if beside { ask.beside() } else { ask };
        let answer = self.peers.of(key.resource_type).wire.ask(&ask).await?;
        match answer.status {
            200 => {
                answer.demand_json()?;
                Ok(Under::Record(Box::new(self.taken(&answer.whole(self.options.record_bytes).await?, key)?)))
            }
            404 => Ok(Under::Nothing),
            410 => Ok(Under::Gone),
            status => Err(Fault::Status(status)),
        }
    }

    /// The whole of a record that came in part, read by its own address while the answer that it came in waits; `None` when it is gone.
    pub(super) async fn whole_of(&self, part: &Fragment) -> Result<Option<Taken>, Fault> {
        let key = part.key();
        let place = if part.is_past() { format!("{key}/_history/{}", part.version()) } else { key.to_string() };
        let answer = self.peers.of(key.resource_type).wire.ask(&Ask::get(place).fresh().beside()).await?;
        metrics::counter!("amanat_upstream_parts_total").increment(1);
        match answer.status {
            200 => {
                answer.demand_json()?;
                let found = self.taken(&answer.whole(self.options.record_bytes).await?, key)?;
                if part.is_past() && found.facts.version != part.version() {
                    return Err(Fault::wrong("another version than the one asked for"));
                }
                Ok(Some(self.crossing.whole(part, found)?))
            }
            404 | 410 if !part.is_past() => Ok(None),
            status => Err(Fault::Status(status)),
        }
    }

    /// One version, current or not; `None` when there is none, or it is a deletion.
    pub(super) async fn version(&self, key: &Key, version: Version, round: &mut Round) -> Result<Option<Taken>, Fault> {
        let answer = self.peers.of(key.resource_type).wire.ask(&Ask::get(format!("{key}/_history/{version}"))).await?;
        match answer.status {
            200 => {
                answer.demand_json()?;
                let taken = self.taken(&answer.whole(self.options.record_bytes).await?, key)?;
                if taken.facts.version != version {
                    return Err(Fault::wrong("another version than the one asked for"));
                }
                self.settled(taken, round).await.map(Some)
            }
            400 | 404 | 410 => Ok(None),
            status => Err(Fault::Status(status)),
        }
    }

    fn taken(&self, bytes: &[u8], key: &Key) -> Result<Taken, Fault> {
        let taken = self.crossing.looked_up(bytes)?;
        if taken.key() == key { Ok(taken) } else { Err(Fault::wrong("another record than the one asked for")) }
    }

    /// The live records among these.
    pub(super) async fn many(&self, of: ResourceType, ids: &[Id], round: &mut Round) -> Result<HashMap<Id, Taken>, Fault> {
        let mut found = HashMap::new();
        if self.is_own(of) {
            return self.own_many(of, ids).await;
        }
        for some in ids.chunks(AT_ONCE) {
            if let [only] = some {
                if let Current::Live(taken) = self.current(&Key::new(of, only.clone()), round).await? {
                    found.insert(only.clone(), *taken);
                }
                continue;
            }
            let list = some.iter().map(Id::as_str).collect::<Vec<_>>().join(",");
            let mut next = Some(format!("{of}?_id={list}&_count={AT_ONCE}"));
            let mut pages = 0;
            while let Some(place) = next.take() {
                // Each has one of them at least, or leads nowhere.
                pages += 1;
                if pages > some.len() {
                    return Err(Fault::wrong("pages that lead nowhere"));
                }
                let Some(mut page) = self.page(self.peers.of(of), &Ask::search(place.clone())).await? else { break };
                while let Some(arrived) = page.entry().await? {
                    let wanted = arrived.record.filter(|taken| taken.key().resource_type == of && some.contains(&taken.key().id));
                    if let Some(taken) = wanted {
                        found.insert(taken.key().id.clone(), self.settled(taken, round).await?);
                    }
                }
                next = page.close().await?.next.filter(|next| *next != place && found.len() < some.len());
            }
        }
        Ok(found)
    }

    /// Each by its own key: there may be very many of a type that the gateway keeps itself.
    async fn own_many(&self, of: ResourceType, ids: &[Id]) -> Result<HashMap<Id, Taken>, Fault> {
        let mut found = HashMap::new();
        for id in ids {
            let newest = self.own.all_versions(&Key::new(of, id.clone())).await?.into_iter().next();
            if let Some(row) = newest.filter(|row| !row.facts.deleted) {
                found.insert(id.clone(), self.crossing.reopened(row)?);
            }
        }
        Ok(found)
    }

    /// Every version, the newest first, each with the labels of all.
    pub(super) async fn versions(&self, key: &Key, round: &mut Round) -> Result<Vec<Past>, Fault> {
        let mut arrived = Vec::new();
        let mut bytes = 0;
        let mut next = Some(format!("{key}/_history?_count=100"));
        while let Some(place) = next.take() {
            let Some(mut page) = self.page(self.peers.of(key.resource_type), &Ask::get(place.clone())).await? else { break };
            let before = arrived.len();
            while let Some(one) = next_version(&mut page, key).await? {
                bytes += one.record.as_ref().map_or(0, Taken::bytes);
                arrived.push(one);
                if arrived.len() > VERSIONS || bytes > self.options.answer_bytes {
                    return Err(Fault::Costly("the record has more versions than can be looked at"));
                }
            }
            next = page.close().await?.next.filter(|next| *next != place);
            if next.is_some() && arrived.len() == before {
                return Err(Fault::wrong("pages that lead nowhere"));
            }
        }
        self.told(key, arrived, round).await
    }

    /// Facts for each, deletions among them: those of what they ended.
    async fn told(&self, key: &Key, arrived: Vec<Arrived>, round: &mut Round) -> Result<Vec<Past>, Fault> {
        let mut all: Vec<Past> = Vec::with_capacity(arrived.len());
        let mut marks = Marks::default();
        for one in arrived.into_iter().rev() {
            let before = all.last().map(|past: &Past| past.facts.as_ref());
            let past = match one.record {
                Some(taken) => {
                    let taken = self.settled(taken, round).await?;
                    Past { facts: taken.facts.clone(), taken: Some(taken) }
                }
                None => match deletion(&one, before) {
                    Some(facts) => Past { facts: Arc::new(facts), taken: None },
                    None => continue,
                },
            };
            marks = marks.raised_to(&past.facts.marks);
            all.push(past);
        }
        for past in &mut all {
            let facts = Arc::make_mut(&mut past.facts);
            facts.marks = std::mem::take(&mut facts.marks).raised_to(&marks);
            if let Some(taken) = &mut past.taken {
                taken.raise(&marks);
            }
        }
        all.sort_by_key(|past| std::cmp::Reverse(past.facts.version));
        all.dedup_by_key(|past| past.facts.version);
        debug_assert!(all.iter().all(|past| past.facts.key == *key));
        Ok(all)
    }
}

/// The next entry that is about this record.
async fn next_version(page: &mut Page<'_>, key: &Key) -> Result<Option<Arrived>, Fault> {
    while let Some(arrived) = page.entry().await? {
        match &arrived.record {
            Some(taken) if taken.key() == key => return Ok(Some(arrived)),
            Some(_) => return Err(Fault::wrong("another record's version in a history")),
            None if is_deletion(&arrived) => return Ok(Some(arrived)),
            None => {}
        }
    }
    Ok(None)
}

pub(super) fn is_deletion(arrived: &Arrived) -> bool {
    arrived.method.as_deref() == Some("DELETE")
}

/// The facts of a deletion. Without a version before it nobody can tell whose record it was: then there is nothing to tell of it.
fn deletion(arrived: &Arrived, before: Option<&Facts>) -> Option<Facts> {
    let before = before?;
    let version = told_version(arrived).unwrap_or_else(|| before.version.next());
    let updated = arrived.modified.unwrap_or(Instant(before.updated.0 + 1));
    Some(Facts { version, updated, deleted: true, ..before.clone() })
}

/// The version that an entry without content tells.
pub(super) fn told_version(arrived: &Arrived) -> Option<Version> {
    let places = [&arrived.location, &arrived.url];
    let in_place = places.into_iter().flatten().find_map(|place| Version::parse(place.split_once("/_history/")?.1));
    arrived.etag.as_deref().and_then(Version::parse).or(in_place)
}
