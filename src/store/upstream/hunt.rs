//! A search of one type, made ready: what must hold of each record, and the queries that find the records.

use super::UpstreamStore;
use super::fault::Fault;
use super::needle::{Needle, referred};
use super::pushed::{self, Pair};
use super::round::Round;
use crate::access::{Permit, Predicate};
use crate::fhir::definitions::{compartment_parameters, search_parameter};
use crate::fhir::search::{Criterion, Modifier, ParameterId, ParameterType, ResultShape, SearchQuery};
use crate::fhir::{CompartmentOwner, Key, Need, ResourceType, encode};
use std::collections::HashSet;

/// A search of one type.
pub(super) struct Hunt {
    pub(super) of: ResourceType,
    /// What the caller may see.
    pub(super) predicate: Predicate,
    /// All must hold.
    pub(super) needles: Vec<Needle>,
    /// The queries, one after the other. None finds what one before it finds.
    pub(super) legs: Vec<Leg>,
}

/// One query.
pub(super) struct Leg {
    pub(super) source: Source,
    /// What distinguishes its records from those of the other legs.
    pub(super) mine: Option<Needle>,
}

/// Where it goes.
pub(super) enum Source {
    /// To the server behind.
    Behind(Question),
    /// To the gateway's own store.
    Own(Box<SearchQuery>),
}

/// What the server behind is asked.
pub(super) struct Question {
    /// Below the base.
    pub(super) path: String,
    /// What makes it this query and not another one.
    pub(super) needed: Option<Pair>,
    /// What the caller asked, as far as it can be told. A server that refuses it is asked without, and finds more than is wanted.
    pub(super) told: Vec<Pair>,
}

impl Question {
    /// The parameters, all of them or only what cannot be left out.
    pub(super) fn pairs(&self, all: bool) -> Vec<Pair> {
        let told = self.told.iter().filter(|_| all);
        told.chain(&self.needed).cloned().collect()
    }

    /// The address of the first page.
    pub(super) fn place(&self, count: usize, all: bool) -> String {
        let pairs = self.pairs(all);
        let parameters: Vec<String> = pairs.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
        let mark = if parameters.is_empty() { "" } else { "&" };
        format!("{}?{}{mark}_count={count}", self.path, parameters.join("&"))
    }
}

impl UpstreamStore {
    /// Makes a search of some types ready. A type of which nothing can be found is left out.
    pub(super) async fn hunts(
        &self,
        permit: &Permit,
        need: Need,
        query: &SearchQuery,
        round: &mut Round,
    ) -> Result<Vec<Hunt>, Fault> {
        demand_served(query)?;
        let asked = if query.types.is_empty() { ResourceType::ALL } else { &query.types };
        let mut hunts = Vec::new();
        for &of in asked {
            if query.types.is_empty() && !self.is_own(of) && !self.peers.of(of).abilities().serves(of) {
                continue;
            }
            hunts.extend(Box::pin(self.hunt(permit, need, of, query, round)).await?);
        }
        Ok(hunts)
    }

    async fn hunt(
        &self,
        permit: &Permit,
        need: Need,
        of: ResourceType,
        query: &SearchQuery,
        round: &mut Round,
    ) -> Result<Option<Hunt>, Fault> {
        let predicate = permit.rows(of, need);
        if matches!(predicate, Predicate::None) {
            return Ok(None);
        }
        let (mut needles, mut pairs, mut plain) = (Vec::new(), Vec::new(), Vec::new());
        for criterion in &query.criteria {
            let Some(criterion) = of_type(criterion, of) else { return Ok(None) };
            match self.looked_up(permit, of, criterion, round).await? {
                Needle::Spoken(criterion, by) => {
                    if self.is_pushable(of, &criterion) {
                        pairs.extend(self.as_pairs(of, &criterion));
                    }
                    needles.push(Needle::Spoken(criterion, by));
                }
                Needle::Plain(criterion) => {
                    if self.is_pushable(of, &criterion) {
                        pairs.extend(self.as_pairs(of, &criterion));
                    }
                    plain.push(criterion.clone());
                    needles.push(Needle::Plain(criterion));
                }
                other => needles.push(other),
            }
        }
        let Some(membership) = owned(of, query.compartment.as_ref()) else { return Ok(None) };
        needles.extend(membership);
        if self.is_own(of) {
            let source = Source::Own(Box::new(narrowed(query, of, plain)));
            return Ok(Some(Hunt { of, predicate, needles, legs: vec![Leg { source, mine: None }] }));
        }
        let confined =
            predicate.confined_to().map(|id| CompartmentOwner { resource_type: ResourceType::Patient, id: id.clone() });
        let owner = query.compartment.clone().or(confined);
        let Some(legs) = self.legs(of, owner.as_ref(), &pairs, &needles) else { return Ok(None) };
        Ok(Some(Hunt { of, predicate, needles, legs }))
    }

