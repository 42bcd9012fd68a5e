//! `/authorize`: an app sends its user.

use super::{Browser, Gateway, Halt, SignOnEntry, Step, Turn};
use crate::fhir::{Instant, Outcome};
use crate::smart::{
    Asked, Client, ClientStoreError, Context, Held, Launch, PUSHED_PREFIX, PendingRequest, Pushed, Wrong, asked, context_fault,
    secret, sent_back,
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
        if let Some(reference) = pushed_reference(parameters) {
            return self.pushed(reference, client.as_ref(), id, browser, now).await;
        }
        match asked(parameters, client.as_ref(), &self.parts.base).and_then(|asked| fits(asked, client.as_ref())) {
            Ok(asked) => match self.launch(&asked, now).await? {
                Ok(launch) => self.under_way(asked, launch, secret::random()?, browser, now).await,
                Err(wrong) => self.turned(wrong, id, browser, now).await,
            },
            Err(wrong) => self.turned(wrong, id, browser, now).await,
        }
    }

    /// A request that was pushed before (RFC 9126 § 4). Who loads the page again goes on where they were; who comes after the answer, or
    /// after its time, is told so.
    async fn pushed(
        &self,
        reference: &str,
        client: Option<&Client>,
        id: &str,
        browser: &Browser,
        now: Instant,
    ) -> Result<Turn, Halt> {
        let over = || {
            let text = "The `request_uri` is unknown, was used, has expired, or is another client's. Let the app start again.";
            Wrong::Shown { reason: "request-uri", text: text.to_owned() }
        };
        // The same reference leads to the same request under way.
        let handle = secret::mac(&self.parts.form_key, &format!("pushed {reference}"));
        let known = self.state().find::<PendingRequest>(&secret::kept(&handle), now).await?;
        if let Some(known) = known {
            return if known.value.answered.is_none() && known.value.asked.client == id {
                Ok(Step::Go(format!("/authorize/continue?request={handle}")).into())
            } else {
                self.turned(over(), id, browser, now).await
            };
        }
        let held = self.state().find::<Pushed>(&secret::kept(reference), now).await?;
        let Some(held) = held.filter(|held| held.value.client == id) else {
            return self.turned(over(), id, browser, now).await;
        };
        match asked(&held.value.parameters, client, &self.parts.base) {
            Ok(asked) => match self.launch(&asked, now).await? {
                Ok(launch) => self.under_way(asked, launch, handle, browser, now).await,
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
    async fn under_way(
        &self,
        asked: Asked,
        launch: Option<Held<Launch>>,
        handle: String,
        browser: &Browser,
        now: Instant,
    ) -> Result<Turn, Halt> {
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
        known.filter(|client| client.is_out().is_none()).ok_or_else(|| format!("There is no app `{client}`."))?;
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

/// The secret part of a `request_uri` of this server.
fn pushed_reference(parameters: &[(String, String)]) -> Option<&str> {
    let (_, uri) = parameters.iter().find(|(name, _)| name == "request_uri")?;
    uri.strip_prefix(PUSHED_PREFIX)
}

/// What the profile of a client wants of a request that comes through the browser.
fn fits(asked: Asked, client: Option<&Client>) -> Result<Asked, Wrong> {
    let profile = client.map(|client| client.profile).unwrap_or_default();
    let back = |reason, text: &str| Wrong::SentBack {
        reason,
        redirect_uri: asked.redirect_uri.clone(),
        state: asked.state.clone(),
        error: "invalid_request",
        text: text.to_owned(),
    };
    if profile.pushes() {
        return Err(back("not-pushed", "This client must push its requests (RFC 9126)."));
    }
    if profile.needs_state() && asked.state.is_none() {
        return Err(back("state", "`state` is missing."));
    }
    Ok(asked)
}
