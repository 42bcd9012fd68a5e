//! A registered client.

use super::enrolment::Enrolled;
use super::profile::{Profile, TlsName};
use super::secret;
use crate::access::{Level, Scopes};
use crate::fhir::Key;
use crate::identity::{Fetch, KeySet, Reach, Registration, normalised_purpose};
use serde::{Deserialize, Serialize};

/// The longest life of an access token for a backend client, in seconds (SMART Backend Services).
pub const LONGEST_BACKEND_TOKEN: u32 = 300;

/// The longest life of any access token, in seconds.
pub const LONGEST_TOKEN_LIFE: u32 = 3600;

/// What kind of program a client is (SMART App Launch 2.2 § 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClientKind {
    /// A program without a user, which authenticates with its own key (`private_key_jwt`).
    Backend,
    /// An app on a user's device, which cannot keep a secret.
    Public,
    /// An app with a server of its own, which authenticates with a secret (`client_secret_basic`).
    Symmetric,
    /// An app with a server of its own, which authenticates with its own key (`private_key_jwt`).
    Asymmetric,
}

impl ClientKind {
    /// The `token_endpoint_auth_method` (RFC 7591 § 2): each client has one, and is refused with any other.
    pub const fn method(self) -> &'static str {
        match self {
            Self::Backend | Self::Asymmetric => "private_key_jwt",
            Self::Public => "none",
            Self::Symmetric => "client_secret_basic",
        }
    }
}

/// Where the public keys of a client are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientKeys {
    /// A key set, registered with the client.
    Jwks(serde_json::Value),
    /// The address of one.
    JwksUri(String),
    /// It has none.
    None,
}

/// A client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "each is a choice of its own, as the metadata of RFC 7591 are")]
pub struct Client {
    /// `client_id`
    pub id: String,
    /// What people call it.
    pub name: String,
    /// The issuer of its tokens; `None` is this gateway.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// What kind of program it is.
    pub kind: ClientKind,
    /// Its public keys.
    pub keys: ClientKeys,
    /// Since when keys that were registered with it are what they are, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keys_since: Option<i64>,
    /// The scopes that it may be granted, separated by spaces.
    pub scopes: String,
    /// The organization that it acts for, as a reference, a URL or `system|value`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organization: Option<String>,
    /// The purposes that it may act for.
    #[serde(default)]
    pub purposes: Vec<String>,
    /// SHA-256 of the certificate that it must connect with, base64url.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<String>,
    /// Where users are sent back to, for an app.
    #[serde(default)]
    pub redirect_uris: Vec<String>,
    /// Where an EHR opens the app.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub launch_uris: Vec<String>,
    /// What is kept of its secret, when it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// The operator answers for the app: the consent page says so instead of warning.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub vetted: bool,
    /// Is it locked out?
    #[serde(default)]
    pub disabled: bool,
    /// The security profile that it is held to.
    #[serde(default, skip_serializing_if = "is_usual")]
    pub profile: Profile,
    /// By what its certificate proves it, in place of a key or a secret (RFC 8705 § 2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsName>,
    /// Its tokens are bound to a key always (`dpop_bound_access_tokens`, RFC 9449 § 5.2); else when it shows a proof.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub proves_keys: bool,
    /// Its tokens are bound to the certificate that it connects with (`tls_client_certificate_bound_access_tokens`, RFC 8705 § 3.4).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub shows_certificate: bool,
    /// How it came to be registered, when it registered itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enrolled: Option<Enrolled>,
    /// It may name new records itself, by `PUT` to an id that is free.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub may_choose_ids: bool,
    /// How long its access tokens live, in seconds.
    pub token_lifetime: u32,
}

/// What is wrong with a registration; the text says what to write.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("client `{client}`: {fault}")]
pub struct ClientFault {
    /// Which client.
    pub client: String,
    /// What is wrong.
    pub fault: String,
}

