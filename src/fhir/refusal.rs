//! Everything that can be refused, as one enum, and the table that gives each its status, code and trail outcome.

use super::{Id, ResourceType, Version};
use std::borrow::Cow;

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
    /// The token stands in the URL or in more than one place (RFC 6750 § 2, `threats` T084).
    TokenMisplaced,
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
    /// The method does not exist here.
    MethodNotAllowed,
    /// FHIR knows it, this server does not do it (an unknown operation, for example).
    NotSupported(String),
    /// The rate or the number of requests in flight is exceeded.
    TooManyRequests,
    /// The trail cannot be written, so nothing is sent.
    TrailUnavailable,
    /// The record store cannot be reached or does not answer in time.
    StoreUnavailable,
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

const fn told(
    status: u16,
    issue: &'static str,
    code: &'static str,
    outcome: Outcome,
    reason: &'static str,
    text: &'static str,
) -> Told {
    Told { status, issue, code, text: Cow::Borrowed(text), outcome, reason: Cow::Borrowed(reason) }
}

impl Refusal {
    /// The table: status, issue type, stable code, text, trail outcome. Every refusal has a row.
    pub fn told(&self) -> Told {
        use Outcome::{Major, Minor, Serious};
        match self {
            Self::TokenMissing => told(
                401,
                "login",
                "AMANAT-AUTH-0001",
                Serious,
                "token:missing",
                "This server needs an access token. Send it as `Authorization: Bearer <token>`.",
            ),
            Self::TokenInvalid(why) => Told {
                reason: Cow::Owned(format!("token:{why}")),
                ..told(
                    401,
                    "login",
                    "AMANAT-AUTH-0002",
                    Serious,
                    "",
                    "The access token is not valid here (bad, expired or revoked). Get a new one from its issuer.",
                )
            },
            Self::TokenMisplaced => told(
                400,
                "security",
                "AMANAT-AUTH-0003",
                Serious,
                "token:misplaced",
                "Send the access token once, in the Authorization header, never in the URL or a form.",
            ),
            Self::ScopeMissing { needed } => Told {
                text: Cow::Owned(format!("The access token does not grant this. A scope that would: `{needed}`.")),
                ..told(403, "forbidden", "AMANAT-SCOPE-0001", Minor, "scope", "")
            },
            Self::WriteOutsideGrant => told(
                403,
                "forbidden",
                "AMANAT-SCOPE-0002",
                Minor,
                "compartment",
                "The content lies outside what the access token lets you write. Check the patient that it names, and the scopes.",
            ),
            Self::NotFound => told(404, "not-found", "AMANAT-REC-0001", Minor, "not-found", "There is no such record for you."),
            Self::Gone => told(
                410,
                "deleted",
                "AMANAT-REC-0002",
                Minor,
                "deleted",
                "The record was deleted. Earlier versions are in its history.",
            ),
            Self::VersionMismatch => told(
                412,
                "conflict",
                "AMANAT-REC-0003",
                Minor,
                "input:version",
                "The record has another version than the one you named. Read it again, and repeat the change on it.",
            ),
            Self::VersionRequired => told(
                428,
                "required",
                "AMANAT-REC-0004",
                Minor,
                "input:version-required",
                "This change needs `If-Match` with the version that you read.",
            ),
            Self::SeveralMatch => told(
                412,
                "multiple-matches",
                "AMANAT-REC-0005",
                Minor,
                "input:several-match",
                "The condition selects more than one record. Make it select one.",
            ),
            Self::Conflict => told(
                409,
                "conflict",
                "AMANAT-REC-0006",
                Minor,
                "input:conflict",
                "Another change came between. Nothing was done; try again.",
            ),
            Self::Malformed(problem) => {
                told(400, problem.issue, "AMANAT-IN-0001", Minor, "input:malformed", "The body cannot be read.")
            }
            Self::Invalid(_) => told(400, "invalid", "AMANAT-IN-0002", Minor, "input:invalid", "The request is not valid."),
            Self::Unprocessable(_) => {
                told(422, "invalid", "AMANAT-IN-0003", Minor, "input:content", "The content is not a valid record.")
            }
            Self::MediaType => told(
                415,
                "not-supported",
                "AMANAT-IN-0004",
                Minor,
                "input:media-type",
                "Send the body as `application/fhir+json` (for PATCH: `application/json-patch+json`).",
            ),
            Self::NotAcceptable => told(
                406,
                "not-supported",
                "AMANAT-IN-0005",
                Minor,
                "input:format",
                "This server writes `application/fhir+json`. Ask for that.",
            ),
            Self::TooLarge(bound) => Told {
                text: Cow::Owned(format!("Too large: {bound}.")),
                ..told(413, "too-long", "AMANAT-IN-0006", Minor, "input:size", "")
            },
            Self::MethodNotAllowed => told(
                405,
                "not-supported",
                "AMANAT-IN-0007",
                Minor,
                "input:method",
                "This method does not exist here. The CapabilityStatement at `/metadata` lists what does.",
            ),
            Self::NotSupported(what) => Told {
                text: Cow::Owned(format!(
                    "`{what}` is not supported by this server. The CapabilityStatement at `/metadata` lists what is."
                )),
                ..told(404, "not-supported", "AMANAT-IN-0008", Minor, "input:not-supported", "")
            },
            Self::TooManyRequests => told(
                429,
                "throttled",
                "AMANAT-RATE-0001",
                Minor,
                "rate",
                "Too many requests. Wait as long as `Retry-After` says.",
            ),
            Self::TrailUnavailable => told(
                503,
                "transient",
                "AMANAT-TRAIL-0001",
                Major,
                "trail",
                "The audit trail cannot be written, so nothing is sent. Try again later.",
            ),
            Self::StoreUnavailable => told(
                503,
                "transient",
                "AMANAT-STORE-0001",
                Major,
                "store",
                "The record store does not answer. Nothing was done; try again later.",
            ),
            Self::Internal => told(
                500,
                "exception",
                "AMANAT-INT-0001",
                Major,
                "internal",
                "Something went wrong here. Nothing was sent. Tell the operator the request id.",
            ),
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
