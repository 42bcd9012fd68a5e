//! Syslog over TLS (RFC 5425): each message behind its length, on a connection that is opened again when it broke.

use super::post::trust;
use rustls::pki_types::ServerName;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// How long connecting or sending may take.
const LONGEST: Duration = Duration::from_secs(5);

/// A receiver and the connection to it.
#[derive(Debug)]
pub(super) struct Line {
    address: String,
    ca: Option<PathBuf>,
    open: Option<TlsStream<TcpStream>>,
}

impl Line {
    /// Nothing is opened before the first message.
    pub(super) fn new(address: &str, ca: Option<PathBuf>) -> Self {
        Self { address: address.to_owned(), ca, open: None }
    }

    /// Sends messages. Syslog does not answer: what the other side's system took counts as received.
    ///
    /// # Errors
    /// Why not, in words for the operator.
    pub(super) async fn send(&mut self, messages: &[String]) -> Result<(), String> {
        let sent = tokio::time::timeout(LONGEST, self.attempt(messages)).await;
        let result = sent.unwrap_or_else(|_| Err("no progress in time".to_owned()));
        if result.is_err() {
            self.open = None;
        }
        result
    }

    async fn attempt(&mut self, messages: &[String]) -> Result<(), String> {
        let stream = match &mut self.open {
            Some(stream) => stream,
            None => self.open.insert(connect(&self.address, self.ca.clone()).await?),
        };
        let framed: String = messages.iter().map(|message| framed(message)).collect();
        stream.write_all(framed.as_bytes()).await.map_err(|error| error.to_string())?;
        stream.flush().await.map_err(|error| error.to_string())
    }
}

/// Octet counting (RFC 5425 § 4.3).
fn framed(message: &str) -> String {
    format!("{} {message}", message.len())
}

async fn connect(address: &str, ca: Option<PathBuf>) -> Result<TlsStream<TcpStream>, String> {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host).trim_matches(['[', ']']).to_owned();
    let name = ServerName::try_from(host).map_err(|error| error.to_string())?;
    let config = trust(ca.as_deref()).map_err(|fault| fault.to_string())?;
    let stream = TcpStream::connect(address).await.map_err(|error| error.to_string())?;
    TlsConnector::from(Arc::new(config)).connect(name, stream).await.map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::framed;

    #[test]
    fn a_message_stands_behind_its_length_in_bytes() {
        assert_eq!(framed("<85>1 \u{e9}"), "8 <85>1 \u{e9}");
    }
}
