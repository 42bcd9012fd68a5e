//! That consents decided, as FHIR shows it: one AuditEvent for each patient (BALP, AuthZ-Consent). Its entities are a closed set.

use super::event::{APPLICATION_SERVER, PATIENT, PERSON, Site, emergency, entity};
use super::participants::{IP, PROVIDER, identified, organization, purposes, token};
use super::pattern::{APPLICATION, AUTHORIZER, DCM, RECIPIENT, USER_AGENT_TYPES, code, profile};
use super::{Agent, Decided, Entry};
use crate::fhir::Id;
use amanat_documents::{AgentParts, AuditEventParts, EntityParts, Pointer};

/// The event of one patient.
pub(super) fn parts(id: &Id, entry: &Entry, decided: &Decided, site: &Site) -> AuditEventParts {
    let recorded = entry.recorded.to_string();
    let whole = !entry.agent.client.is_empty() && !entry.agent.address.is_empty() && !decided.consents.is_empty();
    AuditEventParts {
        id: id.to_string(),
        version: ("1".to_owned(), recorded.clone()),
        profiles: whole.then(|| profile("IHE.BasicAudit.AuthZconsent")).into_iter().collect(),
        kind: code((DCM, "110113")),
        subtypes: vec![code(("https://profiles.ihe.net/ITI/BALP/CodeSystem/AuthZsubType", "AuthZ-Consent"))],
        action: "E".to_owned(),
        recorded,
        outcome: entry.outcome.code().to_owned(),
        reason: None,
        purposes: emergency(entry),
        agents: agents(&entry.agent, site),
        observer: site.pointer(),
        site: site.tenant().map(ToOwned::to_owned),
        source: code(APPLICATION_SERVER),
        entities: entities(&entry.agent, decided),
    }
}

fn agents(agent: &Agent, site: &Site) -> Vec<AgentParts> {
    let client = AgentParts {
        kinds: vec![code(APPLICATION)],
        who: identified(&agent.issuer, &agent.client),
        network: (!agent.address.is_empty()).then(|| (agent.address.clone(), IP.to_owned())),
        ..AgentParts::default()
    };
    // A system that acts alone has no user: the slice names the client.
    let who = match &agent.user {
        Some(user) => Pointer { reference: Some(user.to_string()), ..identified(&agent.issuer, &agent.subject) },
        None => identified(&agent.issuer, &agent.client),
    };
    let user = AgentParts {
        kinds: vec![code(RECIPIENT)],
        who,
        requestor: true,
        policies: token(agent),
        purposes: purposes(agent),
        ..AgentParts::default()
    };
    let unnamed = || AgentParts {
        kinds: vec![code(PROVIDER)],
        who: Pointer { display: Some("no organization was named".to_owned()), ..Pointer::default() },
        ..AgentParts::default()
    };
    let authorizer = AgentParts { kinds: vec![code(AUTHORIZER)], who: site.pointer(), ..AgentParts::default() };
    vec![client, user, organization(agent).unwrap_or_else(unnamed), authorizer]
}

fn entities(agent: &Agent, decided: &Decided) -> Vec<EntityParts> {
    let reference = |text: String| Some(Pointer { reference: Some(text), ..Pointer::default() });
    let patient = EntityParts { what: reference(format!("Patient/{}", decided.patient)), ..entity(PERSON, PATIENT) };
    let consents = decided.consents.iter().map(|key| EntityParts {
        kind: Some(code(("http://hl7.org/fhir/resource-types", "Consent"))),
        what: reference(key.to_string()),
        ..EntityParts::default()
    });
    let token = token(agent).into_iter().map(|name| EntityParts {
        kind: Some(code((USER_AGENT_TYPES, "UserOauthAgent"))),
        what: Some(identified("", &name)),
        ..EntityParts::default()
    });
    std::iter::once(patient).chain(consents).chain(token).collect()
}
