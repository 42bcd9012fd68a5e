//! Who took part in an event: client, server, person, organization.
//!
//! A person acted exactly when there is a user agent with `requestor = true`; otherwise the client did, and it is the requestor.

use super::pattern::{APPLICATION, Coded, Pattern, Subject, code};
use super::{Agent, Entry, Event, Site};
use amanat_documents::{AgentParts, Code, Pointer};

const REASONS: &str = "http://terminology.hl7.org/CodeSystem/v3-ActReason";
pub(super) const PROVIDER: Coded = ("http://terminology.hl7.org/CodeSystem/v3-RoleClass", "PROV");

/// Kinds of network address.
const IP_ADDRESS: &str = "2";
const URI: &str = "5";

/// The agents of an entry.
pub(super) fn participants(entry: &Entry, pattern: &Pattern, site: &Site) -> Vec<AgentParts> {
    let mut agents = Vec::with_capacity(4);
    if matches!(entry.event, Event::Start | Event::Stop) {
        agents.push(AgentParts { requestor: true, kinds: vec![code(APPLICATION)], ..server(pattern, site) });
        return agents;
    }
    agents.push(client(&entry.agent, pattern));
    agents.push(server(pattern, site));
    agents.extend(user(&entry.agent, pattern));
    if pattern.subject != Subject::QueryAlone {
        agents.extend(organization(&entry.agent));
    }
    agents
}

/// The client is also the OAuth client (DCM 110150) of the pattern of token use, when a token was accepted.
fn client(agent: &Agent, pattern: &Pattern) -> AgentParts {
    let mut kinds = vec![code(pattern.client)];
    if !agent.client.is_empty() && pattern.client != APPLICATION {
        kinds.push(code(APPLICATION));
    }
    let alone = agent.user.is_none();
    let who = if agent.client.is_empty() {
        Pointer { display: Some("unknown client".to_owned()), ..Pointer::default() }
    } else {
        identified(&agent.issuer, &agent.client)
    };
    AgentParts {
        kinds,
        who,
        requestor: alone,
        policies: if alone { token(agent) } else { Vec::new() },
        network: (!agent.address.is_empty()).then(|| (agent.address.clone(), IP_ADDRESS.to_owned())),
        purposes: if alone { purposes(agent) } else { Vec::new() },
    }
}

fn server(pattern: &Pattern, site: &Site) -> AgentParts {
    AgentParts {
        kinds: vec![code(pattern.server)],
        who: site.pointer(),
        network: Some((site.base().to_owned(), URI.to_owned())),
        ..AgentParts::default()
    }
}

fn user(agent: &Agent, pattern: &Pattern) -> Option<AgentParts> {
    let user = agent.user.as_ref()?;
    Some(AgentParts {
        kinds: pattern.user.iter().copied().map(code).collect(),
        who: Pointer { reference: Some(user.to_string()), ..identified(&agent.issuer, &agent.subject) },
        requestor: true,
        policies: token(agent),
        network: None,
        purposes: purposes(agent),
    })
}

pub(super) const IP: &str = IP_ADDRESS;

/// An organization stands as a reference, as a URL, or as `system|value`.
pub(super) fn organization(agent: &Agent) -> Option<AgentParts> {
    let organization = agent.organization.as_ref()?;
    let who = match organization.split_once('|') {
        Some((system, value)) => identified(system, value),
        None if organization.contains('/') => Pointer { reference: Some(organization.clone()), ..Pointer::default() },
        None => identified("", organization),
    };
    Some(AgentParts { kinds: vec![code(PROVIDER)], who, ..AgentParts::default() })
}

pub(super) fn identified(system: &str, value: &str) -> Pointer {
    Pointer { identifier: Some((system.to_owned(), value.to_owned())), ..Pointer::default() }
}

/// The token by its `jti`: names it, cannot be used as it.
pub(super) fn token(agent: &Agent) -> Vec<String> {
    agent.token_id.iter().map(|id| format!("urn:ietf:params:oauth:jti:{id}")).collect()
}

pub(super) fn purposes(agent: &Agent) -> Vec<Code> {
    let split = |purpose: &String| match purpose.split_once('|') {
        Some((system, code)) => Code { system: system.to_owned(), code: code.to_owned() },
        None => Code { system: REASONS.to_owned(), code: purpose.clone() },
    };
    agent.purposes.iter().map(split).collect()
}