    /// A criterion as parameters for the server that keeps the type.
    fn as_pairs(&self, of: ResourceType, criterion: &Criterion) -> Vec<Pair> {
        let peer = self.peers.of(of);
        pushed::pairs(criterion, &self.crossing, &|key| self.peers.refer(peer, key)).unwrap_or_default()
    }

    fn is_pushable(&self, of: ResourceType, criterion: &Criterion) -> bool {
        pushed::asked(criterion).is_none_or(|(_, code)| self.peers.of(of).abilities().searches(of, code))
    }

    /// The criterion with the other records that it depends on looked up, under the caller's eyes.
    async fn looked_up(
        &self,
        permit: &Permit,
        of: ResourceType,
        criterion: &Criterion,
        round: &mut Round,
    ) -> Result<Needle, Fault> {
        match criterion {
            Criterion::Chain { parameter, targets } => {
                let mut keys = HashSet::new();
                for (target, inner) in targets {
                    let found = self.hop(permit, *target, inner, round, |taken| vec![taken.key().clone()]).await?;
                    keys.extend(found);
                }
                Ok(Needle::Refers(parameter.id, keys))
            }
            Criterion::Has { resource_type, parameter, criterion } => {
                let by = parameter.id;
                let found = self.hop(permit, *resource_type, criterion, round, |taken| referred(taken, &[by]).collect());
                let ids = found.await?.into_iter().filter(|key| key.resource_type == of).map(|key| key.id);
                Ok(Needle::Ids(ids.collect()))
            }
            Criterion::All(all) => Ok(Needle::Every(self.each_looked_up(permit, of, all, round).await?)),
            Criterion::Any(any) => Ok(Needle::Some(self.each_looked_up(permit, of, any, round).await?)),
            Criterion::Not(inner) => {
                let mut one = self.each_looked_up(permit, of, std::slice::from_ref(inner), round).await?;
                Ok(one.pop().map_or(Needle::Some(Vec::new()), |one| Needle::Not(Box::new(one))))
            }
            Criterion::Match { parameter, modifier: Modifier::Text | Modifier::Identifier, .. }
                if parameter.parameter_type == ParameterType::Reference =>
            {
                Ok(Needle::Spoken(criterion.clone(), Some(parameter.id)))
            }
            // Where a reference is silent the narrative is not shown either.
            Criterion::Words(..) => Ok(Needle::Spoken(criterion.clone(), None)),
            plain => Ok(Needle::Plain(plain.clone())),
        }
    }

    /// Each of the parts of a `_filter`. What no record of the type satisfies is no condition at all, and holds for none.
    async fn each_looked_up(
        &self,
        permit: &Permit,
        of: ResourceType,
        criteria: &[Criterion],
        round: &mut Round,
    ) -> Result<Vec<Needle>, Fault> {
        let mut needles = Vec::with_capacity(criteria.len());
        for criterion in criteria {
            needles.push(match of_type(criterion, of) {
                Some(criterion) => Box::pin(self.looked_up(permit, of, criterion, round)).await?,
                None => Needle::Some(Vec::new()),
            });
        }
        Ok(needles)
    }

