//! The sections of the file as types, with their defaults and the rules between them.

use super::settings::Settings;
use super::store::store;
use super::{BaseUrl, Config, alarms, audit, emergency, lab, labels};
use serde::Deserialize;
use std::net::SocketAddr;
use std::path::PathBuf;

/// `[server]`
#[derive(Debug, Clone)]
pub struct Server {
    /// Where the API is served. Port 0 takes a free one.
    pub listen: SocketAddr,
    /// The FHIR base as the world sees it.
    pub base_url: BaseUrl,
    /// Where `/healthz`, `/readyz` and `/metrics` are served; loopback by default.
    pub management_listen: SocketAddr,
    /// Worker threads; 0 means one for each core.
    pub workers: usize,
    /// Origins of browser apps that may read answers (`https://app.example`), beyond the open documents.
    pub cors_origins: Vec<String>,
    /// Whether real people may be served.
    pub exposure: Exposure,
}

/// What kind of data is behind this gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Exposure {
    /// Records of real people.
    Production,
    /// Synthetic people and published credentials: loopback only.
    Demo,
}

/// `[tls]`
#[derive(Debug, Clone)]
pub struct Tls {
    /// Certificate chain, PEM, own certificate first.
    pub certificate: PathBuf,
    /// Private key, PEM.
    pub key: PathBuf,
    /// Authorities whose client certificates are accepted, PEM.
    pub client_ca: Option<PathBuf>,
}

/// One of `[[issuers]]`: who else may issue access tokens.
#[derive(Debug, Clone)]
pub struct Issuer {
    /// `iss`, compared to the letter.
    pub issuer: String,
    /// Accepted values of `aud`.
    pub audience: Vec<String>,
    /// Where its keys are.
    pub jwks: JwksSource,
    /// Accepted algorithms.
    pub algorithms: Vec<String>,
    /// The purposes of use of a token that names none and whose client has none registered.
    pub default_purposes: Vec<String>,
    /// Whether its clients may name new records themselves, by `PUT` to an id that is free.
    pub update_as_create: bool,
}

/// Where the keys of an issuer are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JwksSource {
    /// A file.
    File(PathBuf),
    /// An address.
    Uri(String),
}

/// `[limits]`: a bound for everything that comes from outside.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of a body, unpacked.
    pub body_bytes: usize,
    /// Bytes of a batch or transaction, unpacked.
    pub bundle_bytes: usize,
    /// Entries of a batch or transaction.
    pub bundle_entries: usize,
    /// Matches of a page when the caller names no `_count`.
    pub page_default: u32,
    /// Matches of a page at most.
    pub page_max: u32,
    /// Included records of a page at most.
    pub included_max: u32,
    /// Bytes of content of a page, at which it ends early.
    pub page_bytes: usize,
    /// Seconds in which the head of a request must have come.
    pub head_seconds: u64,
    /// Seconds in which its body must have come.
    pub body_seconds: u64,
    /// Seconds after which a connection is dropped whose client takes nothing of what it is sent.
    pub stalled_seconds: u64,
    /// Seconds that an idle connection is kept.
    pub keep_alive_seconds: u64,
    /// Connections of one worker at a time.
    pub connections: usize,
    /// Requests a second of one client; 0 is no bound.
    pub requests_per_second: u32,
    /// Requests of one client at once, after a rest.
    pub requests_burst: u32,
    /// Requests a second without a valid token from one address; 0 is no bound.
    pub strangers_per_second: u32,
    /// The same at once, after a rest.
    pub strangers_burst: u32,
}

