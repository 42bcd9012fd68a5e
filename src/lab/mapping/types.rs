//! Data types of HL7 v2 as data types of FHIR.

use super::Context;
use super::codes;
use super::json::Json;
use crate::lab::v2::{Moment, Part, moment};

/// What names a system that nobody has told a URL for.
const UNNAMED: &str = "urn:id:";

/// The system behind a name: a table's, or one made of the name.
pub(super) fn coding_system(name: &str, setting: &Context) -> String {
    if name.is_empty() {
        return String::new();
    }
    setting.tables.system(name).unwrap_or_else(|| made_up(name))
}

fn made_up(name: &str) -> String {
    if let Some(url) = universal(name, "") {
        return url;
    }
    format!("{UNNAMED}{}", crate::fhir::encode(name))
}

/// A universal id as a URI: an OID, a UUID, or what is one already.
fn universal(id: &str, kind: &str) -> Option<String> {
    let oid = id.starts_with(['0', '1', '2']) && id.contains('.') && id.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    match kind {
        _ if id.is_empty() => None,
        _ if oid => Some(format!("urn:oid:{id}")),
        "UUID" | "GUID" => Some(format!("urn:uuid:{}", id.to_lowercase())),
        "URI" => Some(id.to_owned()),
        "DNS" => Some(format!("http://{id}")),
        _ if id.starts_with("urn:") || id.starts_with("http://") || id.starts_with("https://") => Some(id.to_owned()),
        _ => None,
    }
}

/// The identifier system of an HD, whose parts are given.
pub(super) fn authority(namespace: &str, id: &str, kind: &str, setting: &Context) -> String {
    let told = [id, namespace].into_iter().filter(|name| !name.is_empty()).find_map(|name| setting.tables.authority(name));
    if let Some(told) = told {
        return told.system.clone();
    }
    let named = |name: &str| if name.is_empty() { String::new() } else { made_up(name) };
    universal(id, kind).unwrap_or_else(|| named(if namespace.is_empty() { id } else { namespace }))
}

/// The system of an HD that is a component, its parts subcomponents.
pub(super) fn hd(part: Part<'_>, setting: &Context) -> String {
    authority(&part.subcomponent(1).text(), &part.subcomponent(2).text(), &part.subcomponent(3).text(), setting)
}

/// EI: value and system, with its parts as components.
pub(super) fn entity(part: Part<'_>, setting: &Context) -> Option<(String, String)> {
    let value = part.component(1).subcomponent(1).some()?;
    let (namespace, id, kind) = (part.component(2), part.component(3), part.component(4));
    Some((value, authority(&namespace.text(), &id.text(), &kind.text(), setting)))
}

/// The same with its parts as subcomponents, as in EIP.
pub(super) fn entity_inside(part: Part<'_>, setting: &Context) -> Option<(String, String)> {
    let value = part.subcomponent(1).some()?;
    let text = |number: usize| part.subcomponent(number).text();
    Some((value, authority(&text(2), &text(3), &text(4), setting)))
}

/// An Identifier with a type of table 0203.
pub(super) fn identifier(system: &str, value: &str, kind: &str) -> Json {
    let kind =
        if kind.is_empty() { Json::Absent } else { Json::concept("http://terminology.hl7.org/CodeSystem/v2-0203", kind, "") };
    if value.is_empty() {
        return Json::Absent;
    }
    Json::object([("type", kind), ("system", Json::text(system)), ("value", Json::text(value))])
}

/// CX as an Identifier.
pub(super) fn extended_id(part: Part<'_>, setting: &Context) -> Json {
    let mut made = identifier(&hd(part.component(4), setting), &part.component(1).text(), &part.component(5).text());
    let date = |number: usize| moment(&part.component(number).text(), setting.zone()).map(|moment| moment.text);
    made.put("period", Json::object([("start", Json::some(date(7))), ("end", Json::some(date(8)))]));
    let check = [
        ("http://hl7.org/fhir/StructureDefinition/identifier-checkDigit", 2),
        ("http://hl7.org/fhir/StructureDefinition/namingsystem-checkDigit", 3),
    ];
    let check = check.map(|(url, number)| Json::extension(url, "valueString", Json::text(&part.component(number).text())));
    made.put("extension", Json::array(check));
    made
}

