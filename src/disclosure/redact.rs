//! What of a record a caller is shown who may see the record: elements with labels of their own are decided by themselves, and labels are
//! told to those who are entitled to them (`consent` § 10, L10).

use super::record::open;
use super::{Marking, Row};
use crate::access::{Level, Look, Permit};
use crate::consent::{ConsentSettings, LabelsTo};
use crate::fhir::json::Document;
use crate::fhir::partial::{self, Partial};
use crate::fhir::search::{Criterion, SearchQuery, SortKey};
use crate::fhir::{Facts, Need, Problem, Refusal, ResourceType};

/// By what records are cut to what a caller may see.
#[derive(Debug, Clone, Copy)]
pub struct Redaction<'r> {
    /// How labels are read.
    pub marking: Marking<'r>,
    /// Who is told labels.
    pub settings: &'r ConsentSettings,
}

impl Redaction<'_> {
    /// The server's own base URL.
    pub(super) fn base(&self) -> &str {
        self.marking.base
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

    /// The record as this caller is shown it; `None` when that is all of it.
    pub(super) fn cut(&self, permit: &Permit, need: Need, facts: &Facts, text: &[u8]) -> Result<Option<String>, Refusal> {
        let tells = self.tells_labels(permit, facts.key.resource_type);
        let worth = if tells { partial::may_hold_inline_labels(text) } else { partial::may_hold_labels(text) };
        if !worth {
            return Ok(None);
        }
        let document = Document::parse(text).map_err(|_| Refusal::Internal)?;
        let shows = |labels: &[partial::Coding]| self.shows(permit, need, facts, labels);
        let told = |system: &str, code: &str| tells || !self.marking.labelling.is_telling(system, code);
        Ok(partial::partial(&document, &Partial { shows: &shows, tells: &told }))
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
        if !partial::may_hold_inline_labels(&text) {
            return Ok(());
        }
        let document = open(content)?;
        if partial::withholds(&document, &|labels| self.shows(permit, need, &old.facts, labels)) {
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

/// The types of whose labels a criterion asks.
fn labels_asked(criterion: &Criterion, asked: &mut Vec<ResourceType>) {
    match criterion {
        Criterion::Match { parameter, .. } | Criterion::Missing { parameter, .. } => {
            asked.extend((parameter.code == SECURITY).then_some(parameter.resource_type));
        }
        Criterion::Id(_) | Criterion::LastUpdated(_) => {}
        Criterion::Has { criterion, .. } => labels_asked(criterion, asked),
        Criterion::Chain { targets: each, .. } | Criterion::OfEach(each) => {
            for (_, one) in each {
                labels_asked(one, asked);
            }
        }
    }
}