    /// What the records of a type that the caller sees and that satisfy a criterion lead to.
    async fn hop(
        &self,
        permit: &Permit,
        of: ResourceType,
        criterion: &Criterion,
        round: &mut Round,
        leads: impl Fn(&crate::disclosure::Taken) -> Vec<Key> + Send + Sync,
    ) -> Result<HashSet<Key>, Fault> {
        let query = asking(of, vec![criterion.clone()]);
        let hunts = Box::pin(self.hunts(permit, Need::Search, &query, round)).await?;
        let mut keys = HashSet::new();
        let most = self.options.hop_records;
        self.each(permit, &hunts, round, |taken| {
            keys.extend(leads(&taken));
            if keys.len() > most { Err(Fault::Costly(TOO_WIDE)) } else { Ok(true) }
        })
        .await?;
        Ok(keys)
    }
}

const TOO_WIDE: &str =
    "a chain or `_has` of this search leads over more records than can be looked at; make what stands behind it more exact";

/// The criterion as it reads for one type; `None` when no record of the type satisfies it.
fn of_type(criterion: &Criterion, of: ResourceType) -> Option<&Criterion> {
    match criterion {
        Criterion::OfEach(each) => each.iter().find(|(one, _)| *one == of).and_then(|(_, inner)| of_type(inner, of)),
        plain => Some(plain),
    }
}

/// Membership in the compartment in the URL, as a condition; `None` when no record of the type is a member.
fn owned(of: ResourceType, owner: Option<&CompartmentOwner>) -> Option<Vec<Needle>> {
    let Some(owner) = owner else { return Some(Vec::new()) };
    if owner.resource_type == ResourceType::Patient {
        return Some(vec![Needle::Patient(owner.id.clone())]);
    }
    let codes = compartment_parameters(owner.resource_type, of);
    let parameters: Vec<ParameterId> =
        codes.iter().filter_map(|code| search_parameter(of, code)).map(|parameter| parameter.id).collect();
    (!parameters.is_empty()).then(|| vec![Needle::Owner(parameters, Key::new(owner.resource_type, owner.id.clone()))])
}

/// What is answered over the embedded store alone, because it takes value sets, code systems or contained resources of the store.
fn demand_served(query: &SearchQuery) -> Result<(), Fault> {
    if query.contained.is_some() || query.criteria.iter().any(needs_a_store) {
        return Err(Fault::Asked(UNSERVED));
    }
    Ok(())
}

fn needs_a_store(criterion: &Criterion) -> bool {
    match criterion {
        Criterion::Contained { .. } | Criterion::Match { modifier: Modifier::In | Modifier::NotIn, .. } => true,
        Criterion::Match { parameter, modifier: Modifier::Above | Modifier::Below, .. } => {
            parameter.parameter_type != ParameterType::Uri
        }
        Criterion::Has { criterion, .. } | Criterion::Not(criterion) => needs_a_store(criterion),
        Criterion::Chain { targets: each, .. } | Criterion::OfEach(each) => each.iter().any(|(_, one)| needs_a_store(one)),
        Criterion::All(all) | Criterion::Any(all) => all.iter().any(needs_a_store),
        _ => false,
    }
}

const UNSERVED: &str = "`:in`, `:not-in`, `:above` and `:below` on codes and records, and `_contained`, are answered over the gateway's own store alone, not in front of another server";

/// The same search of one type, by its plain criteria alone.
fn narrowed(query: &SearchQuery, of: ResourceType, criteria: Vec<Criterion>) -> SearchQuery {
    SearchQuery { compartment: query.compartment.clone(), ..asking(of, criteria) }
}

/// A search of one type that wants nothing but its matches.
pub(super) fn asking(of: ResourceType, criteria: Vec<Criterion>) -> SearchQuery {
    SearchQuery {
        types: vec![of],
        compartment: None,
        contained: None,
        criteria,
        shape: ResultShape::default(),
        rendering: crate::fhir::Rendering::default(),
        applied: Vec::new(),
        ignored: Vec::new(),
    }
}