/// When something holds: start and end as components of their own, else both inside one (DR).
fn held(part: Part<'_>, inside: usize, (start, end): (usize, usize), setting: &Context) -> Json {
    let at = |part: Part<'_>| moment(&part.text(), setting.zone()).map(|moment| moment.text);
    let (mut from, mut to) = (at(part.component(start)), at(part.component(end)));
    if from.is_none() && to.is_none() {
        let both = part.component(inside);
        (from, to) = (at(both.subcomponent(1)), at(both.subcomponent(2)));
    }
    Json::object([("start", Json::some(from)), ("end", Json::some(to))])
}

/// XPN as a `HumanName`.
pub(super) fn person_name(part: Part<'_>, setting: &Context) -> Json {
    let text = |number: usize| part.component(number).text();
    let family = part.component(1);
    let given = [Json::text(&text(2))].into_iter().chain(text(3).split_whitespace().map(Json::text).collect::<Vec<_>>());
    let mut made = Json::object([
        ("use", codes::name_use(&text(7)).map_or(Json::Absent, Json::text)),
        ("family", Json::text(&family.subcomponent(1).text())),
        ("given", Json::array(given)),
        ("prefix", Json::one(Json::text(&text(5)))),
        ("suffix", Json::array([Json::text(&text(4)), Json::text(&text(6)), Json::text(&text(14))])),
    ]);
    made.put("_family", family_parts(family));
    made.put("period", held(part, 10, (12, 13), setting));
    let said = ["family", "given"].iter().any(|name| made.get(name).is_some());
    if said { made } else { Json::Absent }
}

/// FN.2 to FN.5: of what a family name is made.
fn family_parts(family: Part<'_>) -> Json {
    let parts = [("own-prefix", 2), ("own-name", 3), ("partner-prefix", 4), ("partner-name", 5)].map(|(name, number)| {
        let url = format!("http://hl7.org/fhir/StructureDefinition/humanname-{name}");
        Json::extension(&url, "valueString", Json::text(&family.subcomponent(number).text()))
    });
    Json::object([("extension", Json::array(parts))])
}

/// XPN.15: what somebody is called by.
pub(super) fn called_by(part: Part<'_>) -> Json {
    let name = Json::text(&part.component(15).text());
    if name.is_there() { Json::object([("use", Json::text("nickname")), ("given", Json::one(name))]) } else { Json::Absent }
}

/// XCN or a person inside other types, from its first name component: family, given, further, suffix, prefix.
pub(super) fn name_parts(texts: [String; 6]) -> Json {
    let [family, given, further, suffix, prefix, degree] = texts;
    let made = Json::object([
        ("family", Json::text(&family)),
        ("given", Json::array([Json::text(&given), Json::text(&further)])),
        ("prefix", Json::one(Json::text(&prefix))),
        ("suffix", Json::array([Json::text(&suffix), Json::text(&degree)])),
    ]);
    if family.is_empty() && given.is_empty() { Json::Absent } else { made }
}

/// XAD as an Address.
pub(super) fn address(part: Part<'_>, setting: &Context) -> Json {
    let text = |number: usize| part.component(number).text();
    let kind = text(7);
    let street = (1..=3).map(|at| Json::text(&part.component(1).subcomponent(at).text()));
    let mut made = Json::object([
        ("use", codes::address_use(&kind).map_or(Json::Absent, Json::text)),
        ("type", codes::address_type(&kind).map_or(Json::Absent, Json::text)),
        ("line", Json::array(street.chain([Json::text(&text(2)), Json::text(&text(19))]))),
        ("city", Json::text(&text(3))),
        ("district", Json::text(&text(9))),
        ("state", Json::text(&text(4))),
        ("postalCode", Json::text(&text(5))),
        ("country", Json::text(&text(6))),
    ]);
    let said = ["line", "city", "state", "postalCode", "country", "district"].iter().any(|name| made.get(name).is_some());
    if !said {
        return Json::Absent;
    }
    made.put("period", held(part, 12, (13, 14), setting));
    let census = "http://hl7.org/fhir/StructureDefinition/iso21090-ADXP-censusTract";
    made.put("extension", Json::one(Json::extension(census, "valueString", Json::text(&text(10)))));
    made
}

