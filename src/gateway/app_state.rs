//! What apps keep here for themselves (SMART App Launch 2.2, "Persisting App State"): create, update, delete and search of a Basic at a place of
//! its own, `/app-state`. No app sees what another one keeps, and none of it is ever among the records.

use super::rate::Denied;
use super::space::Found;
use super::{Gateway, Inbound};
use crate::access::{Caller, StateOf, grants_app_state, may_use_app_state, needed_for_app_state};
use crate::disclosure::{Answer, AppState, Pending, Visit, refuse, release, throttle};
use crate::fhir::{Id, Key, Method, Need, Problem, Refusal, Request, ResourceType, Touched, Version, encode, pairs, rendering};
use crate::store::app_state::{AppStateFault, Keeper, KeptState, StateName};
use std::sync::Arc;

/// Where it is, from the origin.
const PLACE: &str = "app-state";

/// What a request asks for.
enum Wish {
    Find,
    Create,
    Update(Id),
    Delete(Id),
}

impl Wish {
    fn of(request: &Request) -> Result<Self, Refusal> {
        let path: Vec<&str> = request.path.split('/').skip(1).collect();
        let read = matches!(request.method, Method::Get | Method::Head);
        let named = |id: &str| Id::parse(id).ok_or(Refusal::VersionMismatch);
        match (path.as_slice(), request.method) {
            (["Basic"], _) if read => Ok(Self::Find),
            (["Basic", "_search"], Method::Post) => Ok(Self::Find),
            (["Basic"], Method::Post) => Ok(Self::Create),
            (["Basic", id], Method::Put) => named(id).map(Self::Update),
            (["Basic", id], Method::Delete) => named(id).map(Self::Delete),
            (["Basic"] | ["Basic", _], _) => Err(Refusal::MethodNotAllowed(methods(&request.path))),
            _ => Err(Refusal::NotSupported(request.path.clone())),
        }
    }

    fn need(&self) -> Need {
        match self {
            Self::Find => Need::Search,
            Self::Create => Need::Create,
            Self::Update(_) => Need::Update,
            Self::Delete(_) => Need::Delete,
        }
    }

    fn event(&self) -> &'static str {
        match self {
            Self::Find => "search-type",
            Self::Create => "create",
            Self::Update(_) => "update",
            Self::Delete(_) => "delete",
        }
    }
}

/// The methods that exist at a path below the origin, for `Allow`.
pub(super) fn methods(path: &str) -> &'static str {
    match path.split('/').skip(1).collect::<Vec<_>>().as_slice() {
        ["Basic"] => "GET, HEAD, POST, OPTIONS",
        ["Basic", "_search"] => "POST, OPTIONS",
        ["Basic", _] => "PUT, DELETE, OPTIONS",
        _ => "GET, HEAD, OPTIONS",
    }
}

/// The present state of a request on its way.
struct Errand<'e> {
    caller: &'e Caller,
    inbound: &'e Inbound,
    visit: &'e mut Visit,
}

impl Errand<'_> {
    fn keeper(&self) -> Keeper {
        Keeper { issuer: self.caller.issuer.clone(), client: self.caller.client.clone() }
    }

    /// `If-Match`, without which nothing is changed.
    fn expected(&self) -> Result<Version, Refusal> {
        let tag = self.inbound.request.headers.if_match.as_deref().ok_or(Refusal::VersionRequired)?;
        let text = "`If-Match` must be one entity tag, such as W/\"3\"";
        Version::parse(tag).ok_or_else(|| Refusal::Invalid(vec![Problem::of("invalid", text)]))
    }

    fn touches(&mut self, id: &Id, version: Option<Version>) {
        self.visit.record = Some(Touched { resource_type: ResourceType::Basic, id: id.clone(), version });
    }
}

