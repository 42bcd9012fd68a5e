//! How each kind of event reads as an AuditEvent: the table of the IHE patterns (BALP 1.1), and of what they do not cover.

use super::Event;
use amanat_documents::Code;

/// A system and a code.
pub(super) type Coded = (&'static str, &'static str);

pub(super) const DCM: &str = "http://dicom.nema.org/resources/ontology/DCM";
pub(super) const REST: &str = "http://hl7.org/fhir/restful-interaction";
pub(super) const USER_AGENT_TYPES: &str = "https://profiles.ihe.net/ITI/BALP/CodeSystem/UserAgentTypes";
pub(super) const PARTICIPATION: &str = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType";
const PROFILES: &str = "https://profiles.ihe.net/ITI/BALP/StructureDefinition/";

pub(super) const AUTHORIZER: Coded = ("http://terminology.hl7.org/CodeSystem/extra-security-role-type", "authserver");
pub(super) const APPLICATION: Coded = (DCM, "110150");
const DESTINATION: Coded = (DCM, "110152");
const SOURCE: Coded = (DCM, "110153");
const CUSTODIAN: Coded = ("http://terminology.hl7.org/CodeSystem/provenance-participant-type", "custodian");
const TOKEN_SERVICE: Coded = (USER_AGENT_TYPES, "AuthzOauthService");
const AUTHOR: Coded = (PARTICIPATION, "AUT");
pub(super) const RECIPIENT: Coded = (PARTICIPATION, "IRCP");

/// Owned, for a document.
pub(super) fn code((system, code): Coded) -> Code {
    Code { system: system.to_owned(), code: code.to_owned() }
}

/// What the main entity of an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Subject {
    /// The record.
    Record,
    /// The request, in base64.
    Query,
    /// Either, as far as the entry has them.
    Any,
    /// The request alone: no patient, no request id, no organization (the pattern is closed).
    QueryAlone,
    /// A note on what was done.
    Note,
}

/// One row of the table.
pub(super) struct Pattern {
    pub(super) kind: Coded,
    pub(super) subtype: Option<Coded>,
    pub(super) action: &'static str,
    pub(super) client: Coded,
    pub(super) server: Coded,
    /// The user's roles.
    pub(super) user: &'static [Coded],
    pub(super) subject: Subject,
    /// The name of the profile for a successful event.
    pub(super) profile: Option<&'static str>,
    /// The name of its patient-specific form.
    pub(super) patient_profile: Option<&'static str>,
}

/// The canonical URL of a profile.
pub(super) fn profile(name: &str) -> String {
    format!("{PROFILES}{name}")
}

/// The row of an event.
pub(super) fn pattern(event: &Event) -> Pattern {
    match event {
        Event::Rest(code) => rest(code),
        Event::Token => Pattern {
            kind: (DCM, "110114"),
            subtype: Some(("urn:ihe:event-type-code", "ITI-71")),
            server: TOKEN_SERVICE,
            subject: Subject::QueryAlone,
            profile: Some("IHE.IUA.71"),
            ..local("E")
        },
        Event::Start => Pattern { kind: (DCM, "110100"), subtype: Some((DCM, "110120")), ..local("E") },
        Event::Stop => Pattern { kind: (DCM, "110100"), subtype: Some((DCM, "110121")), ..local("E") },
        Event::Registry(word) => {
            let action = match word.rsplit_once('-') {
                Some((_, "added")) => "C",
                Some((_, "removed")) => "D",
                _ => "U",
            };
            // Security Roles Changed, User Security Attributes Changed.
            let subtype = if word.starts_with("role-") { "110136" } else { "110137" };
            alert(subtype, action)
        }
        Event::TrailUse(word) => {
            let action = if *word == "read" { "R" } else { "E" };
            Pattern { kind: (DCM, "110101"), subject: Subject::Any, ..local(action) }
        }
        Event::SignOn(word) => sign_on(word),
        Event::Override(word) => {
            // Emergency Override Started, Emergency Override Stopped; a review is a use of the security application.
            let subtype = match *word {
                "started" => Some((DCM, "110127")),
                "ended" => Some((DCM, "110138")),
                _ => None,
            };
            Pattern { kind: (DCM, "110113"), subtype, subject: Subject::Any, ..local("E") }
        }
        Event::Policy(_) => alert("110129", "U"),
        Event::Software(_) => alert("110131", "U"),
        Event::Recording(word) => alert(if *word == "stopped" { "110133" } else { "110134" }, "E"),
        Event::Data(_) => alert("110135", "E"),
        Event::Guard(_) | Event::Incident(_) => {
            Pattern { kind: (DCM, "110113"), subtype: None, subject: Subject::Any, ..local("E") }
        }
        Event::Export(_) => Pattern {
            kind: (DCM, "110106"),
            subtype: None,
            client: DESTINATION,
            server: SOURCE,
            subject: Subject::Any,
            ..local("R")
        },
        Event::Disclosure("recipient") => Pattern {
            kind: (DCM, "110107"),
            client: SOURCE,
            server: DESTINATION,
            patient_profile: Some("IHE.BasicAudit.PrivacyDisclosure.Recipient"),
            ..disclosed("C")
        },
        Event::Disclosure(_) => disclosed("R"),
    }
}