/// XTN as a `ContactPoint`.
pub(super) fn telecom(part: Part<'_>, usual_use: &str, setting: &Context) -> Json {
    let text = |number: usize| part.component(number).text();
    let mail = (text(3).is_empty() && !text(4).is_empty()) || text(2) == "NET";
    let system = codes::telecom_system(&text(3)).unwrap_or(if mail { "email" } else { "phone" });
    let values = match system {
        "email" => [text(4), text(1), String::new(), String::new()],
        _ => [text(12), dialled(part), text(1), text(4)],
    };
    let Some(value) = values.into_iter().find(|value| !value.is_empty()) else { return Json::Absent };
    let mobile = text(3).eq_ignore_ascii_case("CP").then_some("mobile");
    let told = codes::telecom_use(&text(2));
    let at = |number: usize| Json::some(moment(&text(number), setting.zone()).map(|moment| moment.text));
    let rank = text(18).parse::<u32>().ok().filter(|rank| *rank > 0);
    let mut made = Json::object([
        ("system", Json::text(system)),
        ("value", Json::text(&value)),
        ("use", Json::text(mobile.or(told).unwrap_or(usual_use))),
        ("rank", rank.map_or(Json::Absent, |rank| Json::Number(rank.to_string()))),
        ("period", Json::object([("start", at(13)), ("end", at(14))])),
    ]);
    if system != "email" {
        let pieces = [("country", 5), ("area", 6), ("local", 7), ("extension", 8)].map(|(name, number)| {
            let url = format!("http://hl7.org/fhir/StructureDefinition/contactpoint-{name}");
            Json::extension(&url, "valueString", Json::text(&text(number)))
        });
        made.put("extension", Json::array(pieces));
    }
    made
}

/// XTN.5 to XTN.8 as one number.
fn dialled(part: Part<'_>) -> String {
    let text = |number: usize| part.component(number).text();
    if text(7).is_empty() {
        return String::new();
    }
    let country = if text(5).is_empty() { String::new() } else { format!("+{}", text(5).trim_start_matches('+')) };
    let extension = if text(8).is_empty() { String::new() } else { format!("X{}", text(8)) };
    let pieces = [country, text(6), text(7), extension];
    pieces.into_iter().filter(|piece| !piece.is_empty()).collect::<Vec<_>>().join(" ")
}

/// One coding of a CWE: code, display and system stand one behind the other.
pub(super) struct Coded {
    pub(super) code: String,
    pub(super) display: String,
    pub(super) name: String,
    version: String,
}

/// The codings of a CE, CWE or CNE.
pub(super) fn coded(part: Part<'_>) -> Vec<Coded> {
    let triple = |(at, version): (usize, usize)| Coded {
        code: part.component(at).text(),
        display: part.component(at + 1).text(),
        name: part.component(at + 2).text(),
        version: part.component(version).text(),
    };
    [(1, 7), (4, 8), (10, 13)].into_iter().map(triple).filter(|one| !one.code.is_empty()).collect()
}

/// CE, CWE or CNE as a `CodeableConcept`: the standard code of the site's tables first, then the codes as they came.
pub(super) fn concept(part: Part<'_>, setting: &Context) -> Json {
    let all = coded(part);
    let mut codings: Vec<Json> = Vec::new();
    for one in &all {
        if let Some(standard) = setting.tables.standard(&one.name, &one.code) {
            codings.push(Json::coding(&standard.system, &standard.code, &standard.display));
        }
    }
    codings.extend(all.iter().map(|one| {
        let mut coding = Json::coding(&coding_system(&one.name, setting), &one.code, &one.display);
        coding.put("version", Json::text(&one.version));
        coding
    }));
    codings.dedup();
    let texts = [part.component(9).text(), part.component(2).text(), part.component(5).text()];
    let text = texts.into_iter().find(|text| !text.is_empty());
    Json::object([("coding", Json::array(codings)), ("text", Json::some(text))])
}

/// A moment of this sender.
pub(super) fn time(part: Part<'_>, setting: &Context) -> Option<Moment> {
    moment(&part.component(1).text(), setting.zone())
}

/// A FHIR dateTime of this sender.
pub(super) fn date_time(part: Part<'_>, setting: &Context) -> Json {
    Json::some(time(part, setting).map(|moment| moment.text))
}
