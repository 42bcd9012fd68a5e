//! The calls of the command line into the rooms below: registry, issuer, trail, records.

use super::screen::Failure;
use crate::access::Scopes;
use crate::clock::Clock;
use crate::config::Config;
use crate::fhir::{Id, Key};
use crate::gateway::Gateway;
use crate::identity::{Reach, normalised_purpose};
use crate::smart::{Client, ClientStore, Grant, KeyRing, issue};
use serde::Serialize;
use std::fmt::Display;
use std::sync::Arc;

/// A gateway as the command line uses it: in the serving process, or beside it on the same store.
pub(super) struct Desk {
    gateway: Arc<Gateway>,
    /// Issuer and audience of its own tokens: the FHIR base.
    base: String,
    lifetime: u32,
    clock: Clock,
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
        let gateway = opened.map_err(|error| Failure::of("the gateway cannot open", error))?;
        Ok(Self::of(&Arc::new(gateway), config))
    }

    /// Of a gateway that serves in this process.
    pub(super) fn of(gateway: &Arc<Gateway>, config: &Config) -> Self {
        let base = config.server.base_url.as_str().to_owned();
        let lifetime = config.smart.token_lifetime_seconds;
        Self { gateway: Arc::clone(gateway), base, lifetime, clock: Clock::system() }
    }

    /// Closes what [`Desk::open`] opened.
    pub(super) async fn close(self) {
        self.gateway.shut_down().await;
    }

    /// Registers a client.
    ///
    /// # Errors
    /// When the id is taken, or the registration is not one.
    pub(super) async fn add_client(&self, client: Client) -> Result<(), Failure> {
        let client = client.checked(Reach::Public).map_err(|fault| Failure::Usage(fault.to_string()))?;
        let id = client.id.clone();
        if self.clients()?.add(client, self.clock.now()).await.map_err(failed)? {
            return Ok(());
        }
        Err(Failure::Failed(format!("there is a client `{id}` already")))
    }

    /// Every client, by id.
    pub(super) async fn list_clients(&self) -> Result<Vec<Client>, Failure> {
        self.clients()?.list().await.map_err(failed)
    }

    /// Disables a client; false when there is none of this id.
    pub(super) async fn disable_client(&self, id: &str) -> Result<bool, Failure> {
        self.clients()?.set_disabled(id, true).await.map_err(failed)
    }

    /// Issues an access token of the gateway's own issuer. Nothing is granted beyond the client's registration.
    pub(super) async fn issue(&self, wish: &Wish) -> Result<String, Failure> {
        let (store, now) = (self.clients()?, self.clock.now());
        let found = store.find(&wish.client).await.map_err(failed)?;
        let client = found.filter(|client| !client.disabled);
        let client =
            client.ok_or_else(|| Failure::Failed(format!("there is no client `{}` that may get tokens", wish.client)))?;
        let ring = KeyRing::open(store.as_ref(), now).await.map_err(failed)?;
        let issued = issue(&ring.signing(), &self.grant(wish, client)?, now).map_err(failed)?;
        Ok(issued.token)
    }

    fn grant(&self, wish: &Wish, client: Client) -> Result<Grant, Failure> {
        let wrong = |flag: &str, text: &str| Failure::Usage(format!("{flag}: `{text}` is not one"));
        let user = wish.user.as_deref().map(|user| Key::parse(user).ok_or_else(|| wrong("--user", user))).transpose()?;
        let patient = wish.patient.as_deref().map(|id| Id::parse(id).ok_or_else(|| wrong("--patient", id))).transpose()?;
        let purposes = match wish.purpose.as_deref() {
            Some(purpose) => vec![normalised_purpose(purpose).ok_or_else(|| wrong("--purpose", purpose))?],
            None => client.purposes,
        };
        let allowed = Scopes::parse(&client.scopes);
        let scopes = wish.scope.as_deref().map_or_else(|| allowed.clone(), |asked| Scopes::parse(asked).intersect(&allowed));
        if scopes.grants.is_empty() {
            return Err(Failure::Usage(format!("none of these scopes is registered for `{}`: {}", client.id, client.scopes)));
        }
        Ok(Grant {
            issuer: self.base.clone(),
            audience: self.base.clone(),
            client: client.id,
            subject: wish.user.clone(),
            scope: scopes.to_text(),
            lifetime: self.lifetime,
            user,
            patient,
            encounter: None,
            organization: client.organization,
            purposes,
            certificate: client.certificate,
        })
    }

    /// Where the clients are kept.
    fn clients(&self) -> Result<Arc<dyn ClientStore>, Failure> {
        Err(not_wired("the client store of the gateway"))
    }

    /// Verifies the whole trail.
    pub(super) async fn verify_trail(&self) -> Result<Verified, Failure> {
        Err(not_wired("audit verify"))
    }

    /// Loads the synthetic people through the gateway, one transaction after the other. The single place that does.
    pub(super) async fn load_demo(&self, bundles: Vec<String>) -> Result<(), Failure> {
        Err(not_wired(&format!("loading {} bundles", bundles.len())))
    }
}

fn failed(error: impl Display) -> Failure {
    Failure::Failed(error.to_string())
}
