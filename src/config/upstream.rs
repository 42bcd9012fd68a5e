//! `[upstream]`: the FHIR server behind, when `store.url` names one; `[[upstreams]]`: those that keep some types instead.

use super::BaseUrl;
use super::settings::Settings;
use crate::fhir::ResourceType;
use secrecy::SecretString;
use serde::Deserialize;
use std::collections::BTreeSet;
use std::path::PathBuf;

/// The FHIR server behind.
#[derive(Debug, Clone)]
pub struct Upstream {
    /// `store.url`: its FHIR base.
    pub base: BaseUrl,
    /// Other bases that it uses of itself, in links and references.
    pub aliases: Vec<BaseUrl>,
    /// By what it knows the gateway.
    pub auth: UpstreamAuth,
    /// Certificates (PEM) to trust instead of the public ones.
    pub ca: Option<PathBuf>,
    /// Certificate chain and key (PEM) to show.
    pub certificate: Option<(PathBuf, PathBuf)>,
    /// Where consents are kept.
    pub consents: ConsentsAt,
    /// How it is asked for a compartment.
    pub compartments: Compartments,
    /// Whether a search is refused whose `self` link lacks a parameter.
    pub self_link_required: bool,
    /// Bounds.
    pub bounds: UpstreamBounds,
    /// `[[upstreams]]`: further servers.
    pub others: Vec<OtherUpstream>,
}

/// A further server, and the types that it keeps instead of the first.
#[derive(Debug, Clone)]
pub struct OtherUpstream {
    /// The types.
    pub types: Vec<ResourceType>,
    /// The server.
    pub server: Upstream,
}

/// By what the server behind knows the gateway.
#[derive(Debug, Clone)]
pub enum UpstreamAuth {
    /// By nothing, or by its certificate alone.
    None,
    /// User name and password.
    Basic(String, SecretString),
    /// The bearer token in a file.
    Bearer(PathBuf),
    /// SMART Backend Services with the gateway's own key.
    Backend {
        /// The token endpoint.
        token_url: String,
        /// The name under which the gateway is registered there.
        client_id: String,
        /// What is asked for.
        scope: String,
    },
}

/// Where consents are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ConsentsAt {
    /// By the server behind, among the other records.
    Upstream,
    /// In the gateway's own ledger.
    Ledger,
}

/// How members of a compartment are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Compartments {
    /// By path, unless the server does not know it.
    Auto,
    /// By `Patient/p1/Observation`.
    Path,
    /// By each parameter that makes a member.
    Parameters,
}

/// `[upstream]`: bounds in seconds, bytes and records.
#[derive(Debug, Clone, Copy)]
pub struct UpstreamBounds {
    /// To connect.
    pub connect_seconds: u64,
    /// Until an answer begins.
    pub answer_seconds: u64,
    /// Between two pieces of a body.
    pub idle_seconds: u64,
    /// One exchange in all.
    pub whole_seconds: u64,
    /// Until a request gets its turn.
    pub queue_seconds: u64,
    /// Requests at a time.
    pub in_flight: usize,
    /// One record.
    pub record_bytes: usize,
    /// One answer.
    pub answer_bytes: usize,
    /// Records that came lately and what was read of them, kept in memory.
    pub recent_bytes: u64,
    /// Records that one request may look at.
    pub looked_at: usize,
    /// Records that a hop of a chain may lead over.
    pub hop_records: usize,
    /// Between two looks at the consents that others wrote.
    pub consent_poll_seconds: u64,
    /// How old what is known of them may be before nothing is decided by it any more.
    pub consent_age_seconds: u64,
}

/// Reads `[upstream]` for the server at this address, and the further ones. `None` after a fault.
pub(super) fn read(settings: &mut Settings, address: &str) -> Option<Upstream> {
    let bounds = bounds(settings);
    let first = one(settings, "upstream", "store.url", address, bounds);
    let others: Vec<Option<OtherUpstream>> =
        (0..settings.elements("upstreams")).map(|at| other(settings, &format!("upstreams[{at}]"), bounds)).collect();
    let others = others.into_iter().collect::<Option<Vec<_>>>()?;
    let mut named = BTreeSet::new();
    for of in others.iter().flat_map(|other| &other.types) {
        if !named.insert(*of) {
            settings.fault("upstreams", format!("name {of} twice: a type is kept by one server"));
        }
    }
    Some(Upstream { others, ..first? })
}

/// One of `[[upstreams]]`.
fn other(settings: &mut Settings, section: &str, bounds: UpstreamBounds) -> Option<OtherUpstream> {
    let (types, address) = (format!("{section}.types"), format!("{section}.url"));
    let names: Vec<String> = settings.required(&types)?;
    let mut found = Vec::with_capacity(names.len());
    for name in &names {
        match ResourceType::parse(name).filter(|of| *of != ResourceType::AuditEvent) {
            Some(of) => found.push(of),
            None => settings.fault(&types, format!("`{name}` is no type of record that a server could keep")),
        }
    }
    let url: String = settings.required(&address)?;
    Some(OtherUpstream { types: found, server: one(settings, section, &address, &url, bounds)? })
}

