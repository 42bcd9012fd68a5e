//! A request as it comes in: what it says in the open, its body sealed.

use crate::audit::Agent;
use crate::disclosure::{Sealed, Visit};
use crate::fhir::{HistoryQuery, HistoryScope, Instant, Interaction, Key, Refusal, Request, ResourceType, Touched, Version};
use crate::identity::PeerCertificate;

/// A request of the FHIR API.
#[derive(Debug)]
pub struct Inbound {
    /// Method, path, query, headers.
    pub request: Request,
    /// The body; for a `_search` form empty, the form being in the request.
    pub body: Sealed,
    /// `X-Request-Id`, received or made.
    pub request_id: String,
    /// The client's network address.
    pub address: String,
    /// Every `Authorization` header, as it came.
    pub authorization: Vec<String>,
    /// The client certificate, when one was presented and verified.
    pub certificate: Option<PeerCertificate>,
}

impl Inbound {
    /// The circumstances for the trail, before anybody is known.
    pub(super) fn visit(&self, event: &'static str, now: Instant) -> Visit {
        let search = event.starts_with("search") || event.starts_with("history") || event == "operation";
        Visit {
            request_id: self.request_id.clone(),
            agent: Agent { address: self.address.clone(), ..Agent::default() },
            event,
            record: None,
            query: search.then(|| self.raw()),
            now,
        }
    }

    /// The request line without any token, for the trail.
    fn raw(&self) -> String {
        let query = [self.request.query.as_str(), self.request.form.as_deref().unwrap_or("")];
        let query: Vec<&str> =
            query.into_iter().flat_map(|part| part.split('&')).filter(|pair| !pair.is_empty() && !is_token(pair)).collect();
        let mark = if query.is_empty() { "" } else { "?" };
        format!("{} {}{mark}{}", self.request.method.name(), self.request.path, query.join("&"))
    }

    /// The one bearer token, from the one place where it may stand.
    pub(super) fn bearer(&self) -> Result<Option<&str>, Refusal> {
        let in_parameters = [Some(self.request.query.as_str()), self.request.form.as_deref()]
            .into_iter()
            .flatten()
            .flat_map(|part| part.split('&'))
            .any(is_token);
        match self.authorization.as_slice() {
            _ if in_parameters => Err(Refusal::TokenMisplaced),
            [] => Ok(None),
            [one] => Ok(Some(one)),
            _ => Err(Refusal::TokenMisplaced),
        }
    }
}

fn is_token(pair: &str) -> bool {
    let name = pair.split('=').next().unwrap_or(pair);
    crate::fhir::decode(name).is_some_and(|name| name.eq_ignore_ascii_case("access_token"))
}

/// The record that an interaction names.
pub(super) fn named_record(interaction: &Interaction) -> Option<Touched> {
    let of =
        |key: &Key, version: Option<Version>| Some(Touched { resource_type: key.resource_type, id: key.id.clone(), version });
    match interaction {
        Interaction::Read(key, _) | Interaction::Update(key, _) | Interaction::Patch(key, _) | Interaction::Delete(key, _) => {
            of(key, None)
        }
        Interaction::Vread(key, version) => of(key, Some(*version)),
        Interaction::History(HistoryQuery { scope: HistoryScope::Instance(key), .. }) => of(key, None),
        Interaction::Operate(operation) => {
            operation.patient().and_then(|id| of(&Key::new(ResourceType::Patient, id.clone()), None))
        }
        _ => None,
    }
}
