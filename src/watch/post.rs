//! `POST` to an address that the operator configured: bounded in time, without redirects.

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::Request;
use hyper::body::Bytes;
use hyper::header::{ACCEPT, CONTENT_TYPE};
use hyper_rustls::{ConfigBuilderExt as _, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// How long a post may take in all.
const LONGEST: Duration = Duration::from_secs(5);

/// The most that is read of an answer.
const LARGEST: usize = 64 * 1024;

/// Why a post was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum PostFault {
    /// The certificates to trust cannot be read, or the address is none.
    #[error("the address or its certificates cannot be used: {0}")]
    Setting(String),
    /// The connection, or its TLS, failed.
    #[error("the connection failed: {0}")]
    Connection(String),
    /// Longer than five seconds.
    #[error("no answer in time")]
    Slow,
    /// Any status but a 2xx.
    #[error("the answer has status {0}")]
    Status(u16),
}

/// An address, and a client that keeps its connections.
#[derive(Debug)]
pub(super) struct Post {
    url: String,
    ca: Option<PathBuf>,
    client: Option<Client<HttpsConnector<HttpConnector>, Full<Bytes>>>,
}

impl Post {
    /// Nothing is opened before the first post.
    pub(super) fn new(url: &str, ca: Option<PathBuf>) -> Self {
        Self { url: url.to_owned(), ca, client: None }
    }

    /// Posts a body.
    ///
    /// # Errors
    /// [`PostFault`]
    pub(super) async fn send(
        &mut self,
        media_type: &str,
        header: Option<(&'static str, String)>,
        body: String,
    ) -> Result<(), PostFault> {
        let client = match &self.client {
            Some(client) => client.clone(),
            None => self.client.insert(client(self.ca.as_deref())?).clone(),
        };
        let mut request = Request::post(&self.url).header(CONTENT_TYPE, media_type).header(ACCEPT, "*/*");
        if let Some((name, value)) = header {
            request = request.header(name, value);
        }
        let request = request.body(Full::from(body)).map_err(|fault| PostFault::Setting(fault.to_string()))?;
        let work = async {
            let answer = client.request(request).await.map_err(|fault| PostFault::Connection(chain(&fault)))?;
            let status = answer.status();
            // The rest of the answer is read, so that the connection can be used again.
            drop(Limited::new(answer.into_body(), LARGEST).collect().await);
            if status.is_success() { Ok(()) } else { Err(PostFault::Status(status.as_u16())) }
        };
        tokio::time::timeout(LONGEST, work).await.unwrap_or(Err(PostFault::Slow))
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        source = inner.source();
    }
    text
}

/// How the other side's certificate is judged.
///
/// # Errors
/// [`PostFault::Setting`] when the certificates cannot be read.
pub(super) fn trust(ca: Option<&Path>) -> Result<rustls::ClientConfig, PostFault> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(|fault| PostFault::Setting(fault.to_string()))?;
    let Some(file) = ca else { return Ok(builder.with_webpki_roots().with_no_client_auth()) };
    let wrong = |fault: String| PostFault::Setting(format!("`{}`: {fault}", file.display()));
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(file).map_err(|fault| wrong(fault.to_string()))? {
        let certificate = certificate.map_err(|fault| wrong(fault.to_string()))?;
        roots.add(certificate).map_err(|fault| wrong(fault.to_string()))?;
    }
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

fn client(ca: Option<&Path>) -> Result<Client<HttpsConnector<HttpConnector>, Full<Bytes>>, PostFault> {
    let connector = HttpsConnectorBuilder::new().with_tls_config(trust(ca)?).https_or_http().enable_http1().build();
    Ok(Client::builder(TokioExecutor::new()).build(connector))
}
