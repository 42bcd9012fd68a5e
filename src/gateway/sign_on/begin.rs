//! `/authorize`: an app sends its user.

use super::{Browser, Gateway, Halt, SignOnEntry, Step, Turn};
use crate::fhir::{Instant, Outcome};
use crate::smart::{
    Asked, ClientStoreError, Context, Held, Launch, PendingRequest, Wrong, asked, context_fault, secret, sent_back,
};

impl Gateway {
    /// Takes an authorization request, by `GET` or by `POST` alike.
    pub async fn authorize(&self, parameters: &[(String, String)], browser: &Browser) -> Turn {
        let now = self.parts.clock.now();
        let taken = self.taken(parameters, browser, now).await;
        taken.unwrap_or_else(|halt| halt.shown(browser))
    }

    async fn taken(&self, parameters: &[(String, String)], browser: &Browser, now: Instant) -> Result<Turn, Halt> {
        self.throttle(browser, now)?;
        let id = parameters.iter().find(|(name, _)| name == "client_id").map(|(_, id)| id.as_str()).unwrap_or_default();
        let client = self.parts.tokens.registry.client(id).await?;
        match asked(parameters, client.as_ref(), &self.parts.base) {
            Ok(asked) => match self.launch(&asked, now).await? {
                Ok(launch) => self.under_way(asked, launch, browser, now).await,
                Err(wrong) => self.turned(wrong, id, browser, now).await,
            },
            Err(wrong) => self.turned(wrong, id, browser, now).await,
        }
    }

    /// Too many requests from one address are not worth an entry each.
    pub(super) fn throttle(&self, browser: &Browser, now: Instant) -> Result<(), Halt> {
        let many = || Halt::Wrong(429, "too-many", "Too many requests came from your address. Wait a moment.".to_owned());
        self.rates.stranger(&browser.address, now).map_err(|_| many())
    }

    /// Keeps the request, and leads on to sign-in.
    async fn under_way(&self, asked: Asked, launch: Option<Held<Launch>>, browser: &Browser, now: Instant) -> Result<Turn, Halt> {
        let handle = secret::random()?;
        let (launched, launched_by) = launch.map(|held| (held.value.context, held.value.username)).unzip();
        let about = format!("client_id={}&scope={}", asked.client, crate::fhir::encode(&asked.scope));
        let entry = SignOnEntry { word: "asked", client: &asked.client, about: &about, ..SignOnEntry::default() };
        self.enter(entry, browser, now).await?;
        let pending = PendingRequest { asked, launched, launched_by, chosen: None, session: None, answered: None, came: now.0 };
        self.state().add(&secret::kept(&handle), &pending, now).await?;
        Ok(Step::Go(format!("/authorize/continue?request={handle}")).into())
    }

    /// The launch from an EHR that the request belongs to: for this app, and used by no other request. It is never silently left out.
    async fn launch(&self, asked: &Asked, now: Instant) -> Result<Result<Option<Held<Launch>>, Wrong>, Halt> {
        let Some(handle) = &asked.launch else { return Ok(Ok(None)) };
        let back = |reason| {
            let text = "`launch` is unknown, expired, used, or of another app. Start the app from the EHR again.".to_owned();
            Err(Wrong::SentBack {
                reason,
                redirect_uri: asked.redirect_uri.clone(),
                state: asked.state.clone(),
                error: "invalid_request",
                text,
            })
        };
        let Some(mut held) = self.state().find::<Launch>(&secret::kept(handle), now).await? else {
            return Ok(back("launch-unknown"));
        };
        if held.value.client != asked.client {
            return Ok(back("launch-client"));
        }
        if held.value.used.is_some() {
            return Ok(back("launch-used"));
        }
        held.value.used = Some(secret::kept(&asked.challenge));
        if !self.state().change(&held).await? {
            return Ok(back("launch-used"));
        }
        Ok(Ok(Some(held)))
    }

    /// Tells what is wrong, to the app where that is safe.
    async fn turned(&self, wrong: Wrong, client: &str, browser: &Browser, now: Instant) -> Result<Turn, Halt> {
        let (reason, told) = match &wrong {
            Wrong::Shown { reason, .. } => (format!("authorize:{reason}"), ""),
            Wrong::SentBack { reason, error, .. } => (format!("authorize:{reason}"), *error),
        };
        let client: String = client.chars().take(200).collect();
        let entry = SignOnEntry {
            word: "asked",
            client: &client,
            outcome: Outcome::Minor,
            reason: &reason,
            about: told,
            ..SignOnEntry::default()
        };
        self.enter(entry, browser, now).await?;
        Ok(match wrong {
            Wrong::Shown { reason, text } => return Err(Halt::Wrong(400, reason, text)),
            Wrong::SentBack { redirect_uri, state, error, text, .. } => {
                let members = [("error", error), ("error_description", text.as_str())];
                Step::Away(sent_back(&redirect_uri, &members, state.as_deref(), &self.parts.base)).into()
            }
        })
    }

    /// Makes a launch for an app: the handle that goes into its launch URL. For the EHR at which somebody is signed in.
    ///
    /// # Errors
    /// In words, when the person or the app is not one, or the store fails.
    pub async fn make_launch(&self, client: &str, context: Context, browser: &Browser) -> Result<String, String> {
        let now = self.parts.clock.now();
        let failed = |_: ClientStoreError| "The launch could not be kept.".to_owned();
        let present = self.present(browser, now).await.map_err(failed)?.filter(|present| !present.is_half());
        let present = present.ok_or("Nobody is signed in.")?;
        if let Some(fault) = context.fhir_context.iter().find_map(context_fault) {
            return Err(format!("fhirContext: an entry {fault}."));
        }
        let known = self.parts.tokens.registry.client(client).await.map_err(failed)?;
        known.filter(|client| !client.disabled).ok_or_else(|| format!("There is no app `{client}`."))?;
        let handle = secret::random().map_err(|fault| fault.to_string())?;
        let launch = Launch {
            client: client.to_owned(),
            username: present.account.username,
            session: present.session.id,
            context,
            ends: now.plus_seconds(crate::smart::LAUNCH_LIFE).0,
            used: None,
        };
        self.state().add(&secret::kept(&handle), &launch, now).await.map_err(failed)?;
        Ok(handle)
    }
}
