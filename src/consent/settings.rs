//! `[consent]` of the configuration, as far as it decides at this level.

use crate::fhir::Confidentiality;
use serde::Deserialize;

/// How consents are read and what holds where none speaks.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ConsentSettings {
    /// What holds for a patient without a consent that applies.
    pub implicit_policy: ImplicitPolicy,
    /// The highest confidentiality that the implicit policy opens. It takes effect with labels among a record's facts.
    pub implicit_max_conf: Confidentiality,
    /// How a provision without `type` is read.
    pub untyped: Untyped,
    /// How several consents of one patient are combined.
    pub combine: Combine,
    /// A consent without `verification.verified = true` can deny but not permit.
    pub require_verified: bool,
    /// Purposes that the site defines itself, as `system|code`.
    pub local_purposes: Vec<String>,
    /// The organization that holds the records: every reference (`Organization/x`), URL and `system|value` that names it. While this is
    /// empty, a consent that names an organization can deny but not permit, as nobody can tell whether it means these records.
    pub custodian: Vec<String>,
}

/// The policies of IHE PCF that hold without a consent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
pub enum ImplicitPolicy {
    /// Nothing is shown.
    #[default]
    #[serde(rename = "Policy-deny")]
    Deny,
    /// Only under a break-glass grant.
    #[serde(rename = "Policy-break-glass-only")]
    BreakGlassOnly,
    /// Clinicians, for treatment.
    #[serde(rename = "Policy-basic-normal")]
    BasicNormal,
    /// Everybody whom scopes let in.
    #[serde(rename = "Policy-all-normal")]
    AllNormal,
}

/// How a provision without `type` is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Untyped {
    /// As a deny: it never grants.
    #[default]
    Deny,
    /// As the exception from `policyRule`: the literal reading of R4.
    Exception,
}

/// How several consents of one patient are combined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Combine {
    /// Supersession inside a policy, then strength.
    #[default]
    Default,
    /// No supersession; any denial denies. For migration only.
    DenyOverrides,
    /// The newest alone, whatever its policy. For migration only.
    Latest,
}

#[cfg(test)]
mod tests {
    use super::{Combine, ConsentSettings, ImplicitPolicy, Untyped};

    #[test]
    fn nothing_set_denies_and_reads_untyped_rules_as_denials() {
        let settings: ConsentSettings = toml::from_str("").unwrap();
        assert_eq!(settings, ConsentSettings::default());
        assert_eq!(
            (settings.implicit_policy, settings.untyped, settings.combine),
            (ImplicitPolicy::Deny, Untyped::Deny, Combine::Default)
        );
    }

    #[test]
    fn a_key_or_a_word_that_is_not_known_is_an_error() {
        for text in [
            "implicit = 'Policy-deny'",
            "implicit_policy = 'deny'",
            "untyped = 'permit'",
            "combine = 'any'",
            "implicit_max_conf = 'X'",
        ] {
            assert!(toml::from_str::<ConsentSettings>(text).is_err(), "{text}");
        }
        let settings: ConsentSettings =
            toml::from_str("implicit_policy = 'Policy-basic-normal'\ncombine = 'deny-overrides'").unwrap();
        assert_eq!((settings.implicit_policy, settings.combine), (ImplicitPolicy::BasicNormal, Combine::DenyOverrides));
    }
}
