//! ORC and OBR as a `ServiceRequest`.

use super::Context;
use super::codes;
use super::groups::{Group, Order};
use super::json::Json;
use super::numbers::{Numbers, further, identifiers, requisition};
use super::observation::{Frame, annotation, observations};
use super::report::{identity, meta, requester};
use super::specimen::{from_order, specimen};
use super::types::{concept, date_time, telecom, time};
use super::visit::encounter;
use crate::disclosure::AS_OF;
use crate::fhir::{Key, ResourceType};
use crate::lab::v2::{Fault, FaultKind};
use crate::lab::{Plan, Planned, Role, Stamp, WarningKind};

/// Maps the orders of a patient.
pub(super) fn orders(group: &Group<'_>, subject: &str, setting: &Context, plan: &mut Plan) -> Result<(), Vec<Fault>> {
    let mut faults = Vec::new();
    let visit = encounter(group, subject, setting, plan);
    for order in &group.orders {
        let Some(obr) = order.request.or(order.control) else { continue };
        let identity = identity(obr, order, setting);
        let key = service_request(order, &identity, (subject, &visit), None, setting, plan);
        let mut specimens: Vec<Key> =
            order.specimens.iter().enumerate().map(|spm| specimen(spm, &identity, &key, subject, setting, plan)).collect();
        if let Some(obr) = order.request.filter(|_| specimens.is_empty()) {
            specimens.extend(from_order(obr, &identity, &key, subject, setting, plan));
        }
        let message = obr.message();
        let frame = Frame {
            identity: &identity,
            subject,
            specimen: specimens.first().cloned().filter(|_| specimens.len() == 1),
            order: None,
            effective: Json::some(time(obr.field(7), setting).map(|moment| moment.text)),
            issued: setting.sent(message),
            status: "unknown",
            section: String::new(),
            meta: meta(message, Some(order), setting),
            encounter: visit.clone(),
        };
        match observations(&order.observations, None, &frame, setting, plan) {
            Ok(results) => link(plan, &key, &results.keys, &specimens),
            Err(found) => faults.extend(found),
        }
    }
    if group.orders.is_empty() {
        faults.push(Fault::of(FaultKind::Sequence, "there is neither an ORC nor an OBR segment: what is ordered?"));
    }
    if faults.is_empty() { Ok(()) } else { Err(faults) }
}

/// What came with an order: answers to questions, and specimens.
fn link(plan: &mut Plan, order: &Key, answers: &[Key], specimens: &[Key]) {
    let Some(record) = plan.records.iter_mut().find(|record| record.key == *order) else { return };
    let references = |keys: &[Key]| Json::array(keys.iter().map(|key| Json::reference(&key.to_string())));
    record.content.put("supportingInfo", references(answers));
    record.content.put("specimen", references(specimens));
}

/// The `ServiceRequest` of an order; of results, when `report` is told: then it is linked or made, and flagged where nobody knew of it.
pub(super) fn service_request(
    order: &Order<'_>,
    identity: &str,
    (subject, visit): (&str, &Json),
    report: Option<&Key>,
    setting: &Context,
    plan: &mut Plan,
) -> Key {
    let numbers = Numbers::of(order, setting);
    let key = setting.namer.key(ResourceType::ServiceRequest, identity);
    let any = order.request.or(order.control);
    let sent = any.map_or(setting.received, |segment| setting.sent(segment.message()));
    let mut content = Json::object([
        ("resourceType", Json::text("ServiceRequest")),
        ("meta", any.map_or(Json::Absent, |segment| meta(segment.message(), Some(order), setting))),
        ("extension", Json::one(Json::extension(AS_OF, "valueInstant", Json::text(&sent.to_string())))),
        ("identifier", Json::array(identifiers(order, setting))),
        ("basedOn", Numbers::of_parent(order, setting).logical()),
        ("requisition", requisition(order, setting)),
        ("status", Json::text(status(order, report.is_some()))),
        ("intent", Json::text(intent(order, report.is_some()))),
        ("category", Json::one(Json::concept("http://snomed.info/sct", "108252007", "Laboratory procedure"))),
        ("priority", priority(order)),
        ("code", order.request.map_or(Json::Absent, |obr| concept(obr.field(4), setting))),
        ("subject", Json::reference(subject)),
        ("encounter", visit.clone()),
        ("authoredOn", order.control.map_or(Json::Absent, |orc| date_time(orc.field(9), setting))),
        ("occurrenceDateTime", order.request.map_or(Json::Absent, |obr| date_time(obr.field(6), setting))),
    ]);
    content.extend("identifier", further(order, setting));
    put_requester(&mut content, order, setting, plan);
    put_circumstances(&mut content, order, report.is_some(), setting);
    let stamp = report.is_none().then(|| Stamp { at: sent, status: status(order, false).to_owned() });
    if report.is_some() && numbers.placer.is_none() && numbers.filler.is_none() {
        plan.warn(WarningKind::Unsolicited, "OBR-2", "", "the results name no order");
    }
    let known_by = numbers.known_for_patient(subject);
    plan.add(Planned { key, known_by, role: Role::Order(stamp), content })
}

