//! How records cross between the gateway and a FHIR server that keeps them: read and sealed on the way in, told below the other's base on
//! the way out. Nothing that the other server says of a record is believed but its content; facts are computed from that.

use super::{Change, Forwarded, Row, Sealed};
use crate::consent::Labelling;
use crate::fhir::json::{Document, Element, Piece, Pieces, PiecesFault};
use crate::fhir::rebase::Rebase;
use crate::fhir::search::{IndexEntry, ParameterId, STANDARD, extract, extract_some};
use crate::fhir::stamp::prepare;
use crate::fhir::{Facts, Id, Instant, Key, Marks, ResourceType, Version, belongs_with, patients_of};
use std::borrow::Cow;
use std::sync::OnceLock;

/// Why something that came cannot be read. The text is for the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CrossingFault {
    /// It is not JSON, or is read differently by different readers.
    #[error("{0}")]
    Json(String),
    /// It is JSON and no record.
    #[error("it is no FHIR resource with a type and an id")]
    NoRecord,
    /// It is no Bundle, or one that is damaged.
    #[error("it is no Bundle: {0}")]
    NoBundle(#[from] PiecesFault),
}

/// The two bases, and by what records are marked.
pub struct Crossing {
    labelling: Labelling,
    base: String,
    inward: Vec<Rebase>,
    outward: Rebase,
}

/// A record that came from outside, not decided on yet.
pub struct Taken {
    /// What a decision needs, computed from the content. A record that belongs with others ([`Taken::with`]) has their patients too, which
    /// whoever fetched it adds.
    pub facts: Facts,
    /// The records whose patients are its own too.
    pub with: Vec<Key>,
    /// Whether `meta.versionId` is a whole number, so that it can be named in a condition.
    pub numbered: bool,
    document: Document,
    values: OnceLock<Vec<IndexEntry>>,
    base: String,
}

impl Crossing {
    /// Between `base`, the gateway's own, and `theirs`: the base under which the other server is called, and any others that it uses
    /// of itself.
    pub fn new(labelling: Labelling, base: &str, theirs: &[String]) -> Self {
        let inward = theirs.iter().map(|one| Rebase::new(one, base)).collect();
        let outward = Rebase::new(base, theirs.first().map_or(base, String::as_str));
        Self { labelling, base: base.to_owned(), inward, outward }
    }

    /// The gateway's own base.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// A caller's text as the other server would tell it.
    pub fn told(&self, text: &str) -> String {
        String::from_utf8_lossy(&self.outward.apply(text.as_bytes())).into_owned()
    }

    /// Reads a record.
    ///
    /// # Errors
    /// [`CrossingFault`]
    pub fn record(&self, bytes: &[u8]) -> Result<Taken, CrossingFault> {
        let mut text = Cow::Borrowed(bytes);
        for rebase in &self.inward {
            if let Cow::Owned(new) = rebase.apply(&text) {
                text = Cow::Owned(new);
            }
        }
        let document = Document::parse(&text).map_err(|error| CrossingFault::Json(error.to_string()))?;
        let root = document.root();
        let of = root.text_at("resourceType").and_then(|name| ResourceType::parse(&name)).ok_or(CrossingFault::NoRecord)?;
        let id = root.text_at("id").and_then(|id| Id::parse(&id)).ok_or(CrossingFault::NoRecord)?;
        let key = Key::new(of, id);
        let meta = |name: &str| root.get("meta").and_then(|meta| meta.text_at(name));
        let updated = meta("lastUpdated").and_then(|text| Instant::parse(&text)).unwrap_or(Instant(0));
        let version = meta("versionId").and_then(|text| Version::parse(&text));
        let facts = Facts {
            version: version.unwrap_or(Version(updated.0.max(1))),
            updated,
            deleted: false,
            patients: patients_of(&document, &key, &self.base),
            marks: self.labelling.marks(&document, &key, &self.base),
            key,
        };
        let with = belongs_with(&document, of, &self.base);
        Ok(Taken { facts, with, numbered: version.is_some(), document, values: OnceLock::new(), base: self.base.clone() })
    }

    /// The bytes that the other server is to keep.
    pub fn outgoing(&self, change: &Change, content: &Forwarded, updated: Instant) -> Vec<u8> {
        let version = change.facts(updated).version;
        let text = content.prepared.stamp(version, updated);
        self.outward.apply(text.as_bytes()).into_owned()
    }

    /// Whether a record that came has this content, version and time aside.
    pub fn is_same(&self, content: &Forwarded, taken: &Taken) -> bool {
        let key = &taken.facts.key;
        let sent = self.record(&self.outward.apply(content.prepared.body().as_bytes()));
        let told = prepare(&taken.document, key.resource_type, &key.id);
        sent.is_ok_and(|sent| prepare(&sent.document, key.resource_type, &key.id) == told)
    }

