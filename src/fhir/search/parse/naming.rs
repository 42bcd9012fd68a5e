//! Names of parameters: near misses, and those that must not be dropped.

use super::Fault;
use crate::fhir::search::custom::CustomParameters;
use crate::fhir::{Problem, ResourceType};

/// The parameters that are not in the tables of types.
const EVERYWHERE: [&str; 15] = [
    "_contained",
    "_containedType",
    "_count",
    "_elements",
    "_filter",
    "_format",
    "_has",
    "_include",
    "_list",
    "_pretty",
    "_revinclude",
    "_sort",
    "_summary",
    "_total",
    "_type",
];

/// Parameters that decide whose records, or how protected ones, are asked for. To ignore one shows more than was asked.
const NARROWING: [&str; 15] = [
    "_content",
    "_filter",
    "_has",
    "_id",
    "_list",
    "_profile",
    "_security",
    "_source",
    "_tag",
    "_text",
    "_type",
    "encounter",
    "identifier",
    "patient",
    "subject",
];

/// The name without modifier and chain.
pub(super) fn base(name: &str) -> &str {
    name.split([':', '.']).next().unwrap_or(name)
}

/// Whether a name is, or may be a misspelling of, one that narrows whose records are asked for.
pub(super) fn may_narrow(name: &str) -> bool {
    let base = base(name).to_lowercase();
    NARROWING.iter().any(|known| {
        let bound = if known.len() > 4 { 2 } else { 1 };
        strsim::damerau_levenshtein(&base, known) <= bound
    })
}

/// The fault for a name that no type searched has: names the nearest one and all valid ones.
pub(super) fn unknown(parameters: &CustomParameters, types: &[ResourceType], name: &str) -> Fault {
    let valid = valid_names(parameters, types);
    let nearest = valid
        .iter()
        .map(|known| (strsim::damerau_levenshtein(&base(name).to_lowercase(), known), *known))
        .filter(|(distance, known)| *distance <= (known.len() / 3).max(2))
        .min();
    let hint = nearest.map(|(_, known)| format!(" Did you mean `{known}`?")).unwrap_or_default();
    let of = match types {
        [one] => format!("{one}"),
        _ => "a search of several types".to_owned(),
    };
    let text = format!("`{name}` is not a search parameter of {of}.{hint} Valid ones: {}", valid.join(", "));
    Fault::Unknown(Problem::of("invalid", text))
}

fn valid_names(parameters: &CustomParameters, types: &[ResourceType]) -> Vec<&'static str> {
    let one = types.first().copied().unwrap_or(ResourceType::Patient);
    let own = parameters.of(one).map(|parameter| parameter.code.as_str());
    let shared = |code: &&str| match types {
        [] => code.starts_with('_'),
        [_, others @ ..] => others.iter().all(|other| parameters.find(*other, code).is_some()),
    };
    let mut names: Vec<&str> = own.filter(shared).chain(EVERYWHERE).collect();
    names.sort_unstable();
    names
}