/// Who ordered, and where to call back (OBR-17, ORC-14).
fn put_requester(content: &mut Json, order: &Order<'_>, setting: &Context, plan: &mut Plan) {
    let mut requester = requester(order, setting, plan);
    let phones = [order.request.map(|obr| obr.field(17)), order.control.map(|orc| orc.field(14))];
    let phone = phones.into_iter().flatten().find(|part| part.is_valued());
    if let Some(phone) = phone {
        let url = "http://hl7.org/fhir/StructureDefinition/servicerequest-order-callback-phone-number";
        let numbers = phone.repetitions().map(|one| Json::extension(url, "valueContactPoint", telecom(one, "work", setting)));
        let numbers = Json::array(numbers.collect::<Vec<_>>());
        if requester.is_there() {
            requester.put("extension", numbers);
        } else {
            requester = Json::object([("extension", numbers)]);
        }
    }
    content.put("requester", requester);
}

/// Why it was ordered, in which detail, and what was noted about it.
fn put_circumstances(content: &mut Json, order: &Order<'_>, has_results: bool, setting: &Context) {
    let of = |field: usize| {
        order.request.into_iter().flat_map(move |obr| obr.field(field).repetitions()).map(|one| concept(one, setting))
    };
    let diagnoses = order.diagnoses.iter().map(|dg1| concept(dg1.field(3), setting));
    content.put("reasonCode", Json::array(of(31).chain(diagnoses).collect::<Vec<_>>()));
    content.put("orderDetail", Json::array(of(46).chain(of(47)).collect::<Vec<_>>()));
    let reason = order.control.map_or(Json::Absent, |orc| concept(orc.field(16), setting));
    let url = "http://hl7.org/fhir/StructureDefinition/request-statusReason";
    content.extend("extension", [Json::extension(url, "valueCodeableConcept", reason)]);
    // Notes behind the OBR of results are about the results.
    if !has_results {
        content.put("note", Json::array(order.notes.iter().map(|note| annotation(*note, setting)).collect::<Vec<_>>()));
    }
    if let Some(clinical) = order.request.and_then(|obr| obr.field(13).some()) {
        content.extend("note", [Json::object([("text", Json::text(&clinical))])]);
    }
}

/// OBR-11 tells a test that followed of another's result; an order that only results tell of is the filler's.
fn intent(order: &Order<'_>, has_results: bool) -> &'static str {
    match order.request.map(|obr| obr.field(11).text()).as_deref() {
        Some("G") => "reflex-order",
        _ if has_results => "filler-order",
        _ => "order",
    }
}

fn status(order: &Order<'_>, has_results: bool) -> &'static str {
    let told = order.control.and_then(|orc| codes::order_status(&orc.field(5).text()));
    let control = order.control.and_then(|orc| codes::order_control(&orc.field(1).text()));
    let done = order.request.map(|obr| obr.field(25).text()).is_some_and(|code| matches!(code.as_str(), "F" | "C"));
    told.or(control).unwrap_or(if has_results && done { "completed" } else { "active" })
}

fn priority(order: &Order<'_>) -> Json {
    let told = [
        order.timing.map(|tq1| tq1.field(9).component(1).text()),
        order.request.map(|obr| obr.field(5).component(1).text()),
        order.request.map(|obr| obr.field(27).component(6).text()),
        order.control.map(|orc| orc.field(7).component(6).text()),
    ];
    told.into_iter().flatten().find_map(|code| codes::priority(&code)).map_or(Json::Absent, Json::text)
}
