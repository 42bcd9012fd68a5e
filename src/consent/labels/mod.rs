//! The labelling of records: what their own labels and the site's rules make of them (`consent` § 3.4).
//!
//! Labels are facts beside the record. Its content, `meta.security` among it, stays as it came in.

mod rules;
#[cfg(test)]
mod tests;

pub use rules::{LabelRules, LabelRulesError};

use super::codes;
use super::{Label, OTHER, Vocabulary};
use crate::fhir::json::Document;
use crate::fhir::{Confidentiality, Key, Marks, Mentions, Reading};
use aws_lc_rs::digest;
use jiff::tz::TimeZone;

/// Counts up with every release that reads something else out of the same record, so that records are read anew.
const READER: u8 = 2;

/// Bits of [`Labelling::ruleset`] below the version of the rule file.
const BELOW: u32 = 32;

/// Makes marks of records: the labels that are known here, the rules of the site, its time zone.
#[derive(Debug, Clone)]
pub struct Labelling {
    vocabulary: Vocabulary,
    rules: LabelRules,
    zone: TimeZone,
    ruleset: i64,
}

impl Default for Labelling {
    fn default() -> Self {
        Self::new(Vocabulary::default(), LabelRules::default(), TimeZone::UTC)
    }
}

impl Labelling {
    /// Labelling by these words and rules. Days are those of `zone`, the tenant's.
    pub fn new(vocabulary: Vocabulary, rules: LabelRules, zone: TimeZone) -> Self {
        let ruleset = ruleset(&vocabulary, &rules, &zone);
        Self { vocabulary, rules, zone, ruleset }
    }

    /// Tells these rules from any others: records whose marks carry another number are read anew. It is made of all that marks
    /// depend on, so that a rule file changed without a new version is noticed too. Never 0 nor less.
    pub fn ruleset(&self) -> i64 {
        self.ruleset
    }

    /// The version of the rule file that a ruleset was made of.
    pub fn version_of(ruleset: i64) -> i64 {
        ruleset >> BELOW
    }

    /// The marks of a record's content by itself; `base` is the server's own base URL. What other versions said is the caller's to
    /// add ([`Marks::raised_to`]).
    pub fn marks(&self, document: &Document, key: &Key, base: &str) -> Marks {
        let reading = Reading { base, zone: &self.zone, canonical: codes::canonical };
        let mut mentions = Mentions::read(document, key.resource_type, &reading);
        let mut marks = self.labels(&mentions);
        marks.facts = mentions.facts(key, codes::canonical);
        marks.dates = std::mem::take(&mut mentions.dates);
        marks.ruleset = self.ruleset;
        marks
    }

    /// The marks of a part of a record that carries labels of its own; all else about it is `like` the record.
    pub fn marks_of_part(&self, labels: &[(String, String)], like: &Marks) -> Marks {
        let mentions = Mentions { labels: labels.iter().cloned().collect(), ..Mentions::default() };
        let Marks { confidentiality, sensitivity, handling, .. } = self.labels(&mentions);
        Marks { confidentiality, sensitivity, handling, ..like.clone() }
    }

    /// Whether a label says how confidential or sensitive something is, rather than how to handle it.
    pub fn is_telling(&self, system: &str, code: &str) -> bool {
        !matches!(self.vocabulary.label(system, code), Some(Label::Handling(_) | Label::Integrity))
    }

    /// Explicit labels, then what the rules add, then the floor under what stigmatizes.
    fn labels(&self, mentions: &Mentions) -> Marks {
        let mut explicit = None;
        let (mut sensitivity, mut handling) = (0_u64, 0_u64);
        for (system, code) in &mentions.labels {
            match self.vocabulary.label(system, code) {
                Some(Label::Confidentiality(one)) => explicit = explicit.max(Some(one)),
                Some(Label::Sensitivity(bit)) => sensitivity |= 1 << bit,
                Some(Label::Handling(bit)) => handling |= 1 << bit,
                Some(Label::Integrity) => {}
                None => sensitivity |= 1 << OTHER,
            }
        }
        let mut confidentiality = explicit.unwrap_or(Confidentiality::N);
        for (system, code) in &mentions.codings {
            let added = self.rules.of(codes::canonical(system), code);
            sensitivity |= added.sensitivity;
            confidentiality = confidentiality.max(added.confidentiality);
        }
        let confidentiality = confidentiality.max(self.vocabulary.floor(sensitivity));
        Marks { confidentiality, sensitivity, handling, ..Marks::default() }
    }
}

fn ruleset(vocabulary: &Vocabulary, rules: &LabelRules, zone: &TimeZone) -> i64 {
    let said = format!("{READER}\n{zone:?}\n{vocabulary:?}\n{}", rules.text());
    let digest = digest::digest(&digest::SHA256, said.as_bytes());
    let hash = digest.as_ref().iter().take(4).fold(0_i64, |all, &byte| (all << 8) | i64::from(byte));
    ((rules.version() << BELOW) | hash).max(1)
}
