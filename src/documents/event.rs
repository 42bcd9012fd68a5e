//! AuditEvent (<https://hl7.org/fhir/R4/auditevent.html>). Equal in R4 and R4B.

use crate::bare;
use crate::object::Object;
use fhir_sdk::Base64Binary;
use fhir_sdk::r4b::resources::{AuditEventAgent, AuditEventEntity, AuditEventSource};
use fhir_sdk::r4b::types::{CodeableConcept, Coding, Reference};

/// A code in its system. `system` may be empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Code {
    /// The code system.
    pub system: String,
    /// The code.
    pub code: String,
}

/// Who or what a reference points to. Absent parts are `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pointer {
    /// `Type/id`, or a URL.
    pub reference: Option<String>,
    /// System (may be empty) and value.
    pub identifier: Option<(String, String)>,
    /// For people.
    pub display: Option<String>,
}

/// Someone or something that took part.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AgentParts {
    /// The roles in which it took part: the codings of one `type`.
    pub kinds: Vec<Code>,
    /// Who.
    pub who: Pointer,
    /// Whether it began the event.
    pub requestor: bool,
    /// The policies (here: tokens) that it acted under.
    pub policies: Vec<String>,
    /// Address, and its kind (`2` IP address, `5` URI).
    pub network: Option<(String, String)>,
    /// Purposes of use.
    pub purposes: Vec<Code>,
}

/// Something that was used or touched.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EntityParts {
    /// What kind of thing.
    pub kind: Option<Code>,
    /// Its role in the event.
    pub role: Option<Code>,
    /// Which.
    pub what: Option<Pointer>,
    /// Its name. An entity has a name or a query, not both (`sev-1`).
    pub name: Option<String>,
    /// For people.
    pub description: Option<String>,
    /// The raw query; it is written in base64.
    pub query: Option<Vec<u8>>,
}

/// The parts of an AuditEvent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditEventParts {
    /// Logical id.
    pub id: String,
    /// `meta.versionId` and `meta.lastUpdated`.
    pub version: (String, String),
    /// The profiles that it conforms to.
    pub profiles: Vec<String>,
    /// `type`
    pub kind: Code,
    /// `subtype`
    pub subtypes: Vec<Code>,
    /// `C`, `R`, `U`, `D` or `E`.
    pub action: String,
    /// An R4 `instant`.
    pub recorded: String,
    /// `0`, `4`, `8` or `12`.
    pub outcome: String,
    /// Why it ended so.
    pub reason: Option<String>,
    /// `purposeOfEvent`
    pub purposes: Vec<Code>,
    /// Who took part; R4 wants at least one.
    pub agents: Vec<AgentParts>,
    /// Who observed the event.
    pub observer: Pointer,
    /// The logical place of the observer.
    pub site: Option<String>,
    /// What kind of system the observer is.
    pub source: Code,
    /// What was used or touched.
    pub entities: Vec<EntityParts>,
}

/// The AuditEvent with these parts.
pub fn audit_event(parts: &AuditEventParts) -> String {
    let mut document = Object::resource("AuditEvent");
    document.member("id", &parts.id);
    document.raw("meta", &meta(parts));
    document.member("type", &coding(&parts.kind));
    document.array("subtype", &parts.subtypes.iter().map(coding).collect::<Vec<_>>());
    document.member("action", &parts.action);
    document.member("recorded", &parts.recorded);
    document.member("outcome", &parts.outcome);
    document.optional("outcomeDesc", parts.reason.as_deref());
    document.array("purposeOfEvent", &parts.purposes.iter().map(|one| concept(std::slice::from_ref(one))).collect::<Vec<_>>());
    document.array("agent", &parts.agents.iter().map(agent).collect::<Vec<_>>());
    document.member("source", &source(parts));
    document.array("entity", &parts.entities.iter().map(entity).collect::<Vec<_>>());
    document.finish()
}

fn meta(parts: &AuditEventParts) -> String {
    let mut meta = Object::new();
    meta.member("versionId", &parts.version.0);
    meta.member("lastUpdated", &parts.version.1);
    meta.array("profile", &parts.profiles);
    meta.finish()
}

fn source(parts: &AuditEventParts) -> AuditEventSource {
    let mut source = bare::source(pointer(&parts.observer));
    source.site.clone_from(&parts.site);
    source.r#type = vec![Some(coding(&parts.source))];
    source
}