impl Gateway {
    /// The methods that exist at a path of [`Gateway::app_state`].
    pub fn app_state_methods(path: &str) -> &'static str {
        methods(path)
    }

    /// `metadata` of that place, where apps keep states.
    pub fn app_state_statement(&self) -> Option<String> {
        let url = self.parts.endpoints.app_state.as_deref()?;
        Some(crate::smart::app_state_statement(url, self.parts.clock.now()).to_string())
    }

    /// Whether apps keep states here.
    pub fn keeps_app_state(&self) -> bool {
        self.parts.endpoints.app_state.is_some()
    }

    /// Answers at the place of the apps' own states. The path of the request begins with `app-state`.
    ///
    /// # Errors
    /// A refusal, as the caller is told it.
    pub async fn app_state(&self, inbound: Inbound) -> Answer {
        let now = self.parts.clock.now();
        let fresh = self.freshen().await;
        let wish = Wish::of(&inbound.request);
        let mut visit = inbound.visit(wish.as_ref().map_or("operation", Wish::event), now);
        let decided = async {
            fresh?;
            let origin = self.parts.base.split('/').take(3).collect::<Vec<_>>().join("/");
            let url = format!("{origin}/{}", inbound.request.path);
            let caller = self.known_caller(&inbound, &url, &mut visit).await?;
            Ok(self.app_state_of(&caller, wish?, &inbound, &mut visit, &origin).await?)
        };
        let decided: Result<Pending, Denied> = decided.await;
        let rendered = rendering(&inbound.request);
        let trail = self.parts.trail.as_ref();
        match decided.and_then(|pending| Ok((pending, rendered?))) {
            Ok((pending, rendering)) => release(pending, &rendering, &visit, trail).await,
            Err(Denied::Refused(refusal)) => Err(refuse(&refusal, &visit, trail).await),
            Err(Denied::Throttled(over)) => Err(throttle(over.seconds, over.left_out, &visit, trail).await),
        }
    }

    async fn app_state_of(
        &self,
        caller: &Arc<Caller>,
        wish: Wish,
        inbound: &Inbound,
        visit: &mut Visit,
        origin: &str,
    ) -> Result<Pending, Refusal> {
        if !grants_app_state(caller, wish.need()) {
            return Err(Refusal::ScopeMissing { needed: needed_for_app_state(caller, wish.need()) });
        }
        if !matches!(wish, Wish::Find) {
            self.demand_writable(caller, visit.now, &Found::default())?;
        }
        rendering(&inbound.request)?;
        let mut errand = Errand { caller, inbound, visit };
        let place = format!("{origin}/{PLACE}/Basic");
        match wish {
            Wish::Find => self.find_states(&errand, &place).await,
            Wish::Create => self.create_state(&mut errand, &place).await,
            Wish::Update(id) => self.update_state(&mut errand, id).await,
            Wish::Delete(id) => self.delete_state(&mut errand, id).await,
        }
    }

    async fn create_state(&self, errand: &mut Errand<'_>, place: &str) -> Result<Pending, Refusal> {
        let state = AppState::read(&errand.inbound.body, None)?;
        let subject = self.subject_of(state.subject())?;
        if !may_use_app_state(errand.caller, Need::Create, &of(&state, subject.as_ref())) {
            return Err(Refusal::WriteOutsideGrant);
        }
        let id = Id::parse(&uuid::Uuid::new_v4().to_string()).ok_or(Refusal::Internal)?;
        let version = Version::FIRST;
        errand.touches(&id, Some(version));
        let text = state.stamped(&id, version, errand.visit.now);
        let kept = self.sealed(&id, name_of(&state), version, &text)?;
        let entry = errand.visit.concluded(patients(subject.as_ref()), errand.visit.record.iter().cloned().collect());
        let receipt = self.parts.app_states.add_state(errand.keeper(), kept, entry).await?;
        Ok(Pending::state_kept(true, text, &format!("{place}/{id}"), version, receipt))
    }

    async fn update_state(&self, errand: &mut Errand<'_>, id: Id) -> Result<Pending, Refusal> {
        errand.touches(&id, None);
        let before = errand.expected()?;
        let state = AppState::read(&errand.inbound.body, Some(&id))?;
        let subject = self.own_state(errand, Need::Update, &id, before).await?;
        let version = before.next();
        errand.touches(&id, Some(version));
        let text = state.stamped(&id, version, errand.visit.now);
        let kept = self.sealed(&id, name_of(&state), version, &text)?;
        let entry = errand.visit.concluded(patients(subject.as_ref()), errand.visit.record.iter().cloned().collect());
        let receipt = self.parts.app_states.change_state(errand.keeper(), kept, entry).await?;
        Ok(Pending::state_kept(false, text, "", version, receipt))
    }

    async fn delete_state(&self, errand: &mut Errand<'_>, id: Id) -> Result<Pending, Refusal> {
        errand.touches(&id, None);
        let before = errand.expected()?;
        let subject = self.own_state(errand, Need::Delete, &id, before).await?;
        let entry = errand.visit.concluded(patients(subject.as_ref()), errand.visit.record.iter().cloned().collect());
        let receipt = self.parts.app_states.remove_state(errand.keeper(), id, before, entry).await?;
        Ok(Pending::state_removed(receipt))
    }

    /// About whom this version of a state of the caller's app is. One that is gone, another app's, or not for this caller, is a failed
    /// precondition like any other: nobody can tell which.
    async fn own_state(&self, errand: &Errand<'_>, need: Need, id: &Id, version: Version) -> Result<Option<Key>, Refusal> {
        let name = self.parts.app_states.name_of(&errand.keeper(), id, version).await?.ok_or(Refusal::VersionMismatch)?;
        let subject = self.subject_of(name.subject.as_deref()).map_err(|_| Refusal::VersionMismatch)?;
        let (system, code) = name.code.split_once('|').unwrap_or(("", &name.code));
        let of = StateOf { subject: subject.as_ref(), system, code };
        if may_use_app_state(errand.caller, need, &of) { Ok(subject) } else { Err(Refusal::VersionMismatch) }
    }

    async fn find_states(&self, errand: &Errand<'_>, place: &str) -> Result<Pending, Refusal> {
        let asked = Asked::read(&errand.inbound.request)?;
        let subject = self.subject_of(asked.subject.as_deref())?;
        let name = StateName { subject: asked.subject, code: format!("{}|{}", asked.code.0, asked.code.1) };
        let of = StateOf { subject: subject.as_ref(), system: &asked.code.0, code: &asked.code.1 };
        let mut found = Vec::new();
        if may_use_app_state(errand.caller, Need::Search, &of) {
            for state in self.parts.app_states.states(&errand.keeper(), &name).await? {
                let text = self.parts.seal.open(&whose(&state.id), &state.body).ok_or(Refusal::Internal)?;
                found.push((state.id, text));
            }
        }
        let touched = |id: &Id| Touched { resource_type: ResourceType::Basic, id: id.clone(), version: None };
        let shown = patients(subject.as_ref().filter(|_| !found.is_empty()));
        let entry = errand.visit.concluded(shown, found.iter().map(|(id, _)| touched(id)).collect());
        let states: Vec<(String, String)> = found.into_iter().map(|(id, text)| (format!("{place}/{id}"), text)).collect();
        let of_subject = match &name.subject {
            Some(subject) => format!("subject={}", encode(subject)),
            None => "subject:missing=true".to_owned(),
        };
        let link = format!("{place}?code={}&{of_subject}", encode(&name.code));
        Ok(Pending::states_found(&states, &link, entry))
    }

    /// The record that an absolute reference names; it must lie here.
    fn subject_of(&self, reference: Option<&str>) -> Result<Option<Key>, Refusal> {
        let Some(reference) = reference else { return Ok(None) };
        let key = reference.strip_prefix(&self.parts.base).and_then(|rest| rest.strip_prefix('/')).and_then(Key::parse);
        let text = || {
            format!("`subject` must be an absolute reference to a person below `{}`, such as `{0}/Patient/p1`", self.parts.base)
        };
        key.map(Some).ok_or_else(|| Refusal::Invalid(vec![Problem::at("value", "Basic.subject.reference", text())]))
    }

    fn sealed(&self, id: &Id, name: StateName, version: Version, text: &str) -> Result<KeptState, Refusal> {
        let body = self.parts.seal.close(&whose(id), text).ok_or(Refusal::Internal)?;
        Ok(KeptState { id: id.clone(), name, version, bytes: text.len(), body })
    }

    /// Removes everything that a client of this gateway kept: it is registered no more.
    pub(super) async fn forget_app_states(&self, client: &str) {
        let keeper = Keeper { issuer: self.parts.base.clone(), client: client.to_owned() };
        if let Err(error) = self.parts.app_states.forget(&keeper).await {
            tracing::error!(%error, client, "what a client kept here could not be removed");
        }
    }
}

