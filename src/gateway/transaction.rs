//! transaction (<https://hl7.org/fhir/R4/http.html#trules>): all or nothing, in the order DELETE, POST, PUT and PATCH, GET.

mod among;
mod links;
mod reads;

use super::batch::entry_visit;
use super::update::{demand, means};
use super::write::{Failed, creates, is_patch, new_id, until_settled, version_made};
use super::{Errand, Gateway};
use crate::access::{Caller, Permit};
use crate::audit::Entry;
use crate::disclosure::{Change, Commit, Draft, Guard, Part, Pending, Row, deletion, found, patched, responses, written};
use crate::fhir::search::SearchQuery;
use crate::fhir::{
    Facts, Id, Interaction, Key, Need, Problem, Refusal, Rendering, ResourceType, Return, Version, WriteCondition,
};
use among::Among;
use links::Links;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

/// An entry with its permit and the record it is about.
struct Step {
    permit: Permit,
    act: Act,
}

/// What an entry does, after its conditions were looked at.
enum Act {
    /// A create whose condition found this record: nothing to do.
    Found(Row),
    Create(Key),
    Update {
        key: Key,
        old: Option<Row>,
        named: bool,
    },
    Patch {
        old: Row,
    },
    Delete {
        old: Row,
    },
    /// Nothing is there to delete.
    Nothing,
    /// GET: after the changes.
    Read,
}

/// A transaction while it is put together.
#[derive(Default)]
struct Plan {
    guards: Vec<Guard>,
    changes: Vec<Change>,
    entries: Vec<Entry>,
    /// Which change is an entry's.
    change_of: HashMap<usize, usize>,
    /// Conditional references seen so far.
    resolved: HashMap<String, Key>,
    /// What they see of the transaction itself.
    among: Among,
    /// The entry that is being looked at.
    at: usize,
    /// Entries that make a record because their condition selected none, each with the condition.
    made: Vec<(usize, SearchQuery)>,
}

/// All entries of a transaction, and what they call each other.
struct Whole<'w> {
    parts: &'w [Part],
    steps: &'w [Step],
    links: Links,
}

impl Gateway {
    pub(super) async fn transaction(&self, caller: &Arc<Caller>, parts: &[Part], errand: &Errand) -> Result<Pending, Refusal> {
        until_settled!(self.try_transaction(caller, parts, errand).await)
    }

    async fn try_transaction(&self, caller: &Arc<Caller>, parts: &[Part], errand: &Errand) -> Result<Pending, Failed> {
        let mut plan = Plan::default();
        let mut steps = Vec::with_capacity(parts.len());
        for (at, part) in parts.iter().enumerate() {
            plan.at = at;
            steps.push(self.step(caller, part, &mut plan, errand).await.map_err(|failed| at_entry(failed, at))?);
        }
        each_once(&steps)?;
        let whole = Whole { parts, steps: &steps, links: Links::between(parts, &steps) };
        for phase in [is_delete, is_create, is_replacement, is_attached] {
            for (at, (part, step)) in parts.iter().zip(&steps).enumerate().filter(|(_, (_, step))| phase(&step.act)) {
                let change = self.change(part, step, &whole, &mut plan, errand).await.map_err(|failed| at_entry(failed, at))?;
                let visit = entry_visit(part, Some(step.permit.interaction()), &errand.visit);
                plan.entries.push(visit.concluded(change.patients.clone(), vec![version_made(&change)]));
                plan.change_of.insert(at, plan.changes.len());
                plan.changes.push(change);
            }
        }
        made_once(&plan)?;
        self.demand_readable(&steps, &plan, errand.visit.now).await?;
        self.settle(caller, parts, &steps, plan, errand).await
    }

