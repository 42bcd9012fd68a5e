//! `_filter` (<https://hl7.org/fhir/R4/search_filter.html>).
//!
//! `and` and `or` have no precedence: what stands side by side is read from left to right. Values compare as the operator says, per
//! type of parameter; an operator that makes no sense for a type is an error.

use super::criteria::{Reader, one};
use super::values::{concept, folded, value_set};
use super::{Fault, modifiers};
use crate::fhir::ResourceType;
use crate::fhir::search::parameter::{ParameterType, SearchParameter};
use crate::fhir::search::query::{Criterion, Modifier, Prefix, Value};

/// Brackets in brackets at most.
const DEPTH: u32 = 32;

impl Reader<'_> {
    /// Reads a filter over records of these types.
    pub(super) fn filter(&mut self, types: &[ResourceType], text: &str, hops: u32) -> Result<Criterion, Fault> {
        let mut rest = text;
        let criterion = self.logical(types, &mut rest, hops, 0)?;
        if rest.trim().is_empty() { Ok(criterion) } else { Err(wrong(format!("`{}` is left over", rest.trim()))) }
    }

    /// `filter (and|or filter)*`
    fn logical(&mut self, types: &[ResourceType], rest: &mut &str, hops: u32, depth: u32) -> Result<Criterion, Fault> {
        if depth > DEPTH {
            return Err(wrong(format!("brackets may stand in brackets {DEPTH} deep")));
        }
        let mut criterion = self.simple(types, rest, hops, depth)?;
        loop {
            if take_word(rest, "and") {
                criterion = Criterion::All(vec![criterion, self.simple(types, rest, hops, depth)?]);
            } else if take_word(rest, "or") {
                criterion = Criterion::Any(vec![criterion, self.simple(types, rest, hops, depth)?]);
            } else {
                return Ok(criterion);
            }
        }
    }

    /// `[not] (filter)` or a comparison.
    fn simple(&mut self, types: &[ResourceType], rest: &mut &str, hops: u32, depth: u32) -> Result<Criterion, Fault> {
        self.spend(1)?;
        let negated = take_word(rest, "not");
        *rest = rest.trim_start();
        let Some(inner) = rest.strip_prefix('(') else {
            return if negated { Err(wrong("`not` takes a filter in brackets")) } else { self.comparison(types, rest, hops) };
        };
        *rest = inner;
        let criterion = self.logical(types, rest, hops, depth + 1)?;
        *rest = rest.trim_start().strip_prefix(')').ok_or_else(|| wrong("a bracket is not closed"))?;
        Ok(if negated { Criterion::Not(Box::new(criterion)) } else { criterion })
    }

    /// `path op value`
    fn comparison(&mut self, types: &[ResourceType], rest: &mut &str, hops: u32) -> Result<Criterion, Fault> {
        let path = take_path(rest)?;
        let op = take_token(rest);
        let value = take_value(rest)?;
        let compared = Compared { op, value: &value };
        self.along(types, path, compared, hops)
    }

    /// Follows a path: `name`, `name.path`, `name[filter].path`, `_has:Type:reference:path`.
    fn along(&mut self, types: &[ResourceType], path: &str, compared: Compared<'_>, hops: u32) -> Result<Criterion, Fault> {
        self.spend(1)?;
        if hops > super::criteria::MAX_HOPS {
            return Err(wrong(format!("`{path}` follows too many references")));
        }
        if let Some(rest) = path.strip_prefix("_has:") {
            let (resource_type, parameter, inner) = self.has_head(types, rest)?;
            let criterion = Box::new(self.along(&[resource_type], inner, compared, hops + 1)?);
            return Ok(Criterion::Has { resource_type, parameter, criterion });
        }
        let end = path.find(['.', '[']).unwrap_or(path.len());
        let (head, rest) = path.split_at(end);
        if rest.is_empty() {
            return self.compared(types, head, compared);
        }
        let (bracket, rest) = match rest.strip_prefix('[') {
            Some(inner) => {
                let end = closing(inner).ok_or_else(|| wrong(format!("the bracket in `{path}` is not closed")))?;
                let (filter, after) = inner.split_at(end);
                (Some(filter), after.get(1..).unwrap_or_default())
            }
            None => (None, rest),
        };
        let rest = rest.strip_prefix('.').ok_or_else(|| wrong(format!("`{path}`: a dot and a parameter follow a bracket")))?;
        let begins = |reader: &Self, target| reader.may_begin(target, rest.split(['.', '[']).next().unwrap_or_default());
        self.chained(types, head, &begins, &mut |reader, target| {
            let end = reader.along(&[target], rest, compared, hops + 1)?;
            match bracket {
                Some(filter) => Ok(Criterion::All(vec![reader.filter(&[target], filter, hops + 1)?, end])),
                None => Ok(end),
            }
        })
    }

    /// A parameter of the record at hand, compared.
    fn compared(&mut self, types: &[ResourceType], name: &str, compared: Compared<'_>) -> Result<Criterion, Fault> {
        let Compared { op, value } = compared;
        if matches!(name, "_id" | "id") {
            return match op {
                "eq" => self.ids(value),
                "ne" => Ok(Criterion::Not(Box::new(self.ids(value)?))),
                "pr" => {
                    present("_id", value).map(|there| if there { Criterion::All(Vec::new()) } else { Criterion::Any(Vec::new()) })
                }
                _ => Err(senseless(name, op)),
            };
        }
        if name == "_lastUpdated" {
            let dated =
                |reader: &Self, prefix| reader.date(name, value).map(|date| super::super::query::DateValue { prefix, ..date });
            let prefix = prefix(op).ok_or_else(|| senseless(name, op))?;
            return Ok(Criterion::LastUpdated(vec![dated(self, prefix)?]));
        }
        let parameter = self.lookup(types, name).ok_or_else(|| self.unknown(types, name))?;
        if op == "pr" {
            return Ok(Criterion::Missing { parameter, missing: !present(name, value)? });
        }
        match parameter.parameter_type {
            ParameterType::String => string(parameter, op, value),
            ParameterType::Token => self.token(parameter, op, value),
            ParameterType::Uri => uri(parameter, op, value),
            ParameterType::Reference => self.referring(parameter, op, value),
            ParameterType::Date | ParameterType::Number | ParameterType::Quantity => self.ordered(parameter, op, value),
            ParameterType::Composite if op == "eq" => {
                Ok(one(parameter, Modifier::Plain, self.value(parameter, &Modifier::Plain, value)?))
            }
            ParameterType::Composite | ParameterType::Special => Err(senseless(name, op)),
        }
    }

    fn token(&mut self, parameter: &'static SearchParameter, op: &str, value: &str) -> Result<Criterion, Fault> {
        let code = &parameter.code;
        let plain = |reader: &Self| reader.value(parameter, &Modifier::Plain, value);
        Ok(match op {
            "eq" => one(parameter, Modifier::Plain, plain(self)?),
            "ne" => one(parameter, Modifier::Unequal, plain(self)?),
            "co" => one(parameter, Modifier::Contains, Value::Text(value.to_owned())),
            "sw" => one(parameter, Modifier::Begins, Value::Text(value.to_owned())),
            "ew" => one(parameter, Modifier::Ends, Value::Text(value.to_owned())),
            "in" => one(parameter, Modifier::In, value_set(code, value)?),
            "ni" => one(parameter, Modifier::NotIn, value_set(code, value)?),
            // The value subsumes the concept; is subsumed by it.
            "ss" => one(parameter, Modifier::Below, concept(code, value)?),
            "sb" => one(parameter, Modifier::Above, concept(code, value)?),
            _ => return Err(senseless(code, op)),
        })
    }

    fn referring(&mut self, parameter: &'static SearchParameter, op: &str, value: &str) -> Result<Criterion, Fault> {
        let plain = |reader: &Self| reader.value(parameter, &Modifier::Plain, value);
        match op {
            "re" | "eq" => Ok(one(parameter, Modifier::Plain, plain(self)?)),
            "ne" => Ok(one(parameter, Modifier::Unequal, plain(self)?)),
            _ => Err(senseless(&parameter.code, op)),
        }
    }

    /// Dates, numbers and quantities: the operators are the prefixes.
    fn ordered(&mut self, parameter: &'static SearchParameter, op: &str, value: &str) -> Result<Criterion, Fault> {
        let code = &parameter.code;
        let is_date = parameter.parameter_type == ParameterType::Date;
        let prefix = prefix(op).filter(|_| is_date || op != "po").ok_or_else(|| senseless(code, op))?;
        // `ap` widens by what the prefix says, so it is read with it; the others stand by themselves.
        let text = if op == "ap" { format!("ap{value}") } else { value.to_owned() };
        let read = match self.value(parameter, &Modifier::Plain, &text)? {
            Value::Date(date) => Value::Date(super::super::query::DateValue { prefix, ..date }),
            Value::Number(number) => Value::Number(super::super::query::NumberValue { prefix, ..number }),
            Value::Quantity(mut quantity) => {
                quantity.number.prefix = prefix;
                Value::Quantity(quantity)
            }
            _ => return Err(senseless(code, op)),
        };
        Ok(one(parameter, Modifier::Plain, read))
    }
}

