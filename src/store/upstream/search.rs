//! A page of a search: matches, total, and what is included.

use super::UpstreamStore;
use super::fault::Fault;
use super::fetch::Current;
use super::hunt::Hunt;
use super::locks::identities;
use super::place::{self, Place, SortedPlace};
use super::round::Round;
use super::sort::{self, SortedBy};
use super::walk::{Step, Walk};
use crate::access::Permit;
use crate::disclosure::{Row, Taken};
use crate::fhir::search::{SearchQuery, Sort, SortKey, Total};
use crate::fhir::{Id, Key, Need, Summary};
use crate::store::{Cursor, PageBounds, SearchPage};
use std::collections::HashMap;

/// So many records that were begun under one identifier are looked up by their addresses.
const BEGUN: usize = 50;

/// What a page shows, before it is rows.
#[derive(Default)]
struct Chosen {
    taken: Vec<Taken>,
    total: Option<u64>,
    next: Option<Cursor>,
}

impl UpstreamStore {
    /// Reads a page.
    pub(super) async fn search_page(
        &self,
        permit: &Permit,
        query: &SearchQuery,
        from: Option<&Cursor>,
        bounds: PageBounds,
    ) -> Result<SearchPage, Fault> {
        let mut round = Round::default();
        let hunts = self.hunts(permit, Need::Search, query, &mut round).await?;
        let count = query.shape.count.map_or(bounds.count, |asked| asked.min(bounds.count));
        if count == 0 || query.rendering.summary == Some(Summary::Count) {
            let total = Some(self.count(permit, &hunts, &mut round).await?);
            return Ok(SearchPage { total, ..SearchPage::default() });
        }
        let bounds = PageBounds { count, ..bounds };
        let chosen = if query.shape.sort.is_empty() {
            self.in_their_order(permit, query, &hunts, from, bounds, &mut round).await?
        } else {
            self.in_our_order(permit, query, &hunts, from, bounds, &mut round).await?
        };
        let included = self.included(permit, query, &chosen.taken, bounds, &mut round).await?;
        let matches = chosen.taken.into_iter().map(Taken::into_row).collect();
        Ok(SearchPage { matches, included, cut: false, total: chosen.total, next: chosen.next })
    }

    /// At most `limit` records, whole.
    pub(super) async fn selected(&self, permit: &Permit, need: Need, query: &SearchQuery, limit: u32) -> Result<Vec<Row>, Fault> {
        let mut round = Round::default();
        let hunts = self.hunts(permit, need, query, &mut round).await?;
        let most = usize::try_from(limit).unwrap_or(usize::MAX);
        let mut rows = self.lately(permit, &hunts, query, most, &mut round).await?;
        let known: Vec<Key> = rows.iter().map(|row| row.facts.key.clone()).collect();
        if rows.len() < most {
            self.each(permit, &hunts, &mut round, |taken| {
                if !known.contains(taken.key()) {
                    rows.push(taken.into_row());
                }
                Ok(rows.len() < most)
            })
            .await?;
        }
        rows.truncate(most);
        Ok(rows)
    }

    /// What was written a moment ago and satisfies the same, whether a search finds it yet or not; at most so many.
    async fn lately(
        &self,
        permit: &Permit,
        hunts: &[Hunt],
        query: &SearchQuery,
        most: usize,
        round: &mut Round,
    ) -> Result<Vec<Row>, Fault> {
        let mut rows = Vec::new();
        for key in self.begun_lately(query).await? {
            if rows.len() >= most {
                break;
            }
            let Some(hunt) = hunts.iter().find(|hunt| hunt.of == key.resource_type) else { continue };
            let Current::Live(taken) = self.current(&key, round).await? else { continue };
            let silent = self.silent(permit, &hunt.needles, &taken, round).await?;
            let matches = hunt.needles.iter().all(|needle| needle.holds(&taken, &silent));
            if matches && self.shows(&hunt.predicate, &taken.facts, Some(&taken), round).await? {
                rows.push(taken.into_row());
            }
        }
        Ok(rows)
    }

    /// The records that were begun under what a condition names, the newest first, and no more than a search is likely not to show yet: under
    /// one identifier anybody who may write can begin any number.
    async fn begun_lately(&self, condition: &SearchQuery) -> Result<Vec<Key>, Fault> {
        let mut keys = self.turns.begun(&identities(&condition.criteria, &condition.types)).await?;
        keys.truncate(BEGUN);
        Ok(keys)
    }

    /// The id under which a record that goes by what this condition names was begun, when nothing is there: whether it never came, or is
    /// still on its way, whoever makes it now makes the same.
    pub(super) async fn begun_and_absent(&self, condition: &SearchQuery) -> Result<Option<Id>, Fault> {
        for key in self.begun_lately(condition).await? {
            if matches!(self.current(&key, &mut Round::default()).await?, Current::Absent) {
                return Ok(Some(key.id));
            }
        }
        Ok(None)
    }

    /// How many match. What the server behind says of that is not asked.
    async fn count(&self, permit: &Permit, hunts: &[Hunt], round: &mut Round) -> Result<u64, Fault> {
        let mut count = 0;
        self.each(permit, hunts, round, |_| {
            count += 1;
            Ok(true)
        })
        .await?;
        Ok(count)
    }

