//! Clients that register themselves (RFC 7591, RFC 7592): what they say, what is kept of it, and that an operator admits them.

use serde::{Deserialize, Serialize};

/// How a client came to be registered by itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enrolled {
    /// When, in milliseconds.
    pub at: i64,
    /// What is kept of its registration access token (RFC 7592 § 3); none for one that proves itself with a certificate each time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// When an operator, or the site's rule, admitted it, in milliseconds. Until then it gets no token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved: Option<i64>,
    /// Whom to write to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contacts: Vec<String>,
    /// Its home page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_uri: Option<String>,
    /// Its logo. Never fetched here, and never shown: told back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logo_uri: Option<String>,
    /// What program it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub software_id: Option<String>,
    /// In which version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub software_version: Option<String>,
    /// The community in which its certificate stands, and the URI in that certificate that is its own (UDAP).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub community: Option<(String, String)>,
    /// The signed statement that it registered with (UDAP), to the byte.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statement: Option<String>,
}
