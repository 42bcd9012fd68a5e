//! Where a request under way goes next: sign-in, second factor, patient, consent.

use super::{AppView, Browser, ConsentPage, Gateway, Halt, PatientRow, PatientsPage, SignInPage, SignOnEntry, Step, Turn};
use crate::fhir::{Id, Instant, Outcome};
use crate::identity::{Claims, Jws};
use crate::smart::{Client, Held, Offer, PendingRequest, Present, secret, sent_back};

/// A request under way with what belongs to it.
pub(super) struct UnderWay {
    pub(super) handle: String,
    pub(super) held: Held<PendingRequest>,
    pub(super) client: Client,
    pub(super) app: AppView,
}

impl Gateway {
    /// The next page of a request under way. With `search`, the choice of a patient is shown again; for a clinician with what they look
    /// for: name and birth date.
    pub async fn proceed(&self, handle: &str, search: Option<(String, String)>, browser: &Browser) -> Turn {
        let now = self.parts.clock.now();
        let shown = async {
            self.throttle(browser, now)?;
            let under_way = self.request(handle, now).await?;
            self.next(&under_way, search, browser, now).await
        };
        shown.await.unwrap_or_else(|halt| halt.shown(browser))
    }

    /// The request of a handle, as long as it is open.
    pub(super) async fn request(&self, handle: &str, now: Instant) -> Result<UnderWay, Halt> {
        let held = self.state().find::<PendingRequest>(&secret::kept(handle), now).await?;
        let held = held.filter(|held| held.value.answered.is_none()).ok_or_else(Halt::expired)?;
        let client = self.parts.tokens.registry.client(&held.value.asked.client).await?;
        let client = client.filter(|client| client.is_out().is_none()).ok_or_else(Halt::expired)?;
        let app = AppView::of(&client, &held.value.asked.redirect_uri);
        Ok(UnderWay { handle: handle.to_owned(), held, client, app })
    }

    async fn next(
        &self,
        under_way: &UnderWay,
        search: Option<(String, String)>,
        browser: &Browser,
        now: Instant,
    ) -> Result<Turn, Halt> {
        let asked = &under_way.held.value.asked;
        let silent = asked.prompt.iter().any(|word| word == "none");
        let present = self.present(browser, now).await?;
        let present = match present {
            Some(half) if half.is_half() => return Ok(Step::Code(Self::sign_in_page(under_way)).into()),
            present => present.filter(|present| is_enough(present, &under_way.held.value, now)),
        };
        let Some(present) = present else {
            if silent {
                return self.sent(under_way, "login_required", "Nobody is signed in.", None, browser, now).await;
            }
            return Ok(Step::SignIn(Self::sign_in_page(under_way)).into());
        };
        if let Some(by) = &under_way.held.value.launched_by
            && *by != present.account.username
        {
            let text = "The launch from the EHR belongs to somebody else than the one who is signed in.";
            return self.sent(under_way, "access_denied", text, Some(&present), browser, now).await;
        }
        if silent {
            if let Some(turn) = self.silently(under_way, &present, browser, now).await? {
                return Ok(turn);
            }
            let text = "The user has to be asked.";
            return self.sent(under_way, "interaction_required", text, Some(&present), browser, now).await;
        }
        self.patient_then_consent(under_way, &present, search, browser, now).await
    }

    fn sign_in_page(under_way: &UnderWay) -> SignInPage {
        SignInPage {
            request: Some(under_way.handle.clone()),
            app: Some(under_way.app.clone()),
            username: under_way.held.value.asked.login_hint.clone().unwrap_or_default(),
            ..SignInPage::default()
        }
    }

    async fn patient_then_consent(
        &self,
        under_way: &UnderWay,
        present: &Present,
        search: Option<(String, String)>,
        browser: &Browser,
        now: Instant,
    ) -> Result<Turn, Halt> {
        let pending = &under_way.held.value;
        let asks = |patients, search| {
            let (request, app) = (under_way.handle.clone(), under_way.app.clone());
            Ok(Step::Patients(Box::new(PatientsPage { request, app, patients, search })).into())
        };
        let wanted = pending.patient(&present.account.username);
        if search.is_some() && pending.launched.is_none() && pending.needs_patient() {
            let found = self.patients(under_way, present, search.as_ref(), browser, now).await?;
            return asks(found, search.filter(|_| present.account.patients().is_none()));
        }
        if !pending.needs_patient() && wanted.is_none() {
            return self.consent(under_way, present, (None, false), browser, now).await;
        }
        let several = present.account.patients().is_none_or(|all| all.len() > 1) && pending.launched.is_none();
        if let Some(id) = wanted {
            return match self.patient(under_way, present, &id, browser, now).await? {
                Some(row) => self.consent(under_way, present, (Some(row), several), browser, now).await,
                None => self.no_patient(under_way, present, browser, now).await,
            };
        }
        let found = self.patients(under_way, present, None, browser, now).await?;
        match (present.account.patients(), found.as_slice()) {
            (None, _) => asks(found, Some(Default::default())),
            (Some(_), []) => self.no_patient(under_way, present, browser, now).await,
            (Some(_), [one]) => {
                let id = one.id.clone();
                self.choose(under_way, present, &id, now).await?;
                self.consent(under_way, present, (found.into_iter().next(), false), browser, now).await
            }
            (Some(_), _) => asks(found, None),
        }
    }