    /// A Bundle of type transaction that makes these changes, each only if the record still has the version that was decided on.
    pub fn transaction(&self, changes: &[Change], updated: Instant) -> Vec<u8> {
        let mut out = b"{\"resourceType\":\"Bundle\",\"type\":\"transaction\",\"entry\":[".to_vec();
        for (at, change) in changes.iter().enumerate() {
            out.extend_from_slice(if at == 0 { b"{" } else { b",{" });
            let method = match &change.content {
                Some(content) => {
                    out.extend_from_slice(b"\"resource\":");
                    out.extend_from_slice(&self.outgoing(change, content, updated));
                    out.extend_from_slice(b",");
                    "PUT"
                }
                None => "DELETE",
            };
            let condition = match change.expected {
                super::Expected::Version(version) if change.content.is_some() => format!(",\"ifMatch\":\"W/\\\"{version}\\\"\""),
                _ => String::new(),
            };
            out.extend_from_slice(
                format!("\"request\":{{\"method\":\"{method}\",\"url\":\"{}\"{condition}}}}}", change.key).as_bytes(),
            );
        }
        out.extend_from_slice(b"]}");
        out
    }
}

impl Taken {
    /// Its address.
    pub fn key(&self) -> &Key {
        &self.facts.key
    }

    /// Its index values.
    pub fn values(&self) -> &[IndexEntry] {
        self.values.get_or_init(|| extract(&self.document, self.facts.key.resource_type, &self.base, &STANDARD))
    }

    /// At least the values of these parameters: to look at one of them, the others need not be read.
    pub fn values_of(&self, parameters: &[ParameterId]) -> Cow<'_, [IndexEntry]> {
        let some = || extract_some(&self.document, self.facts.key.resource_type, &self.base, &STANDARD, parameters);
        self.values.get().map_or_else(|| Cow::Owned(some()), |all| Cow::Borrowed(all.as_slice()))
    }

    /// Size in bytes.
    pub fn bytes(&self) -> usize {
        self.document.text().len()
    }

    /// Takes over what the records that it belongs with say.
    pub fn join(&mut self, others: &[Facts]) {
        self.facts.patients.extend(others.iter().flat_map(|one| one.patients.iter().cloned()));
        self.facts.patients.sort();
        self.facts.patients.dedup();
        let own = std::mem::take(&mut self.facts.marks);
        self.facts.marks = others.iter().fold(own, |marks, one| marks.joined_with(&self.facts.key, &one.marks));
    }

    /// Takes over labels of other versions.
    pub fn raise(&mut self, marks: &Marks) {
        let own = std::mem::take(&mut self.facts.marks);
        self.facts.marks = own.raised_to(marks);
    }

    /// As a row, its content sealed.
    pub fn into_row(self) -> Row {
        Row { facts: self.facts, content: Some(Sealed::from_wire(self.document.into_text().into_bytes())) }
    }
}

impl std::fmt::Debug for Taken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Taken({}, {} bytes)", self.facts.key, self.bytes())
    }
}

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
    /// `resource`
    pub record: Option<Taken>,
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
    most: usize,
    is_bundle: bool,
    links: Vec<(String, String)>,
}

impl Envelope {
    /// A Bundle of which no entry is larger than `most` bytes.
    pub fn new(most: usize) -> Self {
        Self { pieces: Pieces::new("entry", most), most, is_bundle: false, links: Vec::new() }
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    /// [`CrossingFault::NoBundle`]
    pub fn feed(&mut self, bytes: &[u8]) -> Result<(), CrossingFault> {
        Ok(self.pieces.feed(bytes)?)
    }

    /// The next entry that is whole.
    ///
    /// # Errors
    /// [`CrossingFault`]
    pub fn next_entry(&mut self, crossing: &Crossing) -> Result<Option<Arrived>, CrossingFault> {
        while let Some(piece) = self.pieces.next_piece() {
            match piece {
                Piece::Item(bytes) => return self.entry(&bytes, crossing).map(Some),
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

    fn entry(&self, bytes: &[u8], crossing: &Crossing) -> Result<Arrived, CrossingFault> {
        let mut members = Pieces::new("", self.most);
        members.feed(bytes)?;
        members.finish()?;
        let mut arrived = Arrived {
            mode: EntryMode::Match,
            record: None,
            method: None,
            url: None,
            status: None,
            etag: None,
            modified: None,
            location: None,
        };
        // An OperationOutcome beside the matches has no id and is nobody's record.
        let mut resource = None;
        while let Some(piece) = members.next_piece() {
            let Piece::Member(name, bytes) = piece else { continue };
            match name.as_str() {
                "resource" => resource = Some(bytes),
                "search" | "request" | "response" => arrived.take(&name, &small(&bytes)?),
                _ => {}
            }
        }
        let responds = arrived.method.is_none() && arrived.status.is_some();
        arrived.record = match resource {
            // The answer to an entry may be an OperationOutcome.
            Some(bytes) if responds => crossing.record(&bytes).ok(),
            Some(bytes) if arrived.mode == EntryMode::Match => Some(crossing.record(&bytes)?),
            _ => None,
        };
        Ok(arrived)
    }
}

impl Arrived {
    fn take(&mut self, name: &str, document: &Document) {
        let text = |at: &str| document.root().text_at(at).map(Cow::into_owned);
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

impl Crossing {
    /// A row of the gateway's own store, opened for the same uses.
    ///
    /// # Errors
    /// [`CrossingFault`] when stored content is damaged; for a deletion, which has none.
    pub fn reopened(&self, row: Row) -> Result<Taken, CrossingFault> {
        let content = row.content.as_ref().ok_or(CrossingFault::NoRecord)?;
        let document = super::record::open(content).map_err(|_| CrossingFault::NoRecord)?;
        Ok(Taken {
            facts: row.facts,
            with: Vec::new(),
            numbered: true,
            document,
            values: OnceLock::new(),
            base: self.base.clone(),
        })
    }
}
