//! OBR with its results as a DiagnosticReport.

use super::Context;
use super::codes;
use super::groups::{Group, Order};
use super::json::Json;
use super::numbers::{Numbers, further, identifiers, requisition};
use super::observation::{Frame, annotation, observations};
use super::orders::service_request;
use super::parents::{Told, link};
use super::parties::{inner_person, organization, practitioner, producer};
use super::specimen::{from_order, specimen};
use super::types::{coding_system, concept, time};
use super::visit::encounter;
use crate::fhir::{Instant, Key, ResourceType};
use crate::lab::v2::{Fault, FaultKind, Message, Part, Place, Segment};
use crate::lab::{Plan, Planned, Role, Stamp};
use std::collections::HashSet;

/// Maps every order of a patient that has results, and the observations outside of any.
pub(super) fn results(group: &Group<'_>, subject: &str, setting: &Context, plan: &mut Plan) -> Result<(), Vec<Fault>> {
    let (mut faults, mut seen, mut all) = (Vec::new(), HashSet::new(), Vec::new());
    let says_nothing = group.orders.iter().all(|order| order.request.is_none()) && group.loose.is_empty();
    if says_nothing && group.orders.iter().all(|order| order.observations.is_empty()) {
        let text = "there is neither an OBR nor an OBX segment: what are the results?";
        return Err(vec![Fault::of(FaultKind::Sequence, text)]);
    }
    let visit = encounter(group, subject, setting, plan);
    for order in &group.orders {
        let Some(obr) = order.request else { continue };
        if !(2..=50).any(|field| obr.field(field).is_valued()) {
            let place = Place::field("OBR", obr.sequence(), 4);
            let text = "OBR-4 says which test this is, and is missing, with everything else of the segment".to_owned();
            faults.push(Fault { kind: FaultKind::Missing, place, text });
            continue;
        }
        let mut identity = identity(obr, order, setting);
        while !seen.insert(identity.clone()) {
            identity.push('+');
        }
        match report(group, (order, obr), &identity, (subject, &visit), setting, plan) {
            Ok(told) => all.push(told),
            Err(found) => faults.extend(found),
        }
    }
    link(&all, plan);
    faults.extend(loose(group, (subject, &visit), setting, plan).err().into_iter().flatten());
    if faults.is_empty() { Ok(()) } else { Err(faults) }
}

/// What tells a report from every other of this sender: the number that the laboratory gave the order, and the test, as many give one
/// number to several tests. Without any number it is the message alone.
pub(super) fn identity(obr: Segment<'_>, order: &Order<'_>, setting: &Context) -> String {
    let numbers = Numbers::of(order, setting);
    let test = obr.field(4);
    let test = [1, 4, 2].into_iter().find_map(|at| test.component(at).some()).unwrap_or_default();
    let sender = {
        let message = obr.message();
        format!("{}|{}", message.header(3).component(1).text(), message.header(4).component(1).text())
    };
    match numbers.filler.or(numbers.placer) {
        Some((number, system)) => format!("{sender}/{system}|{number}/{test}"),
        None => format!("{sender}/{}/{}/{test}", setting.message, obr.sequence()),
    }
}

/// OBR-22, else when the message was sent.
pub(super) fn issued(obr: Segment<'_>, setting: &Context) -> Instant {
    time(obr.field(22), setting).map_or_else(|| setting.sent(obr.message()), |moment| moment.instant)
}

/// What marks records that were sent for training or debugging (MSH-11), and labels those that the order calls confidential (ORC-28).
pub(super) fn meta(message: &Message, order: Option<&Order<'_>>, setting: &Context) -> Json {
    let code = message.header(11).component(1).text();
    let tag = match code.as_str() {
        "T" | "D" => Json::coding("http://terminology.hl7.org/CodeSystem/v2-0103", &code, ""),
        _ => Json::Absent,
    };
    let confidential = order.and_then(|order| order.control).into_iter().flat_map(|orc| orc.field(28).repetitions());
    let labels: Vec<Json> = confidential.map(|one| label(one, setting)).collect();
    Json::object([("security", Json::array(labels)), ("tag", Json::one(tag))])
}

