//! The query of a granular scope, `category=laboratory` in `patient/Observation.rs?category=laboratory`.

use super::custom::STANDARD;
use super::parameter::ParameterType;
use super::parse::Reader;
use super::query::Criterion;
use crate::fhir::definitions::search_parameter;
use crate::fhir::{Instant, ResourceType, decode};

/// Reads the constraint of a scope: plain token, string, date, reference, uri and quantity parameters of the type, each once, all
/// of which a record must satisfy. `base` is not known to a scope, so an absolute reference is taken as it is written.
///
/// Fails closed: `None` for anything else (modifiers, chains, result parameters, unknown names, empty or doubtful parts). A
/// constraint that is not understood grants nothing.
pub fn parse_constraint(resource_type: ResourceType, query: &str) -> Option<Vec<Criterion>> {
    let doubtful = |c: char| c == '#' || c == '?' || c.is_whitespace() || c.is_control();
    if query.is_empty() || query.contains(doubtful) {
        return None;
    }
    let mut names = Vec::new();
    let mut criteria = Vec::new();
    // `ap` would make the grant depend on the time: it is refused, so the moment does not matter.
    let mut reader = Reader::new("", Instant(0), &STANDARD);
    for pair in query.split('&') {
        let (name, value) = pair.split_once('=')?;
        let value = decode(value).filter(|_| !value.contains('='))?;
        if value.is_empty()
            || value.chars().any(char::is_control)
            || names.contains(&name)
            || !is_plain(resource_type, name, &value)
        {
            return None;
        }
        names.push(name);
        criteria.push(reader.criterion(&[resource_type], name, &value).ok()?);
    }
    Some(criteria)
}

fn is_plain(resource_type: ResourceType, name: &str, value: &str) -> bool {
    use ParameterType::{Date, Quantity, Reference, String, Token, Uri};
    if name.starts_with('_') && !matches!(name, "_tag" | "_security" | "_profile" | "_source") {
        return false;
    }
    search_parameter(resource_type, name).is_some_and(|parameter| match parameter.parameter_type {
        Token | String | Reference | Uri => true,
        Date | Quantity => !value.split(',').any(|one| one.starts_with("ap")),
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::parse_constraint;
    use crate::fhir::ResourceType;
    use crate::fhir::search::{Criterion, SystemMatch, Value};

    #[test]
    fn plain_parameters_become_criteria_that_must_all_hold() {
        let query = "category=http://terminology.hl7.org/CodeSystem/observation-category|laboratory&status=final";
        let criteria = parse_constraint(ResourceType::Observation, query).unwrap();
        let [Criterion::Match { values, .. }, Criterion::Match { .. }] = criteria.as_slice() else { panic!("{criteria:?}") };
        let [Value::Token(token)] = values.as_slice() else { panic!("{values:?}") };
        assert_eq!(token.system, SystemMatch::Is("http://terminology.hl7.org/CodeSystem/observation-category".into()));
        assert!(parse_constraint(ResourceType::Observation, "category=a,b&date=ge2020&_security=http://x|R").is_some());
    }

    #[test]
    fn anything_doubtful_grants_nothing() {
        for query in [
            "",
            "=x",
            "code=",
            "code",
            "code:exact=a=b",
            "category=a=b",
            "category=laboratory&",
            "&category=laboratory",
            "category=a&&status=final",
            "nosuchparam=1",
            "category=laboratory#frag",
            "code:not=a",
            "subject.name=x",
            "_sort=date",
            "_summary=count",
            "_id=1",
            "_lastUpdated=gt2020",
            "_has:Observation:patient:code=1",
            "category=a&category=b",
            "category=a,,b",
            "category=%00",
            "category=%zz",
            "code-value-quantity=a$1",
            "date=ap2020",
            "date=soon",
            "Category=a",
            "category=a?b",
            "category=a b",
            "_text=x",
            "category=%20",
        ] {
            assert!(parse_constraint(ResourceType::Observation, query).is_none(), "{query}");
        }
    }

    #[test]
    fn the_constraints_of_the_scope_corpus_are_read_or_refused_as_it_says() {
        let default = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/corpora");
        let folder = std::env::var("AMANAT_CORPORA").unwrap_or_else(|_| default.to_owned());
        let Ok(text) = std::fs::read_to_string(format!("{folder}/smart-scopes/cases.json")) else {
            return println!("skipped: no corpora at {folder}");
        };
        let file: serde_json::Value = serde_json::from_str(&text).unwrap();
        let mut count = 0;
        for case in file["parse"].as_array().unwrap() {
            let Some((scope, query)) = case["scope"].as_str().and_then(|scope| scope.split_once('?')) else { continue };
            let name = scope.split(['/', '.']).nth(1).unwrap();
            let granted = parse_constraint(ResourceType::parse(name).unwrap(), query).map(|criteria| criteria.len());
            let expected = (case["class"] == "resource").then(|| case["query"].as_object().unwrap().len());
            assert_eq!(granted, expected, "{case}");
            count += 1;
        }
        assert!(count > 10);
    }
}
