//! Criteria as the parameters of a query to the server behind, made of what was understood.
//!
//! What is pushed may select more than the criterion, never less: each record that comes is held to the criterion itself afterwards. A
//! criterion that cannot be told this way is not pushed.

use crate::disclosure::Crossing;
use crate::fhir::search::{
    Criterion, DateValue, Modifier, NumberValue, ParameterType, Prefix, QuantityValue, ReferenceValue, SearchParameter,
    SystemMatch, TokenValue, Value,
};
use crate::fhir::{Id, Instant, Key, ResourceType};

/// A parameter and its value, unescaped for the URL.
pub(super) type Pair = (String, String);

/// How the server that is asked may know a record.
pub(super) type Refer<'r> = dyn Fn(&Key) -> String + 'r;

const DAY: i64 = 86_400_000;

/// The pairs that a criterion becomes; `None` when it is better checked than asked.
pub(super) fn pairs(criterion: &Criterion, crossing: &Crossing, refer: &Refer<'_>) -> Option<Vec<Pair>> {
    let one = |name: String, value: String| Some(vec![(name, value)]);
    match criterion {
        Criterion::Id(ids) => one("_id".to_owned(), ids.iter().map(Id::as_str).collect::<Vec<_>>().join(",")),
        Criterion::LastUpdated(dates) => dated("_lastUpdated", dates),
        Criterion::Missing { parameter, missing } => one(format!("{}:missing", parameter.code), missing.to_string()),
        Criterion::Match { parameter, modifier: Modifier::Plain, values } if parameter.parameter_type == ParameterType::Date => {
            let dates: Option<Vec<DateValue>> = values.iter().map(date_of).collect();
            dated(&parameter.code, &dates?)
        }
        Criterion::Match { parameter, modifier: Modifier::Plain, values: all }
            if matches!(parameter.parameter_type, ParameterType::Number | ParameterType::Quantity) =>
        {
            let [value] = all.as_slice() else { return None };
            numbered(&parameter.code, value)
        }
        Criterion::Match { parameter, modifier, values } => {
            let texts: Option<Vec<String>> = values.iter().map(|value| text(value, crossing, refer)).collect();
            let (name, texts) = (name(parameter, modifier)?, texts?);
            // A parameter without a value is ignored: any code of the system that is implied.
            if texts.iter().any(String::is_empty) { None } else { one(name, texts.join(",")) }
        }
        _ => None,
    }
}

fn name(parameter: &SearchParameter, modifier: &Modifier) -> Option<String> {
    let suffix = match (modifier, parameter.parameter_type) {
        // A reference with a type is written with the type in its value.
        (Modifier::Plain | Modifier::Type(_), _) => "",
        // A `_filter` may ask this of other types too, of which R4 has no such modifier.
        (Modifier::Exact, ParameterType::String) => ":exact",
        (Modifier::Contains, ParameterType::String) => ":contains",
        (Modifier::Not, _) => ":not",
        (Modifier::Text, _) => ":text",
        (Modifier::Identifier, _) => ":identifier",
        (Modifier::Above, _) => ":above",
        (Modifier::Below, _) => ":below",
        _ => return None,
    };
    Some(format!("{}{suffix}", parameter.code))
}

fn text(value: &Value, crossing: &Crossing, refer: &Refer<'_>) -> Option<String> {
    Some(match value {
        Value::Token(token) => token_text(token),
        Value::Text(text) => escaped(text),
        Value::Reference(ReferenceValue::Id(id)) => id.to_string(),
        Value::Reference(ReferenceValue::Local(of, id)) => refer(&Key::new(*of, id.clone())),
        Value::Reference(ReferenceValue::Url(url)) => escaped(&crossing.told(url)),
        Value::Uri(uri) => escaped(&crossing.told(uri)),
        Value::Date(date) => date_text(*date)?,
        Value::Number(number) => number_text(number)?,
        Value::Quantity(quantity) => format!("{}{}", number_text(&quantity.number)?, unit_text(quantity)),
        Value::Composite(parts) => {
            let parts: Option<Vec<String>> = parts.iter().map(|part| text(part, crossing, refer)).collect();
            parts?.join("$")
        }
        Value::ValueSet(_) | Value::Codes(_) | Value::Records(_) => return None,
    })
}