/// The server at an address, its settings in a section.
fn one(settings: &mut Settings, section: &str, key: &str, address: &str, bounds: UpstreamBounds) -> Option<Upstream> {
    let at = |name: &str| format!("{section}.{name}");
    let base = base(settings, section, key, address);
    let aliases: Vec<String> = settings.or(&at("aliases"), Vec::new());
    let aliases = aliases.iter().map(|one| parsed(settings, &at("aliases"), one)).collect::<Option<Vec<_>>>();
    let auth = auth(settings, section);
    let (certificate, private) = (settings.path(&at("certificate")), settings.path(&at("key")));
    if certificate.is_some() != private.is_some() {
        settings.fault(&at("key"), format!("and `{}` are needed together", at("certificate")));
    }
    let consents =
        if section == "upstream" { settings.or("upstream.consents", ConsentsAt::Upstream) } else { ConsentsAt::Upstream };
    Some(Upstream {
        base: base?,
        aliases: aliases?,
        auth: auth?,
        ca: settings.path(&at("ca")),
        certificate: certificate.zip(private),
        consents,
        compartments: settings.or(&at("compartments"), Compartments::Auto),
        self_link_required: settings.or(&at("self_link_required"), true),
        bounds,
        others: Vec::new(),
    })
}

fn base(settings: &mut Settings, section: &str, key: &str, address: &str) -> Option<BaseUrl> {
    let plain = settings.or(&format!("{section}.plain_http"), false);
    let base = parsed(settings, key, address.trim_end_matches('/'))?;
    if !base.is_https() && !base.is_loopback() && !plain {
        settings.fault(
            key,
            "must be https: records and credentials would travel in the open. `upstream.plain_http = true` permits that",
        );
        return None;
    }
    Some(base)
}

fn parsed(settings: &mut Settings, key: &str, address: &str) -> Option<BaseUrl> {
    match BaseUrl::parse(address) {
        Ok(base) => Some(base),
        Err(text) => {
            settings.fault(key, text);
            None
        }
    }
}

fn auth(settings: &mut Settings, section: &str) -> Option<UpstreamAuth> {
    let at = |name: &str| format!("{section}.{name}");
    let kind: String = settings.or(&at("auth"), "none".to_owned());
    Some(match kind.as_str() {
        "none" => UpstreamAuth::None,
        "basic" => {
            let (user, password) = (settings.required(&at("user")), settings.optional_secret::<String>(&at("password")));
            let Some(password) = password else {
                settings.fault(&at("password"), "is missing");
                return None;
            };
            UpstreamAuth::Basic(user?, SecretString::from(password))
        }
        "bearer" => {
            let file: PathBuf = settings.required(&at("token_file"))?;
            UpstreamAuth::Bearer(settings.place(&file))
        }
        "backend" => {
            let token_url = settings.required::<String>(&at("token_url"));
            let (client_id, scope) =
                (settings.required(&at("client_id")), settings.or(&at("scope"), "system/*.cruds".to_owned()));
            let token_url = token_url?;
            if !token_url.starts_with("https://") && !BaseUrl::parse(&token_url).is_ok_and(|url| url.is_loopback()) {
                settings.fault(&at("token_url"), "must be an https address");
            }
            UpstreamAuth::Backend { token_url, client_id: client_id?, scope }
        }
        _ => {
            settings.fault(&at("auth"), "is `none`, `basic`, `bearer` or `backend`");
            return None;
        }
    })
}

fn bounds(settings: &mut Settings) -> UpstreamBounds {
    let bounds = UpstreamBounds {
        connect_seconds: settings.or("upstream.connect_seconds", 5),
        answer_seconds: settings.or("upstream.answer_seconds", 30),
        idle_seconds: settings.or("upstream.idle_seconds", 10),
        whole_seconds: settings.or("upstream.whole_seconds", 120),
        queue_seconds: settings.or("upstream.queue_seconds", 5),
        in_flight: settings.or("upstream.in_flight", 64),
        record_bytes: settings.or("upstream.record_bytes", 16 << 20),
        answer_bytes: settings.or("upstream.answer_bytes", 64 << 20),
        recent_bytes: settings.or("upstream.recent_bytes", 64 << 20),
        looked_at: settings.or("upstream.looked_at", 20_000),
        hop_records: settings.or("upstream.hop_records", 5_000),
        consent_poll_seconds: settings.or("upstream.consent_poll_seconds", 5),
        consent_age_seconds: settings.or("upstream.consent_age_seconds", 60),
    };
    let seconds = [
        ("upstream.connect_seconds", bounds.connect_seconds),
        ("upstream.answer_seconds", bounds.answer_seconds),
        ("upstream.idle_seconds", bounds.idle_seconds),
        ("upstream.whole_seconds", bounds.whole_seconds),
        ("upstream.consent_poll_seconds", bounds.consent_poll_seconds),
    ];
    for (key, _) in seconds.iter().filter(|(_, seconds)| *seconds == 0) {
        settings.fault(key, "must be at least 1");
    }
    if bounds.consent_age_seconds <= bounds.consent_poll_seconds {
        settings.fault("upstream.consent_age_seconds", "must be more than `upstream.consent_poll_seconds`");
    }
    if bounds.in_flight == 0 || bounds.looked_at == 0 {
        settings.fault("upstream.in_flight", "and `upstream.looked_at` must be at least 1");
    }
    bounds
}
