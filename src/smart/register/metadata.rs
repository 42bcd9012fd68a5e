//! Client metadata (RFC 7591 § 2), from what a client says to a registration and back.

use super::Unfit;
use crate::access::Scopes;
use crate::smart::client::{Client, ClientKeys, ClientKind};
use crate::smart::enrolment::Enrolled;
use crate::smart::profile::TlsName;
use serde_json::{Map, Value, json};

/// What an app is registered for that names no scopes.
const APP_SCOPES: &str = "launch launch/patient openid fhirUser offline_access patient/*.rs";

/// The same for a program without users.
const BACKEND_SCOPES: &str = "system/*.rs";

/// The longest text of a member, in bytes.
const LONGEST: usize = 2000;

/// What a client says of itself.
#[derive(Debug, Default)]
pub(super) struct Metadata {
    name: Option<String>,
    method: Option<String>,
    grants: Option<Vec<String>>,
    responses: Option<Vec<String>>,
    redirects: Vec<String>,
    launches: Vec<String>,
    scope: Option<String>,
    keys: Option<ClientKeys>,
    tls: Option<TlsName>,
    proves_keys: bool,
    shows_certificate: bool,
    enrolled: Enrolled,
}

/// Makes a name of a text.
type Named = fn(String) -> TlsName;

/// Each with what it names in a certificate.
const TLS_NAMES: [(&str, Named); 3] = [
    ("tls_client_auth_subject_dn", TlsName::SubjectDn),
    ("tls_client_auth_san_dns", TlsName::SanDns),
    ("tls_client_auth_san_uri", TlsName::SanUri),
];

impl Metadata {
    /// Reads them. What is not known is left out, as RFC 7591 § 2 has it.
    pub(super) fn read(body: &Map<String, Value>) -> Result<Self, Unfit> {
        let flag = |name: &str| match body.get(name) {
            None | Some(Value::Null) => Ok(false),
            Some(Value::Bool(told)) => Ok(*told),
            Some(_) => Err(wrong(name, "must be true or false")),
        };
        let keys = match (body.get("jwks").filter(|value| !value.is_null()), text(body, "jwks_uri")?) {
            (Some(_), Some(_)) => return Err(wrong("jwks", "or `jwks_uri` is needed, and not both")),
            (Some(set), None) => Some(ClientKeys::Jwks(set.clone())),
            (None, Some(uri)) => Some(ClientKeys::JwksUri(uri)),
            (None, None) => None,
        };
        let mut tls = None;
        for (name, of) in TLS_NAMES {
            if let Some(told) = text(body, name)? {
                tls = Some(of(told));
            }
        }
        let launches = match body.get("launch_uris") {
            Some(_) => list(body, "launch_uris")?.unwrap_or_default(),
            None => text(body, "initiate_login_uri")?.into_iter().collect(),
        };
        let enrolled = Enrolled {
            contacts: list(body, "contacts")?.unwrap_or_default(),
            client_uri: web(body, "client_uri")?,
            logo_uri: web(body, "logo_uri")?,
            software_id: text(body, "software_id")?,
            software_version: text(body, "software_version")?,
            ..Enrolled::default()
        };
        Ok(Self {
            name: text(body, "client_name")?,
            method: text(body, "token_endpoint_auth_method")?,
            grants: list(body, "grant_types")?,
            responses: list(body, "response_types")?,
            redirects: list(body, "redirect_uris")?.unwrap_or_default(),
            launches,
            scope: text(body, "scope")?,
            keys,
            tls,
            proves_keys: flag("dpop_bound_access_tokens")?,
            shows_certificate: flag("tls_client_certificate_bound_access_tokens")?,
            enrolled,
        })
    }

    pub(super) fn enrolled(&self) -> Enrolled {
        self.enrolled.clone()
    }

