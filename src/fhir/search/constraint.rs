//! The constraint of a granular scope, as criteria.

use super::{Criterion, Modifier, ParameterId, ParameterType, SearchParameter, SystemMatch, TokenValue, Value};
use crate::fhir::ResourceType;
use std::sync::LazyLock;

static TOKENS: LazyLock<Vec<SearchParameter>> = LazyLock::new(|| {
    let named = ["category", "code", "status"].into_iter().zip(0_i32..);
    named
        .flat_map(|(code, at)| {
            ResourceType::ALL.iter().map(move |&resource_type| SearchParameter {
                id: ParameterId((i32::from(resource_type.code()) * 3 + at) * 8),
                resource_type,
                code: code.to_owned(),
                parameter_type: ParameterType::Token,
                targets: Vec::new(),
                components: Vec::new(),
                url: String::new(),
            })
        })
        .collect()
});

/// Reads the query of a granular scope; `None` when any part of it is not understood.
pub fn parse_constraint(resource_type: ResourceType, query: &str) -> Option<Vec<Criterion>> {
    query.split('&').map(|part| part.split_once('=').and_then(|(name, value)| token(resource_type, name, value))).collect()
}

fn token(resource_type: ResourceType, name: &str, value: &str) -> Option<Criterion> {
    let parameter = TOKENS.iter().find(|one| one.resource_type == resource_type && one.code == name)?;
    let values = value.split(',').map(|one| {
        let (system, code) = one.split_once('|').map_or((SystemMatch::Any, one), |(s, c)| (SystemMatch::Is(s.to_owned()), c));
        (!code.is_empty()).then(|| Value::Token(TokenValue { system, code: Some(code.to_owned()) }))
    });
    Some(Criterion::Match { parameter, modifier: Modifier::Plain, values: values.collect::<Option<_>>()? })
}
