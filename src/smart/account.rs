//! People who sign in at the gateway itself, and somebody signed in.

use super::secret;
use super::state::{Kind, NEVER, Stored};
use crate::fhir::{Id, Instant, Key, ResourceType};
use serde::{Deserialize, Serialize};

/// Failures in a row before an account is closed for a while.
const PATIENCE: u32 = 5;

/// The longest that an account is closed after failures, in seconds.
const LONGEST_LOCK: i64 = 900;

/// How long somebody stays signed in, in seconds.
pub const SESSION_LIFE: i64 = 8 * 3600;

/// `acr` of a sign-in with a password alone.
pub const ACR_PASSWORD: &str = "urn:amanat:acr:password";
/// `acr` of a sign-in with a password and a one-time code.
pub const ACR_TWO_FACTOR: &str = "urn:amanat:acr:two-factor";

/// `acr` of a sign-in at another provider that does not say how strong it was.
pub const ACR_FEDERATED: &str = "urn:amanat:acr:federated";
/// `acr` of a sign-in with a passkey that recognized the person.
pub const ACR_PASSKEY: &str = "urn:amanat:acr:passkey";

/// Each `acr`, the weakest first.
pub const ACRS: [&str; 4] = [ACR_FEDERATED, ACR_PASSWORD, ACR_TWO_FACTOR, ACR_PASSKEY];

/// A person with a username of this gateway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// As it is typed, in lower case.
    pub username: String,
    /// `sub`: never changes, says nothing.
    pub subject: String,
    /// What people call them.
    pub name: String,
    /// `fhirUser`: `Type/id`.
    pub user: String,
    /// Ids of the patients that they act for, beside themselves.
    #[serde(default)]
    pub patients: Vec<String>,
    /// Role words, as in `[consent.break_glass] roles`.
    #[serde(default)]
    pub roles: Vec<String>,
    /// The organization that they act for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organization: Option<String>,
    /// Who they are at an OpenID provider: `issuer subject`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub federated: Option<String>,
    /// What is kept of the password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    /// The secret shared with their phone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub totp: Option<String>,
    /// The last step whose code was used.
    #[serde(default)]
    pub totp_used: i64,
    /// Digests of codes for when the phone is lost; each is good once.
    #[serde(default)]
    pub recovery: Vec<String>,
    /// Their passkeys.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub passkeys: Vec<super::passkey::Passkey>,
    /// Locked out by an operator.
    #[serde(default)]
    pub disabled: bool,
    /// Failures since the last success.
    #[serde(default)]
    pub failures: u32,
    /// Closed until then, in milliseconds.
    #[serde(default)]
    pub closed_until: i64,
    /// Sessions and authorizations from before this count no more, in milliseconds.
    #[serde(default)]
    pub valid_since: i64,
}

impl Stored for Account {
    const KIND: Kind = Kind::Account;

    fn owner(&self) -> &str {
        self.federated.as_deref().unwrap_or(&self.subject)
    }

    fn expires(&self) -> Instant {
        NEVER
    }
}

impl Account {
    /// A person without any way to sign in yet. `None` when the username is not 1 to 100 characters of `a-z 0-9 . _ - @`, or the
    /// user's type can be no user.
    pub fn new(username: &str, name: &str, user: &Key) -> Option<Self> {
        let username = folded(username)?;
        let person = matches!(
            user.resource_type,
            ResourceType::Patient
                | ResourceType::Practitioner
                | ResourceType::PractitionerRole
                | ResourceType::RelatedPerson
                | ResourceType::Person
        );
        person.then(|| Self {
            username,
            subject: uuid::Uuid::new_v4().to_string(),
            name: name.to_owned(),
            user: user.to_string(),
            patients: Vec::new(),
            roles: Vec::new(),
            organization: None,
            federated: None,
            password: None,
            totp: None,
            totp_used: 0,
            recovery: Vec::new(),
            passkeys: Vec::new(),
            disabled: false,
            failures: 0,
            closed_until: 0,
            valid_since: 0,
        })
    }

    /// `fhirUser`
    pub fn user(&self) -> Option<Key> {
        Key::parse(&self.user)
    }

    /// The patients that they are or act for, themselves first; `None` for a clinician, who looks for one.
    pub fn patients(&self) -> Option<Vec<Id>> {
        let user = self.user()?;
        if matches!(user.resource_type, ResourceType::Practitioner | ResourceType::PractitionerRole) {
            return None;
        }
        let own = (user.resource_type == ResourceType::Patient).then_some(user.id);
        let mut all: Vec<Id> = own.into_iter().collect();
        for id in self.patients.iter().filter_map(|id| Id::parse(id)) {
            if !all.contains(&id) {
                all.push(id);
            }
        }
        Some(all)
    }

    /// Closed for a while after failures?
    pub fn is_closed(&self, now: Instant) -> bool {
        self.closed_until > now.0
    }