    /// Commits, then answers each entry in the order of the request.
    async fn settle(
        &self,
        caller: &Arc<Caller>,
        parts: &[Part],
        steps: &[Step],
        plan: Plan,
        errand: &Errand,
    ) -> Result<Pending, Failed> {
        let Plan { guards, changes, mut entries, change_of, .. } = plan;
        let mut envelope = errand.visit.concluded(Vec::new(), Vec::new());
        envelope.event = crate::audit::Event::Rest("transaction");
        entries.push(envelope);
        let facts: Vec<Facts> = changes.iter().map(|change| change.facts(errand.visit.now)).collect();
        let committed = self.commit(Commit { guards, changes, entries }).await?;
        let redaction = self.redaction();
        let mut answers = Vec::with_capacity(parts.len());
        for (at, (part, step)) in parts.iter().zip(steps).enumerate() {
            let made = change_of.get(&at).and_then(|&change| committed.stored.get(change).zip(facts.get(change)));
            answers.push(match (made, &step.act) {
                (Some((stored, facts)), act) => {
                    let cut = is_patch(&step.permit).then_some(((&step.permit, Need::Read, &redaction), facts));
                    Ok(written(stored, act.creates(), &entry_rendering(part, errand), &[], &self.parts.base, cut)?)
                }
                (None, Act::Found(row)) => Ok(self.found(row, step, part, errand).await?),
                (None, Act::Read) => self.entry(caller, part, errand).await,
                (None, _) => Ok(Pending::nothing(entry_visit(part, None, &errand.visit).concluded(Vec::new(), Vec::new()))),
            });
        }
        Ok(responses("transaction-response", answers))
    }

    /// The existing record of a conditional create: 200 with its address.
    async fn found(&self, row: &Row, step: &Step, part: &Part, errand: &Errand) -> Result<Pending, Refusal> {
        let visit = entry_visit(part, Some(step.permit.interaction()), &errand.visit);
        let hidden = self.hidden(&step.permit, [row]).await?;
        found(&step.permit, row, &entry_rendering(part, errand), &visit, &self.redaction().hiding(&hidden))
    }

    /// Authorizes an entry and looks at what it is about.
    async fn step(&self, caller: &Arc<Caller>, part: &Part, plan: &mut Plan, errand: &Errand) -> Result<Step, Failed> {
        let parsed = self.entry_interaction(part, errand)?;
        if let Interaction::Page(_) | Interaction::Capabilities | Interaction::Operate(_) = parsed {
            return Err(Refusal::Invalid(vec![Problem::of("invalid", "this cannot be an entry of a transaction")]).into());
        }
        let permit = self.permit(caller, parsed, errand)?;
        let act = match permit.interaction() {
            Interaction::Create(resource_type, condition) => {
                self.plan_create(&permit, *resource_type, condition.as_deref(), plan).await?
            }
            Interaction::Update(key, condition) => self.plan_update(&permit, key.clone(), *condition, true).await?,
            Interaction::ConditionalUpdate(query, condition) => {
                self.plan_conditional_update(&permit, (query, part.id()), *condition, plan).await?
            }
            Interaction::Patch(key, condition) => {
                Act::Patch { old: self.standing(&permit, Need::Update, key, *condition).await? }
            }
            Interaction::ConditionalPatch(query, condition) => {
                let key = self.only(&permit, query, plan).await?.ok_or(Refusal::NotFound)?;
                Act::Patch { old: self.standing(&permit, Need::Update, &key, *condition).await? }
            }
            Interaction::Delete(key, condition) => self.plan_delete(&permit, key, *condition).await?,
            Interaction::ConditionalDelete(query) => match self.only(&permit, query, plan).await? {
                Some(key) => self.plan_delete(&permit, &key, WriteCondition::None).await?,
                None => Act::Nothing,
            },
            _ => Act::Read,
        };
        Ok(Step { permit, act })
    }

    async fn plan_create(
        &self,
        permit: &Permit,
        resource_type: ResourceType,
        condition: Option<&SearchQuery>,
        plan: &mut Plan,
    ) -> Result<Act, Failed> {
        let Some(condition) = condition else { return Ok(Act::Create(Key::new(resource_type, new_id()))) };
        let selected = self.selected(permit, Need::Search, condition).await?;
        plan.guards.push(selected.none_or_one(permit, condition)?);
        let id = selected.id();
        if let Some(found) = selected.rows.into_iter().next() {
            return Ok(Act::Found(found));
        }
        plan.made.push((plan.at, condition.clone()));
        Ok(Act::Create(Key::new(resource_type, id)))
    }

    async fn plan_update(&self, permit: &Permit, key: Key, condition: WriteCondition, named: bool) -> Result<Act, Failed> {
        let old = self.parts.store.read(permit, Need::Update, &key).await?;
        if old.is_none() {
            self.may_create_at(permit, &key).await?;
        }
        demand(condition, old.as_ref())?;
        Ok(Act::Update { key, old, named })
    }

