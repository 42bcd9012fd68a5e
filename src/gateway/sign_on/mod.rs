//! What people do at the gateway in a browser: sign in, choose a patient, allow an app something, take it back. Each step is a function
//! from what the browser sent to a [`Step`], which `portal` shows.

mod begin;
mod corner;
mod decide;
mod developers;
mod enter;
mod home;
mod patients;
mod proceed;
mod remember;
mod ways;

pub use corner::CornerLaunch;
pub use developers::DevelopersPage;
pub use patients::PatientRow;
pub use ways::PasskeyUsed;

use super::Gateway;
use crate::audit::{Agent, Entry, Event};
use crate::fhir::{Instant, Outcome};
use crate::smart::{Client, ClientStoreError, Offer, PeopleFault, Present, State, Whence, origin};

/// What a browser sends with every request.
#[derive(Debug, Clone, Default)]
pub struct Browser {
    /// The cookie of the session.
    pub session: Option<String>,
    /// Network address.
    pub address: String,
    /// `User-Agent`
    pub agent: String,
    /// `X-Request-Id`
    pub request_id: String,
    /// What only this browser has: the cookie that forms are bound to.
    pub binding: String,
}

/// What comes of a request, and the cookie of the session when it changed: `Some(None)` takes it away.
#[derive(Debug)]
pub struct Turn {
    /// What to show, or where to go.
    pub step: Step,
    /// The new cookie.
    pub session: Option<Option<String>>,
}

/// What is shown next.
#[derive(Debug)]
pub enum Step {
    /// Another page of the gateway.
    Go(String),
    /// Back to the app, at its own address.
    Away(String),
    /// Who are you?
    SignIn(SignInPage),
    /// And the code of your phone?
    Code(SignInPage),
    /// Whose record?
    Patients(Box<PatientsPage>),
    /// May it?
    Consent(Box<ConsentPage>),
    /// What you allowed, and where you are signed in.
    Home(Box<HomePage>),
    /// Choose a password.
    SetUp(SetUpPage),
    /// Take a phone into use.
    Phone(Box<PhonePage>),
    /// Make a passkey.
    Passkey(PasskeyPage),
    /// JSON for the page's own script.
    Told(String),
    /// The developer's corner of the demo.
    Corner(Box<CornerPage>),
    /// What developers of apps read.
    Developers(Box<DevelopersPage>),
    /// That cannot be.
    Wrong(WrongPage),
}

/// The app that asks.
#[derive(Debug, Clone)]
pub struct AppView {
    /// `client_id`
    pub id: String,
    /// What people call it.
    pub name: String,
    /// Where it lives: the host of its address, or its own scheme.
    pub place: String,
    /// The origin to which its user is sent back.
    pub origin: String,
    /// The operator answers for it.
    pub vetted: bool,
}

impl AppView {
    /// An app that wants its users back at this address.
    fn of(client: &Client, redirect_uri: &str) -> Self {
        let origin = origin(redirect_uri).unwrap_or_default();
        let place = origin.split_once("://").map_or_else(|| origin.clone(), |(_, host)| host.to_owned());
        Self { id: client.id.clone(), name: client.name.clone(), place, origin, vetted: client.vetted }
    }
}

/// Sign-in.
#[derive(Debug, Default)]
pub struct SignInPage {
    /// The handle of the request under way, when there is one.
    pub request: Option<String>,
    /// The app that asks.
    pub app: Option<AppView>,
    /// What was typed, or hinted.
    pub username: String,
    /// What was wrong.
    pub fault: Option<PeopleFault>,
    /// Where else one can sign in: id and name of each provider.
    pub providers: Vec<(String, String)>,
}

/// A passkey is to be made.
#[derive(Debug, Default)]
pub struct PasskeyPage {
    /// What was wrong.
    pub fault: Option<PeopleFault>,
}

