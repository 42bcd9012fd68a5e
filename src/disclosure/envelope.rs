//! A Bundle of the other server while it arrives: its entries one by one, then what it says of itself.

use super::crossing::{Crossing, CrossingFault};
use super::fragment::{Fragment, is_part};
use super::known::{Kind as Text, Known};
use super::taken::Taken;
use crate::fhir::Instant;
use crate::fhir::json::{Document, Element, Kind, Piece, Pieces, PiecesFault};
use std::borrow::Cow;
use std::sync::Arc;

/// What an entry of a Bundle is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryMode {
    /// A match of the search, or an entry that does not say.
    Match,
    /// Something beside the matches.
    Other,
}

/// An entry of a Bundle that came.
#[derive(Debug)]
pub struct Arrived {
    /// `search.mode`
    pub mode: EntryMode,
    /// `resource`, when it came whole.
    pub record: Option<Taken>,
    /// `resource`, when it came in part.
    pub part: Option<Fragment>,
    /// `request.method`
    pub method: Option<String>,
    /// `request.url`
    pub url: Option<String>,
    /// `response.status`
    pub status: Option<String>,
    /// `response.etag`
    pub etag: Option<String>,
    /// `response.lastModified`
    pub modified: Option<Instant>,
    /// `response.location`
    pub location: Option<String>,
}

/// A Bundle while it arrives.
pub struct Envelope {
    pieces: Pieces,
    is_bundle: bool,
    links: Vec<(String, String)>,
    /// The hash of what was asked.
    asked: u64,
    before: Option<Arc<Known>>,
    guess: Option<Arc<Known>>,
}

impl Envelope {
    /// The answer to what was asked at this place: a Bundle of which no entry is larger than `most` bytes.
    pub fn new(place: &str, most: usize, crossing: &Crossing) -> Self {
        let asked = crossing.known.asked(place);
        let mut new =
            Self { pieces: Pieces::new("entry", most), is_bundle: false, links: Vec::new(), asked, before: None, guess: None };
        new.expect(crossing.known.first(asked));
        new
    }

    /// The next entry that is whole, of these bytes, which are taken from the front; all of them when there is none.
    ///
    /// # Errors
    /// [`CrossingFault`]
    pub fn next_entry(&mut self, crossing: &Crossing, bytes: &mut &[u8]) -> Result<Option<Arrived>, CrossingFault> {
        while let Some(piece) = self.pieces.take(bytes)? {
            match piece {
                Piece::Expected => {
                    let known = self.guess.take().ok_or(PiecesFault::Structure)?;
                    return Ok(Some(self.again(known, crossing)));
                }
                Piece::Item(bytes) => return self.came(&bytes, crossing).map(Some),
                Piece::Member(name, bytes) => match name.as_str() {
                    "resourceType" => self.is_bundle = bytes == b"\"Bundle\"",
                    "link" => self.links = links(&bytes)?,
                    _ => {}
                },
            }
        }
        Ok(None)
    }

    /// The Bundle has ended: its links.
    ///
    /// # Errors
    /// [`CrossingFault::NoBundle`] when it broke off or is something else.
    pub fn close(self) -> Result<Vec<(String, String)>, CrossingFault> {
        self.pieces.finish()?;
        if self.is_bundle { Ok(self.links) } else { Err(CrossingFault::NoBundle(PiecesFault::Structure)) }
    }

    fn expect(&mut self, guess: Option<Arc<Known>>) {
        self.pieces.expect(guess.as_ref().map(|known| Arc::clone(&known.came)));
        self.guess = guess;
    }

    /// An entry that is known. What followed it the last time is expected to follow.
    fn again(&mut self, known: Arc<Known>, crossing: &Crossing) -> Arrived {
        crossing.known.follows(self.before.as_deref(), self.asked, &known);
        self.expect(crossing.known.after(&known));
        self.before = Some(Arc::clone(&known));
        Arrived { record: Some(Taken::known(known, crossing.base_shared())), ..Arrived::empty() }
    }

    /// An entry that may be known.
    fn came(&mut self, bytes: &[u8], crossing: &Crossing) -> Result<Arrived, CrossingFault> {
        let hash = match crossing.known.find(Text::Entry, bytes) {
            Ok(known) => return Ok(self.again(known, crossing)),
            Err(hash) => hash,
        };
        let arrived = Self::entry(bytes, hash, crossing)?;
        if let Some(known) = arrived.record.as_ref().map(Taken::shared).filter(|known| known.kind == Text::Entry) {
            crossing.known.follows(self.before.as_deref(), self.asked, known);
            self.before = Some(Arc::clone(known));
        }
        self.expect(None);
        Ok(arrived)
    }