    /// Counts a failure: after five in a row the account is closed for half a minute, then twice as long each time.
    pub fn failed(&mut self, now: Instant) {
        self.failures = self.failures.saturating_add(1);
        if self.failures >= PATIENCE {
            let doubled = 30_i64.saturating_mul(1 << (self.failures - PATIENCE).min(10));
            self.closed_until = now.plus_seconds(doubled.min(LONGEST_LOCK)).0;
        }
    }

    /// Forgets the failures.
    pub fn succeeded(&mut self) {
        self.failures = 0;
        self.closed_until = 0;
    }
}

/// A username in the one form in which it is kept; `None` when it can be none.
pub(super) fn folded(username: &str) -> Option<String> {
    let username = username.trim().to_lowercase();
    let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-@".contains(c);
    (!username.is_empty() && username.len() <= 100 && username.chars().all(legal)).then_some(username)
}

/// Somebody signed in, in one browser.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Whose.
    pub username: String,
    /// A name of the session that is no secret: `sid`.
    pub id: String,
    /// When they signed in, in milliseconds: `auth_time`.
    pub signed_in: i64,
    /// How strongly.
    pub acr: String,
    /// How (RFC 8176).
    pub amr: Vec<String>,
    /// When it ends, in milliseconds.
    pub ends: i64,
    /// From where.
    pub address: String,
    /// With which browser, as it says.
    pub browser: String,
}

impl Stored for Session {
    const KIND: Kind = Kind::Session;

    fn owner(&self) -> &str {
        &self.username
    }

    fn expires(&self) -> Instant {
        Instant(self.ends)
    }
}

impl Session {
    /// When they signed in.
    pub fn signed_in(&self) -> Instant {
        Instant(self.signed_in)
    }
}

/// A link by which somebody chooses how to sign in, once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Invitation {
    /// Whose.
    pub username: String,
    /// When it ends, in milliseconds.
    pub ends: i64,
}

/// How long an invitation holds, in seconds.
pub const INVITATION_LIFE: i64 = 1800;

impl Stored for Invitation {
    const KIND: Kind = Kind::Invitation;

    fn owner(&self) -> &str {
        &self.username
    }

    fn expires(&self) -> Instant {
        Instant(self.ends)
    }
}

/// Ten codes for when the phone is lost, and what is kept of them.
///
/// # Errors
/// [`secret::NoRandomness`]
pub(super) fn recovery_codes() -> Result<(Vec<String>, Vec<String>), secret::NoRandomness> {
    let mut codes = Vec::new();
    for _ in 0..10 {
        let bytes = secret::random_bytes::<10>()?;
        let hex = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).filter_map(|digit| char::from_digit(digit.into(), 16));
        let parts: Vec<String> = hex.collect::<Vec<_>>().chunks(5).map(|part| part.iter().collect()).collect();
        codes.push(parts.join("-"));
    }
    let kept = codes.iter().map(|code| secret::kept(code)).collect();
    Ok((codes, kept))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Instant = Instant(1_800_000_000_000);

    fn account(user: &str) -> Account {
        Account::new("A.Khan@site", "A. Khan", &Key::parse(user).unwrap()).unwrap()
    }

    #[test]
    fn an_account_closes_after_five_failures_and_longer_each_time() {
        let mut account = account("Practitioner/d1");
        assert_eq!(account.username, "a.khan@site");
        for _ in 0..4 {
            account.failed(NOW);
        }
        assert!(!account.is_closed(NOW));
        account.failed(NOW);
        assert!(account.is_closed(NOW.plus_seconds(29)) && !account.is_closed(NOW.plus_seconds(30)));
        account.failed(NOW);
        assert!(account.is_closed(NOW.plus_seconds(59)));
        for _ in 0..100 {
            account.failed(NOW);
        }
        assert!(!account.is_closed(NOW.plus_seconds(LONGEST_LOCK)));
        account.succeeded();
        assert!(!account.is_closed(NOW));
    }

    #[test]
    fn a_patient_is_first_among_those_they_act_for_and_a_clinician_looks_for_one() {
        let mut patient = account("Patient/p1");
        patient.patients = vec!["p2".to_owned(), "p1".to_owned()];
        let ids: Vec<String> = patient.patients().unwrap().iter().map(ToString::to_string).collect();
        assert_eq!(ids, ["p1", "p2"]);
        assert_eq!(account("Practitioner/d1").patients(), None);
        assert!(Account::new("a b", "x", &Key::parse("Patient/p1").unwrap()).is_none());
        assert!(Account::new("a", "x", &Key::parse("Observation/p1").unwrap()).is_none());
    }

    #[test]
    fn recovery_codes_differ_and_are_kept_as_digests() {
        let (codes, kept) = recovery_codes().unwrap();
        assert_eq!((codes.len(), kept.len()), (10, 10));
        assert!(codes.iter().zip(&kept).all(|(code, kept)| secret::kept(code) == *kept && code.len() == 23));
    }
}
