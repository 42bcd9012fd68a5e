//! Values that mean more than one row of the index can say: media types, canonicals with a version, texts in any case.

use super::criteria::one;
use super::escapes::{split, unescape};
use crate::fhir::search::custom::CustomParameters;
use crate::fhir::search::parameter::{ParameterType, SearchParameter};
use crate::fhir::search::query::{Criterion, Modifier, SystemMatch, TokenValue, Value};

/// The criterion of values of which at least one is such a one; `None` when there is none among them.
pub(super) fn read(
    known: &CustomParameters,
    parameter: &'static SearchParameter,
    modifier: &Modifier,
    texts: &[&str],
) -> Option<Criterion> {
    match (parameter.parameter_type, modifier) {
        (ParameterType::Token, Modifier::Below) if texts.iter().all(|text| is_media_type(text)) => {
            Some(Criterion::Any(texts.iter().map(|text| media_type(parameter, &unescape(text))).collect()))
        }
        (ParameterType::Uri, Modifier::Plain) if parameter.code == "url" => {
            let version = known.find(parameter.resource_type, "version");
            let version = version.filter(|one| one.parameter_type == ParameterType::Token)?;
            let each: Vec<Vec<&str>> = texts.iter().map(|text| split(text, '|')).collect();
            let named =
                each.iter().any(|parts| matches!(parts.as_slice(), [url, version] if !url.is_empty() && !version.is_empty()));
            named.then(|| Criterion::Any(each.iter().map(|parts| canonical(parameter, version, parts)).collect()))
        }
        _ => None,
    }
}

/// `type/subtype`, without a system before it.
fn is_media_type(text: &str) -> bool {
    let word = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#&-^_.+".contains(&b));
    let kind = text.split(';').next().unwrap_or_default().trim_end();
    kind.split_once('/').is_some_and(|(of, subtype)| word(of) && word(subtype))
}

/// A media type with whatever parameters (R4 search § 3.1.1.4.10.1): `text/xml` and `text/xml; charset=UTF-8`.
fn media_type(parameter: &'static SearchParameter, kind: &str) -> Criterion {
    let begins = |with: char| one(parameter, Modifier::Begins, Value::Text(format!("{kind}{with}")));
    Criterion::Any(vec![one(parameter, Modifier::Plain, token(kind)), begins(';'), begins(' ')])
}

/// `url|version`: what has this URL in this version (R4 search § 3.1.1.4.9).
fn canonical(parameter: &'static SearchParameter, version: &'static SearchParameter, parts: &[&str]) -> Criterion {
    let url = |text: &str| one(parameter, Modifier::Plain, Value::Uri(unescape(text)));
    match parts {
        [text, wanted] if !text.is_empty() && !wanted.is_empty() => {
            let wanted = Criterion::Match {
                parameter: version,
                modifier: Modifier::Plain,
                values: in_any_case(version, vec![token(&unescape(wanted))]),
            };
            Criterion::All(vec![url(text), wanted])
        }
        parts => url(&parts.join("|")),
    }
}

fn token(code: &str) -> Value {
    Value::Token(TokenValue { system: SystemMatch::Any, code: Some(code.to_owned()) })
}

/// Where the elements are of type `string`, case does not count (R4 search § 3.1.1.4.10): the index has their texts in lower case, too.
pub(super) fn in_any_case(parameter: &SearchParameter, mut values: Vec<Value>) -> Vec<Value> {
    if parameter.ignores_case {
        let lower = |value: &Value| match value {
            Value::Token(TokenValue { system, code: Some(code) }) => {
                let lower = code.to_lowercase();
                let token = TokenValue { system: system.clone(), code: Some(lower) };
                (token.code.as_ref() != Some(code)).then_some(Value::Token(token))
            }
            _ => None,
        };
        let more: Vec<Value> = values.iter().filter_map(lower).collect();
        values.extend(more);
    }
    values
}
