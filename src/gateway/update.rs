//! update, update as create, conditional update (<https://hl7.org/fhir/R4/http.html#update>).

use super::condition::Selected;
use super::write::{Failed, until_settled};
use super::{Errand, Gateway};
use crate::access::{Permit, Predicate};
use crate::disclosure::{Draft, Guard, Pending, Row};
use crate::fhir::search::SearchQuery;
use crate::fhir::{Id, Key, Need, Problem, Refusal, ResourceType, WriteCondition};

impl Gateway {
    pub(super) async fn update(
        &self,
        permit: &Permit,
        key: &Key,
        condition: WriteCondition,
        errand: &Errand,
    ) -> Result<Pending, Refusal> {
        until_settled!(self.try_update(permit, key, condition, errand).await)
    }

    async fn try_update(
        &self,
        permit: &Permit,
        key: &Key,
        condition: WriteCondition,
        errand: &Errand,
    ) -> Result<Pending, Failed> {
        let old = self.parts.store.read(permit, Need::Update, key).await?;
        if old.is_none() {
            self.may_create_at(permit, key).await?;
        }
        demand(condition, old.as_ref())?;
        let draft = Draft::read(&errand.body, key.resource_type, Some(&key.id))?;
        self.replace(permit, key.clone(), draft, old.as_ref(), Vec::new(), errand).await
    }

    /// Checks new content against grant and predecessor, and commits it.
    async fn replace(
        &self,
        permit: &Permit,
        key: Key,
        draft: Draft,
        old: Option<&Row>,
        mut guards: Vec<Guard>,
        errand: &Errand,
    ) -> Result<Pending, Failed> {
        if let Some(old) = old {
            self.redaction().demand_whole(permit, Need::Update, old)?;
        }
        let draft = self.resolved(permit, draft, &mut guards).await?;
        let warnings = self.directed(permit, &draft, old.filter(|row| !row.facts.deleted), errand.visit.now)?;
        let change = draft.change(permit, Need::Update, key, old, &self.marking(), errand.visit.now)?;
        self.conclude(permit, (change, old), guards, &warnings, errand).await
    }

    /// Update as create is for clients who are trusted to choose ids and whose grant covers every record of the type: to anybody else
    /// "created" would tell that no hidden record has this id.
    pub(super) async fn may_create_at(&self, permit: &Permit, key: &Key) -> Result<(), Refusal> {
        if !self.may_choose_ids(permit) {
            return Err(Refusal::NotFound);
        }
        let whole = matches!(permit.granted(key.resource_type, Need::Update), Predicate::All);
        let taken = self.parts.store.versions(std::slice::from_ref(key)).await?.into_iter().flatten().next().is_some();
        if whole && !taken { Ok(()) } else { Err(Refusal::NotFound) }
    }

    fn may_choose_ids(&self, permit: &Permit) -> bool {
        #[cfg(feature = "bench")]
        if crate::layers::off(crate::layers::Layer::Token) {
            return true;
        }
        self.parts.authenticator.may_choose_ids(permit.caller())
    }

    pub(super) async fn conditional_update(
        &self,
        permit: &Permit,
        query: &SearchQuery,
        condition: WriteCondition,
        errand: &Errand,
    ) -> Result<Pending, Refusal> {
        let [resource_type] = query.types.as_slice() else { return Err(Refusal::Internal) };
        until_settled!(self.try_conditional_update(permit, *resource_type, query, condition, errand).await)
    }

    async fn try_conditional_update(
        &self,
        permit: &Permit,
        resource_type: ResourceType,
        query: &SearchQuery,
        condition: WriteCondition,
        errand: &Errand,
    ) -> Result<Pending, Failed> {
        let selected: Selected = self.selected(permit, Need::Search, query).await?;
        let guards = vec![selected.none_or_one(permit, query)?];
        let old = match selected.rows.first() {
            Some(found) => Some(self.parts.store.read(permit, Need::Update, &found.facts.key).await?.ok_or(Refusal::NotFound)?),
            None => None,
        };
        demand(condition, old.as_ref())?;
        let (draft, named) = Draft::read_with_optional_id(&errand.body, resource_type)?;
        let (key, old) = match (old, named) {
            (Some(old), named) => {
                means(&old.facts.key, named.as_ref())?;
                (old.facts.key.clone(), Some(old))
            }
            (None, Some(id)) => self.chosen(permit, Key::new(resource_type, id)).await?,
            (None, None) => (Key::new(resource_type, selected.id()), None),
        };
        self.replace(permit, key, draft, old.as_ref(), guards, errand).await
    }
}

impl Gateway {
    /// The address that a conditional update chooses for what it makes, and what was deleted there.
    pub(super) async fn chosen(&self, permit: &Permit, key: Key) -> Result<(Key, Option<Row>), Refusal> {
        let old = self.parts.store.read(permit, Need::Update, &key).await?.filter(|row| row.facts.deleted);
        if old.is_none() {
            self.may_create_at(permit, &key).await?;
        }
        Ok((key, old))
    }

    /// The current record that a change is about, as the condition demands it; a deleted one is gone.
    pub(super) async fn standing(
        &self,
        permit: &Permit,
        need: Need,
        key: &Key,
        condition: WriteCondition,
    ) -> Result<Row, Refusal> {
        let old = self.parts.store.read(permit, need, key).await?.ok_or(Refusal::NotFound)?;
        if old.facts.deleted {
            return Err(Refusal::Gone);
        }
        demand(condition, Some(&old))?;
        Ok(old)
    }
}

/// An id in the content of a conditional update is that of the record that the condition selects (R4 http § conditional update).
pub(super) fn means(found: &Key, named: Option<&Id>) -> Result<(), Refusal> {
    match named {
        Some(id) if *id != found.id => {
            let text =
                "the id in the body is not that of the record that the condition selects: leave it out, or name that record";
            Err(Refusal::Invalid(vec![Problem::at("invalid", format!("{}.id", found.resource_type), text)]))
        }
        _ => Ok(()),
    }
}

/// `If-Match` and `If-None-Match: *` against what is there.
pub(super) fn demand(condition: WriteCondition, old: Option<&Row>) -> Result<(), Refusal> {
    let current = old.filter(|row| !row.facts.deleted);
    let met = match condition {
        WriteCondition::None => true,
        WriteCondition::Absent => current.is_none(),
        WriteCondition::Match(version) => current.is_some_and(|row| row.facts.version == version),
    };
    if met { Ok(()) } else { Err(Refusal::VersionMismatch) }
}
