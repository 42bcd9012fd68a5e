//! What a query asks of value sets, code systems and hierarchies of records, looked up before the search: `:in`, `:not-in`, `:above`,
//! `:below`. Only what the caller may see counts, at each step.

use super::connection::Connection;
use super::select;
use crate::access::Permit;
use crate::disclosure::{code_system_of, value_set_of};
use crate::fhir::definitions::search_parameter;
use crate::fhir::search::{
    Criterion, Modifier, ParameterType, ReferenceValue, ResultShape, SearchParameter, SearchQuery, Sort, SortKey, SystemMatch,
    TokenValue, Value,
};
use crate::fhir::terms::{self, CodeSystem, Codes, Source, TermsError, ValueSet};
use crate::fhir::{Id, Key, Need, Problem, Rendering, ResourceType};
use crate::store::{Row, StoreError};
use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// Records that may stand above or below one.
const FAMILY: usize = 10_000;

/// Value sets or code systems of one canonical among which the newest is looked for.
const VERSIONS: u32 = 200;

/// The query with everything looked up that it asks for.
///
/// # Errors
/// [`StoreError::Asked`] for a value set or code system that is not there, or that the caller may not see.
pub(super) fn settled<'q>(
    connection: &mut Connection,
    permit: &Permit,
    query: &'q SearchQuery,
) -> Result<Cow<'q, SearchQuery>, StoreError> {
    if !query.criteria.iter().any(asks) {
        return Ok(Cow::Borrowed(query));
    }
    let mut shelf = Shelf { connection, permit, sets: HashMap::new(), systems: HashMap::new() };
    let mut found = query.clone();
    for criterion in &mut found.criteria {
        shelf.settle(criterion)?;
    }
    Ok(Cow::Owned(found))
}

/// Whether something must be looked up for a criterion.
fn asks(criterion: &Criterion) -> bool {
    match criterion {
        Criterion::Match { modifier: Modifier::In | Modifier::NotIn, .. } => true,
        Criterion::Match { parameter, modifier, values } => looked_up(parameter, modifier, values),
        Criterion::Has { criterion, .. } | Criterion::Not(criterion) => asks(criterion),
        Criterion::Chain { targets: each, .. } | Criterion::OfEach(each) => each.iter().any(|(_, one)| asks(one)),
        Criterion::All(all) | Criterion::Any(all) | Criterion::Contained { criteria: all, .. } => all.iter().any(asks),
        _ => false,
    }
}

/// Above and below a code, or a record. Of addresses and canonicals the texts themselves say it.
fn looked_up(parameter: &SearchParameter, modifier: &Modifier, values: &[Value]) -> bool {
    let hierarchy = matches!(modifier, Modifier::Above | Modifier::Below) && parameter.parameter_type != ParameterType::Uri;
    hierarchy && values.iter().any(|value| matches!(value, Value::Token(_) | Value::Reference(ReferenceValue::Local(..))))
}

struct Shelf<'s> {
    connection: &'s mut Connection,
    permit: &'s Permit,
    sets: HashMap<String, Option<Arc<ValueSet>>>,
    systems: HashMap<String, Option<Arc<CodeSystem>>>,
}

