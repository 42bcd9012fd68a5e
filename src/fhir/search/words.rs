//! `_text` and `_content`: words, phrases, `AND`, `OR`, `NOT`, brackets, and `*` at the end of a word.

use super::folding::fold;
use crate::fhir::json::{Element, Kind};

/// What the words of a record must satisfy. Words are folded: case and accents do not count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Words {
    /// These words, one after the other; at least one.
    Phrase(Vec<String>),
    /// A word that begins so.
    Begins(String),
    /// All of these.
    All(Vec<Words>),
    /// Any of these.
    Any(Vec<Words>),
    /// The first, and not the second.
    Without(Box<Words>, Box<Words>),
}

/// Bytes of a word; what is longer is data, and no word that anybody looks for.
const LONGEST: usize = 200;

/// The words of a text, folded and separated by single blanks.
pub fn words_of(text: &str) -> String {
    let folded = fold(text);
    let words = folded.split(|c: char| !c.is_alphanumeric()).filter(|word| (1..=LONGEST).contains(&word.len()));
    words.collect::<Vec<_>>().join(" ")
}

impl Words {
    /// Reads a query; the reason when it cannot be read.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let pieces = pieces(text)?;
        let mut reader = Reader { pieces: &pieces, depth: 0 };
        let words = reader.any()?;
        match reader.pieces.first() {
            None => Ok(words),
            Some(_) => Err("a bracket closes that none has opened".to_owned()),
        }
    }

    /// Whether words as [`words_of`] gives them satisfy this.
    pub fn hold(&self, words: &str) -> bool {
        let all: Vec<&str> = words.split(' ').filter(|word| !word.is_empty()).collect();
        self.hold_of(&all)
    }

    fn hold_of(&self, all: &[&str]) -> bool {
        match self {
            Self::Phrase(phrase) => all.windows(phrase.len().max(1)).any(|some| some == phrase.as_slice()),
            Self::Begins(begin) => all.iter().any(|word| word.starts_with(begin.as_str())),
            Self::All(parts) => parts.iter().all(|part| part.hold_of(all)),
            Self::Any(parts) => parts.iter().any(|part| part.hold_of(all)),
            Self::Without(one, other) => one.hold_of(all) && !other.hold_of(all),
        }
    }
}

#[derive(Debug, PartialEq)]
enum Piece {
    Open,
    Close,
    And,
    Or,
    Not,
    Leaf(Words),
}

fn pieces(text: &str) -> Result<Vec<Piece>, String> {
    let mut pieces = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let (piece, after) = match first {
            '(' => (Some(Piece::Open), rest.get(1..).unwrap_or_default()),
            ')' => (Some(Piece::Close), rest.get(1..).unwrap_or_default()),
            '"' => {
                let inner = rest.get(1..).unwrap_or_default();
                let (phrase, after) = inner.split_once('"').ok_or("a quotation mark has no other")?;
                (leaf(phrase), after)
            }
            _ => {
                let end = rest.find(|c: char| c.is_whitespace() || matches!(c, '(' | ')' | '"')).unwrap_or(rest.len());
                let (word, after) = rest.split_at(end);
                (one_word(word), after)
            }
        };
        pieces.extend(piece);
        rest = after.trim_start();
    }
    Ok(pieces)
}

fn one_word(word: &str) -> Option<Piece> {
    // R4's own example writes `OR` and `and`.
    match word.to_ascii_uppercase().as_str() {
        "AND" => return Some(Piece::And),
        "OR" => return Some(Piece::Or),
        "NOT" => return Some(Piece::Not),
        _ => {}
    }
    match word.strip_suffix('*') {
        Some(begin) => {
            let begin = words_of(begin);
            let simple = !begin.is_empty() && !begin.contains(' ');
            if simple { Some(Piece::Leaf(Words::Begins(begin))) } else { leaf(word) }
        }
        None => leaf(word),
    }
}

/// Words that stand together (`covid-19`) are a phrase. Signs alone are nothing.
fn leaf(text: &str) -> Option<Piece> {
    let words: Vec<String> = words_of(text).split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect();
    (!words.is_empty()).then_some(Piece::Leaf(Words::Phrase(words)))
}

