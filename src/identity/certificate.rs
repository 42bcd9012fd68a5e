//! The certificate that a client connected with.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use x509_parser::extensions::GeneralName;

/// A client certificate that TLS has verified.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PeerCertificate {
    /// SHA-256 of the DER form, base64url: `x5t#S256` (RFC 8705 § 3.1).
    pub thumbprint: String,
    /// The subject, as text, for the trail.
    pub subject: String,
    /// Its names of hosts (SAN).
    pub dns: Vec<String>,
    /// Its URIs (SAN).
    pub uris: Vec<String>,
}

impl PeerCertificate {
    /// From the DER form. `None` when it is no certificate.
    pub fn from_der(der: &[u8]) -> Option<Self> {
        let (rest, certificate) = x509_parser::parse_x509_certificate(der).ok()?;
        let (mut dns, mut uris) = (Vec::new(), Vec::new());
        for name in certificate.subject_alternative_name().ok().flatten().map_or(&[][..], |names| &names.value.general_names) {
            match name {
                GeneralName::DNSName(name) => dns.push((*name).to_owned()),
                GeneralName::URI(uri) => uris.push((*uri).to_owned()),
                _ => {}
            }
        }
        let subject = certificate.subject().to_string();
        rest.is_empty().then(|| Self { thumbprint: thumbprint(der), subject, dns, uris })
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
