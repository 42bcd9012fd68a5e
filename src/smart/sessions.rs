//! The sessions of the people who sign in at the gateway itself: each is known by a cookie, of which the store keeps the hash.

use super::account::{ACR_PASSWORD, Account, SESSION_LIFE, Session};
use super::launch::Launch;
use super::people::{People, PeopleFault};
use super::secret;
use super::state::{Held, Kind};
use super::store::ClientStoreError;
use crate::fhir::Instant;

/// Somebody signed in, found by their cookie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Present {
    /// The key of the session.
    pub key: String,
    /// The session.
    pub session: Session,
    /// Who.
    pub account: Account,
}

impl Present {
    /// Has the password been given, and the code of the second factor not yet?
    pub fn is_half(&self) -> bool {
        self.account.totp.is_some() && self.session.acr == ACR_PASSWORD
    }
}

/// From where somebody signs in.
#[derive(Debug, Clone, Default)]
pub struct Whence {
    /// Network address.
    pub address: String,
    /// `User-Agent`
    pub browser: String,
}

impl People {
    /// Begins a session; the cookie. The session of an old cookie ends, so that its name is new after each sign-in.
    ///
    /// # Errors
    /// [`PeopleFault::Store`]
    pub async fn begin(
        &self,
        account: &Account,
        (acr, amr): (&str, &[&str]),
        from: &Whence,
        old: Option<&Present>,
        now: Instant,
    ) -> Result<String, PeopleFault> {
        let cookie = secret::random()?;
        let session = Session {
            username: account.username.clone(),
            id: uuid::Uuid::new_v4().simple().to_string(),
            signed_in: now.0,
            acr: acr.to_owned(),
            amr: amr.iter().map(|&way| way.to_owned()).collect(),
            ends: now.plus_seconds(SESSION_LIFE).0,
            address: from.address.clone(),
            browser: from.browser.chars().take(200).collect(),
        };
        self.state().add(&secret::kept(&cookie), &session, now).await?;
        if let Some(old) = old {
            self.state().remove(Kind::Session, &old.key).await?;
        }
        Ok(cookie)
    }

    /// Who is behind a cookie. Nobody, when the session has ended, or the person is locked out or has cut everything off since.
    ///
    /// # Errors
    /// [`ClientStoreError`]
    pub async fn present(&self, cookie: &str, now: Instant) -> Result<Option<Present>, ClientStoreError> {
        let key = secret::kept(cookie);
        let Some(session) = self.state().find::<Session>(&key, now).await? else { return Ok(None) };
        let account = self.state().find::<Account>(&session.value.username, now).await?;
        let account = account.map(|held| held.value).filter(|one| !one.disabled && one.valid_since <= session.value.signed_in);
        Ok(account.map(|account| Present { key, session: session.value, account }))
    }

    /// The sessions of a person: their keys and themselves.
    ///
    /// # Errors
    /// [`ClientStoreError`]
    pub async fn sessions(&self, username: &str, now: Instant) -> Result<Vec<Held<Session>>, ClientStoreError> {
        self.state().list(Some(username), now).await
    }

    /// Ends the session of this name, or all of a person.
    ///
    /// # Errors
    /// [`ClientStoreError`]
    pub async fn end_sessions(&self, username: &str, name: Option<&str>, now: Instant) -> Result<(), ClientStoreError> {
        for held in self.sessions(username, now).await? {
            if name.is_none_or(|name| name == held.value.id) {
                self.state().remove(Kind::Session, &held.id).await?;
                for launch in self.state().list::<Launch>(Some(&held.value.id), now).await? {
                    self.state().remove(Kind::Launch, &launch.id).await?;
                }
            }
        }
        Ok(())
    }
}