/// A code of confidentiality as a security label; one that HL7 maps to none is kept as it came.
pub(super) fn label(part: Part<'_>, setting: &Context) -> Json {
    let (code, name) = (part.component(1).text(), part.component(3).text());
    match codes::confidentiality(&code) {
        Some((system, label)) => Json::coding(system, label, ""),
        None if name.is_empty() => Json::coding("http://terminology.hl7.org/CodeSystem/v2-0177", &code, ""),
        None => Json::coding(&coding_system(&name, setting), &code, &part.component(2).text()),
    }
}

fn report(
    group: &Group<'_>,
    (order, obr): (&Order<'_>, Segment<'_>),
    identity: &str,
    (subject, visit): (&str, &Json),
    setting: &Context,
    plan: &mut Plan,
) -> Result<Told, Vec<Fault>> {
    let key = setting.namer.key(ResourceType::DiagnosticReport, identity);
    let request = service_request(order, identity, (subject, visit), Some(&key), setting, plan);
    let mut specimens: Vec<Key> =
        order.specimens.iter().enumerate().map(|spm| specimen(spm, identity, &key, subject, setting, plan)).collect();
    if specimens.is_empty() {
        specimens.extend(from_order(obr, identity, &key, subject, setting, plan));
    }
    let told = obr.field(25).text();
    let effective = effective(order, obr, setting);
    let frame = Frame {
        identity,
        subject,
        specimen: specimens.first().cloned().filter(|_| specimens.len() == 1),
        order: Some(request.to_string()),
        effective: effective.1.clone(),
        issued: issued(obr, setting),
        status: codes::report_status(&told).filter(|status| *status != "partial").unwrap_or("unknown"),
        section: obr.field(24).text(),
        meta: meta(obr.message(), Some(order), setting),
        encounter: visit.clone(),
    };
    let before = plan.observations.len();
    let results = observations(&order.observations, Some(&key), &frame, setting, plan)?;
    let status = codes::report_status(&told).map_or_else(|| of_results(&results.statuses, &told), str::to_owned);
    let mut content = Json::object([
        ("resourceType", Json::text("DiagnosticReport")),
        ("meta", frame.meta.clone()),
        ("identifier", Json::array(identifiers(order, setting))),
        ("basedOn", Json::one(Json::reference(&request.to_string()))),
        ("status", Json::text(&status)),
        ("category", report_category(&frame.section)),
        ("code", named_test(obr.field(4), setting)),
        ("subject", Json::reference(subject)),
        ("encounter", visit.clone()),
        (effective.0, effective.1),
        ("issued", Json::text(&frame.issued.to_string())),
    ]);
    content.extend("identifier", further(order, setting).into_iter().chain([requisition(order, setting)]));
    content.put("performer", performers(order, obr, setting, plan));
    content.put("resultsInterpreter", Json::one(inner_person(obr.field(32), setting, plan)));
    content.put("specimen", references(&specimens));
    content.put("result", references(&results.keys));
    content.put("presentedForm", Json::array(results.attachments));
    let notes = order.notes.iter().chain(&group.notes).map(|note| annotation(*note, setting));
    let url = "http://hl7.org/fhir/5.0/StructureDefinition/extension-DiagnosticReport.note";
    content.put("extension", Json::array(notes.map(|note| Json::extension(url, "valueAnnotation", note)).collect::<Vec<_>>()));
    let role = Role::Result(Stamp { at: frame.issued, status });
    plan.add(Planned { key, known_by: Vec::new(), role, content });
    let observed = plan.observations.get(before..).unwrap_or_default().to_vec();
    Ok(Told::of(order, obr, request, observed, setting))
}

/// OBR-4. A report is always named: one without a test is called what it is.
fn named_test(part: Part<'_>, setting: &Context) -> Json {
    match concept(part, setting) {
        Json::Absent => Json::object([("text", Json::text("laboratory report"))]),
        code => code,
    }
}

fn references(keys: &[Key]) -> Json {
    Json::array(keys.iter().map(|key| Json::reference(&key.to_string())))
}

