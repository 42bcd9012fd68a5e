//! What was told of emergency access, to those for whom it is (`consent` § 7.4): the privacy office, which is whom a scope for the trail makes
//! it, and the patient.

use super::{Errand, Gateway};
use crate::access::{Caller, Predicate};
use crate::audit::Event;
use crate::disclosure::{Pending, input};
use crate::fhir::{Id, Interaction, Need, Operation, Refusal, ResourceType};
use crate::store::emergency::{Kept, Recipient, Which};
use serde_json::{Value, json};
use std::sync::Arc;

impl Gateway {
    /// `Patient/id/$break-glass-notices`
    pub(super) async fn notices(
        &self,
        caller: &Arc<Caller>,
        patient: &Id,
        operation: &Operation,
        errand: &Errand,
    ) -> Result<Pending, Refusal> {
        let recipient = self.told(caller, patient, operation, errand)?;
        let all = input(&errand.body, operation)?.text("all").is_some_and(|text| text == "true");
        let which = Which { patient: Some(patient.clone()), recipient: Some(recipient), all };
        let kept = self.parts.emergency.store().notices(which).await?;
        let list: Vec<Value> = kept.iter().map(parameter).collect();
        let answer = json!({"resourceType": "Parameters", "parameter": list});
        let entry = errand.visit.concluded(vec![patient.clone()], errand.visit.record.iter().cloned().collect());
        Ok(Pending::public(answer.to_string()).owes(entry))
    }

    /// `Patient/id/$acknowledge-notice`
    pub(super) async fn acknowledge(
        &self,
        caller: &Arc<Caller>,
        patient: &Id,
        operation: &Operation,
        errand: &Errand,
    ) -> Result<Pending, Refusal> {
        let recipient = self.told(caller, patient, operation, errand)?;
        let given = input(&errand.body, operation)?;
        let store = self.parts.emergency.store();
        let which = Which { patient: Some(patient.clone()), recipient: Some(recipient.clone()), all: false };
        let waiting = store.notices(which).await?;
        let named = |id: &String| given.texts("notice").any(|one| one == id);
        let ids: Vec<String> = waiting.into_iter().map(|notice| notice.id).filter(named).collect();
        if ids.is_empty() {
            return Err(Refusal::NotFound);
        }
        let mut entry = errand.visit.concluded(vec![patient.clone()], Vec::new());
        entry.event = Event::Override("noticed");
        let entry = entry.asking(&format!("notices={}", ids.join(",")));
        let by = caller.user.as_ref().map_or_else(|| caller.client.clone(), ToString::to_string);
        let (taken, receipt) = store.take_notices(&ids, &recipient, &by, errand.visit.now, entry).await?;
        let list: Vec<Value> = taken.iter().map(|id| json!({"name": "acknowledged", "valueString": id})).collect();
        Ok(Pending::public(json!({"resourceType": "Parameters", "parameter": list}).to_string()).paid(receipt))
    }

    /// As whom the caller is told of this patient's emergencies.
    fn told(&self, caller: &Arc<Caller>, patient: &Id, operation: &Operation, errand: &Errand) -> Result<String, Refusal> {
        let permit = self.permit(caller, Interaction::Operate(operation.clone()), errand)?;
        if caller.own_patient() == Some(patient) {
            return Ok(Recipient::Patient(patient.clone()).to_text());
        }
        if matches!(permit.granted(ResourceType::AuditEvent, Need::Read), Predicate::All) {
            return Ok(Recipient::PrivacyOffice.to_text());
        }
        Err(Refusal::NoticesRefused)
    }
}

fn parameter(notice: &Kept) -> Value {
    let mut part = vec![
        json!({"name": "id", "valueString": notice.id}),
        json!({"name": "rule", "valueCode": notice.rule}),
        json!({"name": "made", "valueInstant": notice.made.to_string()}),
        json!({"name": "text", "valueString": notice.text}),
    ];
    if let Some((at, by)) = &notice.taken {
        part.push(json!({"name": "acknowledged", "valueInstant": at.to_string()}));
        part.push(json!({"name": "acknowledged-by", "valueString": by}));
    }
    json!({"name": "notice", "part": part})
}