    async fn plan_conditional_update(
        &self,
        permit: &Permit,
        (query, named): (&SearchQuery, Option<Id>),
        condition: WriteCondition,
        plan: &mut Plan,
    ) -> Result<Act, Failed> {
        let [resource_type] = query.types.as_slice() else { return Err(Refusal::Internal.into()) };
        let selected = self.selected(permit, Need::Search, query).await?;
        plan.guards.push(selected.none_or_one(permit, query)?);
        if let Some(found) = selected.rows.first() {
            means(&found.facts.key, named.as_ref())?;
            return self.plan_update(permit, found.facts.key.clone(), condition, false).await;
        }
        demand(condition, None)?;
        plan.made.push((plan.at, query.clone()));
        let (key, old) = match named {
            Some(id) => self.chosen(permit, Key::new(*resource_type, id)).await?,
            None => (Key::new(*resource_type, selected.id()), None),
        };
        Ok(Act::Update { key, old, named: false })
    }

    async fn plan_delete(&self, permit: &Permit, key: &Key, condition: WriteCondition) -> Result<Act, Failed> {
        let old = self.parts.store.read(permit, Need::Delete, key).await?.ok_or(Refusal::NotFound)?;
        if old.facts.deleted {
            return Ok(Act::Nothing);
        }
        demand(condition, Some(&old))?;
        self.may_delete(&old).await?;
        Ok(Act::Delete { old })
    }

    /// The record that a condition selects, guarded.
    async fn only(&self, permit: &Permit, query: &SearchQuery, plan: &mut Plan) -> Result<Option<Key>, Failed> {
        let selected = self.selected(permit, Need::Search, query).await?;
        plan.guards.push(selected.none_or_one(permit, query)?);
        Ok(selected.rows.first().map(|row| row.facts.key.clone()))
    }

    /// The change that an entry makes, its references resolved.
    async fn change(
        &self,
        part: &Part,
        step: &Step,
        whole: &Whole<'_>,
        plan: &mut Plan,
        errand: &Errand,
    ) -> Result<Change, Failed> {
        if let Act::Update { old: Some(old), .. } | Act::Patch { old } = &step.act {
            let patched = matches!(step.act, Act::Patch { .. });
            let hidden = if patched { self.hidden(&step.permit, [old]).await? } else { BTreeSet::new() };
            self.redaction().hiding(&hidden).demand_whole(&step.permit, Need::Update, old)?;
        }
        let (draft, need, key, old) = match &step.act {
            Act::Delete { old } => return Ok(deletion(old, &self.marking())?),
            Act::Create(key) => (part.draft(key.resource_type, None)?, Need::Create, key, None),
            Act::Update { key, old, named: true } => {
                (part.draft(key.resource_type, Some(&key.id))?, Need::Update, key, old.as_ref())
            }
            Act::Update { key, old, named: false } => (part.draft(key.resource_type, None)?, Need::Update, key, old.as_ref()),
            Act::Patch { old } => (patched(&part.body()?, old)?, Need::Update, &old.facts.key, Some(old)),
            Act::Found(_) | Act::Nothing | Act::Read => return Err(Refusal::Internal.into()),
        };
        let draft = self.linked(&step.permit, draft, whole, plan).await?;
        self.directed(&step.permit, &draft, old.filter(|row| !row.facts.deleted), errand.visit.now)?;
        Ok(draft.change(&step.permit, need, key.clone(), old, &self.marking(), errand.visit.now)?)
    }

    /// References to other entries become `Type/id`; conditional ones what they select.
    async fn linked(&self, permit: &Permit, draft: Draft, whole: &Whole<'_>, plan: &mut Plan) -> Result<Draft, Failed> {
        let draft = self.about(permit, draft, &mut plan.guards).await?;
        for condition in draft.conditional_references() {
            if !plan.resolved.contains_key(&condition) {
                let key = self.resolve_among(permit, &condition, whole, plan).await?;
                plan.resolved.insert(condition, key);
            }
        }
        let replace = |url: &str| whole.links.address(url).or_else(|| plan.resolved.get(url).map(ToString::to_string));
        self.settled(draft.rewritten(&replace), &plan.changes).await
    }
}

fn is_delete(act: &Act) -> bool {
    matches!(act, Act::Delete { .. })
}

