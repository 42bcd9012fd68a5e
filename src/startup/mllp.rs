//! The listener of laboratories: TLS with the gateway's own certificates, and what is tended beside it.

use super::{Certificates, StartError, TlsError};
use crate::config::{Lab, read_tables};
use crate::gateway::Gateway;
use crate::lab::mllp::{Bounds, Intake, serve};
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

/// A listener that serves.
pub(super) struct Listening {
    stop: watch::Sender<bool>,
    serving: JoinHandle<()>,
}

impl Listening {
    /// Takes no more connections, and waits for the messages that are being taken.
    pub(super) async fn stop(self) {
        if self.stop.send(true).is_ok() && self.serving.await.is_err() {
            tracing::error!("the MLLP listener had panicked");
        }
    }
}

/// Serves MLLP here.
pub(super) fn listen(
    listener: TcpListener,
    gateway: &Arc<Gateway>,
    lab: &Lab,
    certificates: Option<&Arc<Certificates>>,
) -> Result<Listening, StartError> {
    let tls = certificates.map(acceptor).transpose()?;
    let address = listener.local_addr().ok();
    let listener = tokio::net::TcpListener::from_std(listener)
        .map_err(|reason| StartError::Listen { address: address.unwrap_or_else(|| ([127, 0, 0, 1], 0).into()), reason })?;
    let bounds = Bounds {
        message: lab.message_bytes,
        held: lab.mllp_memory_bytes,
        connections: lab.mllp_connections,
        handshake: Duration::from_secs(10),
        stalled: Duration::from_mins(1),
        idle: Duration::from_secs(lab.mllp_idle_seconds),
    };
    let (stop, stopped) = watch::channel(false);
    let intake: Arc<dyn Intake> = Arc::clone(gateway) as Arc<dyn Intake>;
    let serving = tokio::spawn(serve(listener, tls, intake, bounds, stopped));
    Ok(Listening { stop, serving })
}

fn acceptor(certificates: &Arc<Certificates>) -> Result<TlsAcceptor, TlsError> {
    let mut config = certificates.server_config()?;
    // MLLP is no protocol that TLS could negotiate.
    config.alpn_protocols.clear();
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Files what was stored and not filed, and looks at the site's tables, every second.
pub(super) async fn tend(gateway: Arc<Gateway>, tables: Vec<PathBuf>) {
    let mut beat = tokio::time::interval(Duration::from_secs(1));
    let mut known = changed(&tables);
    loop {
        beat.tick().await;
        let now = changed(&tables);
        if now != known {
            known = now;
            read_again(&gateway, tables.clone()).await;
        }
        if let Err(refusal) = gateway.tend_lab().await {
            tracing::warn!(code = refusal.told().code, "the inbox of result intake could not be read");
        }
    }
}

/// When each file was changed last, and how long it is.
fn changed(files: &[PathBuf]) -> Vec<Option<(SystemTime, u64)>> {
    let state = |file: &PathBuf| {
        let found = std::fs::metadata(file).ok()?;
        Some((found.modified().ok()?, found.len()))
    };
    files.iter().map(state).collect()
}

/// Reads the tables anew. Those that cannot be used change nothing: the gateway goes on by the ones that it has.
async fn read_again(gateway: &Gateway, files: Vec<PathBuf>) {
    match tokio::task::spawn_blocking(move || read_tables(&files)).await {
        Ok(Ok(tables)) => {
            gateway.lab_tables(tables);
            tracing::info!("the tables of result intake were read anew");
        }
        Ok(Err(why)) => tracing::error!(code = "AMANAT-LAB-0003", why, "the changed tables of result intake cannot be used"),
        Err(_) => tracing::error!("the tables of result intake could not be read"),
    }
}
