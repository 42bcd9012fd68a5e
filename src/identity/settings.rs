//! Whom the gateway believes, as configured.

use super::algorithm::Algorithm;
use super::fetch::Reach;
use super::purpose;
use std::path::PathBuf;

/// The leeway on `exp`, `nbf` and `iat` when nothing else is configured, in seconds.
pub const USUAL_LEEWAY: u32 = 30;

/// One issuer of access tokens.
#[derive(Debug, Clone)]
pub struct IssuerSettings {
    /// `iss`, compared byte for byte.
    pub issuer: String,
    /// Any one of these must stand in `aud`, byte for byte. Not empty.
    pub audience: Vec<String>,
    /// Where its public keys are.
    pub keys: KeysAt,
    /// What it may sign with; [`Algorithm::USUAL`] is the usual choice. Not empty.
    pub algorithms: Vec<Algorithm>,
    /// How far its clock may be off, in seconds: 10 to 60.
    pub leeway: u32,
    /// The purposes of a token that states none and whose client has none registered.
    pub default_purposes: Vec<String>,
    /// The values of `typ` that are taken, in lower case without `application/`. A token without `typ` is taken as well.
    pub media_types: Vec<String>,
    /// Bases under which an absolute `fhirUser` is one of this gateway's own records, beside `audience`.
    pub user_bases: Vec<String>,
}

/// Where public keys are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeysAt {
    /// In a file, read again when it changes.
    File(PathBuf),
    /// At an address.
    Address {
        /// The URL.
        url: String,
        /// Which hosts it may lead to.
        reach: Reach,
        /// Certificates to trust for it instead of the public ones (PEM).
        authorities: Option<PathBuf>,
    },
    /// Here: the text of a key set.
    Inline(String),
}

/// What is wrong with an issuer's settings. The text names the key and what to write.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("issuer `{issuer}`: {fault}")]
pub struct IssuerFault {
    /// Which issuer.
    pub issuer: String,
    /// What is wrong.
    pub fault: String,
}

impl IssuerSettings {
    /// Settings with the usual choices for everything that has one.
    pub fn new(issuer: impl Into<String>, audience: Vec<String>, keys: KeysAt) -> Self {
        Self {
            issuer: issuer.into(),
            audience,
            keys,
            algorithms: Algorithm::USUAL.to_vec(),
            leeway: USUAL_LEEWAY,
            default_purposes: Vec::new(),
            media_types: vec!["jwt".to_owned(), "at+jwt".to_owned()],
            user_bases: Vec::new(),
        }
    }

    /// Checks the bounds and brings purposes and media types into their one form.
    ///
    /// # Errors
    /// [`IssuerFault`] naming the key that is wrong.
    pub fn checked(mut self) -> Result<Self, IssuerFault> {
        let fault = |fault: String| IssuerFault { issuer: self.issuer.clone(), fault };
        if self.issuer.is_empty() {
            return Err(fault("`issuer` is empty".to_owned()));
        }
        if self.audience.is_empty() || self.audience.iter().any(String::is_empty) {
            return Err(fault("`audience` needs at least one value, usually the FHIR base".to_owned()));
        }
        if self.algorithms.is_empty() {
            return Err(fault("`algorithms` is empty; write for example [\"RS384\", \"ES384\"]".to_owned()));
        }
        if !(10..=60).contains(&self.leeway) {
            return Err(fault(format!("`leeway` is {} seconds; it must be 10 to 60", self.leeway)));
        }
        let purposes = self.default_purposes.iter().map(|text| purpose::normalised(text).ok_or_else(|| text.clone()));
        let purposes: Result<Vec<_>, _> = purposes.collect();
        self.default_purposes = purposes.map_err(|text| fault(format!("`default_purposes` has the unknown purpose `{text}`")))?;
        for media_type in &mut self.media_types {
            let lower = media_type.to_ascii_lowercase();
            *media_type = lower.strip_prefix("application/").map(str::to_owned).unwrap_or(lower);
        }
        Ok(self)
    }
}
