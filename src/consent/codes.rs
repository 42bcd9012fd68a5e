//! Code systems that a consent speaks in, their wrong names in the wild, and what subsumes what (`consent` § 3).

use std::borrow::Cow;

/// `v3-ActReason`: purposes of use.
pub(super) const ACT_REASON: &str = "http://terminology.hl7.org/CodeSystem/v3-ActReason";
/// `v3-ActCode`: base policies, labels.
pub(super) const ACT_CODE: &str = "http://terminology.hl7.org/CodeSystem/v3-ActCode";
/// What a consent is about.
pub(super) const SCOPE: &str = "http://terminology.hl7.org/CodeSystem/consentscope";
/// What is done with the records.
pub(super) const ACTION: &str = "http://terminology.hl7.org/CodeSystem/consentaction";
/// The part that an actor plays.
pub(super) const PARTICIPATION: &str = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType";

/// The policies of IHE PCF stand under this.
pub(super) const PCF: &str = "https://profiles.ihe.net/ITI/PCF/";

/// Canonical system, and what is accepted for it: a deny under a wrong name that silently matches nothing is a leak.
const ALIASES: [(&str, &[&str]); 7] = [
    (
        "http://terminology.hl7.org/CodeSystem/v3-Confidentiality",
        &[
            "http://hl7.org/fhir/v3/Confidentiality",
            "urn:oid:2.16.840.1.113883.5.25",
            "2.16.840.1.113883.5.25",
            "http://terminology.hl7.org/ValueSet/v3-Confidentiality",
            "http://terminology.hl7.org/ValueSet/v3-ConfidentialityClassification",
        ],
    ),
    ("http://hl7.org/fhir/resource-types", &["http://hl7.org/fhir/ValueSet/resource-types", "http://hl7.org/fhir/fhir-types"]),
    (
        ACT_REASON,
        &[
            "http://hl7.org/fhir/v3/ActReason",
            "urn:oid:2.16.840.1.113883.5.8",
            "2.16.840.1.113883.5.8",
            "http://terminology.hl7.org/ValueSet/v3-PurposeOfUse",
        ],
    ),
    (
        ACT_CODE,
        &[
            "http://hl7.org/fhir/v3/ActCode",
            "urn:oid:2.16.840.1.113883.5.4",
            "2.16.840.1.113883.5.4",
            "http://terminology.hl7.org/ValueSet/v3-InformationSensitivityPolicy",
            "http://terminology.hl7.org/ValueSet/v3-ActInformationSensitivityPolicy",
            "http://terminology.hl7.org/ValueSet/v3-ActConsentDirective",
        ],
    ),
    (SCOPE, &["http://hl7.org/fhir/consentscope"]),
    (ACTION, &["http://hl7.org/fhir/consentaction"]),
    (PARTICIPATION, &["http://hl7.org/fhir/v3/ParticipationType", "urn:oid:2.16.840.1.113883.5.90", "2.16.840.1.113883.5.90"]),
];

/// The canonical name of a code system; what has no other name is its own.
pub fn canonical(system: &str) -> &str {
    ALIASES.iter().find(|(_, others)| others.contains(&system)).map_or(system, |(name, _)| name)
}

/// Every name under which a code system goes, the canonical one first.
pub(super) fn spellings(system: &str) -> impl Iterator<Item = &str> {
    let others = ALIASES.iter().find(|(name, _)| *name == system).map_or(&[][..], |(_, others)| *others);
    std::iter::once(system).chain(others.iter().copied())
}

