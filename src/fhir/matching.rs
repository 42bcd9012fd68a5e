//! How much two descriptions of a person agree. Pure: who may ask, and what follows, is decided elsewhere.

use super::json::{Element, Kind};
use super::search::fold;

/// What a person is known by.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Demographics {
    /// System and value; the system may be empty.
    pub identifiers: Vec<(String, String)>,
    /// Family names, folded.
    families: Vec<String>,
    /// Given names, folded.
    givens: Vec<String>,
    /// `birthDate`
    pub birth: Option<String>,
    gender: Option<String>,
    /// Digits of telephone numbers, and mail addresses.
    contacts: Vec<String>,
    postal_codes: Vec<String>,
    lines: Vec<String>,
    /// The organization that keeps the record, as a reference.
    pub managed_by: Option<String>,
    /// Another record is to be used instead (`link.type` is `replaced-by`).
    pub replaced: bool,
}

/// How sure a match is (`http://terminology.hl7.org/CodeSystem/match-grade`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grade {
    /// `certainly-not`
    Not,
    /// `possible`
    Possible,
    /// `probable`
    Probable,
    /// `certain`
    Certain,
}

impl Grade {
    /// The code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Not => "certainly-not",
            Self::Possible => "possible",
            Self::Probable => "probable",
            Self::Certain => "certain",
        }
    }
}

/// The agreement of two descriptions.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Likeness {
    /// From 0 to 1.
    pub score: f64,
    /// How sure.
    pub grade: Grade,
    /// A number that tells who somebody is agrees.
    pub identified: bool,
    /// Something that both say differs.
    pub conflict: bool,
}

/// Reads nothing twice, and nothing that is empty.
fn texts(at: Option<Element<'_>>, name: &str) -> Vec<String> {
    let of = at.into_iter().flat_map(Element::flattened).filter_map(|one| one.get(name)).flat_map(Element::flattened);
    let mut all: Vec<String> = of.filter_map(Element::as_str).map(|text| fold(&text)).filter(|text| !text.is_empty()).collect();
    all.sort();
    all.dedup();
    all
}

impl Demographics {
    /// Of a Patient.
    pub fn read(patient: Element<'_>) -> Self {
        let text = |name: &str| patient.text_at(name).map(std::borrow::Cow::into_owned);
        let identifiers = patient.get("identifier").into_iter().flat_map(Element::flattened).filter_map(|one| {
            let value = one.text_at("value").filter(|value| !value.trim().is_empty())?;
            Some((one.text_at("system").unwrap_or_default().into_owned(), value.trim().to_owned()))
        });
        let contacts = texts(patient.get("telecom"), "value").into_iter().map(|text| {
            let digits: String = text.chars().filter(char::is_ascii_digit).collect();
            if text.contains('@') { text } else { digits }
        });
        let links = patient.get("link").into_iter().flat_map(Element::flattened);
        let managed_by = patient.get("managingOrganization").and_then(|one| one.text_at("reference"));
        Self {
            identifiers: identifiers.collect(),
            families: texts(patient.get("name"), "family"),
            givens: texts(patient.get("name"), "given"),
            birth: text("birthDate").filter(|text| text.len() == 10),
            gender: text("gender").filter(|text| text != "unknown"),
            contacts: contacts.filter(|text| text.len() >= 6).collect(),
            postal_codes: texts(patient.get("address"), "postalCode"),
            lines: texts(patient.get("address"), "line"),
            managed_by: managed_by.map(std::borrow::Cow::into_owned),
            replaced: links
                .filter(|link| link.kind() == Kind::Object)
                .any(|link| link.text_at("type").as_deref() == Some("replaced-by")),
        }
    }

    /// Whether there is enough to look for somebody: a number of a known system, or a name and a birth date.
    pub fn is_enough(&self) -> bool {
        self.identifiers.iter().any(|(system, _)| !system.is_empty()) || (!self.families.is_empty() && self.birth.is_some())
    }

    /// The first family name, folded.
    pub fn family(&self) -> Option<&str> {
        self.families.first().map(String::as_str)
    }

    /// The first given name, folded.
    pub fn given(&self) -> Option<&str> {
        self.givens.iter().max_by_key(|name| name.len()).map(String::as_str)
    }
}

/// How names agree: the best pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Agree {
    Yes,
    Nearly,
    No,
    Unknown,
}

fn names(asked: &[String], found: &[String]) -> Agree {
    if asked.is_empty() || found.is_empty() {
        return Agree::Unknown;
    }
    let pairs = || asked.iter().flat_map(|a| found.iter().map(move |b| (a, b)));
    let initial = |a: &str, b: &str| a.chars().count() == 1 && b.starts_with(a);
    if pairs().any(|(a, b)| a == b) {
        Agree::Yes
    } else if pairs().any(|(a, b)| initial(a, b) || initial(b, a) || strsim::jaro_winkler(a, b) >= 0.9) {
        Agree::Nearly
    } else {
        Agree::No
    }
}

fn births(asked: Option<&String>, found: Option<&String>) -> Agree {
    let (Some(asked), Some(found)) = (asked, found) else { return Agree::Unknown };
    if asked == found {
        return Agree::Yes;
    }
    let part = |text: &str, at: std::ops::Range<usize>| text.get(at).unwrap_or_default().to_owned();
    let swapped = part(asked, 0..4) == part(found, 0..4)
        && part(asked, 5..7) == part(found, 8..10)
        && part(asked, 8..10) == part(found, 5..7);
    let differing = asked.bytes().zip(found.bytes()).filter(|(a, b)| a != b).count();
    if swapped || differing == 1 { Agree::Nearly } else { Agree::No }
}

