//! Ways to sign in without a password of this gateway: a passkey, or a provider of the site.

use super::proceed::UnderWay;
use super::{Browser, Gateway, Halt, PasskeyPage, SignInPage, SignOnEntry, Step, Turn};
use crate::audit::Event;
use crate::fhir::{Instant, Outcome};
use crate::smart::{
    Account, FederationFault, Made, Outbound, PASSKEY_ALGORITHMS, People, PeopleFault, RelyingParty, Used, secret,
};
use serde_json::json;

/// What a browser sends of a passkey that it used.
#[derive(Debug, Clone, Copy, Default)]
pub struct PasskeyUsed<'u> {
    /// What was to be signed.
    pub challenge: &'u str,
    /// The id of the credential.
    pub id: &'u str,
    /// Whose it is, as the authenticator says.
    pub user: &'u str,
    /// `clientDataJSON`
    pub client_data: &'u str,
    /// `authenticatorData`
    pub authenticator_data: &'u str,
    /// The signature.
    pub signature: &'u str,
}

impl Gateway {
    /// Offers on a page of sign-in every way that there is.
    pub fn offer_ways(&self, turn: &mut Turn) {
        if let Step::SignIn(page) = &mut turn.step {
            let provider = |one: &crate::smart::ProviderSettings| (one.id.clone(), one.name.clone());
            page.providers = self.parts.federation.providers.iter().map(provider).collect();
        }
    }

    fn party(&self) -> RelyingParty {
        let back = &self.parts.federation.back;
        let origin = back.strip_suffix(BACK_PATH).unwrap_or(back);
        RelyingParty::at(origin)
    }

    /// What a passkey is to sign, and for whom, as the page's script hands it to the browser.
    pub async fn passkey_challenge(&self, browser: &Browser) -> Turn {
        let now = self.parts.clock.now();
        let told = async {
            self.throttle(browser, now)?;
            let challenge = self.parts.people.challenge(&browser.binding, now).await.map_err(|_| Halt::Away)?;
            let present = self.present(browser, now).await?.filter(|present| !present.is_half());
            let account = present.map(|present| present.account);
            let algorithms = PASSKEY_ALGORITHMS.map(|number| json!({"type": "public-key", "alg": number}));
            let known: Vec<&String> = account.iter().flat_map(|one| one.passkeys.iter().map(|passkey| &passkey.id)).collect();
            let user = account.as_ref().map(|one| json!({"id": one.subject, "name": one.username, "displayName": one.name}));
            let told = json!({
                "challenge": challenge, "rpId": self.party().id, "rpName": self.parts.brand,
                "user": user, "known": known, "algorithms": algorithms,
            });
            Ok(Step::Told(told.to_string()).into())
        };
        told.await.unwrap_or_else(|halt: Halt| halt.shown(browser))
    }

    /// Signs in with a passkey.
    pub async fn sign_in_by_passkey(&self, request: Option<&str>, told: &PasskeyUsed<'_>, browser: &Browser) -> Turn {
        let now = self.parts.clock.now();
        let signed = async {
            self.throttle(browser, now)?;
            let under_way = self.maybe_request(request, now).await?;
            let (client_data, authenticator_data) = (told.client_data, told.authenticator_data);
            let used = Used { id: told.id, client_data, authenticator_data, signature: told.signature };
            let party = self.party();
            let proved = self.parts.people.by_passkey(told.user, (&used, &party), (told.challenge, &browser.binding), now);
            match proved.await {
                Ok(account) => self.begun(&account, People::PASSKEY, request, under_way.as_ref(), browser, now).await,
                Err(PeopleFault::Store(fault)) => Err(fault.into()),
                Err(fault) => {
                    let why = if let PeopleFault::Passkey(why) = fault { why } else { "account" };
                    let reason = format!("sign-in:passkey-{why}");
                    let entry =
                        SignOnEntry { word: "login", outcome: Outcome::Serious, reason: &reason, ..SignOnEntry::default() };
                    self.enter(entry, browser, now).await?;
                    let page = SignInPage { fault: Some(PeopleFault::Passkey(why)), ..super::enter::page(under_way) };
                    Ok(Step::SignIn(page).into())
                }
            }
        };
        signed.await.unwrap_or_else(|halt: Halt| halt.shown(browser))
    }

