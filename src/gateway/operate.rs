//! Operations (<https://hl7.org/fhir/R4/operations.html>): which file does which.

use super::{Errand, Gateway};
use crate::access::Caller;
use crate::disclosure::Pending;
use crate::fhir::{Operation, Refusal};
use std::sync::Arc;

impl Gateway {
    /// Each operation authorizes itself: what it may look at differs from one to the other.
    pub(super) async fn operate(&self, caller: &Arc<Caller>, operation: Operation, errand: &Errand) -> Result<Pending, Refusal> {
        match &operation {
            Operation::BreakGlass(patient) => self.break_glass(caller, patient, errand).await,
            Operation::EndBreakGlass(patient) => self.end_break_glass(caller, patient, errand).await,
            Operation::BreakGlassNotices(patient, _) => self.notices(caller, patient, &operation, errand).await,
            Operation::AcknowledgeNotice(patient) => self.acknowledge(caller, patient, &operation, errand).await,
            Operation::ExplainAccess(patient, _) => self.explain_access(caller, patient, &operation, errand).await,
            Operation::Match => self.match_patient(caller, errand).await,
            Operation::ProcessMessage => self.process_message(caller, errand).await,
            Operation::Accounting(patient, _) => self.accounting(caller, patient, &operation, errand).await,
            Operation::AccessLog(patient, _) => self.access_log(caller, patient, &operation, errand).await,
            Operation::RecordDisclosure => self.record_disclosure(caller, errand),
            Operation::FileConsent => self.file_consent(caller, errand).await,
            Operation::IndexStatus => self.index_status(caller, &operation, errand).await,
            Operation::LastN(query) => self.last_n(caller, query, errand).await,
            Operation::RevokeConsent => self.revoke_consent(caller, errand).await,
        }
    }
}
