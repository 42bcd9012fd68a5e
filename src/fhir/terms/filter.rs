//! Filters of a value set over the concepts of a stored code system (<https://hl7.org/fhir/R4/codesystem-filter-operator.html>).

use super::code_system::{CodeSystem, Concept};
use super::codes::Codes;
use super::value_set::Filter;
use regex_lite::{Regex, RegexBuilder};
use std::collections::BTreeSet;

/// Bytes that a compiled regular expression may take.
const REGEX_BYTES: usize = 1 << 20;

/// The codes that satisfy a filter; the reason when it cannot be answered.
pub(super) fn codes(system: &CodeSystem, filter: &Filter) -> Result<Codes, String> {
    let Filter { property, op, value } = filter;
    let of_hierarchy = matches!(property.as_str(), "concept" | "code");
    let found: BTreeSet<String> = match op.as_str() {
        "is-a" if of_hierarchy => below(system, value)?,
        "descendent-of" if of_hierarchy => below(system, value)?.into_iter().filter(|code| code != value).collect(),
        "generalizes" if of_hierarchy => system.above(value).ok_or_else(|| unknown(system, value))?,
        "is-not-a" if of_hierarchy => {
            let below = below(system, value)?;
            all(system, |concept| !below.contains(&concept.code))
        }
        "=" => all(system, |concept| has(concept, property, &|found| found == value)),
        "in" | "not-in" => {
            let wanted: Vec<&str> = value.split(',').map(str::trim).collect();
            let inside = |concept: &Concept| has(concept, property, &|found| wanted.contains(&found));
            all(system, |concept| inside(concept) == (op == "in"))
        }
        "exists" => all(system, |concept| has(concept, property, &|_| true) == (value == "true")),
        "regex" => {
            let whole = RegexBuilder::new(&format!("^(?:{value})$")).size_limit(REGEX_BYTES).build();
            let regex: Regex = whole.map_err(|_| format!("`{value}` is no regular expression that this server can follow"))?;
            all(system, |concept| has(concept, property, &|found| regex.is_match(found)))
        }
        _ => return Err(format!("the filter `{property} {op}` over `{}` cannot be answered here", system.url)),
    };
    Ok(Codes::of(&system.url, found))
}

fn below(system: &CodeSystem, code: &str) -> Result<BTreeSet<String>, String> {
    system.below(code).ok_or_else(|| unknown(system, code))
}

fn unknown(system: &CodeSystem, code: &str) -> String {
    format!("`{}` has no code `{code}`", system.url)
}

fn all(system: &CodeSystem, holds: impl Fn(&Concept) -> bool) -> BTreeSet<String> {
    system.concepts().iter().filter(|concept| holds(concept)).map(|concept| concept.code.clone()).collect()
}

fn has(concept: &Concept, property: &str, holds: &dyn Fn(&str) -> bool) -> bool {
    match property {
        "code" | "concept" => holds(&concept.code),
        "display" => holds(&concept.display),
        _ => concept.properties.iter().any(|(name, value)| name == property && holds(value)),
    }
}