    /// A session for somebody who has shown who they are.
    async fn begun(
        &self,
        account: &Account,
        ways: (&str, &[&str]),
        request: Option<&str>,
        under_way: Option<&UnderWay>,
        browser: &Browser,
        now: Instant,
    ) -> Result<Turn, Halt> {
        let old = self.present(browser, now).await?;
        let cookie =
            self.parts.people.begin(account, ways, &browser.whence(), old.as_ref(), now).await.map_err(|_| Halt::Away)?;
        let entry = SignOnEntry { word: "login", who: Some(account), reason: ways.0, ..SignOnEntry::default() };
        self.enter(entry, browser, now).await?;
        self.begun_for(under_way, &cookie, now).await?;
        Ok(Turn { step: super::enter::onward(request), session: Some(Some(cookie)) })
    }

    /// The page on which a passkey is made.
    pub async fn passkey_page(&self, browser: &Browser) -> Turn {
        let now = self.parts.clock.now();
        let shown = async {
            let step = match self.present(browser, now).await?.filter(|present| !present.is_half()) {
                Some(_) => Step::Passkey(PasskeyPage::default()),
                None => Step::Go("/sign-in".to_owned()),
            };
            Ok(step.into())
        };
        shown.await.unwrap_or_else(|halt: Halt| halt.shown(browser))
    }

    /// Takes a new passkey into use.
    pub async fn add_passkey(&self, made: &Made<'_>, challenge: &str, name: &str, browser: &Browser) -> Turn {
        let now = self.parts.clock.now();
        let done = async {
            let present = self.present(browser, now).await?.filter(|present| !present.is_half());
            let Some(present) = present else { return Ok(Step::Go("/sign-in".to_owned()).into()) };
            let party = self.party();
            let username = &present.account.username;
            let told = (challenge, browser.binding.as_str(), name);
            match self.parts.people.add_passkey(username, (made, &party), told, now).await {
                Ok(_) => {
                    self.note_about(Event::Registry("user-changed"), username).await;
                    Ok(Step::Go("/account".to_owned()).into())
                }
                Err(PeopleFault::Store(fault)) => Err(fault.into()),
                Err(fault) => Ok(Step::Passkey(PasskeyPage { fault: Some(fault) }).into()),
            }
        };
        done.await.unwrap_or_else(|halt: Halt| halt.shown(browser))
    }

    /// Gives a passkey of the person's own up.
    pub async fn forget_passkey(&self, id: &str, browser: &Browser) -> Turn {
        let now = self.parts.clock.now();
        let done = async {
            if let Some(present) = self.present(browser, now).await?.filter(|present| !present.is_half())
                && self.parts.people.forget_passkey(&present.account.username, id, now).await?
            {
                self.note_about(Event::Registry("user-changed"), &present.account.username).await;
            }
            Ok(Step::Go("/account".to_owned()).into())
        };
        done.await.unwrap_or_else(|halt: Halt| halt.shown(browser))
    }

    /// Sends somebody to a provider of the site.
    pub async fn leave(&self, provider: &str, request: Option<&str>, browser: &Browser) -> Turn {
        let now = self.parts.clock.now();
        let sent = async {
            self.throttle(browser, now)?;
            let federation = &self.parts.federation;
            let unknown = || Halt::Wrong(400, "provider-unknown", "There is no such provider here.".to_owned());
            let provider = federation.named(provider).ok_or_else(unknown)?;
            let under_way = self.maybe_request(request, now).await?;
            let asked = under_way.as_ref().map(|one| &one.held.value.asked);
            let again = asked.is_some_and(|asked| asked.max_age.is_some() || asked.prompt.iter().any(|word| word == "login"));
            let state = secret::random()?;
            let binding = secret::kept(&browser.binding);
            let left = federation.leave(provider, &state, again, (request, &binding), now).await.map_err(away)?;
            let (url, outbound) = left;
            self.state().add(&secret::kept(&state), &outbound, now).await?;
            Ok(Step::Away(url).into())
        };
        sent.await.unwrap_or_else(|halt: Halt| halt.shown(browser))
    }

