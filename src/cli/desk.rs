//! The calls of the command line into the rooms below: registry, issuer, trail, records.

use super::screen::Failure;
use super::synthetic;
use crate::access::Scopes;
use crate::audit::{Event, Verifier};
use crate::clock::Clock;
use crate::config::Config;
use crate::disclosure::Sealed;
use crate::fhir::{Headers, Id, Key, Method, Request};
use crate::gateway::{Gateway, Inbound};
use crate::identity::Reach;
use crate::smart::{Client, ClientKeys, Grant, KeyRing, Registry, issue};
use crate::startup::{Assembly, assemble};
use crate::store::sql::SqliteStore;
use serde::Serialize;
use serde_json::Value;
use std::sync::Arc;

/// A gateway as the command line uses it: in the serving process, or beside it on the same store.
pub(super) struct Desk {
    gateway: Arc<Gateway>,
    store: Arc<SqliteStore>,
    registry: Arc<Registry>,
    keys: Arc<KeyRing>,
    issuer: String,
    /// Seconds that a token lives.
    lifetime: u32,
    clock: Clock,
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

impl Desk {
    /// Opens the store of these settings.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub(super) async fn open(config: &Config) -> Result<Self, Failure> {
        let clock = Clock::system();
        let opened = assemble(config, &clock).await;
        let assembly = opened.map_err(|error| Failure::of("the gateway cannot open", error))?;
        Ok(Self::of(&assembly, config.smart.token_lifetime_seconds))
    }

    /// Of a gateway that serves in this process.
    pub(super) fn of(assembly: &Assembly, lifetime: u32) -> Self {
        Self {
            gateway: Arc::clone(&assembly.gateway),
            store: Arc::clone(&assembly.store),
            registry: Arc::clone(&assembly.registry),
            keys: Arc::clone(&assembly.keys),
            issuer: assembly.issuer.clone(),
            lifetime,
            clock: Clock::system(),
        }
    }

    /// Closes what [`Desk::open`] opened.
    pub(super) async fn close(self) {
        self.gateway.close().await;
    }

    /// Registers a client.
    ///
    /// # Errors
    /// When the id is taken, or the registration is not one.
    pub(super) async fn add_client(&self, client: &NewClient) -> Result<(), Failure> {
        let client = registration(client).checked(Reach::Public).map_err(|fault| Failure::Usage(fault.to_string()))?;
        let id = client.id.clone();
        let added = self
            .registry
            .store()
            .add(client, self.clock.now())
            .await
            .map_err(|error| failed("the client cannot be added", &error))?;
        if !added {
            return Err(Failure::Usage(format!("a client `{id}` exists already; disable it, or choose another id")));
        }
        self.changed("client-added", &id).await
    }

    /// Every client.
    pub(super) async fn clients(&self) -> Result<Vec<ListedClient>, Failure> {
        let clients = self.registry.store().list().await.map_err(|error| failed("the clients cannot be read", &error))?;
        Ok(clients
            .into_iter()
            .map(|client| ListedClient { id: client.id, name: client.name, scope: client.scopes, enabled: !client.disabled })
            .collect())
    }

    /// Disables a client; false when there is none of this id.
    pub(super) async fn disable_client(&self, id: &str) -> Result<bool, Failure> {
        let found =
            self.registry.set_disabled(id, true).await.map_err(|error| failed("the client cannot be disabled", &error))?;
        if found {
            self.changed("client-disabled", id).await?;
        }
        Ok(found)
    }

    /// Notes a change of the registry and lets this process know of it.
    async fn changed(&self, word: &'static str, client: &str) -> Result<(), Failure> {
        self.gateway.note_about(Event::Registry(word), client).await;
        self.registry.refresh().await.map_err(|error| failed("the clients cannot be read", &error))
    }

