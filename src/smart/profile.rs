//! What a client is held to beyond its registration: the security profile that it is registered for. The profiles contradict each other,
//! so a client has exactly one.

use crate::identity::{Algorithm, PeerCertificate};
use serde::{Deserialize, Serialize};

/// A security profile.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// SMART App Launch 2.2.
    #[default]
    Smart,
    /// HL7 UDAP Security 2.0.
    Udap,
    /// FAPI 2.0 Security Profile.
    Fapi2,
}

impl Profile {
    /// Every profile.
    pub const ALL: [Self; 3] = [Self::Smart, Self::Udap, Self::Fapi2];

    /// As it is written.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Smart => "smart",
            Self::Udap => "udap",
            Self::Fapi2 => "fapi2",
        }
    }

    /// The profile of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|profile| profile.name() == name)
    }

    /// May an assertion be signed with this? `configured` are those of the gateway for SMART.
    pub fn admits(self, algorithm: Algorithm, configured: &[Algorithm]) -> bool {
        match self {
            Self::Smart => configured.contains(&algorithm),
            Self::Udap => {
                matches!(algorithm, Algorithm::RS256 | Algorithm::ES256 | Algorithm::RS384 | Algorithm::ES384)
            }
            Self::Fapi2 => matches!(algorithm, Algorithm::PS256 | Algorithm::ES256),
        }
    }

    /// Must `aud` of an assertion be the issuer, as a text (FAPI 2.0 § 5.3.2.1)? Else it names the URL of the endpoint.
    pub const fn names_the_issuer(self) -> bool {
        matches!(self, Self::Fapi2)
    }

    /// Are authorization requests taken only when they were pushed (RFC 9126)?
    pub const fn pushes(self) -> bool {
        matches!(self, Self::Fapi2)
    }

    /// Must access tokens be bound to a key or a certificate?
    pub const fn binds(self) -> bool {
        matches!(self, Self::Fapi2)
    }

    /// Must an authorization request have a `state`?
    pub const fn needs_state(self) -> bool {
        matches!(self, Self::Udap)
    }
}

/// By what in its certificate a client is known (RFC 8705 § 2.1.2 and § 2.2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TlsName {
    /// The subject, as it is written out: `CN=lab, O=Hospital`.
    SubjectDn(String),
    /// A name of the host.
    SanDns(String),
    /// A URI.
    SanUri(String),
    /// The certificate itself: its SHA-256, base64url.
    Itself(String),
}

impl TlsName {
    /// `token_endpoint_auth_method`
    pub const fn method(&self) -> &'static str {
        match self {
            Self::Itself(_) => "self_signed_tls_client_auth",
            _ => "tls_client_auth",
        }
    }

    /// Is this the client's certificate?
    pub fn is_of(&self, peer: &PeerCertificate) -> bool {
        match self {
            Self::SubjectDn(name) => *name == peer.subject,
            Self::SanDns(name) => peer.dns.contains(name),
            Self::SanUri(name) => peer.uris.contains(name),
            Self::Itself(thumbprint) => *thumbprint == peer.thumbprint,
        }
    }
}
