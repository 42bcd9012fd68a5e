//! Security labels: confidentiality, sensitivity with the union of its hierarchies, handling (`consent` § 3.2 to § 3.4).
//!
//! Which sensitivity stands under which depends on the release of the terminology. Taking one alone leaks (a denial of substance abuse
//! would miss alcohol use disorder), so a code stands under every parent that any of them gives it.

use super::codes;
use crate::fhir::Confidentiality;
use serde::Deserialize;

/// `v3-Confidentiality`
const CONFIDENTIALITY: &str = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality";
/// `v3-ObservationValue`: integrity tags, which say nothing about who may see.
const OBSERVATION_VALUE: &str = "http://terminology.hl7.org/CodeSystem/v3-ObservationValue";

/// Labels that nobody here knows count as this sensitivity.
pub const OTHER: u8 = 62;
/// The first bit of the sensitivities that a site defines.
const FIRST_LOCAL: u8 = 45;
/// How many a site may define.
pub(super) const LOCALS: usize = 17;

/// Code, bit, codes that it stands under, and whether it stigmatizes.
const SENSITIVITIES: [(&str, u8, &[&str], bool); 45] = [
    ("SPI", 0, &[], true),
    ("BH", 1, &["SPI"], true),
    ("MH", 2, &["SPI", "BH"], true),
    ("PSY", 3, &["SPI", "BH"], true),
    ("PSYTHPN", 4, &["SPI", "BH"], true),
    ("SUD", 5, &["SPI", "BH", "ETH"], true),
    ("ETH", 6, &[], true),
    ("ETHUD", 7, &["SUD", "ETH"], true),
    ("OPIOIDUD", 8, &["SUD", "ETH"], true),
    ("COGN", 9, &["BH"], true),
    ("DVD", 10, &["BH"], true),
    ("EMOTDIS", 11, &["BH"], true),
    ("HIV", 12, &[], true),
    ("STD", 13, &[], true),
    ("SEX", 14, &[], true),
    ("SDV", 15, &[], true),
    ("MST", 16, &[], true),
    ("VIO", 17, &[], true),
    ("GDIS", 18, &[], true),
    ("SCA", 19, &[], true),
    ("PREGNANT", 20, &[], true),
    ("TBOO", 21, &[], true),
    ("IDS", 22, &[], false),
    ("DEMO", 23, &[], false),
    ("DOB", 24, &[], false),
    ("GENDER", 25, &[], false),
    ("LIVARG", 26, &[], false),
    ("MARST", 27, &[], false),
    ("PATLOC", 28, &[], false),
    ("RACE", 29, &[], false),
    ("REL", 30, &[], false),
    ("B", 31, &[], false),
    ("EMPL", 32, &[], false),
    ("LOCIS", 33, &[], false),
    ("SSP", 34, &[], false),
    ("ADOL", 35, &[], false),
    ("VIP", 36, &[], false),
    ("DIA", 37, &[], false),
    ("DRGIS", 38, &[], false),
    ("EMP", 39, &[], false),
    ("PDS", 40, &[], false),
    ("PHY", 41, &[], false),
    ("PRS", 42, &[], false),
    ("42CFRPart2", 43, &[], true),
    ("Title38Section7332", 44, &[], true),
];

/// Older codes and what they are called now.
const RENAMED: [(&str, &str); 2] = [("SICKLE", "SCA"), ("CEL", "VIP")];

/// Handling codes (refrain policies, obligations, privacy marks), each at the bit of its place.
const HANDLING: [&str; 38] = [
    "NOPAT",
    "NODSCLCD",
    "NODSCLCDS",
    "NORDSCLCD",
    "NORDSCLCDS",
    "NOAUTH",
    "ORCON",
    "MASK",
    "REDACT",
    "NOCOLLECT",
    "NOINTEGRATE",
    "NOLIST",
    "NOMOU",
    "NOORGPOL",
    "NOPERSISTP",
    "NORDSLCD",
    "NORELINK",
    "NOREUSE",
    "NOVIP",
    "NODSCLCDSR",
    "ANONY",
    "AOD",
    "AUDIT",
    "AUDTR",
    "CPLYCC",
    "CPLYCD",
    "CPLYJPP",
    "CPLYOPP",
    "CPLYOSP",
    "CPLYPOL",
    "CRYTREST",
    "ENCRYPT",
    "DEID",
    "DELAU",
    "MINEC",
    "PRIVMARK",
    "PERSISTLABEL",
    "PROCESSINLINELABEL",
];

