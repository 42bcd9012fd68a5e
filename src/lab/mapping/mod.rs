//! From a message to records, after HL7's v2-to-FHIR tables. Where this goes another way, docs/lab.md says why.

mod codes;
mod documents;
mod groups;
pub mod json;
mod numbers;
mod observation;
mod orders;
mod parents;
mod parties;
mod patient;
mod report;
#[cfg(test)]
mod segment_tests;
mod specimen;
#[cfg(test)]
mod tests;
mod types;
mod value;
mod visit;

pub use patient::prior_identifiers;

use super::tables::{Sender, Tables};
use super::v2::{Fault, FaultKind, Message, moment};
use super::{Mapping, Namer, Plan, Planned, Role};
use crate::fhir::{Instant, Key, ResourceType};
use groups::groups;
use jiff::tz::TimeZone;
use json::Json;
use std::sync::Arc;

/// What a mapping depends on beside the message.
#[derive(Debug)]
pub struct Context {
    /// Codes, units, systems.
    pub tables: Arc<Tables>,
    /// What is told about the sender.
    pub sender: Sender,
    /// The zone of times without an offset, where the sender has none of its own.
    pub zone: TimeZone,
    /// Gives ids.
    pub namer: Namer,
    /// The id of the message in the inbox.
    pub message: String,
    /// How often it was replayed: each replay has a testimony of its own.
    pub replay: u32,
    /// When it came.
    pub received: Instant,
}

impl Context {
    /// The zone of this sender.
    pub fn zone(&self) -> &TimeZone {
        self.sender.zone.as_ref().unwrap_or(&self.zone)
    }

    /// MSH-7, or when the message came.
    pub fn sent(&self, message: &Message) -> Instant {
        moment(&message.header(7).component(1).text(), self.zone()).map_or(self.received, |sent| sent.instant)
    }

    /// The testimony that this message was filed: where it stands in the store, the message is.
    pub fn testimony(&self) -> Key {
        self.namer.key(ResourceType::Provenance, &format!("{}#{}", self.message, self.replay))
    }
}

/// What a message is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Matter {
    /// Results: ORU, OUL.
    Results,
    /// Orders: ORM, OML, OMG.
    Orders,
    /// Documents: MDM.
    Documents,
    /// Who a patient is: ADT.
    Identity,
    /// Two records of one patient: ADT^A40.
    Merge,
}

impl Matter {
    /// The matter of a message.
    ///
    /// # Errors
    /// A type or event that is not taken.
    pub fn of(message: &Message) -> Result<Self, Fault> {
        let kind = message.header(9);
        let (code, event) = (kind.component(1).text(), kind.component(2).text());
        let events: &[&str] = match code.as_str() {
            "ORU" => &["R01", "R30", "R31", "R32", ""],
            "OUL" => &["R21", "R22", "R23", "R24"],
            "ORM" => &["O01", ""],
            "OML" => &["O21", "O33", "O35", "O39"],
            "OMG" => &["O19"],
            "MDM" => &["T01", "T02", "T03", "T04", "T05", "T06", "T07", "T08", "T09", "T10", "T11"],
            "ADT" => &["A01", "A04", "A05", "A08", "A28", "A31", "A40"],
            "" => return Err(Fault::at(FaultKind::Missing, "MSH", 9, "the message type is missing")),
            _ => {
                let text = format!("`{code}` is not taken here; ORU, OUL, ORM, OML, OMG, MDM and ADT are");
                return Err(Fault::at(FaultKind::MessageType, "MSH", 9, text));
            }
        };
        if !events.contains(&event.as_str()) {
            let text = format!("the event `{event}` of {code} is not taken here; these are: {}", events.join(" ").trim());
            return Err(Fault::at(FaultKind::EventCode, "MSH", 9, text));
        }
        Ok(match (code.as_str(), event.as_str()) {
            ("ORU" | "OUL", _) => Self::Results,
            ("ORM" | "OML" | "OMG", _) => Self::Orders,
            ("MDM", _) => Self::Documents,
            (_, "A40") => Self::Merge,
            _ => Self::Identity,
        })
    }
}

