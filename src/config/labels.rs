//! What records are labelled by: the words and rules of `[consent]`, read here so that a mistake in the rule file is one of the settings.

use super::settings::Settings;
use crate::consent::{LabelRules, Labelling, LocalSensitivity, Vocabulary};
use jiff::tz::TimeZone;

/// Sensitivities that a site may define.
const LOCALS: usize = 17;

/// Reads `consent.time_zone`, `consent.local_sensitivities` and the file that `consent.label_rules` names.
pub(super) fn read(settings: &mut Settings) -> Labelling {
    let zone = zone(settings);
    let words = Vocabulary::new(&locals(settings));
    let rules = rules(settings, &words).unwrap_or_default();
    Labelling::new(words, rules, zone)
}

fn zone(settings: &mut Settings) -> TimeZone {
    let name = settings.or("consent.time_zone", "UTC".to_owned());
    TimeZone::get(&name).unwrap_or_else(|_| {
        settings.fault("consent.time_zone", format!("`{name}` is no time zone; name one such as `UTC` or `Asia/Karachi`"));
        TimeZone::UTC
    })
}

fn locals(settings: &mut Settings) -> Vec<LocalSensitivity> {
    let list = "consent.local_sensitivities";
    let count = settings.elements(list);
    if count > LOCALS {
        settings.fault(list, format!("has {count} entries; there is room for {LOCALS}"));
    }
    let local = |at: usize| {
        let key = |name: &str| format!("{list}[{at}].{name}");
        let system = settings.required(&key("system"))?;
        let code = settings.required(&key("code"))?;
        let stigma = settings.or(&key("stigma"), false);
        let parents = settings.or(&key("parents"), Vec::new());
        Some(LocalSensitivity { system, code, stigma, parents })
    };
    (0..count).filter_map(local).collect()
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
