//! Tokens signed with the key of a certificate that they carry (`x5c`), and the chain from there to an authority that is trusted
//! (RFC 5280; UDAP, "JWT").

use super::claims::Claims;
use super::jws::Jws;
use super::key_set::KeySet;
use crate::fhir::Instant;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, TrustAnchor, UnixTime};
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;
use webpki::{BorrowedCertRevocationList, CertRevocationList, EndEntityCert, KeyUsage, RevocationOptionsBuilder};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::X509Certificate;
use x509_parser::public_key::PublicKey;

/// Authorities, and what they have revoked.
#[derive(Debug)]
pub struct Anchors {
    trusted: Vec<TrustAnchor<'static>>,
    revoked: Vec<CertificateRevocationListDer<'static>>,
}

/// A token whose signer an authority vouches for.
#[derive(Debug)]
pub struct Certified {
    /// What it claims.
    pub claims: Claims,
    /// The URIs of the signer's certificate (SAN).
    pub uris: Vec<String>,
    /// `alg`
    pub algorithm: super::algorithm::Algorithm,
}

impl Anchors {
    /// Reads authorities, and revocation lists where there are any, in PEM.
    ///
    /// # Errors
    /// What cannot be read.
    pub fn load(authorities: &Path, revocations: Option<&Path>) -> Result<Self, String> {
        let wrong = |file: &Path, why: &dyn std::fmt::Display| format!("`{}`: {why}", file.display());
        let certificates = CertificateDer::pem_file_iter(authorities).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let certificates = certificates.map_err(|fault| wrong(authorities, &fault))?;
        let mut trusted = Vec::new();
        for certificate in &certificates {
            let anchor = webpki::anchor_from_trusted_cert(certificate).map_err(|fault| wrong(authorities, &fault))?;
            trusted.push(anchor.to_owned());
        }
        if trusted.is_empty() {
            return Err(wrong(authorities, &"no certificate in it"));
        }
        let revoked = match revocations {
            None => Vec::new(),
            Some(file) => CertificateRevocationListDer::pem_file_iter(file)
                .and_then(Iterator::collect::<Result<Vec<_>, _>>)
                .map_err(|fault| wrong(file, &fault))?,
        };
        Ok(Self { trusted, revoked })
    }

    /// Takes a token apart whose header carries its signer's certificates, and holds both the signature and the chain.
    ///
    /// # Errors
    /// One word on what is wrong.
    pub fn certified(&self, token: &str, now: Instant) -> Result<Certified, &'static str> {
        let (mut jws, chain) = Jws::carrying_certificates(token)?;
        let (leaf, between) = chain.split_first().ok_or("header")?;
        let (rest, parsed) = x509_parser::parse_x509_certificate(leaf).map_err(|_| "certificate")?;
        if !rest.is_empty() || !signs(&parsed) {
            return Err("certificate");
        }
        jws.header.key_id = None;
        let jwk = json!({"keys": [public_key(&parsed).ok_or("key")?]});
        KeySet::parse(jwk.to_string().as_bytes()).map_err(|_| "key")?.verify(&jws)?;
        self.vouch(leaf, between, now)?;
        Ok(Certified { claims: Claims::parse(&jws.payload)?, uris: uris(&parsed), algorithm: jws.header.algorithm })
    }

    fn vouch(&self, leaf: &[u8], between: &[Vec<u8>], now: Instant) -> Result<(), &'static str> {
        let leaf = CertificateDer::from(leaf);
        let between: Vec<CertificateDer<'_>> = between.iter().map(|der| CertificateDer::from(der.as_slice())).collect();
        let certificate = EndEntityCert::try_from(&leaf).map_err(|_| "certificate")?;
        let seconds = u64::try_from(now.seconds()).map_err(|_| "chain")?;
        let time = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        let lists: Result<Vec<CertRevocationList<'_>>, _> =
            self.revoked.iter().map(|list| BorrowedCertRevocationList::from_der(list).map(CertRevocationList::from)).collect();
        let lists = lists.map_err(|_| "revocations")?;
        let lists: Vec<&CertRevocationList<'_>> = lists.iter().collect();
        let revocation = match RevocationOptionsBuilder::new(&lists) {
            // Who is on no list is not revoked; a list that is too old is.
            Ok(options) => Some(options.with_status_policy(webpki::UnknownStatusPolicy::Allow).build()),
            Err(_) => None,
        };
        let algorithms = webpki::ALL_VERIFICATION_ALGS;
        let usage = KeyUsage::client_auth();
        let verified = certificate.verify_for_usage(algorithms, &self.trusted, &between, time, usage, revocation, None);
        verified.map(drop).map_err(|fault| match fault {
            webpki::Error::CertExpired { .. } | webpki::Error::CertNotValidYet { .. } => "certificate-expired",
            webpki::Error::CertRevoked => "certificate-revoked",
            _ => "chain",
        })
    }
}

/// May the key sign? A certificate that says nothing of it may.
fn signs(certificate: &X509Certificate<'_>) -> bool {
    certificate.key_usage().ok().flatten().is_none_or(|usage| usage.value.digital_signature())
}

fn uris(certificate: &X509Certificate<'_>) -> Vec<String> {
    let names = certificate.subject_alternative_name().ok().flatten();
    let names = names.map_or(&[][..], |names| &names.value.general_names);
    let uri = |name: &GeneralName<'_>| match name {
        GeneralName::URI(uri) => Some((*uri).to_owned()),
        _ => None,
    };
    names.iter().filter_map(uri).collect()
}

/// The URIs of a certificate (SAN), in DER.
pub fn uris_of(der: &[u8]) -> Vec<String> {
    x509_parser::parse_x509_certificate(der).map(|(_, parsed)| uris(&parsed)).unwrap_or_default()
}

/// The key of a certificate as a JWK.
fn public_key(certificate: &X509Certificate<'_>) -> Option<Value> {
    let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    match certificate.public_key().parsed().ok()? {
        PublicKey::RSA(key) => Some(json!({"kty": "RSA", "n": text(key.modulus), "e": text(key.exponent)})),
        PublicKey::EC(point) => {
            let (form, coordinates) = point.data().split_first()?;
            let (x, y) = coordinates.split_at_checked(coordinates.len() / 2)?;
            let curve = match (form, x.len()) {
                (4, 32) => "P-256",
                (4, 48) => "P-384",
                _ => return None,
            };
            Some(json!({"kty": "EC", "crv": curve, "x": text(x), "y": text(y)}))
        }
        _ => None,
    }
}
