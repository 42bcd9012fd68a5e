//! What records are labelled by: the words and rules of `[consent]`, read here so that a mistake in the rule file is one of the settings.

use super::settings::Settings;
use crate::consent::{ConsentSettings, LabelRules, Labelling, Vocabulary};

/// Reads the file that `consent.label_rules` names, in the words and the zone of the consents.
pub(super) fn read(settings: &mut Settings, consent: &ConsentSettings) -> Labelling {
    let words = Vocabulary::new(&consent.local_sensitivities);
    let rules = rules(settings, &words).unwrap_or_default();
    Labelling::new(words, rules, consent.time_zone.rules().clone())
}

fn rules(settings: &mut Settings, words: &Vocabulary) -> Option<LabelRules> {
    let key = "consent.label_rules";
    let file = settings.path(key)?;
    let text = std::fs::read_to_string(&file).map_err(|error| error.to_string());
    match text.and_then(|text| LabelRules::parse(&text, words).map_err(|error| error.to_string())) {
        Ok(rules) => Some(rules),
        Err(why) => {
            settings.fault(key, format!("`{}` cannot be used: {why}", file.display()));
            None
        }
    }
}