    /// Somebody comes back from a provider.
    pub async fn arrive(&self, parameters: &[(String, String)], browser: &Browser) -> Turn {
        let now = self.parts.clock.now();
        let arrived = async {
            self.throttle(browser, now)?;
            let told = |name: &str| parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
            let key = secret::kept(told("state").unwrap_or_default());
            let held = self.state().find::<Outbound>(&key, now).await?.map(|held| held.value);
            let own = held.filter(|held| secret::equal(&held.browser, &secret::kept(&browser.binding)));
            let outbound = own.ok_or_else(|| {
                let text = "This sign-in was not begun in this browser, or it took too long. Start again.";
                Halt::Wrong(400, "provider-state", text.to_owned())
            })?;
            if !self.state().remove(crate::smart::Kind::Outbound, &key).await? {
                return Err(Halt::expired());
            }
            let code = told("code").ok_or_else(|| {
                Halt::Wrong(403, "provider-refused", "The provider did not sign you in. Start again.".to_owned())
            })?;
            let stranger = match self.parts.federation.arrive(&outbound, code, told("iss"), now).await {
                Ok(stranger) => stranger,
                Err(fault) => return Err(self.unaccepted(fault, browser, now).await?),
            };
            let takes_on = self.parts.federation.named(&outbound.provider).is_some_and(|provider| provider.takes_on);
            let account = match self.parts.people.from_provider(&stranger, takes_on, now).await {
                Ok(account) => account,
                Err(PeopleFault::Store(fault)) => return Err(fault.into()),
                Err(_) => return Err(self.unaccepted(FederationFault::Nobody("sub".to_owned()), browser, now).await?),
            };
            let request = outbound.request.as_deref();
            let under_way = self.maybe_request(request, now).await?;
            self.begun(&account, People::by_provider(stranger.strong), request, under_way.as_ref(), browser, now).await
        };
        arrived.await.unwrap_or_else(|halt: Halt| halt.shown(browser))
    }

    /// An entry about somebody who did not come in, and what they are shown.
    async fn unaccepted(&self, fault: FederationFault, browser: &Browser, now: Instant) -> Result<Halt, Halt> {
        tracing::warn!(%fault, "nobody came of a sign-in at a provider");
        let reason = match &fault {
            FederationFault::Provider(_) => "sign-in:provider-away",
            FederationFault::Answer(_) => "sign-in:provider-answer",
            FederationFault::Nobody(_) => "sign-in:provider-nobody",
        };
        let entry = SignOnEntry { word: "login", outcome: Outcome::Serious, reason, ..SignOnEntry::default() };
        self.enter(entry, browser, now).await?;
        Ok(away(fault))
    }
}

/// Where providers send people back to.
pub(super) const BACK_PATH: &str = "/sign-in/back";

fn away(fault: FederationFault) -> Halt {
    match fault {
        FederationFault::Provider(why) => {
            tracing::warn!(why, "a provider cannot be used");
            Halt::Wrong(502, "provider-away", "The provider cannot be reached at the moment. Try again later.".to_owned())
        }
        FederationFault::Answer(_) => {
            Halt::Wrong(403, "provider-answer", "The provider's answer could not be accepted. Start again.".to_owned())
        }
        FederationFault::Nobody(_) => {
            let text = "Your provider knows you, but you are not known here. Ask the people who run this server.";
            Halt::Wrong(403, "provider-nobody", text.to_owned())
        }
    }
}
