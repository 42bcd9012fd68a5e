//! The corridor: the stages in their order, each transition one function.
//!
//! `Inbound -> Interaction -> Caller -> Permit -> rows -> Answer`. [`Gateway::answer`] is the whole path of a request; what an
//! interaction does between permit and answer is its own file.

mod accounting;
mod acquaintance;
mod app_state;
mod asking;
mod batch;
mod break_glass;
mod capabilities;
mod condition;
mod consent;
mod create;
mod custom;
mod delete;
mod directive;
mod earlier;
mod emergency;
mod enrol;
mod explain;
mod explain_words;
mod fresh;
mod freshness;
mod history;
mod inbound;
mod lab;
mod last_n;
mod limits;
mod match_patient;
mod notices;
mod operate;
mod page;
mod patch;
mod purpose;
mod rate;
mod read;
mod references;
mod relabel;
mod restrictions;
mod search;
mod shadow;
mod sign_on;
mod space;
mod step_up;
mod token;
mod trail_view;
mod transaction;
mod turned_away;
mod update;
mod write;

pub use consent::ConsentOffice;
pub use emergency::{Emergency, EmergencyRules};
pub use explain::{Explained, Somebody};
pub use inbound::Inbound;
pub use lab::{Finding, LabRules, Laboratory, Queued, is_overdue};
pub use limits::Limits;
pub use page::LinkKey;
pub use rate::Rate;
pub use restrictions::Restrictions;
pub use shadow::{Draft, Shift};
pub use sign_on::{
    AppView, Browser, ConnectedApp, ConsentPage, CornerApp, CornerLaunch, CornerPage, DevelopersPage, HomePage, PasskeyPage,
    PasskeyUsed, PatientRow, PatientsPage, PhonePage, SessionRow, SetUpPage, SignInPage, Step, Turn, WrongPage,
};
pub use step_up::StepUp;
pub use token::{Endpoint, TokenReply, TokenRequest};
pub use turned_away::TurnedAway;

use crate::access::{Caller, Look, Permit, authorize};
use crate::audit::{Site, Trail};
use crate::clock::Clock;
use crate::consent::Labelling;
use crate::disclosure::{Answer, Marking, Pending, Redaction, Row, Sealed, Visit, refuse, release, throttle};
use crate::fhir::{Id, Interaction, Key, Need, Refusal, Rendering, RouteOptions, interaction, rendering};
use crate::identity::Authenticator;
use crate::smart::{Endpoints, Federation, People, Registrar, Seal, TokenEndpoint};
use crate::store::app_state::AppStateStore;
use crate::store::shared::Shared;
use crate::store::space::Space;
use crate::store::{PageBounds, RecordStore};
use rate::{Denied, Rates};
use std::collections::BTreeSet;
use std::sync::{Arc, RwLock};

/// Registrations of clients from one address: a person tries things out, and a program does not fill the store.
const REGISTRATIONS: Rate = Rate { per_second: 1, burst: 30 };

