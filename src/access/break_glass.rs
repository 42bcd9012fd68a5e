//! Emergency access: a grant, and for whom it holds (`consent` § 7).

use super::Caller;
use crate::fhir::{Id, Instant, Key};

/// A grant of emergency access to the records of one patient, for one user through one client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BreakGlass {
    /// Its id, which its token carries.
    pub id: String,
    /// Whose records.
    pub patient: Id,
    /// The issuer at which the client is registered.
    pub issuer: String,
    /// `sub` of the user.
    pub subject: String,
    /// Who.
    pub user: Key,
    /// Through which client.
    pub client: String,
    /// The certificate that must come with the token: SHA-256, base64url.
    pub certificate: Option<String>,
    /// `jti` of its token.
    pub token_id: String,
    /// A code of the site's list.
    pub reason: String,
    /// In the user's own words.
    pub text: String,
    /// When it begins.
    pub begins: Instant,
    /// When it ends by itself.
    pub ends: Instant,
    /// When it was ended before that.
    pub ended: Option<Instant>,
    /// Who ended it: the user, an operator, or `client-disabled`.
    pub ended_by: Option<String>,
}

impl BreakGlass {
    /// Does it hold at this moment?
    pub fn is_live(&self, now: Instant) -> bool {
        self.ended.is_none() && self.begins <= now && now < self.ends
    }

    /// Is it this caller's, to the letter, and live?
    pub fn serves(&self, caller: &Caller, now: Instant) -> bool {
        self.is_live(now)
            && caller.sign_in.grant.as_deref() == Some(&self.id)
            && caller.token_id.as_deref() == Some(&self.token_id)
            && caller.patient.as_ref() == Some(&self.patient)
            && caller.user.as_ref() == Some(&self.user)
            && caller.client == self.client
            && caller.subject == self.subject
            && caller.sign_in.certificate == self.certificate
    }
}
