//! The marks of what is written, and of what was written before there were these rules.

use super::Row;
use super::record::open;
use crate::consent::Labelling;
use crate::fhir::json::Document;
use crate::fhir::search::CustomParameters;
use crate::fhir::{Confidentiality, Id, Key, Marks, Refusal, belongs_with, patients_of};

/// By which rules content is marked.
#[derive(Debug, Clone, Copy)]
pub struct Marking<'m> {
    /// The rules.
    pub labelling: &'m Labelling,
    /// The server's own base URL.
    pub base: &'m str,
    /// What is indexed beside the parameters of R4.
    pub known: &'m CustomParameters,
}

impl Marking<'_> {
    /// The marks of new content in place of the old: what any version before was labelled stays (`consent` § 3.4, high-water mark).
    ///
    /// An old version that other rules marked, or none, leaves a record that is still to be read anew: its chain of versions may hold
    /// what these rules would see.
    pub(super) fn marks(&self, document: &Document, key: &Key, old: Option<&Row>) -> Result<Marks, Refusal> {
        let marks = self.labelling.marks(document, key, self.base);
        let Some(old) = old else { return Ok(marks) };
        let before = &old.facts.marks;
        if !before.is_unread() {
            let ruleset = if before.ruleset == marks.ruleset { marks.ruleset } else { 0 };
            return Ok(Marks { ruleset, ..marks }.raised_to(before));
        }
        let before = match &old.content {
            Some(content) => self.labelling.marks(&open(content)?, key, self.base),
            None => Marks::default(),
        };
        let confidentiality = marks.confidentiality.max(Confidentiality::R);
        Ok(Marks { confidentiality, ruleset: 0, ..marks }.raised_to(&before))
    }

    /// The records, Patients aside, that a version is decided together with, and the patients whom it names itself.
    ///
    /// # Errors
    /// [`Refusal::Internal`] when stored content is damaged.
    pub fn kin(&self, row: &Row) -> Result<(Vec<Key>, Vec<Id>), Refusal> {
        let Some(content) = &row.content else { return Ok((Vec::new(), row.facts.patients.clone())) };
        let (document, key) = (open(content)?, &row.facts.key);
        Ok((belongs_with(&document, key.resource_type, self.base), patients_of(&document, key, self.base)))
    }

    /// The marks of every version of one record, oldest first: each with what the ones before it said. A deletion has those of the
    /// version that it ended.
    ///
    /// # Errors
    /// [`Refusal::Internal`] when stored content is damaged.
    pub fn chain(&self, versions: &[Row]) -> Result<Vec<Marks>, Refusal> {
        let mut all: Vec<Marks> = Vec::with_capacity(versions.len());
        for row in versions {
            let marks = match (&row.content, all.last()) {
                (Some(content), Some(last)) => self.labelling.marks(&open(content)?, &row.facts.key, self.base).raised_to(last),
                (Some(content), None) => self.labelling.marks(&open(content)?, &row.facts.key, self.base),
                (None, Some(last)) => last.clone(),
                (None, None) => Marks { ruleset: self.labelling.ruleset(), ..Marks::unread() },
            };
            all.push(marks);
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use super::{Labelling, Marking};
    use crate::consent::bit_of;
    use crate::disclosure::{Row, Sealed};
    use crate::fhir::json::Document;
    use crate::fhir::{Confidentiality, Facts, Instant, Key, Marks, Version};

    const PLAIN: &str = r#"{"resourceType":"Observation","code":{}}"#;
    const HIV: &str = r#"{"resourceType":"Observation","code":{},
        "meta":{"security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"HIV"}]}}"#;

    fn key() -> Key {
        Key::parse("Observation/o").unwrap()
    }

    fn row(content: Option<&str>, marks: Marks) -> Row {
        let facts =
            Facts { key: key(), version: Version::FIRST, updated: Instant(0), deleted: false, patients: Vec::new(), marks };
        Row::new(facts, content.map(|text| Sealed::from_wire(text.as_bytes().to_vec())))
    }

    fn written(text: &str, old: Option<&Row>) -> Marks {
        let labelling = Labelling::default();
        let document = Document::parse(text.as_bytes()).unwrap();
        Marking { labelling: &labelling, base: "", known: &crate::fhir::search::STANDARD }.marks(&document, &key(), old).unwrap()
    }

    #[test]
    fn a_label_left_out_of_an_update_stays() {
        let first = written(HIV, None);
        let second = written(PLAIN, Some(&row(Some(HIV), first)));
        assert_eq!((second.confidentiality, second.sensitivity), (Confidentiality::R, bit_of("HIV")));
        let revived = written(PLAIN, Some(&row(None, second)));
        assert_eq!(revived.sensitivity, bit_of("HIV"), "not even a deletion takes it away");
        assert_eq!(revived.ruleset, Labelling::default().ruleset());
    }

    #[test]
    fn an_update_of_what_was_never_read_is_restricted_until_it_is() {
        let marks = written(PLAIN, Some(&row(Some(HIV), Marks::unread())));
        assert_eq!((marks.confidentiality, marks.sensitivity, marks.ruleset), (Confidentiality::R, bit_of("HIV"), 0));
        assert_eq!(written(PLAIN, Some(&row(Some(PLAIN), Marks::unread()))).confidentiality, Confidentiality::R);
    }

    #[test]
    fn an_update_of_what_other_rules_marked_is_read_anew() {
        let other = Marks { ruleset: 9, sensitivity: bit_of("STD"), ..Marks::default() };
        let marks = written(PLAIN, Some(&row(Some(PLAIN), other)));
        assert_eq!((marks.sensitivity, marks.ruleset), (bit_of("STD"), 0));
    }
}
