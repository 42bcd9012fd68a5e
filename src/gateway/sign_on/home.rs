//! The person's own page: apps that they allowed something, places where they are signed in, the second factor.

use super::{Browser, ConnectedApp, Gateway, Halt, HomePage, PhonePage, SessionRow, SignOnEntry, Step, Turn};
use crate::fhir::Instant;
use crate::smart::{Authorization, Lasting, Offer, PeopleFault, Present, Remembered, totp};

impl Gateway {
    /// The page. `ended` is the name of an app that was just cut off.
    pub async fn home(&self, ended: Option<String>, browser: &Browser) -> Turn {
        let now = self.parts.clock.now();
        let shown = async {
            match self.whole(browser, now).await? {
                Some(present) => Ok(Step::Home(Box::new(self.home_page(&present, ended, now).await?)).into()),
                None => Ok(Step::Go("/sign-in".to_owned()).into()),
            }
        };
        shown.await.unwrap_or_else(|halt: Halt| halt.shown(browser))
    }

    /// Who is signed in, with everything that their account asks for.
    pub(super) async fn whole(&self, browser: &Browser, now: Instant) -> Result<Option<Present>, Halt> {
        Ok(self.present(browser, now).await?.filter(|present| !present.is_half()))
    }

    async fn home_page(&self, present: &Present, ended: Option<String>, now: Instant) -> Result<HomePage, Halt> {
        let username = &present.account.username;
        let mut apps = Vec::new();
        for held in self.state().list::<Authorization>(Some(username), now).await? {
            let (id, one) = (held.id, held.value);
            let client = self.parts.tokens.registry.client(&one.client).await?;
            apps.push(ConnectedApp {
                authorization: id,
                app: client.map_or_else(|| one.client.clone(), |client| client.name),
                offer: Offer::of(&one.scope),
                given: Instant(one.given),
                used: Instant(one.used),
                ends: Instant(one.ends),
                offline: one.lasting == Lasting::Offline,
            });
        }
        apps.sort_by_key(|app| std::cmp::Reverse(app.used));
        let mut remembered: Vec<(String, String, Instant)> = Vec::new();
        for held in self.state().list::<Remembered>(Some(username), now).await? {
            let (id, ends) = (held.value.client, Instant(held.value.ends));
            if held.value.given < present.account.valid_since {
                continue;
            }
            if let Some(known) = remembered.iter_mut().find(|(known, ..)| *known == id) {
                known.2 = known.2.max(ends);
                continue;
            }
            let client = self.parts.tokens.registry.client(&id).await?;
            let name = client.map_or_else(|| id.clone(), |client| client.name);
            remembered.push((id, name, ends));
        }
        let row = |session: crate::smart::Session| SessionRow {
            current: session.id == present.session.id,
            since: session.signed_in(),
            id: session.id,
            address: session.address,
            browser: session.browser,
        };
        let sessions = self.parts.people.sessions(username, now).await?;
        Ok(HomePage {
            name: present.account.name.clone(),
            username: username.clone(),
            apps,
            remembered,
            sessions: sessions.into_iter().map(|held| row(held.value)).collect(),
            two_factor: present.account.totp.is_some(),
            passkeys: present.account.passkeys.iter().map(|one| (one.id.clone(), one.name.clone(), Instant(one.made))).collect(),
            ended,
        })
    }

    /// Takes back what was allowed: on the next request its tokens count no more.
    pub async fn take_back(&self, authorization: &str, browser: &Browser) -> Turn {
        let now = self.parts.clock.now();
        let done = async {
            let Some(present) = self.whole(browser, now).await? else { return Ok(Step::Go("/sign-in".to_owned()).into()) };
            let held = self.state().find::<Authorization>(authorization, now).await?;
            let own = held.filter(|held| held.value.username == present.account.username);
            if let Some(held) = own {
                self.parts.tokens.end(&held.id, "user", now).await?;
                self.forget_consents(&present.account.username, &held.value.client, now).await?;
                let patient = held.value.context.patient();
                let entry = SignOnEntry {
                    word: "ended",
                    who: Some(&present.account),
                    client: &held.value.client,
                    patient: patient.as_ref(),
                    ..SignOnEntry::default()
                };
                self.enter(entry, browser, now).await?;
                let client = self.parts.tokens.registry.client(&held.value.client).await?;
                let name = client.map_or(held.value.client, |client| client.name);
                return Ok(Step::Home(Box::new(self.home_page(&present, Some(name), now).await?)).into());
            }
            Ok(Step::Go("/account".to_owned()).into())
        };
        done.await.unwrap_or_else(|halt: Halt| halt.shown(browser))
    }

    /// Ends a session of the person's own.
    pub async fn sign_out_there(&self, session: &str, browser: &Browser) -> Turn {
        let now = self.parts.clock.now();
        let done = async {
            if let Some(present) = self.whole(browser, now).await? {
                self.end_session(&present, session, browser, now).await?;
            }
            Ok(Step::Go("/account".to_owned()).into())
        };
        done.await.unwrap_or_else(|halt: Halt| halt.shown(browser))
    }

    /// The page on which a phone is taken into use, with a new secret.
    pub async fn phone_page(&self, browser: &Browser) -> Turn {
        let now = self.parts.clock.now();
        let shown = async {
            let Some(present) = self.whole(browser, now).await? else { return Ok(Step::Go("/sign-in".to_owned()).into()) };
            let secret = totp::secret()?;
            Ok(Step::Phone(Box::new(Self::phone(&present, secret, None))).into())
        };
        shown.await.unwrap_or_else(|halt: Halt| halt.shown(browser))
    }

    fn phone(present: &Present, secret: String, fault: Option<PeopleFault>) -> PhonePage {
        let uri = totp::key_uri(&secret, "Amanat", &present.account.username);
        PhonePage { secret, uri, recovery: Vec::new(), fault }
    }

    /// Takes a phone into use, when it shows the right code.
    pub async fn enrol_phone(&self, secret: &str, code: &str, browser: &Browser) -> Turn {
        let now = self.parts.clock.now();
        let done = async {
            let Some(present) = self.whole(browser, now).await? else { return Ok(Step::Go("/sign-in".to_owned()).into()) };
            match self.parts.people.enrol(&present.account.username, secret, code, now).await {
                Ok(recovery) => {
                    self.note_about(crate::audit::Event::Registry("user-changed"), &present.account.username).await;
                    let cookie = self.stronger(&present, browser, now).await?;
                    let page = PhonePage { recovery, ..Self::phone(&present, String::new(), None) };
                    Ok(Turn { step: Step::Phone(Box::new(page)), session: Some(Some(cookie)) })
                }
                Err(PeopleFault::Store(fault)) => Err(fault.into()),
                Err(fault) => Ok(Step::Phone(Box::new(Self::phone(&present, secret.to_owned(), Some(fault)))).into()),
            }
        };
        done.await.unwrap_or_else(|halt: Halt| halt.shown(browser))
    }

    /// Who has just shown their phone need not show it again.
    async fn stronger(&self, present: &Present, browser: &Browser, now: Instant) -> Result<String, Halt> {
        let ways: (&str, &[&str]) = (crate::smart::ACR_TWO_FACTOR, &["pwd", "otp", "mfa"]);
        let whence = browser.whence();
        let begun = self.parts.people.begin(&present.account, ways, &whence, Some(present), now);
        begun.await.map_err(|_| Halt::Away)
    }
}
