//! batch (<https://hl7.org/fhir/R4/http.html#transaction>): each entry a whole path of its own.

use super::{Errand, Gateway};
use crate::access::Caller;
use crate::disclosure::{Part, Pending, Visit, responses, unpack};
use crate::fhir::bundle::BundleKind;
use crate::fhir::{Interaction, Method, Problem, Refusal, RouteOptions, interaction, rendering};
use std::sync::Arc;

impl Gateway {
    pub(super) async fn bundle(&self, caller: &Arc<Caller>, errand: &mut Errand) -> Result<Pending, Refusal> {
        let (kind, parts) = unpack(&errand.body, self.parts.limits.bundle_entries)?;
        self.demand_room_for(&parts, &errand.room)?;
        match kind {
            BundleKind::Batch => self.batch(caller, parts, errand).await,
            BundleKind::Transaction => {
                errand.visit.event = "transaction";
                self.transaction(caller, &parts, errand).await
            }
        }
    }

    async fn batch(&self, caller: &Arc<Caller>, parts: Vec<Part>, errand: &Errand) -> Result<Pending, Refusal> {
        let mut answers = Vec::with_capacity(parts.len());
        for part in parts {
            answers.push(self.entry(caller, &part, errand).await);
        }
        let envelope = errand.visit.concluded(Vec::new(), Vec::new());
        Ok(responses("batch-response", answers).with_entry(envelope))
    }

    /// One entry, from its own interaction to its own answer; a refusal comes with the entry that the trail needs.
    pub(super) async fn entry(
        &self,
        caller: &Arc<Caller>,
        part: &Part,
        errand: &Errand,
    ) -> Result<Pending, (Refusal, crate::audit::Entry)> {
        let parsed = self.entry_interaction(part, errand);
        let mut visit = entry_visit(part, parsed.as_ref().ok(), &errand.visit);
        let answer = match parsed {
            Ok(parsed) => self.entry_performed(caller, parsed, part, &mut visit, errand).await,
            Err(refusal) => Err(refusal),
        };
        answer.map_err(|refusal| {
            let entry = visit.refused(&refusal);
            (refusal, entry)
        })
    }

    async fn entry_performed(
        &self,
        caller: &Arc<Caller>,
        parsed: Interaction,
        part: &Part,
        visit: &mut Visit,
        errand: &Errand,
    ) -> Result<Pending, Refusal> {
        let mut how = rendering(&part.request)?;
        how.prefer = how.prefer.or(errand.rendering.prefer);
        let mut inner = Errand {
            visit: visit.clone(),
            rendering: how,
            body: part.body()?,
            peer: errand.peer.clone(),
            room: errand.room.clone(),
        };
        let answer = Box::pin(self.perform(caller, parsed, &mut inner)).await;
        *visit = inner.visit;
        if part.request.method == Method::Head { answer.map(Pending::bare) } else { answer }
    }

    /// What an entry asks for. A Bundle inside a Bundle's request is nothing that R4 knows.
    pub(super) fn entry_interaction(&self, part: &Part, errand: &Errand) -> Result<Interaction, Refusal> {
        let options = RouteOptions {
            base: &self.parts.base,
            now: errand.visit.now,
            max_count: self.parts.limits.page_max,
            known: self.known(),
        };
        match interaction(&part.request, &options)? {
            Interaction::Bundle => {
                Err(Refusal::Invalid(vec![Problem::of("invalid", "an entry cannot be a batch or transaction itself")]))
            }
            parsed => Ok(parsed),
        }
    }
}

/// The circumstances of one entry: those of the whole, about its own record.
pub(super) fn entry_visit(part: &Part, parsed: Option<&Interaction>, whole: &Visit) -> Visit {
    let event = parsed.map_or("read", Interaction::code);
    let search = event.starts_with("search") || event.starts_with("history") || event == "operation";
    let query = search.then(|| format!("{} {}?{}", part.request.method.name(), part.request.path, part.request.query));
    Visit { event, record: parsed.and_then(super::inbound::named_record), query, ..whole.clone() }
}
