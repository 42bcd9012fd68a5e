//! The calls of the command line about people who sign in.

use super::desk::{Desk, failed};
use super::screen::Failure;
use crate::audit::Event;
use crate::smart::{Account, Authorization, PeopleFault};

impl Desk {
    /// Adds a person.
    ///
    /// # Errors
    /// When the username is taken.
    pub(super) async fn add_user(&self, account: &Account) -> Result<(), Failure> {
        self.parts.people.add(account, self.now()).await.map_err(told)?;
        self.parts.gateway.note_about(Event::Registry("user-added"), &account.username).await;
        Ok(())
    }

    /// Every person, by username.
    pub(super) async fn list_users(&self) -> Result<Vec<Account>, Failure> {
        self.parts.people.list(self.now()).await.map_err(failed)
    }

    /// Locks a person out, or lets them in again. What apps hold of theirs ends with them.
    pub(super) async fn lock_user(&self, username: &str, out: bool) -> Result<(), Failure> {
        let now = self.now();
        if !self.parts.people.set_disabled(username, out, now).await.map_err(failed)? {
            return Err(Failure::Failed(format!("there is no user `{username}`")));
        }
        if out {
            self.end_authorizations(username).await?;
        }
        let word = if out { "user-disabled" } else { "user-enabled" };
        self.parts.gateway.note_about(Event::Registry(word), username).await;
        Ok(())
    }

    async fn end_authorizations(&self, username: &str) -> Result<(), Failure> {
        let (now, state) = (self.now(), self.parts.people.state());
        let username = username.trim().to_lowercase();
        for held in state.list::<Authorization>(Some(&username), now).await.map_err(failed)? {
            self.parts.gateway.end_authorization(&held.id, "user-disabled").await.map_err(failed)?;
        }
        Ok(())
    }

    /// A link by which a person chooses a password.
    pub(super) async fn setup_link(&self, username: &str) -> Result<String, Failure> {
        let token = self.parts.people.invite(username, self.now()).await.map_err(told)?;
        self.parts.gateway.note_about(Event::Registry("user-changed"), username).await;
        Ok(format!("{}/set-up?token={token}", self.origin))
    }

    /// Gives a person this password.
    pub(super) async fn set_password(&self, username: &str, password: &str) -> Result<(), Failure> {
        self.parts.people.set_password(username, password, self.now()).await.map_err(told)
    }

    /// Gives up a person's second factor.
    pub(super) async fn forget_phone(&self, username: &str) -> Result<(), Failure> {
        let username = username.trim().to_lowercase();
        if !self.parts.people.forget_second_factor(&username, self.now()).await.map_err(failed)? {
            return Err(Failure::Failed(format!("`{username}` has no second factor, or there is no such user")));
        }
        self.parts.gateway.note_about(Event::Registry("user-changed"), &username).await;
        Ok(())
    }
}

fn told(fault: PeopleFault) -> Failure {
    match fault {
        PeopleFault::Store(fault) => failed(fault),
        fault => Failure::Failed(fault.to_string()),
    }
}
