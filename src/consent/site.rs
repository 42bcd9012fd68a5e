//! What a site brings to the reading of consents: its settings, ready for use.

use super::codes;
use super::name::Name;
use super::sensitivity::{Label, Vocabulary};
use super::settings::ConsentSettings;
use crate::fhir::Confidentiality;
use jiff::tz::TimeZone;

/// The settings of a site, read once: compiling and deciding both ask it.
#[derive(Debug, Clone)]
pub struct Site {
    pub(super) settings: ConsentSettings,
    /// The server's own base URL, without a slash at the end; empty when it is not known.
    pub(super) base: String,
    /// Labels that are known here.
    pub(super) words: Vocabulary,
    /// The organization that holds the records.
    pub(super) custodian: Vec<Name>,
    /// Purposes of its own.
    pub(super) purposes: Vec<String>,
    /// Sensitivities of records that no grant opens against a denial.
    pub(super) never_overridden: u64,
    /// For each role with a ceiling the sensitivities that it may not hold, and the confidentiality that it may.
    pub(super) ceilings: Vec<(String, u64, Option<Confidentiality>)>,
}

impl Site {
    /// A site with these settings whose server answers under this base URL.
    pub fn new(settings: &ConsentSettings, base: &str) -> Self {
        let words = Vocabulary::new(&settings.local_sensitivities);
        let bits = |code: &String| match words.label(codes::ACT_CODE, code) {
            Some(Label::Sensitivity(bit)) => Some(words.closure(bit)),
            _ => words.closure_of_local(code),
        };
        let all = |named: &[String]| named.iter().filter_map(bits).fold(0, |all, bits| all | bits);
        let ceilings = settings.ceilings.iter().map(|one| (one.role.clone(), all(&one.labels), one.max_conf)).collect();
        Self {
            never_overridden: all(&settings.break_glass.never_override_labels),
            ceilings,
            custodian: settings.custodian.iter().map(|one| Name::of_claim(one)).collect(),
            purposes: settings.local_purposes.iter().map(|one| codes::asked_purpose(one).into_owned()).collect(),
            settings: settings.clone(),
            base: base.trim_end_matches('/').to_owned(),
            words,
        }
    }

    /// The labels that are known here.
    pub fn words(&self) -> &Vocabulary {
        &self.words
    }

    /// The settings.
    pub fn settings(&self) -> &ConsentSettings {
        &self.settings
    }

    /// The zone in which a date without time is a day.
    pub fn zone(&self) -> &TimeZone {
        self.settings.time_zone.rules()
    }

    /// Is it a purpose of use of v3-ActReason, or one that the site defines?
    pub(super) fn knows_purpose(&self, purpose: &str) -> bool {
        codes::is_purpose(purpose) || self.purposes.iter().any(|own| own == purpose)
    }
}
