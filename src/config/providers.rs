//! `[[smart.providers]]`: OpenID providers at which people sign in, and who they are here.

use super::base_url::is_this_computer;
use super::settings::Settings;
use crate::fhir::ResourceType;
use crate::smart::ProviderSettings;
use secrecy::SecretString;

/// Reads the providers; those with a fault are left out, and the fault is noted.
pub(super) fn read(settings: &mut Settings) -> Vec<ProviderSettings> {
    (0..settings.elements("smart.providers")).filter_map(|at| provider(settings, at)).collect()
}

fn provider(settings: &mut Settings, at: usize) -> Option<ProviderSettings> {
    let key = |name: &str| format!("smart.providers[{at}].{name}");
    let (id, issuer) = (settings.required::<String>(&key("id")), settings.required::<String>(&key("issuer")));
    let client_id = settings.required::<String>(&key("client_id"));
    let client_secret = settings.optional_secret::<String>(&key("client_secret")).map(SecretString::from);
    let user_type: Option<String> = settings.optional(&key("user_type"));
    if user_type.as_deref().is_some_and(|of| ResourceType::parse(of).is_none()) {
        settings.fault(&key("user_type"), "must be a type of FHIR, such as Practitioner");
    }
    let provider = ProviderSettings {
        id: id?,
        name: settings.optional(&key("name")).unwrap_or_default(),
        issuer: issuer?,
        client_id: client_id?,
        client_secret,
        scopes: settings.or(&key("scopes"), vec!["profile".to_owned()]),
        user_claim: settings.or(&key("user_claim"), "fhirUser".to_owned()),
        user_type: user_type.as_deref().and_then(ResourceType::parse),
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
    Some(ProviderSettings { name, ..provider })
}

/// An address of this computer itself, where plain HTTP is nobody else's to read.
fn is_here(issuer: &str) -> bool {
    let authority = issuer.strip_prefix("http://").and_then(|rest| rest.split(['/', '?', '#']).next()).unwrap_or_default();
    let host = match authority.strip_prefix('[') {
        Some(bracketed) => bracketed.split(']').next(),
        None => authority.split(':').next(),
    };
    !authority.contains('@') && host.is_some_and(is_this_computer)
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
