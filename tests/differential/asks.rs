//! Random queries: parameters of the type with values from the pools, modifiers, lists, chains and reverse chains.

use super::dice::Dice;
use super::records::{CODES, DAYS, MOMENTS, NUMBERS, PLACES, SYSTEMS, TYPES, UNITS, URLS, WORDS, id};
use crate::oracle::{Kind, Parameter, find, parameters};
use crate::support::BASE;

/// A search: its type, and its parameters with the escapes of R4, not yet those of URLs.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) of: &'static str,
    pub(super) parameters: Vec<(String, String)>,
}

/// One to three parameters of a type.
pub(super) fn asked(dice: &mut Dice) -> Asked {
    let of = *dice.one(&[
        "Observation",
        "Observation",
        "Patient",
        "Encounter",
        "Condition",
        "Organization",
        "Practitioner",
        "RiskAssessment",
        "ValueSet",
        "Location",
    ]);
    let count = *dice.one(&[1, 1, 1, 1, 1, 2, 2, 3]);
    let mut parameters: Vec<(String, String)> = (0..count).map(|_| parameter(dice, of, 0)).collect();
    // Two ends of one range.
    let dated = parameters.iter().filter_map(|(name, _)| find(of, name)).find(|one| one.kind == Kind::Date);
    if let Some(one) = dated.filter(|_| dice.hits(60)) {
        parameters.push((one.code.to_owned(), date(dice, one)));
    }
    Asked { of, parameters }
}

/// A parameter as it applies to a type; `depth` hops have been taken.
fn parameter(dice: &mut Dice, of: &str, depth: usize) -> (String, String) {
    let thrown = dice.below(100);
    if thrown < 4 {
        let ids: Vec<String> = (0..=dice.below(3)).map(|_| id(of, dice.below(6))).collect();
        return ("_id".to_owned(), ids.join(","));
    }
    if thrown < 8 && depth == 0 {
        return (
            "_lastUpdated".to_owned(),
            prefixed(dice, &["2026-06-01", "2026-06", "2026-06-01T12:00:00Z", "2026-06-01T12:01:00Z", "2026-06-01T12:02"]),
        );
    }
    if thrown < 22
        && depth < 3
        && let Some(found) = reverse(dice, of, depth)
    {
        return found;
    }
    let all = parameters(of);
    let one = *dice.one(&all);
    if one.kind == Kind::Reference && depth < 3 && dice.hits(45) {
        return chain(dice, one, depth);
    }
    plain(dice, one)
}

fn chain(dice: &mut Dice, by: &Parameter, depth: usize) -> (String, String) {
    let known: Vec<&str> = by.targets.iter().copied().filter(|target| TYPES.contains(target)).collect();
    let Some(target) = (!known.is_empty()).then(|| *dice.one(&known)) else { return plain(dice, by) };
    let (name, value) = parameter(dice, target, depth + 1);
    // Without a type every target must define the parameter, or nothing says that it does.
    let plain_name = name.split([':', '.']).next().unwrap();
    let defined = by.targets.len() == 1
        || (!name.starts_with('_')
            && by.targets.iter().filter(|of| TYPES.contains(of)).all(|of| find(of, plain_name).is_some())
            && !name.contains('.'));
    let typed = !defined || dice.hits(50);
    let head = if typed { format!("{}:{target}", by.code) } else { by.code.to_owned() };
    (format!("{head}.{name}"), value)
}

fn reverse(dice: &mut Dice, of: &str, depth: usize) -> Option<(String, String)> {
    let source = *dice.one(&TYPES);
    let by: Vec<&Parameter> =
        parameters(source).into_iter().filter(|one| one.kind == Kind::Reference && one.reaches(of)).collect();
    let by = (!by.is_empty()).then(|| *dice.one(&by))?;
    let (name, value) = parameter(dice, source, depth + 1);
    Some((format!("_has:{source}:{}:{name}", by.code), value))
}

fn plain(dice: &mut Dice, one: &Parameter) -> (String, String) {
    let code = one.code;
    if one.kind != Kind::Composite && dice.hits(8) {
        return (format!("{code}:missing"), (*dice.one(&["true", "false"])).to_owned());
    }
    let modifier = match one.kind {
        Kind::String => *dice.one(&["", "", ":exact", ":contains"]),
        Kind::Token => *dice.one(&["", "", "", ":not", ":text", ":of-type"]),
        Kind::Reference => *dice.one(&["", "", "", ":type", ":identifier"]),
        Kind::Uri if code == "url" => *dice.one(&["", ":above", ":below"]),
        _ => "",
    };
    let datatype = one.places[0].1;
    let modifier = match modifier {
        ":of-type" if datatype != "Identifier" => "",
        ":text" if matches!(datatype, "code" | "boolean" | "deceased" | "ContactPoint") => "",
        other => other,
    };
    if modifier == ":type" {
        let known: Vec<&str> = one.targets.iter().copied().filter(|target| TYPES.contains(target)).collect();
        if known.is_empty() {
            return (code.to_owned(), value(dice, one, ""));
        }
        let target = *dice.one(&known);
        return (format!("{code}:{target}"), id(target, dice.below(6)));
    }
    let count = *dice.one(&[1, 1, 1, 2, 3]);
    let values: Vec<String> = (0..count).map(|_| value(dice, one, modifier)).collect();
    (format!("{code}{modifier}"), values.join(","))
}

