//! Everything that can be refused, as one enum, and the table that gives each its status, code and trail outcome.

use super::{Id, ResourceType, Version};
use std::borrow::Cow;

mod table;

/// One thing that is wrong with the input, in the caller's own terms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The issue type of R4 (`http://hl7.org/fhir/issue-type`), such as `structure`, `value`, `invalid`.
    pub issue: &'static str,
    /// What is wrong and what to do.
    pub text: String,
    /// The FHIRPath of the place, such as `Patient.name[0].given[1]`.
    pub expression: Option<String>,
}

impl Problem {
    /// A problem at a place.
    pub fn at(issue: &'static str, expression: impl Into<String>, text: impl Into<String>) -> Self {
        Self { issue, text: text.into(), expression: Some(expression.into()) }
    }

    /// A problem of the request as a whole.
    pub fn of(issue: &'static str, text: impl Into<String>) -> Self {
        Self { issue, text: text.into(), expression: None }
    }
}

/// Why an interaction is refused. The outer text of each is fixed; what varies is the caller's own input, never hidden content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// No access token came with the request (RFC 6750 § 3).
    TokenMissing,
    /// The token is not acceptable; the word says why, for the trail (`expired`, `signature`, `audience`, ...).
    TokenInvalid(&'static str),
    /// The token is bound to a key, and the request does not prove that the caller has it (RFC 9449 § 7.1); the word says why, for the trail.
    ProofRefused(&'static str),
    /// The token stands in the URL or in more than one place (RFC 6750 § 2, `threats` T084).
    TokenMisplaced,
    /// The user must sign in again, or more strongly, before this (RFC 9470).
    StepUp {
        /// What the site accepts as `acr`, separated by spaces.
        acr_values: String,
        /// How long ago the sign-in may lie, in seconds.
        max_age: u32,
    },
    /// The purpose of use: none, unknown, or one that the client or its token does not have; the word says which, for the trail.
    PurposeRefused(&'static str),
    /// Emergency access is not for this caller; the word says why, for the trail.
    BreakGlassRefused(&'static str),
    /// A consent that was in force is revoked, never deleted.
    RevokeInstead,
    /// A consent that favours whoever files it.
    ConsentFavours,
    /// An explanation that is not for this caller.
    ExplanationRefused,
    /// Notices of emergency access that are not for this caller.
    NoticesRefused,
    /// The token lacks the scope for this interaction on this type, told before any data are looked at.
    ScopeMissing {
        /// A scope that would do, such as `system/Observation.rs`.
        needed: String,
    },
    /// The new content lies outside what the caller may write (compartment or granular scope).
    WriteOutsideGrant,
    /// No such record, or none that this caller may see: one answer for both, to the byte.
    NotFound,
    /// The record was deleted, and the caller may know that it was.
    Gone,
    /// The version that the caller named is not the current one (`If-Match`).
    VersionMismatch,
    /// The type or interaction asks for `If-Match` and none came.
    VersionRequired,
    /// A condition selects more than one record that the caller sees.
    SeveralMatch,
    /// Another write came between; nothing was done, trying again is safe.
    Conflict,
    /// The body is not JSON, not UTF-8, too deep, or has duplicate names.
    Malformed(Problem),
    /// The request line, a header or a parameter is wrong.
    Invalid(Vec<Problem>),
    /// The record's content is wrong; every problem found is listed.
    Unprocessable(Vec<Problem>),
    /// A body of a type that the gateway does not read.
    MediaType,
    /// None of the formats that the caller accepts can be written.
    NotAcceptable,
    /// A bound in bytes or counts; the text names it.
    TooLarge(&'static str),
    /// The method does not exist here; these do, as `Allow` tells them (RFC 9110 § 15.5.6).
    MethodNotAllowed(&'static str),
    /// FHIR knows it, this server does not do it (an unknown operation, for example).
    NotSupported(String),
    /// Somebody was locked out: the client, the user, the address or everybody; the word is for the trail.
    Suspended(&'static str),
    /// Nothing is written while an alarm or an incident is dealt with.
    WriteLocked,
    /// The rate is exceeded; in so many seconds there is room again.
    TooManyRequests(u32),
    /// The trail cannot be written, so nothing is sent.
    TrailUnavailable,
    /// The record store cannot be reached or does not answer in time.
    StoreUnavailable,
    /// The disk is nearly full, and this is no longer written; the word says what: `bulk` or `writes`.
    StoreFull(&'static str),
    /// The server behind the gateway did not answer in time.
    UpstreamSlow,
    /// The server behind the gateway sent what cannot be believed, or refuses the gateway.
    UpstreamUntrusted,
    /// The server behind the gateway is busy, or left alone after failures; in so many seconds it may be otherwise.
    UpstreamBusy(u32),
    /// A change was sent to the server behind the gateway, and how it ended cannot be found out.
    UpstreamInDoubt,
    /// What the patients allow could not be read again in time.
    ConsentsStale,
    /// A defect: told with the request id, detailed in the log.
    Internal,
}

/// How the trail records an outcome (AuditEvent.outcome).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// `0`
    Success,
    /// `4`: denied, or the caller's mistake.
    Minor,
    /// `8`: security.
    Serious,
    /// `12`: the gateway's own failure.
    Major,
}

impl Outcome {
    /// The code of `http://terminology.hl7.org/CodeSystem/audit-event-outcome`.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Success => "0",
            Self::Minor => "4",
            Self::Serious => "8",
            Self::Major => "12",
        }
    }
}

/// One row of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// HTTP status.
    pub status: u16,
    /// Issue type of R4.
    pub issue: &'static str,
    /// The gateway's own stable code, also in logs and documentation.
    pub code: &'static str,
    /// The fixed sentence for the caller, with what to do next.
    pub text: Cow<'static, str>,
    /// What the trail says.
    pub outcome: Outcome,
    /// AuditEvent.outcomeDesc: a machine code.
    pub reason: Cow<'static, str>,
}

impl Refusal {
    /// The row of the table: status, issue type, stable code, text, trail outcome. Every refusal has one.
    pub fn told(&self) -> Told {
        match self {
            Self::TokenMissing => table::TOKEN_MISSING,
            Self::TokenInvalid(why) => Told { reason: Cow::Owned(format!("token:{why}")), ..table::TOKEN_INVALID },
            Self::ProofRefused(why) => Told { reason: Cow::Owned(format!("proof:{why}")), ..table::PROOF_REFUSED },
            Self::TokenMisplaced => table::TOKEN_MISPLACED,
            Self::StepUp { .. } => table::STEP_UP,
            Self::PurposeRefused(why) => Told { reason: Cow::Owned(format!("purpose:{why}")), ..table::PURPOSE_REFUSED },
            Self::BreakGlassRefused(why) => {
                Told { reason: Cow::Owned(format!("break-glass:{why}")), ..table::BREAK_GLASS_REFUSED }
            }
            Self::RevokeInstead => table::REVOKE_INSTEAD,
            Self::ConsentFavours => table::CONSENT_FAVOURS,
            Self::ExplanationRefused => table::EXPLANATION_REFUSED,
            Self::NoticesRefused => table::NOTICES_REFUSED,
            Self::ScopeMissing { needed } => Told {
                text: Cow::Owned(format!("The access token does not grant this. A scope that would: `{needed}`.")),
                ..table::SCOPE_MISSING
            },
            Self::WriteOutsideGrant => table::WRITE_OUTSIDE_GRANT,
            Self::NotFound => table::NOT_FOUND,
            Self::Gone => table::GONE,
            Self::VersionMismatch => table::VERSION_MISMATCH,
            Self::VersionRequired => table::VERSION_REQUIRED,
            Self::SeveralMatch => table::SEVERAL_MATCH,
            Self::Conflict => table::CONFLICT,
            Self::Malformed(problem) => Told { issue: problem.issue, ..table::MALFORMED },
            Self::Invalid(_) => table::INVALID,
            Self::Unprocessable(_) => table::UNPROCESSABLE,
            Self::MediaType => table::MEDIA_TYPE,
            Self::NotAcceptable => table::NOT_ACCEPTABLE,
            Self::TooLarge(bound) => Told { text: Cow::Owned(format!("Too large: {bound}.")), ..table::TOO_LARGE },
            Self::MethodNotAllowed(_) => table::METHOD_NOT_ALLOWED,
            Self::NotSupported(what) => Told {
                text: Cow::Owned(format!(
                    "`{what}` is not supported by this server. The CapabilityStatement at `/metadata` lists what is."
                )),
                ..table::NOT_SUPPORTED
            },
            Self::Suspended(what) => Told { reason: Cow::Owned(format!("suspended:{what}")), ..table::SUSPENDED },
            Self::WriteLocked => table::WRITE_LOCKED,
            Self::TooManyRequests(_) => table::TOO_MANY_REQUESTS,
            Self::TrailUnavailable => table::TRAIL_UNAVAILABLE,
            Self::StoreUnavailable => table::STORE_UNAVAILABLE,
            Self::StoreFull(what) => Told { reason: Cow::Owned(format!("space:{what}")), ..table::STORE_FULL },
            Self::UpstreamSlow => table::UPSTREAM_SLOW,
            Self::UpstreamUntrusted => table::UPSTREAM_UNTRUSTED,
            Self::UpstreamBusy(_) => table::UPSTREAM_BUSY,
            Self::UpstreamInDoubt => table::UPSTREAM_IN_DOUBT,
            Self::ConsentsStale => table::CONSENTS_STALE,
            Self::Internal => table::INTERNAL,
        }
    }

    /// The problems to list beside the fixed text.
    pub fn problems(&self) -> &[Problem] {
        match self {
            Self::Invalid(problems) | Self::Unprocessable(problems) => problems,
            Self::Malformed(problem) => std::slice::from_ref(problem),
            _ => &[],
        }
    }
}

/// Which record a refusal or an answer is about, for the trail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Touched {
    /// Type.
    pub resource_type: ResourceType,
    /// Id.
    pub id: Id,
    /// Version, where one is known.
    pub version: Option<Version>,
}
