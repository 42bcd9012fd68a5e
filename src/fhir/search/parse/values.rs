//! Values, by the type of their parameter.

use super::Fault;
use super::criteria::Reader;
use super::escapes::{split, unescape};
use crate::fhir::search::date::interval;
use crate::fhir::search::decimal::{Decimal, finite};
use crate::fhir::search::expression::type_in_reference;
use crate::fhir::search::folding::fold;
use crate::fhir::search::globe::{Globe, metres};
use crate::fhir::search::parameter::{BETWEEN, ParameterType, SearchParameter};
use crate::fhir::search::query::{
    Circle, DateValue, Modifier, NumberValue, Prefix, QuantityValue, ReferenceValue, SystemMatch, TokenValue, Value,
};
use crate::fhir::search::reference::Pointer;
use crate::fhir::{Id, Instant};

impl Reader<'_> {
    /// One value; `text` still has its escapes and is not empty.
    pub(super) fn value(&self, parameter: &SearchParameter, modifier: &Modifier, text: &str) -> Result<Value, Fault> {
        let code = &parameter.code;
        match (parameter.parameter_type, modifier) {
            (_, Modifier::Text) => folded(code, text),
            (_, Modifier::In | Modifier::NotIn) => value_set(code, &unescape(text)),
            (ParameterType::Token, Modifier::OfType) => of_type(code, text),
            (ParameterType::Token, Modifier::Above | Modifier::Below) => concept(code, text),
            (ParameterType::Reference, Modifier::Above | Modifier::Below) => self.hierarchy(parameter, &unescape(text)),
            (ParameterType::Reference, Modifier::Identifier) => token(code, text).map(Value::Token),
            (ParameterType::Composite, _) => self.composite(parameter, text),
            (ParameterType::String, Modifier::Exact) => Ok(Value::Text(unescape(text))),
            (ParameterType::Token, _) => token(code, text).map(|token| Value::Token(as_written(parameter, token))),
            (parameter_type, _) => self.typed(code, parameter_type, modifier, text),
        }
    }

    /// A record or a canonical, above or below which others stand.
    fn hierarchy(&self, parameter: &SearchParameter, text: &str) -> Result<Value, Fault> {
        let code = &parameter.code;
        match (self.reference(code, &Modifier::Plain, text)?, parameter.targets.as_slice()) {
            (ReferenceValue::Id(id), [only]) => Ok(Value::Reference(ReferenceValue::Local(*only, id))),
            (ReferenceValue::Id(_), _) => {
                Err(Fault::wrong(format!("`{code}`: `{text}` may be a record of several types: write `Type/{text}`")))
            }
            (found, _) => Ok(Value::Reference(found)),
        }
    }

    pub(super) fn typed(
        &self,
        code: &str,
        parameter_type: ParameterType,
        modifier: &Modifier,
        text: &str,
    ) -> Result<Value, Fault> {
        match parameter_type {
            ParameterType::Token => token(code, text).map(Value::Token),
            ParameterType::String => folded(code, text),
            ParameterType::Reference => self.reference(code, modifier, &unescape(text)).map(Value::Reference),
            ParameterType::Date => self.date(code, text).map(Value::Date),
            ParameterType::Number => number(code, text).map(Value::Number),
            ParameterType::Quantity => quantity(code, text).map(Value::Quantity),
            ParameterType::Uri => Ok(Value::Uri(unescape(text))),
            ParameterType::Composite | ParameterType::Special => Err(Fault::unsupported(format!("`{code}` cannot be searched"))),
        }
    }

    fn composite(&self, parameter: &SearchParameter, text: &str) -> Result<Value, Fault> {
        let (code, parts) = (&parameter.code, split(text, '$'));
        if parts.len() != parameter.components.len() || parts.iter().any(|part| part.is_empty()) {
            let count = parameter.components.len();
            return Err(Fault::wrong(format!("`{code}` takes {count} values joined by `$`; `{text}` is not that")));
        }
        let typed = |(part, component): (&str, &crate::fhir::search::Component)| {
            self.typed(code, component.parameter_type, &Modifier::Plain, part)
        };
        parts.into_iter().zip(&parameter.components).map(typed).collect::<Result<_, Fault>>().map(Value::Composite)
    }

    /// A reference; with `:[type]` a bare id is one of that type.
    pub(super) fn reference(&self, code: &str, modifier: &Modifier, text: &str) -> Result<ReferenceValue, Fault> {
        let pointer = Pointer::read(text, self.base);
        match (modifier, pointer) {
            (_, Pointer::Inside) => Err(Fault::wrong(format!("`{code}`: `{text}` refers to nothing that can be searched"))),
            (Modifier::Type(wanted), pointer) => match pointer {
                Pointer::Local(found, id) if found == *wanted => Ok(ReferenceValue::Local(found, id)),
                Pointer::Elsewhere(url) if type_in_reference(&url) == Some(*wanted) => Ok(ReferenceValue::Url(url)),
                Pointer::Elsewhere(text) if Id::parse(&text).is_some() => {
                    Ok(Id::parse(&text).map_or(ReferenceValue::Url(text), |id| ReferenceValue::Local(*wanted, id)))
                }
                _ => Err(Fault::wrong(format!("`{code}:{wanted}`: `{text}` is no {wanted}"))),
            },
            (_, Pointer::Local(resource_type, id)) => Ok(ReferenceValue::Local(resource_type, id)),
            (_, Pointer::Elsewhere(text)) => Ok(Id::parse(&text).map_or(ReferenceValue::Url(text), ReferenceValue::Id)),
        }
    }

    /// A date with its prefix.
    pub(super) fn date(&self, code: &str, text: &str) -> Result<DateValue, Fault> {
        let (prefix, date) = prefixed(text);
        let (low, high) = interval(date).ok_or_else(|| {
            Fault::wrong(format!("`{code}`: `{text}` is not a date like 2024, 2024-02, 2024-02-29 or 2024-02-29T10:30:00Z"))
        })?;
        if prefix != Prefix::Ap {
            return Ok(DateValue { prefix, low, high });
        }
        let nearest = self.now.0.clamp(low.0, high.0);
        let tenth = nearest.abs_diff(self.now.0) / 10;
        let widened = |end: Instant, by: i64| Instant(end.0.saturating_add(by));
        let tenth = i64::try_from(tenth).unwrap_or(i64::MAX);
        Ok(DateValue { prefix, low: widened(low, -tenth), high: widened(high, tenth) })
    }
}

