//! Clients that register themselves, and the documents about that: each answer after the trail has it.

use super::Gateway;
use super::token::{TokenReply, throttled};
use crate::audit::{Agent, Entry, Event};
use crate::smart::{self, RegistrationRequest};

impl Gateway {
    /// Whether clients register themselves here.
    pub fn clients_register(&self) -> bool {
        self.parts.endpoints.registration.is_some()
    }

    /// Answers at the registration endpoint, once the trail has the entry.
    pub async fn register(&self, request: &RegistrationRequest<'_>, address: &str, request_id: &str) -> TokenReply {
        let now = self.parts.clock.now();
        if let Err(denied) = self.registrations.pass(address, now) {
            return throttled(&super::rate::Denied::Throttled(denied));
        }
        let answer = self.parts.registrar.answer(request, now).await;
        let client = answer.facts.client.unwrap_or_default();
        let agent = Agent { issuer: self.parts.base.clone(), client: client.clone(), ..Agent::unknown(address) };
        let word = match answer.facts.reason.as_str() {
            "client-added" => "client-added",
            "client-removed" => "client-removed",
            _ => "client-changed",
        };
        let refused = answer.status >= 400;
        let mut entry = Entry::concluded(Event::Registry(word), agent, now, request_id);
        if refused {
            entry = entry.because(answer.facts.reason);
            entry.outcome = answer.facts.outcome;
        }
        let scope = answer.facts.scope.map(|scope| format!("&scope={}", crate::fhir::encode(&scope))).unwrap_or_default();
        if request.method != "GET" || refused {
            let entry = entry.asking(&format!("registered_by=itself{scope}"));
            if self.parts.trail.append(entry).await.is_err() {
                return TokenReply {
                    status: 503,
                    body: r#"{"error":"temporarily_unavailable","error_description":"The audit trail cannot be written. Try again later."}"#
                        .to_owned(),
                    headers: vec![("Cache-Control", "no-store"), ("Retry-After", "5")],
                };
            }
        }
        if word == "client-removed" && !refused {
            self.forget_app_states(&client).await;
        }
        TokenReply { status: answer.status, body: answer.body, headers: answer.headers }
    }

    /// `/.well-known/oauth-protected-resource`
    pub fn protected_resource(&self) -> String {
        let issuers = self.parts.authenticator.issuers().iter().map(|issuer| issuer.settings.issuer.clone());
        let others: Vec<String> = issuers.filter(|issuer| *issuer != self.parts.base).collect();
        smart::protected_resource(&self.parts.endpoints, &others, &self.parts.brand).to_string()
    }

    /// `[base]/.well-known/udap`, for the community that the query names; `None` where there is none.
    pub fn udap_configuration(&self, query: &str) -> Option<String> {
        let asked = crate::fhir::pairs(query).ok()?;
        let named = asked.iter().find(|(name, _)| name == "community").map(|(_, uri)| uri.as_str());
        let community = self.parts.registrar.communities.named(named)?;
        let document = smart::udap_configuration(&self.parts.endpoints, community, self.parts.clock.now())?;
        Some(document.to_string())
    }
}
