//! Messages over HTTPS: `POST /lab/v2`, and `$process-message` (<https://hl7.org/fhir/R4/messageheader-operation-process-message.html>).

use super::super::rate::Denied;
use super::super::space::Found;
use super::super::{Errand, Gateway, Inbound};
use crate::access::{Caller, authorize};
use crate::disclosure::{Pending, Refused, Visit, message_in, refuse};
use crate::fhir::{Interaction, Operation, Refusal};
use crate::lab::fhir_message::FhirMessage;
use crate::lab::mllp::{Arrival, Door};
use crate::store::lab::{Feed, Kept, State};
use serde_json::json;
use std::sync::Arc;

impl Gateway {
    /// Takes an HL7 v2 message that came over HTTPS with a token; gives the acknowledgement.
    ///
    /// # Errors
    /// Who asks is not known or too often here, or nothing can be stored now: a refusal, as the caller is told it.
    pub async fn lab_v2(&self, inbound: Inbound, message: Vec<u8>) -> Result<Vec<u8>, Refused> {
        let now = self.parts.clock.now();
        let mut visit = inbound.visit("operation", now);
        match self.lab_v2_answer(&inbound, message, &mut visit).await {
            Ok(acknowledgement) => Ok(acknowledgement),
            Err(refusal) => Err(refuse(&refusal, &visit, self.parts.trail.as_ref()).await),
        }
    }

    async fn lab_v2_answer(&self, inbound: &Inbound, message: Vec<u8>, visit: &mut Visit) -> Result<Vec<u8>, Refusal> {
        let url = format!("{}/{}", self.parts.base, inbound.request.path);
        let caller = self.known_caller(inbound, &url, visit).await.map_err(throttled)?;
        // Who may file nothing at all is told so, instead of being rejected message by message.
        authorize(&caller, Interaction::Bundle)?;
        self.demand_writable(&caller, visit.now, &Found::default())?;
        let feed = Self::feed_of_caller(&caller);
        let arrival = Arrival { bytes: message, too_large: false, peer: None, address: inbound.address.clone() };
        let taken = self.take_v2(feed, Door::Https, arrival).await.map_err(|_| Refusal::StoreUnavailable)?;
        let answer = match &taken.filing {
            Some(id) => self.file_message(id).await.map_err(|_| Refusal::StoreUnavailable)?,
            None => None,
        };
        // There is one answer to a request: the application's, where both were wanted.
        Ok(answer.or(taken.reply).unwrap_or_default())
    }

    /// `$process-message`
    pub(in crate::gateway) async fn process_message(&self, caller: &Arc<Caller>, errand: &Errand) -> Result<Pending, Refusal> {
        authorize(caller, Interaction::Operate(Operation::ProcessMessage))?;
        let document = message_in(&errand.body)?;
        let message = FhirMessage::read(&document).map_err(Refusal::Unprocessable)?;
        self.demand_writable(caller, errand.visit.now, &errand.room)?;
        let feed = Feed { address: errand.visit.agent.address.clone(), ..Self::feed_of_caller(caller) };
        let said = (message.source.clone(), message.control.clone(), message.event.clone());
        let sent = message.sent.unwrap_or(errand.visit.now);
        let trouble = |_| Refusal::StoreUnavailable;
        let taken = self.take_fhir(feed, said, sent, document.text().as_bytes().to_vec()).await.map_err(trouble)?;
        let id = taken.filing.ok_or(Refusal::Internal)?;
        self.file_message(&id).await.map_err(trouble)?;
        let kept = self.parts.lab.store.message(&id).await?.ok_or(Refusal::Internal)?;
        let entry = errand.visit.concluded(Vec::new(), Vec::new());
        Ok(Pending::public(self.response_to(&kept, &message)).owes(entry))
    }

    /// The response message: its sender learns whether it was taken, never whom it was matched with.
    fn response_to(&self, kept: &Kept, message: &FhirMessage) -> String {
        let refused = matches!(kept.state, State::Failed | State::Rejected);
        let code = if refused { "fatal-error" } else { "ok" };
        let findings: serde_json::Value = serde_json::from_str(&kept.detail).unwrap_or_default();
        let told = findings
            .as_array()
            .into_iter()
            .flatten()
            .filter(|_| refused)
            .filter_map(|one| one.get("text")?.as_str().map(str::to_owned));
        let mut issues: Vec<serde_json::Value> =
            told.map(|text| json!({"severity": "error", "code": "invalid", "diagnostics": text})).collect();
        if issues.is_empty() {
            issues.push(json!({"severity": "information", "code": "informational", "diagnostics": "the message is stored"}));
        }
        let (header, outcome) = (uuid::Uuid::now_v7(), uuid::Uuid::now_v7());
        json!({
            "resourceType": "Bundle",
            "type": "message",
            "timestamp": self.parts.clock.now().to_string(),
            "entry": [
                {
                    "fullUrl": format!("urn:uuid:{header}"),
                    "resource": {
                        "resourceType": "MessageHeader",
                        "id": header.to_string(),
                        "eventCoding": {"system": "http://terminology.hl7.org/CodeSystem/v2-0003", "code": message.event},
                        "source": {"endpoint": self.parts.base},
                        "response": {"identifier": message.control, "code": code, "details": {"reference": format!("urn:uuid:{outcome}")}},
                    },
                },
                {
                    "fullUrl": format!("urn:uuid:{outcome}"),
                    "resource": {"resourceType": "OperationOutcome", "id": outcome.to_string(), "issue": issues},
                },
            ],
        })
        .to_string()
    }
}

fn throttled(denied: Denied) -> Refusal {
    match denied {
        Denied::Refused(refusal) => refusal,
        Denied::Throttled(over) => Refusal::TooManyRequests(over.seconds),
    }
}
