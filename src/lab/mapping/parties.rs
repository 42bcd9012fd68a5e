//! Persons and organizations that a message names.

use super::Context;
use super::codes;
use super::json::Json;
use super::types::{address, authority, hd, identifier, name_parts};
use crate::fhir::{Key, ResourceType};
use crate::lab::v2::{Message, Part};
use crate::lab::{Plan, Planned, Role};

/// Somebody as XCN or CNN names them.
struct Person {
    number: String,
    system: String,
    /// Table 0203.
    kind: String,
    name: Json,
    /// Degree, table 0360.
    degree: String,
    display: String,
}

/// XCN: a reference to the Practitioner, who is made where nobody knows them. Somebody without a number is a name and no record.
pub(super) fn practitioner(part: Part<'_>, setting: &Context, plan: &mut Plan) -> Json {
    let text = |number: usize| part.component(number).text();
    let family = part.component(2).subcomponent(1).text();
    let mut name = name_parts([family.clone(), text(3), text(4), text(5), text(6), text(21)]);
    name.put("use", codes::name_use(&text(10)).map_or(Json::Absent, Json::text));
    let one = Person {
        number: text(1),
        system: hd(part.component(9), setting),
        kind: text(13),
        name,
        degree: text(7),
        display: spoken(&[&text(6), &text(3), &text(4), &family]),
    };
    person(one, setting, plan)
}

/// NDL or CNN: the same with the person inside the first component.
pub(super) fn inner_person(part: Part<'_>, setting: &Context, plan: &mut Plan) -> Json {
    let inner = part.component(1);
    let text = |number: usize| inner.subcomponent(number).text();
    let one = Person {
        number: text(1),
        system: authority(&text(9), &text(10), &text(11), setting),
        kind: String::new(),
        name: name_parts([text(2), text(3), text(4), text(5), text(6), String::new()]),
        degree: text(7),
        display: spoken(&[&text(6), &text(3), &text(4), &text(2)]),
    };
    person(one, setting, plan)
}

fn spoken(words: &[&str]) -> String {
    words.iter().filter(|word| !word.is_empty()).copied().collect::<Vec<_>>().join(" ")
}

fn person(one: Person, setting: &Context, plan: &mut Plan) -> Json {
    let Person { number, system, kind, name, degree, display } = one;
    if number.is_empty() {
        return Json::object([("display", Json::text(&display))]);
    }
    let degree = match degree.as_str() {
        "" => Json::Absent,
        degree => Json::object([("code", Json::concept("http://terminology.hl7.org/CodeSystem/v2-0360", degree, ""))]),
    };
    let content = Json::object([
        ("resourceType", Json::text("Practitioner")),
        ("identifier", Json::one(identifier(&system, &number, &kind))),
        ("name", Json::one(name)),
        ("qualification", Json::one(degree)),
    ]);
    let key = known(ResourceType::Practitioner, &system, &number, content, setting, plan);
    Json::object([("reference", Json::text(&key.to_string())), ("display", Json::text(&display))])
}

/// XON: a reference to the Organization. `at` is its address, where one is told.
pub(super) fn organization(part: Part<'_>, at: Option<Part<'_>>, setting: &Context, plan: &mut Plan) -> Json {
    let text = |number: usize| part.component(number).text();
    let number = [text(10), text(3)].into_iter().find(|number| !number.is_empty()).unwrap_or_default();
    let system = hd(part.component(6), setting);
    named(&text(1), &number, &system, &text(7), at, setting, plan)
}

/// CWE as an Organization: a producer's id and name (OBX-15).
pub(super) fn producer(part: Part<'_>, setting: &Context, plan: &mut Plan) -> Json {
    let text = |number: usize| part.component(number).text();
    let system = if text(3).is_empty() { String::new() } else { authority(&text(3), "", "", setting) };
    let name = [text(2), text(9)].into_iter().find(|name| !name.is_empty()).unwrap_or_default();
    named(&name, &text(1), &system, "", None, setting, plan)
}

fn named(name: &str, number: &str, system: &str, kind: &str, at: Option<Part<'_>>, setting: &Context, plan: &mut Plan) -> Json {
    if name.is_empty() && number.is_empty() {
        return Json::Absent;
    }
    let content = Json::object([
        ("resourceType", Json::text("Organization")),
        ("identifier", Json::one(identifier(system, number, kind))),
        ("name", Json::text(if name.is_empty() { number } else { name })),
        ("address", Json::one(at.map_or(Json::Absent, |at| address(at, setting)))),
    ]);
    let key = match number {
        "" => known(ResourceType::Organization, "name", name, content, setting, plan),
        number => known(ResourceType::Organization, system, number, content, setting, plan),
    };
    Json::object([("reference", Json::text(&key.to_string())), ("display", Json::text(name))])
}

/// A record that is made only where none of its identifier is on file.
fn known(of: ResourceType, system: &str, number: &str, content: Json, setting: &Context, plan: &mut Plan) -> Key {
    let key = setting.namer.key(of, &format!("{system}|{number}"));
    plan.add(Planned { key, known_by: by_identifier(system, number), role: Role::Known, content })
}

/// The condition that finds a record by its identifier; none where its system is not known well enough to be anybody else's too.
pub(super) fn by_identifier(system: &str, value: &str) -> Vec<String> {
    if system.is_empty() || system == "name" || value.is_empty() {
        return Vec::new();
    }
    vec![format!("identifier={}", crate::fhir::encode(&format!("{}|{}", search_text(system), search_text(value))))]
}

/// Text as a token search wants it.
pub(super) fn search_text(text: &str) -> String {
    text.chars().flat_map(|one| if matches!(one, '\\' | '|' | ',' | '$') { vec!['\\', one] } else { vec![one] }).collect()
}

/// MSH-4 or MSH-3: who sent the message.
pub(super) fn sender(message: &Message, setting: &Context, plan: &mut Plan) -> Json {
    let part = if message.header(4).is_valued() { message.header(4) } else { message.header(3) };
    let (name, id, kind) = (part.component(1).text(), part.component(2).text(), part.component(3).text());
    let system = if id.is_empty() { String::new() } else { "urn:ietf:rfc:3986".to_owned() };
    let number = if id.is_empty() { String::new() } else { authority("", &id, &kind, setting) };
    match named(&name, &number, &system, "", None, setting, plan) {
        Json::Absent => Json::object([("display", Json::text("unknown sender"))]),
        known => known,
    }
}
