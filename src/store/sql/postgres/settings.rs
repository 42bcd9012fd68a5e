//! Where the server is, and how the store uses it.

use super::tls::{self, Verify};
use crate::store::StoreError;
use rustls::ClientConfig;
use secrecy::{ExposeSecret, SecretString};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio_postgres::config::{Host, SslMode};

/// How the store uses a server.
#[derive(Debug, Clone)]
pub struct PostgresOptions {
    /// `postgres://user@host/database`, with `sslmode` and `sslrootcert` as libpq has them. Holds a password, perhaps.
    pub url: SecretString,
    /// The password, when it does not stand in the URL.
    pub password: Option<SecretString>,
    /// Servers that follow the first one, for searches and histories.
    pub replicas: Vec<SecretString>,
    /// Connections at most, the writer's among them. Four at least.
    pub connections: usize,
    /// The longest that a search may take.
    pub statement_timeout: Duration,
    /// The name of this node in the trail.
    pub node: String,
}

impl PostgresOptions {
    /// The usual bounds, for this server.
    pub fn new(url: &str) -> Self {
        Self {
            url: SecretString::from(url.to_owned()),
            password: None,
            replicas: Vec::new(),
            connections: 16,
            statement_timeout: Duration::from_secs(30),
            node: "amanat".to_owned(),
        }
    }
}

/// A server, ready to be connected to.
#[derive(Clone)]
pub(in crate::store::sql) struct Server {
    pub(super) config: Arc<tokio_postgres::Config>,
    /// `None` only where the URL says `sslmode=disable`, or where nothing leaves the machine.
    pub(super) tls: Option<Arc<ClientConfig>>,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server")
            .field("hosts", &self.config.get_hosts())
            .field("tls", &self.tls.is_some())
            .finish_non_exhaustive()
    }
}

/// How long a connection may take to be there.
const CONNECT: Duration = Duration::from_secs(3);
/// After how long without an answer to anything a connection counts as broken.
const UNANSWERED: Duration = Duration::from_secs(10);

impl Server {
    /// Reads a URL.
    ///
    /// # Errors
    /// What is wrong with it, without saying what stands in it.
    pub(in crate::store::sql) fn parse(url: &SecretString, password: Option<&SecretString>) -> Result<Self, StoreError> {
        let (plain, words) = split(url.expose_secret())?;
        let mut config: tokio_postgres::Config = plain.parse().map_err(|error| refused(&format!("cannot be read: {error}")))?;
        if let Some(password) = password {
            config.password(password.expose_secret());
        }
        config.connect_timeout(CONNECT).tcp_user_timeout(UNANSWERED).keepalives_idle(UNANSWERED);
        if config.get_application_name().is_none() {
            config.application_name("amanat");
        }
        if config.get_dbname().is_none() {
            return Err(refused("names no database: postgres://user@host/database"));
        }
        let verify = match words.mode.as_deref() {
            Some("disable") => None,
            None if stays_here(&config) => None,
            None | Some("verify-full") => Some(Verify::Full),
            Some("verify-ca") => Some(Verify::Authority),
            Some(_) => {
                return Err(refused(
                    "has an `sslmode` that does not say who the server must be: use verify-full (with sslrootcert=FILE for an authority of your own), verify-ca, or disable",
                ));
            }
        };
        config.ssl_mode(if verify.is_some() { SslMode::Require } else { SslMode::Disable });
        let tls = verify.map(|verify| tls::client(verify, words.roots.as_deref())).transpose()?;
        Ok(Self { config: Arc::new(config), tls })
    }
}

fn refused(why: &str) -> StoreError {
    StoreError::Unavailable(format!("the URL of the PostgreSQL store {why}"))
}

/// The parameters that are ours to understand.
#[derive(Default)]
struct Words {
    mode: Option<String>,
    roots: Option<PathBuf>,
}

/// Takes our parameters out of a URL.
fn split(url: &str) -> Result<(String, Words), StoreError> {
    let mut words = Words::default();
    let Some((front, query)) = url.split_once('?') else { return Ok((url.to_owned(), words)) };
    let mut others = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        match pair.split_once('=') {
            Some(("sslmode", mode)) => words.mode = Some(mode.to_owned()),
            Some(("sslrootcert", "system")) => {}
            Some(("sslrootcert", file)) => words.roots = Some(PathBuf::from(decoded(file)?)),
            _ => others.push(pair),
        }
    }
    let plain = if others.is_empty() { front.to_owned() } else { format!("{front}?{}", others.join("&")) };
    Ok((plain, words))
}

/// Percent-decoding.
fn decoded(text: &str) -> Result<String, StoreError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || rest.next().and_then(|digit| char::from(digit).to_digit(16));
        let (Some(high), Some(low)) = (digit(), digit()) else { return Err(refused("has a `%` that begins no character")) };
        bytes.push(u8::try_from(16 * high + low).unwrap_or_default());
    }
    String::from_utf8(bytes).map_err(|_| refused("is not UTF-8"))
}

/// A socket file, or an address of this machine.
fn stays_here(config: &tokio_postgres::Config) -> bool {
    let here = |host: &Host| match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => name == "localhost" || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback()),
    };
    !config.get_hosts().is_empty() && config.get_hosts().iter().all(here)
}

#[cfg(test)]
mod tests {
    use super::Server;
    use secrecy::SecretString;

    fn parse(url: &str) -> Result<Server, String> {
        Server::parse(&SecretString::from(url.to_owned()), None).map_err(|error| error.to_string())
    }

    #[test]
    fn a_server_elsewhere_is_verified_unless_the_url_says_otherwise() {
        for (url, tls) in [
            ("postgres://u@db.example/x", true),
            ("postgres://u@db.example/x?sslmode=verify-full&sslrootcert=system", true),
            ("postgres://u@db.example/x?sslmode=verify-ca", true),
            ("postgres://u@db.example/x?sslmode=disable&connect_timeout=9", false),
            ("postgres://u@localhost/x", false),
            ("postgres://u@127.0.0.1:5433/x", false),
            ("postgres://u@localhost/x?sslmode=verify-full", true),
            ("postgres://u@%2Frun%2Fpostgresql/x", false),
        ] {
            assert_eq!(parse(url).unwrap().tls.is_some(), tls, "{url}");
        }
    }

    #[test]
    fn a_url_that_would_trust_anybody_or_names_no_database_is_refused_without_its_password() {
        for (url, why) in [
            ("postgres://u:geheim@db.example/x?sslmode=require", "verify-full"),
            ("postgres://u:geheim@db.example/x?sslmode=prefer", "verify-full"),
            ("postgres://u:geheim@db.example", "names no database"),
            ("postgres://u:geheim@db.example/x?sslrootcert=%zz", "begins no character"),
            ("postgres://u:geheim@db.example/x?sslrootcert=/nowhere.pem", "/nowhere.pem"),
            ("postgres://u:geheim@db.example/x?colour=red", "cannot be read"),
        ] {
            let error = parse(url).unwrap_err();
            assert!(error.contains(why) && !error.contains("geheim"), "{url}: {error}");
        }
    }
}