/// What a state is sealed to.
fn whose(id: &Id) -> String {
    format!("app-state {id}")
}

fn of<'s>(state: &'s AppState, subject: Option<&'s Key>) -> StateOf<'s> {
    let (system, code) = state.coding();
    StateOf { subject, system, code }
}

fn name_of(state: &AppState) -> StateName {
    let (system, code) = state.coding();
    StateName { subject: state.subject().map(str::to_owned), code: format!("{system}|{code}") }
}

fn patients(subject: Option<&Key>) -> Vec<Id> {
    subject.filter(|key| key.resource_type == ResourceType::Patient).map(|key| key.id.clone()).into_iter().collect()
}

/// The two questions that can be asked.
struct Asked {
    code: (String, String),
    subject: Option<String>,
}

impl Asked {
    fn read(request: &Request) -> Result<Self, Refusal> {
        let invalid = |text: &str| Refusal::Invalid(vec![Problem::of("invalid", text)]);
        let mut all = Vec::new();
        for part in [Some(request.query.as_str()), request.form.as_deref()].into_iter().flatten() {
            all.extend(pairs(part).map_err(|_| invalid("the query is not valid percent-encoded UTF-8"))?);
        }
        all.retain(|(name, _)| !["_format", "_pretty"].contains(&name.as_str()));
        let text =
            "ask by `code=system|code` and either `subject=` with an absolute reference or `subject:missing=true`, each once";
        let (mut code, mut subject, mut missing) = (None, None, None);
        for (name, value) in all {
            let slot = match name.as_str() {
                "code" => &mut code,
                "subject" => &mut subject,
                "subject:missing" => &mut missing,
                _ => return Err(invalid(text)),
            };
            if slot.replace(value).is_some() {
                return Err(invalid(text));
            }
        }
        let everybody = missing.as_deref() == Some("true") && subject.is_none();
        let one = missing.is_none() && subject.is_some();
        let code = code.as_deref().and_then(|code| code.split_once('|')).filter(|(_, code)| !code.is_empty());
        match code {
            Some((system, code)) if everybody || one => Ok(Self { code: (system.to_owned(), code.to_owned()), subject }),
            _ => Err(invalid(text)),
        }
    }
}

impl From<AppStateFault> for Refusal {
    fn from(fault: AppStateFault) -> Self {
        match fault {
            AppStateFault::Stale => Self::VersionMismatch,
            AppStateFault::Full => Self::TooLarge("an app may keep 64 states of 4 megabytes in all about one subject"),
            AppStateFault::Failed(error) => error.into(),
        }
    }
}
