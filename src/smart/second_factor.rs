//! What people show beside or instead of a password: the code of a phone, a recovery code, a passkey, or that they come from a provider of
//! the site.

use super::account::{ACR_FEDERATED, ACR_PASSKEY, ACR_TWO_FACTOR, Account, recovery_codes};
use super::federation::Stranger;
use super::passkey::{MOST_PASSKEYS, Made, Passkey, RelyingParty, Used};
use super::people::{People, PeopleFault};
use super::sessions::{Present, Whence};
use super::state::{Kind, Stored};
use super::store::ClientStoreError;
use super::{secret, totp};
use crate::fhir::Instant;
use serde::{Deserialize, Serialize};

/// Seconds in which a passkey must answer.
const CHALLENGE_LIFE: i64 = 300;

/// What a passkey is to sign, once, in the browser for which it was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Challenge {
    /// The digest of what only this browser has.
    pub browser: String,
    /// When it ends, in milliseconds.
    pub ends: i64,
}

impl Stored for Challenge {
    const KIND: Kind = Kind::Challenge;

    fn owner(&self) -> &str {
        &self.browser
    }

    fn expires(&self) -> Instant {
        Instant(self.ends)
    }
}

impl People {
    /// Looks at the one-time code, or recovery code, of somebody whose password was right. The session is strong from then on, under a
    /// new cookie.
    ///
    /// # Errors
    /// [`PeopleFault::WrongCode`] or [`PeopleFault::Closed`].
    pub async fn second_factor(&self, half: &Present, code: &str, from: &Whence, now: Instant) -> Result<String, PeopleFault> {
        let username = &half.account.username;
        if half.account.is_closed(now) {
            return Err(PeopleFault::Closed);
        }
        let recovery = secret::kept(&code.trim().to_lowercase());
        let used = self.state().update::<Account>(username, now, |account| {
            let Some(shared) = account.totp.as_ref().and_then(|kept| self.opened(&account.username, kept)) else { return false };
            if let Some(step) = totp::step_of(&shared, code, account.totp_used, now) {
                account.totp_used = step;
            } else if let Some(at) = account.recovery.iter().position(|kept| secret::equal(kept, &recovery)) {
                account.recovery.remove(at);
            } else {
                return false;
            }
            account.succeeded();
            true
        });
        let Some(account) = used.await? else {
            self.count_failure(username, now).await?;
            return Err(PeopleFault::WrongCode);
        };
        self.begin(&account.value, (ACR_TWO_FACTOR, &["pwd", "otp", "mfa"]), from, Some(half), now).await
    }

    /// Takes a second factor into use, once the phone has shown that it has it. Gives recovery codes, which are shown once.
    ///
    /// # Errors
    /// [`PeopleFault::WrongCode`]
    pub async fn enrol(&self, username: &str, shared: &str, code: &str, now: Instant) -> Result<Vec<String>, PeopleFault> {
        let step = totp::step_of(shared, code, 0, now).ok_or(PeopleFault::WrongCode)?;
        let (codes, kept) = recovery_codes()?;
        let sealed = match &self.seal {
            Some(seal) => seal.close(username, shared).ok_or(secret::NoRandomness)?,
            None => shared.to_owned(),
        };
        let enrolled = self.state().update::<Account>(username, now, |account| {
            account.totp = Some(sealed.clone());
            account.totp_used = step;
            account.recovery.clone_from(&kept);
            true
        });
        enrolled.await?.ok_or(PeopleFault::Wrong)?;
        Ok(codes)
    }

    /// Gives the second factor up.
    ///
    /// # Errors
    /// [`ClientStoreError`]
    pub async fn forget_second_factor(&self, username: &str, now: Instant) -> Result<bool, ClientStoreError> {
        let changed = self.state().update::<Account>(username, now, |account| {
            account.recovery.clear();
            account.totp.take().is_some()
        });
        Ok(changed.await?.is_some())
    }

    fn opened(&self, username: &str, kept: &str) -> Option<String> {
        self.seal.as_ref().map_or_else(|| Some(kept.to_owned()), |seal| seal.open(username, kept))
    }

    /// What a passkey is to sign next in this browser.
    ///
    /// # Errors
    /// [`PeopleFault::Store`]
    pub async fn challenge(&self, browser: &str, now: Instant) -> Result<String, PeopleFault> {
        let shown = secret::random()?;
        let challenge = Challenge { browser: secret::kept(browser), ends: now.plus_seconds(CHALLENGE_LIFE).0 };
        self.state().add(&secret::kept(&shown), &challenge, now).await?;
        Ok(shown)
    }

    /// Uses a challenge up; false when it is none of this browser's.
    async fn spent(&self, challenge: &str, browser: &str, now: Instant) -> Result<bool, ClientStoreError> {
        let key = secret::kept(challenge);
        let held = self.state().find::<Challenge>(&key, now).await?;
        let own = held.is_some_and(|held| held.value.browser == secret::kept(browser));
        Ok(own && self.state().remove(Kind::Challenge, &key).await?)
    }

