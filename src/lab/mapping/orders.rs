//! ORC and OBR as a `ServiceRequest`.

use super::Context;
use super::codes;
use super::groups::{Group, Order};
use super::json::Json;
use super::observation::{Frame, annotation, observations};
use super::parties::search_text;
use super::report::{identity, requester, tag};
use super::specimen::specimen;
use super::types::{concept, date_time, entity, identifier, time};
use crate::disclosure::AS_OF;
use crate::fhir::{Key, ResourceType};
use crate::lab::v2::{Fault, FaultKind};
use crate::lab::{Plan, Planned, Role, Stamp, WarningKind};

/// The numbers of an order: value and system.
#[derive(Debug, Clone, Default)]
pub(super) struct Numbers {
    pub(super) placer: Option<(String, String)>,
    pub(super) filler: Option<(String, String)>,
}

impl Numbers {
    /// OBR-2 and OBR-3, else ORC-2 and ORC-3.
    pub(super) fn of(order: &Order<'_>, setting: &Context<'_>) -> Self {
        let number = |field: usize| {
            let of = [order.request, order.control].into_iter().flatten();
            of.map(|segment| segment.field(field)).find_map(|part| entity(part, setting))
        };
        Self { placer: number(2), filler: number(3) }
    }

    /// As Identifiers.
    pub(super) fn identifiers(&self) -> Json {
        let one = |number: &Option<(String, String)>, kind: &str| {
            number.as_ref().map_or(Json::Absent, |(value, system)| identifier(system, value, kind))
        };
        Json::array([one(&self.placer, "PLAC"), one(&self.filler, "FILL")])
    }

    /// Conditions that find the order on file, among those of its patient.
    fn known_for_patient(&self, subject: &str) -> Vec<String> {
        let patient = crate::fhir::encode(subject);
        let all = [&self.placer, &self.filler].into_iter().flatten();
        all.map(|(value, system)| {
            if system.is_empty() {
                format!("identifier={}&subject={patient}", crate::fhir::encode(&search_text(value)))
            } else {
                format!("{}&subject={patient}", condition(system, value))
            }
        })
        .collect()
    }
}

fn condition(system: &str, value: &str) -> String {
    format!("identifier={}", crate::fhir::encode(&format!("{}|{}", search_text(system), search_text(value))))
}

/// Maps the orders of a patient.
pub(super) fn orders(group: &Group<'_>, subject: &str, setting: &Context<'_>, plan: &mut Plan) -> Result<(), Vec<Fault>> {
    let mut faults = Vec::new();
    for order in &group.orders {
        let Some(obr) = order.request.or(order.control) else { continue };
        let identity = identity(obr, order, setting);
        let key = service_request(order, &identity, subject, None, setting, plan);
        let specimens: Vec<Key> =
            order.specimens.iter().map(|spm| specimen(*spm, &identity, &key, subject, setting, plan)).collect();
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
            tag: tag(message),
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
    subject: &str,
    report: Option<&Key>,
    setting: &Context<'_>,
    plan: &mut Plan,
) -> Key {
    let numbers = Numbers::of(order, setting);
    let key = setting.namer.key(ResourceType::ServiceRequest, identity);
    let any = order.request.or(order.control);
    let sent = any.map_or(setting.received, |segment| setting.sent(segment.message()));
    let mut content = Json::object([
        ("resourceType", Json::text("ServiceRequest")),
        ("meta", any.map_or(Json::Absent, |segment| tag(segment.message()))),
        ("extension", Json::one(Json::extension(AS_OF, "valueInstant", Json::text(&sent.to_string())))),
        ("identifier", numbers.identifiers()),
        ("status", Json::text(status(order, report.is_some()))),
        ("intent", Json::text(if report.is_some() { "filler-order" } else { "order" })),
        ("category", Json::one(Json::concept("http://snomed.info/sct", "108252007", "Laboratory procedure"))),
        ("priority", priority(order)),
        ("code", order.request.map_or(Json::Absent, |obr| concept(obr.field(4), setting))),
        ("subject", Json::reference(subject)),
        ("authoredOn", order.control.map_or(Json::Absent, |orc| date_time(orc.field(9), setting))),
    ]);
    content.put("requester", requester(order, setting, plan));
    let reasons = order.request.into_iter().flat_map(|obr| obr.field(31).repetitions()).map(|one| concept(one, setting));
    let diagnoses = order.diagnoses.iter().map(|dg1| concept(dg1.field(3), setting));
    content.put("reasonCode", Json::array(reasons.chain(diagnoses).collect::<Vec<_>>()));
    // Notes behind the OBR of results are about the results.
    if report.is_none() {
        content.put("note", Json::array(order.notes.iter().map(|note| annotation(*note, setting)).collect::<Vec<_>>()));
    }
    if let Some(clinical) = order.request.and_then(|obr| obr.field(13).some()) {
        content.extend("note", [Json::object([("text", Json::text(&clinical))])]);
    }
    let stamp = report.is_none().then(|| Stamp { at: sent, status: status(order, false).to_owned() });
    let about = numbers.placer.as_ref().or(numbers.filler.as_ref()).map(|(value, _)| value.clone()).unwrap_or_default();
    if report.is_some() && about.is_empty() {
        plan.warn(WarningKind::Unsolicited, "OBR-2", "", "the results name no order");
    }
    let known_by = numbers.known_for_patient(subject);
    plan.add(Planned { key, known_by, role: Role::Order(stamp), content })
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
