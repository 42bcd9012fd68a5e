//! A registered client.

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
    /// Is it locked out?
    #[serde(default)]
    pub disabled: bool,
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
            scopes: scopes.to_owned(),
            organization: None,
            purposes: Vec::new(),
            certificate: None,
            redirect_uris: Vec::new(),
            disabled: false,
            may_choose_ids: false,
            token_lifetime: LONGEST_BACKEND_TOKEN,
        }
    }

    /// A public app.
    pub fn app(id: &str, name: &str, redirect_uris: Vec<String>, scopes: &str) -> Self {
        let base = Self::backend(id, name, ClientKeys::None, scopes);
        Self { kind: ClientKind::Public, redirect_uris, token_lifetime: LONGEST_TOKEN_LIFE, ..base }
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
        self.keys_fault(reach).or_else(|| self.grant_fault()).or_else(|| self.redirect_fault())
    }

    fn keys_fault(&self, reach: Reach) -> Option<String> {
        match (&self.keys, self.kind) {
            (ClientKeys::None, ClientKind::Backend) => Some("a backend client needs `jwks` or `jwks_uri`".to_owned()),
            (ClientKeys::Jwks(_) | ClientKeys::JwksUri(_), ClientKind::Public) => Some("a public app has no keys".to_owned()),
            (ClientKeys::None, ClientKind::Public) => None,
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
        if grants.is_empty() {
            return Some("`scopes` grants nothing; write for example `system/*.rs`".to_owned());
        }
        if self.kind == ClientKind::Backend && grants.iter().any(|grant| grant.level != Level::System) {
            return Some("a backend client may have `system/` scopes only".to_owned());
        }
        let longest = if self.kind == ClientKind::Backend { LONGEST_BACKEND_TOKEN } else { LONGEST_TOKEN_LIFE };
        let fits = (1..=longest).contains(&self.token_lifetime);
        (!fits).then(|| format!("`token_lifetime` must be 1 to {longest} seconds"))
    }

    /// Exact URLs only: https, or http on loopback, or a scheme of the app's own; no fragment, wildcard or user.
    fn redirect_fault(&self) -> Option<String> {
        let wrong = self.redirect_uris.iter().find(|uri| {
            let Some((scheme, rest)) = uri.split_once(':') else { return true };
            let host = rest.trim_start_matches('/').split(['/', '?']).next().unwrap_or_default();
            let loopback = ["localhost", "127.0.0.1", "[::1]"]
                .iter()
                .any(|name| host.strip_prefix(name).is_some_and(|port| port.is_empty() || port.starts_with(':')));
            let scheme = match scheme.to_ascii_lowercase().as_str() {
                "https" => rest.starts_with("//") && !host.is_empty(),
                "http" => rest.starts_with("//") && loopback,
                own => own.contains('.'),
            };
            !scheme
                || uri.contains(['#', '*', '\\'])
                || host.contains('@')
                || uri.chars().any(|c| c.is_whitespace() || c.is_control())
        })?;
        Some(format!(
            "the redirect URI `{wrong}` is not exact and safe: https (http on loopback only), no fragment, wildcard or user"
        ))
    }

    /// The part that decides about its tokens.
    pub fn registration(&self) -> Registration {
        Registration {
            disabled: self.disabled,
            organization: self.organization.clone(),
            purposes: self.purposes.clone(),
            certificate: self.certificate.clone(),
            may_choose_ids: self.may_choose_ids,
        }
    }
}
