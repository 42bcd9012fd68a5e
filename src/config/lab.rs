//! `[lab]`: result intake.

use super::audit::{Target, address};
use super::settings::Settings;
use crate::lab::tables::Tables;
use crate::lab::v2::Charset;
use jiff::tz::TimeZone;
use secrecy::SecretString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

/// `[lab]`
#[derive(Debug, Clone)]
pub struct Lab {
    /// Where MLLP is spoken; nowhere, when absent. In TLS whenever there is `[tls]`.
    pub mllp_listen: Option<SocketAddr>,
    /// The client that sends without a certificate; on loopback only.
    pub mllp_client: Option<String>,
    /// Connections of MLLP at a time.
    pub mllp_connections: usize,
    /// Bytes of messages that are being received, over all connections.
    pub mllp_memory_bytes: usize,
    /// Seconds that a connection may be silent between messages.
    pub mllp_idle_seconds: u64,
    /// Bytes of a message.
    pub message_bytes: usize,
    /// The tables that come with the program, and those of the site in front.
    pub tables: Arc<Tables>,
    /// The files of the site's tables: when one changes, they are read again.
    pub table_files: Vec<PathBuf>,
    /// The zone of times without an offset.
    pub time_zone: TimeZone,
    /// The character set of messages that name none and are not UTF-8.
    pub charset: Charset,
    /// From which score on a patient is taken who has no number in common with a message.
    pub match_threshold: f64,
    /// Only senders of the tables may send.
    pub known_senders_only: bool,
    /// Accepted processing ids (MSH-11).
    pub processing: Vec<String>,
    /// `[[lab.feeds]]`: certificates and the clients that send with them.
    pub feeds: Vec<Feed>,
    /// `[[lab.subscribers]]`: who is told that a result was replaced.
    pub subscribers: Vec<Subscriber>,
}

/// One of `[[lab.feeds]]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feed {
    /// `client_id`
    pub client: String,
    /// The certificate that it connects with, PEM.
    pub certificate: PathBuf,
}

/// One of `[[lab.subscribers]]`
#[derive(Debug, Clone)]
pub struct Subscriber {
    /// Its name: how far it has come is kept under it.
    pub name: String,
    /// The client whose grant, purposes and organization decide of what it is told.
    pub client: String,
    /// Where to.
    pub to: Target,
}

/// Reads the section. `zone` is that of the consents.
pub(super) fn read(settings: &mut Settings, zone: &TimeZone) -> Lab {
    let mllp_listen = settings.optional::<SocketAddr>("lab.mllp_listen");
    let (tables, table_files) = tables(settings);
    let lab = Lab {
        mllp_listen,
        mllp_client: settings.optional("lab.mllp_client"),
        mllp_connections: settings.or("lab.mllp_connections", 256),
        mllp_memory_bytes: settings.or("lab.mllp_memory_bytes", 256 << 20),
        mllp_idle_seconds: settings.or("lab.mllp_idle_seconds", 3600),
        message_bytes: settings.or("lab.message_bytes", 10 << 20),
        tables: Arc::new(tables),
        table_files,
        time_zone: time_zone(settings).unwrap_or_else(|| zone.clone()),
        charset: charset(settings),
        match_threshold: settings.or("lab.match_threshold", 0.8),
        known_senders_only: settings.or("lab.known_senders_only", false),
        processing: settings.or("lab.processing", ["P", "T", "D"].map(str::to_owned).to_vec()),
        feeds: feeds(settings),
        subscribers: subscribers(settings),
    };
    if lab.mllp_client.is_some() && !mllp_listen.is_some_and(|address| address.ip().is_loopback()) {
        let text = "names who sends without a certificate: that is for this computer only, so `lab.mllp_listen` must be a loopback address";
        settings.fault("lab.mllp_client", text);
    }
    if lab.mllp_connections == 0 {
        settings.fault("lab.mllp_connections", "must be at least 1");
    }
    if lab.mllp_memory_bytes < 2 * lab.message_bytes {
        settings
            .fault("lab.mllp_memory_bytes", "must be at least twice `lab.message_bytes`, or the largest message finds no room");
    }
    if !(0.5..=2.0).contains(&lab.match_threshold) {
        settings.fault("lab.match_threshold", "must lie between 0.5 and 2; above 1 no patient is taken by a score");
    }
    lab
}

fn tables(settings: &mut Settings) -> (Tables, Vec<PathBuf>) {
    let files: Vec<PathBuf> = settings.or("lab.tables", Vec::new());
    let files: Vec<PathBuf> = files.iter().map(|file| settings.place(file)).collect();
    match read_tables(&files) {
        Ok(tables) => (tables, files),
        Err(why) => {
            settings.fault("lab.tables", why);
            (Tables::default(), files)
        }
    }
}

/// The tables that come with the program, and those of these files in front, the last first.
///
/// # Errors
/// What is wrong with which file, in words.
pub fn read_tables(files: &[PathBuf]) -> Result<Tables, String> {
    let built_in = Tables::built_in().map_err(|why| format!("the tables of the program cannot be read: {why}"))?;
    files.iter().try_fold(built_in, |tables, file| {
        let read = std::fs::read_to_string(file).map_err(|error| error.to_string());
        read.and_then(|text| tables.with(&text)).map_err(|why| format!("`{}` cannot be used: {why}", file.display()))
    })
}

fn time_zone(settings: &mut Settings) -> Option<TimeZone> {
    let name = settings.optional::<String>("lab.time_zone")?;
    let zone = TimeZone::get(&name).ok();
    if zone.is_none() {
        settings.fault("lab.time_zone", format!("`{name}` is no zone; write one like `Asia/Karachi`"));
    }
    zone
}

fn charset(settings: &mut Settings) -> Charset {
    let name = settings.or("lab.charset", "8859/1".to_owned());
    Charset::named(&name).unwrap_or_else(|| {
        settings.fault("lab.charset", format!("`{name}` is no character set of HL7 table 0211"));
        Charset::Latin1
    })
}

fn feeds(settings: &mut Settings) -> Vec<Feed> {
    let mut all = Vec::new();
    for at in 0..settings.elements("lab.feeds") {
        let key = |name: &str| format!("lab.feeds[{at}].{name}");
        let (client, certificate) = (settings.required(&key("client")), settings.path(&key("certificate")));
        if certificate.is_none() {
            settings.fault(&key("certificate"), "is missing: the PEM file of the certificate that the client connects with");
        }
        all.extend(client.zip(certificate).map(|(client, certificate)| Feed { client, certificate }));
    }
    all
}

fn subscribers(settings: &mut Settings) -> Vec<Subscriber> {
    let mut all: Vec<Subscriber> = Vec::new();
    for at in 0..settings.elements("lab.subscribers") {
        let key = |name: &str| format!("lab.subscribers[{at}].{name}");
        let (name, client, to): (Option<String>, Option<String>, Option<String>) =
            (settings.required(&key("name")), settings.required(&key("client")), settings.required(&key("to")));
        let ca = settings.path(&key("ca"));
        let secret = settings.optional_secret::<String>(&key("secret")).map(SecretString::from);
        let (Some(name), Some(client), Some(to)) = (name, client, to) else { continue };
        if all.iter().any(|other| other.name == name) {
            settings.fault(&key("name"), format!("`{name}` is the name of two subscribers"));
        }
        let target = match to.strip_prefix("file:") {
            Some(path) => Ok(Target::File(settings.place(path.as_ref()))),
            None => address("https", &to, ca, secret),
        };
        match target {
            Ok(to) => all.push(Subscriber { name, client, to }),
            Err(text) => settings.fault(&key("to"), text),
        }
    }
    all
}
