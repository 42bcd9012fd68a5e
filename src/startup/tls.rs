//! TLS: 1.2 and 1.3 with the safe suites of rustls, and certificates that change under open connections.

use crate::config;
use arc_swap::ArcSwap;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ClientHello, ResolvesServerCert, ServerConfig, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::{DigitallySignedStruct, DistinguishedName, RootCertStore, SignatureScheme};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

/// Why certificates cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read, or is not PEM.
    #[error("`{}` cannot be read as PEM: {reason}", file.display())]
    File {
        /// Which.
        file: PathBuf,
        /// Why.
        reason: String,
    },
    /// The files do not make a certificate that can be served.
    #[error("the certificate, key or client authorities cannot be used: {0}")]
    Unusable(String),
}

/// What is served now.
#[derive(Debug)]
struct Identity {
    key: Arc<CertifiedKey>,
    /// Checks client certificates, when any are wanted.
    clients: Option<Arc<dyn ClientCertVerifier>>,
    /// End of the certificate, in seconds since the epoch.
    expires: i64,
}

/// The certificate of the gateway and the authorities of its clients, as the files have them.
#[derive(Debug)]
pub struct Certificates {
    files: config::Tls,
    current: ArcSwap<Identity>,
}

impl Certificates {
    /// Reads the files.
    ///
    /// # Errors
    /// [`TlsError`] when they cannot be read or do not belong together.
    pub fn load(files: &config::Tls) -> Result<Arc<Self>, TlsError> {
        let identity = read(files)?;
        Ok(Arc::new(Self { files: files.clone(), current: ArcSwap::from_pointee(identity) }))
    }

    /// Reads the files again, for handshakes from now on. Open connections keep what they have.
    ///
    /// # Errors
    /// [`TlsError`]; what was served before is served on.
    pub fn reload(&self) -> Result<(), TlsError> {
        self.current.store(Arc::new(read(&self.files)?));
        Ok(())
    }

    /// When the certificate ends, in seconds since the epoch.
    pub fn expires(&self) -> i64 {
        self.current.load().expires
    }

    /// What tells whether a file has changed.
    pub fn stamp(&self) -> Vec<Option<(SystemTime, u64)>> {
        let stamp = |file: &Path| {
            let found = std::fs::metadata(file).ok()?;
            Some((found.modified().ok()?, found.len()))
        };
        let files = [Some(&self.files.certificate), Some(&self.files.key), self.files.client_ca.as_ref()];
        files.into_iter().flatten().map(|file| stamp(file)).collect()
    }

    /// The configuration of a listener that follows these certificates.
    ///
    /// # Errors
    /// [`TlsError`] when the provider does not know the protocol versions.
    pub fn server_config(self: &Arc<Self>) -> Result<ServerConfig, TlsError> {
        let builder = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
            .map_err(|error| TlsError::Unusable(error.to_string()))?;
        let builder = if self.files.client_ca.is_some() {
            builder.with_client_cert_verifier(Arc::new(CurrentClients(Arc::clone(self))))
        } else {
            builder.with_no_client_auth()
        };
        let mut server = builder.with_cert_resolver(Arc::new(CurrentKey(Arc::clone(self))));
        server.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(server)
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

fn read(files: &config::Tls) -> Result<Identity, TlsError> {
    let unusable = |error: &dyn std::fmt::Display| TlsError::Unusable(error.to_string());
    let chain = certificates(&files.certificate)?;
    let expires = chain.first().map_or(Ok(0), expiry)?;
    let key = PrivateKeyDer::from_pem_file(&files.key)
        .map_err(|error| TlsError::File { file: files.key.clone(), reason: error.to_string() })?;
    let key = CertifiedKey::from_der(chain, key, &provider()).map_err(|error| unusable(&error))?;
    let clients = files.client_ca.as_deref().map(client_verifier).transpose()?;
    Ok(Identity { key: Arc::new(key), clients, expires })
}

/// Certificates of a PEM file; at least one.
pub(super) fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let wrong = |reason: String| TlsError::File { file: file.to_owned(), reason };
    let chain = CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let chain = chain.map_err(|error| wrong(error.to_string()))?;
    if chain.is_empty() { Err(wrong("no certificate in it".to_owned())) } else { Ok(chain) }
}

fn expiry(certificate: &CertificateDer<'_>) -> Result<i64, TlsError> {
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate).map_err(|error| TlsError::Unusable(error.to_string()))?;
    Ok(parsed.validity().not_after.timestamp())
}

fn client_verifier(file: &Path) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let mut roots = RootCertStore::empty();
    for authority in certificates(file)? {
        roots.add(authority).map_err(|error| TlsError::File { file: file.to_owned(), reason: error.to_string() })?;
    }
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider())
        .allow_unauthenticated()
        .build()
        .map_err(|error| TlsError::Unusable(error.to_string()))
}

/// The certificate of the moment of the handshake.
#[derive(Debug)]
struct CurrentKey(Arc<Certificates>);

impl ResolvesServerCert for CurrentKey {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.current.load().key))
    }
}

/// The client authorities of the moment of the handshake. Their names are not offered as hints: those could not be replaced.
#[derive(Debug)]
struct CurrentClients(Arc<Certificates>);

impl CurrentClients {
    fn verifier(&self) -> Result<Arc<dyn ClientCertVerifier>, rustls::Error> {
        self.0.current.load().clients.clone().ok_or_else(|| rustls::Error::General("no client authorities".to_owned()))
    }
}

impl ClientCertVerifier for CurrentClients {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        self.verifier()?.verify_client_cert(end_entity, intermediates, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier()?.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier()?.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier().map(|verifier| verifier.supported_verify_schemes()).unwrap_or_default()
    }
}

/// DNS names and addresses of a certificate (RFC 5280 § 4.2.1.6).
pub(super) fn names(certificate: &CertificateDer<'_>) -> Result<Vec<String>, TlsError> {
    use x509_parser::extensions::GeneralName;
    let unusable = |error: &dyn std::fmt::Display| TlsError::Unusable(error.to_string());
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate).map_err(|error| unusable(&error))?;
    let alternatives = parsed.subject_alternative_name().map_err(|error| unusable(&error))?;
    let name = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => <[u8; 4]>::try_from(*bytes)
            .map(|bytes| IpAddr::from(bytes).to_string())
            .or_else(|_| <[u8; 16]>::try_from(*bytes).map(|bytes| IpAddr::from(bytes).to_string()))
            .ok(),
        _ => None,
    };
    Ok(alternatives.map(|found| found.value.general_names.iter().filter_map(name).collect()).unwrap_or_default())
}
