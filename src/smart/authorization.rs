//! What a person allowed an app: the source of access tokens, refresh tokens and the app's entry on the page of connected apps.

use super::issue::SignedIn;
use super::launch::Context;
use super::secret;
use super::state::{Kind, Stored};
use crate::fhir::{Instant, Key};
use serde::{Deserialize, Serialize};

/// How long a refresh token for offline use holds after its last use, in seconds: beyond the three months that ONC asks for.
pub const OFFLINE_LIFE: i64 = 100 * 24 * 3600;

/// Seconds in which the refresh token before the current one still gives the current one, for an answer that was lost on its way.
pub const GRACE: i64 = 60;

/// Spent refresh tokens that are remembered, to tell that one was stolen.
const REMEMBERED: usize = 60;

/// How long it lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Lasting {
    /// As long as its one access token.
    Once,
    /// While the user is signed in (`online_access`).
    Online,
    /// Until somebody ends it (`offline_access`).
    Offline,
}

/// What a person allowed an app.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Authorization {
    /// Who, by their username.
    pub username: String,
    /// `sub`
    pub subject: String,
    /// `fhirUser`: `Type/id`.
    pub user: String,
    /// What people call them.
    pub name: String,
    /// Which app.
    pub client: String,
    /// What was granted.
    pub scope: String,
    /// The context of the launch.
    pub context: Context,
    /// For which purposes.
    #[serde(default)]
    pub purposes: Vec<String>,
    /// The organization acted for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organization: Option<String>,
    /// Role words of the user.
    #[serde(default)]
    pub roles: Vec<String>,
    /// When and how they signed in.
    pub sign_in: SignedIn,
    /// The session in which they did, by its name.
    pub session: String,
    /// The key of that session.
    pub session_key: String,
    /// `nonce` of the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<String>,
    /// How long it lasts.
    pub lasting: Lasting,
    /// The key that the refresh tokens of a public app are bound to: its thumbprint (RFC 9449 § 5).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The refresh tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh: Option<Refresh>,
    /// When it was given, in milliseconds.
    pub given: i64,
    /// When it was last used, in milliseconds.
    pub used: i64,
    /// When it ends, in milliseconds.
    pub ends: i64,
}

/// The refresh tokens of an authorization: digests only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refresh {
    /// Of the current one.
    pub current: String,
    /// Of those before, the newest last.
    pub spent: Vec<String>,
    /// When the current one came to be, in milliseconds.
    pub since: i64,
}

impl Stored for Authorization {
    const KIND: Kind = Kind::Authorization;

    fn owner(&self) -> &str {
        &self.username
    }

    fn expires(&self) -> Instant {
        Instant(self.ends)
    }
}

impl Authorization {
    /// `fhirUser`
    pub fn user(&self) -> Option<Key> {
        Key::parse(&self.user)
    }

    /// Was this scope granted?
    pub fn has(&self, scope: &str) -> bool {
        self.scope.split(' ').any(|granted| granted == scope)
    }
}

/// A refresh token: the name of its authorization, and a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RefreshToken {
    pub(super) authorization: String,
    secret: String,
}

/// What a refresh token is to its authorization.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Presented {
    /// The current one.
    Current,
    /// The one before, within the grace.
    Lost,
    /// One that was spent before: somebody has a copy.
    Reused,
    /// Not one of its own.
    Foreign,
}

impl RefreshToken {
    /// The first one of an authorization.
    pub(super) fn first(authorization: &str) -> Result<Self, secret::NoRandomness> {
        Ok(Self { authorization: authorization.to_owned(), secret: secret::random()? })
    }

    /// Reads one; `None` when it has not the form.
    pub(super) fn read(text: &str) -> Option<Self> {
        let (authorization, secret) = text.split_once('.')?;
        let fits = authorization.len() <= 64 && secret.len() == 43;
        fits.then(|| Self { authorization: authorization.to_owned(), secret: secret.to_owned() })
    }

    /// As the app holds it.
    pub(super) fn to_text(&self) -> String {
        format!("{}.{}", self.authorization, self.secret)
    }

    /// What is kept of it.
    pub(super) fn kept(&self) -> String {
        secret::kept(&self.secret)
    }