impl Shelf<'_> {
    fn settle(&mut self, criterion: &mut Criterion) -> Result<(), StoreError> {
        match criterion {
            Criterion::Match { parameter, modifier, values } => self.matched(parameter, modifier, values),
            Criterion::Has { criterion, .. } | Criterion::Not(criterion) => self.settle(criterion),
            Criterion::Chain { targets: each, .. } | Criterion::OfEach(each) => {
                each.iter_mut().try_for_each(|(_, one)| self.settle(one))
            }
            Criterion::All(all) | Criterion::Any(all) | Criterion::Contained { criteria: all, .. } => {
                all.iter_mut().try_for_each(|one| self.settle(one))
            }
            _ => Ok(()),
        }
    }

    fn matched(&mut self, parameter: &SearchParameter, modifier: &mut Modifier, values: &mut [Value]) -> Result<(), StoreError> {
        let sets = matches!(modifier, Modifier::In | Modifier::NotIn);
        if !sets && !looked_up(parameter, modifier, values) {
            return Ok(());
        }
        for value in values {
            let found = match value {
                Value::ValueSet(canonical) => {
                    let canonical = canonical.clone();
                    Some(Value::Codes(Arc::new(
                        terms::expand(self, &canonical).map_err(|error| said(parameter, modifier, error))?,
                    )))
                }
                Value::Token(TokenValue { system: SystemMatch::Is(system), code: Some(code) }) => {
                    let (system, code) = (system.clone(), code.clone());
                    let codes: Result<Codes, _> = match modifier {
                        Modifier::Above => terms::above(self, &system, &code),
                        _ => terms::below(self, &system, &code),
                    };
                    Some(Value::Codes(Arc::new(codes.map_err(|error| said(parameter, modifier, error))?)))
                }
                Value::Reference(ReferenceValue::Local(of, id)) => {
                    let family = self.family(parameter, modifier, Key::new(*of, id.clone()))?;
                    Some(Value::Records(Arc::new(family)))
                }
                _ => None,
            };
            if let Some(found) = found {
                *value = found;
            }
        }
        // A canonical beside a record still needs the modifier; codes and records are compared plainly whatever it says.
        match modifier {
            Modifier::In => *modifier = Modifier::Plain,
            Modifier::NotIn => *modifier = Modifier::Not,
            _ => {}
        }
        Ok(())
    }

    /// A record and those that stand above or below it by what they are part of.
    fn family(&mut self, parameter: &SearchParameter, modifier: &Modifier, root: Key) -> Result<BTreeSet<Key>, StoreError> {
        let of = root.resource_type;
        let part_of = ["partof", "part-of"].iter().find_map(|code| search_parameter(of, code));
        let Some(part_of) = part_of.filter(|one| one.targets.is_empty() || one.targets.contains(&of)) else {
            return Err(asked(format!(
                "`{}`: records of type {of} are not part of each other, so nothing is above or below one",
                parameter.code
            )));
        };
        let mut family = BTreeSet::from([root.clone()]);
        let mut last = BTreeSet::from([root]);
        while !last.is_empty() {
            let criterion = match modifier {
                Modifier::Above => {
                    let ids: Vec<Id> = last.iter().map(|key| key.id.clone()).collect();
                    Criterion::Has { resource_type: of, parameter: part_of, criterion: Box::new(Criterion::Id(ids)) }
                }
                _ => Criterion::Match {
                    parameter: part_of,
                    modifier: Modifier::Plain,
                    values: vec![Value::Records(Arc::new(last))],
                },
            };
            let limit = u32::try_from(FAMILY + 1).unwrap_or(u32::MAX);
            let next = select::keys(self.connection, self.permit, Need::Search, &query(of, criterion), limit)?;
            last = next.into_iter().filter(|key| family.insert(key.clone())).collect();
            if family.len() > FAMILY {
                return Err(asked(format!("`{}`: more than {FAMILY} records are above or below the one named", parameter.code)));
            }
        }
        Ok(family)
    }

    /// The newest of the stored resources with this canonical that the caller may see; of a version, when one is named.
    fn stored(&mut self, of: ResourceType, canonical: &str) -> Result<Option<Row>, StoreError> {
        let local = Key::parse(canonical).filter(|key| key.resource_type == of);
        let criterion = if let Some(key) = local {
            Criterion::Id(vec![key.id])
        } else {
            let (url, _) = terms::canonical(canonical);
            let Some(parameter) = search_parameter(of, "url") else { return Ok(None) };
            Criterion::Match { parameter, modifier: Modifier::Plain, values: vec![Value::Uri(url.to_owned())] }
        };
        let mut query = query(of, criterion);
        if let (_, Some(version)) = terms::canonical(canonical)
            && let Some(parameter) = search_parameter(of, "version")
        {
            let token = TokenValue { system: SystemMatch::Any, code: Some(version.to_owned()) };
            query.criteria.push(Criterion::Match { parameter, modifier: Modifier::Plain, values: vec![Value::Token(token)] });
        }
        query.shape.sort = vec![Sort { by: SortKey::LastUpdated, descending: true }];
        let rows = select::rows(self.connection, self.permit, Need::Search, &query, VERSIONS)?;
        Ok(rows.into_iter().next())
    }
}

impl Source for Shelf<'_> {
    type Error = StoreError;

    fn value_set(&mut self, canonical: &str) -> Result<Option<Arc<ValueSet>>, StoreError> {
        if let Some(known) = self.sets.get(canonical) {
            return Ok(known.clone());
        }
        let row = self.stored(ResourceType::ValueSet, canonical)?;
        let set = row.map(|row| value_set_of(&row).map(Arc::new)).transpose().map_err(|_| damaged())?;
        self.sets.insert(canonical.to_owned(), set.clone());
        Ok(set)
    }

    fn code_system(&mut self, canonical: &str) -> Result<Option<Arc<CodeSystem>>, StoreError> {
        if let Some(known) = self.systems.get(canonical) {
            return Ok(known.clone());
        }
        let row = self.stored(ResourceType::CodeSystem, canonical)?;
        let system = row.map(|row| code_system_of(&row).map(Arc::new)).transpose().map_err(|_| damaged())?;
        self.systems.insert(canonical.to_owned(), system.clone());
        Ok(system)
    }
}

fn damaged() -> StoreError {
    StoreError::Unavailable("a stored value set or code system is damaged".to_owned())
}

fn query(of: ResourceType, criterion: Criterion) -> SearchQuery {
    SearchQuery {
        types: vec![of],
        compartment: None,
        contained: None,
        criteria: vec![criterion],
        shape: ResultShape::default(),
        rendering: Rendering::default(),
        applied: Vec::new(),
        ignored: Vec::new(),
    }
}

fn said(parameter: &SearchParameter, modifier: &Modifier, error: TermsError<StoreError>) -> StoreError {
    let word = match modifier {
        Modifier::In => "in",
        Modifier::NotIn => "not-in",
        Modifier::Above => "above",
        _ => "below",
    };
    match error {
        TermsError::Source(error) => error,
        TermsError::Unknown(reason) => asked(format!("`{}:{word}`: {reason}", parameter.code)),
    }
}

fn asked(text: String) -> StoreError {
    StoreError::Asked(Box::new(Problem::of("not-found", text)))
}
