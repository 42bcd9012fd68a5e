//! Conditions on one row of an index table. The rules of comparison are those of `fhir::search` (R4 search § 3.1.1.5).

use super::super::dialect::SOUGHT;
use super::Sql;
use crate::fhir::ResourceType;
use crate::fhir::search::{
    DateValue, Modifier, NumberValue, ParameterType, Prefix, ReferenceValue, SystemMatch, TokenValue, Value,
};

/// Sorts behind every text that begins with what stands before it. A noncharacter, so it stands in no text itself.
const LAST: char = '\u{10FFFF}';

/// The table that holds what a value is compared with; `None` when such a value fits no table.
pub(super) fn table(value: &Value, modifier: &Modifier) -> Option<&'static str> {
    Some(match (value, modifier) {
        (Value::Reference(ReferenceValue::Url(_)), Modifier::Identifier | Modifier::Text)
        | (Value::Composite(_) | Value::ValueSet(_), _) => return None,
        (Value::Token(_) | Value::Codes(_), _) => "index_token",
        (Value::Text(_), _) => "index_string",
        (Value::Reference(ReferenceValue::Url(_)) | Value::Uri(_), _) => "index_uri",
        (Value::Reference(_) | Value::Records(_), _) => "index_reference",
        (Value::Date(_), _) => "index_date",
        (Value::Number(_), _) => "index_number",
        (Value::Quantity(_), _) => "index_quantity",
    })
}

/// The tables that a parameter of a type has values in.
pub(super) const fn tables(of: ParameterType) -> &'static [&'static str] {
    match of {
        ParameterType::Token => &["index_token"],
        ParameterType::String => &["index_string"],
        ParameterType::Reference => &["index_reference", "index_uri"],
        ParameterType::Date => &["index_date"],
        ParameterType::Number => &["index_number"],
        ParameterType::Quantity => &["index_quantity"],
        ParameterType::Uri => &["index_uri"],
        ParameterType::Composite | ParameterType::Special => &[],
    }
}

/// Whether the rows that a value selects can be sought with a record's number at hand. `false` for a token without code: the
/// table is ordered by code first.
pub(super) fn seekable(value: &Value) -> bool {
    !matches!(value, Value::Token(TokenValue { code: None, .. }))
}

/// The condition that alias `a` of [`table`] satisfies the value. `targets` are the types that a bare id may mean; none is all.
pub(super) fn condition(sql: &mut Sql, a: &str, value: &Value, modifier: &Modifier, targets: &[ResourceType]) {
    match value {
        Value::Token(token) => token_is(sql, a, token),
        Value::Text(text) => text_is(sql, a, text, modifier),
        Value::Uri(uri) => uri_is(sql, a, uri, modifier),
        Value::Reference(ReferenceValue::Url(canonical)) => canonical_is(sql, a, canonical, modifier),
        Value::Reference(ReferenceValue::Local(resource_type, id)) => {
            sql.say(&format!("{a}.target_id = ")).value(id.as_str());
            sql.say(&format!(" AND {a}.target_type = ")).value(i64::from(resource_type.code()));
        }
        Value::Reference(ReferenceValue::Id(id)) => {
            sql.say(&format!("{a}.target_id = ")).value(id.as_str());
            let targets = if let Modifier::Type(only) = modifier { std::slice::from_ref(only) } else { targets };
            if !targets.is_empty() {
                let codes = targets.iter().map(|target| i64::from(target.code()));
                sql.say(&format!(" AND {a}.target_type IN (")).list(codes).say(")");
            }
        }
        Value::Date(date) => date_is(sql, (&format!("{a}.low"), &format!("{a}.high")), 0, date),
        Value::Number(number) => number_is(sql, a, number),
        Value::Quantity(quantity) => {
            sql.say("(");
            number_is(sql, a, &quantity.number);
            sql.say(")");
            if let Some(system) = &quantity.system {
                sql.say(&format!(" AND {a}.system = "));
                system_number(sql, system);
            }
            if let Some(unit) = &quantity.unit {
                sql.say(&format!(" AND {a}.unit = ")).key(unit);
            }
        }
        Value::Composite(_) | Value::ValueSet(_) | Value::Codes(_) | Value::Records(_) => sql.say("FALSE").end(),
    }
}