    /// The one that follows it: always the same, so that who did not get the answer gets the same one again, and nobody without the
    /// token and the key can tell it.
    pub(super) fn next(&self, key: &[u8]) -> Self {
        let secret = secret::mac(key, &format!("{}\n{}", self.authorization, self.secret));
        Self { authorization: self.authorization.clone(), secret }
    }

    /// What it is to an authorization now.
    pub(super) fn presented(&self, refresh: &Refresh, now: Instant) -> Presented {
        let kept = self.kept();
        if secret::equal(&kept, &refresh.current) {
            return Presented::Current;
        }
        let before = refresh.spent.last().is_some_and(|last| secret::equal(&kept, last));
        if before && now <= Instant(refresh.since).plus_seconds(GRACE) {
            return Presented::Lost;
        }
        if refresh.spent.contains(&kept) { Presented::Reused } else { Presented::Foreign }
    }
}

impl Refresh {
    /// With this token as the current one.
    pub(super) fn of(token: &RefreshToken, now: Instant) -> Self {
        Self { current: token.kept(), spent: Vec::new(), since: now.0 }
    }

    /// Puts another in its place.
    pub(super) fn rotate(&mut self, next: &RefreshToken, now: Instant) {
        let old = std::mem::replace(&mut self.current, next.kept());
        self.spent.push(old);
        let beyond = self.spent.len().saturating_sub(REMEMBERED);
        self.spent.drain(..beyond);
        self.since = now.0;
    }
}

/// An authorization code, until it is exchanged (RFC 6749 § 4.1.2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Code {
    /// `redirect_uri` of the request.
    pub redirect_uri: String,
    /// `code_challenge` (S256).
    pub challenge: String,
    /// The thumbprint of the key that must prove itself at the token endpoint (`dpop_jkt`, RFC 9449 § 10).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dpop_jkt: Option<String>,
    /// What it is exchanged for.
    pub authorization: Authorization,
    /// When it was given out, in milliseconds.
    pub given: i64,
    /// The name of the authorization that it was exchanged for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used: Option<String>,
}

/// Seconds in which a code can be exchanged.
pub const CODE_LIFE: i64 = 60;

/// Seconds in which a second use of a code is noticed.
const CODE_REMEMBERED: i64 = 3600;

impl Stored for Code {
    const KIND: Kind = Kind::Code;

    fn owner(&self) -> &str {
        &self.authorization.client
    }

    fn expires(&self) -> Instant {
        Instant(self.given).plus_seconds(CODE_REMEMBERED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Instant = Instant(1_800_000_000_000);
    const KEY: &[u8] = b"key";

    #[test]
    fn r5_a_lost_answer_is_given_again_and_an_old_token_tells_of_a_thief() {
        let first = RefreshToken::first("a1").unwrap();
        assert_eq!(RefreshToken::read(&first.to_text()).as_ref(), Some(&first));
        let mut refresh = Refresh::of(&first, NOW);
        assert_eq!(first.presented(&refresh, NOW), Presented::Current);
        let second = first.next(KEY);
        refresh.rotate(&second, NOW);
        assert_eq!(first.next(KEY), second, "whoever repeats the request gets the same");
        assert_eq!(first.presented(&refresh, NOW.plus_seconds(GRACE)), Presented::Lost);
        assert_eq!(first.presented(&refresh, NOW.plus_seconds(GRACE + 1)), Presented::Reused);
        refresh.rotate(&second.next(KEY), NOW);
        assert_eq!(first.presented(&refresh, NOW), Presented::Reused);
        assert_eq!(RefreshToken::first("a1").unwrap().presented(&refresh, NOW), Presented::Foreign);
        assert_ne!(first.next(b"other"), second);
        for wrong in ["", "a1", "a1.", ".short", "a1.b"] {
            assert_eq!(RefreshToken::read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_is_kept_of_spent_tokens_is_bounded() {
        let mut token = RefreshToken::first("a1").unwrap();
        let mut refresh = Refresh::of(&token, NOW);
        for _ in 0..200 {
            token = token.next(KEY);
            refresh.rotate(&token, NOW);
        }
        assert_eq!(refresh.spent.len(), REMEMBERED);
        assert_eq!(token.presented(&refresh, NOW), Presented::Current);
    }
}
