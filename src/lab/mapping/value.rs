//! OBX-5 by its type (OBX-2) as the value of an Observation.

use super::Context;
use super::json::{Json, decimal};
use super::types::{concept, date_time, time};
use crate::lab::v2::{Part, Segment, time_of_day};
use crate::lab::{Plan, WarningKind};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Comparators that a Quantity knows, the longer first.
const COMPARATORS: [&str; 4] = ["<=", ">=", "<", ">"];

/// The unit of a result, as OBX-6 has it.
pub(super) struct Unit {
    said: String,
    ucum: Option<String>,
}

impl Unit {
    /// Reads OBX-6; a unit that is not UCUM and stands in no table is noted.
    pub(super) fn of(obx: Segment<'_>, setting: &Context, plan: &mut Plan) -> Self {
        let part = obx.field(6);
        let (code, text, system) = (part.component(1).text(), part.component(2).text(), part.component(3).text());
        let said = if code.is_empty() { text.clone() } else { code.clone() };
        let declared = system.eq_ignore_ascii_case("UCUM").then(|| code.clone());
        let alternate = part.component(6).text().eq_ignore_ascii_case("UCUM").then(|| part.component(4).text());
        let told = [&code, &text].into_iter().find_map(|unit| setting.tables.ucum(unit)).map(str::to_owned);
        let ucum = declared.or(alternate).filter(|code| !code.is_empty()).or(told);
        if ucum.is_none() && !said.is_empty() {
            let text = format!("the unit `{said}` is not UCUM and stands in no table; it is kept as text");
            plan.warn(WarningKind::UnmappedUnit, format!("OBX[{}]-6", obx.sequence()), &said, text);
        }
        Self { said, ucum }
    }

    fn quantity(&self, value: &str, comparator: &str) -> Json {
        let system = self.ucum.as_ref().map_or("", |_| "http://unitsofmeasure.org");
        Json::object([
            ("value", Json::Number(value.to_owned())),
            ("comparator", Json::text(comparator)),
            ("unit", Json::text(&self.said)),
            ("system", Json::text(system)),
            ("code", Json::some(self.ucum.clone())),
        ])
    }
}

