//! Random reads: searches over all types, histories, versions, batches of them.

use super::case::{Case, place};
use super::words::{self, TYPES};
use crate::cli::synthetic::random::Random;
use crate::fhir::definitions::search_parameters;
use crate::fhir::search::{ParameterType, SearchParameter};
use crate::fhir::{Method, ResourceType};
use serde_json::{Value, json};

/// Draws requests. The same seed draws the same ones.
pub(super) struct Draw {
    random: Random,
    /// Whether ids were made up by the gateways since: then the order of ids is no longer that of the records.
    pub(super) made: bool,
}

impl Draw {
    pub(super) fn new(seed: u64) -> Self {
        Self { random: Random::new(seed), made: false }
    }

    /// True in so many of a hundred cases.
    pub(super) fn chance(&mut self, percent: u32) -> bool {
        self.random.between(1, 100) <= percent
    }

    /// A number up to this one.
    pub(super) fn up_to(&mut self, most: u32) -> u32 {
        self.random.between(0, most)
    }

    /// One of them.
    pub(super) fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        let last = u32::try_from(of.len().saturating_sub(1)).unwrap_or_default();
        of.get(self.random.between(0, last) as usize).copied().unwrap_or_default()
    }

    /// A type: mostly one of those that the worlds hold.
    pub(super) fn resource_type(&mut self) -> ResourceType {
        let known = self.one(TYPES);
        let last = u32::try_from(ResourceType::ALL.len() - 1).unwrap_or_default();
        let any = ResourceType::ALL.get(self.up_to(last) as usize).copied();
        // The trail tells what was asked, the self-test's own questions among it.
        let any = any.filter(|any| *any != ResourceType::AuditEvent && self.chance(10));
        any.or_else(|| ResourceType::parse(known)).unwrap_or(ResourceType::Observation)
    }

    /// A read of any kind.
    pub(super) fn read(&mut self) -> Case {
        match self.up_to(99) {
            0..=54 => self.search(),
            55..=62 => self.system_search(),
            63..=70 => self.compartment_search(),
            71..=82 => self.history(),
            83..=91 => self.record(),
            92 => self.operation(),
            _ => self.batch(),
        }
    }

    fn search(&mut self) -> Case {
        let of = self.resource_type();
        let pairs = self.pairs(of);
        let posted = self.chance(8);
        self.asked(of.name(), &pairs, posted)
    }

    fn system_search(&mut self) -> Case {
        let mut pairs = Vec::new();
        if self.chance(70) {
            let types = [self.one(TYPES), self.one(TYPES)].join(",");
            pairs.push(("_type".to_owned(), types));
        }
        if self.chance(50) {
            pairs.push(("_id".to_owned(), self.ids()));
        }
        self.shape(ResourceType::Observation, &mut pairs);
        self.asked("", &pairs, false)
    }

    fn compartment_search(&mut self) -> Case {
        let owner = self.one(words::OWNERS);
        let of = self.resource_type();
        let pairs = self.pairs(of);
        let member = if self.chance(20) { "*" } else { of.name() };
        self.asked(&format!("{owner}/{member}"), &pairs, false)
    }

    fn asked(&mut self, path: &str, pairs: &[(String, String)], posted: bool) -> Case {
        let case = if posted {
            let form = place("", pairs);
            let form = form.trim_start_matches('?').to_owned();
            Case { form: Some(form), ..Case::new(Method::Post, format!("{path}/_search")) }
        } else {
            Case::get(place(path, pairs))
        };
        if self.chance(10) { case.header("Prefer", "handling=lenient") } else { case }
    }

    /// An operation that reads.
    fn operation(&mut self) -> Case {
        Case::get(self.one(words::OPERATIONS))
    }

    /// What looks beyond single parameters: narratives, lists, filters, what is contained, where something is.
    fn beyond(&mut self) -> (String, String) {
        let (name, value) = match self.up_to(6) {
            0 => ("_text", self.one(words::STRINGS)),
            1 => ("_content", self.one(words::STRINGS)),
            2 => ("_list", self.one(&["l1", "l2", "List/l2", "nope"])),
            3 => ("_contained", self.one(&["true", "both", "false"])),
            4 => ("near", self.one(&["1|1|10|km", "0|0"])),
            _ => ("_filter", self.one(words::FILTERS)),
        };
        (name.to_owned(), value.to_owned())
    }

    /// What a search of a type asks, and how the answer is to look.
    fn pairs(&mut self, of: ResourceType) -> Vec<(String, String)> {
        let mut pairs: Vec<(String, String)> = (0..self.up_to(2)).filter_map(|_| self.criterion(of, 0)).collect();
        if self.chance(6) {
            pairs.push(self.beyond());
        }
        self.shape(of, &mut pairs);
        pairs
    }

    /// A search that selects few: the condition of a change.
    pub(super) fn condition(&mut self, of: ResourceType) -> Vec<(String, String)> {
        if self.chance(50) {
            return vec![("identifier".to_owned(), self.one(words::IDENTIFIERS).to_owned())];
        }
        self.criterion(of, 0).into_iter().collect()
    }

    fn criterion(&mut self, of: ResourceType, depth: u32) -> Option<(String, String)> {
        match self.up_to(99) {
            0..=9 if depth == 0 => Some(("_id".to_owned(), self.ids())),
            // Behind a link it takes a record by name to tell what is hidden from what is seen.
            0..=14 if depth > 0 => Some(("_id".to_owned(), self.one(words::IDS).to_owned())),
            41..=55 if depth > 0 => Some(("identifier".to_owned(), self.one(words::IDENTIFIERS).to_owned())),
            10..=14 => Some(("_lastUpdated".to_owned(), self.date())),
            15..=26 if depth < 2 => self.reverse(of, depth),
            27..=40 if depth < 2 => self.chain(of, depth),
            _ => self.plain(of),
        }
    }

    /// `_has:Type:parameter:...`
    fn reverse(&mut self, of: ResourceType, depth: u32) -> Option<(String, String)> {
        let from = self.resource_type();
        let by = self.parameter(from, |one| {
            one.parameter_type == ParameterType::Reference && (one.targets.is_empty() || one.targets.contains(&of))
        })?;
        let (name, value) = self.criterion(from, depth + 1)?;
        Some((format!("_has:{from}:{}:{name}", by.code), value))
    }

    fn chain(&mut self, of: ResourceType, depth: u32) -> Option<(String, String)> {
        let by = self.parameter(of, |one| one.parameter_type == ParameterType::Reference)?;
        let known: Vec<&str> = by.targets.iter().map(|one| one.name()).filter(|name| TYPES.contains(name)).collect();
        let target = ResourceType::parse(self.one(&known))?;
        let (name, value) = self.criterion(target, depth + 1)?;
        Some((format!("{}:{target}.{name}", by.code), value))
    }

    fn plain(&mut self, of: ResourceType) -> Option<(String, String)> {
        let parameter = self.parameter(of, |one| one.parameter_type != ParameterType::Special)?;
        let code = &parameter.code;
        if self.chance(6) {
            return Some((format!("{code}:missing"), self.one(&["true", "false"]).to_owned()));
        }
        let (modifiers, value) = self.value(parameter);
        let modifier = if self.chance(20) { self.one(modifiers) } else { "" };
        let value = if self.chance(12) { format!("{value},{}", self.value(parameter).1) } else { value };
        Some((format!("{code}{modifier}"), value))
    }

    /// A parameter of the type: mostly one that the records of the worlds have values for.
    fn parameter(&mut self, of: ResourceType, fits: impl Fn(&SearchParameter) -> bool) -> Option<&'static SearchParameter> {
        let all: Vec<&'static SearchParameter> = search_parameters(of).filter(|one| fits(one)).collect();
        let usual: Vec<&'static SearchParameter> =
            all.iter().copied().filter(|one| words::PARAMETERS.contains(&one.code.as_str())).collect();
        let from = if self.chance(80) && !usual.is_empty() { usual } else { all };
        let last = u32::try_from(from.len().checked_sub(1)?).ok()?;
        from.get(self.up_to(last) as usize).copied()
    }

    /// Modifiers that fit, and a value.
    fn value(&mut self, parameter: &SearchParameter) -> (&'static [&'static str], String) {
        match parameter.parameter_type {
            ParameterType::Token => {
                (&[":not", ":text", ":below", ":above", ":in", ":not-in", ":of-type"], self.one(words::TOKENS).to_owned())
            }
            ParameterType::String => (&[":exact", ":contains"], self.one(words::STRINGS).to_owned()),
            ParameterType::Reference => (&[":Patient", ":identifier", ":Observation"], self.one(words::REFERENCES).to_owned()),
            ParameterType::Date => (&[""], self.date()),
            ParameterType::Number => (&[""], format!("{}{}", self.one(words::PREFIXES), self.one(&["1", "13.5", "0"]))),
            ParameterType::Quantity => (&[""], format!("{}{}", self.one(words::PREFIXES), self.one(words::QUANTITIES))),
            ParameterType::Uri => (&[":below", ":above"], self.one(&["urn:x", "http://loinc.org"]).to_owned()),
            ParameterType::Composite => (&[""], format!("{}${}", self.one(words::TOKENS), self.one(words::QUANTITIES))),
            ParameterType::Special => (&[""], String::new()),
        }
    }

    fn date(&mut self) -> String {
        format!("{}{}", self.one(words::PREFIXES), self.one(words::DATES))
    }

    fn ids(&mut self) -> String {
        let some: Vec<&str> = (0..=self.up_to(2)).map(|_| self.one(words::IDS)).collect();
        some.join(",")
    }

    /// How the answer is to look.
    fn shape(&mut self, of: ResourceType, pairs: &mut Vec<(String, String)>) {
        let mut put = |name: &str, value: String| pairs.push((name.to_owned(), value));
        if self.chance(30) {
            put("_count", self.one(&["0", "1", "2", "3", "3", "5", "5"]).to_owned());
        }
        if self.chance(30) {
            put("_total", self.one(&["accurate", "estimate", "none"]).to_owned());
        }
        if self.chance(25) {
            put("_sort", self.sort(of));
        }
        if self.chance(10) {
            put("_summary", self.one(&["count", "count", "true", "text", "data", "false"]).to_owned());
        } else if self.chance(8) {
            put("_elements", self.one(&["id", "status,code", "subject", "name"]).to_owned());
        }
        for name in ["_include", "_revinclude"] {
            if self.chance(15) {
                let iterated = if self.chance(30) { ":iterate" } else { "" };
                let value = self.include(of, name == "_revinclude");
                put(&format!("{name}{iterated}"), value);
            }
        }
    }

    fn sort(&mut self, of: ResourceType) -> String {
        let mut keys = Vec::new();
        for _ in 0..=self.up_to(1) {
            let key = match self.up_to(3) {
                0 if !self.made => "_id".to_owned(),
                1 => "_lastUpdated".to_owned(),
                _ => self.parameter(of, sortable).map_or_else(|| "_lastUpdated".to_owned(), |one| one.code.clone()),
            };
            keys.push(format!("{}{key}", self.one(&["", "-"])));
        }
        keys.join(",")
    }

    fn include(&mut self, of: ResourceType, reverse: bool) -> String {
        if self.chance(15) {
            return "*".to_owned();
        }
        let from = if reverse || self.chance(20) { self.resource_type() } else { of };
        let by = self.parameter(from, |one| one.parameter_type == ParameterType::Reference);
        let by = by.map_or("*", |one| one.code.as_str());
        let target = if self.chance(20) { format!(":{}", self.one(TYPES)) } else { String::new() };
        format!("{from}:{by}{target}")
    }

    fn history(&mut self) -> Case {
        let path = match self.up_to(5) {
            0 => "_history".to_owned(),
            1 | 2 => format!("{}/_history", self.resource_type()),
            _ => format!("{}/_history", self.one(words::KEYS)),
        };
        let mut pairs = Vec::new();
        if self.chance(30) {
            pairs.push(("_count".to_owned(), self.one(&["1", "2", "4"]).to_owned()));
        }
        if self.chance(30) {
            pairs.push((self.one(&["_since", "_at"]).to_owned(), self.one(words::MOMENTS).to_owned()));
        }
        Case::get(place(&path, &pairs))
    }

    fn record(&mut self) -> Case {
        let key = self.one(words::KEYS);
        let path = if self.chance(35) { format!("{key}/_history/{}", 1 + self.up_to(3)) } else { key.to_owned() };
        let pairs: Vec<(String, String)> = if self.chance(25) {
            let (name, value) = [("_summary", "true"), ("_elements", "id"), ("_pretty", "true")]
                .get(self.up_to(2) as usize)
                .copied()
                .unwrap_or_default();
            vec![(name.to_owned(), value.to_owned())]
        } else {
            Vec::new()
        };
        let case = Case::get(place(&path, &pairs));
        match self.up_to(9) {
            0 => case.header("If-None-Match", "W/\"1\""),
            1 => case.header("If-Modified-Since", "Mon, 01 Jun 2026 12:30:00 GMT"),
            _ => case,
        }
    }

    /// A batch of reads.
    fn batch(&mut self) -> Case {
        let mut entries = Vec::new();
        for _ in 0..=self.up_to(4) {
            let case = match self.up_to(2) {
                0 => self.record(),
                1 => self.history(),
                _ => self.search(),
            };
            if case.method == Method::Get {
                entries.push(json!({"request": {"method": "GET", "url": case.place}}));
            }
        }
        bundle("batch", &entries)
    }
}

/// A Bundle of entries to be performed.
pub(super) fn bundle(kind: &str, entries: &[Value]) -> Case {
    Case::new(Method::Post, "").json(&json!({"resourceType": "Bundle", "type": kind, "entry": entries}))
}

fn sortable(one: &SearchParameter) -> bool {
    // By `_id` only as long as the ids are those of the worlds.
    one.code != "_id" && !matches!(one.parameter_type, ParameterType::Special | ParameterType::Composite)
}