    /// The client that these make, and its secret where it has one.
    pub(super) fn client(&self, id: &str, enrolled: Enrolled, people: bool) -> Result<(Client, Option<String>), Unfit> {
        let kind = self.kind(people)?;
        let name: String = self.name.as_deref().unwrap_or(id).chars().take(100).collect();
        let scope = self.scopes(kind)?;
        let keys = self.keys.clone().unwrap_or(ClientKeys::None);
        let redirects = self.redirects.clone();
        let mut shown = None;
        let client = match kind {
            ClientKind::Backend => Client::backend(id, &name, keys, &scope),
            ClientKind::Public => Client::app(id, &name, redirects, &scope),
            ClientKind::Asymmetric => Client::asymmetric(id, &name, keys, redirects, &scope),
            ClientKind::Symmetric => {
                let (client, secret) = Client::symmetric(id, &name, redirects, &scope)?;
                shown = Some(secret);
                client
            }
        };
        let tls = self.tls.clone().filter(|_| self.is_tls());
        let client = Client {
            launch_uris: self.launches.clone(),
            tls,
            proves_keys: self.proves_keys,
            shows_certificate: self.shows_certificate,
            enrolled: Some(enrolled),
            ..client
        };
        Ok((client, shown))
    }

    fn is_tls(&self) -> bool {
        self.method.as_deref() == Some("tls_client_auth")
    }

    /// Method, grants and responses have to go together (RFC 7591 § 2.1).
    fn kind(&self, people: bool) -> Result<ClientKind, Unfit> {
        let usual = || vec!["authorization_code".to_owned()];
        let grants = self.grants.clone().unwrap_or_else(usual);
        let has = |name: &str| grants.iter().any(|grant| grant == name);
        let known = ["authorization_code", "refresh_token", "client_credentials"];
        if let Some(grant) = grants.iter().find(|grant| !known.contains(&grant.as_str())) {
            return Err(wrong("grant_types", &format!("holds `{grant}`; this server grants {}", known.join(", "))));
        }
        let (code, credentials) = (has("authorization_code"), has("client_credentials"));
        if code == credentials {
            return Err(wrong("grant_types", "must hold `authorization_code` or `client_credentials`, and not both"));
        }
        if has("refresh_token") && !code {
            return Err(wrong("grant_types", "holds `refresh_token`, which goes with `authorization_code` only"));
        }
        if code && !people {
            return Err(wrong("grant_types", "holds `authorization_code`, and nobody signs in at this server"));
        }
        let responses = self.responses.clone().unwrap_or_else(|| if code { vec!["code".to_owned()] } else { Vec::new() });
        if responses.iter().any(|one| one != "code") || responses.is_empty() == code {
            return Err(wrong("response_types", "must be `[\"code\"]` with `authorization_code`, and empty without"));
        }
        if code && self.redirects.is_empty() {
            return Err(Unfit::redirect("`redirect_uris` is missing: an app needs at least one."));
        }
        if !code && !self.redirects.is_empty() {
            return Err(Unfit::redirect("`redirect_uris` goes with `authorization_code` only."));
        }
        let usual = if credentials || self.keys.is_some() { "private_key_jwt" } else { "client_secret_basic" };
        match (self.method.as_deref().unwrap_or(usual), code) {
            ("none", true) => Ok(ClientKind::Public),
            ("client_secret_basic", true) => Ok(ClientKind::Symmetric),
            ("tls_client_auth", _) if self.tls.is_none() => {
                Err(wrong("tls_client_auth_subject_dn", "or another name in the certificate is needed with `tls_client_auth`"))
            }
            ("private_key_jwt" | "tls_client_auth", true) => Ok(ClientKind::Asymmetric),
            ("private_key_jwt" | "tls_client_auth", false) => Ok(ClientKind::Backend),
            (other, _) => Err(wrong(
                "token_endpoint_auth_method",
                &format!("cannot be `{other}` with these grants; see `token_endpoint_auth_methods_supported`"),
            )),
        }
    }

    fn scopes(&self, kind: ClientKind) -> Result<String, Unfit> {
        let usual = if kind == ClientKind::Backend { BACKEND_SCOPES } else { APP_SCOPES };
        let asked = Scopes::parse(self.scope.as_deref().filter(|scope| !scope.trim().is_empty()).unwrap_or(usual));
        let mut kept = asked;
        if kind == ClientKind::Backend {
            kept.grants.retain(|grant| grant.level == crate::access::Level::System);
            kept.contexts.clear();
        } else {
            kept.grants.retain(|grant| grant.level != crate::access::Level::System);
        }
        if kept.is_empty() { Err(wrong("scope", "holds no scope that this kind of client can have")) } else { Ok(kept.to_text()) }
    }
}