/// Reads all sections. `None` only after a fault was noted.
pub(super) fn read(settings: &mut Settings) -> Option<Config> {
    let (server, tls, store) = (server(settings), tls(settings), store(settings));
    let issuers = (0..settings.elements("issuers")).map(|at| issuer(settings, at)).collect::<Option<Vec<_>>>();
    let consent = super::consents::read(settings);
    let (emergency, purpose_required) = (emergency::read(settings, &consent), settings.or("consent.purpose_required", false));
    let labelling = labels::read(settings, &consent);
    let lab = lab::read(settings, consent.time_zone.rules());
    let (audit, alarms) = (audit::read(settings), alarms::read(settings));
    let (limits, smart) = (limits(settings), super::smart::read(settings));
    let communities = super::udap::read(settings);
    let config = Config {
        server: server?,
        tls: tls?,
        store: store?,
        issuers: issuers?,
        consent,
        emergency,
        purpose_required,
        labelling,
        lab,
        audit,
        alarms,
        limits,
        smart,
        communities: communities?,
        effective: Vec::new(),
    };
    check_exposure(&config, settings);
    Some(config)
}

fn server(settings: &mut Settings) -> Option<Server> {
    let listen = settings.or("server.listen", SocketAddr::from(([127, 0, 0, 1], 8443)));
    let management_listen = settings.or("server.management_listen", SocketAddr::from(([127, 0, 0, 1], 9443)));
    let workers = settings.or("server.workers", 0);
    let cors_origins: Vec<String> = settings.or("server.cors_origins", Vec::new());
    if let Some(bad) = cors_origins.iter().find(|origin| !is_origin(origin)) {
        let text =
            format!("holds `{bad}`; an origin is written like `https://app.example`, without a path, and never `*` or `null`");
        settings.fault("server.cors_origins", text);
    }
    let exposure = settings.or("server.exposure", Exposure::Production);
    let base_url = settings.required::<String>("server.base_url")?;
    match BaseUrl::parse(&base_url) {
        Ok(base_url) => Some(Server { listen, base_url, management_listen, workers, cors_origins, exposure }),
        Err(text) => {
            settings.fault("server.base_url", text);
            None
        }
    }
}

/// `None` after a fault; `Some(None)` when there is no such section.
#[expect(clippy::option_option, reason = "absent and faulty are different answers here")]
fn tls(settings: &mut Settings) -> Option<Option<Tls>> {
    let (certificate, key) = (settings.path("tls.certificate"), settings.path("tls.key"));
    let client_ca = settings.path("tls.client_ca");
    match (certificate, key) {
        (Some(certificate), Some(key)) => Some(Some(Tls { certificate, key, client_ca })),
        (None, None) if client_ca.is_none() => Some(None),
        (certificate, _) => {
            let missing = if certificate.is_none() { "tls.certificate" } else { "tls.key" };
            settings.fault(missing, "is missing: `[tls]` needs both certificate and key");
            None
        }
    }
}

fn issuer(settings: &mut Settings, at: usize) -> Option<Issuer> {
    let key = |name: &str| format!("issuers[{at}].{name}");
    let issuer = settings.required(&key("issuer"));
    let audience = settings.required::<Vec<String>>(&key("audience"));
    let algorithms = settings.or(&key("algorithms"), ["RS256", "RS384", "ES256", "ES384"].map(str::to_owned).to_vec());
    let (file, uri) = (settings.path(&key("jwks_file")), settings.optional::<String>(&key("jwks_uri")));
    let jwks = match (file, uri) {
        (Some(file), None) => JwksSource::File(file),
        (None, Some(uri)) if uri.starts_with("https://") || BaseUrl::parse(&uri).is_ok_and(|uri| uri.is_loopback()) => {
            JwksSource::Uri(uri)
        }
        (None, Some(_)) => {
            settings.fault(&key("jwks_uri"), "must be an https address");
            return None;
        }
        _ => {
            settings.fault(&key("jwks_file"), "or `jwks_uri` is needed, and not both");
            return None;
        }
    };
    let default_purposes = settings.or(&key("default_purposes"), Vec::new());
    let update_as_create = settings.or(&key("update_as_create"), true);
    Some(Issuer { issuer: issuer?, audience: audience?, jwks, algorithms, default_purposes, update_as_create })
}

/// A setting of which this version knows one value.
pub(super) fn only<T>(settings: &mut Settings, key: &str, value: &T, why: &str)
where
    T: serde::de::DeserializeOwned + std::fmt::Debug + PartialEq + Clone,
{
    let given = settings.or(key, value.clone());
    if given != *value {
        settings.fault(key, format!("can only be {value:?}: {why}"));
    }
}

