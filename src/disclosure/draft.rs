//! New content on its way in: read, checked, compared with the old, and forwarded.

use super::record::open;
use super::{Change, Expected, Forwarded, Marking, Row, Sealed};
use crate::access::{Look, Permit, may_write};
use crate::fhir::json::{Document, Element, JsonFault};
use crate::fhir::search::{IndexEntry, ParameterId, extract, extract_some, order, ordered_before};
use crate::fhir::stamp::prepare;
use crate::fhir::{Facts, Id, Instant, Key, Need, Problem, Refusal, ResourceType, Version};
use crate::fhir::{belongs_with, encode, patch, patients_of, rewrite, shape};

/// Content that has the form of a record of its type. It is not yet known whether the caller may write it.
pub struct Draft {
    document: Document,
    resource_type: ResourceType,
    /// Facts of the records that it belongs with.
    with: Vec<Facts>,
}

/// Reads a sealed body as JSON.
pub(super) fn parse(body: &Sealed) -> Result<Document, Refusal> {
    let bytes = body.open().ok_or(Refusal::Internal)?;
    Document::parse(&bytes).map_err(|error| {
        let issue = match error.fault {
            JsonFault::Depth => "too-costly",
            _ => "structure",
        };
        Refusal::Malformed(Problem::of(issue, error.to_string()))
    })
}

impl Draft {
    /// Reads the body of a create (no id expected) or of an update (this id expected).
    ///
    /// # Errors
    /// [`Refusal::Malformed`] for what is not JSON, [`Refusal::Unprocessable`] for what is no record, [`Refusal::Invalid`] when type
    /// or id contradict the URL.
    pub fn read(body: &Sealed, resource_type: ResourceType, id: Option<&Id>) -> Result<Self, Refusal> {
        Self::of(parse(body)?, resource_type, id)
    }

    /// Reads the body of a conditional update, which may name an id or not.
    ///
    /// # Errors
    /// As [`Draft::read`].
    pub fn read_with_optional_id(body: &Sealed, resource_type: ResourceType) -> Result<(Self, Option<Id>), Refusal> {
        let draft = Self::of(parse(body)?, resource_type, None)?;
        let id = draft.document.root().text_at("id").and_then(|id| Id::parse(&id));
        Ok((draft, id))
    }

    pub(super) fn of(document: Document, resource_type: ResourceType, id: Option<&Id>) -> Result<Self, Refusal> {
        let found = shape::check(&document).map_err(Refusal::Unprocessable)?;
        if found != resource_type {
            let text = format!("the body is a {found}, the request is about a {resource_type}: send it to `{found}`");
            return Err(Refusal::Invalid(vec![Problem::at("invalid", "resourceType", text)]));
        }
        if let Some(id) = id {
            agrees(&document, resource_type, id)?;
        }
        refuse_subset(&document, resource_type)?;
        Ok(Self { document, resource_type, with: Vec::new() })
    }

    /// The conditional references (`Patient?identifier=...`) of the content, each once.
    pub fn conditional_references(&self) -> Vec<String> {
        let mut found: Vec<String> =
            rewrite::references(&self.document).into_iter().map(|(_, url)| url).filter(|url| url.contains('?')).collect();
        found.sort_unstable();
        found.dedup();
        found
    }

    /// The search for the patient of a Consent that names them by identifier alone.
    pub fn patient_sought(&self) -> Option<String> {
        let patient = (self.resource_type == ResourceType::Consent).then(|| self.document.root().get("patient")).flatten()?;
        let identifier = patient.get("identifier").filter(|_| patient.get("reference").is_none())?;
        let system = identifier.text_at("system").map(|system| format!("{}%7C", encode(&system))).unwrap_or_default();
        Some(format!("Patient?identifier={system}{}", encode(&identifier.text_at("value")?)))
    }

    /// The same Consent with its patient named by reference too, so that whose it is does not change when identifiers do.
    ///
    /// # Errors
    /// [`Refusal::Internal`] when that is no JSON any more.
    pub fn about(self, patient: &Key) -> Result<Self, Refusal> {
        let Some(named) = self.document.root().get("patient") else { return Ok(self) };
        let (before, after) = self.document.text().split_at_checked(named.span().start + 1).ok_or(Refusal::Internal)?;
        let text = format!("{before}\"reference\":\"{patient}\",{after}");
        let document = Document::parse(text.as_bytes()).map_err(|_| Refusal::Internal)?;
        Ok(Self { document, ..self })
    }

    /// The same content with references replaced.
    #[must_use]
    pub fn rewritten(self, replace: &dyn Fn(&str) -> Option<String>) -> Self {
        let document = rewrite::rewrite_references(&self.document, replace);
        Self { document, ..self }
    }

