//! A letter to the people who are told of alarms (RFC 5321, over TLS).

use super::target::Letter;
use crate::config::{self, MailTls};
use lettre::message::header::ContentType;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, CertificateStore, Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};
use secrecy::ExposeSecret as _;
use std::time::Duration;

/// How long each step with the server may take.
const LONGEST: Duration = Duration::from_secs(5);

/// A mail server and whom to write to.
#[derive(Debug)]
pub(super) struct Mailbox {
    settings: config::Mail,
}

impl Mailbox {
    /// Nothing is opened before the first letter.
    pub(super) fn new(settings: &config::Mail) -> Self {
        Self { settings: settings.clone() }
    }

    /// Hands a letter over, and waits until the server has taken it.
    ///
    /// # Errors
    /// Why not, in words for the operator.
    pub(super) async fn send(&self, letter: &Letter) -> Result<(), String> {
        let message = self.message(letter)?;
        let transport = self.transport()?;
        transport.send(message).await.map(drop).map_err(|error| error.to_string())
    }

    fn message(&self, letter: &Letter) -> Result<Message, String> {
        let wrong = |address: &str, error: &dyn std::fmt::Display| format!("`{address}` is no mail address: {error}");
        let from = self.settings.from.parse().map_err(|error| wrong(&self.settings.from, &error))?;
        let mut message = Message::builder().from(from).subject(&letter.subject).header(ContentType::TEXT_PLAIN);
        for address in &self.settings.to {
            message = message.to(address.parse().map_err(|error| wrong(address, &error))?);
        }
        message.body(letter.text.clone()).map_err(|error| error.to_string())
    }

    /// One connection a letter: alarms are seldom, and a connection that was kept would be a stale one.
    fn transport(&self) -> Result<AsyncSmtpTransport<Tokio1Executor>, String> {
        let settings = &self.settings;
        let tls = match settings.tls {
            MailTls::StartTls => Tls::Required(self.trust()?),
            MailTls::Implicit => Tls::Wrapper(self.trust()?),
            MailTls::None => Tls::None,
        };
        let mut transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&settings.host)
            .port(settings.port)
            .tls(tls)
            .timeout(Some(LONGEST));
        if let Some((user, password)) = &settings.credentials {
            transport = transport.credentials(Credentials::new(user.clone(), password.expose_secret().to_owned()));
        }
        Ok(transport.build())
    }

    fn trust(&self) -> Result<TlsParameters, String> {
        let builder = TlsParameters::builder(self.settings.host.trim_matches(['[', ']']).to_owned());
        let Some(file) = &self.settings.ca else {
            let public = builder.certificate_store(CertificateStore::WebpkiRoots).build_rustls();
            return public.map_err(|error| error.to_string());
        };
        let wrong = |error: &dyn std::fmt::Display| format!("`{}`: {error}", file.display());
        let text = std::fs::read(file).map_err(|error| wrong(&error))?;
        let own = Certificate::from_pem(&text).map_err(|error| wrong(&error))?;
        let own = builder.certificate_store(CertificateStore::None).add_root_certificate(own).build_rustls();
        own.map_err(|error| error.to_string())
    }
}