fn is_create(act: &Act) -> bool {
    matches!(act, Act::Create(_)) && !is_attached(act)
}

fn is_replacement(act: &Act) -> bool {
    matches!(act, Act::Update { .. } | Act::Patch { .. }) && !is_attached(act)
}

/// What belongs to whom other records belong to comes when those are known.
fn is_attached(act: &Act) -> bool {
    let attached = |key: &Key| matches!(key.resource_type, ResourceType::Provenance | ResourceType::Binary);
    !is_delete(act) && act.changes().is_some_and(attached)
}

impl Act {
    /// The record that the entry changes.
    fn changes(&self) -> Option<&Key> {
        match self {
            Self::Create(key) | Self::Update { key, .. } => Some(key),
            Self::Patch { old } | Self::Delete { old } => Some(&old.facts.key),
            Self::Found(_) | Self::Nothing | Self::Read => None,
        }
    }

    /// Whether the entry makes a record, or brings one back.
    fn creates(&self) -> bool {
        match self {
            Self::Create(_) => true,
            Self::Update { old, .. } => creates(old.as_ref()),
            _ => false,
        }
    }

    /// The record that references to the entry mean, and its version when all is done.
    fn means(&self) -> Option<(&Key, Version)> {
        match self {
            Self::Found(row) => Some((&row.facts.key, row.facts.version)),
            Self::Update { old: Some(old), .. } | Self::Patch { old } | Self::Delete { old } => {
                Some((&old.facts.key, old.facts.version.next()))
            }
            other => other.changes().map(|key| (key, Version::FIRST)),
        }
    }
}

/// R4: an identity may occur once among the changes.
fn each_once(steps: &[Step]) -> Result<(), Refusal> {
    let mut seen = HashSet::new();
    for (at, key) in steps.iter().enumerate().filter_map(|(at, step)| step.act.changes().map(|key| (at, key))) {
        if !seen.insert(key) {
            let text = format!("{key} is changed by more than one entry of this transaction");
            return Err(Refusal::Invalid(vec![Problem::at("duplicate", format!("Bundle.entry[{at}]"), text)]));
        }
    }
    Ok(())
}

/// R4: identities that conditions resolve to may occur once as well. Conditions are looked at before anything is done, so that two that
/// mean the same record would each make one.
fn made_once(plan: &Plan) -> Result<(), Refusal> {
    let mut asked = HashSet::new();
    for (at, condition) in &plan.made {
        let mut words: Vec<_> = condition.applied.iter().collect();
        words.sort_unstable();
        if !asked.insert((condition.types.as_slice(), words)) {
            let text =
                "another entry of this transaction makes a record under the same condition: they would be the same record twice";
            return Err(Refusal::Invalid(vec![Problem::at("duplicate", format!("Bundle.entry[{at}]"), text)]));
        }
    }
    Ok(())
}

/// Entries of a transaction answer without content unless the caller asks for it: a large bundle is not sent back whole.
fn entry_rendering(part: &Part, errand: &Errand) -> Rendering {
    let prefer = part.request.headers.prefer_return.or(errand.rendering.prefer).unwrap_or(Return::Minimal);
    Rendering { prefer: Some(prefer), ..Rendering::default() }
}

/// Says which entry a refusal of the whole is about.
fn at_entry(failed: Failed, at: usize) -> Failed {
    let place = |problems: Vec<Problem>| problems.into_iter().map(|problem| located(problem, at)).collect();
    match failed {
        Failed::Refused(Refusal::Invalid(problems)) => Failed::Refused(Refusal::Invalid(place(problems))),
        Failed::Refused(Refusal::Unprocessable(problems)) => Failed::Refused(Refusal::Unprocessable(place(problems))),
        Failed::Refused(Refusal::Malformed(problem)) => Failed::Refused(Refusal::Malformed(located(problem, at))),
        other => other,
    }
}

fn located(problem: Problem, at: usize) -> Problem {
    let expression = problem.expression.map_or_else(
        || format!("Bundle.entry[{at}]"),
        |inner| match inner.split_once('.') {
            Some((of, rest)) => format!("Bundle.entry[{at}].resource.ofType({of}).{rest}"),
            None => format!("Bundle.entry[{at}].resource.ofType({inner})"),
        },
    );
    Problem { expression: Some(expression), text: format!("entry {at}: {}", problem.text), ..problem }
}
