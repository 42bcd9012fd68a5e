//! Histories: versions, newest first, each decided on its own facts and today's labels.

use super::UpstreamStore;
use super::fault::Fault;
use super::fetch::{Current, Past, is_deletion, told_version};
use super::peer::Peer;
use super::place::{self, Place, VersionPlace};
use super::round::Round;
use super::walk::{MORE, SLACK};
use super::wire::Ask;
use crate::access::{Permit, Predicate};
use crate::disclosure::{Arrived, Row, Taken};
use crate::fhir::{HistoryQuery, HistoryScope, Key, Need, ResourceType, encode};
use crate::store::{Cursor, HistoryPage, PageBounds};
use std::collections::HashMap;
use std::sync::Arc;

const APART: &str = "the history of everything is told by one server, and here are several: ask type by type";

impl UpstreamStore {
    /// Reads a page.
    pub(super) async fn history_page(
        &self,
        permit: &Permit,
        query: &HistoryQuery,
        from: Option<&Cursor>,
        bounds: PageBounds,
    ) -> Result<HistoryPage, Fault> {
        let count = query.count.map_or(bounds.count, |asked| asked.min(bounds.count));
        let bounds = PageBounds { count, ..bounds };
        match &query.scope {
            HistoryScope::Instance(key) => self.of_record(permit, key, query, from, bounds).await,
            HistoryScope::Type(of) => self.of_many(permit, (self.peers.of(*of), Some(*of)), query, from, bounds).await,
            HistoryScope::System => {
                let peer = self.peers.of_all(ResourceType::ALL.iter().copied()).ok_or(Fault::Asked(APART))?;
                self.of_many(permit, (peer, None), query, from, bounds).await
            }
        }
    }

    /// All versions of a record are looked at, whatever page is asked for: each has the labels of all.
    async fn of_record(
        &self,
        permit: &Permit,
        key: &Key,
        query: &HistoryQuery,
        from: Option<&Cursor>,
        bounds: PageBounds,
    ) -> Result<HistoryPage, Fault> {
        let start = from.map(place::read::<VersionPlace>).transpose()?;
        let predicate = permit.rows(key.resource_type, Need::Read);
        if matches!(predicate, Predicate::None) {
            return Ok(HistoryPage { total: Some(0), ..HistoryPage::default() });
        }
        let mut round = Round::default();
        let versions = self.versions(key, &mut round).await?;
        let mut page = Filling::new(bounds);
        let newest = versions.first().map(|past| past.facts.version);
        let until = query.at.as_ref().map(|at| at.last);
        // Of those that were there when it began, the newest.
        let from_on = query.at.as_ref().and_then(|at| versions.iter().find(|past| past.facts.updated <= at.first));
        let from_on = from_on.map(|past| past.facts.version);
        for past in versions {
            let version = past.facts.version;
            let wanted = query.since.is_none_or(|since| past.facts.updated >= since)
                && until.is_none_or(|until| past.facts.updated <= until)
                && from_on.is_none_or(|first| version >= first)
                && start.as_ref().is_none_or(|start| version.0 < start.version);
            if !wanted || !self.past_shown(&predicate, &past, newest == Some(version), &mut round).await? {
                continue;
            }
            if !page.add(past) {
                let last = page.rows.last().map(|row| VersionPlace { version: row.facts.version.0 });
                let next = last.map(|last| place::write(&last)).transpose()?;
                return Ok(HistoryPage { versions: page.rows, total: None, next });
            }
        }
        let total = start.is_none().then(|| u64::try_from(page.rows.len()).unwrap_or(0));
        Ok(HistoryPage { versions: page.rows, total, next: None })
    }

    /// A condition on values shows the current version only, and no deletion.
    async fn past_shown(&self, predicate: &Predicate, past: &Past, current: bool, round: &mut Round) -> Result<bool, Fault> {
        self.shows(predicate, &past.facts, past.taken.as_ref().filter(|_| current), round).await
    }