/// Takes the prefix off; none is `eq`.
fn prefixed(text: &str) -> (Prefix, &str) {
    let prefix = match text.get(..2) {
        Some("eq") => Prefix::Eq,
        Some("ne") => Prefix::Ne,
        Some("gt") => Prefix::Gt,
        Some("lt") => Prefix::Lt,
        Some("ge") => Prefix::Ge,
        Some("le") => Prefix::Le,
        Some("sa") => Prefix::Sa,
        Some("eb") => Prefix::Eb,
        Some("ap") => Prefix::Ap,
        _ => return (Prefix::Eq, text),
    };
    (prefix, text.get(2..).unwrap_or_default())
}

/// A value set by its canonical, or by `ValueSet/id`.
pub(super) fn value_set(code: &str, text: &str) -> Result<Value, Fault> {
    let text = text.trim();
    if text.contains(char::is_whitespace) || !(text.contains(':') || text.starts_with("ValueSet/")) {
        let text = format!("`{code}`: `{text}` is no canonical URL of a value set, and not of the form `ValueSet/id`");
        return Err(Fault::wrong(text));
    }
    Ok(Value::ValueSet(text.to_owned()))
}

/// `system|code|value`: an identifier of this type.
fn of_type(code: &str, text: &str) -> Result<Value, Fault> {
    match split(text, '|').as_slice() {
        [system, kind, value] if !kind.is_empty() && !value.is_empty() => {
            let system = if system.is_empty() { SystemMatch::Any } else { SystemMatch::Is(unescape(system)) };
            let code = Some(format!("{}{BETWEEN}{}", unescape(kind), unescape(value)));
            Ok(Value::Token(TokenValue { system, code }))
        }
        _ => Err(Fault::wrong(format!("`{code}:of-type`: `{text}` is not of the form `system|code|value`"))),
    }
}

/// `system|code`: a concept that others stand above or below.
pub(super) fn concept(code: &str, text: &str) -> Result<Value, Fault> {
    match token(code, text)? {
        value @ TokenValue { system: SystemMatch::Is(_), code: Some(_) } => Ok(Value::Token(value)),
        _ => Err(Fault::wrong(format!(
            "`{code}`: `{text}` must be `system|code`: what is above and below a code is known by its system"
        ))),
    }
}

