//! The table: one row for each refusal. Where a row has an empty text or reason, the refusal itself fills it in.

use super::Outcome::{Major, Minor, Serious};
use super::{Outcome, Told};
use std::borrow::Cow;

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

pub(super) const TOKEN_MISSING: Told = told(
    401,
    "login",
    "AMANAT-AUTH-0001",
    Serious,
    "token:missing",
    "This server needs an access token. Send it as `Authorization: Bearer <token>`.",
);
pub(super) const TOKEN_INVALID: Told = told(
    401,
    "login",
    "AMANAT-AUTH-0002",
    Serious,
    "",
    "The access token is not valid here (bad, expired or revoked). Get a new one from its issuer.",
);
pub(super) const TOKEN_MISPLACED: Told = told(
    400,
    "security",
    "AMANAT-AUTH-0003",
    Serious,
    "token:misplaced",
    "Send the access token once, in the Authorization header, never in the URL or a form.",
);
pub(super) const STEP_UP: Told = told(
    401,
    "login",
    "AMANAT-AUTH-0004",
    Serious,
    "step-up",
    "This needs a fresh and strong sign-in. Sign in again as the `WWW-Authenticate` header asks, and repeat the request with the new token.",
);
pub(super) const PROOF_REFUSED: Told = told(
    401,
    "login",
    "AMANAT-AUTH-0005",
    Serious,
    "",
    "The access token is bound to a key. Send it as `Authorization: DPoP <token>` with a fresh proof of this request in the header `DPoP`.",
);
pub(super) const PURPOSE_REFUSED: Told = told(
    403,
    "forbidden",
    "AMANAT-PURPOSE-0001",
    Minor,
    "",
    "The purpose of use is missing, unknown, or not one that this client acts for. It comes from the access token; a header only selects among its purposes.",
);
pub(super) const BREAK_GLASS_REFUSED: Told = told(
    403,
    "forbidden",
    "AMANAT-BTG-0001",
    Minor,
    "",
    "Emergency access is for users in a role of the site's list, through a client that is registered for the purpose BTG.",
);
pub(super) const REVOKE_INSTEAD: Told = told(
    409,
    "business-rule",
    "AMANAT-CONSENT-0001",
    Minor,
    "consent:revoke-instead",
    "A consent that was in force is kept. Revoke it with `POST Consent/$revokeConsent`, or set its status to `inactive`.",
);
pub(super) const CONSENT_FAVOURS: Told = told(
    403,
    "forbidden",
    "AMANAT-CONSENT-0002",
    Minor,
    "consent:favours-author",
    "A clinician cannot file a consent that permits something to that clinician. Let the patient, a proxy or another officer file it.",
);
pub(super) const EXPLANATION_REFUSED: Told = told(
    403,
    "forbidden",
    "AMANAT-EXPLAIN-0001",
    Minor,
    "explain",
    "An explanation is for the patient, with a token of their own, and for auditors (a scope that names AuditEvent).",
);
pub(super) const NOTICES_REFUSED: Told = told(
    403,
    "forbidden",
    "AMANAT-BTG-0002",
    Minor,
    "notices",
    "Notices of emergency access are for the patient, with a token of their own, and for the privacy office (a scope that names AuditEvent).",
);
pub(super) const SCOPE_MISSING: Told = told(403, "forbidden", "AMANAT-SCOPE-0001", Minor, "scope", "");
pub(super) const WRITE_OUTSIDE_GRANT: Told = told(
    403,
    "forbidden",
    "AMANAT-SCOPE-0002",
    Minor,
    "compartment",
    "The content lies outside what the access token lets you write. Check the patient that it names, and the scopes.",
);
pub(super) const NOT_FOUND: Told =
    told(404, "not-found", "AMANAT-REC-0001", Minor, "not-found", "There is no such record for you.");
pub(super) const GONE: Told =
    told(410, "deleted", "AMANAT-REC-0002", Minor, "deleted", "The record was deleted. Earlier versions are in its history.");
pub(super) const VERSION_MISMATCH: Told = told(
    412,
    "conflict",
    "AMANAT-REC-0003",
    Minor,
    "input:version",
    "The record has another version than the one you named. Read it again, and repeat the change on it.",
);
pub(super) const VERSION_REQUIRED: Told = told(
    428,
    "required",
    "AMANAT-REC-0004",
    Minor,
    "input:version-required",
    "This change needs `If-Match` with the version that you read.",
);
pub(super) const SEVERAL_MATCH: Told = told(
    412,
    "multiple-matches",
    "AMANAT-REC-0005",
    Minor,
    "input:several-match",
    "The condition selects more than one record. Make it select one.",
);
pub(super) const CONFLICT: Told = told(
    409,
    "conflict",
    "AMANAT-REC-0006",
    Minor,
    "input:conflict",
    "Another change came between. Nothing was done; try again.",
);
pub(super) const MALFORMED: Told = told(400, "structure", "AMANAT-IN-0001", Minor, "input:malformed", "The body cannot be read.");
pub(super) const INVALID: Told = told(400, "invalid", "AMANAT-IN-0002", Minor, "input:invalid", "The request is not valid.");
pub(super) const UNPROCESSABLE: Told =
    told(422, "invalid", "AMANAT-IN-0003", Minor, "input:content", "The content is not a valid record.");
