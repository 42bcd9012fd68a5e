//! PV1 as an Encounter: the visit that a result or an order belongs to.

use super::Context;
use super::codes;
use super::groups::Group;
use super::json::Json;
use super::parties::{by_identifier, practitioner};
use super::types::{concept, date_time, extended_id, identifier};
use crate::fhir::ResourceType;
use crate::lab::v2::{Part, Segment};
use crate::lab::{Plan, Planned, Role};

/// A reference to the visit of a patient, which is made where nobody knows it. Without a visit number (PV1-19, PV1-50) there is nothing to
/// tell it from other visits, and nothing is made.
pub(super) fn encounter(group: &Group<'_>, subject: &str, setting: &Context, plan: &mut Plan) -> Json {
    let Some(pv1) = group.visit else { return Json::Absent };
    let numbers = [(19, "VN"), (50, "")].map(|(field, kind)| numbered(pv1.field(field).first(), kind, setting));
    let Some(first) = numbers.iter().find(|one| one.is_there()) else { return Json::Absent };
    let text = |name: &str| first.get(name).and_then(Json::as_text).unwrap_or_default().to_owned();
    let (system, value) = (text("system"), text("value"));
    let key = setting.namer.key(ResourceType::Encounter, &format!("{subject}/{system}|{value}"));
    let patient = crate::fhir::encode(subject);
    let known_by = by_identifier(&system, &value).into_iter().map(|one| format!("{one}&subject={patient}")).collect();
    let content = visit(pv1, numbers.clone(), subject, setting, plan);
    let key = plan.add(Planned { key, known_by, role: Role::Known, content });
    Json::reference(&key.to_string())
}

/// A number of a visit; of no type, it is a visit number.
fn numbered(part: Part<'_>, usual: &str, setting: &Context) -> Json {
    let mut made = extended_id(part, setting);
    if made.is_there() && made.get("type").is_none() && !usual.is_empty() {
        let typed = identifier("", "-", usual);
        made.put("type", typed.get("type").cloned().unwrap_or_default());
    }
    made
}

fn visit(pv1: Segment<'_>, numbers: [Json; 2], subject: &str, setting: &Context, plan: &mut Plan) -> Json {
    let class = pv1.field(2).component(1).text();
    let (start, end) = (date_time(pv1.field(44), setting), date_time(pv1.field(45), setting));
    let status = match class.as_str() {
        _ if end.is_there() => "finished",
        "P" => "planned",
        "" | "U" | "N" => "unknown",
        _ => "in-progress",
    };
    let mut made = Json::object([
        ("resourceType", Json::text("Encounter")),
        ("identifier", Json::array(numbers)),
        ("status", Json::text(status)),
        ("class", coded_class(&class)),
        ("type", Json::one(concept(pv1.field(4), setting))),
        ("serviceType", concept(pv1.field(10), setting)),
        ("subject", Json::reference(subject)),
        ("period", Json::object([("start", start), ("end", end)])),
    ]);
    made.put("participant", Json::array(participants(pv1, setting, plan)));
    made.put("hospitalization", hospitalization(pv1, setting));
    let planned = if class == "P" { "planned" } else { "active" };
    let places = [(3, planned), (6, "completed"), (11, "active"), (42, "reserved")];
    made.put("location", Json::array(places.map(|(field, status)| place(pv1.field(field).first(), status))));
    made
}

/// The class in the codes of FHIR, else as table 0004 has it.
fn coded_class(code: &str) -> Json {
    match codes::visit_class(code) {
        Some((code, display)) => Json::coding("http://terminology.hl7.org/CodeSystem/v3-ActCode", code, display),
        None => Json::coding("http://terminology.hl7.org/CodeSystem/v2-0004", if code.is_empty() { "U" } else { code }, ""),
    }
}

fn participants(pv1: Segment<'_>, setting: &Context, plan: &mut Plan) -> Vec<Json> {
    let system = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType";
    let roles = [
        (7, "ATND", "attender"),
        (8, "REF", "referrer"),
        (9, "CON", "consultant"),
        (17, "ADM", "admitter"),
        (52, "PART", "Participation"),
    ];
    let mut all = Vec::new();
    for (field, code, display) in roles {
        for one in pv1.field(field).repetitions() {
            let somebody = practitioner(one, setting, plan);
            if somebody.is_there() {
                let role = Json::one(Json::concept(system, code, display));
                all.push(Json::object([("type", role), ("individual", somebody)]));
            }
        }
    }
    all
}

fn hospitalization(pv1: Segment<'_>, setting: &Context) -> Json {
    let several = |field: usize| Json::array(pv1.field(field).repetitions().map(|one| concept(one, setting)).collect::<Vec<_>>());
    Json::object([
        ("preAdmissionIdentifier", extended_id(pv1.field(5).first(), setting)),
        ("admitSource", concept(pv1.field(14), setting)),
        ("reAdmission", concept(pv1.field(13), setting)),
        ("dietPreference", Json::one(concept(pv1.field(38), setting))),
        ("specialCourtesy", several(16)),
        ("specialArrangement", several(15)),
        ("dischargeDisposition", concept(pv1.field(36), setting)),
    ])
}

/// PL: where somebody lies, in words: point of care, room, bed, floor, building, facility.
fn place(part: Part<'_>, status: &str) -> Json {
    let words = [1, 2, 3, 8, 7, 4].map(|at| part.component(at).subcomponent(1).text());
    let said = words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(", ");
    let said = if said.is_empty() { part.component(9).text() } else { said };
    if said.is_empty() {
        return Json::Absent;
    }
    Json::object([("location", Json::object([("display", Json::text(&said))])), ("status", Json::text(status))])
}
