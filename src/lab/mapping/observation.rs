//! OBX as an Observation.

use super::Context;
use super::codes;
use super::groups::Observed;
use super::json::{Json, decimal};
use super::parties::{organization, practitioner, producer};
use super::types::{coded, concept, date_time, entity, entity_inside, identifier, time};
use super::value::{Unit, Value, is_text, reference_range, value};
use crate::fhir::{Instant, Key, ResourceType};
use crate::lab::v2::{Fault, FaultKind, Part, Place, Segment};
use crate::lab::{Plan, Planned, Role, Stamp, WarningKind};
use std::collections::HashMap;

/// What all results of an order share.
pub(super) struct Frame<'f> {
    /// What tells the order from every other: the observations of an order are told apart within it.
    pub(super) identity: &'f str,
    pub(super) subject: &'f str,
    pub(super) specimen: Option<Key>,
    pub(super) order: Option<String>,
    /// When it was observed, as the order says.
    pub(super) effective: Json,
    /// When it was reported.
    pub(super) issued: Instant,
    /// The status of the report, for results that tell none.
    pub(super) status: &'f str,
    /// OBR-24.
    pub(super) section: String,
    /// Tags and security labels.
    pub(super) meta: Json,
    /// The visit.
    pub(super) encounter: Json,
}

/// The observations of an order: their keys, in order and each once, and the documents among them.
#[derive(Debug, Default)]
pub(super) struct Results {
    pub(super) keys: Vec<Key>,
    pub(super) attachments: Vec<Json>,
    /// The statuses that they have.
    pub(super) statuses: Vec<String>,
}