pub(super) fn system_number(sql: &mut Sql, url: &str) {
    if url.is_empty() {
        sql.say("0");
    } else {
        sql.say("(SELECT id FROM code_system WHERE url = ").key(url).say(")");
    }
}

fn token_is(sql: &mut Sql, a: &str, token: &TokenValue) {
    match &token.code {
        Some(code) => sql.say(&format!("{a}.code = ")).key(code),
        None => sql.say("TRUE"),
    };
    match &token.system {
        SystemMatch::Any => {}
        SystemMatch::Absent => sql.say(&format!(" AND {a}.system = 0")).end(),
        SystemMatch::Is(url) => {
            sql.say(&format!(" AND {a}.system = "));
            system_number(sql, url);
        }
    }
}

fn text_is(sql: &mut Sql, a: &str, text: &str, modifier: &Modifier) {
    match modifier {
        Modifier::Exact => sql.say(&format!("{a}.exact = ")).value(text).end(),
        modifier => {
            let column = format!("{a}.folded");
            text_in(sql, &column, text, modifier);
            if sql.dialect().is_postgres() && !matches!(modifier, Modifier::Contains | Modifier::Ends) {
                // What its index is ordered by: a string may be longer than a key of an index.
                let sought: String = text.chars().take(SOUGHT).collect();
                sql.say(" AND ");
                begins(sql, &format!("substr({column}, 1, {SOUGHT})"), &sought);
            }
        }
    }
}

/// How a text stands in a column, as it is written there.
pub(super) fn text_in(sql: &mut Sql, column: &str, text: &str, modifier: &Modifier) {
    match modifier {
        Modifier::Contains => sql.position(|sql| sql.value(text).end(), column).say(" > 0").end(),
        Modifier::Equal => sql.say(&format!("{column} = ")).value(text).end(),
        Modifier::Ends => {
            let length = i64::try_from(text.chars().count()).unwrap_or(i64::MAX);
            sql.say(&format!("length({column}) >= ")).value(length);
            sql.say(&format!(" AND substr({column}, CAST(length({column}) + 1 - ")).value(length);
            sql.say(" AS INTEGER)) = ").value(text).end();
        }
        _ => begins(sql, column, text),
    }
}

/// As a range, so that an index can be sought.
fn begins(sql: &mut Sql, column: &str, text: &str) {
    sql.say(&format!("{column} >= ")).value(text).say(&format!(" AND {column} < ")).value(format!("{text}{LAST}"));
}

/// Below a URL is what begins with it, and above it what it begins with; names (`urn:`) have neither. Of canonicals see [`canonical_is`].
fn uri_is(sql: &mut Sql, a: &str, uri: &str, modifier: &Modifier) {
    let column = format!("{a}.value");
    match modifier {
        Modifier::Above | Modifier::Below if uri.starts_with(NAME) => sql.say(&format!("{column} = ")).key(uri).end(),
        Modifier::Below if uri.contains('|') => canonical_is(sql, a, uri, modifier),
        Modifier::Below => {
            sql.say("(");
            begins(sql, &column, uri);
            if NAME.starts_with(uri) {
                sql.say(" AND NOT (");
                begins(sql, &column, NAME);
                sql.say(")");
            }
            sql.say(")");
        }
        Modifier::Above => {
            let all: Vec<String> = above(uri).map(|one| sql.dialect().key(one).into_owned()).collect();
            sql.say(&format!("{column} IN (SELECT value FROM ")).each_text(all.iter().map(String::as_str)).say(")").end();
        }
        _ => sql.say(&format!("{column} = ")).key(uri).end(),
    }
}

/// What names begin with that say nothing of a place.
const NAME: &str = "urn:";

