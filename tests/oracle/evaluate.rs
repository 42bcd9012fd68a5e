//! Whether a record satisfies a parameter of a query.

use super::table::{Kind, Parameter, find};
use super::values::{EVER, Exact, NEVER, folded, moment, number, plain, split};
use serde_json::Value;
use std::collections::BTreeMap;

/// The current records, by `Type/id`.
pub(crate) struct World {
    pub(crate) records: BTreeMap<String, Value>,
    /// The server's base, below which absolute references are local.
    pub(crate) base: String,
    /// Now, in milliseconds, for `ap`.
    pub(crate) now: i64,
}

impl World {
    /// The ids of a type that satisfy all of these parameters, sorted.
    pub(crate) fn found(&self, of: &str, asked: &[(String, String)]) -> Vec<String> {
        let fits = |record: &&Value| asked.iter().all(|(name, value)| self.holds(record, name, value));
        let mut ids: Vec<String> = self.of(of).filter(fits).map(|record| text(&record["id"]).to_owned()).collect();
        ids.sort();
        ids
    }

    pub(crate) fn of<'w>(&'w self, of: &str) -> impl Iterator<Item = &'w Value> {
        let begin = format!("{of}/");
        self.records.iter().filter(move |(key, _)| key.starts_with(&begin)).map(|(_, record)| record)
    }

    /// One parameter, as it stands in a query.
    pub(crate) fn holds(&self, record: &Value, name: &str, value: &str) -> bool {
        let of = text(&record["resourceType"]);
        if let Some(rest) = name.strip_prefix("_has:") {
            let mut parts = rest.splitn(3, ':');
            let (source, by, inner) = (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
            let by = find(source, by).unwrap();
            let me = format!("{of}/{}", text(&record["id"]));
            let refers = |other: &&Value| self.targets(other, by).contains(&me);
            return self.of(source).filter(refers).any(|other| self.holds(other, inner, value));
        }
        if let Some((head, rest)) = name.split_once('.') {
            let (code, only) = head.split_once(':').map_or((head, None), |(code, only)| (code, Some(only)));
            let Some(parameter) = find(of, code) else { return false };
            let inner = if rest == "id" { "_id" } else { rest };
            let targets = self.targets(record, parameter);
            return targets.iter().filter(|key| parameter.reaches(key.split('/').next().unwrap())).any(|key| {
                only.is_none_or(|only| key.starts_with(&format!("{only}/")))
                    && self.records.get(key).is_some_and(|target| self.holds(target, inner, value))
            });
        }
        if name == "_id" {
            return split(value, ',').iter().any(|id| plain(id) == text(&record["id"]));
        }
        if name == "_lastUpdated" {
            let updated = moment(text(&record["meta"]["lastUpdated"])).unwrap();
            return split(value, ',').iter().any(|one| self.date(one, updated));
        }
        let (code, modifier) = name.split_once(':').map_or((name, ""), |(code, modifier)| (code, modifier));
        // What a type does not define, none of its records has.
        let Some(parameter) = find(of, code) else { return false };
        self.matching(record, parameter, modifier, value)
    }

    fn matching(&self, record: &Value, parameter: &Parameter, modifier: &str, value: &str) -> bool {
        let any = |modifier: &str| split(value, ',').iter().any(|one| self.value(record, parameter, modifier, one));
        match modifier {
            "missing" => is_missing(record, parameter) == (value == "true"),
            "not" => !any(""),
            modifier => any(modifier),
        }
    }

    fn value(&self, record: &Value, parameter: &Parameter, modifier: &str, wanted: &str) -> bool {
        if parameter.kind == Kind::Composite {
            return self.composite(record, parameter, wanted);
        }
        parameter.places.iter().any(|(path, datatype)| {
            elements(record, path).into_iter().any(|element| match parameter.kind {
                Kind::Token => token(element, datatype, modifier, wanted),
                Kind::String => string(element, datatype, modifier, wanted),
                Kind::Reference => self.reference(element, datatype, parameter, modifier, wanted),
                Kind::Date => interval(element, datatype).is_some_and(|found| self.date(wanted, found)),
                Kind::Number => element.as_number().is_some_and(|found| compared(wanted, number(&found.to_string()).unwrap().0)),
                Kind::Quantity => quantity(element, wanted),
                Kind::Uri => uri(element, datatype, modifier, wanted),
                Kind::Composite => false,
            })
        })
    }

    /// All components of one element.
    fn composite(&self, record: &Value, parameter: &Parameter, wanted: &str) -> bool {
        let parts = split(wanted, '$');
        parameter.places.iter().any(|(base, components)| {
            elements(record, base).into_iter().any(|element| {
                components.split('+').zip(&parts).all(|(component, part)| {
                    let places: &[(&str, &str)] = match component {
                        "code" => &[("code", "CodeableConcept")],
                        "value-concept" => &[("valueCodeableConcept", "CodeableConcept")],
                        "value-quantity" => &[("valueQuantity", "Quantity")],
                        "value-date" => &[("valueDateTime", "date"), ("valuePeriod", "Period")],
                        "value-string" => &[("valueString", "string")],
                        other => panic!("{other}"),
                    };
                    places.iter().any(|(path, datatype)| {
                        elements(element, path).into_iter().any(|found| match *datatype {
                            "CodeableConcept" => token(found, datatype, "", part),
                            "Quantity" => quantity(found, part),
                            "string" => string(found, datatype, "", part),
                            datatype => interval(found, datatype).is_some_and(|found| self.date(part, found)),
                        })
                    })
                })
            })
        })
    }

    /// The local records that a record refers to by a parameter, as `Type/id`.
    pub(crate) fn targets(&self, record: &Value, parameter: &Parameter) -> Vec<String> {
        let elements = parameter.places.iter().flat_map(|(path, datatype)| {
            elements(record, path)
                .into_iter()
                .map(|element| if *datatype == "canonical" { element } else { &element["reference"] })
        });
        let keys = elements.filter_map(Value::as_str).filter_map(|text| self.local(text));
        keys.filter(|key| parameter.reaches(key.split('/').next().unwrap())).collect()
    }

    /// `Type/id` of a relative reference, or of one below the base, without a version.
    fn local(&self, reference: &str) -> Option<String> {
        let path = reference.strip_prefix(&self.base).map_or(reference, |rest| rest.trim_start_matches('/'));
        let parts: Vec<&str> = path.split('/').collect();
        let typed = |name: &str| name.starts_with(char::is_uppercase) && name.chars().all(char::is_alphabetic);
        match parts.as_slice() {
            [of, id] | [of, id, "_history", _] if typed(of) => Some(format!("{of}/{id}")),
            _ => None,
        }
    }

    fn reference(&self, element: &Value, datatype: &str, parameter: &Parameter, modifier: &str, wanted: &str) -> bool {
        if modifier == "identifier" {
            return token(&element["identifier"], "Identifier", "", wanted);
        }
        let wanted = plain(wanted);
        if datatype == "canonical" {
            let found = text(element);
            return found == wanted || found.split('|').next() == Some(&wanted);
        }
        let Some(found) = element["reference"].as_str() else { return false };
        let Some(found) = self.local(found) else { return found == wanted };
        let (of, id) = found.split_once('/').unwrap();
        let fits = if modifier.is_empty() { parameter.reaches(of) } else { of == modifier };
        match self.local(&wanted) {
            Some(wanted) => wanted == found && fits,
            None => wanted == id && fits,
        }
    }

    /// § 3.1.1.4.8: `found` is the first moment of what the record says, and the first one after it.
    fn date(&self, wanted: &str, found: (i64, i64)) -> bool {
        let wanted = plain(wanted);
        let (prefix, date) = prefixed(&wanted);
        let (low, high) = moment(date).unwrap();
        let within = low <= found.0 && found.1 <= high;
        match prefix {
            "eq" => within,
            "ne" => !within,
            "gt" => found.1 > high,
            "lt" => found.0 < low,
            "ge" => found.1 > high || within,
            "le" => found.0 < low || within,
            "sa" => found.0 >= high,
            "eb" => found.1 <= low,
            _ => {
                let gap = if self.now < low { low - self.now } else { (self.now - high).max(0) };
                found.0 < high + gap / 10 && low - gap / 10 < found.1
            }
        }
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The elements at a path; lists are gone through, and `name?member=value` takes those of a list that say so.
fn elements<'v>(of: &'v Value, path: &str) -> Vec<&'v Value> {
    let mut all = vec![of];
    let mut rest = path;
    while !rest.is_empty() && rest != "." {
        let (step, condition);
        (step, condition, rest) = next(rest);
        let inner = all.into_iter().filter_map(|one| one.get(step)).flat_map(|one| match one {
            Value::Array(items) => items.iter().collect::<Vec<_>>(),
            one => vec![one],
        });
        all = inner.filter(|one| condition.is_none_or(|(name, value)| text(&one[name]) == value)).collect();
    }
    all
}

