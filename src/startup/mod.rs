//! From a configuration to a serving gateway, in order: logs, certificates, gateway, listeners. Tests start it the same way.

mod assembly;
mod changes;
mod mllp;
mod records;
mod sign_in;
mod tls;

pub use assembly::{Assembly, OpenError, assemble, assemble_over};
pub use tls::{Certificates, TlsError};

use crate::audit::Event;
use crate::clock::Clock;
use crate::config::Config;
use crate::gateway::Gateway;
use crate::http::{Front, Health, PeerAddress};
use crate::identity::PeerCertificate;
use crate::store::evidence::EvidenceStore;
use crate::store::sql::SqlStore;
use crate::telemetry;
use crate::watch::{Around, Watch};
use actix_web::dev::{Extensions, ServerHandle};
use actix_web::rt::net::TcpStream;
use actix_web::{App, HttpServer};
use std::any::Any;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

/// Seconds that requests in flight have to end when the gateway stops.
const DRAIN_SECONDS: u64 = 30;

/// Why the gateway does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Certificates.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Store, keys, trail.
    #[error("the gateway cannot open: {0}")]
    Gateway(#[from] OpenError),
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {reason}")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// Why.
        reason: std::io::Error,
    },
}

/// A gateway that serves.
pub struct Running {
    /// Where the FHIR API is served.
    pub https: SocketAddr,
    /// Where health and metrics are served.
    pub management: SocketAddr,
    /// The gateway and its parts, for what the same process does beside HTTP.
    pub assembly: Arc<Assembly>,
    health: Arc<Health>,
    watch: Watch,
    servers: [ServerHandle; 2],
    reload: Arc<Notify>,
    tasks: Vec<JoinHandle<()>>,
    /// Where MLLP is spoken, when it is.
    pub mllp: Option<SocketAddr>,
    feeds: Option<mllp::Listening>,
}

impl std::fmt::Debug for Running {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Running").field("https", &self.https).field("management", &self.management).finish_non_exhaustive()
    }
}

impl Running {
    /// Reads certificates again, as SIGHUP does.
    pub fn reload(&self) {
        self.reload.notify_one();
    }

    /// Stops: no new connections, requests in flight end (30 seconds at most), then the gateway closes what it keeps.
    pub async fn stop(self) {
        self.health.stop();
        let [public, management] = self.servers;
        // Messages that are being taken are finished, and acknowledged.
        if let Some(feeds) = self.feeds {
            feeds.stop().await;
        }
        public.stop(true).await;
        // What looks at the store now and then must not look at a closed one.
        for task in self.tasks {
            task.abort();
        }
        self.assembly.gateway.note(Event::Stop).await;
        self.watch.end().await;
        self.assembly.gateway.close().await;
        management.stop(true).await;
        tracing::info!("stopped");
    }
}

/// Starts the gateway. To be called inside a Tokio runtime.
///
/// # Errors
/// [`StartError`]; then nothing is left running.
pub async fn start(config: Config, clock: Clock) -> Result<Running, StartError> {
    telemetry::start_logging(&clock);
    // The recorder must stand before the first sample.
    telemetry::tend_metrics();
    let certificates = config.tls.as_ref().map(Certificates::load).transpose()?;
    let (public, https) = listen(config.server.listen)?;
    let (private, management) = listen(config.server.management_listen)?;
    let feeds = config.lab.mllp_listen.map(listen).transpose()?;
    let assembly = Arc::new(assemble(&config, &clock).await?);
    if assembly.store.is_being_loaded() {
        return Err(OpenError::BeingLoaded.into());
    }
    let gateway = Arc::clone(&assembly.gateway);
    spool(&assembly.store, &config).await?;
    changes::tell(&gateway, &assembly.store, &config, &clock).await.map_err(OpenError::Store)?;
    let health = Arc::new(Health::new(&gateway));
    let evidence = Arc::clone(&assembly.store) as Arc<dyn EvidenceStore>;
    let trail = Arc::clone(&assembly.store) as _;
    let around = Around {
        evidence,
        trail,
        store: Arc::clone(&assembly.store) as _,
        acquaintance: Arc::clone(&gateway) as _,
        audience: Arc::clone(&gateway) as _,
        space: assembly::space(&config.store.space),
    };
    let watch = Watch::open(around, &config, gateway.site(), &clock).await.map_err(OpenError::Watch)?;
    let config = Arc::new(config);
    let servers = [serve_api(&gateway, &config, public, certificates.as_ref())?, serve_management(&health, private, management)?];
    let reload = Arc::new(Notify::new());
    let mut tasks = vec![tokio::spawn(tend_metrics()), tokio::spawn(look_around(Arc::clone(&gateway)))];
    tasks.push(tokio::spawn(look_at_revocations(Arc::clone(&gateway))));
    tasks.push(tokio::spawn(label(Arc::clone(&gateway))));
    let indexer = Arc::clone(&gateway);
    tasks.push(tokio::spawn(async move { indexer.follow_parameters().await }));
    tasks.push(tokio::spawn(look_at_restrictions(Arc::clone(&gateway))));
    #[cfg(not(feature = "bench"))]
    tasks.extend(watch.begin().await);
    // A bench measures what requests cost, and nothing beside them.
    #[cfg(not(feature = "bench"))]
    tasks.push(tokio::spawn(async move { gateway.follow_trail().await }));
    tasks.push(tokio::spawn(mllp::tend(Arc::clone(&assembly.gateway), config.lab.table_files.clone())));
    let mllp = feeds.as_ref().map(|(_, address)| *address);
    let feeds =
        feeds.map(|(listener, _)| mllp::listen(listener, &assembly.gateway, &config.lab, certificates.as_ref())).transpose()?;
    if let Some(certificates) = certificates {
        tasks.push(tokio::spawn(follow(certificates, Arc::clone(&reload))));
    }
    // Workers and accept threads begin with the first poll of the servers, which must not wait for the caller's next pause.
    tokio::task::yield_now().await;
    tracing::info!(address = %https, management = %management, base = %config.server.base_url, "serving");
    Ok(Running { https, management, assembly, health, watch, servers, reload, tasks, mllp, feeds })
}

