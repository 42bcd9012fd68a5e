//! What of a record a caller is shown who may see the record: elements with labels of their own are decided by themselves, and labels are
//! told to those who are entitled to them (`consent` § 10, L10).

use super::record::open;
use super::{Marking, Row};
use crate::access::{Level, Look, Permit, Predicate};
use crate::consent::{ConsentSettings, LabelsTo};
use crate::fhir::json::{Document, Element, Kind};
use crate::fhir::naming::{self, Silence};
use crate::fhir::partial::{self, Partial};
use crate::fhir::search::{Criterion, CustomParameters, SearchQuery, SortKey};
use crate::fhir::{Fact, Facts, Key, Need, Problem, Refusal, ResourceType};
use std::collections::{BTreeMap, BTreeSet};

/// By what records are cut to what a caller may see.
#[derive(Debug, Clone, Copy)]
pub struct Redaction<'r> {
    /// How labels are read.
    pub marking: Marking<'r>,
    /// Who is told labels.
    pub settings: &'r ConsentSettings,
    /// Records that the caller is not shown, of those that are spoken of.
    pub hidden: Option<&'r BTreeSet<Key>>,
}

impl<'r> Redaction<'r> {
    /// The same, that keeps silent about these records.
    #[must_use]
    pub fn hiding(self, hidden: &'r BTreeSet<Key>) -> Self {
        Self { hidden: Some(hidden).filter(|hidden| !hidden.is_empty()), ..self }
    }