fn wrong(name: &str, text: &str) -> Unfit {
    Unfit::metadata(name, format!("`{name}` {text}."))
}

/// A member that must be a text where it is present.
pub(super) fn text(body: &Map<String, Value>, name: &str) -> Result<Option<String>, Unfit> {
    match body.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.len() <= LONGEST * 10 => Ok(Some(text.clone()).filter(|text| !text.is_empty())),
        Some(_) => Err(wrong(name, "must be a text of reasonable length")),
    }
}

/// A member that must be a list of texts where it is present.
pub(super) fn list(body: &Map<String, Value>, name: &str) -> Result<Option<Vec<String>>, Unfit> {
    let Some(value) = body.get(name).filter(|value| !value.is_null()) else { return Ok(None) };
    let texts = value.as_array().filter(|all| all.len() <= 50);
    let texts: Option<Vec<String>> = texts.and_then(|all| all.iter().map(|one| one.as_str().map(str::to_owned)).collect());
    let texts = texts.filter(|all| all.iter().all(|one| one.len() <= LONGEST));
    texts.map(Some).ok_or_else(|| wrong(name, "must be a list of texts"))
}

fn web(body: &Map<String, Value>, name: &str) -> Result<Option<String>, Unfit> {
    let found = text(body, name)?;
    match found {
        Some(uri) if !uri.starts_with("https://") || uri.chars().any(char::is_whitespace) => {
            Err(wrong(name, "must be an https URL"))
        }
        found => Ok(found),
    }
}

/// What a registration says, as the client is told it (RFC 7591 § 3.2.1).
pub(super) fn told(client: &Client) -> Map<String, Value> {
    let mut told = Map::new();
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            told.insert(name.to_owned(), value);
        }
    };
    let code = client.kind != ClientKind::Backend;
    let grants: &[&str] = if code { &["authorization_code", "refresh_token"] } else { &["client_credentials"] };
    put("client_id", Some(json!(client.id)));
    put("client_name", Some(json!(client.name)));
    put("token_endpoint_auth_method", Some(json!(client.method())));
    put("grant_types", Some(json!(grants)));
    put("response_types", code.then(|| json!(["code"])));
    put("redirect_uris", code.then(|| json!(client.redirect_uris)));
    put("launch_uris", (!client.launch_uris.is_empty()).then(|| json!(client.launch_uris)));
    put("scope", Some(json!(client.scopes)));
    match &client.keys {
        ClientKeys::Jwks(set) => put("jwks", Some(set.clone())),
        ClientKeys::JwksUri(uri) => put("jwks_uri", Some(json!(uri))),
        ClientKeys::None => {}
    }
    match &client.tls {
        Some(TlsName::SubjectDn(name)) => put("tls_client_auth_subject_dn", Some(json!(name))),
        Some(TlsName::SanDns(name)) => put("tls_client_auth_san_dns", Some(json!(name))),
        Some(TlsName::SanUri(name)) => put("tls_client_auth_san_uri", Some(json!(name))),
        Some(TlsName::Itself(_)) | None => {}
    }
    put("dpop_bound_access_tokens", client.proves_keys.then_some(Value::Bool(true)));
    put("tls_client_certificate_bound_access_tokens", client.shows_certificate.then_some(Value::Bool(true)));
    if let Some(enrolled) = &client.enrolled {
        put("client_id_issued_at", Some(json!(enrolled.at.div_euclid(1000))));
        put("contacts", (!enrolled.contacts.is_empty()).then(|| json!(enrolled.contacts)));
        put("client_uri", enrolled.client_uri.as_ref().map(|uri| json!(uri)));
        put("logo_uri", enrolled.logo_uri.as_ref().map(|uri| json!(uri)));
        put("software_id", enrolled.software_id.as_ref().map(|id| json!(id)));
        put("software_version", enrolled.software_version.as_ref().map(|version| json!(version)));
        // In words of our own: until then the token endpoint answers `invalid_client`.
        put("registration_status", Some(json!(if client.waits() { "pending" } else { "approved" })));
    }
    told
}