/// The choice of a patient.
#[derive(Debug)]
pub struct PatientsPage {
    /// The handle of the request.
    pub request: String,
    /// The app that asks.
    pub app: AppView,
    /// Those to choose from.
    pub patients: Vec<PatientRow>,
    /// What was looked for by a clinician: name and birth date. `None` for those who choose among their own.
    pub search: Option<(String, String)>,
}

/// The choice of what an app may.
#[derive(Debug)]
pub struct ConsentPage {
    /// The handle of the request.
    pub request: String,
    /// The app that asks.
    pub app: AppView,
    /// Who is asked.
    pub name: String,
    /// Whose record.
    pub patient: Option<PatientRow>,
    /// More patients could be chosen.
    pub several: bool,
    /// What is offered.
    pub offer: Offer,
    /// For how many days the person may choose not to be asked again; 0: not at all.
    pub remember: u32,
    /// Everything was taken back, which is no answer.
    pub nothing: bool,
}

/// Connected apps and sessions.
#[derive(Debug)]
pub struct HomePage {
    /// Who.
    pub name: String,
    /// What they type to sign in.
    pub username: String,
    /// What they allowed.
    pub apps: Vec<ConnectedApp>,
    /// Which apps get it again without being asked for: `client_id`, name, until when.
    pub remembered: Vec<(String, String, Instant)>,
    /// Where they are signed in.
    pub sessions: Vec<SessionRow>,
    /// A phone is in use.
    pub two_factor: bool,
    /// Their passkeys: id, name, since when.
    pub passkeys: Vec<(String, String, Instant)>,
    /// An app was just cut off.
    pub ended: Option<String>,
}

/// An app that was allowed something.
#[derive(Debug, Clone)]
pub struct ConnectedApp {
    /// The name of the authorization.
    pub authorization: String,
    /// The app.
    pub app: String,
    /// What it may.
    pub offer: Offer,
    /// Since when.
    pub given: Instant,
    /// Last used.
    pub used: Instant,
    /// Until when.
    pub ends: Instant,
    /// It may come back without the user.
    pub offline: bool,
}

/// A session of a person.
#[derive(Debug, Clone)]
pub struct SessionRow {
    /// Its name.
    pub id: String,
    /// Since when.
    pub since: Instant,
    /// From where.
    pub address: String,
    /// With what.
    pub browser: String,
    /// It is the one in which this is looked at.
    pub current: bool,
}

/// A password is to be chosen.
#[derive(Debug)]
pub struct SetUpPage {
    /// The secret of the link.
    pub token: String,
    /// For whom.
    pub username: String,
    /// What was wrong.
    pub fault: Option<PeopleFault>,
}

/// A phone is to be taken into use, or was.
#[derive(Debug)]
pub struct PhonePage {
    /// The secret to be shared, in base32.
    pub secret: String,
    /// The same as phones read it.
    pub uri: String,
    /// Codes for when the phone is lost: shown once, after it was taken into use.
    pub recovery: Vec<String>,
    /// What was wrong.
    pub fault: Option<PeopleFault>,
}

/// The developer's corner of the demo.
#[derive(Debug)]
pub struct CornerPage {
    /// The FHIR base.
    pub base: String,
    /// Who is signed in.
    pub who: Option<String>,
    /// The apps.
    pub apps: Vec<CornerApp>,
    /// What was wrong.
    pub fault: Option<String>,
    /// `client_id` of an app that was just registered.
    pub registered: Option<String>,
}

/// An app of the corner.
#[derive(Debug)]
pub struct CornerApp {
    /// `client_id`
    pub id: String,
    /// What people call it.
    pub name: String,
    /// Where an EHR opens it.
    pub launches: Vec<String>,
}

/// Something that cannot be, told to whoever can do something about it.
#[derive(Debug)]
pub struct WrongPage {
    /// HTTP status.
    pub status: u16,
    /// One word, stable.
    pub code: &'static str,
    /// What is wrong and what to do; for the developer of an app.
    pub text: String,
    /// `X-Request-Id`, which the log has too.
    pub request_id: String,
}