    /// As they come: the page is filled, however many are withheld, and one more is looked for to tell whether there are more.
    async fn in_their_order(
        &self,
        permit: &Permit,
        query: &SearchQuery,
        hunts: &[Hunt],
        from: Option<&Cursor>,
        bounds: PageBounds,
        round: &mut Round,
    ) -> Result<Chosen, Fault> {
        let start = from.map(place::read::<Place>).transpose()?;
        let full = usize::try_from(bounds.count).unwrap_or(usize::MAX);
        let (mut taken, mut bytes) = (Vec::new(), 0_usize);
        let walk = Walk { permit, hunts, from: start.as_ref(), page: full.saturating_add(1).min(1_000), all: false };
        let stopped = self
            .walk(&walk, round, &mut |one: Taken| {
                let over = bytes.saturating_add(one.bytes()) > bounds.bytes && !taken.is_empty();
                if taken.len() >= full || over {
                    return Ok(Step::Stop);
                }
                bytes += one.bytes();
                taken.push(one);
                Ok(Step::On)
            })
            .await?;
        let total = match query.shape.total {
            Total::None => None,
            _ if start.is_none() && stopped.is_none() => u64::try_from(taken.len()).ok(),
            Total::Accurate => self.counted(permit, hunts).await?,
            Total::Unasked => None,
        };
        let next = stopped.map(|place| place::write(&place)).transpose()?;
        Ok(Chosen { taken, total, next })
    }

    /// A total that would take too long is left out.
    async fn counted(&self, permit: &Permit, hunts: &[Hunt]) -> Result<Option<u64>, Fault> {
        match self.count(permit, hunts, &mut Round::default()).await {
            Ok(total) => Ok(Some(total)),
            Err(Fault::Costly(_)) => Ok(None),
            Err(other) => Err(other),
        }
    }

    /// By the caller's keys: all that match are gone through, the order is made here.
    async fn in_our_order(
        &self,
        permit: &Permit,
        query: &SearchQuery,
        hunts: &[Hunt],
        from: Option<&Cursor>,
        bounds: PageBounds,
        round: &mut Round,
    ) -> Result<Chosen, Fault> {
        // What is equal comes in the order of its changes.
        let last = Sort { by: SortKey::LastUpdated, descending: false };
        let sort = &query.shape.sort.iter().cloned().chain([last]).collect::<Vec<_>>();
        let start = from.map(place::read::<SortedPlace>).transpose()?;
        if start.as_ref().is_some_and(|start| start.keys.len() != sort.len()) {
            return Err(Fault::Cursor);
        }
        let mut held = Held { left: bounds.bytes, ..Held::default() };
        self.each(permit, hunts, round, |taken| held.add(sort::keys(sort, &taken), taken).map(|()| true)).await?;
        let counted = u64::try_from(held.order.len()).ok();
        held.order.sort_by(|a, b| sort::order(sort, (&a.0, &a.2), (&b.0, &b.2)));
        if let Some(start) = &start {
            held.order.retain(|one| sort::order(sort, (&one.0, &one.2), (&start.keys, &start.record)).is_gt());
        }
        let full = usize::try_from(bounds.count).unwrap_or(usize::MAX);
        let (taken, last, more) = self.sorted_page(permit, held, full, bounds.bytes, round).await?;
        let total = match query.shape.total {
            Total::None => None,
            Total::Accurate => counted,
            Total::Unasked => counted.filter(|_| start.is_none() && !more),
        };
        let next = last.filter(|_| more).map(|(keys, _, record)| place::write(&SortedPlace { keys, record })).transpose()?;
        Ok(Chosen { taken, total, next })
    }

    /// The first of an order, fetched again where they were too much to hold.
    async fn sorted_page(
        &self,
        permit: &Permit,
        mut held: Held,
        full: usize,
        bytes: usize,
        round: &mut Round,
    ) -> Result<(Vec<Taken>, Option<Sorted>, bool), Fault> {
        let more = held.order.len() > full;
        let mut order = std::mem::take(&mut held.order);
        order.truncate(full);
        let (mut taken, mut used, mut last) = (Vec::new(), 0_usize, None);
        for one in order {
            let record = match held.taken.remove(&one.1) {
                Some(record) => Some(record),
                None => self.again(permit, &one.1, round).await?,
            };
            let Some(record) = record else { continue };
            if used.saturating_add(record.bytes()) > bytes && !taken.is_empty() {
                return Ok((taken, last, true));
            }
            used += record.bytes();
            taken.push(record);
            last = Some(one);
        }
        Ok((taken, last, more))
    }

    /// A record that was seen before, if it may still be.
    async fn again(&self, permit: &Permit, key: &Key, round: &mut Round) -> Result<Option<Taken>, Fault> {
        let ids: [Id; 1] = [key.id.clone()];
        let Some(taken) = self.many(key.resource_type, &ids, round).await?.remove(&key.id) else { return Ok(None) };
        let predicate = permit.rows(key.resource_type, Need::Search);
        let shown = self.shows(&predicate, &taken.facts, Some(&taken), round).await?;
        Ok(shown.then_some(taken))
    }
}

/// A record's keys, address, and address as text.
type Sorted = (Vec<SortedBy>, Key, String);

/// What was gone through to be sorted: the keys of all, the content of as many as may be held.
#[derive(Default)]
struct Held {
    order: Vec<Sorted>,
    taken: HashMap<Key, Taken>,
    left: usize,
    /// Bytes of the keys.
    keys: usize,
}

/// Bytes that the keys of an order may have together.
const KEY_BYTES: usize = 16 << 20;

impl Held {
    fn add(&mut self, keys: Vec<SortedBy>, taken: Taken) -> Result<(), Fault> {
        self.keys += keys.iter().map(SortedBy::bytes).sum::<usize>();
        if self.keys > KEY_BYTES {
            return Err(Fault::Costly("what this is sorted by is too long to be held for all that match; narrow it"));
        }
        let key = taken.key().clone();
        self.order.push((keys, key.clone(), key.to_string()));
        if let Some(left) = self.left.checked_sub(taken.bytes()) {
            self.left = left;
            self.taken.insert(key, taken);
        }
        Ok(())
    }
}