/// `latitude|longitude|distance|unit`; without unit kilometres, without distance the ten around.
pub(super) fn circle(code: &str, text: &str) -> Result<Circle, Fault> {
    let wrong = || {
        let example = "`latitude|longitude|distance|unit`, such as `24.86|67.00|5|km`";
        Fault::wrong(format!("`{code}`: `{text}` is not of the form {example}"))
    };
    let parts: Vec<String> = split(text, '|').into_iter().map(unescape).collect();
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    let (latitude, longitude, distance, unit) = match parts.as_slice() {
        [latitude, longitude] => (latitude, longitude, "10", "km"),
        [latitude, longitude, distance] => (latitude, longitude, *distance, "km"),
        [latitude, longitude, distance, unit] => (latitude, longitude, *distance, if unit.is_empty() { "km" } else { unit }),
        _ => return Err(wrong()),
    };
    let degrees = |text: &str| finite(text).ok_or_else(wrong);
    let centre = Globe::new(degrees(latitude)?, degrees(longitude)?).ok_or_else(wrong)?;
    let distance = if distance.is_empty() { Some(10.0) } else { finite(distance).filter(|metres| *metres >= 0.0) };
    let unit = metres(unit).ok_or_else(|| {
        Fault::wrong(format!("`{code}`: `{unit}` is no unit of length that this server knows; it knows km, m, [mi_i], [ft_i]"))
    })?;
    Ok(Circle { centre, radius: distance.ok_or_else(wrong)? * unit })
}

pub(super) fn folded(code: &str, text: &str) -> Result<Value, Fault> {
    let folded = fold(&unescape(text));
    if folded.is_empty() {
        return Err(Fault::wrong(format!("`{code}`: nothing is left of `{text}` to compare with")));
    }
    Ok(Value::Text(folded))
}

/// `code`, `system|code`, `|code`, `system|`
fn token(code: &str, text: &str) -> Result<TokenValue, Fault> {
    let parts = split(text, '|');
    let some = |text: &str| (!text.is_empty()).then(|| unescape(text));
    match parts.as_slice() {
        [one] => Ok(TokenValue { system: SystemMatch::Any, code: some(one) }),
        ["", one] if !one.is_empty() => Ok(TokenValue { system: SystemMatch::Absent, code: some(one) }),
        [system, one] if !system.is_empty() => Ok(TokenValue { system: SystemMatch::Is(unescape(system)), code: some(one) }),
        _ => Err(Fault::wrong(format!("`{code}`: `{text}` is not of the form `code`, `system|code`, `|code` or `system|`"))),
    }
}

/// The system that the codes of a parameter have by definition is not written in records (R4 search § 3.1.1.4.10): who names it asks for
/// the code alone.
fn as_written(parameter: &SearchParameter, token: TokenValue) -> TokenValue {
    match (token.system, &parameter.implied_system) {
        (SystemMatch::Is(named), Some(implied)) if named == *implied => TokenValue { system: SystemMatch::Any, code: token.code },
        (system, _) => TokenValue { system, code: token.code },
    }
}

fn number(code: &str, text: &str) -> Result<NumberValue, Fault> {
    let (prefix, digits) = prefixed(text);
    let Decimal { exact, low, high } =
        Decimal::parse(digits).ok_or_else(|| Fault::wrong(format!("`{code}`: `{text}` is not a number")))?;
    let tenth = if prefix == Prefix::Ap { exact.abs() / 10.0 } else { 0.0 };
    Ok(NumberValue { prefix, exact, low: low - tenth, high: high + tenth })
}

/// `number` or `number|system|code`
fn quantity(code: &str, text: &str) -> Result<QuantityValue, Fault> {
    let parts = split(text, '|');
    let some = |text: &str| (!text.is_empty()).then(|| unescape(text));
    match parts.as_slice() {
        [value] => Ok(QuantityValue { number: number(code, value)?, system: None, unit: None }),
        [value, system, unit] => Ok(QuantityValue { number: number(code, value)?, system: some(system), unit: some(unit) }),
        _ => Err(Fault::wrong(format!("`{code}`: `{text}` is not of the form `number` or `number|system|code`"))),
    }
}