/// A step of a path, its condition, and the rest. The value of a condition on a URL holds dots.
fn next(path: &str) -> (&str, Option<(&str, &str)>, &str) {
    match path.split_once('?') {
        Some((step, rest)) if !step.contains('.') => {
            let (name, rest) = rest.split_once('=').unwrap();
            let (value, rest) =
                if rest.contains("://") { rest.rsplit_once('.').unwrap() } else { rest.split_once('.').unwrap_or((rest, "")) };
            (step, Some((name, value)), rest)
        }
        _ => {
            let (step, rest) = path.split_once('.').unwrap_or((path, ""));
            (step, None, rest)
        }
    }
}

fn prefixed(text: &str) -> (&str, &str) {
    const ALL: [&str; 9] = ["eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap"];
    match text.get(..2).filter(|prefix| ALL.contains(prefix)) {
        Some(prefix) => (prefix, &text[2..]),
        None => ("eq", text),
    }
}

/// § 3.1.1.4.7: equality by the precision written, order by the number itself.
fn compared(wanted: &str, found: Exact) -> bool {
    let (prefix, digits) = prefixed(wanted);
    let (value, half) = number(digits).unwrap();
    let within = |by: Exact| value - half - by <= found && found < value + half + by;
    match prefix {
        "eq" => within(0),
        "ne" => !within(0),
        "gt" | "sa" => found > value,
        "lt" | "eb" => found < value,
        "ge" => found >= value,
        "le" => found <= value,
        _ => within(value.abs() / 10),
    }
}