fn agent(parts: &AgentParts) -> AuditEventAgent {
    let mut agent = bare::agent(parts.requestor);
    agent.r#type = (!parts.kinds.is_empty()).then(|| concept(&parts.kinds));
    agent.who = (parts.who != Pointer::default()).then(|| pointer(&parts.who));
    agent.policy = parts.policies.iter().cloned().map(Some).collect();
    agent.network = parts.network.as_ref().map(|(address, kind)| {
        let mut network = bare::network();
        network.address = Some(address.clone());
        network.r#type = kind.parse().ok();
        network
    });
    agent.purpose_of_use = parts.purposes.iter().map(|code| Some(concept(std::slice::from_ref(code)))).collect();
    agent
}

fn entity(parts: &EntityParts) -> AuditEventEntity {
    let mut entity = bare::entity();
    entity.r#type = parts.kind.as_ref().map(coding);
    entity.role = parts.role.as_ref().map(coding);
    entity.what = parts.what.as_ref().map(pointer);
    entity.name.clone_from(&parts.name);
    entity.description.clone_from(&parts.description);
    entity.query = parts.query.clone().map(Base64Binary);
    entity
}

fn coding(code: &Code) -> Coding {
    let mut coding = bare::coding();
    coding.system = (!code.system.is_empty()).then(|| code.system.clone());
    coding.code = Some(code.code.clone());
    coding
}

fn concept(codes: &[Code]) -> CodeableConcept {
    let mut concept = bare::concept();
    concept.coding = codes.iter().map(|code| Some(coding(code))).collect();
    concept
}

fn pointer(parts: &Pointer) -> Reference {
    let mut reference = bare::reference();
    reference.reference.clone_from(&parts.reference);
    reference.display.clone_from(&parts.display);
    reference.identifier = parts.identifier.as_ref().map(|(system, value)| {
        let mut identifier = bare::identifier();
        identifier.system = (!system.is_empty()).then(|| system.clone());
        identifier.value = Some(value.clone());
        identifier
    });
    reference
}

#[cfg(test)]
mod tests {
    use super::{AgentParts, AuditEventParts, Code, EntityParts, Pointer, audit_event};
    use serde_json::{Value, json};

    #[test]
    fn the_parts_stand_where_r4_wants_them() {
        let code = |system: &str, code: &str| Code { system: system.into(), code: code.into() };
        let parts = AuditEventParts {
            id: "n1-7-0".into(),
            version: ("1".into(), "2026-01-02T03:04:05.600Z".into()),
            profiles: vec!["http://p".into()],
            kind: code("http://t", "rest"),
            action: "R".into(),
            recorded: "2026-01-02T03:04:05.600Z".into(),
            outcome: "8".into(),
            reason: Some("token:expired".into()),
            purposes: vec![code("http://r", "BTG")],
            agents: vec![AgentParts {
                kinds: vec![code("http://d", "1")],
                who: Pointer { identifier: Some((String::new(), "c".into())), ..Pointer::default() },
                requestor: true,
                policies: vec!["urn:x".into()],
                network: Some(("::1".into(), "2".into())),
                purposes: vec![code("http://r", "TREAT")],
            }],
            observer: Pointer { display: Some("gateway".into()), ..Pointer::default() },
            source: code("http://s", "4"),
            entities: vec![EntityParts { query: Some(b"GET x".to_vec()), ..EntityParts::default() }],
            ..AuditEventParts::default()
        };
        let document: Value = serde_json::from_str(&audit_event(&parts)).unwrap();
        let expected = json!({"resourceType": "AuditEvent", "id": "n1-7-0",
            "meta": {"versionId": "1", "lastUpdated": "2026-01-02T03:04:05.600Z", "profile": ["http://p"]},
            "type": {"system": "http://t", "code": "rest"}, "action": "R", "recorded": "2026-01-02T03:04:05.600Z",
            "outcome": "8", "outcomeDesc": "token:expired", "purposeOfEvent": [{"coding": [{"system": "http://r", "code": "BTG"}]}],
            "agent": [{"type": {"coding": [{"system": "http://d", "code": "1"}]}, "who": {"identifier": {"value": "c"}},
                "requestor": true, "policy": ["urn:x"], "network": {"address": "::1", "type": "2"},
                "purposeOfUse": [{"coding": [{"system": "http://r", "code": "TREAT"}]}]}],
            "source": {"observer": {"display": "gateway"}, "type": [{"system": "http://s", "code": "4"}]},
            "entity": [{"query": "R0VUIHg="}]});
        assert_eq!(document, expected);
    }
}