    /// Takes a new passkey into use.
    ///
    /// # Errors
    /// [`PeopleFault::Passkey`] with one word for the trail.
    pub async fn add_passkey(
        &self,
        username: &str,
        (made, party): (&Made<'_>, &RelyingParty),
        (challenge, browser, name): (&str, &str, &str),
        now: Instant,
    ) -> Result<Passkey, PeopleFault> {
        if !self.spent(challenge, browser, now).await? {
            return Err(PeopleFault::Passkey("challenge"));
        }
        let passkey = party.made(made, challenge, name, now.0).map_err(PeopleFault::Passkey)?;
        let taken = |account: &Account| account.passkeys.iter().any(|one| one.id == passkey.id);
        if self.list(now).await?.iter().any(taken) {
            return Err(PeopleFault::Passkey("known"));
        }
        let added = self.state().update::<Account>(username, now, |account| {
            let fits = account.passkeys.len() < MOST_PASSKEYS && !taken(account);
            if fits {
                account.passkeys.push(passkey.clone());
            }
            fits
        });
        added.await?.ok_or(PeopleFault::Passkey("many"))?;
        Ok(passkey)
    }

    /// Gives a passkey up; false when it is none of the person's.
    ///
    /// # Errors
    /// [`ClientStoreError`]
    pub async fn forget_passkey(&self, username: &str, id: &str, now: Instant) -> Result<bool, ClientStoreError> {
        let changed = self.state().update::<Account>(username, now, |account| {
            let before = account.passkeys.len();
            account.passkeys.retain(|one| one.id != id);
            account.passkeys.len() < before
        });
        Ok(changed.await?.is_some())
    }

    /// Whose passkey it is that signed. `subject` is whom the authenticator says that it is of.
    ///
    /// # Errors
    /// [`PeopleFault::Passkey`] with one word for the trail.
    pub async fn by_passkey(
        &self,
        subject: &str,
        (used, party): (&Used<'_>, &RelyingParty),
        (challenge, browser): (&str, &str),
        now: Instant,
    ) -> Result<Account, PeopleFault> {
        if !self.spent(challenge, browser, now).await? {
            return Err(PeopleFault::Passkey("challenge"));
        }
        let found = self.state().list::<Account>(Some(subject), now).await?.into_iter().next();
        let account = found.map(|held| held.value).filter(|account| !account.disabled).ok_or(PeopleFault::Passkey("unknown"))?;
        let passkey = account.passkeys.iter().find(|one| one.id == used.id).ok_or(PeopleFault::Passkey("unknown"))?;
        let counter = party.used(used, passkey, challenge).map_err(PeopleFault::Passkey)?;
        let before = passkey.counter;
        let noted = self.state().update::<Account>(&account.username, now, |account| {
            let Some(one) = account.passkeys.iter_mut().find(|one| one.id == used.id && one.counter == before) else {
                return false;
            };
            (one.counter, one.used) = (counter, now.0);
            account.succeeded();
            true
        });
        let noted = noted.await?.ok_or(PeopleFault::Passkey("cloned"))?;
        Ok(noted.value)
    }

    /// The account of somebody who comes from a provider of the site, brought up to what the provider tells.
    ///
    /// # Errors
    /// [`PeopleFault::Account`] for somebody who is not known and not taken on.
    pub async fn from_provider(&self, stranger: &Stranger, takes_on: bool, now: Instant) -> Result<Account, PeopleFault> {
        let known = self.state().list::<Account>(Some(&stranger.known_as), now).await?.into_iter().next();
        let Some(held) = known else {
            return if takes_on { self.taken_on(stranger, now).await } else { Err(PeopleFault::Wrong) };
        };
        let told = |account: &mut Account| {
            stranger.name.clone_into(&mut account.name);
            account.user = stranger.user.to_string();
            account.patients.clone_from(&stranger.patients);
            account.roles.clone_from(&stranger.roles);
            account.organization.clone_from(&stranger.organization);
            true
        };
        let changed = self.state().update::<Account>(&held.id, now, told).await?;
        let account = changed.map(|held| held.value).filter(|account| !account.disabled);
        account.ok_or(PeopleFault::Wrong)
    }

    async fn taken_on(&self, stranger: &Stranger, now: Instant) -> Result<Account, PeopleFault> {
        let short: String =
            secret::kept(&stranger.known_as).to_lowercase().chars().filter(char::is_ascii_alphanumeric).take(16).collect();
        let username = format!("{}.{short}", stranger.provider);
        let account = Account::new(&username, &stranger.name, &stranger.user);
        let account = account.ok_or_else(|| PeopleFault::Account("This cannot be a user here.".to_owned()))?;
        let account = Account {
            federated: Some(stranger.known_as.clone()),
            patients: stranger.patients.clone(),
            roles: stranger.roles.clone(),
            organization: stranger.organization.clone(),
            ..account
        };
        self.add(&account, now).await?;
        Ok(account)
    }

    /// How strong these ways are.
    pub const PASSKEY: (&'static str, &'static [&'static str]) = (ACR_PASSKEY, &["hwk", "user", "mfa"]);

    /// How strong a sign-in at a provider is, by what the provider says.
    pub const fn by_provider(strong: bool) -> (&'static str, &'static [&'static str]) {
        if strong { (ACR_TWO_FACTOR, &["fed", "mfa"]) } else { (ACR_FEDERATED, &["fed"]) }
    }
}
