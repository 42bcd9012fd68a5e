//! Where something is sent: appended to a file, posted, or told to a syslog receiver. Each says when it has it.

use super::mail::Mailbox;
use super::post::Post;
use super::syslog::Line;
use crate::config;
use aws_lc_rs::hmac;
use secrecy::{ExposeSecret as _, SecretString};
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// The header with the signature of a body.
pub(super) const SIGNATURE: &str = "x-amanat-signature";

/// A receiver.
#[derive(Debug)]
pub(super) enum Receiver {
    /// A file.
    File(PathBuf),
    /// An address.
    Https(Box<Post>, Option<SecretString>),
    /// People.
    Mail(Box<Mailbox>),
    /// A syslog receiver, with the connection to it while there is one.
    Syslog(Box<Line>),
}

/// What is sent at once.
#[derive(Debug, Clone, Default)]
pub(super) struct Parcel {
    /// The media type of the whole.
    pub(super) media_type: &'static str,
    /// The whole, as a body or as what is appended.
    pub(super) body: String,
    /// The messages of the whole, each by itself, for syslog.
    pub(super) messages: Vec<String>,
    /// The whole in words, for people.
    pub(super) letter: Letter,
}

/// What people are written.
#[derive(Debug, Clone, Default)]
pub(super) struct Letter {
    /// One line.
    pub(super) subject: String,
    /// The rest.
    pub(super) text: String,
}

impl Receiver {
    /// The receiver of a setting.
    pub(super) fn of(target: &config::Target) -> Self {
        match target {
            config::Target::File(path) => Self::File(path.clone()),
            config::Target::Https { url, ca, secret } => Self::Https(Box::new(Post::new(url, ca.clone())), secret.clone()),
            config::Target::Mail(mail) => Self::Mail(Box::new(Mailbox::new(mail))),
            config::Target::Syslog { address, ca } => Self::Syslog(Box::new(Line::new(address, ca.clone()))),
        }
    }

    /// Sends, and waits until the receiver has it.
    ///
    /// # Errors
    /// Why not, in words for the operator.
    pub(super) async fn send(&mut self, parcel: Parcel) -> Result<(), String> {
        match self {
            Self::File(path) => {
                let path = path.clone();
                let work = tokio::task::spawn_blocking(move || append(&path, &parcel.body));
                work.await.map_err(|error| error.to_string())?.map_err(|error| error.to_string())
            }
            Self::Https(post, secret) => {
                let headers = secret.as_ref().map(|secret| (SIGNATURE, signature(secret, parcel.body.as_bytes())));
                post.send(parcel.media_type, headers, parcel.body).await.map_err(|fault| fault.to_string())
            }
            Self::Mail(mailbox) => mailbox.send(&parcel.letter).await,
            Self::Syslog(line) => line.send(&parcel.messages).await,
        }
    }
}

fn append(path: &Path, text: &str) -> std::io::Result<()> {
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_data()
}

/// `sha256=` and the HMAC of a body, in hexadecimal.
pub(super) fn signature(secret: &SecretString, body: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose_secret().as_bytes());
    let mut text = "sha256=".to_owned();
    for byte in hmac::sign(&key, body).as_ref() {
        let _written = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{append, signature};
    use secrecy::SecretString;

    #[test]
    fn a_signature_is_the_one_of_rfc_4231() {
        let key = SecretString::from("Jefe".to_owned());
        let expected = "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(signature(&key, b"what do ya want for nothing?"), expected);
    }

    #[test]
    fn a_file_is_appended_to() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("notes");
        append(&file, "a\n").unwrap();
        append(&file, "b\n").unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "a\nb\n");
        append(folder.path(), "c").unwrap_err();
    }
}
