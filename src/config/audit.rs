//! `[audit]`: the trail's name, where its checkpoints and entries go, and how long it is kept.

use super::mail::Mail;
use super::settings::Settings;
use crate::fhir::Id;
use secrecy::SecretString;
use serde::Deserialize;
use std::path::PathBuf;

/// `[audit]`
#[derive(Debug, Clone)]
pub struct Audit {
    /// The name of this gateway in the trail (AuditEvent.source.observer).
    pub node: String,
    /// The name of the log in its checkpoints; made of the base URL when nothing is said.
    pub origin: Option<String>,
    /// `[audit.checkpoints]`
    pub checkpoints: Checkpoints,
    /// `[audit.spool]`
    pub spool: Spool,
    /// `[[audit.feeds]]`
    pub feeds: Vec<Feed>,
    /// `[audit.retention]`
    pub retention: Retention,
    /// Of a hundred ordinary accesses, so many are put before a reviewer at random.
    pub review_percent: u32,
}

/// `[audit.checkpoints]`: how often the state of the trail is signed, and where it is sent.
#[derive(Debug, Clone)]
pub struct Checkpoints {
    /// At the latest after so many seconds in which there were entries.
    pub every_seconds: u64,
    /// At the latest after so many entries.
    pub every_entries: u64,
    /// Seconds without a push after which an alarm is raised.
    pub alert_seconds: u64,
    /// Where to. Empty: they are kept in the store alone, and a cut tail cannot be shown to anybody.
    pub to: Vec<Target>,
}

/// `[audit.spool]`: where entries wait while the database does not take them.
#[derive(Debug, Clone)]
pub struct Spool {
    /// The file; beside the database when nothing is said.
    pub file: Option<PathBuf>,
    /// The folder of the settings: where it is when the database is on a server.
    pub folder: PathBuf,
    /// Bytes that it may take; 0 for none.
    pub bytes: u64,
}

/// One of `[[audit.feeds]]`: entries as they become durable.
#[derive(Debug, Clone)]
pub struct Feed {
    /// Its name: how far it has come is kept under it.
    pub name: String,
    /// How entries are written.
    pub format: FeedFormat,
    /// Where to.
    pub to: Target,
    /// Whether the receiver may know patients by their ids; else by pseudonyms.
    pub entitled: bool,
}

/// How a feed writes entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FeedFormat {
    /// Syslog messages (RFC 5424).
    Syslog,
    /// `ArcSight` Common Event Format in syslog messages.
    Cef,
    /// One JSON object a line.
    Json,
    /// OpenTelemetry logs as JSON over HTTP.
    Otlp,
    /// `AuditEvents` for an audit record repository (IHE ATNA, RESTful feed).
    Atna,
}

/// Where something is sent.
#[derive(Debug, Clone)]
pub enum Target {
    /// Appended to a file, and synced.
    File(PathBuf),
    /// `POST` to an address.
    Https {
        /// The address.
        url: String,
        /// Authorities to trust instead of the public ones, PEM.
        ca: Option<PathBuf>,
        /// The key of the signature in `X-Amanat-Signature` (HMAC-SHA-256).
        secret: Option<SecretString>,
    },
    /// A letter to people; alarms only.
    Mail(Mail),
    /// Syslog over TLS (RFC 5425).
    Syslog {
        /// `host:port`
        address: String,
        /// Authorities to trust instead of the public ones, PEM.
        ca: Option<PathBuf>,
    },
}

/// `[audit.retention]`
#[derive(Debug, Clone)]
pub struct Retention {
    /// Years that entries are kept; six at least (45 CFR 164.316(b)(2), 164.528).
    pub years: u32,
    /// While true, nothing is dropped.
    pub hold: bool,
    /// Where expired months are exported to under seal before they are dropped. Without it nothing is ever dropped.
    pub folder: Option<PathBuf>,
}

/// About a hundred thousand entries.
const SPOOL_BYTES: u64 = 64 << 20;

/// Look-back of an accounting of disclosures.
const LEAST_YEARS: u32 = 6;