    /// The history of a type or of everything, page by page of the server behind.
    async fn of_many(
        &self,
        permit: &Permit,
        (peer, of): (&Peer, Option<ResourceType>),
        query: &HistoryQuery,
        from: Option<&Cursor>,
        bounds: PageBounds,
    ) -> Result<HistoryPage, Fault> {
        let start = from.map(place::read::<Place>).transpose()?;
        let first = start.is_none();
        let mut place = start.unwrap_or_default();
        let mut round = Round::default();
        let mut page = Filling::new(bounds);
        let until = query.at.as_ref().map(|at| at.last);
        loop {
            let address = place.page.clone().unwrap_or_else(|| address(of, query, bounds.count));
            let (arrived, next) = self.history_entries(peer, &address, place.skip, bounds).await?;
            let mut told = Told::default();
            let came = arrived.len();
            for (at, one) in arrived.into_iter().enumerate() {
                // What each depends on is looked up: a page may take long.
                if at > 0 && round.lasted(self.options.whole) {
                    let here = Place { skip: place.skip + at, ..place };
                    return Ok(HistoryPage { versions: page.rows, total: None, next: Some(place::write(&here)?) });
                }
                round.looked += 1;
                let Some((past, current)) = self.past(one, &mut told, &mut round).await? else { continue };
                let predicate = permit.rows(past.facts.key.resource_type, Need::Search);
                let wanted = of.is_none_or(|of| past.facts.key.resource_type == of)
                    && query.since.is_none_or(|since| past.facts.updated >= since)
                    && until.is_none_or(|until| past.facts.updated <= until);
                if !wanted || !self.past_shown(&predicate, &past, current, &mut round).await? {
                    continue;
                }
                if !page.add(past) {
                    let here = Place { skip: place.skip + at, ..place };
                    return Ok(HistoryPage { versions: page.rows, total: None, next: Some(place::write(&here)?) });
                }
            }
            let Some(next) = next else {
                let total = first.then(|| u64::try_from(page.rows.len()).unwrap_or(0));
                return Ok(HistoryPage { versions: page.rows, total, next: None });
            };
            if next == address || came == 0 {
                return Err(Fault::wrong("pages that lead nowhere"));
            }
            place = Place { page: Some(next), skip: 0, ..place };
            if round.looked >= self.options.looked_at || round.lasted(self.options.whole) {
                return Ok(HistoryPage { versions: page.rows, total: None, next: Some(place::write(&place)?) });
            }
        }
    }

    /// The entries of one page of the server behind from a place on; of a page that is too large to hold, the first ones.
    async fn history_entries(
        &self,
        peer: &Peer,
        address: &str,
        skip: usize,
        bounds: PageBounds,
    ) -> Result<(Vec<Arrived>, Option<String>), Fault> {
        let most = usize::try_from(bounds.count).unwrap_or(usize::MAX).saturating_mul(MORE).saturating_add(SLACK);
        let Some(mut page) = self.page(peer, &Ask::get(address)).await? else { return Ok((Vec::new(), None)) };
        let (mut held, mut used, mut at) = (Vec::new(), 0_usize, 0);
        while let Some(arrived) = page.entry().await? {
            at += 1;
            if at > most {
                return Err(Fault::wrong("many more entries than were asked for"));
            }
            if at <= skip {
                continue;
            }
            used = used.saturating_add(arrived.record.as_ref().map_or(0, Taken::bytes));
            if used > bounds.bytes.saturating_mul(2) {
                return Err(Fault::Costly("the versions of one page are too large; ask for fewer with `_count`"));
            }
            held.push(arrived);
        }
        Ok((held, page.close().await?.next))
    }