/// Above and below a canonical are its versions: `url|1.2.3` is below `url|1.2`.
fn canonical_is(sql: &mut Sql, a: &str, canonical: &str, modifier: &Modifier) {
    let column = format!("{a}.value");
    let version = canonical.find('|');
    match (modifier, version) {
        (Modifier::Below, Some(_)) => {
            sql.say(&format!("({column} = ")).value(canonical).say(" OR ");
            begins(sql, &column, &format!("{canonical}."));
            sql.say(")").end();
        }
        (Modifier::Above, Some(version)) => {
            let cuts = canonical.char_indices().filter(|(at, c)| *at > version && *c == '.').map(|(at, _)| at);
            let above = cuts.filter_map(|at| canonical.get(..at)).chain([canonical]);
            sql.say(&format!("{column} IN (")).list(above).say(")").end();
        }
        _ => sql.say(&format!("{column} = ")).value(canonical).end(),
    }
}

/// Bytes of a URI of which each beginning is looked for; of a longer one, only whole segments of its path are.
const SHORT: usize = 128;

/// A URI and all those that it lies below.
fn above(uri: &str) -> impl Iterator<Item = &str> {
    let version = uri.find('|').unwrap_or(uri.len());
    let cut = move |(at, c): &(usize, char)| match c {
        _ if *at == version => true,
        '.' => *at > version || *at < SHORT,
        '/' => *at < version,
        _ => *at < SHORT && *at < version,
    };
    uri.char_indices().filter(cut).map(|(at, _)| at).chain([uri.len()]).filter(|at| *at > 0).filter_map(move |at| uri.get(..at))
}

/// Compares an interval `[low, high)`. `short` is added to the SQL of `high` to make it the end: a moment `u` is `[u, u + 1)`.
pub(super) fn date_is(sql: &mut Sql, (low, high): (&str, &str), short: i64, date: &DateValue) {
    let (from, to) = (date.low.0, date.high.0.saturating_sub(short));
    let begin = date.low.0.saturating_sub(short);
    let within = |sql: &mut Sql| {
        sql.say(&format!("({low} >= ")).value(from).say(&format!(" AND {high} <= ")).value(to).say(")");
    };
    sql.say("(");
    match date.prefix {
        Prefix::Eq => within(sql),
        Prefix::Ne => {
            sql.say("NOT ");
            within(sql);
        }
        Prefix::Gt => sql.say(&format!("{high} > ")).value(to).end(),
        Prefix::Lt => sql.say(&format!("{low} < ")).value(from).end(),
        Prefix::Ge => {
            sql.say(&format!("{high} > ")).value(to).say(" OR ");
            within(sql);
        }
        Prefix::Le => {
            sql.say(&format!("{low} < ")).value(from).say(" OR ");
            within(sql);
        }
        Prefix::Sa => sql.say(&format!("{low} >= ")).value(date.high.0).end(),
        Prefix::Eb => sql.say(&format!("{high} <= ")).value(begin).end(),
        Prefix::Ap => {
            sql.say(&format!("{low} < ")).value(date.high.0).say(&format!(" AND {high} > ")).value(begin);
        }
    }
    sql.say(")");
}

pub(super) fn number_is(sql: &mut Sql, a: &str, number: &NumberValue) {
    let (low, high) = (format!("{a}.low"), format!("{a}.high"));
    let within = |sql: &mut Sql| {
        sql.say(&format!("({low} >= ")).value(number.low).say(&format!(" AND {high} < ")).value(number.high).say(")");
    };
    match number.prefix {
        Prefix::Eq => within(sql),
        Prefix::Ne => {
            sql.say("NOT ");
            within(sql);
        }
        Prefix::Gt => sql.say(&format!("{high} > ")).value(number.exact).end(),
        Prefix::Lt => sql.say(&format!("{low} < ")).value(number.exact).end(),
        Prefix::Ge => sql.say(&format!("{high} >= ")).value(number.exact).end(),
        Prefix::Le => sql.say(&format!("{low} <= ")).value(number.exact).end(),
        Prefix::Sa => sql.say(&format!("{low} > ")).value(number.exact).end(),
        Prefix::Eb => sql.say(&format!("{high} < ")).value(number.exact).end(),
        Prefix::Ap => {
            sql.say(&format!("({low} < ")).value(number.high).say(&format!(" AND {high} >= ")).value(number.low).say(")");
        }
    }
}
