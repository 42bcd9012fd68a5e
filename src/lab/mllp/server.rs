//! The listener: TLS, one task a connection, one message at a time on each.

use super::frames::{Framed, Frames, framed};
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

/// How a message came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// MLLP.
    Mllp,
    /// `POST /lab/v2`
    Https,
    /// `$process-message`
    Fhir,
}

impl Door {
    /// The word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Mllp => "mllp",
            Self::Https => "https",
            Self::Fhir => "fhir",
        }
    }
}

/// A message at the door.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// As it came.
    pub bytes: Vec<u8>,
    /// It was larger than the bound, and this is only its beginning.
    pub too_large: bool,
    /// SHA-256 of the certificate that its sender showed, base64url.
    pub peer: Option<String>,
    /// The sender's network address.
    pub address: String,
}

/// What became of it.
#[derive(Debug, Clone, Default)]
pub struct Taken {
    /// To be answered at once.
    pub reply: Option<Vec<u8>>,
    /// The message to file next, before another is read.
    pub filing: Option<String>,
}

/// It could not be stored or filed, and must not be acknowledged: the sender sends it again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("nothing can be stored now")]
pub struct Trouble;

/// A future of the port.
pub type Intaking<'a, T> = Pin<Box<dyn Future<Output = Result<T, Trouble>> + Send + 'a>>;

/// Who takes messages.
pub trait Intake: Send + Sync {
    /// Whether anybody may send over a connection with this certificate.
    fn knows<'a>(&'a self, peer: Option<&'a str>) -> Intaking<'a, bool>;

    /// Makes a message durable.
    fn take(&self, arrival: Arrival) -> Intaking<'_, Taken>;

    /// Files it; the acknowledgement of the application, when one is wanted.
    fn file<'a>(&'a self, message: &'a str) -> Intaking<'a, Option<Vec<u8>>>;
}

/// Bounds of a listener.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Bytes of a message.
    pub message: usize,
    /// Bytes of frames that have begun, over all connections.
    pub held: usize,
    /// Connections at a time.
    pub connections: usize,
    /// Until a handshake must be done.
    pub handshake: Duration,
    /// Until a frame that has begun must go on.
    pub stalled: Duration,
    /// How long a connection may be silent between messages.
    pub idle: Duration,
}

/// What all connections hold of frames that have begun: many large ones at once must not fill the memory.
#[derive(Debug)]
struct Held {
    bytes: AtomicUsize,
    most: usize,
}

/// The share of one connection; given back when it ends.
struct Share<'h> {
    of: &'h Held,
    bytes: usize,
}

impl Share<'_> {
    /// Takes note of what is held now. False when that is more than there is for all: whoever holds little is let go on.
    fn fits(&mut self, now: usize) -> bool {
        let before = std::mem::replace(&mut self.bytes, now);
        let all = if now >= before {
            self.of.bytes.fetch_add(now - before, Ordering::Relaxed) + (now - before)
        } else {
            self.of.bytes.fetch_sub(before - now, Ordering::Relaxed) - (before - now)
        };
        all <= self.of.most || now <= LITTLE
    }
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        self.of.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// Bytes that a connection may hold whatever the others do.
const LITTLE: usize = 64 << 10;

/// How long a connection waits for a place when all are taken.
const PLACE: Duration = Duration::from_secs(5);

/// Bytes read at once.
const CHUNK: usize = 16 << 10;

/// Serves until told to stop; messages being taken then are finished.
pub async fn serve(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    intake: Arc<dyn Intake>,
    bounds: Bounds,
    mut stop: watch::Receiver<bool>,
) {
    let places = Arc::new(Semaphore::new(bounds.connections));
    let held = Arc::new(Held { bytes: AtomicUsize::new(0), most: bounds.held });
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.wait_for(|stopped| *stopped) => break,
        };
        let Ok((stream, address)) = accepted else {
            // Out of file descriptors, most likely: others must end first.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let (places, tls, intake, stop) = (Arc::clone(&places), tls.clone(), Arc::clone(&intake), stop.clone());
        let held = Arc::clone(&held);
        let Ok(Ok(place)) = timeout(PLACE, places.acquire_owned()).await else {
            tracing::warn!(%address, "all MLLP connections are taken; one was turned away");
            continue;
        };
        tokio::spawn(async move {
            connected(stream, address, tls, intake, (bounds, &held), stop).await;
            drop(place);
        });
    }
    // Connections end by themselves, each behind the message that it is at.
    let all = u32::try_from(bounds.connections).unwrap_or(u32::MAX);
    drop(timeout(Duration::from_secs(30), places.acquire_many(all)).await);
}

