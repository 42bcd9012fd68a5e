//! As much of profile validation as the IHE patterns for AuditEvent need: values, cardinalities and slices by type.

use serde_json::Value;
use std::path::PathBuf;

/// The file below the corpora, or a word that the test is skipped.
pub(super) fn corpora(file: &str) -> Option<Vec<u8>> {
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/corpora");
    let root = std::env::var_os("AMANAT_CORPORA").map_or_else(beside, PathBuf::from);
    let read = std::fs::read(root.join(file)).ok();
    if read.is_none() {
        println!("skipped: no corpora at {}", root.join(file).display());
    }
    read
}

/// The profiles and value sets of BALP.
pub(super) struct Conformance(Value);

impl Conformance {
    pub(super) fn load() -> Option<Self> {
        let file = corpora("../fhir-r4/profiles/ihe-balp-1.1.5-current.json")?;
        Some(Self(serde_json::from_slice(&file).unwrap()))
    }

    /// Everything that is wrong with an event under the profiles that it claims, and under their bases.
    pub(super) fn problems(&self, event: &Value) -> Vec<String> {
        let mut problems = Vec::new();
        let claimed = event["meta"]["profile"].as_array().cloned().unwrap_or_default();
        let mut names: Vec<String> = claimed.iter().map(|url| url.as_str().unwrap().to_owned()).collect();
        while let Some(name) = names.pop() {
            let profile = &self.0["profiles"][&name];
            assert!(profile.is_object(), "no profile {name}");
            if self.0["profiles"][profile["base"].as_str().unwrap()].is_object() {
                names.push(profile["base"].as_str().unwrap().to_owned());
            }
            self.check(event, profile["elements"].as_array().unwrap(), &mut problems);
        }
        for entity in event["entity"].as_array().into_iter().flatten() {
            if !entity["name"].is_null() && !entity["query"].is_null() {
                problems.push("sev-1".to_owned());
            }
        }
        problems
    }

    fn check(&self, event: &Value, elements: &[Value], problems: &mut Vec<String>) {
        for element in elements {
            let id = element["id"].as_str().unwrap();
            let path = id.strip_prefix("AuditEvent.").unwrap_or("");
            match path.split_once(':') {
                None => self.demand(id, element, &at(event, path), problems),
                Some((list, rest)) => {
                    let (slice, inner) = rest.split_once('.').unwrap_or((rest, ""));
                    let members = self.members(event, elements, list, slice);
                    if inner.is_empty() {
                        self.demand(id, element, &members, problems);
                    } else {
                        for member in members {
                            self.demand(id, element, &at(member, inner), problems);
                        }
                    }
                }
            }
            if element["slicing"]["rules"] == "closed" {
                self.closed(event, elements, path, problems);
            }
        }
    }

    /// The items of a list that belong to a slice: those whose discriminator fits.
    fn members<'v>(&self, event: &'v Value, elements: &[Value], list: &str, slice: &str) -> Vec<&'v Value> {
        let slicing = elements.iter().find(|element| element["id"] == format!("AuditEvent.{list}")).unwrap();
        let discriminator = slicing["slicing"]["disc"][0][1].as_str().unwrap();
        let suffix = if discriminator == "$this" { String::new() } else { format!(".{discriminator}") };
        let rule = elements.iter().find(|element| element["id"] == format!("AuditEvent.{list}:{slice}{suffix}")).unwrap();
        let inner = suffix.trim_start_matches('.');
        at(event, list).into_iter().filter(|item| at(item, inner).iter().any(|value| self.fits(rule, value))).collect()
    }

    fn closed(&self, event: &Value, elements: &[Value], list: &str, problems: &mut Vec<String>) {
        let slices = elements.iter().filter_map(|element| {
            let (of, slice) = element["id"].as_str()?.strip_prefix("AuditEvent.")?.split_once(':')?;
            (of == list && !slice.contains('.')).then_some(slice)
        });
        let covered: usize = slices.map(|slice| self.members(event, elements, list, slice).len()).sum();
        if covered != at(event, list).len() {
            problems.push(format!("{list}: an item fits no slice"));
        }
    }

    fn demand(&self, id: &str, element: &Value, values: &[&Value], problems: &mut Vec<String>) {
        let min = usize::try_from(element["min"].as_u64().unwrap_or(0)).unwrap();
        let max = element["max"].as_str().and_then(|max| max.parse().ok()).unwrap_or(usize::MAX);
        if values.len() < min || values.len() > max {
            problems.push(format!("{id}: {} of {min} to {max}", values.len()));
        }
        // The value of a slice is what put its items there.
        let sliced = id.rsplit('.').next().is_some_and(|last| last.contains(':'));
        if !sliced && values.iter().any(|value| !self.fits(element, value)) {
            problems.push(format!("{id}: {values:?}"));
        }
    }

    fn fits(&self, rule: &Value, value: &Value) -> bool {
        let pattern = rule.as_object().unwrap().iter().find(|(name, _)| name.starts_with("pattern"));
        let bound = rule["binding"]["strength"] != "required" || self.bound(rule["binding"]["vs"].as_str().unwrap(), value);
        bound && pattern.is_none_or(|(_, pattern)| covers(pattern, value))
    }

    /// A concept is in a value set when one of its codings is.
    fn bound(&self, set: &str, value: &Value) -> bool {
        let codings = value["coding"].as_array().map_or_else(|| vec![value], |codings| codings.iter().collect());
        let includes = self.0["valueSets"][set]["include"].as_array().unwrap_or_else(|| panic!("no value set {set}"));
        codings.iter().any(|coding| {
            includes.iter().any(|include| {
                let listed = |codes: &Vec<Value>| codes.contains(&coding["code"]);
                include["system"] == coding["system"] && include["codes"].as_array().is_none_or(listed)
            })
        })
    }
}

/// The values at a path, lists flattened.
fn at<'v>(value: &'v Value, path: &str) -> Vec<&'v Value> {
    let mut values = vec![value];
    for name in path.split('.').filter(|name| !name.is_empty()) {
        values = values.into_iter().filter_map(|value| value.get(name)).collect();
        values =
            values.into_iter().flat_map(|value| value.as_array().map_or(vec![value], |items| items.iter().collect())).collect();
    }
    values
}

/// R4 `ElementDefinition.pattern[x]`: what the pattern has must be there, in lists somewhere.
fn covers(pattern: &Value, value: &Value) -> bool {
    match (pattern, value) {
        (Value::Object(pattern), Value::Object(value)) => {
            pattern.iter().all(|(name, part)| value.get(name).is_some_and(|value| covers(part, value)))
        }
        (Value::Array(pattern), Value::Array(value)) => pattern.iter().all(|part| value.iter().any(|value| covers(part, value))),
        _ => pattern == value,
    }
}