fn limits(settings: &mut Settings) -> Limits {
    let requests_per_second = settings.or("limits.requests_per_second", 0_u32);
    let strangers_per_second = settings.or("limits.strangers_per_second", 500_u32);
    let limits = Limits {
        requests_per_second,
        requests_burst: settings.or("limits.requests_burst", requests_per_second.saturating_mul(2)),
        strangers_per_second,
        strangers_burst: settings.or("limits.strangers_burst", strangers_per_second.saturating_mul(4)),
        body_bytes: settings.or("limits.body_bytes", 10 << 20),
        bundle_bytes: settings.or("limits.bundle_bytes", 64 << 20),
        bundle_entries: settings.or("limits.bundle_entries", 25_000),
        page_default: settings.or("limits.page_default", 20),
        page_max: settings.or("limits.page_max", 1000),
        included_max: settings.or("limits.included_max", 1000),
        page_bytes: settings.or("limits.page_bytes", 16 << 20),
        head_seconds: settings.or("limits.head_seconds", 10),
        body_seconds: settings.or("limits.body_seconds", 60),
        stalled_seconds: settings.or("limits.stalled_seconds", 60),
        keep_alive_seconds: settings.or("limits.keep_alive_seconds", 75),
        connections: settings.or("limits.connections", 10_000),
    };
    if limits.page_default == 0 || limits.page_default > limits.page_max {
        settings.fault("limits.page_default", "must lie between 1 and `limits.page_max`");
    }
    let bursts = [
        ("limits.requests_burst", requests_per_second, limits.requests_burst),
        ("limits.strangers_burst", strangers_per_second, limits.strangers_burst),
    ];
    for (key, ..) in bursts.into_iter().filter(|(_, rate, burst)| *rate > 0 && *burst == 0) {
        settings.fault(key, "must be at least 1, else no request would ever pass");
    }
    let deadlines = [
        ("limits.head_seconds", limits.head_seconds),
        ("limits.body_seconds", limits.body_seconds),
        ("limits.stalled_seconds", limits.stalled_seconds),
    ];
    for (key, seconds) in deadlines {
        if seconds == 0 {
            settings.fault(key, "must be at least 1: a request without a deadline holds a connection for ever");
        }
    }
    limits
}

fn is_origin(text: &str) -> bool {
    let Some((scheme, host)) = text.split_once("://") else { return false };
    matches!(scheme, "https" | "http") && !host.is_empty() && host.bytes().all(|b| b.is_ascii_graphic() && !b"/?#*@".contains(&b))
}

/// The name of a node is part of the ids of its AuditEvents.
/// What may be reachable by others must be encrypted and must not be a demo.
fn check_exposure(config: &Config, settings: &mut Settings) {
    let Server { listen, base_url, exposure, .. } = &config.server;
    if config.tls.is_none() && !listen.ip().is_loopback() {
        let text = "is not a loopback address, and without `[tls]` the gateway would speak plain HTTP there. \
                    Set tls.certificate and tls.key, or listen on 127.0.0.1";
        settings.fault("server.listen", text);
    }
    if !base_url.is_https() && !base_url.is_loopback() {
        settings.fault("server.base_url", "must be https: plain http is for this computer only");
    }
    if *exposure == Exposure::Demo && !(listen.ip().is_loopback() && config.server.management_listen.ip().is_loopback()) {
        settings.fault("server.listen", "must be a loopback address: demo credentials are published");
    }
    let Some(mllp) = config.lab.mllp_listen.filter(|address| !address.ip().is_loopback()) else { return };
    if config.tls.as_ref().is_none_or(|tls| tls.client_ca.is_none()) {
        let text = format!(
            "is `{mllp}`, which others can reach: MLLP has no password, so `[tls]` with `tls.client_ca` must tell who sends"
        );
        settings.fault("lab.mllp_listen", text);
    }
    if *exposure == Exposure::Demo {
        settings.fault("lab.mllp_listen", "must be a loopback address: demo credentials are published");
    }
}