    fn entry(bytes: &[u8], hash: u64, crossing: &Crossing) -> Result<Arrived, CrossingFault> {
        let document = crossing.parsed(bytes)?;
        if document.root().kind() != Kind::Object {
            return Err(PiecesFault::Structure.into());
        }
        let mut arrived = Arrived::empty();
        // An OperationOutcome beside the matches has no id and is nobody's record.
        let (mut resource, mut told) = (None, false);
        for (name, value) in document.root().members() {
            match name.as_ref() {
                "resource" => resource = Some(value),
                "search" => arrived.take(&name, value),
                "request" | "response" => {
                    told = true;
                    arrived.take(&name, value);
                }
                _ => {}
            }
        }
        let responds = arrived.method.is_none() && arrived.status.is_some();
        let Some(record) = resource.map(Document::part) else { return Ok(arrived) };
        match (is_part(&record), arrived.mode) {
            // The answer to an entry may be an OperationOutcome.
            (part, _) if responds => arrived.record = if part { None } else { crossing.unkept(record).ok() },
            (_, EntryMode::Other) => {}
            (true, _) => arrived.part = Some(Fragment::new(crossing.unkept(record)?, bytes, told)),
            _ if told => arrived.record = Some(crossing.unkept(record)?),
            _ => arrived.record = Some(crossing.entered(bytes, hash, record)?),
        }
        Ok(arrived)
    }
}

impl Arrived {
    /// A match that says nothing else.
    fn empty() -> Self {
        Self {
            mode: EntryMode::Match,
            record: None,
            part: None,
            method: None,
            url: None,
            status: None,
            etag: None,
            modified: None,
            location: None,
        }
    }

    fn take(&mut self, name: &str, said: Element<'_>) {
        let text = |at: &str| said.text_at(at).map(Cow::into_owned);
        match name {
            "search" => {
                let other = text("mode").is_some_and(|mode| mode != "match");
                self.mode = if other { EntryMode::Other } else { EntryMode::Match };
            }
            "request" => (self.method, self.url) = (text("method"), text("url")),
            _ => {
                (self.status, self.etag, self.location) = (text("status"), text("etag"), text("location"));
                self.modified = text("lastModified").and_then(|text| Instant::parse(&text));
            }
        }
    }
}

fn small(bytes: &[u8]) -> Result<Document, CrossingFault> {
    Document::parse(bytes).map_err(|error| CrossingFault::Json(error.to_string()))
}

fn links(bytes: &[u8]) -> Result<Vec<(String, String)>, CrossingFault> {
    let document = small(bytes)?;
    let pair = |link: Element<'_>| Some((link.text_at("relation")?.into_owned(), link.text_at("url")?.into_owned()));
    Ok(document.root().items().filter_map(pair).collect())
}

#[cfg(test)]
mod tests {
    use super::{Arrived, Crossing, CrossingFault, EntryMode, Envelope, Taken};
    use crate::consent::Labelling;
    use crate::fhir::Facts;
    use proptest::prelude::*;

    const THEIRS: &str = "http://behind/fhir";

    /// What may be seen of an entry.
    type Seen = (EntryMode, Option<(Facts, Vec<u8>, Vec<String>, bool)>, Option<String>);

    fn crossing(kept: u64) -> Crossing {
        Crossing::new(Labelling::default(), "https://own/fhir", &[THEIRS.to_owned()], kept)
    }

    fn seen(arrived: Arrived) -> Seen {
        let told = |taken: Taken| {
            let with = taken.with().iter().map(ToString::to_string).collect();
            (taken.facts.as_ref().clone(), taken.shared().text().to_vec(), with, taken.is_numbered())
        };
        let part = arrived.part.map(|part| format!("part of {} {}", part.key(), part.version()));
        (arrived.mode, arrived.record.map(told), arrived.status.or(part))
    }

