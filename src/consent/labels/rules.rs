//! The rule file of a site: which codes make a record how sensitive, how confidential.

use super::super::codes;
use super::super::{Label, Vocabulary};
use crate::fhir::Confidentiality;
use serde::Deserialize;
use std::collections::HashMap;

/// Why a rule file cannot be used; says where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct LabelRulesError(String);

/// Rules from codes to labels, ready to be asked.
#[derive(Debug, Clone, Default)]
pub struct LabelRules {
    version: i64,
    text: String,
    systems: HashMap<String, System>,
}

/// What the codes of one system are worth.
#[derive(Debug, Clone, Default)]
struct System {
    exact: HashMap<String, Added>,
    /// By length of the prefix.
    prefixes: Vec<(usize, HashMap<String, Added>)>,
}

/// What a rule adds to a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Added {
    pub(super) sensitivity: u64,
    pub(super) confidentiality: Confidentiality,
}

const NOTHING: Added = Added { sensitivity: 0, confidentiality: Confidentiality::U };

impl Added {
    fn and(&mut self, other: Self) {
        self.sensitivity |= other.sensitivity;
        self.confidentiality = self.confidentiality.max(other.confidentiality);
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    /// Counts up whenever the site changes the rules.
    version: u32,
    #[serde(default)]
    rule: Vec<Rule>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    name: String,
    /// Code systems, by any of their names.
    systems: Vec<String>,
    /// Codes, to the letter: a value set.
    #[serde(default)]
    codes: Vec<String>,
    /// Beginnings of codes: `F10` is F10, F10.2 and F1020.
    #[serde(default)]
    prefixes: Vec<String>,
    /// Codes of v3-ActCode, or `system|code` of the site's own.
    #[serde(default)]
    sensitivity: Vec<String>,
    confidentiality: Option<Confidentiality>,
}

impl LabelRules {
    /// Reads a rule file (TOML).
    ///
    /// # Errors
    /// [`LabelRulesError`] for what is no rule file, for a label that nobody here knows, and for a rule that can do nothing.
    pub fn parse(text: &str, vocabulary: &Vocabulary) -> Result<Self, LabelRulesError> {
        let file: File = toml::from_str(text).map_err(|error| LabelRulesError(error.to_string()))?;
        if !(1..=i32::MAX.unsigned_abs()).contains(&file.version) {
            return Err(LabelRulesError("`version` must be 1 or more".to_owned()));
        }
        let mut rules = Self { version: i64::from(file.version), text: text.to_owned(), ..Self::default() };
        for rule in &file.rule {
            rules.add(rule, vocabulary).map_err(|why| LabelRulesError(format!("rule `{}`: {why}", rule.name)))?;
        }
        Ok(rules)
    }

    fn add(&mut self, rule: &Rule, vocabulary: &Vocabulary) -> Result<(), String> {
        let added = rule.added(vocabulary)?;
        if rule.systems.is_empty() || (rule.codes.is_empty() && rule.prefixes.is_empty()) {
            return Err("needs `systems`, and `codes` or `prefixes`".to_owned());
        }
        if rule.codes.iter().chain(&rule.prefixes).any(String::is_empty) {
            return Err("has an empty code".to_owned());
        }
        for name in &rule.systems {
            let system = self.systems.entry(codes::canonical(name).to_owned()).or_default();
            rule.codes.iter().for_each(|code| system.exact.entry(code.clone()).or_insert(NOTHING).and(added));
            rule.prefixes.iter().for_each(|prefix| system.add_prefix(prefix, added));
        }
        Ok(())
    }

    /// What a coding adds; the system by its canonical name.
    pub(super) fn of(&self, system: &str, code: &str) -> Added {
        let mut added = NOTHING;
        if let Some(system) = self.systems.get(system) {
            system.exact.get(code).into_iter().for_each(|one| added.and(*one));
            for (length, prefixes) in &system.prefixes {
                if let Some(one) = code.get(..*length).and_then(|start| prefixes.get(start)) {
                    added.and(*one);
                }
            }
        }
        added
    }

    /// The version of the file; 0 without rules.
    pub fn version(&self) -> i64 {
        self.version
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }
}

impl System {
    fn add_prefix(&mut self, prefix: &str, added: Added) {
        let at = self.prefixes.iter().position(|(length, _)| *length == prefix.len()).unwrap_or_else(|| {
            self.prefixes.push((prefix.len(), HashMap::new()));
            self.prefixes.len() - 1
        });
        let prefixes = self.prefixes.get_mut(at).into_iter();
        prefixes.for_each(|(_, all)| all.entry(prefix.to_owned()).or_insert(NOTHING).and(added));
    }
}

impl Rule {
    fn added(&self, vocabulary: &Vocabulary) -> Result<Added, String> {
        let mut added = Added { sensitivity: 0, confidentiality: self.confidentiality.unwrap_or(Confidentiality::U) };
        for word in &self.sensitivity {
            let (system, code) = word.split_once('|').unwrap_or((codes::ACT_CODE, word));
            match vocabulary.label(system, code) {
                Some(Label::Sensitivity(bit)) => added.sensitivity |= 1 << bit,
                _ => return Err(format!("`{word}` is no sensitivity that is known here")),
            }
        }
        if added == NOTHING { Err("needs `sensitivity` or `confidentiality`".to_owned()) } else { Ok(added) }
    }
}
