//! The gateway put together from its settings, for the server and for the command line alike.

use crate::audit::{Site, Trail, TrailSource};
use crate::clock::Clock;
use crate::config::{self, Config, JwksSource};
use crate::fhir::Refusal;
use crate::gateway::{
    ConsentOffice, Emergency, EmergencyRules, Gateway, LabRules, Laboratory, Limits, LinkKey, Parts, Rate, Restrictions,
};
use crate::identity::{Algorithm, Authenticator, IssuerSettings, Issuers, IssuersFault, KeysAt, Nonces, PublishedKeys, Reach};
use crate::smart::{
    AssertionRules, ClientStore, ClientStoreError, Kept, KeyRing, KeyRingFault, People, Registry, State, StateStore,
    TokenEndpoint, brand_bundle,
};
use crate::store::emergency::EmergencyStore;
use crate::store::lab::LabStore;
use crate::store::space::{Space, SpaceBounds};
use crate::store::sql::{PostgresOptions, SqlStore, SqliteOptions};
use crate::store::upstream::{Ledger, UpstreamStore};
use crate::store::watch::WatchStore;
use crate::store::{RecordStore, StoreError};
use arc_swap::ArcSwap;
use std::sync::Arc;
use std::time::Duration;

/// Why the gateway cannot open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The registry of clients.
    #[error("the client registry cannot be read: {0:?}")]
    Clients(ClientStoreError),
    /// The gateway's own keys.
    #[error("the signing keys cannot be used: {0}")]
    Keys(#[from] KeyRingFault),
    /// A configured issuer.
    #[error(transparent)]
    Issuers(#[from] IssuersFault),
    /// A setting that no check before could judge.
    #[error("{0}")]
    Setting(String),
    /// What follows the trail.
    #[error("the trail cannot be followed: {0}")]
    Watch(crate::watch::KeeperError),
    /// Nobody searches while records are loaded.
    #[error("records are being loaded into its store by `amanat import`; it can serve when that has ended")]
    BeingLoaded,
    /// What is stored cannot be taken up.
    #[error("the consents cannot be read: {}", .0.told().code)]
    Consents(Refusal),
}

/// The gateway, and those of its parts that the command line uses too.
pub struct Assembly {
    /// The gateway.
    pub gateway: Arc<Gateway>,
    /// The store.
    pub store: Arc<SqlStore>,
    /// The FHIR server behind, where there is one.
    pub upstream: Option<Arc<UpstreamStore>>,
    /// The clients.
    pub registry: Arc<Registry>,
    /// The gateway's own keys.
    pub keys: Arc<KeyRing>,
    /// The people who sign in here.
    pub people: People,
    /// The name of the gateway as an issuer, which is also the audience of its tokens: the FHIR base.
    pub issuer: String,
}

/// Opens everything that these settings name.
///
/// # Errors
/// [`OpenError`]
pub async fn assemble(config: &Config, clock: &Clock) -> Result<Assembly, OpenError> {
    assemble_over(config, clock, &|store| store).await
}

/// The same, with something between the gateway and its store.
///
/// # Errors
/// [`OpenError`]
pub async fn assemble_over(
    config: &Config,
    clock: &Clock,
    over: &dyn Fn(Arc<dyn RecordStore>) -> Arc<dyn RecordStore>,
) -> Result<Assembly, OpenError> {
    // In a box of its own: it carries every part at once.
    Box::pin(put_together(config, clock, over)).await
}

async fn put_together(
    config: &Config,
    clock: &Clock,
    over: &dyn Fn(Arc<dyn RecordStore>) -> Arc<dyn RecordStore>,
) -> Result<Assembly, OpenError> {
    let store = Arc::new(store(config, clock)?);
    let kept = Arc::new(Kept::new(Arc::clone(&store)));
    let people = People::new(State::new(Arc::clone(&kept) as Arc<dyn StateStore>), super::sign_in::refused(config)?);
    let people = people.sealing(super::sign_in::seal(config, kept_key(&store, "seal-key").await?)?);
    let clients: Arc<dyn ClientStore> = kept;
    let issuer = config.server.base_url.as_str().to_owned();
    let keys = Arc::new(KeyRing::open(clients.as_ref(), clock.now()).await?);
    let communities = Arc::new(super::sign_in::communities(config)?);
    let reach = super::sign_in::key_reach(config);
    let registry = Registry::new(clients, &issuer, reach).trusting(config.smart.client_keys_authorities.clone());
    let registry = Arc::new(registry.with_communities(communities));
    registry.refresh().await.map_err(OpenError::Clients)?;
    let nonces = Nonces::new(&kept_key(&store, "proof-key").await?, config.smart.proof_nonce);
    let authenticator = Authenticator::new(issuers(config, &issuer, keys.published())?, Arc::clone(&registry) as _);
    let authenticator = authenticator.with_nonces(nonces.clone());
    registry.revocations().load(people.state(), clock.now()).await.map_err(OpenError::Clients)?;
    let parts = parts(config, clock, &store, (&registry, &keys, &people), (authenticator, nonces)).await?;
    let ledger = Ledger {
        records: Arc::clone(&parts.store),
        trail: Arc::clone(&parts.trail),
        labels: Arc::clone(&store) as _,
        turns: Arc::clone(&store) as _,
        shared: parts.shared.is_some(),
        secret: kept_key(&store, "turn-key").await?,
    };
    let (records, upstream) = super::records::records(config, clock, &keys, ledger).await?;
    let parts = Parts { store: over(records), ..parts };
    let gateway = Arc::new(Gateway::open(parts).await.map_err(OpenError::Consents)?);
    Ok(Assembly { gateway, store, upstream, registry, keys, people, issuer })
}

/// The store that the settings name: a file, or a database on a server.
fn store(config: &Config, clock: &Clock) -> Result<SqlStore, OpenError> {
    let (settings, node) = (&config.store, config.audit.node.clone());
    if let Some(path) = settings.sqlite_path() {
        let options = SqliteOptions { node, ..SqliteOptions::default() };
        return Ok(SqlStore::open(&path, clock.clone(), &options)?);
    }
    let options = PostgresOptions {
        url: settings.url.clone(),
        password: settings.password.clone(),
        replicas: settings.replicas.clone(),
        connections: settings.connections,
        statement_timeout: Duration::from_secs(settings.statement_seconds),
        node,
    };
    Ok(SqlStore::connect(&options, clock.clone())?)
}

async fn parts(
    config: &Config,
    clock: &Clock,
    store: &Arc<SqlStore>,
    (registry, keys, people): (&Arc<Registry>, &Arc<KeyRing>, &People),
    (authenticator, nonces): (Authenticator, Nonces),
) -> Result<Parts, OpenError> {
    let base = config.server.base_url.as_str().to_owned();
    let origin = config.server.base_url.origin();
    let registrar = super::sign_in::registrar(config, registry, origin);
    let endpoints = super::sign_in::endpoints(config, &registrar);
    let brands = config.smart.sign_in.then(|| brand_bundle(origin, &base, &config.smart.brand, clock.now()).to_string());
    let rules = AssertionRules {
        token_url: endpoints.token.clone(),
        issuer: base.clone(),
        algorithms: vec![Algorithm::RS384, Algorithm::ES384],
        leeway: config.smart.leeway_seconds,
    };
    let tokens = TokenEndpoint {
        registry: Arc::clone(registry),
        keys: Arc::clone(keys),
        rules,
        issuer: base.clone(),
        audience: base.clone(),
        state: people.state().clone(),
        refresh_key: kept_key(store, "refresh-key").await?,
        nonces,
        people: config.smart.sign_in,
    };
    let site = Site::new(&config.audit.node, &base, &config.audit.node, None);
    Ok(Parts {
        store: Arc::clone(store) as Arc<dyn RecordStore>,
        shared: store.shared(),
        #[cfg(not(feature = "bench"))]
        trail: Arc::clone(store) as Arc<dyn Trail>,
        #[cfg(feature = "bench")]
        trail: crate::layers::trail(Arc::clone(store) as Arc<dyn Trail>),
        ledger: Arc::clone(store) as Arc<dyn TrailSource>,
        authenticator,
        consent: ConsentOffice::new(crate::consent::Site::new(&config.consent, &base)),
        labelling: config.labelling.clone(),
        emergency: Emergency::new(emergency_rules(config), Arc::clone(store) as Arc<dyn EmergencyStore>),
        restrictions: Restrictions::new(Arc::clone(store) as Arc<dyn WatchStore>),
        space: space(&config.store.space),
        purpose_required: config.purpose_required,
        app_states: Arc::clone(store) as _,
        seal: super::sign_in::seal(config, kept_key(store, "seal-key").await?)?,
        lab: laboratory(store, config).await?,
        link_key: link_key(store).await?,
        clock: clock.clone(),
        limits: limits(&config.limits),
        tokens,
        people: people.clone(),
        brands: brands.unwrap_or_default(),
        brand: config.smart.brand.clone(),
        registrar,
        federation: super::sign_in::federation(config, origin),
        remember_days: config.smart.remember_consent_days,
        step_up: super::sign_in::step_up(config),
        endpoints,
        form_key: kept_key(store, "form-key").await?,
        site: site.ok_or_else(|| OpenError::Setting("audit.node must be 1 to 20 letters, digits, dots or hyphens".to_owned()))?,
        base,
    })
}

/// The disk that fills.
pub(super) fn space(settings: &config::Space) -> Space {
    let bounds = SpaceBounds {
        bulk_percent: settings.bulk_percent,
        writes_percent: settings.writes_percent,
        free_bytes: settings.free_bytes,
    };
    Space::new(&settings.folder, bounds)
}

/// Whom the gateway believes: itself, and the configured issuers.
fn issuers(config: &Config, own: &str, published: Arc<PublishedKeys>) -> Result<Issuers, OpenError> {
    let base = config.server.base_url.as_str();
    let mut issuers = Issuers::new().with_own(own, vec![base.to_owned()], published)?;
    for issuer in &config.issuers {
        issuers = issuers.with(settings_of(issuer, config)?)?;
    }
    Ok(issuers)
}

fn settings_of(issuer: &config::Issuer, config: &Config) -> Result<IssuerSettings, OpenError> {
    let keys = match &issuer.jwks {
        JwksSource::File(file) => KeysAt::File(file.clone()),
        JwksSource::Uri(url) => KeysAt::Address { url: url.clone(), reach: Reach::Inside, authorities: None },
    };
    let unknown = |name: &str| OpenError::Setting(format!("issuer `{}`: the algorithm `{name}` is not known", issuer.issuer));
    let mut settings = IssuerSettings::new(&issuer.issuer, issuer.audience.clone(), keys);
    settings.algorithms =
        issuer.algorithms.iter().map(|name| Algorithm::parse(name).ok_or_else(|| unknown(name))).collect::<Result<_, _>>()?;
    settings.leeway = config.smart.leeway_seconds;
    settings.default_purposes.clone_from(&issuer.default_purposes);
    settings.update_as_create = issuer.update_as_create;
    settings.user_bases = vec![config.server.base_url.as_str().to_owned()];
    Ok(settings)
}

/// The key of page links.
async fn link_key(store: &SqlStore) -> Result<LinkKey, OpenError> {
    let kept = kept_key(store, "link-key").await?;
    LinkKey::new(&kept).ok_or_else(|| OpenError::Setting("the stored key of page links is damaged".to_owned()))
}

/// A key of 256 bits: made once, then the same for every node of the store.
async fn kept_key(store: &SqlStore, name: &'static str) -> Result<Vec<u8>, OpenError> {
    let mut fresh = vec![0; 32];
    aws_lc_rs::rand::fill(&mut fresh).map_err(|_| OpenError::Setting("the system has no random numbers".to_owned()))?;
    Ok(store.setting_or(name, fresh).await?)
}

/// Result intake; the secret of its ids is made once, then the same for every node of the store.
async fn laboratory(store: &Arc<SqlStore>, config: &Config) -> Result<Laboratory, OpenError> {
    let mut fresh = vec![0; 32];
    aws_lc_rs::rand::fill(&mut fresh).map_err(|_| OpenError::Setting("the system has no random numbers".to_owned()))?;
    let secret = store.setting_or("lab-key", fresh).await?;
    let lab = &config.lab;
    let feed = |feed: &config::LabFeed| {
        let thumbprint = super::fingerprint(&feed.certificate);
        thumbprint
            .map(|thumbprint| (thumbprint, feed.client.clone()))
            .map_err(|error| OpenError::Setting(format!("lab.feeds: {error}")))
    };
    let rules = LabRules {
        tables: Arc::new(ArcSwap::new(Arc::clone(&lab.tables))),
        zone: lab.time_zone.clone(),
        charset: lab.charset,
        threshold: lab.match_threshold,
        message_bytes: lab.message_bytes,
        known_senders_only: lab.known_senders_only,
        processing: lab.processing.clone(),
        feeds: lab.feeds.iter().map(feed).collect::<Result<_, _>>()?,
        plain_client: lab.mllp_client.clone(),
    };
    Ok(Laboratory::new(Arc::clone(store) as Arc<dyn LabStore>, rules, secret))
}

fn emergency_rules(config: &Config) -> EmergencyRules {
    let (glass, emergency) = (&config.consent.break_glass, &config.emergency);
    EmergencyRules {
        enabled: glass.enabled,
        roles: emergency.roles.clone(),
        acr: emergency.acr.clone(),
        reasons: emergency.reasons.clone(),
        minutes: glass.minutes,
        max_minutes: glass.max_minutes,
    }
}

fn limits(limits: &config::Limits) -> Limits {
    Limits {
        page_default: limits.page_default,
        page_max: limits.page_max,
        page_included: limits.included_max,
        page_bytes: limits.page_bytes,
        bundle_entries: limits.bundle_entries,
        clients: Rate { per_second: limits.requests_per_second, burst: limits.requests_burst },
        strangers: Rate { per_second: limits.strangers_per_second, burst: limits.strangers_burst },
    }
}