/// A sensitivity that a site defines, for `[[consent.local_sensitivities]]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LocalSensitivity {
    /// Its code system.
    pub system: String,
    /// Its code.
    pub code: String,
    /// Whether it makes a record at least *restricted*.
    #[serde(default)]
    pub stigma: bool,
    /// Standard codes that it stands under.
    #[serde(default)]
    pub parents: Vec<String>,
}

/// What one security label says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Label {
    /// How confidential.
    Confidentiality(Confidentiality),
    /// A kind of sensitivity, by its bit; [`OTHER`] for a label that nobody here knows.
    Sensitivity(u8),
    /// How to handle it, by its bit: no criterion of a rule.
    Handling(u8),
    /// SUBSETTED, REDACTED, MASKED and their like: nothing about who may see.
    Integrity,
}

/// Every label that is known here: the standard's and the site's.
#[derive(Debug, Clone, Default)]
pub struct Vocabulary {
    locals: Vec<LocalSensitivity>,
}

impl Vocabulary {
    /// The standard's labels, and these. Of more than 17 the rest count as unknown.
    pub fn new(locals: &[LocalSensitivity]) -> Self {
        Self { locals: locals.iter().take(LOCALS).cloned().collect() }
    }

    /// What a coding says as a label; `None` for one that is not known, which a record's label counts as [`OTHER`].
    pub fn label(&self, system: &str, code: &str) -> Option<Label> {
        let system = codes::canonical(system);
        match system {
            CONFIDENTIALITY => Confidentiality::parse(code).map(Label::Confidentiality),
            codes::ACT_CODE => standard(code).map(Label::Sensitivity).or_else(|| handling(code).map(Label::Handling)),
            OBSERVATION_VALUE => Some(Label::Integrity),
            _ => self.local(system, code).map(Label::Sensitivity),
        }
    }

    /// The bits of a sensitivity and of everything under it.
    pub fn closure(&self, bit: u8) -> u64 {
        let mut found = 1_u64 << bit;
        loop {
            let under = self.all().filter(|(_, parents)| parents & found != 0).fold(found, |found, (one, _)| found | 1 << one);
            if under == found {
                return found;
            }
            found = under;
        }
    }

    /// The same for a standard sensitivity, by its code; nothing for an unknown code.
    pub fn closure_of(&self, code: &str) -> u64 {
        standard(code).map_or(0, |bit| self.closure(bit))
    }

    /// The same for a sensitivity that the site defines, by its code alone; `None` when there is none of that code.
    pub fn closure_of_local(&self, code: &str) -> Option<u64> {
        let bits = self.locals.iter().zip(FIRST_LOCAL..).filter(|(one, _)| one.code == code).map(|(_, bit)| self.closure(bit));
        bits.reduce(|all, bits| all | bits)
    }

    /// The bits of sensitivities that make a record at least *restricted*.
    pub fn stigma(&self) -> u64 {
        let standard = SENSITIVITIES.iter().filter(|(.., stigma)| *stigma).map(|(_, bit, ..)| *bit);
        let own = self.locals.iter().zip(FIRST_LOCAL..).filter(|(one, _)| one.stigma).map(|(_, bit)| bit);
        standard.chain(own).fold(1 << OTHER, |bits, bit| bits | 1 << bit)
    }

    /// The confidentiality that these sensitivities demand at least (`consent` § 3.4).
    pub fn floor(&self, sensitivity: u64) -> Confidentiality {
        if sensitivity & bit_of("PSYTHPN") != 0 {
            Confidentiality::V
        } else if sensitivity & self.stigma() != 0 {
            Confidentiality::R
        } else {
            Confidentiality::U
        }
    }

