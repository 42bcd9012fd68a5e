//! `[smart]`: the gateway's own authorization server.

use super::settings::Settings;
use serde::Deserialize;
use std::path::PathBuf;

/// `[smart]`: the gateway's own issuer.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct Smart {
    /// Seconds that an access token lives.
    pub token_lifetime_seconds: u32,
    /// Seconds of leeway on `exp`, `nbf` and `iat`.
    pub leeway_seconds: u32,
    /// Whether people sign in here: the authorization endpoint, its pages, and what is claimed of them.
    pub sign_in: bool,
    /// The name by which patients know whose records these are.
    pub brand: String,
    /// Who may register a client.
    pub registration: Registration,
    /// Whether a proof of possession must carry a nonce of this server.
    pub proof_nonce: bool,
    /// A file of passwords that are refused, one a line: those of known breaches, for example.
    pub refused_passwords: Option<PathBuf>,
    /// A file of 32 random bytes or more under which what must be readable again is sealed; a key in the store itself, where none is named.
    pub seal_key: Option<PathBuf>,
    /// Whether apps may keep states of their own here.
    pub app_state: bool,
    /// Whether the key addresses of clients that the operator registered may lead into private networks, and then also without TLS to this computer.
    pub client_keys_inside: bool,
    /// Authorities of the certificates there, PEM, where those of the web are not enough.
    pub client_keys_authorities: Option<PathBuf>,
    /// Days for which a person may choose not to be asked again by the same app; 0: everybody is always asked.
    pub remember_consent_days: u32,
    /// What needs a fresh and strong sign-in.
    pub step_up: StepUp,
    /// The OpenID providers at which people may sign in.
    pub providers: Vec<crate::smart::ProviderSettings>,
}

/// Who may register a client (RFC 7591).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Registration {
    /// Nobody but the operator.
    Closed,
    /// Everybody; the operator admits each client before it gets a token.
    Operator,
    /// Everybody, at once.
    AtOnce,
}

/// `[smart.step_up]`: what needs a fresh and strong sign-in of the user (RFC 9470).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepUp {
    /// What: `export`, `administration`, `delete`.
    pub needed_for: Vec<String>,
    /// Values of `acr` that are strong enough.
    pub acr: Vec<String>,
    /// How long ago the sign-in may lie, in seconds.
    pub max_age_seconds: u32,
}

/// What a step-up can be asked for.
const STEPS: [&str; 3] = ["export", "administration", "delete"];

/// Reads the section.
pub(super) fn read(settings: &mut Settings) -> Smart {
    let smart = Smart {
        token_lifetime_seconds: settings.or("smart.token_lifetime_seconds", 300),
        leeway_seconds: settings.or("smart.leeway_seconds", 30),
        sign_in: settings.or("smart.sign_in", true),
        brand: settings.or("smart.brand", "Amanat".to_owned()),
        registration: settings.or("smart.registration", Registration::Operator),
        proof_nonce: settings.or("smart.proof_nonce", false),
        refused_passwords: settings.path("smart.refused_passwords"),
        seal_key: settings.path("smart.seal_key"),
        app_state: settings.or("smart.app_state", true),
        client_keys_inside: settings.or("smart.client_keys_inside", false),
        client_keys_authorities: settings.path("smart.client_keys_authorities"),
        remember_consent_days: settings.or("smart.remember_consent_days", 30),
        step_up: step_up(settings),
        providers: super::providers::read(settings),
    };
    if !(1..=3600).contains(&smart.token_lifetime_seconds) {
        settings.fault("smart.token_lifetime_seconds", "must lie between 1 and 3600");
    }
    if smart.remember_consent_days > 365 {
        settings.fault("smart.remember_consent_days", "must lie between 0, which never remembers, and 365");
    }
    if !(10..=60).contains(&smart.leeway_seconds) {
        settings.fault("smart.leeway_seconds", "must lie between 10 and 60");
    }
    smart
}

fn step_up(settings: &mut Settings) -> StepUp {
    let strong = ["urn:amanat:acr:two-factor", "urn:amanat:acr:passkey"];
    let found = StepUp {
        needed_for: settings.or("smart.step_up.needed_for", Vec::new()),
        acr: settings.or("smart.step_up.acr", strong.map(str::to_owned).to_vec()),
        max_age_seconds: settings.or("smart.step_up.max_age_seconds", 300),
    };
    if let Some(unknown) = found.needed_for.iter().find(|what| !STEPS.contains(&what.as_str())) {
        settings.fault("smart.step_up.needed_for", format!("holds `{unknown}`; it can hold {}", STEPS.join(", ")));
    }
    if found.acr.is_empty() || found.acr.iter().any(|acr| acr.is_empty() || acr.chars().any(|c| " \"\\\t".contains(c))) {
        settings.fault("smart.step_up.acr", "must hold values without blanks, quotes and backslashes, at least one");
    }
    if found.max_age_seconds == 0 {
        settings.fault("smart.step_up.max_age_seconds", "must be at least 1, else no sign-in would ever be fresh");
    }
    found
}