/// The status of a report that tells none, or one that FHIR has no word for: that of its results, where they agree.
fn of_results(statuses: &[String], told: &str) -> String {
    let all = |wanted: &[&str]| !statuses.is_empty() && statuses.iter().all(|status| wanted.contains(&status.as_str()));
    if !told.is_empty() {
        return "unknown".to_owned();
    }
    let status = if all(&["final", "cancelled"]) {
        "final"
    } else if all(&["final", "corrected", "amended", "cancelled"]) {
        "corrected"
    } else if all(&["registered"]) {
        "registered"
    } else if statuses.iter().any(|status| status == "preliminary") {
        "preliminary"
    } else {
        "unknown"
    };
    status.to_owned()
}

/// OBR-7 and OBR-8; where they are silent, when the specimen was taken.
fn effective(order: &Order<'_>, obr: Segment<'_>, setting: &Context) -> (&'static str, Json) {
    let at = |segment: Segment<'_>, field: usize| time(segment.field(field), setting).map(|moment| moment.text);
    let start = at(obr, 7).or_else(|| order.specimens.iter().find_map(|spm| at(*spm, 17)));
    match (start, at(obr, 8)) {
        (Some(start), Some(end)) if start != end => {
            ("effectivePeriod", Json::object([("start", Json::text(&start)), ("end", Json::text(&end))]))
        }
        (Some(one), _) | (None, Some(one)) => ("effectiveDateTime", Json::text(&one)),
        (None, None) => ("effectiveDateTime", Json::Absent),
    }
}

/// `LAB`, and the section.
fn report_category(section: &str) -> Json {
    let system = "http://terminology.hl7.org/CodeSystem/v2-0074";
    let laboratory = Json::concept(system, "LAB", "Laboratory");
    let section = if section.is_empty() || section == "LAB" { Json::Absent } else { Json::concept(system, section, "") };
    Json::array([laboratory, section])
}

/// The laboratory of the first result that names one, and the technicians.
fn performers(order: &Order<'_>, obr: Segment<'_>, setting: &Context, plan: &mut Plan) -> Json {
    let of = order.observations.iter().map(|one| one.result);
    let mut all = Vec::new();
    if let Some(obx) = of.clone().find(|obx| obx.field(23).is_valued()) {
        let at = Some(obx.field(24)).filter(|part| part.is_valued());
        all.push(organization(obx.field(23), at, setting, plan));
    } else if let Some(obx) = of.clone().find(|obx| obx.field(15).is_valued()) {
        all.push(producer(obx.field(15), setting, plan));
    }
    for one in [34, 35].into_iter().flat_map(|field| obr.field(field).repetitions()) {
        all.push(inner_person(one, setting, plan));
    }
    let mut seen: Vec<Json> = Vec::new();
    for one in all {
        if !seen.contains(&one) {
            seen.push(one);
        }
    }
    Json::array(seen)
}

/// Observations that belong to a specimen or to the patient, and to no order.
fn loose(group: &Group<'_>, (subject, visit): (&str, &Json), setting: &Context, plan: &mut Plan) -> Result<(), Vec<Fault>> {
    let Some(first) = group.loose.first() else { return Ok(()) };
    let message = first.result.message();
    let facility = message.header(4).component(1).text();
    let identity = match first.specimen {
        Some(spm) => format!("{facility}/{}/specimen", spm.field(2).text()),
        None => format!("{facility}/{}/{subject}", setting.message),
    };
    let anchor = setting.namer.key(ResourceType::Observation, &format!("{identity}/anchor"));
    let from = first.specimen.map(|spm| specimen((0, &spm), &identity, &anchor, subject, setting, plan));
    let collected = first.specimen.and_then(|spm| time(spm.field(17).component(1), setting));
    let frame = Frame {
        identity: &identity,
        subject,
        specimen: from,
        order: None,
        effective: Json::some(collected.map(|moment| moment.text)),
        issued: setting.sent(message),
        status: "unknown",
        section: String::new(),
        meta: meta(message, None, setting),
        encounter: visit.clone(),
    };
    observations(&group.loose, None, &frame, setting, plan).map(drop)
}

/// Whoever ordered it.
pub(super) fn requester(order: &Order<'_>, setting: &Context, plan: &mut Plan) -> Json {
    let named = order.request.map(|obr| obr.field(16)).filter(|part| part.is_valued());
    let named = named.or_else(|| order.control.map(|orc| orc.field(12)).filter(|part| part.is_valued()));
    named.map_or(Json::Absent, |part| practitioner(part.first(), setting, plan))
}
