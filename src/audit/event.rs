//! An entry as FHIR shows it: one AuditEvent for each patient (IHE BALP 1.1, R4).

use super::decision;
use super::participants::participants;
use super::pattern::{Coded, Pattern, Subject, code, pattern, profile};
use super::{Entry, Event};
use crate::fhir::{Id, Outcome, ResourceType};
use amanat_documents::{AuditEventParts, EntityParts, Pointer, audit_event};

const BREAK_THE_GLASS: Coded = ("http://terminology.hl7.org/CodeSystem/v3-ActReason", "BTG");
pub(super) const PERSON: Coded = ("http://terminology.hl7.org/CodeSystem/audit-entity-type", "1");
const SYSTEM_OBJECT: Coded = ("http://terminology.hl7.org/CodeSystem/audit-entity-type", "2");
const OBJECT_ROLE: &str = "http://terminology.hl7.org/CodeSystem/object-role";
pub(super) const PATIENT: Coded = (OBJECT_ROLE, "1");
const DOMAIN_RESOURCE: Coded = (OBJECT_ROLE, "4");
const SECURITY_RESOURCE: Coded = (OBJECT_ROLE, "13");
const QUERY: Coded = (OBJECT_ROLE, "24");
const REQUEST_ID: Coded = ("https://profiles.ihe.net/ITI/BALP/CodeSystem/BasicAuditEntityType", "XrequestId");
pub(super) const APPLICATION_SERVER: Coded = ("http://terminology.hl7.org/CodeSystem/security-source-type", "4");
const TOKEN_USE: &str = "IHE.BasicAudit.OAUTHaccessTokenUse.Comprehensive";

/// The place that observes: what every AuditEvent of this gateway has in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    node: String,
    base: String,
    observer: String,
    tenant: Option<String>,
}

impl Site {
    /// A site: the node's name, the FHIR base URL, what the gateway is called, and for which tenant it acts.
    /// `None` when the node's name is not 1 to 20 characters of `[A-Za-z0-9.-]`: it is part of ids.
    pub fn new(node: &str, base: &str, observer: &str, tenant: Option<&str>) -> Option<Self> {
        (Id::parse(node).is_some() && node.len() <= 20).then(|| Self {
            node: node.to_owned(),
            base: base.to_owned(),
            observer: observer.to_owned(),
            tenant: tenant.map(ToOwned::to_owned),
        })
    }

    /// The name of the node.
    pub fn node(&self) -> &str {
        &self.node
    }

    pub(super) fn base(&self) -> &str {
        &self.base
    }

    pub(super) fn tenant(&self) -> Option<&str> {
        self.tenant.as_deref()
    }

    pub(super) fn pointer(&self) -> Pointer {
        Pointer { display: Some(self.observer.clone()), ..Pointer::default() }
    }

    /// The id of the `nth` AuditEvent of an entry, from 0: `{node}-{seq}-{n}`.
    fn event_id(&self, seq: i64, nth: usize) -> Option<Id> {
        Id::parse(&format!("{}-{seq}-{nth}", self.node))
    }

    /// The entry and the place in it that an id names, when it is an id of this node.
    pub fn place(&self, id: &Id) -> Option<(i64, usize)> {
        let (seq, nth) = id.as_str().strip_prefix(&self.node)?.strip_prefix('-')?.split_once('-')?;
        let (seq, nth) = (seq.parse().ok().filter(|seq| *seq > 0)?, nth.parse().ok()?);
        (self.event_id(seq, nth).as_ref() == Some(id)).then_some((seq, nth))
    }
}

/// Each `AuditEvent` of an entry, with its id: one for each patient, or one without when there is none; then one for each patient whose
/// consents decided.
/// The form of the token request is closed (BALP, ITI-71): it never names a patient.
pub fn audit_events(seq: i64, entry: &Entry, site: &Site) -> Vec<(Id, String)> {
    let pattern = pattern(&entry.event);
    let patients: Vec<Option<&Id>> = if entry.patients.is_empty() || pattern.subject == Subject::QueryAlone {
        vec![None]
    } else {
        entry.patients.iter().map(Some).collect()
    };
    let written = |(nth, patient): (usize, Option<&Id>)| {
        let id = site.event_id(seq, nth)?;
        let text = audit_event(&parts(&id, entry, patient, &pattern, site));
        Some((id, text))
    };
    let count = patients.len();
    let mut events: Vec<(Id, String)> = patients.into_iter().enumerate().filter_map(written).collect();
    for (nth, decided) in entry.decided.iter().enumerate() {
        let Some(id) = site.event_id(seq, count + nth) else { continue };
        let text = audit_event(&decision::parts(&id, entry, decided, site));
        events.push((id, text));
    }
    events
}