/// What stands behind a path.
#[derive(Clone, Copy)]
struct Compared<'v> {
    op: &'v str,
    value: &'v str,
}

fn string(parameter: &'static SearchParameter, op: &str, value: &str) -> Result<Criterion, Fault> {
    let modifier = match op {
        "eq" => Modifier::Equal,
        "ne" => Modifier::Unequal,
        "co" => Modifier::Contains,
        "sw" => Modifier::Plain,
        "ew" => Modifier::Ends,
        _ => return Err(senseless(&parameter.code, op)),
    };
    Ok(one(parameter, modifier, folded(&parameter.code, value)?))
}

fn uri(parameter: &'static SearchParameter, op: &str, value: &str) -> Result<Criterion, Fault> {
    let (modifier, text) = match op {
        "eq" => (Modifier::Plain, false),
        "ne" => (Modifier::Unequal, false),
        "ss" => (Modifier::Below, false),
        "sb" => (Modifier::Above, false),
        "co" => (Modifier::Contains, true),
        "sw" => (Modifier::Begins, true),
        "ew" => (Modifier::Ends, true),
        _ => return Err(senseless(&parameter.code, op)),
    };
    let value = value.to_owned();
    Ok(one(parameter, modifier, if text { Value::Text(value) } else { Value::Uri(value) }))
}

