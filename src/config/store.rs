//! `[store]`: where records live.

use super::settings::Settings;
use secrecy::{ExposeSecret, SecretString};
use std::path::{Path, PathBuf};

/// `[store]`
#[derive(Debug, Clone)]
pub struct Store {
    /// `sqlite:<path>`, the path absolute, or `postgres://user@host/database`: where the gateway's own tables are, and the records unless
    /// they are behind. May hold a password, so it is wrapped.
    pub url: SecretString,
    /// The FHIR server that keeps the records, when `url` names one; then [`Store::url`] is `store.ledger`.
    pub upstream: Option<super::Upstream>,
    /// The password for PostgreSQL, when it does not stand in the URL.
    pub password: Option<SecretString>,
    /// PostgreSQL servers that follow the first one: searches and histories may be answered by them.
    pub replicas: Vec<SecretString>,
    /// Connections to PostgreSQL at most.
    pub connections: usize,
    /// Seconds that a search may take on PostgreSQL.
    pub statement_seconds: u64,
    /// `[store.space]`
    pub space: Space,
}

/// `[store.space]`: what stops when the disk of the gateway's files fills.
#[derive(Debug, Clone)]
pub struct Space {
    /// Where the disk is looked at: the folder of the database file, or of the settings when the database is on a server.
    pub folder: PathBuf,
    /// Percent of the disk in use above which bundles with many changes are refused.
    pub bulk_percent: u8,
    /// Percent of the disk in use above which nothing is written but the trail.
    pub writes_percent: u8,
    /// As long as so many bytes are left nothing is refused.
    pub free_bytes: u64,
}

impl Store {
    /// The database file of the embedded store.
    pub fn sqlite_path(&self) -> Option<PathBuf> {
        self.url.expose_secret().strip_prefix("sqlite:").map(PathBuf::from)
    }
}

/// How a URL of PostgreSQL begins.
const SERVER: [&str; 2] = ["postgres://", "postgresql://"];

fn is_server(url: &str) -> bool {
    SERVER.iter().any(|scheme| url.starts_with(scheme))
}

pub(super) fn store(settings: &mut Settings) -> Option<Store> {
    let mut key = "store.url";
    let mut given = settings.optional_secret::<String>(key).unwrap_or_else(|| "sqlite:amanat.db".to_owned());
    let mut upstream = None;
    if given.starts_with("https://") || given.starts_with("http://") {
        upstream = Some(super::upstream::read(settings, &given)?);
        key = "store.ledger";
        given = settings.optional_secret::<String>(key).unwrap_or_else(|| "sqlite:amanat.db".to_owned());
    }
    let url = match given.strip_prefix("sqlite:").filter(|path| !path.is_empty()) {
        Some(path) => format!("sqlite:{}", settings.place(path.as_ref()).display()),
        None if is_server(&given) => given,
        None => {
            settings.fault(
                key,
                "must be `sqlite:<path>` or `postgres://<user>@<host>/<database>` (`store.url` may also be the base of a FHIR server, `https://...`)",
            );
            return None;
        }
    };
    let (password, replicas) = (password(settings), replicas(settings));
    if url.starts_with("sqlite:") {
        for (key, given) in [("store.password", password.is_some()), ("store.replicas", !replicas.is_empty())] {
            if given {
                settings.fault(key, "is for PostgreSQL; the embedded store has none");
            }
        }
    }
    let connections = settings.or("store.connections", 16);
    let statement_seconds = settings.or("store.statement_seconds", 30);
    if !(4..=1_000).contains(&connections) {
        settings.fault("store.connections", "must be from 4 to 1000");
    }
    if !(1..=3_600).contains(&statement_seconds) {
        settings.fault("store.statement_seconds", "must be from 1 to 3600");
    }
    let space = space(settings, url.strip_prefix("sqlite:"));
    Some(Store { url: SecretString::from(url), upstream, password, replicas, connections, statement_seconds, space })
}

fn space(settings: &mut Settings, database: Option<&str>) -> Space {
    let beside = database.and_then(|file| Path::new(file).parent());
    let folder = beside.map_or_else(|| settings.place("".as_ref()), Path::to_owned);
    let mut percent = |key, usual| {
        let given = settings.or(key, usual);
        if given > 100 {
            settings.fault(key, "must be from 0 to 100");
        }
        given
    };
    let (bulk_percent, writes_percent) = (percent("store.space.bulk_percent", 90), percent("store.space.writes_percent", 95));
    Space { folder, bulk_percent, writes_percent, free_bytes: settings.or("store.space.free_bytes", 10 << 30) }
}

/// From the setting, which is best given by the environment, or the first line of a file.
fn password(settings: &mut Settings) -> Option<SecretString> {
    let given = settings.optional_secret::<String>("store.password");
    let Some(file) = settings.path("store.password_file") else { return given.map(SecretString::from) };
    if given.is_some() {
        settings.fault("store.password_file", "cannot be given beside `store.password`");
        return None;
    }
    match std::fs::read_to_string(&file) {
        Ok(text) => text.lines().next().map(|line| SecretString::from(line.to_owned())),
        Err(error) => {
            settings.fault("store.password_file", format!("`{}` cannot be read: {error}", file.display()));
            None
        }
    }
}

fn replicas(settings: &mut Settings) -> Vec<SecretString> {
    let key = "store.replicas";
    let given = settings.optional_secret::<Vec<String>>(key).unwrap_or_default();
    if given.iter().any(|url| !is_server(url)) {
        settings.fault(key, "must be a list of `postgres://<user>@<host>/<database>`");
    }
    given.into_iter().map(SecretString::from).collect()
}