    /// The records whose patients are its own too: what a Provenance tells of, and the security context of a Binary.
    pub fn belongs_with(&self, base: &str) -> Vec<Key> {
        belongs_with(&self.document, self.resource_type, base)
    }

    /// The same draft, with the facts of those of them that there are.
    #[must_use]
    pub fn with(self, facts: Vec<Facts>) -> Self {
        Self { with: facts, ..self }
    }

    /// The change that makes this the content of the record, once the permit admits it and what it replaces.
    ///
    /// # Errors
    /// [`Refusal::WriteOutsideGrant`] for content outside the grant; [`Refusal::Unprocessable`] for a record moved to another patient.
    pub fn change(
        self,
        permit: &Permit,
        need: Need,
        key: Key,
        old: Option<&Row>,
        marking: &Marking<'_>,
        now: Instant,
    ) -> Result<Change, Refusal> {
        let base = marking.base;
        let patients = patients_of(&self.document, &key, base);
        let entries = extract(&self.document, self.resource_type, base, marking.known);
        let version = old.map_or(Version::FIRST, |old| old.facts.version.next());
        let marks = marking.marks(&self.document, &key, old)?;
        let facts = Facts { key: key.clone(), version, updated: now, deleted: false, patients, marks };
        may_write(permit, need, &Look::new(&facts, &|| entries.clone()))?;
        let facts = self.joined(facts);
        keeps_its_patient(&facts, old)?;
        let had = old_entries(old, marking)?;
        // What was not there had no place: it counts as made anew.
        let before = if had.is_empty() { Vec::new() } else { ordered_before(&had, &entries) };
        let (add, remove) = difference(entries, had);
        let expected = old.map_or(Expected::Absent, |old| Expected::Version(old.facts.version));
        let content = Forwarded { prepared: prepare(&self.document, self.resource_type, &key.id) };
        Ok(Change { key, expected, content: Some(content), patients: facts.patients, marks: facts.marks, add, remove, before })
    }
}

/// The draft that a JSON Patch makes of the current content.
///
/// # Errors
/// [`Refusal::Malformed`] or [`Refusal::Invalid`] for the patch, [`Refusal::Unprocessable`] for what it leads to.
pub fn patched(body: &Sealed, old: &Row) -> Result<Draft, Refusal> {
    let steps = patch::parse(&parse(body)?).map_err(Refusal::Invalid)?;
    let content = old.content.as_ref().ok_or(Refusal::Gone)?;
    let document = patch::apply(&steps, &open(content)?).map_err(|fault| Refusal::Unprocessable(vec![fault.problem()]))?;
    Draft::of(document, old.facts.key.resource_type, Some(&old.facts.key.id)).map_err(|refusal| match refusal {
        // The request was well-formed: it is the outcome that cannot be stored.
        Refusal::Invalid(problems) => Refusal::Unprocessable(problems),
        other => other,
    })
}

/// The change that deletes a record.
///
/// # Errors
/// [`Refusal::Internal`] when stored content is damaged.
pub fn deletion(old: &Row, marking: &Marking<'_>) -> Result<Change, Refusal> {
    Ok(Change {
        key: old.facts.key.clone(),
        expected: Expected::Version(old.facts.version),
        content: None,
        patients: old.facts.patients.clone(),
        marks: old.facts.marks.clone(),
        add: Vec::new(),
        remove: old_entries(Some(old), marking)?,
        before: Vec::new(),
    })
}

/// `id` must be there and be the one of the URL (R4 http § 3.1.0.4).
fn agrees(document: &Document, resource_type: ResourceType, id: &Id) -> Result<(), Refusal> {
    let place = format!("{resource_type}.id");
    match document.root().text_at("id") {
        Some(found) if found == id.as_str() => Ok(()),
        Some(found) => Err(Refusal::Invalid(vec![Problem::at(
            "invalid",
            place,
            format!("the id in the body is `{found}`, in the URL `{id}`: they must be the same"),
        )])),
        None => Err(Refusal::Invalid(vec![Problem::at(
            "required",
            place,
            format!("the body of an update needs the id of the URL, `{id}`"),
        )])),
    }
}

/// An incomplete view put back would erase what it left out (`threats` T045).
fn refuse_subset(document: &Document, resource_type: ResourceType) -> Result<(), Refusal> {
    let Some(meta) = document.root().get("meta") else { return Ok(()) };
    let codings = ["tag", "security"].into_iter().filter_map(|list| meta.get(list)).flat_map(Element::items);
    let incomplete = codings.filter_map(|coding| coding.text_at("code")).any(|code| code == "SUBSETTED" || code == "REDACTED");
    if incomplete {
        let text = "this is an incomplete view (SUBSETTED or REDACTED): storing it would erase what it leaves out. Read the whole record first";
        return Err(Refusal::Unprocessable(vec![Problem::at("business-rule", format!("{resource_type}.meta"), text)]));
    }
    Ok(())
}