/// Reads the section.
pub(super) fn read(settings: &mut Settings) -> Audit {
    let node = settings.or("audit.node", "amanat".to_owned());
    if node.len() > 20 || Id::parse(&node).is_none() {
        settings.fault("audit.node", "must be 1 to 20 letters, digits, dots or hyphens");
    }
    let origin: Option<String> = settings.optional("audit.origin");
    if origin.as_deref().is_some_and(|origin| origin.is_empty() || origin.contains('+') || origin.contains(char::is_whitespace)) {
        settings.fault("audit.origin", "must be a name without blanks, newlines or plus signs, such as `records.example/trail`");
    }
    let review_percent = settings.or("audit.review_percent", 1);
    if review_percent > 100 {
        settings.fault("audit.review_percent", "must lie between 0 and 100");
    }
    let feeds = (0..settings.elements("audit.feeds")).filter_map(|at| feed(settings, at)).collect::<Vec<Feed>>();
    for feed in &feeds {
        if feeds.iter().filter(|other| other.name == feed.name).count() > 1 {
            settings.fault("audit.feeds[0].name", format!("`{}` is the name of two feeds", feed.name));
            break;
        }
    }
    let spool = Spool {
        file: settings.path("audit.spool.file"),
        folder: settings.place(".".as_ref()),
        bytes: settings.or("audit.spool.bytes", SPOOL_BYTES),
    };
    Audit { node, origin, checkpoints: checkpoints(settings), spool, feeds, retention: retention(settings), review_percent }
}

fn checkpoints(settings: &mut Settings) -> Checkpoints {
    let key = |name: &str| format!("audit.checkpoints.{name}");
    let every_seconds = settings.or(&key("every_seconds"), 60);
    let every_entries = settings.or(&key("every_entries"), 1_000);
    for (name, value) in [("every_seconds", every_seconds), ("every_entries", every_entries)] {
        if value == 0 {
            settings.fault(&key(name), "must be at least 1");
        }
    }
    let alert_seconds = settings.or(&key("alert_seconds"), 300);
    let ca = settings.path(&key("ca"));
    let secret = settings.optional_secret::<String>(&key("secret")).map(SecretString::from);
    let mut to: Vec<Target> = settings.path(&key("file")).map(Target::File).into_iter().collect();
    for name in ["https", "syslog"] {
        let given: Option<String> = settings.optional(&key(name));
        let Some(given) = given else { continue };
        match address(name, &given, ca.clone(), secret.clone()) {
            Ok(target) => to.push(target),
            Err(text) => settings.fault(&key(name), text),
        }
    }
    Checkpoints { every_seconds, every_entries, alert_seconds, to }
}

fn feed(settings: &mut Settings, at: usize) -> Option<Feed> {
    let key = |name: &str| format!("audit.feeds[{at}].{name}");
    let name: Option<String> = settings.required(&key("name"));
    let format: Option<FeedFormat> = settings.required(&key("format"));
    let to: Option<String> = settings.required(&key("to"));
    let entitled = settings.or(&key("entitled"), false);
    let ca = settings.path(&key("ca"));
    let secret = settings.optional_secret::<String>(&key("secret")).map(SecretString::from);
    let (name, format, to) = (name?, format?, to?);
    let target = match to.split_once(':') {
        Some(("file", path)) => Ok(Target::File(settings.place(path.as_ref()))),
        Some(("syslog", rest)) => address("syslog", rest.trim_start_matches('/'), ca, secret),
        _ => address("https", &to, ca, secret),
    };
    match target {
        Ok(_) if format == FeedFormat::Atna && !entitled => {
            settings
                .fault(&key("entitled"), "must be true: AuditEvents name patients, and there is no form of them that does not");
            None
        }
        Ok(to) => Some(Feed { name, format, to, entitled }),
        Err(text) => {
            settings.fault(&key("to"), text);
            None
        }
    }
}

/// A place to send to.
pub(super) fn address(
    kind: &str,
    given: &str,
    ca: Option<PathBuf>,
    secret: Option<SecretString>,
) -> Result<Target, &'static str> {
    if kind == "syslog" {
        let port = given.rsplit_once(':').and_then(|(host, port)| port.parse::<u16>().ok().filter(|_| !host.is_empty()));
        let fine = port.is_some().then(|| Target::Syslog { address: given.to_owned(), ca });
        return fine.ok_or("must be `host:port` of a syslog receiver that speaks TLS");
    }
    let fine = given.starts_with("https://") || given.strip_prefix("http://").is_some_and(is_local);
    fine.then(|| Target::Https { url: given.to_owned(), ca, secret }).ok_or("must be an https address")
}

/// Without TLS nothing leaves this machine.
pub(super) fn is_local(rest: &str) -> bool {
    let authority = rest.split('/').next().unwrap_or_default();
    let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host).trim_matches(['[', ']']);
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn retention(settings: &mut Settings) -> Retention {
    let years = settings.or("audit.retention.years", LEAST_YEARS);
    if years < LEAST_YEARS {
        settings.fault("audit.retention.years", "must be at least 6: an accounting of disclosures looks back that far");
    }
    let (hold, folder) = (settings.or("audit.retention.hold", false), settings.path("audit.retention.folder"));
    Retention { years, hold, folder }
}
