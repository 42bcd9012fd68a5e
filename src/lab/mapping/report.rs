//! OBR with its results as a DiagnosticReport.

use super::Context;
use super::codes;
use super::groups::{Group, Order};
use super::json::Json;
use super::observation::{Frame, annotation, observations};
use super::orders::{Numbers, service_request};
use super::parties::{inner_person, organization, practitioner, producer};
use super::specimen::{from_order, specimen};
use super::types::{concept, time};
use crate::fhir::{Instant, Key, ResourceType};
use crate::lab::v2::{Fault, FaultKind, Message, Segment};
use crate::lab::{Plan, Planned, Role, Stamp};
use std::collections::HashSet;

/// Maps every order of a patient that has results, and the observations outside of any.
pub(super) fn results(group: &Group<'_>, subject: &str, setting: &Context<'_>, plan: &mut Plan) -> Result<(), Vec<Fault>> {
    let (mut faults, mut seen) = (Vec::new(), HashSet::new());
    for order in &group.orders {
        let Some(obr) = order.request else { continue };
        let mut identity = identity(obr, order, setting);
        while !seen.insert(identity.clone()) {
            identity.push('+');
        }
        faults.extend(report(group, order, obr, &identity, subject, setting, plan).err().into_iter().flatten());
    }
    faults.extend(loose(group, subject, setting, plan).err().into_iter().flatten());
    if group.orders.iter().all(|order| order.request.is_none()) && group.loose.is_empty() {
        faults.push(Fault::of(FaultKind::Sequence, "there is no OBR segment: which order are these the results of?"));
    }
    if faults.is_empty() { Ok(()) } else { Err(faults) }
}

/// What tells a report from every other of this sender: the number that the laboratory gave the order, and the test, as many give one
/// number to several tests. Without any number it is the message alone.
pub(super) fn identity(obr: Segment<'_>, order: &Order<'_>, setting: &Context<'_>) -> String {
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
pub(super) fn issued(obr: Segment<'_>, setting: &Context<'_>) -> Instant {
    time(obr.field(22), setting).map_or_else(|| setting.sent(obr.message()), |moment| moment.instant)
}

/// What marks records that were sent for training or debugging (MSH-11).
pub(super) fn tag(message: &Message) -> Json {
    let code = message.header(11).component(1).text();
    if !matches!(code.as_str(), "T" | "D") {
        return Json::Absent;
    }
    Json::object([("tag", Json::one(Json::coding("http://terminology.hl7.org/CodeSystem/v2-0103", &code, "")))])
}

fn report(
    group: &Group<'_>,
    order: &Order<'_>,
    obr: Segment<'_>,
    identity: &str,
    subject: &str,
    setting: &Context<'_>,
    plan: &mut Plan,
) -> Result<(), Vec<Fault>> {
    let key = setting.namer.key(ResourceType::DiagnosticReport, identity);
    let request = service_request(order, identity, subject, Some(&key), setting, plan);
    let mut specimens: Vec<Key> =
        order.specimens.iter().map(|spm| specimen(*spm, identity, &key, subject, setting, plan)).collect();
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
        tag: tag(obr.message()),
    };
    let results = observations(&order.observations, Some(&key), &frame, setting, plan)?;
    let status = codes::report_status(&told).map_or_else(|| of_results(&results.statuses, &told), str::to_owned);
    let numbers = Numbers::of(order, setting);
    let mut content = Json::object([
        ("resourceType", Json::text("DiagnosticReport")),
        ("meta", frame.tag.clone()),
        ("identifier", numbers.identifiers()),
        ("basedOn", Json::one(Json::reference(&request.to_string()))),
        ("status", Json::text(&status)),
        ("category", report_category(&frame.section)),
        ("code", concept(obr.field(4), setting)),
        ("subject", Json::reference(subject)),
        (effective.0, effective.1),
        ("issued", Json::text(&frame.issued.to_string())),
    ]);
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
    Ok(())
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
fn effective(order: &Order<'_>, obr: Segment<'_>, setting: &Context<'_>) -> (&'static str, Json) {
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
fn performers(order: &Order<'_>, obr: Segment<'_>, setting: &Context<'_>, plan: &mut Plan) -> Json {
    let of = order.observations.iter().map(|one| one.result);
    let mut all = Vec::new();
    if let Some(obx) = of.clone().find(|obx| obx.field(23).is_valued()) {
        let at = Some(obx.field(24)).filter(|part| part.is_valued());
        all.push(organization(obx.field(23), at, setting, plan));
    } else if let Some(obx) = of.clone().find(|obx| obx.field(15).is_valued()) {
        all.push(producer(obx.field(15), setting, plan));
    }
    for one in obr.field(34).repetitions() {
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
fn loose(group: &Group<'_>, subject: &str, setting: &Context<'_>, plan: &mut Plan) -> Result<(), Vec<Fault>> {
    let Some(first) = group.loose.first() else { return Ok(()) };
    let message = first.result.message();
    let facility = message.header(4).component(1).text();
    let identity = match first.specimen {
        Some(spm) => format!("{facility}/{}/specimen", spm.field(2).text()),
        None => format!("{facility}/{}/{subject}", setting.message),
    };
    let anchor = setting.namer.key(ResourceType::Observation, &format!("{identity}/anchor"));
    let from = first.specimen.map(|spm| specimen(spm, &identity, &anchor, subject, setting, plan));
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
        tag: tag(message),
    };
    observations(&group.loose, None, &frame, setting, plan).map(drop)
}

/// Whoever ordered it.
pub(super) fn requester(order: &Order<'_>, setting: &Context<'_>, plan: &mut Plan) -> Json {
    let named = order.request.map(|obr| obr.field(16)).filter(|part| part.is_valued());
    let named = named.or_else(|| order.control.map(|orc| orc.field(12)).filter(|part| part.is_valued()));
    named.map_or(Json::Absent, |part| practitioner(part.first(), setting, plan))
}
