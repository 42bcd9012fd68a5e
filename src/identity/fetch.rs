//! The one way to fetch a key set: bounded, without redirects, to an address that was checked and is then the one connected to.

use http_body_util::{BodyExt as _, Empty, Full, Limited};
use hyper::body::Bytes;
use hyper::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, HOST};
use hyper::{Request, StatusCode, Uri};
use hyper_rustls::{ConfigBuilderExt as _, FixedServerNameResolver, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// The most bytes of an answer.
pub const LARGEST_ANSWER: usize = 256 * 1024;

/// How long a fetch may take in all.
pub const LONGEST_FETCH: Duration = Duration::from_secs(5);

/// Which hosts an address may lead to. Link-local addresses (cloud metadata among them) are never connected to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reach {
    /// Public addresses only: for addresses that a client registered.
    Public,
    /// Private networks and, then also without TLS, loopback: for addresses that an operator configured.
    Inside,
}

/// What a fetch brought.
#[derive(Debug, Clone)]
pub struct Fetched {
    /// The body.
    pub body: Vec<u8>,
    /// How many seconds it may be kept, when the answer says so; `no-store` and `no-cache` say 0.
    pub max_age: Option<u64>,
}

/// What an exchange brought.
#[derive(Debug, Clone)]
pub struct Exchanged {
    /// HTTP status.
    pub status: u16,
    /// `Content-Type`
    pub content_type: Option<String>,
    /// The body.
    pub body: Vec<u8>,
}

/// Why a fetch brought nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FetchFault {
    /// The URL is not one that may be fetched.
    #[error("the address must be an https URL with a host, without user or fragment")]
    Address,
    /// The host has no address, or one that is out of reach.
    #[error("the host has no address that may be connected to")]
    OutOfReach,
    /// Longer than [`LONGEST_FETCH`].
    #[error("no answer in time")]
    Slow,
    /// Larger than [`LARGEST_ANSWER`].
    #[error("the answer is too large or broke off")]
    Body,
    /// Any status but 200; a redirect is one.
    #[error("the answer has status {0}")]
    Status(u16),
    /// The connection, or its TLS, failed.
    #[error("the connection failed: {0}")]
    Connection(String),
    /// The configured certificates cannot be read.
    #[error("the certificates to trust cannot be read: {0}")]
    Authorities(String),
}

/// Where to, and under which rules.
#[derive(Debug, Clone)]
pub struct Fetch {
    uri: Uri,
    reach: Reach,
    authorities: Option<PathBuf>,
    longest: Duration,
}

impl Fetch {
    /// Checks the form of the URL.
    ///
    /// # Errors
    /// [`FetchFault::Address`]
    pub fn new(url: &str, reach: Reach) -> Result<Self, FetchFault> {
        let uri: Uri = url.parse().map_err(|_| FetchFault::Address)?;
        let authority = uri.authority().ok_or(FetchFault::Address)?;
        if url.contains('#') || authority.as_str().contains('@') || authority.host().is_empty() {
            return Err(FetchFault::Address);
        }
        match uri.scheme_str() {
            Some("https") => {}
            Some("http") if reach == Reach::Inside => {}
            _ => return Err(FetchFault::Address),
        }
        Ok(Self { uri, reach, authorities: None, longest: LONGEST_FETCH })
    }

    /// Trusts these certificates (PEM) instead of the public ones.
    #[must_use]
    pub fn trusting(mut self, authorities: Option<PathBuf>) -> Self {
        self.authorities = authorities;
        self
    }

    /// Gives up after this time.
    #[must_use]
    pub fn within(mut self, longest: Duration) -> Self {
        self.longest = longest;
        self
    }

    /// Fetches, unauthenticated.
    ///
    /// # Errors
    /// [`FetchFault`]
    pub async fn run(&self) -> Result<Fetched, FetchFault> {
        tokio::time::timeout(self.longest, self.attempt()).await.unwrap_or(Err(FetchFault::Slow))
    }

    async fn attempt(&self) -> Result<Fetched, FetchFault> {
        let address = self.resolve().await?;
        let request = self.request(address)?;
        let client: Client<_, Empty<Bytes>> = Client::builder(TokioExecutor::new()).build(self.connector()?);
        let answer = client.request(request).await.map_err(|fault| FetchFault::Connection(fault.to_string()))?;
        if answer.status() != StatusCode::OK {
            return Err(FetchFault::Status(answer.status().as_u16()));
        }
        let max_age = answer.headers().get(CACHE_CONTROL).and_then(|value| value.to_str().ok()).and_then(max_age);
        let body = Limited::new(answer.into_body(), LARGEST_ANSWER).collect().await.map_err(|_| FetchFault::Body)?;
        Ok(Fetched { body: body.to_bytes().to_vec(), max_age })
    }