    /// The page of consent, unless the person allowed the same before and wished not to be asked again.
    async fn consent(
        &self,
        under_way: &UnderWay,
        present: &Present,
        (patient, several): (Option<PatientRow>, bool),
        browser: &Browser,
        now: Instant,
    ) -> Result<Turn, Halt> {
        let id = patient.as_ref().map(|row| &row.id);
        if let Some(scope) = self.allowed_before(under_way, present, id, now).await? {
            return self.granted(under_way, present, (scope, patient, "remembered"), browser, now).await;
        }
        let page = ConsentPage {
            request: under_way.handle.clone(),
            app: under_way.app.clone(),
            name: present.account.name.clone(),
            patient,
            several,
            offer: Offer::of(&under_way.held.value.asked.scope),
            remember: self.remembers(under_way),
            nothing: false,
        };
        Ok(Step::Consent(Box::new(page)).into())
    }

    async fn no_patient(&self, under_way: &UnderWay, present: &Present, browser: &Browser, now: Instant) -> Result<Turn, Halt> {
        let text = "There is no patient whose record the user may open for this app.";
        self.sent(under_way, "access_denied", text, Some(present), browser, now).await
    }

    /// Keeps the choice of a patient.
    pub(super) async fn choose(&self, under_way: &UnderWay, present: &Present, id: &Id, now: Instant) -> Result<(), Halt> {
        let chosen = Some((present.account.username.clone(), id.to_string()));
        let kept = self.state().update::<PendingRequest>(&under_way.held.id, now, |pending| {
            pending.chosen.clone_from(&chosen);
            pending.answered.is_none()
        });
        kept.await?.map(drop).ok_or_else(Halt::expired)
    }

    /// The person chose a patient.
    pub async fn choose_patient(&self, handle: &str, id: &str, browser: &Browser) -> Turn {
        let now = self.parts.clock.now();
        let chosen = async {
            let under_way = self.request(handle, now).await?;
            let present = self.present(browser, now).await?.filter(|present| !present.is_half());
            if let (Some(present), Some(id)) = (present, Id::parse(id))
                && under_way.held.value.launched.is_none()
                && self.patient(&under_way, &present, &id, browser, now).await?.is_some()
            {
                self.choose(&under_way, &present, &id, now).await?;
            }
            Ok(Step::Go(format!("/authorize/continue?request={handle}")).into())
        };
        chosen.await.unwrap_or_else(|halt: Halt| halt.shown(browser))
    }

    /// Ends a request with an error for the app.
    pub(super) async fn sent(
        &self,
        under_way: &UnderWay,
        error: &str,
        text: &str,
        who: Option<&Present>,
        browser: &Browser,
        now: Instant,
    ) -> Result<Turn, Halt> {
        let closed = self.state().update::<PendingRequest>(&under_way.held.id, now, |pending| {
            let open = pending.answered.is_none();
            pending.answered = Some(crate::smart::Answered::Refused);
            open
        });
        closed.await?.ok_or_else(Halt::expired)?;
        let entry = SignOnEntry {
            word: "authorized",
            who: who.map(|present| &present.account),
            client: &under_way.client.id,
            outcome: Outcome::Minor,
            reason: error,
            about: "",
            patient: None,
        };
        self.enter(entry, browser, now).await?;
        let asked = &under_way.held.value.asked;
        let members = [("error", error), ("error_description", text)];
        Ok(Step::Away(sent_back(&asked.redirect_uri, &members, asked.state.as_deref(), &self.parts.base)).into())
    }
}

/// Is this sign-in fresh and strong enough for the request, and the person's whom it means? Somebody who signed in for this very request
/// is not asked again for what they do not have.
pub(super) fn is_enough(present: &Present, pending: &PendingRequest, now: Instant) -> bool {
    let asked = &pending.asked;
    let at = present.session.signed_in();
    let fresh = pending.session.as_ref() == Some(&present.session.id);
    let hinted =
        asked.id_token_hint.as_deref().is_none_or(|hint| subject(hint).as_deref() == Some(present.account.subject.as_str()));
    let again = asked.prompt.iter().any(|word| word == "login");
    let old = asked.max_age.is_some_and(|age| at.plus_seconds(age) < now);
    let weak = !asked.acr_values.is_empty() && !asked.acr_values.contains(&present.session.acr);
    hinted && (fresh || !(again || old || weak))
}

/// `sub` of an `id_token`. Nothing is verified: who hints at somebody else only asks for a sign-in.
fn subject(id_token: &str) -> Option<String> {
    let jws = Jws::parse(id_token).ok()?;
    let claims = Claims::parse(&jws.payload).ok()?;
    claims.required("sub", "").ok().map(std::borrow::Cow::into_owned)
}