fn token_text(token: &TokenValue) -> String {
    let code = token.code.as_deref().map(escaped).unwrap_or_default();
    match &token.system {
        SystemMatch::Any => code,
        SystemMatch::Absent => format!("|{code}"),
        SystemMatch::Is(system) => format!("{}|{code}", escaped(system)),
    }
}

/// R4 search § 3.1.1.4.1.2: what separates values is escaped inside them.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '\\' | ',' | '|' | '$') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

fn date_of(value: &Value) -> Option<DateValue> {
    if let Value::Date(date) = value { Some(*date) } else { None }
}

/// One date becomes bounds by the day, a day wider on each side: servers read years, months and time zones each in their own way. Several must
/// each have a text of their own.
fn dated(name: &str, dates: &[DateValue]) -> Option<Vec<Pair>> {
    let [one] = dates else {
        let texts: Option<Vec<String>> = dates.iter().map(|date| date_text(*date)).collect();
        return texts.map(|texts| vec![(name.to_owned(), texts.join(","))]);
    };
    let (from, until) = match one.prefix {
        Prefix::Eq | Prefix::Ap => (true, true),
        Prefix::Gt | Prefix::Ge | Prefix::Sa => (true, false),
        Prefix::Lt | Prefix::Le | Prefix::Eb => (false, true),
        Prefix::Ne => (false, false),
    };
    let day = |prefix: &str, at: i64| {
        let legible = (Instant::parse("1000-01-01T00:00:00Z")?.0..Instant::parse("9000-01-01T00:00:00Z")?.0).contains(&at);
        let text = Instant(at).to_string();
        Some((name.to_owned(), format!("{prefix}{}", text.get(..10).filter(|_| legible)?)))
    };
    let from = from.then(|| day("ge", one.low.0.saturating_sub(DAY))).flatten();
    let until = until.then(|| day("le", one.high.0.saturating_add(DAY))).flatten();
    let pairs: Vec<Pair> = from.into_iter().chain(until).collect();
    (!pairs.is_empty()).then_some(pairs)
}

/// The date as it may have been written: a server reads it in its own time zone, as it would the caller's.
fn date_text(date: DateValue) -> Option<String> {
    let whole = |text: &str, length: usize| text.get(..length).map(str::to_owned);
    let (low, high) = (date.low.to_string(), date.high.to_string());
    let days = date.low.0.rem_euclid(DAY) == 0 && date.high.0.rem_euclid(DAY) == 0;
    let begins = |text: &str, rest: &str| text.get(4..10) == Some(rest);
    let month_long = date.high.0 - date.low.0 <= 31 * DAY && low.get(7..10) == Some("-01") && high.get(7..10) == Some("-01");
    let year_long = date.high.0 - date.low.0 <= 366 * DAY && begins(&low, "-01-01") && begins(&high, "-01-01");
    let text = match date.high.0 - date.low.0 {
        _ if date.prefix == Prefix::Ap => return None,
        1 => low,
        1_000 if date.low.0.rem_euclid(1_000) == 0 => format!("{}Z", whole(&low, 19)?),
        DAY if days => whole(&low, 10)?,
        _ if days && month_long => whole(&low, 7)?,
        _ if days && year_long => whole(&low, 4)?,
        _ => return None,
    };
    let legible = date.low.0 > Instant::parse("1000-01-01T00:00:00Z")?.0;
    legible.then(|| format!("{}{text}", prefix(date.prefix)))
}

fn numbered(name: &str, value: &Value) -> Option<Vec<Pair>> {
    let (number, unit) = match value {
        Value::Number(number) => (number, String::new()),
        Value::Quantity(quantity) => (&quantity.number, unit_text(quantity)),
        _ => return None,
    };
    if let Some(text) = number_text(number) {
        return Some(vec![(name.to_owned(), format!("{text}{unit}"))]);
    }
    let bounds = matches!(number.prefix, Prefix::Eq | Prefix::Ap);
    bounds.then(|| {
        vec![(name.to_owned(), format!("ge{}{unit}", number.low)), (name.to_owned(), format!("le{}{unit}", number.high))]
    })
}

/// A comparison with the number itself. Equality goes by the precision that it was written in, which two bounds tell better.
fn number_text(number: &NumberValue) -> Option<String> {
    let plain = !matches!(number.prefix, Prefix::Eq | Prefix::Ne | Prefix::Ap);
    plain.then(|| format!("{}{}", prefix(number.prefix), number.exact))
}

