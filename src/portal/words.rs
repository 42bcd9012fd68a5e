//! What the pages say, in each language: a text that is missing does not compile.

use crate::fhir::{Need, ResourceType};

/// A language of the pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// English.
    English,
    /// Urdu, written from right to left.
    Urdu,
}

impl Language {
    /// The language of a tag such as `ur-PK`, when it is one of ours.
    pub fn of(tag: &str) -> Option<Self> {
        let first = tag.trim().split(['-', '_', ';']).next().unwrap_or_default();
        [Self::English, Self::Urdu].into_iter().find(|language| language.tag().eq_ignore_ascii_case(first))
    }

    /// The first of an `Accept-Language` header that is one of ours; the order counts, weights do not.
    pub fn accepted(header: &str) -> Option<Self> {
        header.split(',').find_map(Self::of)
    }

    /// The tag (BCP 47).
    pub const fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Urdu => "ur",
        }
    }

    /// `dir`
    pub const fn direction(self) -> &'static str {
        match self {
            Self::English => "ltr",
            Self::Urdu => "rtl",
        }
    }

    /// The texts.
    pub const fn words(self) -> &'static Words {
        match self {
            Self::English => &super::english::WORDS,
            Self::Urdu => &super::urdu::WORDS,
        }
    }
}

/// Every text of the pages.
#[derive(Debug)]
#[expect(missing_docs, reason = "each field is named after the place where its text stands")]
pub struct Words {
    pub language: Language,
    pub other_language: &'static str,
    pub other_tag: &'static str,
    pub demo: &'static str,
    pub sign_in: &'static str,
    pub sign_in_for: &'static str,
    pub username: &'static str,
    pub password: &'static str,
    pub go_on: &'static str,
    pub cancel: &'static str,
    pub code_title: &'static str,
    pub code_hint: &'static str,
    pub code: &'static str,
    pub wrong: &'static str,
    pub wrong_code: &'static str,
    pub closed: &'static str,
    pub short: &'static str,
    pub long: &'static str,
    pub common: &'static str,
    pub failed: &'static str,
    pub passkey_title: &'static str,
    pub passkey_hint: &'static str,
    pub passkey_name: &'static str,
    pub passkey_add: &'static str,
    pub passkey_use: &'static str,
    pub passkey_remove: &'static str,
    pub passkey_fault: &'static str,
    pub passkey_script: &'static str,
    pub passkeys_title: &'static str,
    pub passkeys_none: &'static str,
    pub provider_use: &'static str,
    pub patients_title: &'static str,
    pub patients_for: &'static str,
    pub patient_name: &'static str,
    pub born: &'static str,
    /// In the middle of a sentence.
    pub born_on: &'static str,
    pub look: &'static str,
    pub choose: &'static str,
    pub nobody_found: &'static str,
    pub consent_title: &'static str,
    pub consent_of: &'static str,
    pub record_of: &'static str,
    pub another_patient: &'static str,
    pub unvetted: &'static str,
    pub vetted: &'static str,
    pub lives_at: &'static str,
    pub may: &'static str,
    pub may_hint: &'static str,
    pub only_parts: &'static str,
    pub only_kinds: &'static str,
    pub all_other_kinds: &'static str,
    pub in_their_name: &'static str,
    pub identity: &'static str,
    pub offline: &'static str,
    pub offline_hint: &'static str,
    pub online_hint: &'static str,
    pub once_hint: &'static str,
    pub allow: &'static str,
    pub refuse: &'static str,
    pub nothing: &'static str,
    /// `{}` stands for the number of days.
    pub remember: &'static str,
    pub remember_hint: &'static str,
    pub remembered_title: &'static str,
    pub ask_again: &'static str,
    pub take_back_hint: &'static str,
    pub home_title: &'static str,
    pub signed_in_as: &'static str,
    pub apps_title: &'static str,
    pub no_apps: &'static str,
    pub ended: &'static str,
    pub since: &'static str,
    pub last_used: &'static str,
    pub until: &'static str,
    pub while_away: &'static str,
    pub take_back: &'static str,
    pub sessions_title: &'static str,
    pub this_one: &'static str,
    pub end_session: &'static str,
    pub sign_out: &'static str,
    pub phone_title: &'static str,
    pub phone_on: &'static str,
    pub phone_off: &'static str,
    pub phone_add: &'static str,
    pub phone_hint: &'static str,
    pub phone_secret: &'static str,
    pub phone_open: &'static str,
    pub phone_done: &'static str,
    pub recovery_hint: &'static str,
    pub set_up_title: &'static str,
    pub set_up_hint: &'static str,
    pub new_password: &'static str,
    pub save: &'static str,
    pub wrong_title: &'static str,
    pub wrong_hint: &'static str,
    pub wrong_code_label: &'static str,
    pub request_label: &'static str,
    pub see: &'static str,
    pub add: &'static str,
    pub change: &'static str,
    pub delete: &'static str,
    pub everything: &'static str,
    /// What people call the kinds of data.
    pub kind: fn(ResourceType) -> &'static str,
    /// What people call a category, by its code.
    pub category: fn(&str) -> &'static str,
    /// Months, for dates that cannot be misread.
    pub months: [&'static str; 12],
    /// Between two words of a list, and before the last.
    pub joiners: (&'static str, &'static str),
}

impl Words {
    /// What letters of a scope allow: “see and change”.
    pub fn deeds(&self, needs: &[Need]) -> String {
        let sees = needs.iter().any(|need| matches!(need, Need::Read | Need::Search));
        let all = [
            (sees, self.see),
            (needs.contains(&Need::Create), self.add),
            (needs.contains(&Need::Update), self.change),
            (needs.contains(&Need::Delete), self.delete),
        ];
        let words: Vec<&str> = all.into_iter().filter(|(does, _)| *does).map(|(_, word)| word).collect();
        let (between, last) = self.joiners;
        match words.split_last() {
            Some((end, rest)) if !rest.is_empty() => format!("{}{last}{end}", rest.join(between)),
            _ => words.concat(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_language_is_found_by_its_tag() {
        assert_eq!(Language::of("ur-PK"), Some(Language::Urdu));
        assert_eq!(Language::accepted("fr;q=0.9, ur;q=0.8, en"), Some(Language::Urdu));
        assert_eq!(Language::accepted("fr, de"), None);
    }

    #[test]
    fn deeds_read_as_a_list() {
        let words = Language::English.words();
        assert_eq!(words.deeds(&[Need::Read, Need::Search]), "see");
        assert_eq!(
            words.deeds(&[Need::Create, Need::Read, Need::Update, Need::Delete, Need::Search]),
            "see, add, change and delete"
        );
    }

    #[test]
    fn every_kind_and_category_that_is_offered_has_a_name_in_every_language() {
        for language in [Language::English, Language::Urdu] {
            let words = language.words();
            for kind in crate::smart::KINDS {
                assert!(!(words.kind)(kind).is_empty() && (words.kind)(kind) != "?", "{kind}");
            }
            for category in crate::smart::CATEGORIES {
                assert_ne!((words.category)(category.code), "?", "{}", category.code);
            }
        }
    }
}
