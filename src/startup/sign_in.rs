//! The parts of the authorization server that the settings name.

use super::assembly::OpenError;
use crate::config::{Config, Registration};
use crate::fhir::ResourceType;
use crate::gateway::StepUp;
use crate::smart::{Admission, Communities, CommunitySettings, Federation, ProviderSettings, Registrar, Registry, Seal};
use std::sync::Arc;

/// Passwords that the site refuses, in lower case.
pub(super) fn refused(config: &Config) -> Result<Vec<String>, OpenError> {
    let Some(file) = &config.smart.refused_passwords else { return Ok(Vec::new()) };
    let text = std::fs::read_to_string(file)
        .map_err(|error| OpenError::Setting(format!("smart.refused_passwords: `{}`: {error}", file.display())))?;
    Ok(text.lines().map(|line| line.trim().to_lowercase()).filter(|line| !line.is_empty()).collect())
}

/// The trust communities.
pub(super) fn communities(config: &Config) -> Result<Communities, OpenError> {
    let settings = |community: &crate::config::Community| CommunitySettings {
        uri: community.uri.clone(),
        anchors: community.anchors.clone(),
        revocations: community.revocations.clone(),
        certificate: community.certificate.clone(),
        key: community.key.clone(),
        scopes: community.scopes.clone(),
        operator_admits: community.operator_admits,
    };
    let all: Vec<CommunitySettings> = config.communities.iter().map(settings).collect();
    Communities::load(&all, config.server.base_url.as_str())
        .map_err(|fault| OpenError::Setting(format!("udap.communities: {fault}")))
}

/// The registration endpoint.
pub(super) fn registrar(config: &Config, registry: &Arc<Registry>, origin: &str) -> Registrar {
    Registrar {
        registry: Arc::clone(registry),
        admission: match config.smart.registration {
            Registration::Closed => Admission::Closed,
            Registration::Operator => Admission::Operator,
            Registration::AtOnce => Admission::AtOnce,
        },
        url: format!("{origin}/register"),
        communities: Arc::clone(registry.communities()),
        people: config.smart.sign_in,
    }
}

/// What needs a fresh and strong sign-in.
pub(super) fn step_up(config: &Config) -> StepUp {
    let rules = &config.smart.step_up;
    StepUp { needed_for: rules.needed_for.clone(), acr: rules.acr.clone(), max_age: rules.max_age_seconds }
}

/// Under what secrets are sealed that must be readable again: the site's own file, or else a key that the store keeps beside them.
pub(super) fn seal(config: &Config, kept: Vec<u8>) -> Result<Seal, OpenError> {
    let wrong = |why: &dyn std::fmt::Display| OpenError::Setting(format!("smart.seal_key: {why}"));
    let key = match &config.smart.seal_key {
        None => kept,
        Some(file) => {
            let bytes = std::fs::read(file).map_err(|error| wrong(&error))?;
            if bytes.len() < 32 {
                return Err(wrong(&"must hold 32 random bytes or more"));
            }
            aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &bytes).as_ref().to_vec()
        }
    };
    Seal::new(&key).ok_or_else(|| wrong(&"the stored key is damaged"))
}

/// The OpenID providers at which people sign in.
pub(super) fn federation(config: &Config, origin: &str) -> Federation {
    let provider = |one: &crate::config::Provider| ProviderSettings {
        id: one.id.clone(),
        name: one.name.clone(),
        issuer: one.issuer.clone(),
        client_id: one.client_id.clone(),
        client_secret: one.client_secret.clone(),
        scopes: one.scopes.clone(),
        user_claim: one.user_claim.clone(),
        user_type: one.user_type.as_deref().and_then(ResourceType::parse),
        patients_claim: one.patients_claim.clone(),
        organization_claim: one.organization_claim.clone(),
        organization: one.organization.clone(),
        roles_claim: one.roles_claim.clone(),
        strong_acr: one.strong_acr.clone(),
        takes_on: one.takes_on,
        authorities: one.authorities.clone(),
    };
    Federation {
        providers: config.smart.providers.iter().map(provider).collect(),
        back: format!("{origin}/sign-in/back"),
        base: config.server.base_url.as_str().to_owned(),
    }
}
