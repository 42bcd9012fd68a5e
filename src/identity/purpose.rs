//! Purposes of use: how they are spelled, and what they are called here.

use crate::fhir::json::{Element, Kind};

/// The code system that purposes come from.
pub const ACT_REASON: &str = "http://terminology.hl7.org/CodeSystem/v3-ActReason";

/// Other names of [`ACT_REASON`] that are seen in the field.
const ALIASES: [&str; 5] = [
    ACT_REASON,
    "http://hl7.org/fhir/v3/ActReason",
    "urn:oid:2.16.840.1.113883.5.8",
    "2.16.840.1.113883.5.8",
    "http://terminology.hl7.org/ValueSet/v3-PurposeOfUse",
];

/// The codes of the value set v3-PurposeOfUse (every code under `PurposeOfUse` in v3-ActReason).
pub const PURPOSES: [&str; 62] = [
    "TREAT",
    "CLINTRL",
    "COC",
    "ETREAT",
    "BTG",
    "ERTREAT",
    "POPHLTH",
    "TREATDS",
    "HPAYMT",
    "CLMATTCH",
    "COVAUTH",
    "COVERAGE",
    "ELIGDTRM",
    "ELIGVER",
    "ENROLLM",
    "MILDCRG",
    "REMITADV",
    "PMTDS",
    "HOPERAT",
    "CAREMGT",
    "DONAT",
    "FRAUD",
    "GOV",
    "HACCRED",
    "HCOMPL",
    "HDECD",
    "HDIRECT",
    "HDM",
    "HLEGAL",
    "HOUTCOMS",
    "HPRGRP",
    "HQUALIMP",
    "HSYSADMIN",
    "LABELING",
    "METAMGT",
    "MEMADMIN",
    "MILCDM",
    "PATADMIN",
    "PATSFTY",
    "PERFMSR",
    "RECORDMGT",
    "SYSDEV",
    "HTEST",
    "TRAIN",
    "MLTRAINING",
    "HRESCH",
    "BIORCH",
    "CLINTRCH",
    "CLINTRCHNPC",
    "CLINTRCHPC",
    "PRECLINTRCH",
    "DSRCH",
    "POARCH",
    "TRANSRCH",
    "PATRQT",
    "FAMRQT",
    "PWATRNY",
    "SUPNWK",
    "PUBHLTH",
    "DISASTER",
    "THREAT",
    "HMARKT",
];

/// One purpose from its text: a bare code, `system|code`, or `system#code`. Codes of v3-ActReason come back alone, a code of
/// another system as `system|code`.
///
/// `None` for a code that v3-PurposeOfUse does not have (case matters), and for a text that names no code.
pub fn normalised(text: &str) -> Option<String> {
    let (system, code) = match text.split_once('|').or_else(|| text.rsplit_once('#')) {
        Some((system, code)) => (system, code),
        None => (ACT_REASON, text),
    };
    pair(system, code)
}

fn pair(system: &str, code: &str) -> Option<String> {
    let clean = |text: &str| !text.is_empty() && !text.chars().any(|c| c.is_whitespace() || c.is_control() || c == '|');
    if !clean(system) || !clean(code) {
        return None;
    }
    if ALIASES.contains(&system) {
        return PURPOSES.contains(&code).then(|| code.to_owned());
    }
    Some(format!("{system}|{code}"))
}

/// The purposes that a claim states, each once, in order. The claim may be one value or an array; a value is a text as in
/// [`normalised`], or `{"system", "code"}`.
///
/// # Errors
/// `purpose` when a value has another shape or names an unknown purpose.
pub(super) fn stated(claim: Element<'_>) -> Result<Vec<String>, &'static str> {
    let mut found = Vec::new();
    for value in claim.flattened() {
        let purpose = one(value).ok_or("purpose")?;
        if !found.contains(&purpose) {
            found.push(purpose);
        }
    }
    Ok(found)
}

fn one(value: Element<'_>) -> Option<String> {
    if value.kind() != Kind::Object {
        return normalised(&value.as_str()?);
    }
    let code = value.text_at("code")?;
    match value.get("system") {
        None => normalised(&code),
        Some(system) => pair(&system.as_str()?, &code),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fhir::json::Document;

    #[test]
    fn every_accepted_spelling_of_treatment_is_the_same_purpose() {
        let spellings = r#"["TREAT", {"code": "TREAT"}, {"system": "urn:oid:2.16.840.1.113883.5.8", "code": "TREAT"},
            "http://terminology.hl7.org/CodeSystem/v3-ActReason|TREAT", "urn:oid:2.16.840.1.113883.5.8#TREAT",
            "http://terminology.hl7.org/CodeSystem/v3-ActReason#TREAT", "http://hl7.org/fhir/v3/ActReason|TREAT"]"#;
        assert_eq!(stated(Document::parse(spellings.as_bytes()).unwrap().root()).unwrap(), ["TREAT"]);
    }

    #[test]
    fn a_local_purpose_keeps_its_system_and_an_unknown_code_is_refused() {
        assert_eq!(normalised("https://site.example/purposes|AUDITS").as_deref(), Some("https://site.example/purposes|AUDITS"));
        for unknown in ["treat", "TREATX", "", "|TREAT", "x|", "PurposeOfUse", "TREAT ", "a|b|c"] {
            assert_eq!(normalised(unknown), None, "{unknown}");
        }
        for claim in ["[1]", "[null]", r#"[{"system":1,"code":"TREAT"}]"#, r#"{"system":"a"}"#, r#"[["TREAT"]]"#, "true"] {
            assert_eq!(stated(Document::parse(claim.as_bytes()).unwrap().root()), Err("purpose"), "{claim}");
        }
    }

    #[test]
    fn the_list_names_every_code_once() {
        let mut sorted = PURPOSES.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(sorted.len(), PURPOSES.len());
    }
}