/// Brackets in brackets at most.
const DEPTH: u32 = 16;

struct Reader<'p> {
    pieces: &'p [Piece],
    depth: u32,
}

impl Reader<'_> {
    fn take(&mut self, wanted: &Piece) -> bool {
        match self.pieces.split_first() {
            Some((piece, rest)) if piece == wanted => {
                self.pieces = rest;
                true
            }
            _ => false,
        }
    }

    fn any(&mut self) -> Result<Words, String> {
        let mut parts = vec![self.all()?];
        while self.take(&Piece::Or) {
            parts.push(self.all()?);
        }
        Ok(one_or(parts, Words::Any))
    }

    /// Words side by side must all be there.
    fn all(&mut self) -> Result<Words, String> {
        let mut parts = vec![self.one()?];
        let mut without = Vec::new();
        loop {
            if self.take(&Piece::Not) {
                without.push(self.one()?);
                continue;
            }
            let joined = self.take(&Piece::And);
            if joined && self.take(&Piece::Not) {
                without.push(self.one()?);
            } else if joined || matches!(self.pieces.first(), Some(Piece::Leaf(_) | Piece::Open)) {
                parts.push(self.one()?);
            } else {
                let kept = one_or(parts, Words::All);
                return Ok(without.into_iter().fold(kept, |kept, one| Words::Without(Box::new(kept), Box::new(one))));
            }
        }
    }

    fn one(&mut self) -> Result<Words, String> {
        if self.take(&Piece::Open) {
            self.depth += 1;
            if self.depth > DEPTH {
                return Err(format!("brackets may stand in brackets {DEPTH} deep"));
            }
            let inner = self.any()?;
            self.depth -= 1;
            return if self.take(&Piece::Close) { Ok(inner) } else { Err("a bracket is not closed".to_owned()) };
        }
        match self.pieces.split_first() {
            Some((Piece::Leaf(words), rest)) => {
                self.pieces = rest;
                Ok(words.clone())
            }
            Some((Piece::Not, _)) => Err("`NOT` needs words before it that must be there".to_owned()),
            _ => Err("a word is missing".to_owned()),
        }
    }
}

fn one_or(mut parts: Vec<Words>, several: impl FnOnce(Vec<Words>) -> Words) -> Words {
    match (parts.pop(), parts.is_empty()) {
        (Some(only), true) => only,
        (Some(last), false) => {
            parts.push(last);
            several(parts)
        }
        (None, _) => several(parts),
    }
}

/// The words of a record's narrative, as [`words_of`] gives them.
pub(super) fn narrative(resource: Element<'_>) -> String {
    let div = resource.get("text").and_then(|text| text.text_at("div"));
    div.map(|div| words_of(&without_markup(&div))).unwrap_or_default()
}

/// Members whose text is no words: addresses, codes of systems, and data; and labels, which are not told to everybody (`meta`).
const NO_WORDS: [&str; 9] = ["meta", "data", "hash", "system", "url", "reference", "resourceType", "profile", "div"];

/// The words of a whole record: narrative and every text in it, but for addresses and encoded data.
pub(super) fn content(resource: Element<'_>) -> String {
    let mut all = narrative(resource);
    collect(resource, &mut all);
    all
}

fn collect(element: Element<'_>, all: &mut String) {
    match element.kind() {
        // What a reference says of a record is withheld with the record, and an index knows no callers.
        Kind::Object if is_reference(element) => {}
        Kind::Object => {
            for (name, value) in element.members() {
                if !NO_WORDS.contains(&name.as_ref()) {
                    collect(value, all);
                }
            }
        }
        Kind::Array => element.items().for_each(|item| collect(item, all)),
        Kind::String => {
            let words = element.as_str().map(|text| words_of(&text)).unwrap_or_default();
            if !words.is_empty() {
                if !all.is_empty() {
                    all.push(' ');
                }
                all.push_str(&words);
            }
        }
        _ => {}
    }
}