/// What the gateway is built of.
pub struct Parts {
    /// FHIR base without trailing slash: every link begins with it.
    pub base: String,
    /// Where records live.
    pub store: Arc<dyn RecordStore>,
    /// What other nodes do to the same store; `None` when there are none.
    pub shared: Option<Arc<dyn Shared>>,
    /// Where entries go.
    pub trail: Arc<dyn Trail>,
    /// Entries read back, to be shown as AuditEvent.
    pub ledger: Arc<dyn crate::audit::TrailSource>,
    /// Who asks.
    pub authenticator: Authenticator,
    /// What patients allow.
    pub consent: ConsentOffice,
    /// What records are marked by.
    pub labelling: Labelling,
    /// Who has emergency access.
    pub emergency: Emergency,
    /// Whom the gateway does not serve now.
    pub restrictions: Restrictions,
    /// Room on the disk.
    pub space: Space,
    /// A token without any purpose of use is refused.
    pub purpose_required: bool,
    /// Seals page links.
    pub link_key: LinkKey,
    /// The time.
    pub clock: Clock,
    /// Bounds.
    pub limits: Limits,
    /// Who gets a token.
    pub tokens: TokenEndpoint,
    /// The people who sign in here.
    pub people: People,
    /// The URLs of the authorization server.
    pub endpoints: Endpoints,
    /// The OpenID providers at which people sign in.
    pub federation: Federation,
    /// Days for which a person may choose not to be asked again by the same app; 0: never.
    pub remember_days: u32,
    /// What needs a fresh and strong sign-in.
    pub step_up: StepUp,
    /// Clients that register themselves.
    pub registrar: Registrar,
    /// The name by which patients know whose records these are.
    pub brand: String,
    /// The brand bundle; empty where nobody signs in.
    pub brands: String,
    /// Proves that a form was shown by this gateway.
    pub form_key: Vec<u8>,
    /// What apps keep here for themselves.
    pub app_states: Arc<dyn AppStateStore>,
    /// Under what that is sealed.
    pub seal: Seal,
    /// Result intake.
    pub lab: Laboratory,
    /// What AuditEvents say of this gateway.
    pub site: Site,
}

/// The gateway: one decision on every path, and nothing leaves unaudited.
pub struct Gateway {
    parts: Parts,
    fresh: fresh::Freshness,
    capabilities: RwLock<String>,
    /// Up to which entry the trail is readable as AuditEvent.
    shown: tokio::sync::Mutex<i64>,
    turned_away: turned_away::Allowance,
    rates: Rates,
    registrations: rate::Gate,
    purposes: purpose::Purposes,
    known: custom::Known,
    freshness: freshness::Freshness,
}

/// One request on its way: what every stage may need of it.
struct Errand {
    visit: Visit,
    rendering: Rendering,
    body: Sealed,
    /// The certificate that the client connected with: SHA-256, base64url.
    peer: Option<String>,
    /// On the disk.
    room: space::Found,
}