/// The PID segments of a message as Patient records, one for each patient that it is about.
///
/// # Errors
/// When there is none.
pub fn patients(message: &Message, setting: &Context) -> Result<Vec<Json>, Vec<Fault>> {
    let groups = groups(message);
    let told = groups.iter().filter_map(|group| Some(patient::patient(group.patient?, &group.relations, setting)));
    let found: Vec<Json> = told.collect();
    if found.is_empty() {
        return Err(vec![Fault::of(FaultKind::Sequence, "there is no PID segment: whose results are these?")]);
    }
    Ok(found)
}

/// Maps results, orders or documents. `subjects` are the references of the patients, in the order of [`patients`].
///
/// # Errors
/// Everything that the sender must correct.
pub fn map(message: &Message, subjects: &[String], setting: &Context) -> Mapping {
    let matter = Matter::of(message).map_err(|fault| vec![fault])?;
    let mut plan = Plan::default();
    for warning in message.warnings() {
        plan.warn(super::WarningKind::Lenient, "message", "", warning.clone());
    }
    let (mut faults, mut subjects) = (Vec::new(), subjects.iter());
    for group in groups(message).iter().filter(|group| group.patient.is_some()) {
        let Some(subject) = subjects.next() else { break };
        let mapped = match matter {
            Matter::Results => report::results(group, subject, setting, &mut plan),
            Matter::Orders => orders::orders(group, subject, setting, &mut plan),
            Matter::Documents => documents::document(group, subject, setting, &mut plan),
            Matter::Identity | Matter::Merge => Ok(()),
        };
        faults.extend(mapped.err().into_iter().flatten());
    }
    let outside = message.all("OBX").count().saturating_sub(plan.observations.len());
    if faults.is_empty() && outside > 0 && matter == Matter::Results {
        faults.push(Fault::of(
            FaultKind::Sequence,
            format!("{outside} OBX segments stand where no result can: outside of PID and OBR"),
        ));
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    testify(message, setting, &mut plan);
    Ok(plan)
}

/// The Provenance of everything in a plan, with the message as its source.
pub fn testify(message: &Message, setting: &Context, plan: &mut Plan) {
    if plan.records.is_empty() {
        return;
    }
    let sent = moment(&message.header(7).component(1).text(), setting.zone()).map(|sent| sent.text);
    let organization = parties::sender(message, setting, plan);
    let targets: Vec<Json> = plan
        .records
        .iter()
        .filter(|record| !matches!(record.role, Role::Known))
        .map(|record| Json::reference(&record.key.to_string()))
        .collect();
    let what = Json::object([
        (
            "identifier",
            Json::object([
                ("system", Json::text("urn:ietf:rfc:3986")),
                ("value", Json::text(&format!("urn:uuid:{}", setting.message))),
            ]),
        ),
        (
            "display",
            Json::text(&format!("{} {} of {}", message.kind(), message.header(10).text(), message.header(3).component(1).text())),
        ),
    ]);
    let participant = "http://terminology.hl7.org/CodeSystem/provenance-participant-type";
    let agent = Json::object([("type", Json::concept(participant, "author", "Author")), ("who", organization)]);
    let content = Json::object([
        ("resourceType", Json::text("Provenance")),
        ("target", Json::array(targets)),
        ("occurredDateTime", Json::some(sent)),
        ("recorded", Json::text(&setting.received.to_string())),
        (
            "activity",
            Json::object([(
                "coding",
                Json::one(Json::coding(
                    "http://terminology.hl7.org/CodeSystem/v2-0003",
                    &message.header(9).component(2).text(),
                    "",
                )),
            )]),
        ),
        ("agent", Json::one(agent)),
        ("entity", Json::one(Json::object([("role", Json::text("source")), ("what", what)]))),
    ]);
    plan.add(Planned { key: setting.testimony(), known_by: Vec::new(), role: Role::Testimony, content });
}