fn is_reference(element: Element<'_>) -> bool {
    let own = |name: &str| matches!(name, "id" | "extension" | "reference" | "type" | "identifier" | "display");
    let names = element.get("reference").is_some() || element.get("identifier").is_some_and(|one| one.kind() == Kind::Object);
    names && element.members().all(|(name, _)| own(name.trim_start_matches('_')))
}

/// XHTML without its tags; entities become what they stand for, unknown ones a gap.
fn without_markup(markup: &str) -> String {
    let mut text = String::with_capacity(markup.len());
    let mut rest = markup;
    while let Some(at) = rest.find(['<', '&']) {
        let (before, from) = rest.split_at(at);
        text.push_str(before);
        rest = if from.starts_with('<') {
            text.push(' ');
            from.split_once('>').map_or("", |(_, after)| after)
        } else {
            let (entity, after) =
                from.split_once(';').filter(|(entity, _)| entity.len() < 12).unwrap_or(("&", from.get(1..).unwrap_or_default()));
            text.push(character(entity.get(1..).unwrap_or_default()).unwrap_or(' '));
            after
        };
    }
    text.push_str(rest);
    text
}

fn character(entity: &str) -> Option<char> {
    let code = match entity.strip_prefix('#') {
        Some(digits) => match digits.strip_prefix(['x', 'X']) {
            Some(digits) => u32::from_str_radix(digits, 16).ok()?,
            None => digits.parse().ok()?,
        },
        None => {
            return match entity {
                "amp" => Some('&'),
                "lt" => Some('<'),
                "gt" => Some('>'),
                "quot" => Some('"'),
                "apos" => Some('\''),
                _ => None,
            };
        }
    };
    char::from_u32(code)
}

#[cfg(test)]
mod tests {
    use super::{Words, content, narrative, words_of};
    use crate::fhir::json::Document;
    use proptest::prelude::*;

    #[test]
    fn queries_hold_for_the_words_they_name() {
        let words = words_of("Chronic obstructive lung disease; COVID-19 (Ödem), stage 2");
        for (query, holds) in [
            ("lung", true),
            ("LUNG", true),
            ("lun", false),
            ("lun*", true),
            ("odem", true),
            ("\"lung disease\"", true),
            ("\"disease lung\"", false),
            ("disease lung", true),
            ("covid-19", true),
            ("lung OR heart", true),
            ("(bone OR lung) and disease", true),
            ("lung NOT heart", true),
            ("lung AND NOT disease", false),
            ("heart OR (lung stage)", true),
        ] {
            assert_eq!(Words::parse(query).unwrap().hold(&words), holds, "{query}");
        }
    }

    #[test]
    fn what_is_no_query_says_why() {
        for query in ["", "  ", "(lung", "lung)", "NOT lung", "lung OR", "\"lung", "AND", "--", "lung AND OR heart"] {
            assert!(Words::parse(query).is_err(), "{query}");
        }
        assert!(Words::parse(&"(".repeat(100)).is_err());
    }

    #[test]
    fn narrative_is_read_without_markup_and_content_without_addresses() {
        let text = r#"{"resourceType":"Condition","text":{"status":"generated","div":"<div xmlns=\"http://x\"><p>Fever &amp; chills&#233;</p></div>"},
            "code":{"coding":[{"system":"http://snomed.info/sct","code":"386661006","display":"Fever"}]},"note":[{"text":"since Monday"}]}"#;
        let document = Document::parse(text.as_bytes()).unwrap();
        assert_eq!(narrative(document.root()), "fever chillse");
        assert_eq!(content(document.root()), "fever chillse generated 386661006 fever since monday");
    }

    proptest! {
        #[test]
        fn no_query_panics(query in "[a-zA-Z\"()* -]{0,40}|\\PC{0,20}") {
            let _read = Words::parse(&query);
        }

        #[test]
        fn words_of_words_are_the_same(text in "\\PC{0,60}") {
            let once = words_of(&text);
            prop_assert_eq!(words_of(&once), once);
        }
    }
}
