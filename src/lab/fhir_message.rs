//! A Bundle of type `message` (<https://hl7.org/fhir/R4/messaging.html>) as a plan: the same identities, the same patients, the same rules
//! for older and newer as for HL7 v2.

use super::mapping::Context;
use super::mapping::json::Json;
use super::{Mapping, Plan, Planned, Role, Stamp};
use crate::fhir::json::{Document, Element};
use crate::fhir::rewrite::rewrite_references;
use crate::fhir::{Instant, Key, Problem, ResourceType};
use crate::lab::v2::{Fault, FaultKind};
use std::collections::HashMap;

/// What a message says of itself, and the records in it.
#[derive(Debug)]
pub struct FhirMessage {
    /// `MessageHeader.id`, else the identifier of the Bundle: what tells the message from the others of its sender.
    pub control: String,
    /// The code of the event.
    pub event: String,
    /// `MessageHeader.source.endpoint`
    pub source: String,
    /// `Bundle.timestamp`
    pub sent: Option<Instant>,
    records: Vec<Record>,
}

#[derive(Debug)]
struct Record {
    full_url: String,
    resource_type: ResourceType,
    document: Document,
}

impl FhirMessage {
    /// Reads one.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(document: &Document) -> Result<Self, Vec<Problem>> {
        let root = document.root();
        let is = |name: &str, text: &str| root.text_at(name).as_deref() == Some(text);
        if !is("resourceType", "Bundle") || !is("type", "message") {
            return Err(vec![Problem::at("invalid", "Bundle.type", "`$process-message` takes a Bundle of type `message`")]);
        }
        let entries: Vec<Element<'_>> = root.get("entry").into_iter().flat_map(Element::items).collect();
        let (mut records, mut problems) = (Vec::new(), Vec::new());
        for (at, entry) in entries.iter().enumerate() {
            match record(*entry) {
                Some(record) => records.push(record),
                None => problems.push(Problem::at("structure", format!("Bundle.entry[{at}].resource"), "a record was expected")),
            }
        }
        let header = records.iter().position(|one| one.resource_type == ResourceType::MessageHeader).filter(|at| *at == 0);
        let Some(_) = header else {
            problems.push(Problem::at("required", "Bundle.entry[0].resource", "a message begins with its MessageHeader"));
            return Err(problems);
        };
        if !problems.is_empty() {
            return Err(problems);
        }
        let header = records.remove(0);
        let head = header.document.root();
        let text = |at: Option<Element<'_>>, name: &str| at.and_then(|one| one.text_at(name)).map(std::borrow::Cow::into_owned);
        let names = [
            text(Some(head), "id"),
            text(root.get("identifier"), "value"),
            text(Some(root), "id"),
            Some(header.full_url.clone()),
        ];
        let control = names.into_iter().flatten().find(|name| !name.is_empty());
        let event = text(head.get("eventCoding"), "code").or_else(|| text(Some(head), "eventUri"));
        let (Some(control), Some(event)) = (control, event) else {
            let text = "the MessageHeader needs an `id` and an event, or the message could not be told from others";
            return Err(vec![Problem::at("required", "MessageHeader", text)]);
        };
        let sent = root.text_at("timestamp").and_then(|text| Instant::parse(&text));
        Ok(Self { control, event, source: text(head.get("source"), "endpoint").unwrap_or_default(), sent, records })
    }

    /// The patients in it, as JSON.
    pub fn patients(&self) -> Vec<Json> {
        let of = self.records.iter().filter(|one| one.resource_type == ResourceType::Patient);
        of.map(|one| Json::Raw(one.document.text().to_owned())).collect()
    }

    /// The records in it as a plan. `subjects` are the references of the patients, in the order of [`FhirMessage::patients`].
    ///
    /// # Errors
    /// When nothing is in it that a laboratory files.
    pub fn map(&self, subjects: &[String], setting: &Context) -> Mapping {
        let filed = self.records.iter().filter(|one| one.resource_type != ResourceType::Patient);
        let keyed: Vec<(&Record, Key)> = filed.enumerate().map(|(at, one)| (one, self.key(one, at, setting))).collect();
        let mut targets: HashMap<String, String> = HashMap::new();
        let patients = self.records.iter().filter(|one| one.resource_type == ResourceType::Patient);
        for (record, to) in patients.zip(subjects.iter().cloned()).chain(keyed.iter().map(|(one, key)| (*one, key.to_string()))) {
            let own = record.document.root().text_at("id").map(|id| format!("{}/{id}", record.resource_type));
            targets.extend(
                own.into_iter().chain([record.full_url.clone()]).filter(|name| !name.is_empty()).map(|name| (name, to.clone())),
            );
        }
        let results = |of: ResourceType| {
            matches!(of, ResourceType::DiagnosticReport | ResourceType::Observation | ResourceType::DocumentReference)
        };
        let Some((_, anchor)) = keyed.iter().find(|(one, _)| results(one.resource_type)) else {
            let text = "there is no DiagnosticReport, Observation or DocumentReference in the message: nothing to file";
            return Err(vec![Fault::of(FaultKind::MessageType, text)]);
        };
        let mut plan = Plan::default();
        for (record, key) in &keyed {
            let document = rewrite_references(&record.document, &|url| targets.get(url).cloned());
            let role = match record.resource_type {
                of if results(of) => Role::Result(stamp(document.root(), self.sent.unwrap_or(setting.received))),
                ResourceType::Practitioner
                | ResourceType::Organization
                | ResourceType::PractitionerRole
                | ResourceType::Location => Role::Known,
                ResourceType::ServiceRequest => Role::Order(None),
                _ => Role::With(anchor.clone()),
            };
            let content = Json::Raw(document.into_text());
            plan.add(Planned { key: key.clone(), known_by: Vec::new(), role, content });
        }
        plan.add(self.testimony(&keyed, setting));
        Ok(plan)
    }

    fn key(&self, record: &Record, at: usize, setting: &Context) -> Key {
        let first = record.document.root().get("identifier").and_then(|list| list.flattened().next());
        let part = |name: &str| first.and_then(|one| one.text_at(name)).map(std::borrow::Cow::into_owned).unwrap_or_default();
        let (system, value) = (part("system"), part("value"));
        let identity = if value.is_empty() {
            format!("{}/{}/{at}", self.source, self.control)
        } else {
            format!("{}/{system}|{value}", self.source)
        };
        setting.namer.key(record.resource_type, &identity)
    }

    fn testimony(&self, keyed: &[(&Record, Key)], setting: &Context) -> Planned {
        let targets = keyed.iter().map(|(_, key)| Json::reference(&key.to_string()));
        let what = Json::object([
            (
                "identifier",
                Json::object([
                    ("system", Json::text("urn:ietf:rfc:3986")),
                    ("value", Json::text(&format!("urn:uuid:{}", setting.message))),
                ]),
            ),
            ("display", Json::text(&format!("message {} {}", self.event, self.control))),
        ]);
        let who = Json::object([("display", Json::text(if self.source.is_empty() { "unknown sender" } else { &self.source }))]);
        let content = Json::object([
            ("resourceType", Json::text("Provenance")),
            ("target", Json::array(targets)),
            ("recorded", Json::text(&setting.received.to_string())),
            ("agent", Json::one(Json::object([("who", who)]))),
            ("entity", Json::one(Json::object([("role", Json::text("source")), ("what", what)]))),
        ]);
        Planned { key: setting.testimony(), known_by: Vec::new(), role: Role::Testimony, content }
    }
}

fn record(entry: Element<'_>) -> Option<Record> {
    let resource = entry.get("resource")?;
    let document = Document::parse(resource.raw().as_bytes()).ok()?;
    let resource_type = ResourceType::parse(&resource.text_at("resourceType")?)?;
    let full_url = entry.text_at("fullUrl").map(std::borrow::Cow::into_owned).unwrap_or_default();
    Some(Record { full_url, resource_type, document })
}

/// When a result was reported: `issued`, `date`, or when the message was sent.
fn stamp(record: Element<'_>, sent: Instant) -> Stamp {
    let at = ["issued", "date"].into_iter().find_map(|name| Instant::parse(&record.text_at(name)?));
    let status = record.text_at("status").map(std::borrow::Cow::into_owned).unwrap_or_default();
    Stamp { at: at.unwrap_or(sent), status }
}