/// The prefix that an operator is; `po` (overlaps) is what `ap` compares by.
fn prefix(op: &str) -> Option<Prefix> {
    Some(match op {
        "eq" => Prefix::Eq,
        "ne" => Prefix::Ne,
        "gt" => Prefix::Gt,
        "lt" => Prefix::Lt,
        "ge" => Prefix::Ge,
        "le" => Prefix::Le,
        "sa" => Prefix::Sa,
        "eb" => Prefix::Eb,
        "ap" | "po" => Prefix::Ap,
        _ => return None,
    })
}

fn present(code: &str, value: &str) -> Result<bool, Fault> {
    modifiers::truth(code, value).map_err(|_| wrong(format!("`{code} pr` takes `true` or `false`")))
}

fn senseless(code: &str, op: &str) -> Fault {
    const OPS: &str = "eq ne co sw ew gt lt ge le ap sa eb pr po ss sb in ni re";
    if OPS.split(' ').any(|known| known == op) {
        return wrong(format!("`{op}` has no meaning for `{code}`"));
    }
    wrong(format!("`{op}` is no operator; those that are: {OPS}"))
}

fn wrong(text: impl std::fmt::Display) -> Fault {
    Fault::wrong(format!("`_filter`: {text}"))
}

/// Takes a word that ends at a blank or a bracket.
fn take_word(rest: &mut &str, word: &str) -> bool {
    let after = rest.trim_start().strip_prefix(word);
    let after = after.filter(|after| after.starts_with(|c: char| c.is_whitespace() || c == '('));
    *rest = after.unwrap_or(rest);
    after.is_some()
}

/// Takes what stands before the next blank.
fn take_token<'r>(rest: &mut &'r str) -> &'r str {
    let begin = rest.trim_start();
    let (token, after) = begin.split_at(begin.find(char::is_whitespace).unwrap_or(begin.len()));
    *rest = after;
    token
}

/// Takes a path: what stands before the next blank outside brackets.
fn take_path<'r>(rest: &mut &'r str) -> Result<&'r str, Fault> {
    let begin = rest.trim_start();
    let (mut depth, mut end, mut quoted) = (0_u32, begin.len(), false);
    for (at, c) in begin.char_indices() {
        match c {
            '"' => quoted = !quoted,
            '[' if !quoted => depth += 1,
            ']' if !quoted => depth = depth.saturating_sub(1),
            c if depth == 0 && !quoted && (c.is_whitespace() || c == ')') => {
                end = at;
                break;
            }
            _ => {}
        }
    }
    let (path, after) = begin.split_at(end);
    *rest = after;
    if path.is_empty() { Err(wrong("a parameter is missing")) } else { Ok(path) }
}

/// Takes a value: a JSON string, or what stands before the next blank or closing bracket.
fn take_value(rest: &mut &str) -> Result<String, Fault> {
    let begin = rest.trim_start();
    if begin.starts_with('"') {
        let mut values = serde_json::Deserializer::from_str(begin).into_iter::<String>();
        let value = values.next().and_then(Result::ok).ok_or_else(|| wrong(format!("`{begin}` is no JSON string")))?;
        *rest = begin.get(values.byte_offset()..).unwrap_or_default();
        return Ok(value);
    }
    let (value, after) = begin.split_at(begin.find(|c: char| c.is_whitespace() || matches!(c, ')' | ']')).unwrap_or(begin.len()));
    *rest = after;
    if value.is_empty() { Err(wrong("a value is missing")) } else { Ok(value.to_owned()) }
}

/// Where the bracket closes that was opened before this text.
fn closing(text: &str) -> Option<usize> {
    let (mut depth, mut quoted) = (0_u32, false);
    for (at, c) in text.char_indices() {
        match c {
            '"' => quoted = !quoted,
            '[' if !quoted => depth += 1,
            ']' if !quoted && depth == 0 => return Some(at),
            ']' if !quoted => depth -= 1,
            _ => {}
        }
    }
    None
}