/// A change of what protects.
fn alert(subtype: &'static str, action: &'static str) -> Pattern {
    Pattern { kind: (DCM, "110113"), subtype: Some((DCM, subtype)), ..local(action) }
}

/// A disclosure at its source.
fn disclosed(action: &'static str) -> Pattern {
    Pattern {
        kind: (DCM, "110106"),
        subtype: Some(("http://terminology.hl7.org/CodeSystem/iso-21089-lifecycle", "disclose")),
        client: DESTINATION,
        server: SOURCE,
        subject: Subject::Any,
        patient_profile: Some("IHE.BasicAudit.PrivacyDisclosure.Source"),
        ..local(action)
    }
}

/// Login, Logout (DICOM PS3.16), Introspect Token (IHE IUA); what a person allowed or took back is a change of security attributes.
fn sign_on(word: &str) -> Pattern {
    let authentication = (DCM, "110114");
    let (kind, subtype, action) = match word {
        "login" => (authentication, Some((DCM, "110122")), "E"),
        "logout" => (authentication, Some((DCM, "110123")), "E"),
        "introspected" => (authentication, Some(("urn:ihe:event-type-code", "ITI-102")), "E"),
        "authorized" => ((DCM, "110113"), Some((DCM, "110137")), "C"),
        "ended" => ((DCM, "110113"), Some((DCM, "110137")), "D"),
        _ => (authentication, None, "E"),
    };
    Pattern { kind, subtype, server: TOKEN_SERVICE, ..local(action) }
}

fn rest(code: &'static str) -> Pattern {
    match code {
        "read" | "vread" => Pattern {
            subject: Subject::Record,
            profile: Some("IHE.BasicAudit.Read"),
            patient_profile: Some("IHE.BasicAudit.PatientRead"),
            ..shown(code)
        },
        "capabilities" => shown(code),
        "search" | "search-type" | "search-system" => Pattern {
            subject: Subject::Query,
            profile: Some("IHE.BasicAudit.Query"),
            patient_profile: Some("IHE.BasicAudit.PatientQuery"),
            ..asked(code)
        },
        "create" => written(code, "C", "IHE.BasicAudit.Create", "IHE.BasicAudit.PatientCreate"),
        "update" | "patch" => written(code, "U", "IHE.BasicAudit.Update", "IHE.BasicAudit.PatientUpdate"),
        "delete" => Pattern {
            client: APPLICATION,
            server: CUSTODIAN,
            ..written(code, "D", "IHE.BasicAudit.Delete", "IHE.BasicAudit.PatientDelete")
        },
        _ => asked(code),
    }
}

/// What the client sends to the server.
fn asked(code: &'static str) -> Pattern {
    Pattern {
        kind: ("http://terminology.hl7.org/CodeSystem/audit-event-type", "rest"),
        subtype: Some((REST, code)),
        client: SOURCE,
        server: DESTINATION,
        subject: Subject::Any,
        ..local("E")
    }
}

/// What the server sends to the client.
fn shown(code: &'static str) -> Pattern {
    Pattern { action: "R", client: DESTINATION, server: SOURCE, ..asked(code) }
}

fn written(code: &'static str, action: &'static str, profile: &'static str, patient_profile: &'static str) -> Pattern {
    Pattern {
        action,
        user: &[AUTHOR, RECIPIENT],
        subject: Subject::Record,
        profile: Some(profile),
        patient_profile: Some(patient_profile),
        ..asked(code)
    }
}

/// What happens inside the gateway.
fn local(action: &'static str) -> Pattern {
    Pattern {
        kind: (DCM, "110100"),
        subtype: None,
        action,
        client: APPLICATION,
        server: CUSTODIAN,
        user: &[RECIPIENT],
        subject: Subject::Note,
        profile: None,
        patient_profile: None,
    }
}