    /// Issues an access token.
    pub(super) async fn issue(&self, wish: &Wish) -> Result<String, Failure> {
        let found = self.registry.client(&wish.client).await.map_err(|error| failed("the clients cannot be read", &error))?;
        let client = found.filter(|client| !client.disabled).ok_or_else(|| {
            Failure::Usage(format!(
                "there is no client `{}` that may have a token; `amanat client list` shows those that do",
                wish.client
            ))
        })?;
        let allowed = Scopes::parse(&client.scopes);
        let granted = wish.scope.as_deref().map_or_else(|| allowed.clone(), |asked| Scopes::parse(asked).intersect(&allowed));
        if granted.is_empty() {
            return Err(Failure::Usage(format!(
                "nothing of `{}` is within what `{}` may have: {}",
                wish.scope.as_deref().unwrap_or(""),
                client.id,
                client.scopes
            )));
        }
        let grant = Grant {
            issuer: self.issuer.clone(),
            audience: self.issuer.clone(),
            client: client.id.clone(),
            subject: wish.user.clone(),
            scope: granted.to_text(),
            lifetime: self.lifetime,
            user: wish
                .user
                .as_deref()
                .map(|user| {
                    Key::parse(user)
                        .ok_or_else(|| Failure::Usage(format!("`{user}` is no reference such as Practitioner/doctor")))
                })
                .transpose()?,
            patient: wish
                .patient
                .as_deref()
                .map(|id| Id::parse(id).ok_or_else(|| Failure::Usage(format!("`{id}` is no logical id"))))
                .transpose()?,
            encounter: None,
            organization: client.organization.clone(),
            purposes: wish.purpose.clone().map_or_else(|| client.purposes.clone(), |one| vec![one]),
            certificate: client.certificate.clone(),
        };
        let issued = issue(&self.keys.signing(), &grant, self.clock.now())
            .map_err(|error| Failure::of("the token cannot be signed", error))?;
        Ok(issued.token)
    }

    /// Verifies the whole trail.
    pub(super) async fn verify_trail(&self) -> Result<Verified, Failure> {
        let mut verifier = Verifier::new();
        let (mut entries, mut from) = (0, 1);
        loop {
            let rows = self
                .store
                .trail_entries(from, VERIFIED_AT_ONCE)
                .await
                .map_err(|error| failed("the trail cannot be read", &error))?;
            let Some(last) = rows.last() else { return Ok(Verified { entries, broken: None }) };
            from = last.seq + 1;
            for row in rows {
                entries += 1;
                if let Err(finding) = verifier.check(row.seq, &row.leaf, &row.hash) {
                    return Ok(Verified { entries, broken: Some(finding.to_string()) });
                }
            }
        }
    }

    /// Loads the synthetic people through the gateway, one transaction after the other. The single place that does.
    pub(super) async fn load_demo(&self) -> Result<(), Failure> {
        let loader = Client::backend(LOADER, "Loads the synthetic people", ClientKeys::None, "system/*.cruds");
        let loader = Client { purposes: vec!["TREAT".to_owned()], ..loader };
        self.registry
            .store()
            .add(loader, self.clock.now())
            .await
            .map_err(|error| failed("the loader cannot be registered", &error))?;
        self.changed("client-added", LOADER).await?;
        let token = self.issue(&Wish { client: LOADER.to_owned(), ..Wish::default() }).await?;
        for bundle in synthetic::bundles() {
            self.transact(&token, bundle).await?;
        }
        self.disable_client(LOADER).await.map(|_| ())
    }

    async fn transact(&self, token: &str, bundle: String) -> Result<(), Failure> {
        let request =
            Request { method: Method::Post, path: String::new(), query: String::new(), form: None, headers: Headers::default() };
        let inbound = Inbound {
            request,
            body: Sealed::from_wire(bundle.into_bytes()),
            request_id: uuid::Uuid::now_v7().to_string(),
            address: String::new(),
            authorization: vec![format!("Bearer {token}")],
            certificate: None,
        };
        match self.gateway.answer(inbound).await {
            Ok(_) => Ok(()),
            Err(refused) => Err(Failure::Failed(format!(
                "the synthetic people were refused: {}",
                String::from_utf8_lossy(&refused.into_body())
            ))),
        }
    }
}

/// The client that fills a demo, and is disabled afterwards.
const LOADER: &str = "demo-loader";

/// Entries read at a time.
const VERIFIED_AT_ONCE: u32 = 5_000;

fn failed(what: &str, error: &dyn std::fmt::Display) -> Failure {
    Failure::Failed(format!("{what}: {error}"))
}

fn registration(new: &NewClient) -> Client {
    let keys = match (&new.jwks, &new.jwks_uri) {
        (Some(set), _) => ClientKeys::Jwks(set.clone()),
        (None, Some(url)) => ClientKeys::JwksUri(url.clone()),
        (None, None) => ClientKeys::None,
    };
    let client = if matches!(keys, ClientKeys::None) {
        Client::app(&new.id, &new.name, new.redirect_uris.clone(), &new.scope)
    } else {
        Client::backend(&new.id, &new.name, keys, &new.scope)
    };
    Client {
        organization: new.organization.clone(),
        purposes: new.purposes.clone(),
        certificate: new.certificate.clone(),
        ..client
    }
}