/// A purpose and what it stands under (v3-ActReason, `PurposeOfUse`); the roots stand under nothing.
const PURPOSES: [(&str, Option<&str>); 62] = [
    ("TREAT", None),
    ("CLINTRL", Some("TREAT")),
    ("COC", Some("TREAT")),
    ("ETREAT", Some("TREAT")),
    ("BTG", Some("ETREAT")),
    ("ERTREAT", Some("ETREAT")),
    ("POPHLTH", Some("TREAT")),
    ("TREATDS", Some("TREAT")),
    ("HPAYMT", None),
    ("CLMATTCH", Some("HPAYMT")),
    ("COVAUTH", Some("HPAYMT")),
    ("COVERAGE", Some("HPAYMT")),
    ("ELIGDTRM", Some("COVERAGE")),
    ("ELIGVER", Some("COVERAGE")),
    ("ENROLLM", Some("COVERAGE")),
    ("MILDCRG", Some("COVERAGE")),
    ("REMITADV", Some("HPAYMT")),
    ("PMTDS", Some("HPAYMT")),
    ("HOPERAT", None),
    ("CAREMGT", Some("HOPERAT")),
    ("DONAT", Some("HOPERAT")),
    ("FRAUD", Some("HOPERAT")),
    ("GOV", Some("HOPERAT")),
    ("HACCRED", Some("HOPERAT")),
    ("HCOMPL", Some("HOPERAT")),
    ("HDECD", Some("HOPERAT")),
    ("HDIRECT", Some("HOPERAT")),
    ("HDM", Some("HOPERAT")),
    ("HLEGAL", Some("HOPERAT")),
    ("HOUTCOMS", Some("HOPERAT")),
    ("HPRGRP", Some("HOPERAT")),
    ("HQUALIMP", Some("HOPERAT")),
    ("HSYSADMIN", Some("HOPERAT")),
    ("LABELING", Some("HSYSADMIN")),
    ("METAMGT", Some("HSYSADMIN")),
    ("MEMADMIN", Some("HOPERAT")),
    ("MILCDM", Some("HOPERAT")),
    ("PATADMIN", Some("HOPERAT")),
    ("PATSFTY", Some("HOPERAT")),
    ("PERFMSR", Some("HOPERAT")),
    ("RECORDMGT", Some("HOPERAT")),
    ("SYSDEV", Some("HOPERAT")),
    ("HTEST", Some("SYSDEV")),
    ("TRAIN", Some("HOPERAT")),
    ("MLTRAINING", Some("HOPERAT")),
    ("HRESCH", None),
    ("BIORCH", Some("HRESCH")),
    ("CLINTRCH", Some("HRESCH")),
    ("CLINTRCHNPC", Some("CLINTRCH")),
    ("CLINTRCHPC", Some("CLINTRCH")),
    ("PRECLINTRCH", Some("CLINTRCH")),
    ("DSRCH", Some("HRESCH")),
    ("POARCH", Some("HRESCH")),
    ("TRANSRCH", Some("HRESCH")),
    ("PATRQT", None),
    ("FAMRQT", Some("PATRQT")),
    ("PWATRNY", Some("PATRQT")),
    ("SUPNWK", Some("PATRQT")),
    ("PUBHLTH", None),
    ("DISASTER", Some("PUBHLTH")),
    ("THREAT", Some("PUBHLTH")),
    ("HMARKT", None),
];

/// Is it a purpose of v3-ActReason?
pub(super) fn is_purpose(code: &str) -> bool {
    PURPOSES.iter().any(|(name, _)| *name == code)
}

/// Does `wide` equal `narrow` or stand above it?
pub(super) fn subsumes(wide: &str, narrow: &str) -> bool {
    if wide == narrow {
        return true;
    }
    let above = PURPOSES.iter().find(|(name, _)| *name == narrow).and_then(|(_, above)| *above);
    above.is_some_and(|above| subsumes(wide, above))
}

/// A code as it is compared: a purpose of v3-ActReason bare, everything else as `system|code`.
pub(super) fn purpose_key(system: &str, code: &str) -> String {
    match canonical(system) {
        ACT_REASON => code.to_owned(),
        other => format!("{other}|{code}"),
    }
}

/// A purpose of a caller in the same form, however it was written.
pub(super) fn asked_purpose(text: &str) -> Cow<'_, str> {
    match text.split_once('|') {
        Some((system, code)) => Cow::Owned(purpose_key(system, code)),
        None => Cow::Borrowed(text),
    }
}

/// What `policyRule` says before any provision (v3-ActCode): permit, deny, or nothing.
pub(super) fn base(code: &str) -> Option<super::rule::Effect> {
    use super::rule::Effect;
    match code {
        "OPTIN" | "OPTINR" | "IMPLIED" | "IMPLIEDD" => Some(Effect::Permit),
        "OPTOUT" | "OPTOUTE" | "EMRGONLY" => Some(Effect::Deny),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{ACT_REASON, PURPOSES, asked_purpose, canonical, is_purpose, purpose_key, subsumes};

    #[test]
    fn a_purpose_covers_what_stands_under_it_and_never_upward() {
        for (wide, narrow) in [("TREAT", "TREAT"), ("TREAT", "BTG"), ("HOPERAT", "HTEST"), ("HRESCH", "CLINTRCHPC")] {
            assert!(subsumes(wide, narrow), "{wide} {narrow}");
        }
        for (wide, narrow) in [("ETREAT", "TREAT"), ("TREAT", "HPAYMT"), ("BTG", "ERTREAT"), ("TREAT", "nonsense")] {
            assert!(!subsumes(wide, narrow), "{wide} {narrow}");
        }
    }

    #[test]
    fn every_purpose_leads_up_to_a_root_and_stands_once() {
        for (at, (name, above)) in PURPOSES.iter().enumerate() {
            assert!(above.is_none_or(|above| PURPOSES[..at].iter().any(|(other, _)| *other == above)), "{name}");
            assert!(!PURPOSES[..at].iter().any(|(other, _)| other == name), "{name}");
        }
    }

    #[test]
    fn systems_under_wrong_names_mean_the_same() {
        for system in ["http://hl7.org/fhir/v3/ActReason", "urn:oid:2.16.840.1.113883.5.8", ACT_REASON] {
            assert_eq!(canonical(system), ACT_REASON);
            assert_eq!(purpose_key(system, "TREAT"), "TREAT");
            assert_eq!(asked_purpose(&format!("{system}|TREAT")), "TREAT");
        }
        assert_eq!(purpose_key("http://example.org", "TREAT"), "http://example.org|TREAT");
        assert!(is_purpose("BTG") && !is_purpose("http://example.org|TREAT"));
    }
}
