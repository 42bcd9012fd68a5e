//! The person's answer: allowed, with what they left ticked, or refused.

use super::patients::purposes;
use super::proceed::{UnderWay, is_enough};
use super::{Browser, ConsentPage, Gateway, Halt, PatientRow, SignOnEntry, Step, Turn};
use crate::fhir::Instant;
use crate::smart::{
    Answered, Authorization, Code, Context, LONGEST_TOKEN_LIFE, Lasting, Offer, PendingRequest, Present, SignedIn, secret,
    sent_back,
};

impl Gateway {
    /// Takes the answer. `ticked` are the fields that stayed ticked; `remember`: the person wishes not to be asked for this again.
    pub async fn answered(&self, handle: &str, allowed: bool, (ticked, remember): (&[String], bool), browser: &Browser) -> Turn {
        let now = self.parts.clock.now();
        let decided = async {
            let under_way = self.request(handle, now).await?;
            let present = self.present(browser, now).await?.filter(|present| !present.is_half());
            if !allowed {
                let text = "The user did not allow it.";
                return self.sent(&under_way, "access_denied", text, present.as_ref(), browser, now).await;
            }
            let pending = &under_way.held.value;
            let Some(present) = present.filter(|present| is_enough(present, pending, now)) else {
                return Ok(Step::Go(format!("/authorize/continue?request={handle}")).into());
            };
            if pending.launched_by.as_ref().is_some_and(|by| *by != present.account.username) {
                return Ok(Step::Go(format!("/authorize/continue?request={handle}")).into());
            }
            self.allowed(&under_way, &present, (ticked, remember), browser, now).await
        };
        decided.await.unwrap_or_else(|halt: Halt| halt.shown(browser))
    }

    async fn allowed(
        &self,
        under_way: &UnderWay,
        present: &Present,
        (ticked, remember): (&[String], bool),
        browser: &Browser,
        now: Instant,
    ) -> Result<Turn, Halt> {
        let pending = &under_way.held.value;
        let offer = Offer::of(&pending.asked.scope);
        let patient = match pending.patient(&present.account.username) {
            Some(id) => Some(self.patient(under_way, present, &id, browser, now).await?.ok_or_else(Halt::expired)?),
            None if pending.needs_patient() => {
                return Ok(Step::Go(format!("/authorize/continue?request={}", under_way.handle)).into());
            }
            None => None,
        };
        let Some(scope) = offer.granted(ticked) else {
            let page = ConsentPage {
                request: under_way.handle.clone(),
                app: under_way.app.clone(),
                name: present.account.name.clone(),
                patient,
                several: false,
                offer,
                remember: self.remembers(under_way),
                nothing: true,
            };
            return Ok(Step::Consent(Box::new(page)).into());
        };
        if remember {
            self.remember(under_way, present, (patient.as_ref().map(|row| &row.id), &scope), now).await?;
        }
        self.granted(under_way, present, (scope, patient, ""), browser, now).await
    }

    /// Gives the app a code for this scope and patient; the reason is for the trail, where nobody was asked.
    pub(super) async fn granted(
        &self,
        under_way: &UnderWay,
        present: &Present,
        (scope, patient, reason): (String, Option<PatientRow>, &str),
        browser: &Browser,
        now: Instant,
    ) -> Result<Turn, Halt> {
        let launched = under_way.held.value.launched.clone().unwrap_or_default();
        let context = Context { patient: patient.map(|row| row.id.to_string()), ..launched };
        let authorization = authorization(under_way, present, scope, context, now);
        self.given(under_way, present, (authorization, reason), browser, now).await
    }

    /// Closes the request and gives the code out: once, whoever presses the button twice.
    async fn given(
        &self,
        under_way: &UnderWay,
        present: &Present,
        (authorization, reason): (Authorization, &str),
        browser: &Browser,
        now: Instant,
    ) -> Result<Turn, Halt> {
        let closed = self.state().update::<PendingRequest>(&under_way.held.id, now, |pending| {
            let open = pending.answered.is_none();
            pending.answered = Some(Answered::Allowed);
            open
        });
        closed.await?.ok_or_else(Halt::expired)?;
        let patient = authorization.context.patient();
        let about = format!("client_id={}&scope={}", under_way.client.id, crate::fhir::encode(&authorization.scope));
        let entry = SignOnEntry {
            word: "authorized",
            who: Some(&present.account),
            client: &under_way.client.id,
            patient: patient.as_ref(),
            reason,
            about: &about,
            ..SignOnEntry::default()
        };
        self.enter(entry, browser, now).await?;
        let asked = &under_way.held.value.asked;
        let shown = secret::random()?;
        let code = Code {
            redirect_uri: asked.redirect_uri.clone(),
            challenge: asked.challenge.clone(),
            dpop_jkt: asked.dpop_jkt.clone(),
            authorization,
            given: now.0,
            used: None,
        };
        self.state().add(&secret::kept(&shown), &code, now).await?;
        let uri = sent_back(&asked.redirect_uri, &[("code", &shown)], asked.state.as_deref(), &self.parts.base);
        Ok(Step::Away(uri).into())
    }
}

fn authorization(under_way: &UnderWay, present: &Present, scope: String, context: Context, now: Instant) -> Authorization {
    let (account, session, client) = (&present.account, &present.session, &under_way.client);
    let has = |name: &str| scope.split(' ').any(|one| one == name);
    let lasting = match (has("offline_access"), has("online_access")) {
        (true, _) => Lasting::Offline,
        (false, true) => Lasting::Online,
        (false, false) => Lasting::Once,
    };
    let lifetime = i64::from(client.token_lifetime.clamp(1, LONGEST_TOKEN_LIFE));
    let ends = if lasting == Lasting::Online { session.ends } else { now.plus_seconds(lifetime + 60).0 };
    Authorization {
        username: account.username.clone(),
        subject: account.subject.clone(),
        user: account.user.clone(),
        name: account.name.clone(),
        client: client.id.clone(),
        scope,
        context,
        purposes: purposes(account, client),
        organization: account.organization.clone().or_else(|| client.organization.clone()),
        roles: account.roles.clone(),
        sign_in: SignedIn { at: session.signed_in, acr: session.acr.clone(), amr: session.amr.clone() },
        session: session.id.clone(),
        session_key: present.key.clone(),
        nonce: under_way.held.value.asked.nonce.clone(),
        lasting,
        key: None,
        refresh: None,
        given: now.0,
        used: now.0,
        ends,
    }
}