impl Client {
    /// A backend client with usual choices: tokens of 300 seconds, no organization, no purposes.
    pub fn backend(id: &str, name: &str, keys: ClientKeys, scopes: &str) -> Self {
        Self {
            id: id.to_owned(),
            name: name.to_owned(),
            issuer: None,
            kind: ClientKind::Backend,
            keys,
            keys_since: None,
            scopes: scopes.to_owned(),
            organization: None,
            purposes: Vec::new(),
            certificate: None,
            redirect_uris: Vec::new(),
            launch_uris: Vec::new(),
            secret: None,
            vetted: false,
            disabled: false,
            profile: Profile::Smart,
            tls: None,
            proves_keys: false,
            shows_certificate: false,
            enrolled: None,
            may_choose_ids: false,
            token_lifetime: LONGEST_BACKEND_TOKEN,
        }
    }

    /// A public app.
    pub fn app(id: &str, name: &str, redirect_uris: Vec<String>, scopes: &str) -> Self {
        let base = Self::backend(id, name, ClientKeys::None, scopes);
        Self { kind: ClientKind::Public, redirect_uris, token_lifetime: LONGEST_TOKEN_LIFE, ..base }
    }

    /// An app with a server and a secret: the app, and the secret, which is shown once and not kept.
    ///
    /// # Errors
    /// [`secret::NoRandomness`]
    pub fn symmetric(
        id: &str,
        name: &str,
        redirect_uris: Vec<String>,
        scopes: &str,
    ) -> Result<(Self, String), secret::NoRandomness> {
        let shown = secret::random()?;
        let kept = Some(secret::kept(&shown));
        Ok((Self { kind: ClientKind::Symmetric, secret: kept, ..Self::app(id, name, redirect_uris, scopes) }, shown))
    }

    /// An app with a server and a key of its own.
    pub fn asymmetric(id: &str, name: &str, keys: ClientKeys, redirect_uris: Vec<String>, scopes: &str) -> Self {
        Self { kind: ClientKind::Asymmetric, keys, ..Self::app(id, name, redirect_uris, scopes) }
    }

    /// Is this its secret?
    pub fn has_secret(&self, told: &str) -> bool {
        self.secret.as_ref().is_some_and(|kept| secret::equal(kept, &secret::kept(told)))
    }

    /// Checks everything that a registration must hold to, and brings its purposes into their one form.
    ///
    /// # Errors
    /// [`ClientFault`] naming the first thing that is wrong.
    pub fn checked(mut self, reach: Reach) -> Result<Self, ClientFault> {
        let purposes: Option<Vec<_>> = self.purposes.iter().map(|text| normalised_purpose(text)).collect();
        let fault = match purposes {
            None => Some("a purpose is not known; write codes of v3-PurposeOfUse, such as TREAT".to_owned()),
            Some(purposes) => {
                self.purposes = purposes;
                self.fault(reach)
            }
        };
        match fault {
            Some(fault) => Err(ClientFault { client: self.id, fault }),
            None => Ok(self),
        }
    }

    fn fault(&self, reach: Reach) -> Option<String> {
        let legal = |c: char| c.is_ascii_alphanumeric() || "-._~:/@".contains(c);
        if self.id.is_empty() || self.id.len() > 200 || !self.id.chars().all(legal) {
            return Some("the id must be 1 to 200 characters of A-Z a-z 0-9 - . _ ~ : / @".to_owned());
        }
        if Key::parse(&self.id).is_some() {
            return Some("the id could be taken for a user (`Type/id`); choose another".to_owned());
        }
        if self.certificate.as_ref().is_some_and(|thumbprint| thumbprint.len() != 43) {
            return Some("`certificate` must be the SHA-256 of the certificate in base64url, 43 characters".to_owned());
        }
        if self.issuer.is_some() {
            return None;
        }
        self.keys_fault(reach).or_else(|| self.profile_fault()).or_else(|| self.grant_fault()).or_else(|| self.redirect_fault())
    }

    /// FAPI 2.0 § 5.3.2.1: confidential clients that authenticate with a key or a certificate.
    fn profile_fault(&self) -> Option<String> {
        let keyed = matches!(self.kind, ClientKind::Backend | ClientKind::Asymmetric);
        let wrong = self.profile == Profile::Fapi2 && !keyed;
        wrong.then(|| "a client of the profile `fapi2` authenticates with a key or a certificate".to_owned())
    }