fn unit_text(quantity: &QuantityValue) -> String {
    match (&quantity.system, &quantity.unit) {
        (None, None) => String::new(),
        (system, unit) => {
            let text = |part: &Option<String>| part.as_deref().map(escaped).unwrap_or_default();
            format!("|{}|{}", text(system), text(unit))
        }
    }
}

const fn prefix(prefix: Prefix) -> &'static str {
    match prefix {
        Prefix::Eq => "",
        Prefix::Ne => "ne",
        Prefix::Gt => "gt",
        Prefix::Lt => "lt",
        Prefix::Ge => "ge",
        Prefix::Le => "le",
        Prefix::Sa => "sa",
        Prefix::Eb => "eb",
        Prefix::Ap => "ap",
    }
}

/// The name of the parameter that a criterion asks of a type.
pub(super) fn asked(criterion: &Criterion) -> Option<(ResourceType, &str)> {
    match criterion {
        Criterion::Match { parameter, .. } | Criterion::Missing { parameter, .. } => {
            Some((parameter.resource_type, parameter.code.as_str()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::pairs;
    use crate::consent::Labelling;
    use crate::disclosure::Crossing;
    use crate::fhir::{Instant, Interaction, Request, RouteOptions, interaction};

    fn pushed(query: &str) -> Option<String> {
        let base = "https://own/fhir";
        let crossing = Crossing::new(Labelling::default(), base, &["http://behind/fhir".to_owned()], 0);
        let now = Instant::parse("2026-06-01T12:00:00Z").unwrap();
        let options = RouteOptions { base, now, max_count: 10, known: &crate::fhir::search::STANDARD };
        let Ok(Interaction::Search(search)) = interaction(&Request::get(query), &options) else { panic!("{query}") };
        let all = pairs(&search.criteria[0], &crossing, &ToString::to_string)?;
        Some(all.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&"))
    }

    #[test]
    fn what_was_understood_is_told_again() {
        for (query, expected) in [
            ("Observation?code=http://loinc.org|1-1,2", "code=http://loinc.org|1-1,2"),
            ("Observation?code=a%5C%2Cb", "code=a\\,b"),
            ("Observation?code:not=|x", "code:not=|x"),
            ("Observation?subject=Patient/p1,https://own/fhir/Patient/p2", "subject=Patient/p1,Patient/p2"),
            ("Observation?subject:Patient=p1", "subject=Patient/p1"),
            ("Observation?patient=p1", "patient=p1"),
            ("Observation?subject=https://else/Patient/1", "subject=https://else/Patient/1"),
            ("Patient?name:exact=M%C3%BCller", "name:exact=Müller"),
            ("Patient?name=M%C3%BCller", "name=muller"),
            ("Patient?birthdate=1980", "birthdate=ge1979-12-31&birthdate=le1981-01-02"),
            ("Patient?birthdate=ge1980-02", "birthdate=ge1980-01-31"),
            ("Patient?birthdate=lt1980-02-29,gt2020-01-01", "birthdate=lt1980-02-29,gt2020-01-01"),
            ("Observation?date=2026-05-01T08:00:00Z", "date=ge2026-04-30&date=le2026-05-02"),
            ("Observation?value-quantity=gt5.4||mg", "value-quantity=gt5.4||mg"),
            ("Observation?value-quantity=5.4", "value-quantity=ge5.3500000000000005&value-quantity=le5.45"),
            ("Patient?_id=a,b", "_id=a,b"),
            ("Patient?name:missing=true", "name:missing=true"),
            ("Patient?_lastUpdated=ge2026-01-01", "_lastUpdated=ge2025-12-31"),
            ("Observation?code-value-quantity=1-1$gt5", "code-value-quantity=1-1$gt5"),
        ] {
            let found = pushed(query).unwrap_or_else(|| panic!("{query}"));
            let near = |text: &str| text.replace("5.3500000000000005", "5.35");
            assert_eq!(near(&found), near(expected), "{query}");
        }
    }

    #[test]
    fn what_other_records_decide_is_not_pushed() {
        for query in ["Observation?subject.name=x", "Patient?_has:Observation:patient:code=x", "Observation?value-quantity=5,6"] {
            assert_eq!(pushed(query), None, "{query}");
        }
        let ap = pushed("Patient?birthdate=ap1980").unwrap();
        assert!(ap.starts_with("birthdate=ge19") && ap.contains("&birthdate=le19"), "{ap}");
    }
}