fn weight(agree: Agree, yes: f64, nearly: f64, no: f64) -> f64 {
    match agree {
        Agree::Yes => yes,
        Agree::Nearly => nearly,
        Agree::No => no,
        Agree::Unknown => 0.0,
    }
}

/// Compares. `strong` says of an identifier system whether its numbers tell who somebody is.
///
/// A number alone never makes a match certain: the birth date must agree, and nothing that both say may differ.
pub fn likeness(asked: &Demographics, found: &Demographics, strong: &dyn Fn(&str) -> bool) -> Likeness {
    let mut known = asked.identifiers.iter().filter(|(system, _)| !system.is_empty() && strong(system));
    let identified = known.any(|one| found.identifiers.contains(one));
    let (family, given) = (names(&asked.families, &found.families), names(&asked.givens, &found.givens));
    let birth = births(asked.birth.as_ref(), found.birth.as_ref());
    let gender = match (&asked.gender, &found.gender) {
        (Some(a), Some(b)) if a == b => Agree::Yes,
        (Some(_), Some(_)) => Agree::No,
        _ => Agree::Unknown,
    };
    let shared = |a: &[String], b: &[String]| a.iter().any(|one| b.contains(one));
    let mut score = if identified { 0.45 } else { 0.0 };
    score += weight(birth, 0.25, -0.1, -0.4)
        + weight(family, 0.2, 0.12, -0.25)
        + weight(given, 0.15, 0.08, -0.2)
        + weight(gender, 0.05, 0.0, -0.15);
    score += if shared(&asked.contacts, &found.contacts) { 0.1 } else { 0.0 };
    let home = shared(&asked.postal_codes, &found.postal_codes);
    score += if home && shared(&asked.lines, &found.lines) { 0.1 } else { 0.0 };
    let conflict = [family, given, gender, birth].contains(&Agree::No) || birth == Agree::Nearly;
    let score = score.clamp(0.0, 1.0);
    let grade = if identified && birth == Agree::Yes && !conflict {
        Grade::Certain
    } else if score >= 0.65 && !conflict {
        Grade::Probable
    } else if score >= 0.4 {
        Grade::Possible
    } else {
        Grade::Not
    };
    Likeness { score, grade, identified, conflict }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fhir::json::Document;

    fn person(text: &str) -> Demographics {
        Demographics::read(Document::parse(text.as_bytes()).unwrap().root())
    }

    const ANNE: &str = r#"{"resourceType":"Patient","identifier":[{"system":"mrn","value":"1"}],"name":[{"family":"Müller","given":["Anne","B"]}],
        "birthDate":"1980-02-03","gender":"female","telecom":[{"value":"(020) 536-8166"}],"address":[{"line":["1 Street"],"postalCode":"N1"}]}"#;

    fn compare(other: &str) -> Likeness {
        likeness(&person(other), &person(ANNE), &|_| true)
    }

    #[test]
    fn a_number_with_the_birth_date_is_certain_unless_something_differs() {
        let with = |rest: &str| compare(&format!(r#"{{"identifier":[{{"system":"mrn","value":"1"}}]{rest}}}"#)).grade;
        assert_eq!(with(r#","birthDate":"1980-02-03""#), Grade::Certain);
        assert_eq!(with(r#","birthDate":"1980-02-03","name":[{"family":"MULLER","given":["Anne"]}]"#), Grade::Certain);
        assert!(with("") < Grade::Certain, "the number alone");
        assert!(with(r#","birthDate":"1980-02-03","gender":"male""#) < Grade::Certain);
        assert!(with(r#","birthDate":"1980-02-03","name":[{"family":"Khan"}]"#) < Grade::Certain);
        assert!(with(r#","birthDate":"1980-03-02""#) < Grade::Certain, "day and month swapped");
    }

    #[test]
    fn without_a_number_agreement_is_probable_at_best() {
        let all = compare(&ANNE.replace("\"mrn\"", "\"other\""));
        assert_eq!(all.grade, Grade::Probable);
        assert!(all.score > 0.8 && !all.identified && !all.conflict);
        let name_and_birth = compare(r#"{"name":[{"family":"muller","given":["A"]}],"birthDate":"1980-02-03"}"#);
        assert_eq!(name_and_birth.grade, Grade::Possible);
        assert_eq!(compare(r#"{"name":[{"family":"Khan","given":["Ali"]}],"birthDate":"1980-02-03"}"#).grade, Grade::Not);
        assert_eq!(compare("{}").grade, Grade::Not);
    }

    #[test]
    fn a_system_that_is_not_strong_identifies_nobody() {
        let found = likeness(&person(ANNE), &person(ANNE), &|_| false);
        assert!(!found.identified && found.grade == Grade::Probable);
    }

    #[test]
    fn enough_is_a_number_or_a_name_with_a_birth_date() {
        assert!(person(r#"{"identifier":[{"system":"s","value":"1"}]}"#).is_enough());
        assert!(!person(r#"{"identifier":[{"value":"1"}]}"#).is_enough());
        assert!(person(r#"{"name":[{"family":"X"}],"birthDate":"1980-01-01"}"#).is_enough());
        assert!(!person(r#"{"name":[{"family":"X"}],"birthDate":"1980"}"#).is_enough());
    }
}