    /// `token_endpoint_auth_method`: the one way in which it authenticates.
    pub fn method(&self) -> &'static str {
        self.tls.as_ref().map_or_else(|| self.kind.method(), TlsName::method)
    }

    /// The community and the URI of its certificate, for a client that proves itself with one (UDAP).
    pub fn certified(&self) -> Option<(&str, &str)> {
        let (community, uri) = self.enrolled.as_ref()?.community.as_ref()?;
        (self.keys == ClientKeys::None).then_some((community, uri))
    }

    /// Why it gets no token, in one word for the trail.
    pub fn is_out(&self) -> Option<&'static str> {
        if self.disabled { Some("client-disabled") } else { self.waits().then_some("client-pending") }
    }

    /// Does it wait for an operator to admit it?
    pub fn waits(&self) -> bool {
        self.enrolled.as_ref().is_some_and(|enrolled| enrolled.approved.is_none())
    }

    fn keys_fault(&self, reach: Reach) -> Option<String> {
        if self.tls.is_some() {
            let alone = self.keys == ClientKeys::None && self.secret.is_none() && self.kind != ClientKind::Symmetric;
            return (!alone).then(|| "a client that is known by its certificate has no keys and no secret".to_owned());
        }
        if self.certified().is_some() {
            return None;
        }
        match (&self.keys, self.kind) {
            (ClientKeys::None, ClientKind::Backend | ClientKind::Asymmetric) => {
                Some("a client that authenticates with a key needs `jwks` or `jwks_uri`".to_owned())
            }
            (ClientKeys::Jwks(_) | ClientKeys::JwksUri(_), ClientKind::Public | ClientKind::Symmetric) => {
                Some("an app that authenticates without a key has no `jwks` and no `jwks_uri`".to_owned())
            }
            (ClientKeys::None, ClientKind::Symmetric) if self.secret.is_none() => Some("the secret is missing".to_owned()),
            (ClientKeys::None, _) if self.kind == ClientKind::Public && self.secret.is_some() => {
                Some("a public app has no secret".to_owned())
            }
            (ClientKeys::None, _) => None,
            (ClientKeys::JwksUri(url), _) => Fetch::new(url, reach).err().map(|fault| fault.to_string()),
            (ClientKeys::Jwks(set), _) => match KeySet::parse(set.to_string().as_bytes()) {
                Err(fault) => Some(fault.to_string()),
                Ok(set) if set.is_empty() => Some("`jwks` holds no key that can verify a signature".to_owned()),
                Ok(_) => None,
            },
        }
    }

    fn grant_fault(&self) -> Option<String> {
        let grants = Scopes::parse(&self.scopes).grants;
        // An app may want to know who its user is, and nothing else.
        let identity =
            self.kind != ClientKind::Backend && !Scopes::parse(&self.scopes).contexts.is_empty() && self.issuer.is_none();
        if grants.is_empty() && !identity {
            return Some("`scopes` grants nothing; write for example `system/*.rs`".to_owned());
        }
        if self.kind == ClientKind::Backend && grants.iter().any(|grant| grant.level != Level::System) {
            return Some("a backend client may have `system/` scopes only".to_owned());
        }
        let longest = if self.kind == ClientKind::Backend { LONGEST_BACKEND_TOKEN } else { LONGEST_TOKEN_LIFE };
        let fits = (1..=longest).contains(&self.token_lifetime);
        (!fits).then(|| format!("`token_lifetime` must be 1 to {longest} seconds"))
    }

    /// The part that decides about its tokens.
    pub fn registration(&self) -> Registration {
        Registration {
            disabled: self.disabled || self.waits(),
            organization: self.organization.clone(),
            purposes: self.purposes.clone(),
            certificate: self.certificate.clone(),
            may_choose_ids: self.may_choose_ids,
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
fn is_usual(profile: &Profile) -> bool {
    *profile == Profile::Smart
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_shown_once_and_kept_as_its_digest() {
        let (app, secret) = Client::symmetric("web", "Web", vec!["https://a.example/".to_owned()], "openid").unwrap();
        let app = app.checked(Reach::Public).unwrap();
        assert!(app.has_secret(&secret) && !app.has_secret("") && !app.has_secret(&secret[1..]));
        assert!(!serde_json::to_string(&app).unwrap().contains(&secret));
        assert_eq!(app.origins().collect::<Vec<_>>(), ["https://a.example"]);
    }
}
