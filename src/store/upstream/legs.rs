//! The queries of a search: by the compartment's path or its parameters, by a set of records, or by the caller's own words alone.

use super::UpstreamStore;
use super::fetch::AT_ONCE;
use super::hunt::{Leg, Question, Source};
use super::needle::Needle;
use super::pushed::Pair;
use super::settings::Narrowing;
use crate::fhir::definitions::{compartment_parameters, search_parameter};
use crate::fhir::search::{ParameterId, SearchParameter};
use crate::fhir::{CompartmentOwner, Id, Key, ResourceType};
use std::collections::HashSet;

impl UpstreamStore {
    /// The queries that find everything. `None` when nothing can be found.
    pub(super) fn legs(
        &self,
        of: ResourceType,
        owner: Option<&CompartmentOwner>,
        pairs: &[Pair],
        needles: &[Needle],
    ) -> Option<Vec<Leg>> {
        let peer = self.peers.of(of);
        let leg = |path: String, extra: Option<Pair>, mine: Option<Needle>| Leg {
            source: Source::Behind(Question { path, needed: extra, told: pairs.to_vec() }),
            mine,
        };
        let sets: Vec<Vec<Leg>> = needles
            .iter()
            .filter_map(|needle| chunks(of, needle, &|key| self.peers.refer(peer, key)))
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
        let beyond = Beyond::of(of).filter(|_| owner.resource_type == ResourceType::Patient);
        if codes.is_empty() && beyond.is_none() {
            return Some(smallest.unwrap_or_else(|| vec![leg(of.to_string(), None, None)]));
        }
        let by_path = match peer.narrowing {
            Narrowing::Auto => !peer.abilities().without_compartments,
            Narrowing::Path => true,
            Narrowing::Parameters => false,
        };
        if by_path && beyond.is_none() {
            return Some(vec![leg(format!("{key}/{of}"), None, None)]);
        }
        let further = beyond.map_or(&[][..], |beyond| beyond.by);
        let parameters = codes.iter().map(String::as_str).chain(further.iter().copied());
        let by_parameter = parameters.filter_map(|code| search_parameter(of, code)).map(|parameter: &SearchParameter| {
            let mine = Needle::Refers(parameter.id, HashSet::from([key.clone()]));
            leg(of.to_string(), Some((parameter.code.clone(), self.peers.refer(peer, &key))), Some(mine))
        });
        // What no parameter tells is looked for among all, or among those that the search itself picks out.
        let whole = beyond.filter(|beyond| beyond.whole).map(|_| leg(of.to_string(), None, None));
        match (whole, smallest) {
            (Some(_), Some(smallest)) => Some(smallest),
            (Some(whole), None) if pairs.iter().any(|(name, _)| PICKS.contains(&name.as_str())) => Some(vec![whole]),
            (whole, _) => Some(by_parameter.chain(whole).collect()),
        }
    }
}

/// Parameters of which a value selects few records.
const NARROW: &[&str] = &["_id", "identifier", "patient", "subject", "encounter"];
/// Queries by a set that are no more trouble than one that selects few.
const FEW: usize = 3;

/// Parameters that pick out few of the records that belong with others.
const PICKS: &[&str] = &["_id", "target", "identifier", "entity"];

/// Types whose records belong to patients whom the compartment's parameters do not name.
#[derive(Debug, Clone, Copy)]
struct Beyond {
    /// Parameters that name them.
    by: &'static [&'static str],
    /// Whether even those do not tell of all: they belong to whomever the records that they are about belong to.
    whole: bool,
}

impl Beyond {
    fn of(of: ResourceType) -> Option<Self> {
        let (by, whole): (&[&str], bool) = match of {
            ResourceType::List => (&["item"], false),
            ResourceType::DocumentManifest => (&["item", "related-ref"], false),
            ResourceType::Composition => (&["entry"], false),
            ResourceType::Provenance | ResourceType::Binary | ResourceType::Bundle => (&[], true),
            _ => return None,
        };
        Some(Self { by, whole })
    }
}

/// A set of records as queries by them, some at a time, in an order that is the same each time.
fn chunks(of: ResourceType, needle: &Needle, refer: &dyn Fn(&Key) -> String) -> Option<Vec<(Pair, Needle)>> {
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
                let list = some.iter().map(|key| refer(key)).collect::<Vec<_>>().join(",");
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