    /// Sends a request with a body, under the same bounds. Every status is an answer; a redirect is not followed.
    ///
    /// # Errors
    /// [`FetchFault`]
    pub async fn exchange(&self, method: &str, headers: &[(String, String)], body: Vec<u8>) -> Result<Exchanged, FetchFault> {
        let work = async {
            let address = self.resolve().await?;
            let mut request = self.request(address)?.map(|_| Full::new(Bytes::from(body)));
            *request.method_mut() = method.parse().map_err(|_| FetchFault::Address)?;
            for (name, value) in headers {
                let name: hyper::header::HeaderName = name.parse().map_err(|_| FetchFault::Address)?;
                let value = value.parse().map_err(|_| FetchFault::Address)?;
                request.headers_mut().insert(name, value);
            }
            let client: Client<_, Full<Bytes>> = Client::builder(TokioExecutor::new()).build(self.connector()?);
            let answer = client.request(request).await.map_err(|fault| FetchFault::Connection(fault.to_string()))?;
            let status = answer.status().as_u16();
            let kind = answer.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).map(str::to_owned);
            let body = Limited::new(answer.into_body(), LARGEST_ANSWER).collect().await.map_err(|_| FetchFault::Body)?;
            Ok(Exchanged { status, content_type: kind, body: body.to_bytes().to_vec() })
        };
        tokio::time::timeout(self.longest, work).await.unwrap_or(Err(FetchFault::Slow))
    }

    fn host(&self) -> &str {
        let host = self.uri.host().unwrap_or_default();
        host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
    }

    /// Every address of the name must be in reach: a name that also leads inward is refused whole.
    async fn resolve(&self) -> Result<SocketAddr, FetchFault> {
        let plain = self.uri.scheme_str() == Some("http");
        let target = (self.host().to_owned(), self.uri.port_u16().unwrap_or(if plain { 80 } else { 443 }));
        let found = tokio::task::spawn_blocking(move || target.to_socket_addrs().map(Iterator::collect::<Vec<_>>)).await;
        let found = found.ok().and_then(Result::ok).unwrap_or_default();
        let allowed =
            |address: &SocketAddr| in_reach(address.ip(), self.reach) && (!plain || canonical(address.ip()).is_loopback());
        found.iter().all(allowed).then(|| found.first().copied()).flatten().ok_or(FetchFault::OutOfReach)
    }

    /// The request names the checked address, so that nothing resolves the name again; `Host` and TLS keep the name.
    fn request(&self, address: SocketAddr) -> Result<Request<Empty<Bytes>>, FetchFault> {
        let scheme = self.uri.scheme_str().unwrap_or("https");
        let path = self.uri.path_and_query().map_or("/", |path| path.as_str());
        let host = self.uri.authority().map(hyper::http::uri::Authority::as_str).unwrap_or_default();
        Request::get(format!("{scheme}://{address}{path}"))
            .header(HOST, host)
            .header(ACCEPT, "application/json")
            .body(Empty::new())
            .map_err(|_| FetchFault::Address)
    }

    fn connector(&self) -> Result<hyper_rustls::HttpsConnector<HttpConnector>, FetchFault> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let builder = builder.map_err(|fault| FetchFault::Connection(fault.to_string()))?;
        let config = match &self.authorities {
            Some(file) => builder.with_root_certificates(roots(file)?),
            None => builder.with_webpki_roots(),
        };
        let name = ServerName::try_from(self.host().to_owned()).map_err(|_| FetchFault::Address)?;
        Ok(HttpsConnectorBuilder::new()
            .with_tls_config(config.with_no_client_auth())
            .https_or_http()
            .with_server_name_resolver(FixedServerNameResolver::new(name))
            .enable_http1()
            .build())
    }
}

fn roots(file: &Path) -> Result<rustls::RootCertStore, FetchFault> {
    let fault = |fault: String| FetchFault::Authorities(fault);
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(file).map_err(|e| fault(e.to_string()))? {
        roots.add(certificate.map_err(|e| fault(e.to_string()))?).map_err(|e| fault(e.to_string()))?;
    }
    Ok(roots)
}

/// `Cache-Control` of RFC 9111: `max-age`, or 0 when it may not be kept.
fn max_age(value: &str) -> Option<u64> {
    let directives = || value.split(',').map(|directive| directive.trim().to_ascii_lowercase());
    if directives().any(|directive| directive == "no-store" || directive == "no-cache") {
        return Some(0);
    }
    directives().find_map(|directive| directive.strip_prefix("max-age=")?.trim_matches('"').parse().ok())
}

/// An IPv4 address that hides in an IPv6 one counts as itself.
fn canonical(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) => {
            let embedded = match v6.segments() {
                [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => Some((high, low)),
                _ => None,
            };
            let embedded = embedded.map(|(high, low)| IpAddr::from(((u32::from(high) << 16) | u32::from(low)).to_be_bytes()));
            embedded.unwrap_or_else(|| v6.to_canonical())
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

fn in_reach(address: IpAddr, reach: Reach) -> bool {
    let address = canonical(address);
    if address.is_unspecified() || address.is_multicast() || link_local(address) {
        return false;
    }
    reach == Reach::Inside || !(address.is_loopback() || reserved(address))
}

fn link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local() || v6.segments().starts_with(&[0xfd00, 0xec2]),
    }
}

/// Everything that the registries of special-purpose addresses (RFC 6890) keep from the public network.
fn reserved(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            v4.is_private()
                || v4.is_broadcast()
                || v4.is_documentation()
                || a == 0
                || a >= 240
                || (a == 100 && (64..128).contains(&b))
                || (a == 192 && b == 0 && c == 0)
                || (a == 198 && (18..20).contains(&b))
        }
        IpAddr::V6(v6) => {
            let [first, second, ..] = v6.segments();
            v6.is_unique_local() || (first & 0xffc0) == 0xfec0 || (first & 0xe000) != 0x2000 || (first, second) == (0x2001, 0xdb8)
        }
    }
}

#[cfg(test)]
#[path = "fetch_tests.rs"]
mod tests;