pub(super) const MEDIA_TYPE: Told = told(
    415,
    "not-supported",
    "AMANAT-IN-0004",
    Minor,
    "input:media-type",
    "Send the body as `application/fhir+json` (for PATCH: `application/json-patch+json`).",
);
pub(super) const NOT_ACCEPTABLE: Told = told(
    406,
    "not-supported",
    "AMANAT-IN-0005",
    Minor,
    "input:format",
    "This server writes `application/fhir+json`. Ask for that.",
);
pub(super) const TOO_LARGE: Told = told(413, "too-long", "AMANAT-IN-0006", Minor, "input:size", "");
pub(super) const METHOD_NOT_ALLOWED: Told = told(
    405,
    "not-supported",
    "AMANAT-IN-0007",
    Minor,
    "input:method",
    "This method does not exist here. The CapabilityStatement at `/metadata` lists what does.",
);
pub(super) const NOT_SUPPORTED: Told = told(404, "not-supported", "AMANAT-IN-0008", Minor, "input:not-supported", "");
pub(super) const TOO_MANY_REQUESTS: Told =
    told(429, "throttled", "AMANAT-RATE-0001", Minor, "rate", "Too many requests. Wait as long as `Retry-After` says.");
pub(super) const SUSPENDED: Told = told(
    403,
    "security",
    "AMANAT-HOLD-0001",
    Serious,
    "",
    "Access is suspended while an incident is looked into. Ask the operator of this server.",
);
pub(super) const WRITE_LOCKED: Told = told(
    503,
    "transient",
    "AMANAT-HOLD-0002",
    Minor,
    "suspended:writes",
    "Nothing can be written here while an incident is looked into. Reading goes on; try again later.",
);
pub(super) const TRAIL_UNAVAILABLE: Told = told(
    503,
    "transient",
    "AMANAT-TRAIL-0001",
    Major,
    "trail",
    "The audit trail cannot be written, so nothing is sent. Try again later.",
);
pub(super) const STORE_UNAVAILABLE: Told = told(
    503,
    "transient",
    "AMANAT-STORE-0001",
    Major,
    "store",
    "The record store does not answer. Nothing was done; try again later.",
);
pub(super) const STORE_FULL: Told = told(
    503,
    "no-store",
    "AMANAT-STORE-0002",
    Major,
    "space",
    "The disk of this server is nearly full, so that this is not written. Nothing was done and reading goes on; try again when there is room, or in smaller parts.",
);
pub(super) const UPSTREAM_SLOW: Told = told(
    504,
    "timeout",
    "AMANAT-UP-0001",
    Major,
    "upstream:slow",
    "The server that keeps the records did not answer in time. A read can be repeated; before repeating a change, read what is there.",
);
pub(super) const UPSTREAM_UNTRUSTED: Told = told(
    502,
    "exception",
    "AMANAT-UP-0002",
    Major,
    "upstream:untrusted",
    "The server that keeps the records sent an answer that cannot be relied on, so nothing of it is passed on. Tell the operator the request id.",
);
pub(super) const UPSTREAM_BUSY: Told = told(
    503,
    "transient",
    "AMANAT-UP-0003",
    Major,
    "upstream:busy",
    "The server that keeps the records has too much to do. Wait as long as `Retry-After` says.",
);
pub(super) const UPSTREAM_IN_DOUBT: Told = told(
    504,
    "timeout",
    "AMANAT-UP-0005",
    Major,
    "upstream:in-doubt",
    "The server that keeps the records did not say how this change ended, and the record does not show it. It may have been made, or may be yet: read what is there before repeating it.",
);
pub(super) const CONSENTS_STALE: Told = told(
    503,
    "transient",
    "AMANAT-UP-0004",
    Major,
    "upstream:consents",
    "What the patients allow could not be read again in time, so nothing is shown or changed. Try again later.",
);
pub(super) const INTERNAL: Told = told(
    500,
    "exception",
    "AMANAT-INT-0001",
    Major,
    "internal",
    "Something went wrong here. Nothing was sent. Tell the operator the request id.",
);
