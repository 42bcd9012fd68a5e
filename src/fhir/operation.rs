//! The operations that this server has (<https://hl7.org/fhir/R4/operations.html>), as a closed enum, and their parameters.

use super::parameters::{Slot, Takes};
use super::{Id, ResourceType};

/// An operation, and what it is called on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// `Patient/id/$break-glass`: emergency access to one patient.
    BreakGlass(Id),
    /// `Patient/id/$end-break-glass`: the end of it.
    EndBreakGlass(Id),
    /// `Patient/id/$break-glass-notices`: what was told of emergency access to this patient; the query of a GET with it.
    BreakGlassNotices(Id, Vec<(String, String)>),
    /// `Patient/id/$acknowledge-notice`: somebody took note of it.
    AcknowledgeNotice(Id),
    /// `Patient/id/$explain-access`: who sees what, and why; the query of a GET with it.
    ExplainAccess(Id, Vec<(String, String)>),
    /// `Patient/$match`: who a description may mean.
    Match,
    /// `$process-message`: a FHIR message.
    ProcessMessage,
    /// `Patient/id/$accounting-of-disclosures`: whom records were disclosed to; the query of a GET with it.
    Accounting(Id, Vec<(String, String)>),
    /// `Patient/id/$access-log`: the same for the patient, in plain words.
    AccessLog(Id, Vec<(String, String)>),
    /// `AuditEvent/$recordDisclosure` (HL7 FAST Consent Management).
    RecordDisclosure,
    /// `Consent/$fileConsent` (HL7 FAST Consent Management).
    FileConsent,
    /// `Consent/$revokeConsent` (HL7 FAST Consent Management).
    RevokeConsent,
    /// `Observation/$lastn`: the newest observations of each kind; the query of a GET with it.
    LastN(Vec<(String, String)>),
    /// `SearchParameter/$index-status`: how far each of the site's own search parameters has come.
    IndexStatus,
}

/// Where an operation is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Called {
    /// `[base]/$name`
    OnSystem,
    /// `[base]/Type/$name`
    OnType(ResourceType),
    /// `[base]/Type/id/$name`
    OnInstance(ResourceType),
}

/// One row of the table of operations.
#[derive(Debug, Clone, Copy)]
pub struct Defined {
    /// Its name, without `$`.
    pub name: &'static str,
    /// Where it is called.
    pub called: Called,
    /// It changes nothing, so that GET does too.
    pub reads: bool,
    /// Canonical URL of its definition.
    pub definition: &'static str,
    /// What it takes.
    pub slots: &'static [Slot],
}

const PATIENT: Called = Called::OnInstance(ResourceType::Patient);
const CONSENT: Called = Called::OnType(ResourceType::Consent);

/// What may come with a consent as its paper: FAST names these two.
const PAPERS: &[ResourceType] = &[ResourceType::DocumentReference, ResourceType::QuestionnaireResponse];

/// Every operation.
pub const OPERATIONS: [Defined; 14] = [
    Defined {
        name: "index-status",
        called: Called::OnType(ResourceType::SearchParameter),
        reads: true,
        definition: "urn:amanat:operation:index-status",
        slots: &[],
    },
    Defined {
        name: "lastn",
        called: Called::OnType(ResourceType::Observation),
        reads: true,
        definition: "http://hl7.org/fhir/OperationDefinition/Observation-lastn",
        slots: &[Slot::optional("max", Takes::Whole)],
    },
    Defined {
        name: "break-glass",
        called: PATIENT,
        reads: false,
        definition: "urn:amanat:operation:break-glass",
        slots: &[
            Slot::required("reason", Takes::Code),
            Slot::required("text", Takes::Text),
            Slot::optional("minutes", Takes::Whole),
        ],
    },
    Defined {
        name: "end-break-glass",
        called: PATIENT,
        reads: false,
        definition: "urn:amanat:operation:end-break-glass",
        slots: &[],
    },
    Defined {
        name: "break-glass-notices",
        called: PATIENT,
        reads: true,
        definition: "urn:amanat:operation:break-glass-notices",
        slots: &[Slot::optional("all", Takes::Text)],
    },
    Defined {
        name: "acknowledge-notice",
        called: PATIENT,
        reads: false,
        definition: "urn:amanat:operation:acknowledge-notice",
        slots: &[Slot::repeated("notice", Takes::Text)],
    },
    Defined {
        name: "explain-access",
        called: PATIENT,
        reads: true,
        definition: "urn:amanat:operation:explain-access",
        slots: &[
            Slot::optional("client", Takes::Text),
            Slot::optional("user", Takes::Text),
            Slot::optional("organization", Takes::Text),
            Slot::optional("scope", Takes::Text),
            Slot::repeated("purpose", Takes::Text),
            Slot::repeated("record", Takes::Text),
        ],
    },
    Defined {
        name: "match",
        called: Called::OnType(ResourceType::Patient),
        reads: false,
        definition: "http://hl7.org/fhir/OperationDefinition/Patient-match",
        slots: &[
            Slot::required("resource", Takes::Record(&[ResourceType::Patient])),
            Slot::optional("onlyCertainMatches", Takes::Flag),
            Slot::optional("count", Takes::Whole),
        ],
    },
    Defined {
        name: "process-message",
        called: Called::OnSystem,
        reads: false,
        definition: "http://hl7.org/fhir/OperationDefinition/MessageHeader-process-message",
        // The message itself is the body.
        slots: &[],
    },
    Defined {
        name: "accounting-of-disclosures",
        called: PATIENT,
        reads: true,
        definition: "urn:amanat:operation:accounting-of-disclosures",
        slots: &[
            Slot::optional("start", Takes::Text),
            Slot::optional("end", Takes::Text),
            Slot::optional("mode", Takes::Text),
            Slot::optional("format", Takes::Text),
        ],
    },
    Defined {
        name: "access-log",
        called: PATIENT,
        reads: true,
        definition: "urn:amanat:operation:access-log",
        slots: &[Slot::optional("start", Takes::Text), Slot::optional("end", Takes::Text)],
    },
    Defined {
        name: "recordDisclosure",
        called: Called::OnType(ResourceType::AuditEvent),
        reads: false,
        definition: "http://hl7.org/fhir/us/consent-management/OperationDefinition/record-disclosure",
        slots: &[
            Slot::required("patient", Takes::Reference),
            Slot::required("recipient", Takes::Text),
            Slot::optional("when", Takes::Text),
            Slot::optional("what", Takes::Text),
            Slot::optional("purpose", Takes::Code),
            Slot::optional("outcome", Takes::Code),
            Slot::repeated("record", Takes::Reference),
            Slot::repeated("consent", Takes::Reference),
        ],
    },
    Defined {
        name: "fileConsent",
        called: CONSENT,
        reads: false,
        definition: "http://hl7.org/fhir/us/consent-management/OperationDefinition/file-consent",
        slots: &[
            Slot::required("consent", Takes::Record(&[ResourceType::Consent])),
            Slot::optional("document", Takes::Record(PAPERS)),
        ],
    },
    Defined {
        name: "revokeConsent",
        called: CONSENT,
        reads: false,
        definition: "http://hl7.org/fhir/us/consent-management/OperationDefinition/revoke-consent",
        slots: &[
            Slot::required("consent", Takes::Reference),
            Slot::required("patient", Takes::Reference),
            Slot::optional("document", Takes::Record(PAPERS)),
        ],
    },
];

