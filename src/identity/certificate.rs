//! The certificate that a client connected with.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// A client certificate that TLS has verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerCertificate {
    /// SHA-256 of the DER form, base64url: `x5t#S256` (RFC 8705 § 3.1).
    pub thumbprint: String,
    /// The subject, as text, for the trail.
    pub subject: String,
}

impl PeerCertificate {
    /// From the DER form. `None` when it is no certificate.
    pub fn from_der(der: &[u8]) -> Option<Self> {
        let (rest, certificate) = x509_parser::parse_x509_certificate(der).ok()?;
        rest.is_empty().then(|| Self { thumbprint: thumbprint(der), subject: certificate.subject().to_string() })
    }
}

/// SHA-256, base64url without padding.
pub fn thumbprint(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_known_by_its_thumbprint_and_subject() {
        let made = rcgen::generate_simple_self_signed(vec!["lab.example".to_owned()]).unwrap();
        let peer = PeerCertificate::from_der(made.cert.der()).unwrap();
        assert_eq!(peer.thumbprint, thumbprint(made.cert.der()));
        assert_eq!(peer.thumbprint.len(), 43);
        assert!(peer.subject.contains("CN="), "{}", peer.subject);
        assert_eq!(PeerCertificate::from_der(b"no certificate"), None);
    }
}
