//! Which modifiers a parameter takes (R4 search § 3.1.1.5.4).

use super::Fault;
use super::criteria::points_at;
use crate::fhir::ResourceType;
use crate::fhir::search::parameter::{ParameterType, SearchParameter};
use crate::fhir::search::query::Modifier;

/// The modifier of this name.
pub(super) fn read(parameter: &SearchParameter, name: &str) -> Result<Modifier, Fault> {
    use ParameterType::{Reference, String, Token, Uri};
    Ok(match (parameter.parameter_type, name) {
        (String, "exact") => Modifier::Exact,
        (String, "contains") => Modifier::Contains,
        (Token, "not") => Modifier::Not,
        // R5's name for what R4 calls `:text`.
        (Token | Reference, "text" | "code-text") => Modifier::Text,
        (Token, "in") => Modifier::In,
        (Token, "not-in") => Modifier::NotIn,
        (Token, "of-type") => Modifier::OfType,
        (Reference, "identifier") => Modifier::Identifier,
        (Uri | Token | Reference, "above") => Modifier::Above,
        (Uri | Token | Reference, "below") => Modifier::Below,
        (Reference, name) if ResourceType::parse(name).is_some_and(|target| points_at(parameter, target)) => {
            ResourceType::parse(name).map_or(Modifier::Plain, Modifier::Type)
        }
        (parameter_type, _) => {
            let (code, valid) = (&parameter.code, valid(parameter_type));
            return Err(Fault::wrong(format!("`{code}` takes no modifier `:{name}`. Valid ones: {valid}")));
        }
    })
}

const fn valid(parameter_type: ParameterType) -> &'static str {
    match parameter_type {
        ParameterType::String => ":exact, :contains, :missing",
        ParameterType::Token => ":not, :text, :in, :not-in, :of-type, :above, :below, :missing",
        ParameterType::Reference => ":identifier, :text, :above, :below, :missing, and the types that it may refer to",
        ParameterType::Uri => ":above, :below, :missing",
        _ => ":missing",
    }
}

/// The value of `:missing`.
pub(super) fn truth(code: &str, value: &str) -> Result<bool, Fault> {
    match value {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(Fault::wrong(format!("`{code}:missing` is `true` or `false`"))),
    }
}
