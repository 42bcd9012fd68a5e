//! Conditional references see the records of their own transaction: they are resolved when everything else is done
//! (<https://hl7.org/fhir/R4/http.html#trules>).

use super::super::references::unresolved;
use super::super::write::Failed;
use super::{Act, Gateway, Plan, Whole};
use crate::access::Permit;
use crate::disclosure::{Draft, Guard, Marking, patched};
use crate::fhir::search::{Criterion, IndexValue, Modifier, ParameterId, SearchQuery, TokenValue, Value, holds};
use crate::fhir::{Instant, Key, Need, Problem, Refusal, ResourceType};
use std::collections::{HashMap, HashSet};

/// Records that are looked at one by one for a condition that names no code.
const FEW: usize = 1_000;

/// Which entries have a code, by the type of their records and the parameter.
type Codes = HashMap<(ResourceType, ParameterId), HashMap<String, Vec<usize>>>;

/// What was found out about the records of a transaction.
#[derive(Default)]
pub(super) struct Among(Codes);

impl Gateway {
    /// The one record that a conditional reference selects, among those that stay as they are and those that the transaction makes.
    pub(super) async fn resolve_among(
        &self,
        permit: &Permit,
        condition: &str,
        whole: &Whole<'_>,
        plan: &mut Plan,
    ) -> Result<Key, Failed> {
        let search = self.condition_of(condition)?;
        let changed: HashSet<&Key> = whole.changed(&search).map(|(_, key)| key).collect();
        if changed.is_empty() {
            return self.resolve(permit, condition, &mut plan.guards).await;
        }
        let most = u32::try_from(changed.len()).unwrap_or(u32::MAX).saturating_add(2);
        let mut selected: Vec<Key> = self
            .parts
            .store
            .select(permit, Need::Search, &search, most)
            .await?
            .into_iter()
            .map(|row| row.facts.key.clone())
            .collect();
        selected.sort();
        let mut found: Vec<Key> = selected.iter().filter(|key| !changed.contains(key)).cloned().collect();
        found.extend(plan.among.made(&search, whole, &self.marking(), self.parts.clock.now())?);
        match found.as_slice() {
            [one] => {
                plan.guards.push(Guard { permit: permit.clone(), need: Need::Search, query: (*search).clone(), selected });
                Ok(one.clone())
            }
            [] => Err(unresolved(condition, "selects no record").into()),
            _ => Err(unresolved(condition, "selects several records").into()),
        }
    }
}

impl Whole<'_> {
    /// The entries that change a record of the type that is searched, each with its record.
    fn changed(&self, search: &SearchQuery) -> impl Iterator<Item = (usize, &Key)> {
        let of = search.types.first().copied();
        let all = self.steps.iter().enumerate().filter_map(|(at, step)| step.act.changes().map(|key| (at, key)));
        all.filter(move |(_, key)| Some(key.resource_type) == of)
    }

    /// What an entry makes of its record; none for a deletion, and for what will be refused.
    fn draft(&self, at: usize) -> Option<Draft> {
        let (part, step) = (self.parts.get(at)?, self.steps.get(at)?);
        match &step.act {
            Act::Create(key) | Act::Update { key, .. } => part.draft(key.resource_type, None).ok(),
            Act::Patch { old } => patched(&part.body().ok()?, old).ok(),
            Act::Delete { .. } | Act::Found(_) | Act::Nothing | Act::Read => None,
        }
    }
}

impl Among {
    /// The records that the transaction makes and the search selects.
    fn made(
        &mut self,
        search: &SearchQuery,
        whole: &Whole<'_>,
        marking: &Marking<'_>,
        now: Instant,
    ) -> Result<Vec<Key>, Refusal> {
        let mut found = Vec::new();
        for at in self.candidates(search, whole, marking)? {
            let (Some(draft), Some(key)) = (whole.draft(at), whole.steps.get(at).and_then(|step| step.act.changes())) else {
                continue;
            };
            let values = draft.values(marking);
            if search.criteria.iter().all(|one| holds(one, key, now, &values) == Some(true)) {
                found.push(key.clone());
            }
        }
        Ok(found)
    }

    /// The entries that are worth a look: those with the code that the search names.
    fn candidates(&mut self, search: &SearchQuery, whole: &Whole<'_>, marking: &Marking<'_>) -> Result<Vec<usize>, Refusal> {
        let Some((parameter, code)) = search.criteria.iter().find_map(code_named) else {
            let all: Vec<usize> = whole.changed(search).map(|(at, _)| at).collect();
            let text =
                "a conditional reference to one of very many records of its own transaction must name a code or an identifier";
            return if all.len() <= FEW { Ok(all) } else { Err(Refusal::Invalid(vec![Problem::of("too-costly", text)])) };
        };
        let of = search.types.first().copied().ok_or(Refusal::Internal)?;
        let codes = self.0.entry((of, parameter)).or_insert_with(|| {
            let mut codes: HashMap<String, Vec<usize>> = HashMap::new();
            for (at, _) in whole.changed(search) {
                let values = whole.draft(at).map(|draft| draft.values_of(marking, &[parameter])).unwrap_or_default();
                for entry in values.into_iter().filter(|entry| entry.parameter == parameter) {
                    if let IndexValue::Token { code, .. } = entry.value {
                        let all = codes.entry(code).or_default();
                        if all.last() != Some(&at) {
                            all.push(at);
                        }
                    }
                }
            }
            codes
        });
        Ok(codes.get(code).cloned().unwrap_or_default())
    }
}

/// The code that a criterion demands, with its parameter.
fn code_named(criterion: &Criterion) -> Option<(ParameterId, &str)> {
    match criterion {
        Criterion::Match { parameter, modifier: Modifier::Plain, values } => match values.as_slice() {
            [Value::Token(TokenValue { code: Some(code), .. })] => Some((parameter.id, code)),
            _ => None,
        },
        _ => None,
    }
}