    fn read(crossing: &Crossing, place: &str, bundle: &[u8], step: usize) -> Result<Vec<Seen>, CrossingFault> {
        let (mut envelope, mut all) = (Envelope::new(place, 3_000, crossing), Vec::new());
        for mut chunk in bundle.chunks(step.max(1)) {
            while let Some(arrived) = envelope.next_entry(crossing, &mut chunk)? {
                all.push(seen(arrived));
            }
        }
        envelope.close().map(|_| all)
    }

    fn bundle(entries: &[String]) -> String {
        format!(r#"{{"resourceType":"Bundle","type":"searchset","entry":[{}],"link":[]}}"#, entries.join(","))
    }

    fn entry(record: &str, rest: &str) -> String {
        format!(r#"{{"fullUrl":"{THEIRS}/x","resource":{record}{rest}}}"#)
    }

    /// Entries that differ in what decides: by one letter, by where it stands, by white space.
    fn pool() -> Vec<String> {
        let of = |id: &str, patient: &str, meta: &str| {
            format!(r#"{{"resourceType":"Observation","id":"{id}","meta":{{{meta}}},"subject":{{"reference":"{patient}"}}}}"#)
        };
        let restricted = r#""security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-Confidentiality","code":"R"}]"#;
        let plain = of("o1", "Patient/p1", r#""versionId":"1""#);
        vec![
            entry(&plain, r#","search":{"mode":"match"}"#),
            entry(&plain, r#","search":{"mode":"include"}"#),
            entry(&plain, r#","request":{"method":"PUT","url":"x"}"#),
            entry(&plain, r#","response":{"status":"200"}"#),
            entry(&plain, ""),
            plain.clone(),
            entry(&of("o1", "Patient/p2", r#""versionId":"1""#), ""),
            entry(&of("o1", "Patient/p1", restricted), ""),
            entry(&of("o1", &format!("{THEIRS}/Patient/p1"), ""), ""),
            entry(&of("o2", "Patient/p1", "\n ").replace(',', " , "), ""),
            entry(r#"{"resourceType":"OperationOutcome","issue":[]}"#, r#","search":{"mode":"outcome"}"#),
            entry(r#"{"resourceType":"Provenance","id":"v","target":[{"reference":"Observation/o1"}]}"#, ""),
            entry(&format!(r#"{{"resourceType":"Patient","id":"long","x":"{}"}}"#, "y".repeat(2_900)), ""),
            entry(&of("o1", "Patient/p1", r#""versionId":"1","tag":[{"code":"SUBSETTED"}]"#), ""),
            r#"{"resource":{"resourceType":"Observation","id":"o1","id":"o2"}}"#.to_owned(),
        ]
    }

    #[test]
    fn the_same_bytes_are_the_same_record_and_other_bytes_another() {
        let (crossing, all) = (crossing(1 << 20), pool());
        let page = bundle(&[all[0].clone(), all[4].clone()]);
        let first = read(&crossing, "x", page.as_bytes(), 7).unwrap();
        assert_eq!(read(&crossing, "x", page.as_bytes(), 5_000).unwrap(), first);
        let known = crossing.known.find(super::Text::Entry, all[0].as_bytes());
        assert!(known.is_ok() && crossing.known.find(super::Text::Record, all[0].as_bytes()).is_err());
        let other = read(&crossing, "x", bundle(&[all[6].clone(), all[4].clone()]).as_bytes(), 5_000).unwrap();
        assert_eq!(other[0].1.as_ref().unwrap().0.patients[0].as_str(), "p2");
        assert_eq!(other[1], first[1]);
    }

    proptest! {
        /// Whatever came before, in whatever pieces: what is kept changes nothing of what is read.
        #[test]
        fn what_is_kept_changes_nothing(
            pages in proptest::collection::vec((proptest::collection::vec(0_usize..15, 0..6), 1_usize..900, 0_usize..3, 0_usize..40), 1..8),
            kept in prop_oneof![Just(0_u64), Just(40_000), Just(200_000), Just(1 << 20)],
        ) {
            let (with, without, all) = (crossing(kept), crossing(0), pool());
            for (entries, step, place, cut) in pages {
                let entries: Vec<String> = entries.into_iter().map(|at| all[at].clone()).collect();
                let text = bundle(&entries);
                let cut = if cut < 30 { 0 } else { cut };
                let text = &text.as_bytes()[..text.len() - cut];
                let place = ["a", "b", "c"][place];
                prop_assert_eq!(read(&with, place, text, step), read(&without, place, text, 10_000));
            }
        }
    }
}
