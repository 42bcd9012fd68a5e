//! The gateway in this process: the one place where tests start it.

use super::BASE;
use amanat::clock::Clock;
use amanat::config::{Config, Sources};
use amanat::gateway::Browser;
use amanat::smart::{Account, Client, Context};
use amanat::startup::{Assembly, Running, start};
use std::future::Future;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread::JoinHandle;
use tokio::sync::oneshot;

/// Starts a gateway in this folder, on free ports of loopback. `settings` follow those of `[server]`.
pub(crate) async fn begin(folder: &Path, settings: &str, clock: Clock) -> Running {
    let file = folder.join("amanat.toml");
    // Tests knock at every door with bad keys, which is just what the alert rules are for. Those of the rules switch them on.
    let quiet = if settings.contains("[alarms") { "" } else { "[alarms]\nenabled = false" };
    let settings = super::postgres::settings(folder, settings);
    // Unless the settings begin with another one.
    let base = if settings.trim_start().starts_with("base_url") { String::new() } else { format!("base_url = \"{BASE}\"") };
    let text = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\nmanagement_listen = \"127.0.0.1:0\"\nworkers = 1\n{base}\n{settings}\n{quiet}\n"
    );
    std::fs::write(&file, text).unwrap();
    start(Config::load(Sources { file: Some(file), ..Sources::default() }).unwrap(), clock).await.unwrap()
}

/// A gateway on a thread of its own, until it is dropped.
pub(crate) struct Served {
    pub(crate) address: SocketAddr,
    pub(crate) management: SocketAddr,
    pub(crate) mllp: Option<SocketAddr>,
    assembly: Arc<Assembly>,
    clock: Clock,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Served {
    pub(crate) fn new(folder: &Path, settings: String, clock: &Clock) -> Self {
        let (folder, hands) = (folder.to_owned(), clock.clone());
        let (stop, stopped) = oneshot::channel();
        let (ready, readied) = channel();
        let thread = std::thread::spawn(move || {
            wait_for(async {
                let running = begin(&folder, &settings, hands).await;
                ready.send((running.https, running.management, running.mllp, Arc::clone(&running.assembly))).unwrap();
                drop(stopped.await);
                running.stop().await;
            });
        });
        let (address, management, mllp, assembly) = readied.recv().unwrap();
        Self { address, management, mllp, assembly, clock: clock.clone(), stop: Some(stop), thread: Some(thread) }
    }

    /// Registers a client; the gateway takes it over within a second, or by [`Served::look_at_registry`].
    pub(crate) fn register(&self, client: Client) {
        assert!(wait_for(self.assembly.registry.store().add(client, self.clock.now())).unwrap());
    }

    /// Changes a registered client, as an operator does.
    pub(crate) fn change_client(&self, id: &str, change: impl FnOnce(Client) -> Client) {
        let store = self.assembly.registry.store();
        let client = wait_for(store.find(id)).unwrap().unwrap();
        assert!(wait_for(store.replace(change(client), self.clock.now())).unwrap());
    }

    /// Rotates the signing keys.
    pub(crate) fn rotate_keys(&self, lost: bool) -> Vec<String> {
        wait_for(self.assembly.keys.rotate(self.assembly.registry.store(), lost, self.clock.now())).unwrap()
    }

    /// Takes the registered clients over, as the gateway does each second.
    pub(crate) fn look_at_registry(&self) {
        wait_for(self.assembly.registry.refresh()).unwrap();
    }

    /// The gateway itself, for what has no route.
    pub(crate) fn wait<T, W: Future<Output = T>>(&self, work: impl FnOnce(Arc<amanat::gateway::Gateway>) -> W) -> T {
        wait_for(work(Arc::clone(&self.assembly.gateway)))
    }

    /// The secret of a link by which somebody chooses a password.
    pub(crate) fn invite(&self, username: &str) -> String {
        wait_for(self.assembly.people.invite(username, self.clock.now())).unwrap()
    }

    /// Adds somebody who signs in.
    pub(crate) fn add_account(&self, account: &Account) {
        wait_for(self.assembly.people.add(account, self.clock.now())).unwrap();
    }

    /// Locks somebody out, as the command line does.
    pub(crate) fn lock_account(&self, username: &str) {
        assert!(wait_for(self.assembly.people.set_disabled(username, true, self.clock.now())).unwrap());
    }

    /// What an EHR does at which somebody is signed in with this cookie.
    pub(crate) fn launch(&self, client: &str, context: Context, session: &str) -> Result<String, String> {
        let browser = Browser { session: Some(session.to_owned()), ..Browser::default() };
        wait_for(self.assembly.gateway.make_launch(client, context, &browser))
    }

    /// Locks a client out.
    pub(crate) fn disable(&self, client: &str) {
        assert!(wait_for(self.assembly.registry.set_disabled(client, true)).unwrap());
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.stop.take().map(|stop| stop.send(()));
        drop(self.thread.take().map(JoinHandle::join));
    }
}

fn wait_for<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}
