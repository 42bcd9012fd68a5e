//! Whom the gateway believes, as configured.

use super::algorithm::Algorithm;
use super::fetch::Reach;
use super::purpose;
use serde::Deserialize;
use std::path::{Path, PathBuf};

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
    /// Its clients may name new records themselves: update as create (`consent` L13).
    pub update_as_create: bool,
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
            update_as_create: true,
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

/// An `[[issuers]]` section of the configuration file, as it is written there.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IssuerSection {
    /// `iss`
    pub issuer: String,
    /// `aud`: any one of these.
    pub audience: Vec<String>,
    /// A file with its public keys; or else `jwks_uri`.
    pub jwks_file: Option<PathBuf>,
    /// The address of its public keys.
    pub jwks_uri: Option<String>,
    /// Certificates (PEM) to trust for `jwks_uri` instead of the public ones.
    pub jwks_ca_file: Option<PathBuf>,
    /// Names of RFC 7518; [`Algorithm::USUAL`] when absent.
    pub algorithms: Option<Vec<String>>,
    /// Seconds; [`USUAL_LEEWAY`] when absent.
    pub leeway: Option<u32>,
    /// Purposes of a token that states none.
    #[serde(default)]
    pub default_purposes: Vec<String>,
    /// Values of `typ`; `JWT` and `at+jwt` when absent.
    pub typ: Option<Vec<String>>,
    /// Further bases of an absolute `fhirUser`.
    #[serde(default)]
    pub user_bases: Vec<String>,
}

impl IssuerSection {
    /// The settings that the section means, checked. Relative paths are relative to `folder`.
    ///
    /// # Errors
    /// [`IssuerFault`] naming the key that is wrong.
    pub fn settings(self, folder: &Path) -> Result<IssuerSettings, IssuerFault> {
        let fault = |fault: String| IssuerFault { issuer: self.issuer.clone(), fault };
        let keys = match (&self.jwks_file, &self.jwks_uri) {
            (Some(file), None) => KeysAt::File(folder.join(file)),
            (None, Some(url)) => KeysAt::Address {
                url: url.clone(),
                reach: Reach::Inside,
                authorities: self.jwks_ca_file.as_ref().map(|file| folder.join(file)),
            },
            _ => return Err(fault("write one of `jwks_file` and `jwks_uri`".to_owned())),
        };
        let named =
            |name: &String| Algorithm::parse(name).ok_or_else(|| fault(format!("`algorithms` has `{name}`; known are {KNOWN}")));
        let algorithms =
            self.algorithms.as_ref().map(|names| names.iter().map(named).collect::<Result<Vec<_>, _>>()).transpose()?;
        let usual = IssuerSettings::new(self.issuer, self.audience, keys);
        let settings = IssuerSettings {
            algorithms: algorithms.unwrap_or(usual.algorithms),
            leeway: self.leeway.unwrap_or(usual.leeway),
            media_types: self.typ.unwrap_or(usual.media_types),
            default_purposes: self.default_purposes,
            user_bases: self.user_bases,
            ..usual
        };
        settings.checked()
    }
}

const KNOWN: &str = "RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384";

#[cfg(test)]
mod tests {
    use super::*;

    const LEAST: &str = "issuer = \"https://idp.example\"\naudience = [\"https://a/fhir\"]\n";

    fn read(more: &str) -> Result<IssuerSettings, String> {
        let section: IssuerSection = toml::from_str(&format!("{LEAST}{more}")).map_err(|fault| fault.to_string())?;
        section.settings(Path::new("/etc/amanat")).map_err(|fault| fault.to_string())
    }

    #[test]
    fn a_section_becomes_settings_with_paths_beside_the_file() {
        let settings = read("jwks_file = \"jwks.json\"\ntyp = [\"application/AT+JWT\"]\nalgorithms = [\"ES384\"]").unwrap();
        assert_eq!(settings.keys, KeysAt::File(PathBuf::from("/etc/amanat/jwks.json")));
        assert_eq!((settings.leeway, settings.algorithms), (USUAL_LEEWAY, vec![Algorithm::ES384]));
        assert_eq!(settings.media_types, ["at+jwt"]);
    }

    #[test]
    fn a_section_that_is_wrong_names_the_key() {
        for (more, named) in [
            ("", "jwks_file"),
            ("jwks_file = \"a\"\njwks_uri = \"https://a\"", "jwks_uri"),
            ("jwks_file = \"a\"\nalgorithms = [\"none\"]", "none"),
            ("jwks_file = \"a\"\nalgorithms = [\"HS256\"]", "HS256"),
            ("jwks_file = \"a\"\nleeway = 0", "leeway"),
            ("jwks_file = \"a\"\njwks_url = \"b\"", "jwks_url"),
        ] {
            let fault = read(more).unwrap_err();
            assert!(fault.contains(named), "{fault}");
        }
    }

    #[test]
    fn settings_out_of_bounds_are_refused_with_the_name_of_the_key() {
        let base = IssuerSettings::new("https://idp.example", vec!["https://a/fhir".to_owned()], KeysAt::Inline(String::new()));
        for (settings, named) in [
            (IssuerSettings { leeway: 9, ..base.clone() }, "leeway"),
            (IssuerSettings { leeway: 61, ..base.clone() }, "leeway"),
            (IssuerSettings { audience: vec![], ..base.clone() }, "audience"),
            (IssuerSettings { algorithms: vec![], ..base.clone() }, "algorithms"),
            (IssuerSettings { default_purposes: vec!["FUN".to_owned()], ..base.clone() }, "default_purposes"),
            (IssuerSettings { issuer: String::new(), ..base.clone() }, "issuer"),
        ] {
            let fault = settings.checked().unwrap_err().to_string();
            assert!(fault.contains(&format!("`{named}`")), "{fault}");
        }
    }
}
