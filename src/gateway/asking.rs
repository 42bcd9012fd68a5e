//! Who asks: the first question of every request, whatever it asks for.

use super::rate::Denied;
use super::{Gateway, Inbound};
use crate::access::Caller;
use crate::audit::Agent;
use crate::disclosure::Visit;
use crate::fhir::{Instant, Refusal};
use crate::identity::Proving;
use crate::telemetry;
use std::sync::Arc;

impl Gateway {
    /// The caller of a request to this URL, once nothing keeps the gateway from serving them. From then on the visit names them.
    pub(super) async fn known_caller(&self, inbound: &Inbound, url: &str, visit: &mut Visit) -> Result<Arc<Caller>, Denied> {
        let caller = match self.caller(inbound, url, visit.now).await {
            Ok(caller) => caller,
            Err(refusal) => {
                // One bad neighbour behind an address must not slow down those who have a token.
                self.parts.restrictions.address(&inbound.address, visit.now)?;
                self.rates.stranger(&inbound.address, visit.now)?;
                return Err(refusal.into());
            }
        };
        visit.agent = Agent::of(&caller, inbound.address.clone());
        telemetry::note_client(&caller.client);
        self.parts.restrictions.suspends(&inbound.address, visit.now)?;
        self.parts.restrictions.caller(&caller, visit.now)?;
        self.rates.client(&caller, visit.now)?;
        let caller = self.purposes.of(caller, inbound.request.headers.purposes.as_deref())?;
        visit.agent.purposes.clone_from(&caller.purposes);
        Ok(caller)
    }

    async fn caller(&self, inbound: &Inbound, url: &str, now: Instant) -> Result<Arc<Caller>, Refusal> {
        #[cfg(feature = "bench")]
        if crate::layers::off(crate::layers::Layer::Token) {
            return Ok(crate::layers::system());
        }
        let (method, proof) = (inbound.request.method.name(), inbound.request.headers.proof.as_deref());
        let proving = Proving { proof, method, url };
        let shown = (inbound.bearer()?, inbound.certificate.as_ref());
        let caller = self.parts.authenticator.authenticate_holder(shown.0, shown.1, &proving, now).await?;
        if caller.sign_in.grant.is_some() {
            // Whoever ended the grant, in whatever process: it holds no more now.
            self.parts.emergency.load(now).await?;
        }
        self.parts.emergency.of(&caller, now)?;
        Ok(caller)
    }
}
