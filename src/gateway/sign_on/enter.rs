//! Sign-in and sign-out.

use super::proceed::UnderWay;
use super::{AppView, Browser, Gateway, Halt, SetUpPage, SignInPage, SignOnEntry, Step, Turn};
use crate::fhir::{Instant, Outcome};
use crate::smart::{ACR_PASSWORD, Authorization, Lasting, PendingRequest, PeopleFault, Present};

impl Gateway {
    /// The page of sign-in, for who comes without an app.
    pub async fn sign_in_page_alone(&self, browser: &Browser) -> Turn {
        match self.present(browser, self.parts.clock.now()).await {
            Ok(Some(present)) if !present.is_half() => Step::Go("/account".to_owned()).into(),
            Ok(Some(_)) => Step::Code(SignInPage::default()).into(),
            Ok(None) => Step::SignIn(SignInPage::default()).into(),
            Err(fault) => Halt::from(fault).shown(browser),
        }
    }

    /// Username and password.
    pub async fn sign_in(&self, request: Option<&str>, username: &str, password: &str, browser: &Browser) -> Turn {
        let now = self.parts.clock.now();
        let signed = async {
            self.throttle(browser, now)?;
            let under_way = self.maybe_request(request, now).await?;
            match self.parts.people.prove(username, password, now).await {
                Ok(account) => {
                    let old = self.present(browser, now).await?;
                    let whence = browser.whence();
                    let begun = self.parts.people.begin(&account, (ACR_PASSWORD, &["pwd"]), &whence, old.as_ref(), now);
                    let cookie = begun.await.map_err(|_| Halt::Away)?;
                    let whole = account.totp.is_none();
                    let reason = if whole { "" } else { "password" };
                    let entry = SignOnEntry { word: "login", who: Some(&account), reason, ..SignOnEntry::default() };
                    self.enter(entry, browser, now).await?;
                    self.begun_for(under_way.as_ref(), &cookie, now).await?;
                    Ok(Turn { step: onward(request), session: Some(Some(cookie)) })
                }
                Err(PeopleFault::Store(fault)) => Err(fault.into()),
                Err(fault) => {
                    self.failed(username, &fault, under_way.as_ref(), browser, now).await?;
                    let page = SignInPage { username: username.to_owned(), fault: Some(fault), ..page(under_way) };
                    Ok(Step::SignIn(page).into())
                }
            }
        };
        signed.await.unwrap_or_else(|halt: Halt| halt.shown(browser))
    }

    /// The code of the phone, or a recovery code.
    pub async fn second_factor(&self, request: Option<&str>, code: &str, browser: &Browser) -> Turn {
        let now = self.parts.clock.now();
        let signed = async {
            self.throttle(browser, now)?;
            let under_way = self.maybe_request(request, now).await?;
            let Some(half) = self.present(browser, now).await?.filter(Present::is_half) else {
                return Ok(onward(request).into());
            };
            match self.parts.people.second_factor(&half, code, &browser.whence(), now).await {
                Ok(cookie) => {
                    let entry = SignOnEntry { word: "login", who: Some(&half.account), ..SignOnEntry::default() };
                    self.enter(entry, browser, now).await?;
                    self.begun_for(under_way.as_ref(), &cookie, now).await?;
                    Ok(Turn { step: onward(request), session: Some(Some(cookie)) })
                }
                Err(PeopleFault::Store(fault)) => Err(fault.into()),
                Err(fault) => {
                    self.failed(&half.account.username, &fault, under_way.as_ref(), browser, now).await?;
                    Ok(Step::Code(SignInPage { fault: Some(fault), ..page(under_way) }).into())
                }
            }
        };
        signed.await.unwrap_or_else(|halt: Halt| halt.shown(browser))
    }

    /// Notes that somebody signed in for this very request: it asks nobody twice.
    pub(super) async fn begun_for(&self, under_way: Option<&UnderWay>, cookie: &str, now: Instant) -> Result<(), Halt> {
        let (Some(under_way), Some(present)) = (under_way, self.parts.people.present(cookie, now).await?) else { return Ok(()) };
        let noted = self.state().update::<PendingRequest>(&under_way.held.id, now, |pending| {
            pending.session = Some(present.session.id.clone());
            true
        });
        noted.await.map(drop).map_err(Halt::from)
    }