impl Gateway {
    /// Puts the parts together and reads the consents.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn open(parts: Parts) -> Result<Self, Refusal> {
        let served = parts.store.served();
        let statement = capabilities::statement(
            &parts.base,
            parts.endpoints.legacy(),
            parts.clock.now(),
            &crate::fhir::search::STANDARD,
            served.as_ref(),
        );
        let capabilities = RwLock::new(statement);
        let fresh = fresh::Freshness::begin(parts.shared.clone()).await?;
        let shown = tokio::sync::Mutex::new(parts.ledger.shown().await.map_err(|_| Refusal::TrailUnavailable)?);
        let registrations = rate::Gate::always(REGISTRATIONS);
        let rates = Rates::new(parts.limits.clients, parts.limits.strangers);
        let (turned_away, purposes) = (turned_away::Allowance::default(), purpose::Purposes::new(parts.purpose_required));
        let freshness = freshness::Freshness::new(parts.store.as_ref(), parts.clock.now());
        let known = custom::Known::default();
        let gateway = Self { parts, fresh, capabilities, shown, turned_away, rates, registrations, purposes, known, freshness };
        if let Err(refusal) = gateway.parts.consent.load(gateway.parts.store.as_ref()).await {
            gateway.freshness.begin_without(refusal)?;
        }
        gateway.parts.emergency.load(gateway.parts.clock.now()).await?;
        gateway.parts.restrictions.load(gateway.parts.clock.now()).await?;
        Ok(gateway)
    }

    /// The whole path of a request.
    ///
    /// # Errors
    /// A refusal, as the caller is told it.
    pub async fn answer(&self, mut inbound: Inbound) -> Answer {
        let now = self.parts.clock.now();
        // Before the request is understood: what it can be searched by may have changed on another node.
        let fresh = self.freshen().await;
        let options = RouteOptions { base: &self.parts.base, now, max_count: self.parts.limits.page_max, known: self.known() };
        let parsed = interaction(&inbound.request, &options);
        let event = parsed.as_ref().map_or("read", Interaction::code);
        let mut errand = Errand {
            visit: inbound.visit(event, now),
            rendering: Rendering::default(),
            body: std::mem::replace(&mut inbound.body, Sealed::from_wire(Vec::new())),
            peer: inbound.certificate.as_ref().map(|certificate| certificate.thumbprint.clone()),
            room: space::Found::default(),
        };
        let decided = match parsed {
            Ok(Interaction::Capabilities) => self.tell_capabilities(&inbound, &mut errand),
            parsed => match fresh {
                Ok(()) => self.decide(parsed, &inbound, &mut errand).await,
                Err(refusal) => Err(refusal.into()),
            },
        };
        let (visit, trail) = (&errand.visit, self.parts.trail.as_ref());
        match decided {
            Ok(pending) => release(pending, &errand.rendering, visit, trail).await,
            Err(Denied::Refused(refusal)) => Err(refuse(&refusal, visit, trail).await),
            Err(Denied::Throttled(over)) => Err(throttle(over.seconds, over.left_out, visit, trail).await),
        }
    }

    /// For everybody, who need not be known.
    fn tell_capabilities(&self, inbound: &Inbound, errand: &mut Errand) -> Result<Pending, Denied> {
        errand.rendering = rendering(&inbound.request)?;
        Ok(Pending::public(self.told_capabilities()))
    }

    /// Who asks comes first, then whether the request makes sense, then whether it is allowed.
    async fn decide(
        &self,
        parsed: Result<Interaction, Refusal>,
        inbound: &Inbound,
        errand: &mut Errand,
    ) -> Result<Pending, Denied> {
        let url = format!("{}/{}", self.parts.base, inbound.request.path);
        let caller = self.known_caller(inbound, &url, &mut errand.visit).await?;
        let interaction = match accounting::mine(&inbound.request, &caller) {
            Some(request) => {
                let max_count = self.parts.limits.page_max;
                let options = RouteOptions { base: &self.parts.base, now: errand.visit.now, max_count, known: self.known() };
                crate::fhir::interaction(&request, &options)?
            }
            None => parsed?,
        };
        errand.rendering = rendering(&inbound.request)?;
        self.demand_fresh_consents(errand.visit.now).await?;
        errand.visit.record = inbound::named_record(&interaction);
        let pending = self.perform(&caller, interaction, errand).await?;
        // A grant that was just ended decides no more.
        let now = errand.visit.now;
        let grant = self.parts.emergency.of(&caller, now).unwrap_or_default();
        let deciding = |patients: &[Id]| self.parts.consent.deciding(&caller, patients, grant.as_deref(), now);
        Ok(pending.resting_on(deciding))
    }

    /// From the caller's interaction to its answer, unreleased. Entries of a batch begin here too.
    async fn perform(&self, caller: &Arc<Caller>, interaction: Interaction, errand: &mut Errand) -> Result<Pending, Refusal> {
        self.parts.step_up.demand(caller, &interaction, errand.visit.now)?;
        // Each in a box of its own but for the read, which is asked most: it should not carry the place that a search needs.
        if let Interaction::Page(token) = &interaction {
            return Box::pin(self.page(caller, token, errand)).await;
        }
        if let Interaction::Operate(operation) = interaction {
            return Box::pin(self.operate(caller, operation, errand)).await;
        }
        let permit = self.permit(caller, interaction, errand)?;
        match permit.interaction() {
            Interaction::Read(key, conditions) => self.read(&permit, key, *conditions, errand).await,
            Interaction::Bundle => Box::pin(self.bundle(caller, errand)).await,
            _ => Box::pin(self.carry_out(&permit, errand)).await,
        }
    }

    /// What is permitted and is one interaction, but for the read.
    async fn carry_out(&self, permit: &Permit, errand: &Errand) -> Result<Pending, Refusal> {
        match permit.interaction() {
            Interaction::Capabilities => Ok(Pending::public(self.told_capabilities())),
            Interaction::Vread(key, version) => self.vread(permit, key, *version, errand).await,
            Interaction::History(query) => self.history(permit, query, None, errand).await,
            Interaction::Search(query) => self.search(permit, query, None, errand).await,
            Interaction::Create(resource_type, condition) => {
                self.create(permit, *resource_type, condition.as_deref(), errand).await
            }
            Interaction::Update(key, condition) => self.update(permit, key, *condition, errand).await,
            Interaction::ConditionalUpdate(query, condition) => self.conditional_update(permit, query, *condition, errand).await,
            Interaction::Patch(key, condition) => self.patch(permit, key, *condition, errand).await,
            Interaction::ConditionalPatch(query, condition) => self.conditional_patch(permit, query, *condition, errand).await,
            Interaction::Delete(key, condition) => self.delete(permit, key, *condition, errand).await,
            Interaction::ConditionalDelete(query) => self.conditional_delete(permit, query, errand).await,
            Interaction::Read(..) | Interaction::Page(_) | Interaction::Operate(_) | Interaction::Bundle => {
                Err(Refusal::NotFound)
            }
        }
    }

    /// May this caller ask this, and on which rows: scopes and compartment, then what the patients allow.
    fn permit(&self, caller: &Arc<Caller>, interaction: Interaction, errand: &Errand) -> Result<Permit, Refusal> {
        // Before the scopes: no scope would help, so none must be named.
        write::changeable(&interaction)?;
        let permit = authorize(caller, interaction)?;
        if restrictions::changes(permit.interaction()) {
            self.demand_writable(caller, errand.visit.now, &errand.room)?;
        }
        if let Some(query) = permit.interaction().query() {
            self.redaction().demand_blind(&permit, query)?;
        }
        #[cfg(feature = "bench")]
        if crate::layers::off(crate::layers::Layer::Consent) {
            return Ok(permit);
        }
        let grant = self.parts.emergency.of(caller, errand.visit.now)?;
        self.parts.consent.narrow(permit, grant.as_deref(), errand.visit.now)
    }

    /// The CapabilityStatement as it stands.
    fn told_capabilities(&self) -> String {
        self.capabilities.read().map_or_else(|poisoned| poisoned.into_inner().clone(), |told| told.clone())
    }

    /// What `AuditEvents` say of this gateway.
    pub fn site(&self) -> &Site {
        &self.parts.site
    }

    /// By which rules content is marked.
    fn marking(&self) -> Marking<'_> {
        Marking { labelling: &self.parts.labelling, base: &self.parts.base, known: self.known() }
    }

    /// By what records are cut to what a caller may see.
    fn redaction(&self) -> Redaction<'_> {
        Redaction { marking: self.marking(), settings: self.parts.consent.site().settings(), hidden: None }
    }

    /// Of the records that these speak of those that the patients do not let the caller see. Where a patient restricts this caller, one
    /// that is not there counts as hidden: nobody shall tell the two apart.
    async fn hidden<'a>(&self, permit: &Permit, rows: impl IntoIterator<Item = &'a Row>) -> Result<BTreeSet<Key>, Refusal> {
        if !permit.is_narrowed() {
            return Ok(BTreeSet::new());
        }
        let mut named = self.redaction().spoken_of(permit, rows)?;
        if !named.is_empty() {
            let keys: Vec<Key> = named.keys().cloned().collect();
            for facts in self.parts.store.facts(&keys).await? {
                named.insert(facts.key.clone(), !permit.admits_part(Need::Read, &Look::new(&facts, &Vec::new)));
            }
        }
        Ok(named.into_iter().filter_map(|(key, hidden)| hidden.then_some(key)).collect())
    }

    fn bounds(&self, count: Option<u32>) -> PageBounds {
        let limits = &self.parts.limits;
        let count = count.unwrap_or(limits.page_default).min(limits.page_max);
        PageBounds { count, included: limits.page_included, bytes: limits.page_bytes }
    }
}
