//! The developer's corner of the demo: an EHR that launches apps, and the registration of an app to try. Never mounted elsewhere.

use super::{Browser, CornerApp, CornerPage, Gateway, Halt, Step, Turn};
use crate::audit::Event;
use crate::fhir::{Id, Instant, encode};
use crate::identity::Reach;
use crate::smart::{Client, Context};

/// What an app that is registered here may ask for.
const SCOPES: &str = "launch launch/patient openid fhirUser profile offline_access online_access patient/*.cruds user/*.cruds";

/// What the simulated EHR tells an app.
#[derive(Debug, Clone, Default)]
pub struct CornerLaunch {
    /// `client_id`
    pub client: String,
    /// The patient that is open.
    pub patient: String,
    /// The encounter that is open, if one is.
    pub encounter: String,
    /// What the user is about to do, if anything.
    pub intent: String,
    /// The app must show who the patient is.
    pub banner: bool,
}

impl Gateway {
    /// The corner.
    pub async fn corner(&self, browser: &Browser) -> Turn {
        self.corner_with(None, None, browser).await
    }

    async fn corner_with(&self, fault: Option<String>, registered: Option<String>, browser: &Browser) -> Turn {
        let now = self.parts.clock.now();
        let shown = self.corner_page(fault, registered, browser, now).await;
        shown.map_or_else(|halt| halt.shown(browser), |page| Step::Corner(Box::new(page)).into())
    }

    async fn corner_page(
        &self,
        fault: Option<String>,
        registered: Option<String>,
        browser: &Browser,
        now: Instant,
    ) -> Result<CornerPage, Halt> {
        let present = self.present(browser, now).await?.filter(|present| !present.is_half());
        let clients = self.parts.tokens.registry.store().list().await?;
        let apps = clients.into_iter().filter(|client| !client.redirect_uris.is_empty() && !client.disabled);
        let app = |client: Client| CornerApp { id: client.id, name: client.name, launches: client.launch_uris };
        Ok(CornerPage {
            base: self.parts.base.clone(),
            who: present.map(|present| present.account.name),
            apps: apps.map(app).collect(),
            fault,
            registered,
        })
    }

    /// Launches an app as an EHR does: opens its launch URL with `iss` and a handle.
    pub async fn corner_launch(&self, asked: &CornerLaunch, browser: &Browser) -> Turn {
        match self.launched(asked, browser).await {
            Ok(uri) => Step::Away(uri).into(),
            Err(fault) => self.corner_with(Some(fault), None, browser).await,
        }
    }

    async fn launched(&self, asked: &CornerLaunch, browser: &Browser) -> Result<String, String> {
        let client = self.parts.tokens.registry.client(&asked.client).await.map_err(|fault| fault.to_string())?;
        let client = client.ok_or_else(|| format!("There is no app `{}`.", asked.client))?;
        let uri = client.launch_uris.first().ok_or("This app has no launch URL.")?;
        let id = |text: &str| match text.trim() {
            "" => Ok(None),
            text => Id::parse(text).map(|id| Some(id.to_string())).ok_or_else(|| format!("`{text}` is not an id.")),
        };
        let style = self.parts.endpoints.token.strip_suffix("/token").unwrap_or_default();
        let context = Context {
            patient: id(&asked.patient)?,
            encounter: id(&asked.encounter)?,
            intent: Some(asked.intent.trim().to_owned()).filter(|intent| !intent.is_empty()),
            need_patient_banner: Some(asked.banner),
            smart_style_url: Some(format!("{style}{}", crate::smart::STYLE_PATH)),
            ..Context::default()
        };
        let handle = self.make_launch(&asked.client, context, browser).await?;
        let mark = if uri.contains('?') { '&' } else { '?' };
        Ok(format!("{uri}{mark}iss={}&launch={handle}", encode(&self.parts.base)))
    }

    /// Registers a public app to try.
    pub async fn corner_register(&self, name: &str, redirect_uri: &str, launch_uri: &str, browser: &Browser) -> Turn {
        let now = self.parts.clock.now();
        let id = format!("try-{}", uuid::Uuid::new_v4().simple());
        let launch_uris = Some(launch_uri.trim().to_owned()).filter(|uri| !uri.is_empty()).into_iter().collect();
        let name: String = name.trim().chars().take(100).collect();
        let name = if name.is_empty() { "An app to try".to_owned() } else { name };
        let app = Client { launch_uris, ..Client::app(&id, &name, vec![redirect_uri.trim().to_owned()], SCOPES) };
        let client = match app.checked(Reach::Public) {
            Ok(client) => client,
            Err(fault) => return self.corner_with(Some(fault.to_string()), None, browser).await,
        };
        let registry = &self.parts.tokens.registry;
        let added = async {
            registry.store().add(client, now).await?;
            registry.refresh().await
        };
        if let Err(fault) = added.await {
            return Halt::from(fault).shown(browser);
        }
        self.note_about(Event::Registry("client-added"), &id).await;
        self.corner_with(None, Some(id), browser).await
    }
}
