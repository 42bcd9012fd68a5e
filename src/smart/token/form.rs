//! The form that a client posts, each parameter once (RFC 6749 § 3.2).

use super::TokenRequest;
use super::denied::Denied;
use crate::fhir::pairs;

/// The parameters of RFC 6749 and 7523 that must never stand in a URL.
const CREDENTIALS: [&str; 9] = [
    "client_assertion",
    "client_assertion_type",
    "client_secret",
    "client_id",
    "code",
    "refresh_token",
    "access_token",
    "code_verifier",
    "token",
];

/// The form.
pub(super) struct Form(Vec<(String, String)>);

impl Form {
    pub(super) fn read(request: &TokenRequest<'_>) -> Result<Self, Denied> {
        let media_type = request.content_type.unwrap_or_default().split(';').next().unwrap_or_default().trim();
        if !media_type.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            return Err(Denied::request("media-type", "Send a form: `Content-Type: application/x-www-form-urlencoded`."));
        }
        let malformed = |_| Denied::request("form", "The form or the query is not valid percent-encoded UTF-8.");
        if pairs(request.query).map_err(malformed)?.iter().any(|(name, _)| CREDENTIALS.contains(&name.as_str())) {
            return Err(Denied::request("query", "Credentials belong in the form, never in the URL."));
        }
        let form = pairs(request.body).map_err(malformed)?;
        let mut names: Vec<_> = form.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        if names.windows(2).any(|two| matches!(two, [one, other] if one == other)) {
            return Err(Denied::request("repeated", "A parameter may stand in the form only once."));
        }
        Ok(Self(form))
    }

    /// Every parameter but these.
    pub(super) fn others(&self, but: &[&str]) -> Vec<(String, String)> {
        self.0.iter().filter(|(name, _)| !but.contains(&name.as_str())).cloned().collect()
    }

    /// A parameter without value counts as left out (RFC 6749 § 3.2).
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }
}
