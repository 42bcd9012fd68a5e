//! A mailbox that is written to: `[alarms.notify.mail]`.

use super::audit::is_local;
use super::settings::Settings;
use secrecy::SecretString;
use serde::Deserialize;
use std::path::PathBuf;

/// How letters are handed over (RFC 5321), and to whom.
#[derive(Debug, Clone)]
pub struct Mail {
    /// Host of the mail server.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is protected.
    pub tls: MailTls,
    /// Authorities to trust instead of the public ones, PEM.
    pub ca: Option<PathBuf>,
    /// User name and password, where the server wants them.
    pub credentials: Option<(String, SecretString)>,
    /// Whom the letters are from.
    pub from: String,
    /// Whom they are to.
    pub to: Vec<String>,
}

/// How a connection to a mail server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MailTls {
    /// STARTTLS (RFC 3207), and nothing is said before it.
    StartTls,
    /// From the first byte (RFC 8314).
    Implicit,
    /// Not at all: on this machine only.
    None,
}

/// Reads the section; `None` when it is not there, or wrong.
pub(super) fn read(settings: &mut Settings, section: &str) -> Option<Mail> {
    let key = |name: &str| format!("{section}.{name}");
    let server: Option<String> = settings.optional(&key("server"));
    let tls = settings.optional::<MailTls>(&key("tls")).unwrap_or(MailTls::StartTls);
    let ca = settings.path(&key("ca"));
    let user: Option<String> = settings.optional(&key("user"));
    let password = settings.optional_secret::<String>(&key("password")).map(SecretString::from);
    let (from, to): (Option<String>, Option<Vec<String>>) = (settings.optional(&key("from")), settings.optional(&key("to")));
    let server = match server {
        Some(server) => server,
        None if from.is_some() || to.is_some() || user.is_some() || password.is_some() => {
            settings.fault(&key("server"), "is missing: `host:port` of the mail server");
            return None;
        }
        None => return None,
    };
    let place = server.rsplit_once(':').and_then(|(host, port)| Some((host.to_owned(), port.parse::<u16>().ok()?)));
    let Some((host, port)) = place.filter(|(host, _)| !host.is_empty()) else {
        settings.fault(&key("server"), "must be `host:port` of a mail server");
        return None;
    };
    if tls == MailTls::None && !is_local(&server) {
        settings.fault(&key("tls"), "may be `none` only for a server on this machine");
    }
    if user.is_some() != password.is_some() {
        settings.fault(&key("password"), "and `user` belong together");
    }
    let (Some(from), Some(to)) = (from, to.filter(|to| !to.is_empty())) else {
        settings.fault(&key("to"), "and `from` are needed: who is told, and who tells");
        return None;
    };
    Some(Mail { host, port, tls, ca, credentials: user.zip(password), from, to })
}