/// Takes the spool into use. Without one the gateway serves, and fails closed when the database takes nothing; a file that somebody named
/// must be usable.
async fn spool(store: &SqlStore, config: &Config) -> Result<(), OpenError> {
    let settings = &config.audit.spool;
    if settings.bytes == 0 {
        return Ok(());
    }
    let beside = || match config.store.sqlite_path() {
        Some(database) => database.with_extension("spool"),
        None => settings.folder.join("amanat.spool"),
    };
    let done = store.spool(&settings.file.clone().unwrap_or_else(beside), settings.bytes).await;
    if let (Err(error), None) = (&done, &settings.file) {
        tracing::warn!(%error, "there is no spool: while the database takes nothing, nothing is answered");
        return Ok(());
    }
    done.map_err(OpenError::Store)
}

fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    let bound = TcpListener::bind(address).and_then(|listener| {
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        Ok((listener, address))
    });
    bound.map_err(|reason| StartError::Listen { address, reason })
}

/// The public listener. Without certificates it speaks plain HTTP, which the configuration allows on loopback only.
fn serve_api(
    gateway: &Arc<Gateway>,
    config: &Arc<Config>,
    listener: TcpListener,
    certificates: Option<&Arc<Certificates>>,
) -> Result<ServerHandle, StartError> {
    let address = config.server.listen;
    let limits = config.limits;
    let front = Arc::new(Front::new(gateway, config));
    let mut server = HttpServer::new(move || {
        let front = Arc::clone(&front);
        App::new().configure(move |app| crate::http::mount(app, front))
    })
    .tcp_nodelay(true)
    .client_request_timeout(Duration::from_secs(limits.head_seconds))
    .tls_handshake_timeout(Duration::from_secs(limits.head_seconds))
    .keep_alive(Duration::from_secs(limits.keep_alive_seconds))
    .max_connections(limits.connections)
    .shutdown_timeout(DRAIN_SECONDS)
    .disable_signals()
    .on_connect(move |connection, kept| {
        note_certificate(connection, kept);
        if let Some(stream) = stream_of(connection) {
            if let Ok(address) = stream.peer_addr() {
                kept.insert(PeerAddress(address.ip().to_string().into()));
            }
            bound_stall(stream, Duration::from_secs(limits.stalled_seconds));
        }
    });
    if config.server.workers > 0 {
        server = server.workers(config.server.workers);
    }
    let server = match certificates {
        Some(certificates) => server.listen_rustls_0_23(listener, certificates.server_config()?),
        None => server.listen(listener),
    };
    let server = server.map_err(|reason| StartError::Listen { address, reason })?.run();
    let handle = server.handle();
    tokio::spawn(server);
    Ok(handle)
}

fn serve_management(health: &Arc<Health>, listener: TcpListener, address: SocketAddr) -> Result<ServerHandle, StartError> {
    let health = Arc::clone(health);
    let server = HttpServer::new(move || {
        let health = Arc::clone(&health);
        App::new().configure(move |app| crate::http::mount_management(app, health))
    })
    .workers(1)
    .shutdown_timeout(1)
    .disable_signals()
    .listen(listener)
    .map_err(|reason| StartError::Listen { address, reason })?
    .run();
    let handle = server.handle();
    tokio::spawn(server);
    Ok(handle)
}

