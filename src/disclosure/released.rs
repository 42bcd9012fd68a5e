//! What leaves: an answer that may be sent, because its trail entry is durable.

use crate::fhir::{Instant, Key, Told, Version};

/// The end of the corridor: released, or refused. A FHIR route can answer with nothing else.
pub type Answer = Result<Released, Refused>;

/// The headers that an answer can carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeaderWord {
    /// `ETag`
    ETag,
    /// `Last-Modified`
    LastModified,
    /// `Location`
    Location,
    /// `WWW-Authenticate`
    WwwAuthenticate,
    /// `Retry-After`
    RetryAfter,
    /// `Allow`
    Allow,
}

impl HeaderWord {
    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ETag => "ETag",
            Self::LastModified => "Last-Modified",
            Self::Location => "Location",
            Self::WwwAuthenticate => "WWW-Authenticate",
            Self::RetryAfter => "Retry-After",
            Self::Allow => "Allow",
        }
    }
}

/// What tells the version of a record.
pub(super) fn version_headers(version: Version, updated: Instant) -> Vec<(HeaderWord, String)> {
    vec![(HeaderWord::ETag, version.etag()), (HeaderWord::LastModified, updated.http_date())]
}

/// What tells where a version of a record lies.
pub(super) fn location(base: &str, key: &Key, version: Version) -> (HeaderWord, String) {
    (HeaderWord::Location, format!("{base}/{key}/_history/{version}"))
}

/// An answer with content, decided twice and audited. Minted in this room alone.
#[derive(Debug)]
pub struct Released {
    status: u16,
    headers: Vec<(HeaderWord, String)>,
    body: Vec<u8>,
}

/// An answer without record content: why not, as an OperationOutcome. Minted in this room alone.
#[derive(Debug)]
pub struct Refused {
    status: u16,
    code: &'static str,
    headers: Vec<(HeaderWord, String)>,
    body: Vec<u8>,
}

impl Released {
    pub(super) fn mint(status: u16, headers: Vec<(HeaderWord, String)>, body: Vec<u8>) -> Self {
        Self { status, headers, body }
    }

    /// HTTP status.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// Headers beside the content type.
    pub fn headers(&self) -> &[(HeaderWord, String)] {
        &self.headers
    }

    /// The body; empty when there is none.
    pub fn into_body(self) -> Vec<u8> {
        self.body
    }
}

impl Refused {
    pub(super) fn mint(told: &Told, headers: Vec<(HeaderWord, String)>, body: Vec<u8>) -> Self {
        Self { status: told.status, code: told.code, headers, body }
    }

    /// HTTP status.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The stable code, for logs and metrics.
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// Headers beside the content type.
    pub fn headers(&self) -> &[(HeaderWord, String)] {
        &self.headers
    }

    /// The OperationOutcome; empty when there is none.
    pub fn into_body(self) -> Vec<u8> {
        self.body
    }
}