fn parts(id: &Id, entry: &Entry, patient: Option<&Id>, pattern: &Pattern, site: &Site) -> AuditEventParts {
    let recorded = entry.recorded.to_string();
    AuditEventParts {
        id: id.to_string(),
        version: ("1".to_owned(), recorded.clone()),
        profiles: profiles(entry, patient, pattern),
        kind: code(pattern.kind),
        subtypes: pattern.subtype.map(code).into_iter().collect(),
        action: pattern.action.to_owned(),
        recorded,
        outcome: entry.outcome.code().to_owned(),
        reason: (!entry.reason.is_empty()).then(|| entry.reason.clone()),
        purposes: emergency(entry),
        agents: participants(entry, pattern, site),
        observer: site.pointer(),
        site: site.tenant.clone(),
        source: code(APPLICATION_SERVER),
        entities: entities(entry, patient, pattern),
    }
}

/// What was done under emergency access says so of the event itself, not only of who did it (`audit` § 3).
pub(super) fn emergency(entry: &Entry) -> Vec<amanat_documents::Code> {
    let emergency = entry.agent.purposes.iter().any(|purpose| purpose == "BTG");
    if emergency { vec![code(BREAK_THE_GLASS)] } else { Vec::new() }
}

/// The profiles that the event really conforms to: those of BALP describe success, and demand who, from where, and one subject.
fn profiles(entry: &Entry, patient: Option<&Id>, pattern: &Pattern) -> Vec<String> {
    let agent = &entry.agent;
    let subject = match pattern.subject {
        Subject::Record => entry.records.len() == 1,
        Subject::Query | Subject::QueryAlone => entry.query.is_some(),
        Subject::Any => patient.is_some(),
        Subject::Note => false,
    };
    let whole = subject && entry.outcome == Outcome::Success && !agent.client.is_empty() && !agent.address.is_empty();
    let name = if patient.is_some() { pattern.patient_profile } else { pattern.profile };
    let token =
        matches!(entry.event, Event::Rest(_)) && !agent.client.is_empty() && (agent.user.is_none() || agent.token_id.is_some());
    name.filter(|_| whole).into_iter().chain(token.then_some(TOKEN_USE)).map(profile).collect()
}

fn entities(entry: &Entry, patient: Option<&Id>, pattern: &Pattern) -> Vec<EntityParts> {
    let mut entities = Vec::with_capacity(3);
    match pattern.subject {
        Subject::Record => entities.extend(records(entry)),
        Subject::Query | Subject::QueryAlone => entities.extend(query(entry)),
        Subject::Any => entities.extend(query(entry).into_iter().chain(records(entry))),
        Subject::Note => entities.extend(note(entry)),
    }
    if pattern.subject == Subject::QueryAlone {
        return entities;
    }
    entities.extend(patient.map(|id| {
        let what = Pointer { reference: Some(format!("Patient/{id}")), ..Pointer::default() };
        EntityParts { what: Some(what), ..entity(PERSON, PATIENT) }
    }));
    if !entry.request_id.is_empty() {
        let what = Pointer { identifier: Some((String::new(), entry.request_id.clone())), ..Pointer::default() };
        entities.push(EntityParts { kind: Some(code(REQUEST_ID)), what: Some(what), ..EntityParts::default() });
    }
    entities
}

pub(super) fn entity(kind: Coded, role: Coded) -> EntityParts {
    EntityParts { kind: Some(code(kind)), role: Some(code(role)), ..EntityParts::default() }
}

fn records(entry: &Entry) -> impl Iterator<Item = EntityParts> {
    entry.records.iter().map(|record| {
        let version = record.version.map(|version| format!("/_history/{version}")).unwrap_or_default();
        let reference = format!("{}/{}{version}", record.resource_type, record.id);
        EntityParts {
            what: Some(Pointer { reference: Some(reference), ..Pointer::default() }),
            ..entity(SYSTEM_OBJECT, role_of(record.resource_type))
        }
    })
}

/// A report, a job, or a record of any other kind.
fn role_of(resource_type: ResourceType) -> Coded {
    match resource_type {
        ResourceType::DiagnosticReport => (OBJECT_ROLE, "3"),
        ResourceType::Task => (OBJECT_ROLE, "20"),
        _ => DOMAIN_RESOURCE,
    }
}

fn query(entry: &Entry) -> Option<EntityParts> {
    let query = entry.query.as_ref()?;
    Some(EntityParts {
        description: Some(query.clone()),
        query: Some(query.clone().into_bytes()),
        ..entity(SYSTEM_OBJECT, QUERY)
    })
}

/// What was done, and to which client, user or version.
fn note(entry: &Entry) -> Option<EntityParts> {
    let (_, word) = entry.event.words();
    if word.is_none() && entry.query.is_none() {
        return None;
    }
    Some(EntityParts {
        name: entry.query.clone(),
        description: word.map(ToOwned::to_owned),
        ..entity(SYSTEM_OBJECT, SECURITY_RESOURCE)
    })
}