    /// An entry as a version, and whether it is the current one of its record.
    async fn past(&self, arrived: Arrived, told: &mut Told, round: &mut Round) -> Result<Option<(Past, bool)>, Fault> {
        let Some(taken) = arrived.record else { return self.deleted(&arrived, told, round).await };
        let key = taken.key().clone();
        let mut taken = self.settled(taken, round).await?;
        if !told.current.contains_key(&key) {
            let current = match self.current(&key, round).await? {
                Current::Live(live) => Some(live.facts),
                Current::Deleted(facts) => Some(facts),
                Current::Absent => None,
            };
            told.current.insert(key.clone(), current);
        }
        // A record that is gone without a trace has no labels of today to be decided by.
        let Some(Some(current)) = told.current.get(&key) else { return Ok(None) };
        taken.raise(&current.marks);
        let is_current = current.version == taken.facts.version && !current.deleted;
        Ok(Some((Past { facts: taken.facts.clone(), taken: Some(taken) }, is_current)))
    }

    /// A deletion tells nothing of whose record it was; the versions before it do.
    async fn deleted(&self, arrived: &Arrived, told: &mut Told, round: &mut Round) -> Result<Option<(Past, bool)>, Fault> {
        let Some(key) = deleted_key(arrived).filter(|_| is_deletion(arrived)) else { return Ok(None) };
        if !told.versions.contains_key(&key) {
            let versions = self.versions(&key, round).await?;
            told.versions.insert(key.clone(), versions.into_iter().map(|past| past.facts).collect());
        }
        let version = told_version(arrived);
        let known = told.versions.get(&key).into_iter().flatten().filter(|facts| facts.deleted);
        let facts = known.into_iter().find(|facts| version.is_none_or(|version| version == facts.version)).cloned();
        Ok(facts.map(|facts| (Past { facts, taken: None }, false)))
    }
}

/// What was looked up for the entries of a page.
#[derive(Default)]
struct Told {
    current: HashMap<Key, Option<Arc<crate::fhir::Facts>>>,
    versions: HashMap<Key, Vec<Arc<crate::fhir::Facts>>>,
}

/// The record that an entry without content is about: `Patient/1`, `Patient/1/_history/2`, or the same as a URL.
fn deleted_key(arrived: &Arrived) -> Option<Key> {
    let url = arrived.url.as_deref()?;
    let path = url.split_once("/_history/").map_or(url, |(path, _)| path);
    let mut parts = path.rsplit('/');
    let (id, of) = (parts.next()?, parts.next()?);
    Some(Key::new(ResourceType::parse(of)?, crate::fhir::Id::parse(id)?))
}

fn address(of: Option<ResourceType>, query: &HistoryQuery, count: u32) -> String {
    let path = of.map(|of| format!("{of}/")).unwrap_or_default();
    let mut parameters = vec![format!("_count={}", u64::from(count).saturating_add(1).min(1_000))];
    parameters.extend(query.since.map(|since| format!("_since={}", encode(&since.to_string()))));
    parameters.extend(query.at.as_ref().map(|at| format!("_at={}", encode(&at.text))));
    format!("{path}_history?{}", parameters.join("&"))
}

/// A page while it is filled.
struct Filling {
    rows: Vec<Row>,
    bytes: usize,
    bounds: PageBounds,
}

impl Filling {
    fn new(bounds: PageBounds) -> Self {
        Self { rows: Vec::new(), bytes: 0, bounds }
    }

    /// Takes one more; false when there is no room for it.
    fn add(&mut self, past: Past) -> bool {
        let bytes = past.taken.as_ref().map_or(0, Taken::bytes);
        let full = usize::try_from(self.bounds.count).unwrap_or(usize::MAX);
        let over = self.bytes.saturating_add(bytes) > self.bounds.bytes && !self.rows.is_empty();
        if self.rows.len() >= full || over {
            return false;
        }
        self.bytes += bytes;
        self.rows.push(match past.taken {
            Some(taken) => taken.into_row(),
            None => Row { facts: past.facts, content: None },
        });
        true
    }
}