/// Maps the results of an order. Each OBX is accounted for: by an Observation, by one that it continues, or by the report that holds its
/// document.
pub(super) fn observations(
    all: &[Observed<'_>],
    report: Option<&Key>,
    frame: &Frame<'_>,
    setting: &Context,
    plan: &mut Plan,
) -> Result<Results, Vec<Fault>> {
    let (mut results, mut faults) = (Results::default(), Vec::new());
    let mut seen: HashMap<String, usize> = HashMap::new();
    let mut rest = all;
    while let Some((first, behind)) = rest.split_first() {
        let continued = behind.iter().take_while(|next| continues(first, next)).count();
        let (paragraphs, after) = behind.split_at(continued);
        rest = after;
        if let Err(fault) = named(first.result) {
            faults.push(fault);
            continue;
        }
        let unit = Unit::of(first.result, setting, plan);
        let mut found = value(first.result, &unit, setting, plan);
        join(&mut found, paragraphs, setting, plan, &unit);
        let document = report.filter(|_| !found.attachments.is_empty() && found.member.is_none()).cloned();
        if report.is_some() {
            results.attachments.append(&mut found.attachments);
        }
        let key = if let Some(report) = document {
            report
        } else {
            let identity = identity(first.result, frame.identity, &mut seen);
            let key = setting.namer.key(ResourceType::Observation, &identity);
            let (content, status) = observation(first, paragraphs, found, &unit, frame, setting, plan);
            results.statuses.push(status.clone());
            let role = Role::Result(Stamp { at: frame.issued, status });
            let key = plan.add(Planned { key, known_by: Vec::new(), role, content });
            results.keys.push(key.clone());
            key
        };
        plan.observations.extend(std::iter::repeat_n(key, 1 + continued));
    }
    if faults.is_empty() { Ok(results) } else { Err(faults) }
}

/// Whether a segment is a further paragraph of the text before it.
fn continues(first: &Observed<'_>, next: &Observed<'_>) -> bool {
    let same = |field: usize| first.result.field(field).raw() == next.result.field(field).raw();
    let kind = first.result.field(2).text();
    matches!(kind.as_str(), "TX" | "FT") && [2, 3, 4].into_iter().all(same) && first.notes.is_empty()
}

fn join(found: &mut Value, paragraphs: &[Observed<'_>], setting: &Context, plan: &mut Plan, unit: &Unit) {
    for paragraph in paragraphs {
        let next = value(paragraph.result, unit, setting, plan).member.and_then(|(_, value)| value.as_text().map(str::to_owned));
        let next = next.unwrap_or_default();
        match &mut found.member {
            Some((_, Json::Text(text))) => {
                text.push('\n');
                text.push_str(&next);
            }
            _ if !next.is_empty() => found.member = Some(("valueString", Json::text(&next))),
            _ => {}
        }
    }
}

fn named(obx: Segment<'_>) -> Result<(), Fault> {
    // A document says by itself what it is.
    if obx.field(3).is_valued() || matches!(obx.field(2).text().as_str(), "ED" | "RP") {
        return Ok(());
    }
    let place = Place::field("OBX", obx.sequence(), 3);
    Err(Fault { kind: FaultKind::Missing, place, text: "OBX-3 says what was observed, and is missing".to_owned() })
}

/// OBX-21 where it is told, else what was observed, the sub-id, and which of several alike it is.
fn identity(obx: Segment<'_>, order: &str, seen: &mut HashMap<String, usize>) -> String {
    let code = obx.field(3);
    let code = [1, 4, 2].into_iter().find_map(|at| code.component(at).some()).unwrap_or_default();
    let instance = obx.field(21).component(1).text();
    let alike =
        if instance.is_empty() { format!("{order}/{code}/{}", obx.field(4).text()) } else { format!("{order}//{instance}") };
    let count = seen.entry(alike.clone()).or_default();
    *count += 1;
    format!("{alike}/{count}")
}

fn observation(
    observed: &Observed<'_>,
    paragraphs: &[Observed<'_>],
    found: Value,
    unit: &Unit,
    frame: &Frame<'_>,
    setting: &Context,
    plan: &mut Plan,
) -> (Json, String) {
    let obx = observed.result;
    let told = obx.field(11).text();
    let status = codes::observation_status(&told).unwrap_or(if told.is_empty() { frame.status } else { "unknown" });
    unmapped(obx, setting, plan);
    let effective = time(obx.field(14), setting).map_or_else(|| frame.effective.clone(), |moment| Json::text(&moment.text));
    let effective_name = if matches!(effective, Json::Object(_)) { "effectivePeriod" } else { "effectiveDateTime" };
    let interpretations = obx.field(8).repetitions().map(|one| interpretation(&one.component(1).text(), one, setting));
    let mut made = Json::object([
        ("resourceType", Json::text("Observation")),
        ("meta", frame.meta.clone()),
        ("identifier", Json::one(instance(obx, setting))),
        ("basedOn", Json::one(frame.order.as_deref().map_or(Json::Absent, Json::reference))),
        ("status", Json::text(status)),
        ("category", categories(&frame.section)),
        ("code", named_code(obx, setting)),
        ("subject", Json::reference(frame.subject)),
        ("encounter", frame.encounter.clone()),
        (effective_name, effective),
        ("issued", Json::text(&frame.issued.to_string())),
        ("interpretation", Json::array(interpretations.collect::<Vec<_>>())),
        ("referenceRange", Json::one(reference_range(&obx.field(7).text(), unit))),
        ("method", concept(obx.field(17), setting)),
        ("bodySite", concept(obx.field(20), setting)),
        ("specimen", own_specimen(obx, frame, setting, plan)),
    ]);
    made.put("performer", performers(obx, setting, plan));
    let notes = observed.notes.iter().chain(paragraphs.iter().flat_map(|one| &one.notes));
    made.put("note", Json::array(notes.map(|note| annotation(*note, setting)).collect::<Vec<_>>()));
    put_value(&mut made, found, status, &told);
    put_extensions(&mut made, obx, setting);
    if codes::is_interpreted(&told) {
        let code = Json::concept("http://terminology.hl7.org/CodeSystem/v2-0085", &told, "");
        let url = "http://hl7.org/fhir/StructureDefinition/alternate-codes";
        let alternate = Json::one(Json::extension(url, "valueCodeableConcept", code));
        made.put("_status", Json::object([("extension", alternate)]));
    }
    (made, status.to_owned())
}

/// OBX-3; what is not named is a document.
fn named_code(obx: Segment<'_>, setting: &Context) -> Json {
    match concept(obx.field(3), setting) {
        Json::Absent => Json::object([("text", Json::text("document"))]),
        code => code,
    }
}

/// The value, further values as components, or why there is none.
fn put_value(made: &mut Json, found: Value, status: &str, told: &str) {
    let url = "http://hl7.org/fhir/5.0/StructureDefinition/extension-Observation.value";
    let attached = !found.attachments.is_empty();
    made.extend("extension", found.attachments.into_iter().map(|one| Json::extension(url, "valueAttachment", one)));
    let absent = |code: &str| Json::concept("http://terminology.hl7.org/CodeSystem/data-absent-reason", code, "");
    let code = made.get("code").cloned().unwrap_or_default();
    match found.member {
        Some((name, value)) => made.put(name, value),
        None if attached => {}
        None if told == "N" => made.put("dataAbsentReason", absent("not-asked")),
        None if status == "cancelled" => made.put("dataAbsentReason", absent("not-performed")),
        None if matches!(status, "final" | "corrected" | "amended") => made.put("dataAbsentReason", absent("unknown")),
        None => {}
    }
    let components = found.further.into_iter().map(|(name, value)| Json::object([("code", code.clone()), (name, value)]));
    made.put("component", Json::array(components.collect::<Vec<_>>()));
}

fn put_extensions(made: &mut Json, obx: Segment<'_>, setting: &Context) {
    let url = |name: &str| format!("http://hl7.org/fhir/StructureDefinition/observation-{name}");
    let abnormal = obx.field(10).repetitions().map(|one| {
        let code = Json::concept("http://terminology.hl7.org/CodeSystem/v2-0080", &one.component(1).text(), "");
        Json::extension(&url("nature-of-abnormal-test"), "valueCodeableConcept", code)
    });
    let abnormal: Vec<Json> = abnormal.collect();
    made.extend("extension", [sub_id(obx.field(4))].into_iter().chain(abnormal));
    made.extend("extension", [Json::extension(&url("analysis-date-time"), "valueDateTime", date_time(obx.field(19), setting))]);
    if let Some((value, system)) = entity(obx.field(18), setting) {
        made.put("device", Json::object([("identifier", identifier(&system, &value, ""))]));
    }
}

/// OBX-4: as it stands, and its parts where it is of type OG.
fn sub_id(part: Part<'_>) -> Json {
    let text = |number: usize| part.component(number).text();
    let number = |at: usize| decimal(&text(at)).map_or(Json::Absent, Json::Number);
    let parts = [
        Json::extension("original-sub-identifier", "valueString", Json::text(&text(1))),
        Json::extension("group", "valueDecimal", number(2)),
        Json::extension("sequence", "valueDecimal", number(3)),
        Json::extension("identifier", "valueString", Json::text(&text(4))),
    ];
    Json::extension("http://hl7.org/fhir/StructureDefinition/observation-v2-subid", "extension", Json::array(parts))
}

/// OBX-33, by reference where this message tells of the specimen, else by its number; without it the specimen of the order.
fn own_specimen(obx: Segment<'_>, frame: &Frame<'_>, setting: &Context, plan: &Plan) -> Json {
    let named = obx.field(33).first();
    let numbers = [2, 1].into_iter().filter_map(|at| entity_inside(named.component(at), setting));
    let Some((value, system)) = numbers.into_iter().next() else {
        return frame.specimen.as_ref().map_or(Json::Absent, |key| Json::reference(&key.to_string()));
    };
    let key = setting.namer.key(ResourceType::Specimen, &format!("{system}|{value}"));
    if plan.records.iter().any(|record| record.key == key) {
        return Json::reference(&key.to_string());
    }
    Json::object([("type", Json::text("Specimen")), ("identifier", identifier(&system, &value, ""))])
}

fn instance(obx: Segment<'_>, setting: &Context) -> Json {
    entity(obx.field(21), setting).map_or(Json::Absent, |(value, system)| identifier(&system, &value, "FILL"))
}

/// `laboratory`, and the section of the laboratory where it is told.
pub(super) fn categories(section: &str) -> Json {
    let laboratory = Json::concept("http://terminology.hl7.org/CodeSystem/observation-category", "laboratory", "Laboratory");
    let section = if section.is_empty() {
        Json::Absent
    } else {
        Json::concept("http://terminology.hl7.org/CodeSystem/v2-0074", section, "")
    };
    Json::array([laboratory, section])
}

fn interpretation(code: &str, part: Part<'_>, setting: &Context) -> Json {
    match codes::interpretation(code) {
        Some(display) => Json::concept("http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation", code, display),
        None if part.component(3).is_valued() => concept(part, setting),
        None => Json::concept("http://terminology.hl7.org/CodeSystem/v2-0078", code, &part.component(2).text()),
    }
}

fn performers(obx: Segment<'_>, setting: &Context, plan: &mut Plan) -> Json {
    let mut all: Vec<Json> = Vec::new();
    for one in obx.field(16).repetitions() {
        all.push(practitioner(one, setting, plan));
    }
    if obx.field(23).is_valued() {
        let at = Some(obx.field(24)).filter(|part| part.is_valued());
        all.push(organization(obx.field(23), at, setting, plan));
    } else if obx.field(15).is_valued() {
        all.push(producer(obx.field(15), setting, plan));
    }
    // The director of that laboratory.
    for one in obx.field(25).repetitions() {
        all.push(practitioner(one, setting, plan));
    }
    Json::array(all)
}

/// NTE as an Annotation.
pub(super) fn annotation(note: Segment<'_>, setting: &Context) -> Json {
    let texts: Vec<String> = note.field(3).repetitions().map(Part::text).collect();
    let text = texts.join("\n");
    if text.trim().is_empty() {
        return Json::Absent;
    }
    Json::object([("time", date_time(note.field(6), setting)), ("text", Json::text(&text))])
}

/// Notes a result whose code is no standard one, so that somebody can put it into the table.
fn unmapped(obx: Segment<'_>, setting: &Context, plan: &mut Plan) {
    let all = coded(obx.field(3));
    let standard = |name: &str| {
        let system = setting.tables.system(name);
        matches!(system.as_deref(), Some("http://loinc.org" | "http://snomed.info/sct"))
    };
    if !obx.field(3).is_valued()
        || all.iter().any(|one| standard(&one.name) || setting.tables.standard(&one.name, &one.code).is_some())
    {
        return;
    }
    let (code, name) =
        all.first().map_or_else(|| (obx.field(3).component(2).text(), String::new()), |one| (one.code.clone(), one.name.clone()));
    let about = if name.is_empty() { code.clone() } else { format!("{name}|{code}") };
    let text = format!("the code `{code}` has no standard code beside it; it is kept as it is");
    plan.warn(WarningKind::UnmappedCode, format!("OBX[{}]-3", obx.sequence()), &about, text);
}

/// Whether a type is text (for documents made of results).
pub(super) fn text_of(observed: &Observed<'_>) -> Option<String> {
    is_text(&observed.result.field(2).text()).then(|| {
        let texts: Vec<String> = observed.result.field(5).repetitions().map(Part::text).collect();
        texts.join("\n")
    })
}