impl Defined {
    /// The row of this name at this place.
    pub fn find(name: &str, called: Called) -> Option<&'static Self> {
        OPERATIONS.iter().find(|row| row.name == name && row.called == called)
    }
}

impl Operation {
    /// The operation of a row of the table, on this record where it is called on one, with the query of the request.
    pub(super) fn of(row: &Defined, id: Option<Id>, query: Vec<(String, String)>) -> Option<Self> {
        Some(match (row.name, id) {
            ("break-glass", Some(id)) => Self::BreakGlass(id),
            ("end-break-glass", Some(id)) => Self::EndBreakGlass(id),
            ("break-glass-notices", Some(id)) => Self::BreakGlassNotices(id, query),
            ("acknowledge-notice", Some(id)) => Self::AcknowledgeNotice(id),
            ("explain-access", Some(id)) => Self::ExplainAccess(id, query),
            ("match", None) => Self::Match,
            ("process-message", None) => Self::ProcessMessage,
            ("accounting-of-disclosures", Some(id)) => Self::Accounting(id, query),
            ("access-log", Some(id)) => Self::AccessLog(id, query),
            ("recordDisclosure", None) => Self::RecordDisclosure,
            ("fileConsent", None) => Self::FileConsent,
            ("revokeConsent", None) => Self::RevokeConsent,
            ("index-status", None) => Self::IndexStatus,
            ("lastn", None) => Self::LastN(query),
            _ => return None,
        })
    }

    /// Its name, without `$`.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::BreakGlass(_) => "break-glass",
            Self::EndBreakGlass(_) => "end-break-glass",
            Self::BreakGlassNotices(..) => "break-glass-notices",
            Self::AcknowledgeNotice(_) => "acknowledge-notice",
            Self::ExplainAccess(..) => "explain-access",
            Self::Match => "match",
            Self::ProcessMessage => "process-message",
            Self::Accounting(..) => "accounting-of-disclosures",
            Self::AccessLog(..) => "access-log",
            Self::RecordDisclosure => "recordDisclosure",
            Self::FileConsent => "fileConsent",
            Self::RevokeConsent => "revokeConsent",
            Self::LastN(_) => "lastn",
            Self::IndexStatus => "index-status",
        }
    }

    /// What it takes.
    pub fn slots(&self) -> &'static [Slot] {
        OPERATIONS.iter().find(|row| row.name == self.name()).map_or(&[], |row| row.slots)
    }

    /// The patient that it is called on.
    pub const fn patient(&self) -> Option<&Id> {
        match self {
            Self::BreakGlass(id)
            | Self::EndBreakGlass(id)
            | Self::BreakGlassNotices(id, _)
            | Self::AcknowledgeNotice(id)
            | Self::ExplainAccess(id, _)
            | Self::Accounting(id, _)
            | Self::AccessLog(id, _) => Some(id),
            Self::Match
            | Self::ProcessMessage
            | Self::FileConsent
            | Self::RevokeConsent
            | Self::LastN(_)
            | Self::IndexStatus
            | Self::RecordDisclosure => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Called, OPERATIONS, Operation};
    use crate::fhir::Id;

    #[test]
    fn every_row_of_the_table_is_an_operation_of_its_own_name() {
        for row in &OPERATIONS {
            let id = matches!(row.called, Called::OnInstance(_)).then(|| Id::parse("p1").unwrap());
            let operation = Operation::of(row, id, Vec::new()).unwrap();
            assert_eq!((operation.name(), operation.slots().len()), (row.name, row.slots.len()));
        }
    }
}
