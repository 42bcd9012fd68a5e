//! The people who sign in at the gateway itself: their accounts, and how they prove who they are.

use super::account::{Account, INVITATION_LIFE, Invitation, folded};
use super::password::{self, PasswordFault};
use super::seal::Seal;
use super::secret;
use super::state::{Held, Kind, State};
use super::store::ClientStoreError;
use crate::fhir::Instant;
use std::collections::HashSet;
use std::sync::Arc;

/// The people, over the store.
#[derive(Clone)]
pub struct People {
    state: State,
    /// Passwords that the site refuses, in lower case.
    refused: Arc<HashSet<String>>,
    /// Seals what must be readable again.
    pub(super) seal: Option<Arc<Seal>>,
}

/// Why somebody is not signed in, or a change is not made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PeopleFault {
    /// Username or password are wrong: it is not told which.
    #[error("The username or the password is wrong.")]
    Wrong,
    /// The one-time code is wrong.
    #[error("The code is wrong or was used already.")]
    WrongCode,
    /// A passkey is not taken; one word for the trail.
    #[error("The passkey was not accepted.")]
    Passkey(&'static str),
    /// Too many failures.
    #[error("Too many attempts. Try again in a few minutes.")]
    Closed,
    /// A username that is taken, or can be none.
    #[error("{0}")]
    Account(String),
    /// A password that is not taken.
    #[error(transparent)]
    Password(#[from] PasswordFault),
    /// The store failed.
    #[error("Nothing could be looked up. Try again later.")]
    Store(#[from] ClientStoreError),
}

impl From<secret::NoRandomness> for PeopleFault {
    fn from(fault: secret::NoRandomness) -> Self {
        Self::Store(ClientStoreError(fault.to_string()))
    }
}

impl People {
    /// Over a store; `refused` are passwords that the site refuses beside the common ones.
    pub fn new(state: State, refused: Vec<String>) -> Self {
        Self { state, refused: Arc::new(refused.into_iter().collect()), seal: None }
    }

    /// Keeps what must be readable again under this seal.
    #[must_use]
    pub fn sealing(self, seal: Seal) -> Self {
        Self { seal: Some(Arc::new(seal)), ..self }
    }

    /// The documents, for those that belong to nobody here.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The account of a username.
    ///
    /// # Errors
    /// [`ClientStoreError`]
    pub async fn find(&self, username: &str, now: Instant) -> Result<Option<Held<Account>>, ClientStoreError> {
        match folded(username) {
            Some(username) => self.state.find(&username, now).await,
            None => Ok(None),
        }
    }

    /// Every account, by username.
    ///
    /// # Errors
    /// [`ClientStoreError`]
    pub async fn list(&self, now: Instant) -> Result<Vec<Account>, ClientStoreError> {
        Ok(self.state.list::<Account>(None, now).await?.into_iter().map(|held| held.value).collect())
    }

    /// Adds a person.
    ///
    /// # Errors
    /// [`PeopleFault::Account`] when the username is taken.
    pub async fn add(&self, account: &Account, now: Instant) -> Result<(), PeopleFault> {
        if self.state.add(&account.username, account, now).await? {
            return Ok(());
        }
        Err(PeopleFault::Account(format!("There is a user `{}` already.", account.username)))
    }

    /// Locks a person out, or lets them in again; false when there is none. Their sessions end.
    ///
    /// # Errors
    /// [`ClientStoreError`]
    pub async fn set_disabled(&self, username: &str, disabled: bool, now: Instant) -> Result<bool, ClientStoreError> {
        let Some(username) = folded(username) else { return Ok(false) };
        let changed = self.state.update::<Account>(&username, now, |account| {
            account.disabled = disabled;
            account.succeeded();
            true
        });
        let found = changed.await?.is_some();
        if disabled {
            self.end_sessions(&username, None, now).await?;
        }
        Ok(found)
    }

    /// Gives a person another password. Their sessions end, and what was allowed before counts no more.
    ///
    /// # Errors
    /// [`PeopleFault::Password`] when it is not to be taken, [`PeopleFault::Account`] when there is no such person.
    pub async fn set_password(&self, username: &str, password: &str, now: Instant) -> Result<(), PeopleFault> {
        password::judged(password, username, &self.refused)?;
        let kept = hashed(password).await?;
        let changed = self.state.update::<Account>(username, now, |account| {
            account.password = Some(kept.clone());
            account.valid_since = now.0;
            account.succeeded();
            true
        });
        changed.await?.ok_or_else(|| PeopleFault::Account(format!("There is no user `{username}`.")))?;
        Ok(self.end_sessions(username, None, now).await?)
    }

    /// A link's secret by which a person chooses how to sign in, once and soon.
    ///
    /// # Errors
    /// [`PeopleFault::Account`] when there is no such person.
    pub async fn invite(&self, username: &str, now: Instant) -> Result<String, PeopleFault> {
        let found = self.find(username, now).await?;
        let account = found.ok_or_else(|| PeopleFault::Account(format!("There is no user `{username}`.")))?.value;
        let shown = secret::random()?;
        let invitation = Invitation { username: account.username, ends: now.plus_seconds(INVITATION_LIFE).0 };
        self.state.add(&secret::kept(&shown), &invitation, now).await?;
        Ok(shown)
    }

    /// Whom a link is for, as long as it was not used.
    ///
    /// # Errors
    /// [`ClientStoreError`]
    pub async fn invited(&self, shown: &str, now: Instant) -> Result<Option<String>, ClientStoreError> {
        Ok(self.state.find::<Invitation>(&secret::kept(shown), now).await?.map(|held| held.value.username))
    }

    /// Uses a link up: the person has this password from now on.
    ///
    /// # Errors
    /// [`PeopleFault::Wrong`] for a link that is used or over; [`PeopleFault::Password`], which leaves it usable.
    pub async fn accept(&self, shown: &str, password: &str, now: Instant) -> Result<String, PeopleFault> {
        let username = self.invited(shown, now).await?.ok_or(PeopleFault::Wrong)?;
        password::judged(password, &username, &self.refused)?;
        if !self.state.remove(Kind::Invitation, &secret::kept(shown)).await? {
            return Err(PeopleFault::Wrong);
        }
        self.set_password(&username, password, now).await?;
        Ok(username)
    }

    /// Looks at a username and a password. An unknown username takes as long as a known one.
    ///
    /// # Errors
    /// [`PeopleFault::Wrong`] or [`PeopleFault::Closed`].
    pub async fn prove(&self, username: &str, password: &str, now: Instant) -> Result<Account, PeopleFault> {
        let found = self.find(username, now).await?.map(|held| held.value);
        if found.as_ref().is_some_and(|account| account.is_closed(now)) {
            return Err(PeopleFault::Closed);
        }
        let kept = found.as_ref().and_then(|account| account.password.clone());
        let right = password.len() <= password::LONGEST && matches(password, kept).await;
        let Some(account) = found else { return Err(PeopleFault::Wrong) };
        if !right {
            self.count_failure(&account.username, now).await?;
            return Err(PeopleFault::Wrong);
        }
        if account.disabled {
            return Err(PeopleFault::Wrong);
        }
        // With a second factor the failures count until that is right too.
        if account.totp.is_none() && account.failures > 0 {
            self.forgive(&account.username, now).await?;
        }
        Ok(account)
    }

    pub(super) async fn count_failure(&self, username: &str, now: Instant) -> Result<(), ClientStoreError> {
        let counted = self.state.update::<Account>(username, now, |account| {
            account.failed(now);
            true
        });
        counted.await.map(drop)
    }

    async fn forgive(&self, username: &str, now: Instant) -> Result<(), ClientStoreError> {
        let forgiven = self.state.update::<Account>(username, now, |account| {
            account.succeeded();
            true
        });
        forgiven.await.map(drop)
    }
}

async fn hashed(password: &str) -> Result<String, PasswordFault> {
    let password = password.to_owned();
    let done = tokio::task::spawn_blocking(move || password::hashed(&password)).await;
    done.unwrap_or(Err(PasswordFault::Failed))
}

async fn matches(password: &str, kept: Option<String>) -> bool {
    let password = password.to_owned();
    tokio::task::spawn_blocking(move || password::matches(&password, kept.as_deref())).await.unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fhir::Key;
    use crate::smart::Whence;
    use crate::smart::account::{ACR_PASSWORD, ACR_TWO_FACTOR, SESSION_LIFE};
    use crate::smart::memory::Memory;
    use crate::smart::totp;

    const NOW: Instant = Instant(1_800_000_000_000);
    const PASSWORD: &str = "mango tariq lantern 7";

    async fn clinic() -> People {
        let people = People::new(State::new(Arc::new(Memory::default())), Vec::new());
        let people = people.sealing(Seal::new(&[7; 32]).unwrap());
        let account = Account::new("khan", "A. Khan", &Key::parse("Practitioner/d1").unwrap()).unwrap();
        people.add(&account, NOW).await.unwrap();
        people.set_password("khan", PASSWORD, NOW).await.unwrap();
        people
    }

    #[tokio::test]
    async fn a_password_opens_and_five_wrong_ones_close() {
        let people = clinic().await;
        assert_eq!(people.prove(" KHAN ", PASSWORD, NOW).await.unwrap().username, "khan");
        assert_eq!(people.prove("nobody", PASSWORD, NOW).await, Err(PeopleFault::Wrong));
        for _ in 0..5 {
            assert_eq!(people.prove("khan", "wrong", NOW).await, Err(PeopleFault::Wrong));
        }
        assert_eq!(people.prove("khan", PASSWORD, NOW).await, Err(PeopleFault::Closed));
        assert!(people.prove("khan", PASSWORD, NOW.plus_seconds(31)).await.is_ok());
        assert!(people.set_disabled("khan", true, NOW).await.unwrap());
        assert_eq!(people.prove("khan", PASSWORD, NOW.plus_seconds(31)).await, Err(PeopleFault::Wrong));
    }

    #[tokio::test]
    async fn a_code_of_the_phone_is_good_once_and_so_is_each_recovery_code() {
        let people = clinic().await;
        let shared = totp::secret().unwrap();
        let code = |at| totp::code(&shared, at).unwrap();
        assert_eq!(people.enrol("khan", &shared, "000000x", NOW).await, Err(PeopleFault::WrongCode));
        let recovery = people.enrol("khan", &shared, &code(NOW), NOW).await.unwrap();
        let account = people.prove("khan", PASSWORD, NOW).await.unwrap();
        assert!(!account.totp.as_ref().unwrap().contains(&shared), "sealed at rest");
        let from = Whence::default();
        let half = || async {
            let cookie = people.begin(&account, (ACR_PASSWORD, &["pwd"]), &from, None, NOW).await.unwrap();
            people.present(&cookie, NOW).await.unwrap().unwrap()
        };
        let present = half().await;
        assert!(present.is_half());
        assert_eq!(people.second_factor(&present, &code(NOW), &from, NOW).await, Err(PeopleFault::WrongCode), "used to enrol");
        let later = NOW.plus_seconds(30);
        let cookie = people.second_factor(&present, &code(later), &from, later).await.unwrap();
        let whole = people.present(&cookie, later).await.unwrap().unwrap();
        assert!(!whole.is_half() && whole.session.acr == ACR_TWO_FACTOR && whole.session.id != present.session.id);
        let present = half().await;
        assert!(people.second_factor(&present, &recovery[3], &from, later).await.is_ok());
        assert_eq!(people.second_factor(&half().await, &recovery[3], &from, later).await, Err(PeopleFault::WrongCode));
    }

    #[tokio::test]
    async fn a_link_lets_somebody_choose_a_password_once() {
        let people = clinic().await;
        let link = people.invite("khan", NOW).await.unwrap();
        assert_eq!(people.accept(&link, "password1234", NOW).await, Err(PeopleFault::Password(PasswordFault::Common)));
        assert_eq!(people.accept(&link, "lantern mango rivers 9", NOW).await.unwrap(), "khan");
        assert_eq!(people.accept(&link, "lantern mango rivers 9", NOW).await, Err(PeopleFault::Wrong));
        assert!(people.prove("khan", PASSWORD, NOW).await.is_err());
        let late = people.invite("khan", NOW).await.unwrap();
        assert_eq!(people.invited(&late, NOW.plus_seconds(INVITATION_LIFE)).await.unwrap(), None);
    }

    #[tokio::test]
    async fn another_password_ends_every_session() {
        let people = clinic().await;
        let account = people.prove("khan", PASSWORD, NOW).await.unwrap();
        let cookie = people.begin(&account, (ACR_PASSWORD, &["pwd"]), &Whence::default(), None, NOW).await.unwrap();
        assert!(people.present(&cookie, NOW).await.unwrap().is_some());
        assert!(people.present(&cookie, NOW.plus_seconds(SESSION_LIFE)).await.unwrap().is_none());
        people.set_password("khan", "lantern mango rivers 9", NOW.plus_seconds(1)).await.unwrap();
        assert!(people.present(&cookie, NOW.plus_seconds(2)).await.unwrap().is_none());
    }
}