    async fn failed(
        &self,
        username: &str,
        fault: &PeopleFault,
        under_way: Option<&UnderWay>,
        browser: &Browser,
        now: Instant,
    ) -> Result<(), Halt> {
        let known = self.parts.people.find(username, now).await?.map(|held| held.value);
        let reason = match fault {
            PeopleFault::Closed => "sign-in:closed",
            PeopleFault::WrongCode => "sign-in:code",
            _ => "sign-in:wrong",
        };
        let entry = SignOnEntry {
            word: "login",
            who: known.as_ref(),
            client: under_way.map(|under_way| under_way.client.id.as_str()).unwrap_or_default(),
            outcome: Outcome::Serious,
            reason,
            ..SignOnEntry::default()
        };
        self.enter(entry, browser, now).await
    }

    pub(super) async fn maybe_request(&self, request: Option<&str>, now: Instant) -> Result<Option<UnderWay>, Halt> {
        match request {
            Some(handle) => self.request(handle, now).await.map(Some),
            None => Ok(None),
        }
    }

    /// Signs out: the session ends, its launches, and what apps may only while it lasts.
    pub async fn sign_out(&self, browser: &Browser) -> Turn {
        let now = self.parts.clock.now();
        let signed = async {
            if let Some(present) = self.present(browser, now).await? {
                self.end_session(&present, &present.session.id, browser, now).await?;
            }
            Ok(Turn { step: Step::Go("/sign-in".to_owned()), session: Some(None) })
        };
        signed.await.unwrap_or_else(|halt: Halt| halt.shown(browser))
    }

    /// Ends a session of a person, by its name.
    pub(super) async fn end_session(&self, who: &Present, name: &str, browser: &Browser, now: Instant) -> Result<(), Halt> {
        let username = &who.account.username;
        self.parts.people.end_sessions(username, Some(name), now).await?;
        for held in self.state().list::<Authorization>(Some(username), now).await? {
            if held.value.session == name && held.value.lasting != Lasting::Offline {
                self.parts.tokens.end(&held.id, "signed-out", now).await?;
            }
        }
        let entry = SignOnEntry { word: "logout", who: Some(&who.account), ..SignOnEntry::default() };
        self.enter(entry, browser, now).await
    }

    /// The page behind the link that an operator gave somebody.
    pub async fn set_up_page(&self, token: &str, browser: &Browser) -> Turn {
        match self.parts.people.invited(token, self.parts.clock.now()).await {
            Ok(Some(username)) => Step::SetUp(SetUpPage { token: token.to_owned(), username, fault: None }).into(),
            Ok(None) => Halt::Wrong(400, "link-over", LINK_OVER.to_owned()).shown(browser),
            Err(fault) => Halt::from(fault).shown(browser),
        }
    }

    /// Somebody chose a password behind their link.
    pub async fn set_up(&self, token: &str, password: &str, browser: &Browser) -> Turn {
        let now = self.parts.clock.now();
        let done = async {
            self.throttle(browser, now)?;
            let username = self.parts.people.invited(token, now).await?;
            let username = username.ok_or_else(|| Halt::Wrong(400, "link-over", LINK_OVER.to_owned()))?;
            match self.parts.people.accept(token, password, now).await {
                Ok(username) => {
                    self.note_about(crate::audit::Event::Registry("user-changed"), &username).await;
                    Ok(Step::Go("/sign-in".to_owned()).into())
                }
                Err(PeopleFault::Store(fault)) => Err(fault.into()),
                Err(fault) => Ok(Step::SetUp(SetUpPage { token: token.to_owned(), username, fault: Some(fault) }).into()),
            }
        };
        done.await.unwrap_or_else(|halt: Halt| halt.shown(browser))
    }
}

const LINK_OVER: &str = "This link was used already, or is older than half an hour. Ask for a new one.";

pub(super) fn onward(request: Option<&str>) -> Step {
    Step::Go(request.map_or_else(|| "/account".to_owned(), |handle| format!("/authorize/continue?request={handle}")))
}

pub(super) fn page(under_way: Option<UnderWay>) -> SignInPage {
    let (request, app): (Option<String>, Option<AppView>) = under_way.map(|one| (one.handle, one.app)).unzip();
    SignInPage { request, app, ..SignInPage::default() }
}
