//! The parts of the authorization server that the settings name.

use super::assembly::OpenError;
use crate::config::{Config, Registration};
use crate::gateway::StepUp;
use crate::identity::Reach;
use crate::smart::{Admission, Communities, CommunitySettings, Endpoints, Federation, Registrar, Registry, Seal};
use std::sync::Arc;

/// Passwords that the site refuses, in lower case.
pub(super) fn refused(config: &Config) -> Result<Vec<String>, OpenError> {
    let Some(file) = &config.smart.refused_passwords else { return Ok(Vec::new()) };
    let text = std::fs::read_to_string(file)
        .map_err(|error| OpenError::Setting(format!("smart.refused_passwords: `{}`: {error}", file.display())))?;
    Ok(text.lines().map(|line| line.trim().to_lowercase()).filter(|line| !line.is_empty()).collect())
}

/// Where the key addresses of clients may lead that the operator registered.
pub(super) fn key_reach(config: &Config) -> Reach {
    if config.smart.client_keys_inside { Reach::Inside } else { Reach::Public }
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

/// Where everything is.
pub(super) fn endpoints(config: &Config, registrar: &Registrar) -> Endpoints {
    let base = &config.server.base_url;
    let all = Endpoints::at(base.origin(), base.as_str(), config.smart.sign_in);
    Endpoints {
        registration: registrar.is_open().then(|| registrar.url.clone()),
        certificates: config.tls.as_ref().is_some_and(|tls| tls.client_ca.is_some()),
        app_state: all.app_state.filter(|_| config.smart.app_state),
        ..all
    }
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
    let base = config.server.base_url.as_str().to_owned();
    Federation::new(config.smart.providers.clone(), format!("{origin}/sign-in/back"), base)
}