/// Keeps the fingerprint of the certificate that a client showed, for every request of its connection.
fn note_certificate(connection: &dyn Any, kept: &mut Extensions) {
    let Some(stream) = connection.downcast_ref::<actix_tls::accept::rustls_0_23::TlsStream<TcpStream>>() else { return };
    let (_, session) = stream.get_ref();
    let Some(certificate) = session.peer_certificates().and_then(<[_]>::first) else { return };
    if let Some(certificate) = PeerCertificate::from_der(certificate) {
        kept.insert(certificate);
    }
}

/// Drops a connection whose client acknowledges nothing for so long, or leaves no room for more: an answer that nobody takes would hold
/// memory and a place among the connections for ever. The system sees to it, where it can.
fn bound_stall(stream: &TcpStream, after: Duration) {
    #[cfg(any(target_os = "linux", target_os = "android", target_os = "fuchsia"))]
    if let Err(error) = socket2::SockRef::from(stream).set_tcp_user_timeout(Some(after)) {
        tracing::warn!(%error, "a stalled connection will not be dropped");
    }
    #[cfg(not(any(target_os = "linux", target_os = "android", target_os = "fuchsia")))]
    let _ = (stream, after);
}

/// The connection below TLS, or itself where there is none.
fn stream_of(connection: &dyn Any) -> Option<&TcpStream> {
    let encrypted = connection.downcast_ref::<actix_tls::accept::rustls_0_23::TlsStream<TcpStream>>();
    encrypted.map(|stream| stream.get_ref().0).or_else(|| connection.downcast_ref::<TcpStream>())
}

/// Other processes on the same store (the command line, another node) may have changed clients and keys.
async fn look_around(gateway: Arc<Gateway>) {
    let mut beat = tokio::time::interval(Duration::from_secs(1));
    let mut stopped = None;
    loop {
        beat.tick().await;
        gateway.refresh().await;
        gateway.tell_of_recording(&mut stopped).await;
    }
}

/// A client that was locked out on any node is locked out here before a second is over.
async fn look_at_restrictions(gateway: Arc<Gateway>) {
    let mut beat = tokio::time::interval(Duration::from_millis(300));
    beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        beat.tick().await;
        gateway.look_at_restrictions().await;
    }
}

/// What another node revoked must bite here within a second.
async fn look_at_revocations(gateway: Arc<Gateway>) {
    let mut beat = tokio::time::interval(Duration::from_millis(500));
    loop {
        beat.tick().await;
        gateway.refresh_revocations().await;
    }
}

/// Labels what earlier releases stored, or other rules labelled, beside everything else.
async fn label(gateway: Arc<Gateway>) {
    while gateway.relabel().await.is_err() {
        tokio::time::sleep(Duration::from_secs(10)).await;
    }
}

async fn tend_metrics() {
    let mut beat = tokio::time::interval(Duration::from_secs(5));
    loop {
        beat.tick().await;
        telemetry::tend_metrics();
    }
}

/// Reloads when a file has changed or somebody asks. New files that cannot be used are reported once and leave the old in use.
async fn follow(certificates: Arc<Certificates>, asked: Arc<Notify>) {
    let mut seen = certificates.stamp();
    let mut beat = tokio::time::interval(Duration::from_secs(1));
    loop {
        metrics::gauge!(telemetry::CERTIFICATE_EXPIRY, "use" => "server").set(seconds(certificates.expires()));
        let asked = tokio::select! {
            _ = beat.tick() => false,
            () = asked.notified() => true,
        };
        let stamp = certificates.stamp();
        if stamp == seen && !asked {
            continue;
        }
        seen = stamp;
        match certificates.reload() {
            Ok(()) => {
                metrics::counter!(telemetry::CERTIFICATE_RELOADS, "outcome" => "done").increment(1);
                tracing::info!("certificates reloaded");
            }
            Err(error) => {
                metrics::counter!(telemetry::CERTIFICATE_RELOADS, "outcome" => "failed").increment(1);
                tracing::error!(code = "AMANAT-TLS-0001", %error, "the new certificates cannot be used; the old ones stay");
            }
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "seconds of this era are far below 2^52")]
fn seconds(at: i64) -> f64 {
    at as f64
}

/// SHA-256 of the first certificate of a PEM file, in base64url: how a client certificate is known in the registry.
///
/// # Errors
/// [`TlsError`] when there is none in it.
pub fn fingerprint(file: &std::path::Path) -> Result<String, TlsError> {
    let chain = tls::certificates(file)?;
    Ok(crate::identity::thumbprint(chain.first().map(AsRef::as_ref).unwrap_or_default()))
}

/// DNS names and addresses that the first certificate of a PEM file is for.
///
/// # Errors
/// [`TlsError`] when there is none in it, or it cannot be read.
pub fn certificate_names(file: &std::path::Path) -> Result<Vec<String>, TlsError> {
    tls::certificates(file)?.first().map_or_else(|| Ok(Vec::new()), tls::names)
}