impl From<Step> for Turn {
    fn from(step: Step) -> Self {
        Self { step, session: None }
    }
}

/// Why a step cannot be made.
#[derive(Debug)]
enum Halt {
    /// The store or the trail failed.
    Away,
    /// Shown.
    Wrong(u16, &'static str, String),
}

impl From<ClientStoreError> for Halt {
    fn from(fault: ClientStoreError) -> Self {
        tracing::error!(%fault, "the authorization server's store failed");
        Self::Away
    }
}

impl From<crate::smart::secret::NoRandomness> for Halt {
    fn from(fault: crate::smart::secret::NoRandomness) -> Self {
        tracing::error!(%fault, "no secret could be made");
        Self::Away
    }
}

impl Halt {
    fn expired() -> Self {
        let text = "This request for access has expired, or was answered before. Start again in the app.";
        Self::Wrong(400, "request-over", text.to_owned())
    }

    fn shown(self, browser: &Browser) -> Turn {
        let request_id = browser.request_id.clone();
        let (status, code, text) = match self {
            Self::Wrong(status, code, text) => (status, code, text),
            Self::Away => {
                (503, "unavailable", "The server cannot answer at the moment. Nothing was changed; try again later.".to_owned())
            }
        };
        Step::Wrong(WrongPage { status, code, text, request_id }).into()
    }
}

impl Browser {
    fn whence(&self) -> Whence {
        Whence { address: self.address.clone(), browser: self.agent.clone() }
    }
}

impl Gateway {
    fn state(&self) -> &State {
        self.parts.people.state()
    }

    /// Whether people sign in here.
    pub fn people_sign_in(&self) -> bool {
        self.parts.endpoints.people.is_some()
    }

    /// What proves that a form was shown to this browser by the gateway: bound to a cookie that no other site can set.
    pub fn form_token(&self, browser: &str) -> String {
        crate::smart::secret::mac(&self.parts.form_key, browser)
    }

    /// Is it that?
    pub fn is_form_token(&self, browser: &str, told: &str) -> bool {
        crate::smart::secret::equal(&self.form_token(browser), told)
    }

    /// Who is behind the cookie.
    async fn present(&self, browser: &Browser, now: Instant) -> Result<Option<Present>, ClientStoreError> {
        match &browser.session {
            Some(cookie) => self.parts.people.present(cookie, now).await,
            None => Ok(None),
        }
    }

    /// Writes an entry about what a person or an app did; nothing goes on before it is durable.
    async fn enter(&self, entry: SignOnEntry<'_>, browser: &Browser, now: Instant) -> Result<(), Halt> {
        let agent = Agent {
            client: entry.client.to_owned(),
            issuer: self.parts.base.clone(),
            subject: entry.who.map(|account| account.subject.clone()).unwrap_or_default(),
            user: entry.who.and_then(crate::smart::Account::user),
            ..Agent::unknown(&browser.address)
        };
        let mut written = Entry::concluded(Event::SignOn(entry.word), agent, now, &browser.request_id).because(entry.reason);
        written.outcome = entry.outcome;
        written.query = (!entry.about.is_empty()).then(|| entry.about.to_owned());
        if let Some(patient) = entry.patient {
            written = written.concerning([patient.clone()]);
        }
        self.parts.trail.append(written).await.map(drop).map_err(|_| Halt::Away)
    }
}

/// What the trail is told.
struct SignOnEntry<'e> {
    /// One of [`Event::SIGN_ON`].
    word: &'static str,
    /// Who, when known.
    who: Option<&'e crate::smart::Account>,
    client: &'e str,
    patient: Option<&'e crate::fhir::Id>,
    outcome: Outcome,
    reason: &'e str,
    about: &'e str,
}

impl Default for SignOnEntry<'_> {
    fn default() -> Self {
        Self { word: "asked", who: None, client: "", patient: None, outcome: Outcome::Success, reason: "", about: "" }
    }
}