async fn connected(
    stream: TcpStream,
    address: SocketAddr,
    tls: Option<TlsAcceptor>,
    intake: Arc<dyn Intake>,
    (bounds, held): (Bounds, &Held),
    stop: watch::Receiver<bool>,
) {
    drop(stream.set_nodelay(true));
    let Some(tls) = tls else {
        return converse(stream, (None, address), intake.as_ref(), (bounds, held), stop).await;
    };
    match timeout(bounds.handshake, tls.accept(stream)).await {
        Ok(Ok(stream)) => {
            let (_, session) = stream.get_ref();
            let peer = session.peer_certificates().and_then(<[_]>::first).map(|certificate| thumbprint(certificate));
            converse(stream, (peer, address), intake.as_ref(), (bounds, held), stop).await;
        }
        Ok(Err(error)) => tracing::warn!(%address, %error, "a TLS handshake failed at the MLLP listener"),
        Err(_) => tracing::warn!(%address, "a TLS handshake at the MLLP listener was not finished in time"),
    }
}

/// SHA-256 of the DER form, base64url (RFC 8705 § 3.1).
fn thumbprint(certificate: &[u8]) -> String {
    use base64::Engine as _;
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, certificate);
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(digest)
}

/// Reads messages and answers each before the next is looked at.
async fn converse<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    (peer, address): (Option<String>, SocketAddr),
    intake: &dyn Intake,
    (bounds, held): (Bounds, &Held),
    mut stop: watch::Receiver<bool>,
) {
    if intake.knows(peer.as_deref()).await != Ok(true) {
        tracing::warn!(%address, certificate = peer.as_deref().unwrap_or("none"), "nobody may send over this MLLP connection");
        return;
    }
    let (mut frames, mut chunk) = (Frames::new(bounds.message), vec![0; CHUNK]);
    let mut share = Share { of: held, bytes: 0 };
    loop {
        let patience = if frames.is_open() { bounds.stalled } else { bounds.idle };
        let read = tokio::select! {
            read = timeout(patience, stream.read(&mut chunk)) => read,
            _ = stop.wait_for(|stopped| *stopped) => break,
        };
        let Ok(Ok(count @ 1..)) = read else { break };
        let mut rest = chunk.get(..count).unwrap_or_default();
        while !rest.is_empty() {
            let (taken, found) = frames.take(rest);
            rest = rest.get(taken..).unwrap_or_default();
            let Some(found) = found else { continue };
            let (bytes, too_large) = match found {
                Framed::Message(bytes) => (bytes, false),
                Framed::TooLarge(begun) => (begun, true),
                Framed::Hopeless => return,
            };
            let arrival = Arrival { bytes, too_large, peer: peer.clone(), address: address.ip().to_string() };
            if answered(&mut stream, intake, arrival, bounds.stalled).await.is_none() {
                return;
            }
        }
        if !share.fits(frames.held()) {
            // Nothing was acknowledged: its sender sends it again.
            tracing::warn!(%address, "too much is being received at once; an MLLP connection was closed");
            return;
        }
    }
    drop(stream.shutdown().await);
}

/// `None` ends the connection without an acknowledgement.
async fn answered<S: AsyncWrite + Unpin>(
    stream: &mut S,
    intake: &dyn Intake,
    arrival: Arrival,
    patience: Duration,
) -> Option<()> {
    let taken = intake.take(arrival).await.ok()?;
    if let Some(reply) = taken.reply {
        send(stream, &reply, patience).await?;
    }
    if let Some(message) = taken.filing
        && let Some(reply) = intake.file(&message).await.ok()?
    {
        send(stream, &reply, patience).await?;
    }
    Some(())
}

async fn send<S: AsyncWrite + Unpin>(stream: &mut S, reply: &[u8], patience: Duration) -> Option<()> {
    let frame = framed(reply);
    let sending = async {
        stream.write_all(&frame).await?;
        stream.flush().await
    };
    timeout(patience, sending).await.ok()?.ok()
}
