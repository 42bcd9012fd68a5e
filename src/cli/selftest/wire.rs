//! A small client for one running gateway: a request, a connection, an answer.

use super::case::{Case, Reply};
use crate::cli::screen::Failure;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Headers that depend on the answer, or must not.
const COMPARED: [&str; 7] = ["etag", "last-modified", "location", "content-type", "cache-control", "vary", "www-authenticate"];

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_mins(1);

/// The header by which a demo says that it is one.
const MODE: &str = "x-amanat-mode";

/// A way to a gateway.
pub(super) struct Wire {
    base: String,
    host: String,
    address: String,
    path: String,
    tls: Option<Arc<ClientConfig>>,
}

impl Wire {
    /// To the FHIR base of a gateway. For https, `authority` is what its certificate is trusted by.
    pub(super) fn new(base: &str, authority: Option<&Path>) -> Result<Self, Failure> {
        let base = base.trim_end_matches('/');
        let wrong = || Failure::Usage(format!("--target: `{base}` is no address such as https://localhost:8443/fhir"));
        let (scheme, rest) = base.split_once("://").ok_or_else(wrong)?;
        let (server, path) = rest.split_once('/').map_or((rest, String::new()), |(server, path)| (server, format!("/{path}")));
        let (host, usual) = (server.rsplit_once(':').map_or(server, |(host, _)| host), if scheme == "https" { 443 } else { 80 });
        let address = if host == server { format!("{server}:{usual}") } else { server.to_owned() };
        let tls = match (scheme, authority) {
            ("http", _) => None,
            ("https", Some(file)) => Some(trusting(file)?),
            ("https", None) => return Err(Failure::Usage("--ca: name the certificate that the target is trusted by".to_owned())),
            _ => return Err(wrong()),
        };
        Ok(Self { base: base.to_owned(), host: host.to_owned(), address, path, tls })
    }

    /// The FHIR base.
    pub(super) fn base(&self) -> &str {
        &self.base
    }

    /// Whether the gateway says that it serves a demo.
    pub(super) fn is_demo(&self) -> Result<bool, Failure> {
        let head = self.exchange(&Case::get("metadata"), "")?.0;
        Ok(head.lines().any(|line| line.to_ascii_lowercase().starts_with(MODE) && line.trim_end().ends_with("demo")))
    }

    /// Asks.
    pub(super) fn ask(&self, case: &Case, token: &str) -> Result<Reply, Failure> {
        let (head, body) = self.exchange(case, token)?;
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.ok_or_else(|| Failure::Failed("the target does not speak HTTP".to_owned()))?;
        let lines = head.lines().filter_map(|line| line.split_once(": "));
        let lines = lines.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()));
        let mut headers: Vec<(String, String)> = lines.filter(|(name, _)| COMPARED.contains(&name.as_str())).collect();
        headers.sort();
        Ok(Reply { status, headers, body: String::from_utf8_lossy(&body).into_owned() })
    }

    fn exchange(&self, case: &Case, token: &str) -> Result<(String, Vec<u8>), Failure> {
        let failed = |error: std::io::Error| Failure::of(format_args!("`{}`", self.base), error);
        let stream = TcpStream::connect(&self.address).map_err(failed)?;
        stream.set_read_timeout(Some(PATIENCE)).map_err(failed)?;
        let answer = match &self.tls {
            None => sent(stream, &self.message(case, token)),
            Some(tls) => {
                let name = ServerName::try_from(self.host.clone()).map_err(|error| Failure::of("--target", error))?;
                let session = ClientConnection::new(Arc::clone(tls), name).map_err(|error| Failure::of("TLS", error))?;
                sent(StreamOwned::new(session, stream), &self.message(case, token))
            }
        };
        let answer = answer.map_err(failed)?;
        let end = answer.windows(4).position(|window| window == b"\r\n\r\n");
        let (head, body) =
            end.and_then(|end| answer.split_at_checked(end)).ok_or_else(|| Failure::Failed("half an answer".to_owned()))?;
        Ok((String::from_utf8_lossy(head).into_owned(), body.get(4..).unwrap_or_default().to_vec()))
    }

    fn message(&self, case: &Case, token: &str) -> Vec<u8> {
        let slash = if case.place.is_empty() || case.place.starts_with('?') { "" } else { "/" };
        let mut head = format!(
            "{} {}{slash}{} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n",
            case.method.name(),
            self.path,
            case.place,
            self.address
        );
        if !token.is_empty() {
            let _written = write!(head, "Authorization: Bearer {token}\r\n");
        }
        for (name, value) in &case.headers {
            let _written = write!(head, "{name}: {value}\r\n");
        }
        if let Some(kind) = case.content_type() {
            let _written = write!(head, "Content-Type: {kind}\r\n");
        }
        let body = case.form.as_deref().or(case.body.as_deref()).unwrap_or_default();
        let _written = write!(head, "Content-Length: {}\r\n\r\n{body}", body.len());
        head.into_bytes()
    }
}

fn sent(mut stream: impl Read + Write, message: &[u8]) -> std::io::Result<Vec<u8>> {
    stream.write_all(message)?;
    stream.flush()?;
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        // The other side may end without the goodbye of TLS, once all was said.
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof && !answer.is_empty() => Ok(answer),
        done => done.map(|_| answer),
    }
}

fn trusting(file: &Path) -> Result<Arc<ClientConfig>, Failure> {
    let mut roots = RootCertStore::empty();
    let found = CertificateDer::pem_file_iter(file).map_err(|error| Failure::file(file, error))?;
    for one in found {
        let one = one.map_err(|error| Failure::file(file, error))?;
        roots.add(one).map_err(|error| Failure::file(file, error))?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| Failure::of("TLS", error))?;
    Ok(Arc::new(builder.with_root_certificates(roots).with_no_client_auth()))
}