/// A record may gain patients (a list, an appointment), it may not move from one to another.
fn keeps_its_patient(new: &Facts, old: Option<&Row>) -> Result<(), Refusal> {
    let Some(old) = old.filter(|old| !old.facts.deleted && !old.facts.patients.is_empty()) else { return Ok(()) };
    if old.facts.patients.iter().any(|patient| new.patients.contains(patient)) {
        return Ok(());
    }
    let text = "a record cannot move to another patient. Delete it here and create it there";
    Err(Refusal::Unprocessable(vec![Problem::at("business-rule", new.key.resource_type.name(), text)]))
}

fn old_entries(old: Option<&Row>, marking: &Marking<'_>) -> Result<Vec<IndexEntry>, Refusal> {
    match old.and_then(|old| old.content.as_ref().map(|content| (old, content))) {
        Some((old, content)) => Ok(extract(&open(content)?, old.facts.key.resource_type, marking.base, marking.known)),
        None => Ok(Vec::new()),
    }
}

/// What the index gains and loses.
fn difference(new: Vec<IndexEntry>, mut old: Vec<IndexEntry>) -> (Vec<IndexEntry>, Vec<IndexEntry>) {
    if old.is_empty() {
        return (new, old);
    }
    old.sort_unstable_by(order);
    let mut stays = vec![false; old.len()];
    let mut add = Vec::new();
    for entry in new {
        match old.binary_search_by(|had| order(had, &entry)) {
            Ok(at) => stays.iter_mut().skip(at).take(1).for_each(|stays| *stays = true),
            Err(_) => add.push(entry),
        }
    }
    let remove = old.into_iter().zip(stays).filter_map(|(entry, stays)| (!stays).then_some(entry)).collect();
    (add, remove)
}

impl Draft {
    /// The facts with those of the records that it belongs with. The permit was asked without them: what it says must not tell whose
    /// records those are, or whether there are any.
    fn joined(&self, mut facts: Facts) -> Facts {
        facts.patients.extend(self.with.iter().flat_map(|one| one.patients.iter().cloned()));
        facts.patients.sort();
        facts.patients.dedup();
        facts.marks = self.with.iter().fold(facts.marks, |marks, one| marks.joined_with(&facts.key, &one.marks));
        facts
    }

    /// The index values of the content.
    pub fn values(&self, marking: &Marking<'_>) -> Vec<IndexEntry> {
        extract(&self.document, self.resource_type, marking.base, marking.known)
    }

    /// Those of some parameters.
    pub fn values_of(&self, marking: &Marking<'_>, parameters: &[ParameterId]) -> Vec<IndexEntry> {
        extract_some(&self.document, self.resource_type, marking.base, marking.known, parameters)
    }

    /// The type of the content.
    pub fn resource_type(&self) -> ResourceType {
        self.resource_type
    }

    pub(super) fn document(&self) -> &Document {
        &self.document
    }
}

#[cfg(test)]
mod tests {
    use super::difference;
    use crate::fhir::Instant;
    use crate::fhir::search::{IndexEntry, IndexValue, ParameterId};

    fn date(parameter: i32, low: i64) -> IndexEntry {
        IndexEntry {
            parameter: ParameterId(parameter),
            group: 0,
            value: IndexValue::Date { low: Instant(low), high: Instant(9) },
        }
    }

    fn token(code: &str) -> IndexEntry {
        let value = IndexValue::Token { system: "s".to_owned(), code: code.to_owned() };
        IndexEntry { parameter: ParameterId(8), group: 0, value }
    }

    #[test]
    fn the_index_gains_what_is_new_and_loses_what_is_gone() {
        let old = vec![token("b"), date(1, 5), token("a"), date(2, 5)];
        let new = vec![token("a"), token("c"), date(2, 5), date(1, 6)];
        let (add, remove) = difference(new.clone(), old.clone());
        assert_eq!((add, remove), (vec![token("c"), date(1, 6)], vec![date(1, 5), token("b")]));
        assert_eq!(difference(new.clone(), Vec::new()), (new.clone(), Vec::new()));
        assert_eq!(difference(Vec::new(), vec![token("a")]), (Vec::new(), vec![token("a")]));
        assert_eq!(difference(new.clone(), new), (Vec::new(), Vec::new()));
    }
}