    /// Each bit with those of its parents.
    fn all(&self) -> impl Iterator<Item = (u8, u64)> {
        let mask = |parents: &mut dyn Iterator<Item = &str>| parents.fold(0, |bits, parent| bits | bit_of(parent));
        let standard = SENSITIVITIES.iter().map(move |(_, bit, parents, _)| (*bit, mask(&mut parents.iter().copied())));
        let own = self.locals.iter().zip(FIRST_LOCAL..);
        standard.chain(own.map(move |(one, bit)| (bit, mask(&mut one.parents.iter().map(String::as_str)))))
    }

    fn local(&self, system: &str, code: &str) -> Option<u8> {
        let mut all = self.locals.iter().zip(FIRST_LOCAL..);
        all.find(|(one, _)| codes::canonical(&one.system) == system && one.code == code).map(|(_, bit)| bit)
    }
}

fn standard(code: &str) -> Option<u8> {
    let code = RENAMED.iter().find(|(old, _)| *old == code).map_or(code, |(_, new)| new);
    SENSITIVITIES.iter().find(|(known, ..)| *known == code).map(|(_, bit, ..)| *bit)
}

fn handling(code: &str) -> Option<u8> {
    HANDLING.iter().zip(0..).find(|(known, _)| **known == code).map(|(_, bit)| bit)
}

/// The bit of a standard sensitivity as a mask; nothing for an unknown code.
pub fn bit_of(code: &str) -> u64 {
    standard(code).map_or(0, |bit| 1 << bit)
}

/// The bit of a handling code as a mask; nothing for an unknown code.
pub fn handling_of(code: &str) -> u64 {
    handling(code).map_or(0, |bit| 1 << bit)
}

#[cfg(test)]
mod tests {
    use super::{Label, LocalSensitivity, Vocabulary, bit_of};
    use crate::fhir::Confidentiality;

    const ACT_CODE: &str = "http://terminology.hl7.org/CodeSystem/v3-ActCode";

    #[test]
    fn every_hierarchy_counts() {
        let words = Vocabulary::default();
        let under = |code: &str| words.closure(u8::try_from(bit_of(code).trailing_zeros()).unwrap());
        for (parent, child) in
            [("ETH", "ETHUD"), ("ETH", "OPIOIDUD"), ("BH", "SUD"), ("SPI", "ETHUD"), ("BH", "ETHUD"), ("SPI", "PSY")]
        {
            assert_ne!(under(parent) & bit_of(child), 0, "{child} stands under {parent}");
            assert_eq!(under(child) & bit_of(parent), 0, "{parent} does not stand under {child}");
        }
        assert_eq!(under("HIV"), bit_of("HIV"));
    }

    #[test]
    fn wrong_names_of_the_system_and_old_codes_are_known() {
        let words = Vocabulary::default();
        let scd = words.label("urn:oid:2.16.840.1.113883.5.4", "SICKLE");
        assert_eq!(scd, words.label(ACT_CODE, "SCA"));
        assert!(matches!(scd, Some(Label::Sensitivity(19))));
        let restricted = words.label("http://hl7.org/fhir/v3/Confidentiality", "R");
        assert_eq!(restricted, Some(Label::Confidentiality(Confidentiality::R)));
        assert_eq!(words.label("urn:unknown", "HIV"), None);
        assert_eq!(words.label(ACT_CODE, "NOSUCH"), None);
    }

    #[test]
    fn stigma_restricts_and_psychotherapy_notes_most() {
        let words = Vocabulary::default();
        assert_eq!(words.floor(bit_of("HIV")), Confidentiality::R);
        assert_eq!(words.floor(bit_of("PSYTHPN") | bit_of("HIV")), Confidentiality::V);
        assert_eq!(words.floor(bit_of("ADOL")), Confidentiality::U);
        assert_eq!(words.floor(1 << super::OTHER), Confidentiality::R);
    }

    #[test]
    fn a_site_has_words_of_its_own() {
        let own = LocalSensitivity { system: "urn:site".into(), code: "X".into(), stigma: true, parents: vec!["BH".into()] };
        let words = Vocabulary::new(&[own]);
        assert_eq!(words.label("urn:site", "X"), Some(Label::Sensitivity(45)));
        assert_ne!(words.closure(1) & (1 << 45), 0);
        assert_eq!(words.floor(1 << 45), Confidentiality::R);
    }
}
