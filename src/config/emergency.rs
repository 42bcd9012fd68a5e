//! `[consent.break_glass]`: who may have emergency access, and why. How long, and what it opens, stands with the consents.

use super::settings::Settings;
use crate::consent::ConsentSettings;

/// `[consent.break_glass]`, as far as it says who may have emergency access, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Emergency {
    /// Role words of users who may have it; nobody, while this is empty.
    pub roles: Vec<String>,
    /// Values of `acr` that are strong enough.
    pub acr: Vec<String>,
    /// Codes of the reasons that may be given.
    pub reasons: Vec<String>,
}

/// Four hours are the most that emergency access may last (`consent` § 7).
const LONGEST_EMERGENCY: u32 = 240;

/// Reads the keys that say who and why.
pub(super) fn read(settings: &mut Settings, consent: &ConsentSettings) -> Emergency {
    let reasons = ["unconscious", "immediate-danger", "child-protection", "public-health-threat", "other"];
    let found = Emergency {
        roles: settings.or("consent.break_glass.roles", Vec::new()),
        acr: settings.or("consent.break_glass.acr", Vec::new()),
        reasons: settings.or("consent.break_glass.reasons", reasons.map(str::to_owned).to_vec()),
    };
    if consent.break_glass.max_minutes > LONGEST_EMERGENCY {
        settings.fault("consent.break_glass.max_minutes", "must lie between 1 and 240");
    }
    if consent.break_glass.enabled && !found.roles.is_empty() && found.acr.is_empty() {
        let text = "must name what counts as a strong sign-in, or nobody in a role could ever use it";
        settings.fault("consent.break_glass.acr", text);
    }
    if found.acr.iter().any(|acr| acr.is_empty() || acr.chars().any(|c| c.is_whitespace() || c == '"' || c == '\\')) {
        settings.fault("consent.break_glass.acr", "holds a value with a blank, a quote or a backslash");
    }
    found
}