/// What a result comes to.
#[derive(Debug, Default)]
pub(super) struct Value {
    /// `valueQuantity` and the like, with its value.
    pub(super) member: Option<(&'static str, Json)>,
    /// Values of further repetitions.
    pub(super) further: Vec<(&'static str, Json)>,
    /// A document, which belongs to the report as a whole.
    pub(super) attachments: Vec<Json>,
}

/// Types whose repetitions are paragraphs of one text.
pub(super) fn is_text(kind: &str) -> bool {
    matches!(kind, "TX" | "FT" | "ST")
}

/// Reads OBX-5.
pub(super) fn value(obx: Segment<'_>, unit: &Unit, setting: &Context, plan: &mut Plan) -> Value {
    let kind = obx.field(2).text().to_ascii_uppercase();
    let field = obx.field(5);
    let mut found = Value::default();
    if !field.is_valued() {
        return found;
    }
    if kind.is_empty() {
        let place = format!("OBX[{}]-2", obx.sequence());
        plan.warn(WarningKind::Lenient, place, "", "the type of the value is missing; it was taken as text");
    }
    if is_text(&kind) || kind.is_empty() {
        let texts: Vec<String> = field.repetitions().map(whole_text).collect();
        found.member = member("valueString", Json::text(&texts.join("\n")));
        return found;
    }
    for one in field.repetitions() {
        let read = match kind.as_str() {
            "ED" => {
                found.attachments.extend(encapsulated(one, obx, plan));
                continue;
            }
            "RP" => match pointer(one) {
                Some(attachment) => {
                    found.attachments.push(attachment);
                    continue;
                }
                None => member("valueString", Json::text(&whole_text(one))),
            },
            _ => single(&kind, one, unit, setting).or_else(|| {
                let text = whole_text(one);
                if matches!(kind.as_str(), "NM" | "SN" | "DT" | "TM" | "TS" | "DTM" | "DR" | "NR") && !text.is_empty() {
                    let place = format!("OBX[{}]-5", obx.sequence());
                    plan.warn(
                        WarningKind::Lenient,
                        place,
                        &kind,
                        format!("the value is not of its type {kind}; it was taken as text"),
                    );
                }
                member("valueString", Json::text(&text))
            }),
        };
        match (read, found.member.is_some()) {
            (Some(read), false) => found.member = Some(read),
            (Some(read), true) => found.further.push(read),
            (None, _) => {}
        }
    }
    found
}

fn member(name: &'static str, value: Json) -> Option<(&'static str, Json)> {
    value.is_there().then_some((name, value))
}

/// A value that is not text; `None` when it is not of its type.
fn single(kind: &str, part: Part<'_>, unit: &Unit, setting: &Context) -> Option<(&'static str, Json)> {
    match kind {
        "NM" | "MO" => number(&part.component(1).text(), unit).map(|value| ("valueQuantity", value)),
        "SN" => structured(part, unit).or_else(|| member("valueString", Json::text(&spelled(part, unit)))),
        "VR" => member("valueString", Json::text(&between(part))),
        "CE" | "CWE" | "CNE" | "CF" => member("valueCodeableConcept", concept(part, setting)),
        "IS" | "ID" => {
            let code = part.component(1).text();
            let coding = Json::one(Json::coding("", &code, ""));
            member("valueCodeableConcept", Json::object([("coding", coding), ("text", Json::text(&code))]))
        }
        "DT" | "TS" | "DTM" => member("valueDateTime", date_time(part, setting)),
        "TM" => time_of_day(&part.component(1).text()).map(|text| ("valueTime", Json::text(&text))),
        "DR" => {
            let at = |number: usize| time(part.component(number), setting).map(|moment| moment.text);
            member("valuePeriod", Json::object([("start", Json::some(at(1))), ("end", Json::some(at(2)))]))
        }
        "NR" => range(&part.component(1).text(), &part.component(2).text(), unit),
        "NA" => samples(part, unit),
        _ => None,
    }
}

/// NM; also with a comparator before it, as many write it.
fn number(text: &str, unit: &Unit) -> Option<Json> {
    let comparator = COMPARATORS.into_iter().find(|sign| text.starts_with(sign)).unwrap_or("");
    let digits = text.get(comparator.len()..).unwrap_or_default();
    decimal(digits).map(|value| unit.quantity(&value, comparator))
}

/// SN: comparator, number, separator or suffix, number. `None` when R4 has no type for it.
fn structured(part: Part<'_>, unit: &Unit) -> Option<(&'static str, Json)> {
    let (sign, separator) = (part.component(1).text(), part.component(3).text());
    let (first, second) = (part.component(2).text(), part.component(4).text());
    let comparator = if COMPARATORS.contains(&sign.as_str()) { sign.as_str() } else { "" };
    let is_plain = comparator == sign || sign == "=";
    let (name, mut value, is_whole) = match separator.as_str() {
        _ if sign == "<>" => return None,
        ":" | "/" => {
            let (above, below) = (decimal(&first)?, decimal(&second)?);
            let ends = [("numerator", unit.quantity(&above, comparator)), ("denominator", unit.quantity(&below, ""))];
            ("valueRatio", Json::object(ends), is_plain)
        }
        "-" => {
            let (name, value) = range(&first, &second, unit)?;
            (name, value, sign.is_empty() || sign == "=")
        }
        "+" => return None,
        _ if !is_plain => return None,
        _ => ("valueQuantity", unit.quantity(&decimal(&first)?, comparator), separator.is_empty() && second.is_empty()),
    };
    if !is_whole {
        // What the type has no place for stands beside it as it came.
        let said = (1..=4).map(|at| part.component(at).text()).filter(|piece| !piece.is_empty()).collect::<Vec<_>>().join(" ");
        let url = "http://hl7.org/fhir/StructureDefinition/originalText";
        value.put("extension", Json::one(Json::extension(url, "valueString", Json::text(&said))));
    }
    member(name, value)
}

/// SN in words: its components and the unit.
fn spelled(part: Part<'_>, unit: &Unit) -> String {
    let pieces = (1..=4).map(|at| part.component(at).text()).chain([unit.said.clone()]);
    pieces.filter(|piece| !piece.is_empty()).collect::<Vec<_>>().join(" ")
}

/// VR: from one value to another.
fn between(part: Part<'_>) -> String {
    let ends = [1, 2].map(|at| part.component(at).text());
    ends.into_iter().filter(|end| !end.is_empty()).collect::<Vec<_>>().join("-")
}

fn range(low: &str, high: &str, unit: &Unit) -> Option<(&'static str, Json)> {
    let end = |text: &str| decimal(text).map_or(Json::Absent, |value| unit.quantity(&value, ""));
    member("valueRange", Json::object([("low", end(low)), ("high", end(high))]))
}

/// NA: numbers in a row. HL7 does not say how far they lie apart, so neither does this.
fn samples(part: Part<'_>, unit: &Unit) -> Option<(&'static str, Json)> {
    let numbers: Option<Vec<String>> = (1..=part.components()).map(|at| decimal(&part.component(at).text())).collect();
    let numbers = numbers.filter(|numbers| !numbers.is_empty())?;
    let unknown =
        Json::extension("http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode", Json::text("unknown"));
    let data = Json::object([
        ("origin", unit.quantity("0", "")),
        ("_period", Json::object([("extension", Json::one(unknown))])),
        ("dimensions", Json::Number("1".to_owned())),
        ("data", Json::text(&numbers.join(" "))),
    ]);
    member("valueSampledData", data)
}

/// A value of any other type as text, its components as they stand.
fn whole_text(part: Part<'_>) -> String {
    part.text()
}

/// ED: source, type, subtype, encoding, data.
fn encapsulated(part: Part<'_>, obx: Segment<'_>, plan: &mut Plan) -> Option<Json> {
    let (kind, subtype, encoding) = (part.component(2).text(), part.component(3).text(), part.component(4).text());
    let raw = part.component(5).text();
    let bytes = match encoding.to_ascii_uppercase().as_str() {
        "BASE64" => {
            let packed: String = raw.chars().filter(|one| !one.is_whitespace()).collect();
            STANDARD.decode(packed.as_bytes()).ok()
        }
        "HEX" => (0..raw.len()).step_by(2).map(|at| u8::from_str_radix(raw.get(at..at + 2)?, 16).ok()).collect(),
        _ => Some(raw.clone().into_bytes()),
    };
    let Some(bytes) = bytes.filter(|bytes| !bytes.is_empty()) else {
        let text = format!("the data are not {encoding}; they were taken as text");
        plan.warn(WarningKind::Lenient, format!("OBX[{}]-5", obx.sequence()), &encoding, text);
        return (!raw.is_empty()).then(|| attachment("text/plain", &STANDARD.encode(raw.as_bytes()), obx));
    };
    Some(attachment(&content_type(&kind, &subtype, &bytes), &STANDARD.encode(bytes), obx))
}

fn attachment(content_type: &str, data: &str, obx: Segment<'_>) -> Json {
    let title = [obx.field(3).component(2).text(), obx.field(3).component(1).text()];
    let title = title.into_iter().find(|text| !text.is_empty());
    Json::object([("contentType", Json::text(content_type)), ("data", Json::text(data)), ("title", Json::some(title))])
}

/// The media type: what the data say of themselves counts, then what the message says (tables 0191 and 0291).
fn content_type(kind: &str, subtype: &str, bytes: &[u8]) -> String {
    let subtype = subtype.to_ascii_lowercase();
    let known = match subtype.as_str() {
        _ if bytes.starts_with(b"%PDF") => "application/pdf",
        "pdf" => "application/pdf",
        "rtf" => "application/rtf",
        "html" => "text/html",
        "xml" => "application/xml",
        "jpeg" | "jpg" => "image/jpeg",
        "png" => "image/png",
        "tiff" | "tif" => "image/tiff",
        "gif" => "image/gif",
        "dicom" => "application/dicom",
        "plain" | "text" | "txt" => "text/plain",
        "" if kind.eq_ignore_ascii_case("pdf") => "application/pdf",
        "" if matches!(kind.to_ascii_uppercase().as_str(), "TEXT" | "TX" | "FT") => "text/plain",
        _ => "",
    };
    if !known.is_empty() {
        return known.to_owned();
    }
    let word = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-+.".contains(&byte));
    let kind = kind.to_ascii_lowercase();
    if word(&kind) && word(&subtype) && ["application", "image", "text", "audio", "video"].contains(&kind.as_str()) {
        return format!("{kind}/{subtype}");
    }
    "application/octet-stream".to_owned()
}

/// RP: where something lies. `None` when that is no address.
fn pointer(part: Part<'_>) -> Option<Json> {
    let address = part.component(1).text();
    let (kind, subtype) = (part.component(3).text(), part.component(4).text());
    let absolute = address.split_once("://").is_some_and(|(scheme, rest)| {
        scheme.bytes().all(|byte| byte.is_ascii_alphanumeric()) && !rest.is_empty() && !rest.contains(char::is_whitespace)
    });
    absolute.then(|| {
        let content_type = content_type(&kind, &subtype, b"");
        Json::object([("contentType", Json::text(&content_type)), ("url", Json::text(&address))])
    })
}

/// OBX-7: text, and where it is a range, its ends.
pub(super) fn reference_range(text: &str, unit: &Unit) -> Json {
    let text = text.trim();
    if !text.chars().any(char::is_alphanumeric) {
        return Json::Absent;
    }
    let (low, high) = ends(text);
    let end = |value: Option<String>| value.map_or(Json::Absent, |value| unit.quantity(&value, ""));
    Json::object([("low", end(low)), ("high", end(high)), ("text", Json::text(text))])
}

/// The ends of `3.5 - 5.3`, `<5`, `>= 60`. An open end is told as the text tells it.
fn ends(text: &str) -> (Option<String>, Option<String>) {
    for (sign, upper) in [("<=", true), ("<", true), (">=", false), (">", false)] {
        if let Some(value) = text.strip_prefix(sign) {
            let value = decimal(value);
            return if upper { (None, value) } else { (value, None) };
        }
    }
    let cut = text.char_indices().skip(1).filter(|(_, one)| matches!(one, '-' | '–')).find_map(|(at, one)| {
        let (low, high) = (text.get(..at)?, text.get(at + one.len_utf8()..)?);
        Some((decimal(low)?, decimal(high)?))
    });
    cut.map_or((None, None), |(low, high)| (Some(low), Some(high)))
}

#[cfg(test)]
mod tests {
    use super::ends;

    #[test]
    fn ranges_have_the_ends_that_their_text_tells() {
        let some = |text: &str| Some(text.to_owned());
        for (text, found) in [
            ("49 - 92", (some("49"), some("92"))),
            ("3.5-5.3", (some("3.5"), some("5.3"))),
            ("-2.0--1.0", (some("-2.0"), some("-1.0"))),
            ("<5", (None, some("5"))),
            (">= 60", (some("60"), None)),
            ("negative", (None, None)),
            ("5 - ", (None, None)),
        ] {
            assert_eq!(ends(text), found, "{text}");
        }
    }
}