/// The pairs of system and code of an element, and the texts beside them.
fn coded<'v>(element: &'v Value, datatype: &str) -> (Vec<(&'v str, String)>, Vec<&'v str>) {
    let pair = |element: &'v Value, code: &str| (text(&element["system"]), text(&element[code]).to_owned());
    match datatype {
        "CodeableConcept" => {
            let codings = elements(element, "coding");
            let texts = codings.iter().map(|coding| text(&coding["display"])).chain([text(&element["text"])]);
            (codings.iter().map(|coding| pair(coding, "code")).collect(), texts.collect())
        }
        "Coding" => (vec![pair(element, "code")], vec![text(&element["display"])]),
        "Identifier" => (vec![pair(element, "value")], vec![text(&element["type"]["text"])]),
        "ContactPoint" => (vec![pair(element, "value")], Vec::new()),
        "boolean" => (vec![("", element.as_bool().unwrap().to_string())], Vec::new()),
        "deceased" => {
            let dead = element.get("deceasedDateTime").is_some() || element["deceasedBoolean"] == true;
            (vec![("", dead.to_string())], Vec::new())
        }
        _ => (vec![("", text(element).to_owned())], Vec::new()),
    }
}

fn token(element: &Value, datatype: &str, modifier: &str, wanted: &str) -> bool {
    let (pairs, texts) = coded(element, datatype);
    if modifier == "text" {
        let wanted = folded(&plain(wanted));
        return texts.iter().any(|found| !found.is_empty() && folded(found).starts_with(&wanted));
    }
    if modifier == "of-type" {
        let parts: Vec<String> = split(wanted, '|').iter().map(|part| plain(part)).collect();
        let kinds = elements(element, "type.coding");
        let kind = |coding: &&Value| text(&coding["system"]) == parts[0] && text(&coding["code"]) == parts[1];
        return text(&element["value"]) == parts[2] && kinds.iter().any(kind);
    }
    let parts: Vec<String> = split(wanted, '|').iter().map(|part| plain(part)).collect();
    pairs.iter().filter(|(system, code)| !(system.is_empty() && code.is_empty())).any(|(system, code)| match parts.as_slice() {
        [wanted] => code == wanted,
        [of, wanted] => system == of && (wanted.is_empty() || code == wanted),
        _ => panic!("{wanted}"),
    })
}

fn string(element: &Value, datatype: &str, modifier: &str, wanted: &str) -> bool {
    let members: &[&str] = match datatype {
        "HumanName" => &["family", "given", "prefix", "suffix", "text"],
        "Address" => &["line", "city", "district", "state", "postalCode", "country", "text"],
        _ => &["."],
    };
    let wanted = plain(wanted);
    members.iter().flat_map(|member| elements(element, member)).any(|found| {
        let found = text(found);
        match modifier {
            "exact" => found == wanted,
            "contains" => folded(found).contains(&folded(&wanted)),
            _ => folded(found).starts_with(&folded(&wanted)),
        }
    })
}

fn interval(element: &Value, datatype: &str) -> Option<(i64, i64)> {
    if datatype == "Timing" {
        // § 3.1.1.4.7: only the outer limits matter.
        let events = elements(element, "event").into_iter().filter_map(|event| moment(text(event)));
        return events.reduce(|all, one| (all.0.min(one.0), all.1.max(one.1)));
    }
    if datatype != "Period" {
        return moment(text(element));
    }
    let end = |name: &str| element[name].as_str().and_then(moment);
    match (end("start"), end("end")) {
        (None, None) => None,
        (start, finish) => Some((start.map_or(NEVER, |start| start.0), finish.map_or(EVER, |finish| finish.1))),
    }
}

fn quantity(element: &Value, wanted: &str) -> bool {
    let parts: Vec<String> = split(wanted, '|').iter().map(|part| plain(part)).collect();
    let Some(found) = element["value"].as_number() else { return false };
    let (system, code, unit) = (text(&element["system"]), text(&element["code"]), text(&element["unit"]));
    let measured = match parts.as_slice() {
        [_] => true,
        [_, of, wanted] if of.is_empty() => wanted.is_empty() || code == wanted || unit == wanted,
        [_, of, wanted] => system == of && (wanted.is_empty() || code == wanted),
        _ => panic!("{wanted}"),
    };
    measured && compared(&parts[0], number(&found.to_string()).unwrap().0)
}

fn uri(element: &Value, datatype: &str, modifier: &str, wanted: &str) -> bool {
    let (found, wanted) = (text(element), plain(wanted));
    // § 3.1.1.4.9: the one left-matches the other; of URNs there is no above and below.
    let below = |long: &str, short: &str| {
        long == short || (long.starts_with(short) && !long.starts_with("urn:") && !short.starts_with("urn:"))
    };
    match modifier {
        "below" => below(found, &wanted),
        "above" => below(&wanted, found),
        _ => found == wanted || (datatype == "canonical" && found.split('|').next() == Some(&wanted)),
    }
}

/// What could be asked to find a record by a parameter, as its values are written there.
pub(crate) fn askable(record: &Value, parameter: &Parameter) -> Vec<String> {
    let mut all = Vec::new();
    for (path, datatype) in &parameter.places {
        for element in elements(record, path) {
            match parameter.kind {
                Kind::Token => {
                    for (system, code) in coded(element, datatype).0.into_iter().filter(|(_, code)| !code.is_empty()) {
                        all.push(escaped(&code));
                        if !system.is_empty() {
                            all.push(format!("{}|{}", escaped(system), escaped(&code)));
                        }
                    }
                }
                Kind::Reference => {
                    let reference = if *datatype == "canonical" { element } else { &element["reference"] };
                    if let Some(text) = reference.as_str() {
                        all.push(escaped(text));
                        all.extend(text.rsplit_once('/').filter(|_| *datatype == "Reference").map(|(_, id)| escaped(id)));
                    }
                }
                Kind::Date if *datatype == "Period" => all.extend(element["start"].as_str().map(str::to_owned)),
                Kind::String => {
                    let members: &[&str] = if *datatype == "HumanName" { &["family", "given"] } else { &["city", "line", "."] };
                    let texts = members.iter().flat_map(|member| elements(element, member)).filter_map(Value::as_str);
                    all.extend(texts.map(escaped));
                }
                Kind::Date | Kind::Uri => all.extend(element.as_str().map(escaped)),
                _ => {}
            }
        }
    }
    all
}

fn escaped(text: &str) -> String {
    text.chars().flat_map(|c| if ",$|\\".contains(c) { vec!['\\', c] } else { vec![c] }).collect()
}

/// No element at all; those of `patient` and `practitioner` are only the ones that refer to such a record.
fn is_missing(record: &Value, parameter: &Parameter) -> bool {
    let resolved = matches!(parameter.code, "patient" | "practitioner");
    let counts = |element: &&Value| {
        let of = text(&element["reference"]).split("/_history").next().unwrap().rsplit('/').nth(1);
        !resolved || of.is_some_and(|of| parameter.reaches(of))
    };
    !parameter.places.iter().any(|(path, _)| elements(record, path).iter().any(counts))
}