    /// The records that some of these speak of, in references that tell more than where they lead; each with whether it is to be taken
    /// for hidden when it is not there.
    ///
    /// # Errors
    /// [`Refusal::Internal`] when stored content is damaged.
    pub fn spoken_of<'a>(
        &self,
        permit: &Permit,
        rows: impl IntoIterator<Item = &'a Row>,
    ) -> Result<BTreeMap<Key, bool>, Refusal> {
        let mut all = BTreeMap::new();
        for row in rows {
            let marks = &row.facts.marks;
            let of = row.facts.key.resource_type;
            // What is shown whatever patients say (a directive to its officer, the trail to its auditor) is shown whole.
            let whatever = matches!(permit.rows(of, Need::Read), Predicate::All);
            if whatever || (!marks.is_unread() && !marks.facts.contains(Fact::telling())) {
                continue;
            }
            let Some(document) = row.content.as_ref().map(open).transpose()? else { continue };
            let mut keys = BTreeSet::new();
            self.named_in(document.root(), &mut keys);
            let guarded = permit.is_restricted_by(&row.facts.patients);
            for key in keys {
                *all.entry(key).or_default() |= guarded;
            }
        }
        Ok(all)
    }

    fn named_in(&self, value: Element<'_>, keys: &mut BTreeSet<Key>) {
        keys.extend(naming::patients_record(value, self.base()).filter(|_| naming::silence(value).is_some()));
        match value.kind() {
            Kind::Object => value.members().for_each(|(_, inner)| self.named_in(inner, keys)),
            Kind::Array => value.items().for_each(|inner| self.named_in(inner, keys)),
            _ => {}
        }
    }

    /// What must go of an object as a reference to a hidden record.
    fn hushes(&self, value: Element<'_>) -> Option<Silence> {
        let hidden = self.hidden?;
        naming::patients_record(value, self.base()).filter(|key| hidden.contains(key))?;
        naming::silence(value)
    }

    /// The server's own base URL.
    pub(super) fn base(&self) -> &str {
        self.marking.base
    }

    /// What can be searched by beside the parameters of R4.
    pub(super) fn known(&self) -> &CustomParameters {
        self.marking.known
    }

    /// Whether this caller is told the labels of records of a type: systems that may see or write it, as they keep what they are sent;
    /// consent officers; those whom the site names.
    pub fn tells_labels(&self, permit: &Permit, of: ResourceType) -> bool {
        let caller = permit.caller();
        let by_scope = caller.scopes.grants.iter().any(|grant| match grant.resource_type {
            Some(ResourceType::Consent) if grant.level != Level::Patient => true,
            named => grant.level == Level::System && named.is_none_or(|named| named == of),
        });
        by_scope || self.settings.labels == LabelsTo::Everyone || self.settings.label_readers.contains(&caller.client)
    }

    /// The record as this caller is shown it; `None` when that is all of it. Of the text may be known that it holds no labels.
    pub(super) fn cut(
        &self,
        permit: &Permit,
        need: Need,
        facts: &Facts,
        (text, unlabelled): (&[u8], bool),
    ) -> Result<Option<String>, Refusal> {
        let tells = self.tells_labels(permit, facts.key.resource_type);
        let may_hold = || if tells { partial::may_hold_inline_labels(text) } else { partial::may_hold_labels(text) };
        let worth = !unlabelled && may_hold();
        let of = facts.key.resource_type;
        let own = permit.caller().own_patient().is_some();
        let someones = own && of == ResourceType::AuditEvent && !matches!(permit.rows(of, need), Predicate::All);
        if !worth && !someones && self.hidden.is_none() {
            return Ok(None);
        }
        let document = Document::parse(text).map_err(|_| Refusal::Internal)?;
        let shows = |labels: &[partial::Coding]| self.shows(permit, need, facts, labels);
        let told = |system: &str, code: &str| tells || !self.marking.labelling.is_telling(system, code);
        let hushes = |value: Element<'_>| self.hushes(value).or_else(|| inner_matter(value).filter(|_| someones));
        Ok(partial::partial(&document, &Partial { shows: &shows, tells: &told, hushes: &hushes }))
    }

    /// Decides an element as if it were a record like its own, with its own labels. What cannot be known is withheld.
    fn shows(&self, permit: &Permit, need: Need, facts: &Facts, labels: &[partial::Coding]) -> bool {
        let marks = self.marking.labelling.marks_of_part(labels, &facts.marks);
        let part = Facts { marks, ..facts.clone() };
        permit.admits_part(need, &Look::new(&part, &Vec::new))
    }

    /// Refuses a change of a record of which something is withheld from the caller: it would erase, or probe, what is not shown.
    ///
    /// # Errors
    /// [`Refusal::Unprocessable`]; [`Refusal::Internal`] when stored content is damaged.
    pub fn demand_whole(&self, permit: &Permit, need: Need, old: &Row) -> Result<(), Refusal> {
        let Some(content) = old.content.as_ref() else { return Ok(()) };
        let text = content.open().ok_or(Refusal::Internal)?;
        if !partial::may_hold_inline_labels(&text) && self.hidden.is_none() {
            return Ok(());
        }
        let document = open(content)?;
        let shows = |labels: &[partial::Coding]| self.shows(permit, need, &old.facts, labels);
        let rules = Partial { shows: &shows, tells: &|_, _| true, hushes: &|value| self.hushes(value) };
        if partial::withholds(&document, &rules) {
            let text =
                "you are shown this record in part only (REDACTED), so you cannot change it: what you do not see would be lost";
            return Err(Refusal::Unprocessable(vec![Problem::of("business-rule", text)]));
        }
        Ok(())
    }

    /// Refuses a search by labels to those who are not told them (L10, L9).
    ///
    /// # Errors
    /// [`Refusal::Invalid`]
    pub fn demand_blind(&self, permit: &Permit, query: &SearchQuery) -> Result<(), Refusal> {
        let mut asked = Vec::new();
        query.criteria.iter().for_each(|one| labels_asked(one, &mut asked));
        asked.extend(query.shape.sort.iter().filter_map(|sort| match &sort.by {
            SortKey::Parameter(parameter) if parameter.code == SECURITY => Some(parameter.resource_type),
            _ => None,
        }));
        if asked.into_iter().all(|of| self.tells_labels(permit, of)) {
            return Ok(());
        }
        let text = "`_security` is for callers who are told labels, see `consent.label_readers`";
        Err(Refusal::Invalid(vec![Problem::of("not-supported", text)]))
    }
}

const SECURITY: &str = "_security";

/// What of an AuditEvent is for auditors alone: the words of a request, which may name others than whose event it is, and of what rules and
/// officers made of it.
fn inner_matter(entity: Element<'_>) -> Option<Silence> {
    entity.get("query").is_some().then_some(Silence::Whole)
}

/// The types of whose labels a criterion asks.
fn labels_asked(criterion: &Criterion, asked: &mut Vec<ResourceType>) {
    match criterion {
        Criterion::Match { parameter, .. } | Criterion::Missing { parameter, .. } => {
            asked.extend((parameter.code == SECURITY).then_some(parameter.resource_type));
        }
        Criterion::Id(_) | Criterion::LastUpdated(_) | Criterion::Words(..) | Criterion::Near { .. } => {}
        Criterion::Has { criterion, .. } | Criterion::Not(criterion) => labels_asked(criterion, asked),
        Criterion::All(all) | Criterion::Any(all) | Criterion::Contained { criteria: all, .. } => {
            for one in all {
                labels_asked(one, asked);
            }
        }
        Criterion::Chain { targets: each, .. } | Criterion::OfEach(each) => {
            for (_, one) in each {
                labels_asked(one, asked);
            }
        }
    }
}
