//! `amanat serve`

use super::places::{DEMO_MARK, SETTINGS};
use super::screen::{Failure, wait};
use crate::clock::Clock;
use crate::config::{Config, Exposure, Sources};
use crate::startup::{Running, start};
use std::path::PathBuf;
use tokio::signal::unix::{SignalKind, signal};

/// The arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: amanat serve --config /etc/amanat/amanat.toml")]
pub(super) struct Serve {
    /// The file of settings.
    #[arg(long, value_name = "FILE", env = "AMANAT_CONFIG", default_value = SETTINGS)]
    config: PathBuf,
    /// Instead of server.listen.
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<String>,
    /// Instead of `server.base_url`.
    #[arg(long, value_name = "URL")]
    base_url: Option<String>,
    /// Instead of `server.management_listen`.
    #[arg(long, value_name = "ADDRESS:PORT")]
    management_listen: Option<String>,
    /// Instead of store.url.
    #[arg(long, value_name = "URL")]
    store: Option<String>,
}

impl Serve {
    /// Serves until told to stop.
    pub(super) fn run(self) -> Result<(), Failure> {
        let mut sources = Sources::file_and_environment(&self.config);
        let flags = [
            ("server.listen", "--listen", self.listen),
            ("server.base_url", "--base-url", self.base_url),
            ("server.management_listen", "--management-listen", self.management_listen),
            ("store.url", "--store", self.store),
        ];
        sources.flags.extend(flags.into_iter().filter_map(|(key, flag, value)| Some((key, flag, value?))));
        let config = Config::load(sources)?;
        refuse_demo(&config)?;
        wait(async { until_stopped(start(config, Clock::system()).await?, HangUp::Reloads).await })
    }
}

/// Published credentials must not stand in front of real people, nor synthetic people among them.
fn refuse_demo(config: &Config) -> Result<(), Failure> {
    let beside_demo = config.store.sqlite_path().and_then(|path| Some(path.parent()?.join(DEMO_MARK).exists())).unwrap_or(false);
    if config.server.exposure == Exposure::Demo || beside_demo {
        return Err(Failure::Usage(
            "these are demo data with published credentials: use `amanat demo`, or another folder made by `amanat init`"
                .to_owned(),
        ));
    }
    Ok(())
}

/// What SIGHUP means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HangUp {
    /// Certificates are read again, as the operator of a daemon expects.
    Reloads,
    /// The terminal was closed: nothing must go on unseen.
    Stops,
}

/// Waits for SIGTERM or SIGINT, then stops.
pub(super) async fn until_stopped(running: Running, on_hang_up: HangUp) -> Result<(), Failure> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            _ = hang_up.recv() => match on_hang_up {
                HangUp::Reloads => running.reload(),
                HangUp::Stops => break,
            },
        }
    }
    tracing::info!("stopping: requests in flight have 30 seconds to end");
    running.stop().await;
    Ok(())
}
