//! The way out: what a caller may be sent.

/// A header that an answer may carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeaderWord {
    /// `ETag`
    ETag,
    /// `Last-Modified`
    LastModified,
    /// `Location`
    Location,
    /// `Content-Location`
    ContentLocation,
    /// `WWW-Authenticate`
    WwwAuthenticate,
    /// `Retry-After`
    RetryAfter,
    /// `Allow`
    Allow,
}

impl HeaderWord {
    /// The name, in lower case.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ETag => "etag",
            Self::LastModified => "last-modified",
            Self::Location => "location",
            Self::ContentLocation => "content-location",
            Self::WwwAuthenticate => "www-authenticate",
            Self::RetryAfter => "retry-after",
            Self::Allow => "allow",
        }
    }
}

#[derive(Debug)]
struct Message {
    status: u16,
    headers: Vec<(HeaderWord, String)>,
    body: Vec<u8>,
}

macro_rules! message {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $name(Message);

        impl $name {
            pub(crate) fn new(status: u16, headers: Vec<(HeaderWord, String)>, body: Vec<u8>) -> Self {
                Self(Message { status, headers, body })
            }

            /// HTTP status.
            pub fn status(&self) -> u16 {
                self.0.status
            }

            /// Headers of the interaction.
            pub fn headers(&self) -> &[(HeaderWord, String)] {
                &self.0.headers
            }

            /// Media type of the body.
            pub fn content_type(&self) -> &'static str {
                "application/fhir+json; charset=utf-8"
            }

            /// The body.
            pub fn into_body(self) -> Vec<u8> {
                self.0.body
            }
        }
    };
}

message!(
    /// What was decided to be sent.
    Released
);
message!(
    /// What is said instead.
    Refused
);

/// What a FHIR route answers.
pub type Answer = Result<Released, Refused>;
