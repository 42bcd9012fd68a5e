//! A search of one type, made ready: what must hold of each record, and the queries that find the records.

use super::UpstreamStore;
use super::fault::Fault;
use super::fetch::AT_ONCE;
use super::needle::{Needle, referred};
use super::pushed::{self, Pair};
use super::round::Round;
use super::settings::Narrowing;
use crate::access::{Permit, Predicate};
use crate::fhir::definitions::{compartment_parameters, search_parameter};
use crate::fhir::search::{Criterion, Modifier, ParameterId, ParameterType, ResultShape, SearchParameter, SearchQuery};
use crate::fhir::{CompartmentOwner, Id, Key, Need, ResourceType, encode};
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
    /// To the server behind: a path below the base, and parameters.
    Behind(String, Vec<Pair>),
    /// To the gateway's own store.
    Own(Box<SearchQuery>),
}

impl Source {
    /// The address of its first page.
    pub(super) fn place(&self, count: usize) -> String {
        match self {
            Self::Own(_) => String::new(),
            Self::Behind(path, pairs) => {
                let parameters: Vec<String> =
                    pairs.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
                let mark = if parameters.is_empty() { "" } else { "&" };
                format!("{path}?{}{mark}_count={count}", parameters.join("&"))
            }
        }
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
            if query.types.is_empty() && !self.is_own(of) && !self.abilities().serves(of) {
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
                Needle::Plain(criterion) => {
                    if self.is_pushable(of, &criterion) {
                        pairs.extend(pushed::pairs(&criterion, &self.crossing).unwrap_or_default());
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

    fn is_pushable(&self, of: ResourceType, criterion: &Criterion) -> bool {
        pushed::asked(criterion).is_none_or(|(_, code)| self.abilities().searches(of, code))
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
                let found = self.hop(permit, *resource_type, criterion, round, |taken| referred(taken, |id| id == by).collect());
                let ids = found.await?.into_iter().filter(|key| key.resource_type == of).map(|key| key.id);
                Ok(Needle::Ids(ids.collect()))
            }
            Criterion::All(all) => Ok(Needle::Every(self.each_looked_up(permit, of, all, round).await?)),
            Criterion::Any(any) => Ok(Needle::Some(self.each_looked_up(permit, of, any, round).await?)),
            Criterion::Not(inner) => {
                let mut one = self.each_looked_up(permit, of, std::slice::from_ref(inner), round).await?;
                Ok(one.pop().map_or(Needle::Some(Vec::new()), |one| Needle::Not(Box::new(one))))
            }
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

    /// The queries that find everything. `None` when nothing can be found.
    fn legs(&self, of: ResourceType, owner: Option<&CompartmentOwner>, pairs: &[Pair], needles: &[Needle]) -> Option<Vec<Leg>> {
        let leg = |path: String, extra: Option<Pair>, mine: Option<Needle>| Leg {
            source: Source::Behind(path, pairs.iter().cloned().chain(extra).collect()),
            mine,
        };
        let sets: Vec<Vec<Leg>> = needles
            .iter()
            .filter_map(|needle| chunks(of, needle))
            .map(|chunks| chunks.into_iter().map(|(pair, mine)| leg(of.to_string(), Some(pair), Some(mine))).collect())
            .collect();
        if sets.iter().any(Vec::is_empty) {
            return None;
        }
        let smallest = sets.into_iter().min_by_key(Vec::len);
        let Some(owner) = owner else {
            let narrow = pairs.iter().any(|(name, _)| NARROW.contains(&name.as_str()));
            let by_set = smallest.filter(|legs| legs.len() <= FEW || !narrow);
            return Some(by_set.unwrap_or_else(|| vec![leg(of.to_string(), None, None)]));
        };
        let key = Key::new(owner.resource_type, owner.id.clone());
        if of == owner.resource_type {
            return Some(vec![leg(of.to_string(), Some(("_id".to_owned(), owner.id.to_string())), None)]);
        }
        let codes = compartment_parameters(owner.resource_type, of);
        if codes.is_empty() {
            return Some(smallest.unwrap_or_else(|| vec![leg(of.to_string(), None, None)]));
        }
        let by_path = match self.options.narrowing {
            Narrowing::Auto => !self.abilities().without_compartments,
            Narrowing::Path => true,
            Narrowing::Parameters => false,
        };
        if by_path {
            return Some(vec![leg(format!("{key}/{of}"), None, None)]);
        }
        let parameters = codes.iter().filter_map(|code| search_parameter(of, code));
        Some(
            parameters
                .map(|parameter: &SearchParameter| {
                    let mine = Needle::Refers(parameter.id, HashSet::from([key.clone()]));
                    leg(of.to_string(), Some((parameter.code.clone(), key.to_string())), Some(mine))
                })
                .collect(),
        )
    }
}

/// Parameters of which a value selects few records.
const NARROW: &[&str] = &["_id", "identifier", "patient", "subject", "encounter"];
/// Queries by a set that are no more trouble than one that selects few.
const FEW: usize = 3;

const TOO_WIDE: &str =
    "a chain or `_has` of this search leads over more records than can be looked at; make what stands behind it more exact";

/// A set of records as queries by them, some at a time, in an order that is the same each time.
fn chunks(of: ResourceType, needle: &Needle) -> Option<Vec<(Pair, Needle)>> {
    match needle {
        Needle::Ids(ids) => {
            let mut all: Vec<&Id> = ids.iter().collect();
            all.sort_unstable();
            let chunk = |some: &[&Id]| {
                let list = some.iter().map(|id| id.as_str()).collect::<Vec<_>>().join(",");
                (("_id".to_owned(), list), Needle::Ids(some.iter().map(|id| (*id).clone()).collect()))
            };
            Some(all.chunks(AT_ONCE).map(chunk).collect())
        }
        Needle::Refers(by, keys) => {
            let code = code_of(of, *by)?;
            let mut all: Vec<&Key> = keys.iter().collect();
            all.sort_unstable();
            let chunk = |some: &[&Key]| {
                let list = some.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
                ((code.clone(), list), Needle::Refers(*by, some.iter().map(|key| (*key).clone()).collect()))
            };
            Some(all.chunks(AT_ONCE).map(chunk).collect())
        }
        _ => None,
    }
}

fn code_of(of: ResourceType, id: ParameterId) -> Option<String> {
    crate::fhir::definitions::search_parameters(of).find(|parameter| parameter.id == id).map(|parameter| parameter.code.clone())
}

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