fn escaped(text: &str) -> String {
    text.chars().flat_map(|c| if ",$|\\".contains(c) { vec!['\\', c] } else { vec![c] }).collect()
}

fn prefixed(dice: &mut Dice, of: &[&str]) -> String {
    format!("{}{}", dice.one(&["", "", "eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap"]), dice.one(of))
}

fn value(dice: &mut Dice, one: &Parameter, modifier: &str) -> String {
    match one.kind {
        Kind::Token => token(dice, one.places[0].1, modifier),
        Kind::String => string(dice, modifier),
        Kind::Reference if modifier == ":identifier" => token(dice, "Identifier", ""),
        Kind::Reference => reference(dice, one),
        Kind::Date => date(dice, one),
        Kind::Number => number(dice),
        Kind::Quantity => quantity(dice),
        Kind::Uri => {
            let url = escaped(dice.one::<&str>(&URLS));
            if modifier == ":above" { format!("{url}/more") } else { url }
        }
        Kind::Composite => composite(dice, one),
    }
}

fn token(dice: &mut Dice, datatype: &str, modifier: &str) -> String {
    let code = match datatype {
        "boolean" | "deceased" => *dice.one(&["true", "false"]),
        "code" => *dice.one(&["male", "female", "home", "final", "finished", "active", "amended"]),
        _ => *dice.one(&CODES),
    };
    let (code, system) = (escaped(code), escaped(dice.one::<&str>(&SYSTEMS)));
    match (modifier, datatype) {
        (":text", _) => string(dice, ""),
        (":of-type", _) => format!("http://terminology.hl7.org/CodeSystem/v2-0203|MR|{code}"),
        (_, "boolean" | "deceased" | "code") => code,
        (_, "ContactPoint") => match dice.below(2) {
            0 => code,
            _ => format!("{}|{code}", dice.one(&["phone", "email"])),
        },
        _ => match dice.below(5) {
            0 if !system.is_empty() => format!("{system}|"),
            1 => format!("|{code}"),
            2 | 3 => format!("{system}|{code}"),
            _ => code,
        },
    }
}

/// The whole of a text, its beginning, or a piece of it, and not always as it is written.
fn string(dice: &mut Dice, modifier: &str) -> String {
    let pool: &[&str] = if dice.hits(70) { &WORDS } else { &PLACES };
    let text = *dice.one(pool);
    if modifier == ":exact" {
        return escaped(&if dice.hits(80) { text.to_owned() } else { text.to_lowercase() });
    }
    let letters: Vec<char> = text.chars().collect();
    let from = if modifier == ":contains" { dice.below(2) } else { 0 };
    let until = (from + 1 + dice.below(letters.len())).min(letters.len());
    let piece: String = letters[from..until].iter().collect();
    let piece = piece.trim().to_owned();
    let piece = if piece.is_empty() { "k".to_owned() } else { piece };
    escaped(&if dice.hits(50) { piece.to_uppercase() } else { piece })
}

fn reference(dice: &mut Dice, one: &Parameter) -> String {
    let known: Vec<&str> = one.targets.iter().copied().filter(|target| TYPES.contains(target)).collect();
    let Some(target) = (!known.is_empty()).then(|| *dice.one(&known)) else { return "Endpoint/x".to_owned() };
    let id = id(target, dice.below(6));
    match dice.below(8) {
        0 => format!("{BASE}/{target}/{id}"),
        1 => format!("https://elsewhere.example/fhir/{target}/{id}"),
        2 | 3 => id,
        _ => format!("{target}/{id}"),
    }
}

fn date(dice: &mut Dice, one: &Parameter) -> String {
    let pool: &[&str] = if one.code == "birthdate" { &DAYS } else { &MOMENTS };
    if dice.hits(15) {
        return prefixed(dice, &["2020-02-29T23:30-05:00", "2020-03-01T04:30Z", "2020-03-01T04:30:00.5Z"]);
    }
    prefixed(dice, pool)
}

fn number(dice: &mut Dice) -> String {
    if dice.hits(15) { prefixed(dice, &["1e2", "5.40", "5e0", "-3.50", "0.0"]) } else { prefixed(dice, &NUMBERS) }
}

fn quantity(dice: &mut Dice) -> String {
    let number = number(dice);
    let (system, code, unit) = *dice.one(&UNITS);
    match dice.below(4) {
        0 if !system.is_empty() => format!("{number}|{system}|{code}"),
        1 if !unit.is_empty() => format!("{number}||{unit}"),
        _ => number,
    }
}

fn composite(dice: &mut Dice, one: &Parameter) -> String {
    let code = token(dice, "CodeableConcept", "");
    let other = match one.code {
        name if name.ends_with("quantity") => quantity(dice),
        name if name.ends_with("concept") => token(dice, "CodeableConcept", ""),
        name if name.ends_with("date") => prefixed(dice, &MOMENTS),
        _ => string(dice, ""),
    };
    format!("{code}${other}")
}
