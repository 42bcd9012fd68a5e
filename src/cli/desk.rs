//! The calls of the command line into the rooms below: registry, issuer, trail, records.

use super::screen::Failure;
use crate::clock::Clock;
use crate::config::Config;
use crate::gateway::Gateway;
use serde::Serialize;
use serde_json::Value;
use std::sync::Arc;

/// A gateway as the command line uses it: in the serving process, or beside it on the same store.
pub(super) struct Desk {
    gateway: Arc<Gateway>,
}

/// A client to be registered.
#[derive(Debug, Clone, Serialize)]
pub(super) struct NewClient {
    /// `client_id`
    pub(super) id: String,
    /// Shown to people.
    pub(super) name: String,
    /// What it may ask for, space-separated.
    pub(super) scope: String,
    /// Inline JWKS; absent for a public client.
    pub(super) jwks: Option<Value>,
    /// Where its JWKS is.
    pub(super) jwks_uri: Option<String>,
    /// Exact redirect addresses; empty for a backend service.
    pub(super) redirect_uris: Vec<String>,
    /// The organization it acts for: `Organization/x`.
    pub(super) organization: Option<String>,
    /// Purposes of use that it may act for.
    pub(super) purposes: Vec<String>,
    /// SHA-256 of its client certificate, when it must show one.
    pub(super) certificate: Option<String>,
}

/// A registered client, as a list shows it.
#[derive(Debug, Clone, Serialize)]
pub(super) struct ListedClient {
    /// `client_id`
    pub(super) id: String,
    /// Shown to people.
    pub(super) name: String,
    /// What it may ask for.
    pub(super) scope: String,
    /// Whether it may ask at all.
    pub(super) enabled: bool,
}

/// A token to be issued.
#[derive(Debug, Clone, Default)]
pub(super) struct Wish {
    /// To which client.
    pub(super) client: String,
    /// Which scopes; all that the client has, when absent.
    pub(super) scope: Option<String>,
    /// Launch patient.
    pub(super) patient: Option<String>,
    /// `fhirUser`, such as `Practitioner/doctor`.
    pub(super) user: Option<String>,
    /// Purpose of use.
    pub(super) purpose: Option<String>,
}

/// What verifying the trail found.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Verified {
    /// Entries looked at.
    pub(super) entries: u64,
    /// The first entry that does not fit, and why.
    pub(super) broken: Option<String>,
}

fn not_wired(what: &str) -> Failure {
    Failure::Failed(format!("{what}: not wired yet"))
}

impl Desk {
    /// Opens the store of these settings.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub(super) async fn open(config: &Config) -> Result<Self, Failure> {
        let opened = Gateway::open(config, &Clock::system()).await;
        opened.map(|gateway| Self { gateway: Arc::new(gateway) }).map_err(|error| Failure::of("the gateway cannot open", error))
    }

    /// Of a gateway that serves in this process.
    pub(super) fn of(gateway: &Arc<Gateway>) -> Self {
        Self { gateway: Arc::clone(gateway) }
    }

    /// Closes what [`Desk::open`] opened.
    pub(super) async fn close(self) {
        self.gateway.shut_down().await;
    }

    /// Registers a client.
    ///
    /// # Errors
    /// When the id is taken, or the registration is not one.
    pub(super) async fn add_client(&self, client: &NewClient) -> Result<(), Failure> {
        Err(not_wired(&format!("client {}", client.id)))
    }

    /// Every client.
    pub(super) async fn clients(&self) -> Result<Vec<ListedClient>, Failure> {
        Err(not_wired("client list"))
    }

    /// Disables a client; false when there is none of this id.
    pub(super) async fn disable_client(&self, id: &str) -> Result<bool, Failure> {
        Err(not_wired(&format!("client disable {id}")))
    }

    /// Issues an access token.
    pub(super) async fn issue(&self, wish: &Wish) -> Result<String, Failure> {
        Err(not_wired(&format!("token for {}", wish.client)))
    }

    /// Verifies the whole trail.
    pub(super) async fn verify_trail(&self) -> Result<Verified, Failure> {
        Err(not_wired("audit verify"))
    }

    /// Loads the synthetic people through the gateway, one transaction after the other. The single place that does.
    pub(super) async fn load_demo(&self) -> Result<(), Failure> {
        Err(not_wired("demo records"))
    }
}
