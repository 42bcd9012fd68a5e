//! `amanat lab send`: a sender over MLLP, for trying things.

use crate::cli::screen::{Failure, Screen, wait};
use crate::lab::mllp::{Framed, Frames, framed};
use crate::lab::v2::{Charset, Message, decode, split_messages};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long an acknowledgement is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// The arguments.
#[derive(Debug, clap::Args)]
pub(super) struct Send {
    /// One message, or several one behind the other.
    file: PathBuf,
    /// Where to.
    #[arg(long, value_name = "HOST:PORT", default_value = "localhost:2575")]
    to: String,
    /// The authority of the other side, PEM. Without it there is no TLS.
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// The own certificate, PEM.
    #[arg(long, value_name = "FILE", requires = "key", requires = "ca")]
    certificate: Option<PathBuf>,
    /// Its private key, PEM.
    #[arg(long, value_name = "FILE", requires = "certificate")]
    key: Option<PathBuf>,
}

impl Send {
    /// Sends each message and waits for its acknowledgement. Exit code 3 when one was not accepted.
    pub(super) fn run(self, json: bool, screen: &mut Screen<'_>) -> Result<(), Failure> {
        let bytes = std::fs::read(&self.file).map_err(|error| Failure::file(&self.file, error))?;
        let text = decode(&bytes, Charset::Latin1).map_err(|fault| Failure::Failed(fault.to_string()))?;
        let messages = split_messages(&text);
        wait(async {
            let stream = TcpStream::connect(&self.to).await.map_err(|error| Failure::of(&self.to, error))?;
            stream.set_nodelay(true)?;
            match &self.ca {
                None => all(stream, &messages, json, screen).await,
                Some(ca) => {
                    let host = self.to.rsplit_once(':').map_or(self.to.as_str(), |(host, _)| host).to_owned();
                    let name = ServerName::try_from(host).map_err(|error| Failure::Usage(format!("--to: {error}")))?;
                    let connector = tokio_rustls::TlsConnector::from(Arc::new(self.tls(ca)?));
                    let stream = connector.connect(name, stream).await.map_err(|error| Failure::of("TLS", error))?;
                    all(stream, &messages, json, screen).await
                }
            }
        })
    }

    fn tls(&self, ca: &Path) -> Result<rustls::ClientConfig, Failure> {
        let failed = |error: rustls::Error| Failure::of("TLS", error);
        let mut roots = rustls::RootCertStore::empty();
        for authority in certificates(ca)? {
            roots.add(authority).map_err(failed)?;
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(failed)?
            .with_root_certificates(roots);
        match (&self.certificate, &self.key) {
            (Some(certificate), Some(key)) => {
                let private = PrivateKeyDer::from_pem_file(key).map_err(|error| Failure::file(key, error))?;
                builder.with_client_auth_cert(certificates(certificate)?, private).map_err(failed)
            }
            _ => Ok(builder.with_no_client_auth()),
        }
    }
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, Failure> {
    let read = CertificateDer::pem_file_iter(file).and_then(Iterator::collect);
    read.map_err(|error| Failure::file(file, error))
}

async fn all<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    messages: &[String],
    json: bool,
    screen: &mut Screen<'_>,
) -> Result<(), Failure> {
    let mut refused = false;
    for message in messages {
        let sent = async {
            stream.write_all(&framed(message.as_bytes())).await?;
            stream.flush().await
        };
        sent.await?;
        let answer = answer(&mut stream).await?;
        let text = String::from_utf8_lossy(&answer).replace('\r', "\n");
        let code = Message::read(&answer, Charset::Latin1)
            .ok()
            .and_then(|read| Some(read.first("MSA")?.field(1).text()))
            .unwrap_or_default();
        refused |= !matches!(code.as_str(), "AA" | "CA");
        if json {
            screen.json(&json!({ "code": code, "acknowledgement": text }))?;
        } else {
            screen.line(text.trim_end())?;
        }
    }
    if refused { Err(Failure::Found) } else { Ok(()) }
}

async fn answer<S: AsyncRead + Unpin>(stream: &mut S) -> Result<Vec<u8>, Failure> {
    let (mut frames, mut chunk) = (Frames::new(1 << 20), vec![0; 4096]);
    loop {
        let read = timeout(PATIENCE, stream.read(&mut chunk)).await;
        let count = read.map_err(|_| Failure::Failed("no acknowledgement came in 30 seconds".to_owned()))??;
        if count == 0 {
            return Err(Failure::Failed("the connection was closed without an acknowledgement: send it again".to_owned()));
        }
        let (_, found) = frames.take(chunk.get(..count).unwrap_or_default());
        if let Some(Framed::Message(answer) | Framed::TooLarge(answer)) = found {
            return Ok(answer);
        }
    }
}
