//! What of two people's records tells that they know each other: compared here, never given out.

use super::Row;
use super::record::open;
use crate::fhir::Instant;
use crate::fhir::json::Element;
use crate::fhir::search::fold;
use std::collections::BTreeSet;

/// Traits of a person, in the form in which they compare.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Traits {
    surnames: BTreeSet<String>,
    contacts: BTreeSet<String>,
    identifiers: BTreeSet<String>,
    labels: BTreeSet<String>,
}

impl Traits {
    /// Of a Patient, Practitioner or Person; nothing of a row whose content cannot be read.
    pub fn of(row: &Row) -> Self {
        let Some(document) = row.content.as_ref().and_then(|content| open(content).ok()) else { return Self::default() };
        let root = document.root();
        let mut traits = Self::default();
        for name in items(root, "name") {
            traits.surnames.extend(name.text_at("family").map(|family| skeleton(&family)).filter(|one| !one.is_empty()));
        }
        for contact in std::iter::once(root).chain(items(root, "contact")) {
            traits.reached(contact);
        }
        for identifier in items(root, "identifier") {
            let (system, value) = (identifier.text_at("system").unwrap_or_default(), identifier.text_at("value"));
            traits.identifiers.extend(value.map(|value| format!("{system}|{value}")));
        }
        for label in root.get("meta").into_iter().flat_map(|meta| items(meta, "security")) {
            traits.labels.extend(label.text_at("code").map(std::borrow::Cow::into_owned));
        }
        traits
    }

    fn reached(&mut self, element: Element<'_>) {
        for telecom in items(element, "telecom") {
            let value = telecom.text_at("value").map(|value| fold(&value).replace([' ', '-', '(', ')'], ""));
            self.contacts.extend(value.filter(|value| value.len() > 5));
        }
        for address in items(element, "address") {
            let line = address.get("line").into_iter().flat_map(Element::items).filter_map(Element::as_str);
            let place = address.text_at("postalCode").or_else(|| address.text_at("city")).unwrap_or_default().into_owned();
            self.contacts.extend(line.map(|line| format!("{} {}", fold(&line), fold(&place))));
        }
    }

    /// The same surname, whatever the spelling or script?
    pub fn shares_surname(&self, other: &Self) -> bool {
        !self.surnames.is_disjoint(&other.surnames)
    }

    /// An address, telephone number or contact in common?
    pub fn shares_contact(&self, other: &Self) -> bool {
        !self.contacts.is_disjoint(&other.contacts)
    }

    /// The same person: an identifier in common.
    pub fn is_same(&self, other: &Self) -> bool {
        !self.identifiers.is_disjoint(&other.identifiers)
    }

    /// Does the record carry one of these labels?
    pub fn carries(&self, labels: &[String]) -> bool {
        labels.iter().any(|label| self.labels.contains(label))
    }
}

/// When the period of a record ended; `None` while it goes on, or when it tells none.
pub fn period_end(row: &Row) -> Option<Instant> {
    let document = row.content.as_ref().and_then(|content| open(content).ok())?;
    let end = document.root().get("period")?.text_at("end")?.into_owned();
    // A date ends with its day.
    Instant::parse(&end).or_else(|| Instant::parse(&format!("{end}T23:59:59Z")))
}

/// When a stay ended: a finished encounter of an inpatient class. `None` for a visit, and for a stay that goes on.
pub fn stay_end(row: &Row) -> Option<Instant> {
    let document = row.content.as_ref().and_then(|content| open(content).ok())?;
    let class = document.root().get("class")?.text_at("code")?.into_owned();
    let over = document.root().text_at("status").is_some_and(|status| status == "finished");
    let stay = matches!(class.as_str(), "IMP" | "ACUTE" | "NONAC");
    if over && stay { period_end(row) } else { None }
}

fn items<'d>(at: Element<'d>, name: &str) -> impl Iterator<Item = Element<'d>> {
    at.get(name).into_iter().flat_map(Element::flattened)
}

/// A name as it compares across spellings and scripts: the letters of Arabic and Urdu by their usual Latin ones, without accents, and
/// without vowels, which those scripts do not write.
fn skeleton(name: &str) -> String {
    let mut latin = String::new();
    for character in fold(name).chars() {
        match character {
            'ب' => latin.push('b'),
            'پ' => latin.push('p'),
            'ت' | 'ط' | 'ٹ' => latin.push('t'),
            'ث' | 'س' | 'ص' => latin.push('s'),
            'ج' => latin.push('j'),
            'چ' => latin.push_str("ch"),
            'ح' | 'ه' | 'ہ' | 'ھ' | 'ة' => latin.push('h'),
            'خ' => latin.push_str("kh"),
            'د' | 'ڈ' => latin.push('d'),
            'ذ' | 'ز' | 'ض' | 'ظ' => latin.push('z'),
            'ر' | 'ڑ' => latin.push('r'),
            'ش' => latin.push_str("sh"),
            'غ' => latin.push_str("gh"),
            'ف' => latin.push('f'),
            'ق' => latin.push('q'),
            'ك' | 'ک' => latin.push('k'),
            'گ' => latin.push('g'),
            'ل' => latin.push('l'),
            'م' => latin.push('m'),
            'ن' | 'ں' => latin.push('n'),
            other
                if other.is_alphanumeric()
                    && !matches!(other, 'ا' | 'آ' | 'أ' | 'إ' | 'ع' | 'و' | 'ي' | 'ی' | 'ے' | 'ى' | 'ء' | 'ئ' | 'ؤ') =>
            {
                latin.push(other);
            }
            _ => {}
        }
    }
    let (first, rest) = latin.split_at(latin.chars().next().map_or(0, char::len_utf8));
    let mut out: String = first.chars().filter(|c| !"aeiouyw".contains(*c)).collect();
    for character in rest.chars().filter(|c| !"aeiouyw".contains(*c)) {
        if !out.ends_with(character) {
            out.push(character);
        }
    }
    // A name of vowels alone still is one.
    if out.is_empty() { latin } else { out }
}

#[cfg(test)]
mod tests {
    use super::skeleton;

    #[test]
    fn names_compare_across_spellings_and_scripts() {
        for (one, other) in [
            ("Khan", "خان"),
            ("Ahmed", "احمد"),
            ("Müller", "MULLER"),
            ("Hussain", "حسین"),
            ("Qureshi", "قریشی"),
            ("Hussain", "Husain"),
        ] {
            assert_eq!(skeleton(one), skeleton(other), "{one} {other}");
        }
        assert_ne!(skeleton("Khan"), skeleton("Ahmed"));
        assert_ne!(skeleton("Ali"), "");
    }
}
