//! `[[smart.providers]]`: OpenID providers at which people sign in, and who they are here.

use super::settings::Settings;
use secrecy::SecretString;
use std::net::IpAddr;
use std::path::PathBuf;

/// A provider.
#[derive(Debug, Clone)]
pub struct Provider {
    /// Its name in addresses: `hospital` makes `/sign-in/with/hospital`.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// Its issuer; the discovery document lies below it.
    pub issuer: String,
    /// `client_id` of the gateway there.
    pub client_id: String,
    /// The secret of the gateway there; none for a public client.
    pub client_secret: Option<SecretString>,
    /// What is asked for beside `openid`.
    pub scopes: Vec<String>,
    /// The claim that says who somebody is here: a `fhirUser`, or an id that `user_type` makes one of.
    pub user_claim: String,
    /// The type of the user when the claim holds an id alone.
    pub user_type: Option<String>,
    /// The claim with the ids of the patients that somebody acts for.
    pub patients_claim: Option<String>,
    /// The claim with the organization that somebody acts for.
    pub organization_claim: Option<String>,
    /// The organization of everybody who comes from there, when no claim says it.
    pub organization: Option<String>,
    /// The claim with role words.
    pub roles_claim: Option<String>,
    /// Which `acr` of the provider count as a strong sign-in.
    pub strong_acr: Vec<String>,
    /// Whether somebody whom the gateway does not know yet is taken on when the claims say who they are.
    pub takes_on: bool,
    /// Authorities of its certificate, PEM, where those of the web are not enough.
    pub authorities: Option<PathBuf>,
}

/// Reads the providers; those with a fault are left out, and the fault is noted.
pub(super) fn read(settings: &mut Settings) -> Vec<Provider> {
    (0..settings.elements("smart.providers")).filter_map(|at| provider(settings, at)).collect()
}

fn provider(settings: &mut Settings, at: usize) -> Option<Provider> {
    let key = |name: &str| format!("smart.providers[{at}].{name}");
    let (id, issuer) = (settings.required::<String>(&key("id")), settings.required::<String>(&key("issuer")));
    let client_id = settings.required::<String>(&key("client_id"));
    let client_secret = settings.optional_secret::<String>(&key("client_secret")).map(SecretString::from);
    let provider = Provider {
        id: id?,
        name: settings.optional(&key("name")).unwrap_or_default(),
        issuer: issuer?,
        client_id: client_id?,
        client_secret,
        scopes: settings.or(&key("scopes"), vec!["profile".to_owned()]),
        user_claim: settings.or(&key("user_claim"), "fhirUser".to_owned()),
        user_type: settings.optional(&key("user_type")),
        patients_claim: settings.optional(&key("patients_claim")),
        organization_claim: settings.optional(&key("organization_claim")),
        organization: settings.optional(&key("organization")),
        roles_claim: settings.optional(&key("roles_claim")),
        strong_acr: settings.or(&key("strong_acr"), Vec::new()),
        takes_on: settings.or(&key("takes_on"), false),
        authorities: settings.path(&key("authorities")),
    };
    if provider.id.is_empty() || !provider.id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-') {
        settings.fault(&key("id"), "must be of a-z, 0-9 and hyphens: it is part of an address");
    }
    if !provider.issuer.starts_with("https://") && !is_here(&provider.issuer) {
        settings.fault(&key("issuer"), "must be an https address");
    }
    let name = if provider.name.is_empty() { provider.id.clone() } else { provider.name.clone() };
    Some(Provider { name, ..provider })
}

/// An address of this computer itself, where plain HTTP is nobody else's to read.
fn is_here(issuer: &str) -> bool {
    let authority = issuer.strip_prefix("http://").and_then(|rest| rest.split(['/', '?', '#']).next()).unwrap_or_default();
    let host = match authority.strip_prefix('[') {
        Some(bracketed) => bracketed.split(']').next(),
        None => authority.split(':').next(),
    };
    let loopback = |host: &str| host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    !authority.contains('@') && host.is_some_and(loopback)
}

#[cfg(test)]
mod tests {
    use super::is_here;

    #[test]
    fn only_this_computer_is_here() {
        for here in ["http://127.0.0.1:8080", "http://localhost", "http://[::1]:9/realm", "http://localhost/realm"] {
            assert!(is_here(here), "{here}");
        }
        for elsewhere in [
            "http://idp.example",
            "http://127.0.0.1:x@evil.example",
            "http://localhost.evil.example",
            "http://",
            "ftp://localhost",
        ] {
            assert!(!is_here(elsewhere), "{elsewhere}");
        }
    }
}
