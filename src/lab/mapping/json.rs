//! JSON while it is put together: numbers keep their text, what is absent leaves no trace.

use crate::fhir::json::quote_into;
use std::fmt;

/// A value.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Json {
    /// Nothing: left out where it would stand.
    #[default]
    Absent,
    /// Text.
    Text(String),
    /// A number, as it is written.
    Number(String),
    /// A truth value.
    Bool(bool),
    /// A list.
    List(Vec<Json>),
    /// An object.
    Object(Vec<(String, Json)>),
    /// A JSON text that came from elsewhere, whole.
    Raw(String),
}

impl Json {
    /// Text; nothing for the empty one.
    pub fn text(text: &str) -> Self {
        if text.is_empty() { Self::Absent } else { Self::Text(text.to_owned()) }
    }

    /// Text that may be absent.
    pub fn some(text: Option<String>) -> Self {
        text.filter(|text| !text.is_empty()).map_or(Self::Absent, Self::Text)
    }

    /// An object of those members that are there; nothing when none is.
    pub fn object<'n>(members: impl IntoIterator<Item = (&'n str, Self)>) -> Self {
        let members: Vec<_> = members
            .into_iter()
            .filter(|(_, value)| *value != Self::Absent)
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        if members.is_empty() { Self::Absent } else { Self::Object(members) }
    }

    /// A list of those items that are there; nothing when none is.
    pub fn array(items: impl IntoIterator<Item = Self>) -> Self {
        let items: Vec<_> = items.into_iter().filter(|item| *item != Self::Absent).collect();
        if items.is_empty() { Self::Absent } else { Self::List(items) }
    }

    /// A list of one.
    pub fn one(item: Self) -> Self {
        Self::array([item])
    }

    /// A coding.
    pub fn coding(system: &str, code: &str, display: &str) -> Self {
        // A FHIR code has single blanks at most, and none around it.
        let code = code.split_whitespace().collect::<Vec<_>>().join(" ");
        Self::object([("system", Self::text(system)), ("code", Self::text(&code)), ("display", Self::text(display))])
    }

    /// A `CodeableConcept` of one coding.
    pub fn concept(system: &str, code: &str, display: &str) -> Self {
        Self::object([("coding", Self::one(Self::coding(system, code, display)))])
    }

    /// A Reference to a record.
    pub fn reference(to: &str) -> Self {
        Self::object([("reference", Self::text(to))])
    }

    /// An extension.
    pub fn extension(url: &str, value: &str, of: Self) -> Self {
        if of == Self::Absent {
            return Self::Absent;
        }
        Self::object([("url", Self::text(url)), (value, of)])
    }

    /// Whether there is something.
    pub fn is_there(&self) -> bool {
        *self != Self::Absent
    }

    /// The member of this name.
    pub fn get(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Object(members) => members.iter().find(|(known, _)| known == name).map(|(_, value)| value),
            _ => None,
        }
    }

    /// Puts a member in the place of the one of this name, or behind the others.
    pub fn put(&mut self, name: &str, value: Self) {
        let Self::Object(members) = self else { return };
        members.retain(|(known, _)| known != name);
        if value.is_there() {
            members.push((name.to_owned(), value));
        }
    }

    /// Adds items to a list member.
    pub fn extend(&mut self, name: &str, items: impl IntoIterator<Item = Self>) {
        let mut all = match self.get(name) {
            Some(Self::List(items)) => items.clone(),
            _ => Vec::new(),
        };
        all.extend(items);
        self.put(name, Self::array(all));
    }

    /// The text of a value.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }
}

/// A decimal as JSON writes it, its digits kept: `+5` is `5`, `.50` is `0.50`, `007` is `7`. `None` for what is no decimal.
pub fn decimal(text: &str) -> Option<String> {
    let text = text.trim();
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let (mantissa, exponent) =
        digits.split_once(['e', 'E']).map_or((digits, None), |(mantissa, exponent)| (mantissa, Some(exponent)));
    let (whole, fraction) = mantissa.split_once('.').map_or((mantissa, ""), |(whole, fraction)| (whole, fraction));
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if (whole.is_empty() && fraction.is_empty()) || !all_digits(whole) || !all_digits(fraction) || mantissa.len() > 60 {
        return None;
    }
    let exponent = match exponent {
        None => String::new(),
        Some(exponent) => {
            let power = exponent.parse::<i32>().ok().filter(|power| power.abs() <= 99)?;
            format!("e{power}")
        }
    };
    let whole = whole.trim_start_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    let fraction = if fraction.is_empty() { String::new() } else { format!(".{fraction}") };
    Some(format!("{sign}{whole}{fraction}{exponent}"))
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = String::new();
        write(self, &mut out);
        f.write_str(&out)
    }
}

fn write(json: &Json, out: &mut String) {
    match json {
        Json::Absent => out.push_str("null"),
        Json::Text(text) => quote_into(text, out),
        Json::Number(text) | Json::Raw(text) => out.push_str(text),
        Json::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Json::List(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                out.push_str(if at > 0 { "," } else { "" });
                write(item, out);
            }
            out.push(']');
        }
        Json::Object(members) => {
            out.push('{');
            for (at, (name, value)) in members.iter().enumerate() {
                out.push_str(if at > 0 { "," } else { "" });
                quote_into(name, out);
                out.push(':');
                write(value, out);
            }
            out.push('}');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_keep_their_digits() {
        for (text, told) in
            [("98.00", "98.00"), ("+5", "5"), (".50", "0.50"), ("5.", "5"), ("-007.10", "-7.10"), ("1.5E3", "1.5e3")]
        {
            assert_eq!(decimal(text).as_deref(), Some(told));
        }
        for text in ["", "-", ".", "4,5", "1e", "0x1", "1.2.3", "NaN", "1e999"] {
            assert_eq!(decimal(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_absent_leaves_no_trace() {
        let empty = Json::object([("a", Json::text("")), ("b", Json::array([]))]);
        assert_eq!(empty, Json::Absent);
        let mut made = Json::object([("a", Json::text("x\"")), ("n", Json::Number("1.0".to_owned())), ("b", empty)]);
        made.extend("l", [Json::Bool(true)]);
        assert_eq!(made.to_string(), r#"{"a":"x\"","n":1.0,"l":[true]}"#);
    }
}
