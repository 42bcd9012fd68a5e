//! `_include` and `_revinclude`: what may be included is decided like a read of it.

use super::UpstreamStore;
use super::fault::Fault;
use super::fetch::AT_ONCE;
use super::hunt::{Hunt, Leg, Question, Source};
use super::needle::{Needle, referred};
use super::round::Round;
use crate::access::{Permit, Predicate};
use crate::disclosure::{Row, Taken};
use crate::fhir::definitions::search_parameter_by_id;
use crate::fhir::search::{Include, SearchQuery};
use crate::fhir::{Id, Key, Need, ResourceType};
use crate::store::PageBounds;
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// Steps that `:iterate` goes at most.
const STEPS: usize = 8;

/// What has been collected for a page.
struct Collected {
    taken: Vec<Taken>,
    seen: HashSet<Key>,
    bytes: usize,
    bounds: PageBounds,
}

impl Collected {
    fn add(&mut self, taken: Taken) -> Result<(), Fault> {
        if !self.seen.insert(taken.key().clone()) {
            return Ok(());
        }
        self.bytes = self.bytes.saturating_add(taken.bytes());
        let most = usize::try_from(self.bounds.included).unwrap_or(usize::MAX);
        if self.taken.len() >= most || self.bytes > self.bounds.bytes.saturating_mul(2) {
            return Err(Fault::Costly("the page would include more than it may hold; include less, or ask for fewer matches"));
        }
        self.taken.push(taken);
        Ok(())
    }
}

impl UpstreamStore {
    /// Everything that the query wants beside these matches; none twice, no match again, within the bounds.
    pub(super) async fn included(
        &self,
        permit: &Permit,
        query: &SearchQuery,
        matches: &[Taken],
        bounds: PageBounds,
        round: &mut Round,
    ) -> Result<Vec<Row>, Fault> {
        let shape = &query.shape;
        if shape.includes.is_empty() && shape.reverse_includes.is_empty() {
            return Ok(Vec::new());
        }
        let seen = matches.iter().map(|taken| taken.key().clone()).collect();
        let mut collected = Collected { taken: Vec::new(), seen, bytes: 0, bounds };
        for step in 0..STEPS {
            let before = collected.taken.len();
            let mut more = Vec::new();
            let last = if step == 0 { matches } else { collected.taken.as_slice() };
            for include in shape.includes.iter().filter(|include| step == 0 || include.iterate) {
                more.extend(self.forward(permit, include, last, &collected.seen, round).await?);
            }
            for include in shape.reverse_includes.iter().filter(|include| step == 0 || include.iterate) {
                more.extend(self.backward(permit, include, last, round).await?);
            }
            for taken in more {
                collected.add(taken)?;
            }
            if collected.taken.len() == before {
                break;
            }
        }
        Ok(collected.taken.into_iter().map(Taken::into_row).collect())
    }

    /// What these records refer to.
    async fn forward(
        &self,
        permit: &Permit,
        include: &Include,
        from: &[Taken],
        seen: &HashSet<Key>,
        round: &mut Round,
    ) -> Result<Vec<Taken>, Fault> {
        let mut targets: BTreeMap<ResourceType, BTreeSet<Id>> = BTreeMap::new();
        for taken in from.iter().filter(|taken| taken.key().resource_type == include.source) {
            let keys = referred(taken, &include.parameters);
            for key in keys.filter(|key| include.target.is_none_or(|target| target == key.resource_type) && !seen.contains(key)) {
                targets.entry(key.resource_type).or_default().insert(key.id);
            }
        }
        let mut found = Vec::new();
        for (of, ids) in targets {
            let predicate = permit.rows(of, Need::Read);
            if matches!(predicate, Predicate::None) {
                continue;
            }
            let ids: Vec<Id> = ids.into_iter().collect();
            let mut fetched = self.many(of, &ids, round).await?;
            for taken in ids.iter().filter_map(|id| fetched.remove(id)) {
                if self.shows(&predicate, &taken.facts, Some(&taken), round).await? {
                    found.push(taken);
                }
            }
        }
        Ok(found)
    }

    /// What refers to these records.
    async fn backward(&self, permit: &Permit, include: &Include, from: &[Taken], round: &mut Round) -> Result<Vec<Taken>, Fault> {
        let predicate = permit.rows(include.source, Need::Read);
        if matches!(predicate, Predicate::None)
            || !(self.is_own(include.source) || self.peers.of(include.source).abilities().serves(include.source))
        {
            return Ok(Vec::new());
        }
        let mut found = Vec::new();
        for id in &include.parameters {
            let Some(parameter) = search_parameter_by_id(*id) else { continue };
            let reaches = |key: &Key| {
                let of = key.resource_type;
                include.target.is_none_or(|target| target == of)
                    && (parameter.targets.is_empty() || parameter.targets.contains(&of))
            };
            let keys: Vec<Key> = from.iter().map(|taken| taken.key().clone()).filter(|key| reaches(key)).collect();
            for some in keys.chunks(AT_ONCE) {
                let needle = Needle::Refers(*id, some.iter().cloned().collect());
                let hunt = self.referring(include.source, &parameter.code, some, needle, predicate.clone());
                let all = std::slice::from_ref(&hunt);
                self.each(permit, all, round, |taken| {
                    found.push(taken);
                    Ok(true)
                })
                .await?;
            }
        }
        Ok(found)
    }

    /// The records of a type that refer to one of these.
    fn referring(&self, of: ResourceType, code: &str, keys: &[Key], needle: Needle, predicate: Predicate) -> Hunt {
        let peer = self.peers.of(of);
        let list = keys.iter().map(|key| self.peers.refer(peer, key)).collect::<Vec<_>>().join(",");
        let source = if self.is_own(of) {
            Source::Own(Box::new(super::hunt::asking(of, Vec::new())))
        } else {
            Source::Behind(Question { path: of.to_string(), needed: Some((code.to_owned(), list)), told: Vec::new() })
        };
        Hunt { of, predicate, needles: vec![needle], legs: vec![Leg { source, mine: None }] }
    }
}
