//! How records cross between the gateway and a FHIR server that keeps them: read and sealed on the way in, told below the other's base on
//! the way out. Nothing that the other server says of a record is believed but its content; facts are computed from that.

use super::echo::is_echo;
use super::fragment::{is_part, is_redacted};
use super::known::{Kind, Known, Recall};
use super::taken::Taken;
use super::{Change, Forwarded, Row};
use crate::consent::Labelling;
use crate::fhir::json::{Document, PiecesFault};
use crate::fhir::rebase::{Rebase, unescaped};
use crate::fhir::{Facts, Id, Instant, Key, ResourceType, Version, belongs_with, patients_of};
use std::borrow::Cow;
use std::sync::Arc;

/// Why something that came cannot be read. The text is for the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CrossingFault {
    /// It is not JSON, or is read differently by different readers.
    #[error("{0}")]
    Json(String),
    /// It is JSON and no record.
    #[error("it is no FHIR resource with a type and an id")]
    NoRecord,
    /// It is a part of a record, which nobody asked for: what is not there decides, too.
    #[error("it is a part of a record (SUBSETTED)")]
    Part,
    /// The whole of a record that came in part is older than the part.
    #[error("a record that came in part is an earlier version under its own address")]
    Earlier,
    /// It is no Bundle, or one that is damaged.
    #[error("it is no Bundle: {0}")]
    NoBundle(#[from] PiecesFault),
}

/// The two bases, and by what records are marked.
pub struct Crossing {
    labelling: Labelling,
    base: Arc<str>,
    pub(super) known: Recall,
    inward: Vec<Rebase>,
    outward: Rebase,
}

impl Crossing {
    /// Between `base`, the gateway's own, and `theirs`: the base under which the other server is called, and any others that it uses
    /// of itself. At most so many bytes of records that came are kept with what is known of them; with 0 none.
    pub fn new(labelling: Labelling, base: &str, theirs: &[String], kept: u64) -> Self {
        let inward = theirs.iter().map(|one| Rebase::of_any_form(one, base)).collect();
        let outward = Rebase::new(base, theirs.first().map_or(base, String::as_str));
        Self { labelling, base: base.into(), known: Recall::new(kept), inward, outward }
    }

    /// The gateway's own base.
    pub fn base(&self) -> &str {
        &self.base
    }

    pub(super) fn base_shared(&self) -> &Arc<str> {
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
        self.whole_record(bytes, false)
    }

    /// Reads what is under a record's own address, where nothing was asked that cuts: that is the whole, though it may have been stored with
    /// the tag of a part.
    ///
    /// # Errors
    /// [`CrossingFault`]; [`CrossingFault::Part`] when it says that it withholds something from the gateway.
    pub fn looked_up(&self, bytes: &[u8]) -> Result<Taken, CrossingFault> {
        self.whole_record(bytes, true)
    }

    fn whole_record(&self, bytes: &[u8], looked_up: bool) -> Result<Taken, CrossingFault> {
        let hash = match self.known.find(Kind::Record, bytes) {
            Ok(known) => return Ok(Taken::known(known, &self.base)),
            Err(hash) => hash,
        };
        let document = self.parsed(bytes)?;
        match is_part(&document) {
            // Not kept: anywhere else the same bytes are a part.
            true if looked_up && !is_redacted(&document) => return self.unkept(document),
            true => return Err(CrossingFault::Part),
            false => {}
        }
        let known = self.known.keep(self.read(&document)?.of(Kind::Record, hash, bytes));
        Ok(Taken::read(known, document, &self.base))
    }

    /// Reads the record that an entry of a Bundle holds, which is kept under the text of the entry.
    pub(super) fn entered(&self, entry: &[u8], hash: u64, record: Document) -> Result<Taken, CrossingFault> {
        let known = self.known.keep(self.read(&record)?.of(Kind::Entry, hash, entry));
        Ok(Taken::read(known, record, &self.base))
    }

    /// Reads a record that is not kept.
    pub(super) fn unkept(&self, record: Document) -> Result<Taken, CrossingFault> {
        let known = self.read(&record)?;
        Ok(Taken::read(Arc::new(known), record, &self.base))
    }

    /// What came, below the gateway's own base.
    pub(super) fn parsed(&self, bytes: &[u8]) -> Result<Document, CrossingFault> {
        Document::parse(&self.inwards(bytes)).map_err(|error| CrossingFault::Json(error.to_string()))
    }

    /// A text below the gateway's own base, however the other one is written in it.
    fn inwards<'t>(&self, bytes: &'t [u8]) -> Cow<'t, [u8]> {
        let told = self.rebased(bytes);
        // Escapes stay as they came, unless they hide an address.
        match unescaped(&told).filter(|plain| self.inward.iter().any(|rebase| rebase.is_in(plain))) {
            Some(plain) => Cow::Owned(self.rebased(&plain).into_owned()),
            None => told,
        }
    }

    fn rebased<'t>(&self, bytes: &'t [u8]) -> Cow<'t, [u8]> {
        let mut text = Cow::Borrowed(bytes);
        for rebase in &self.inward {
            if let Cow::Owned(new) = rebase.apply(&text) {
                text = Cow::Owned(new);
            }
        }
        text
    }

    /// Whether content that is sent means the same when it comes back. An address of the other server in it would not: it would be told
    /// below the gateway's own base, and lead to another record than was decided on.
    pub fn keeps(&self, content: &Forwarded) -> bool {
        let body = content.prepared.body().as_bytes();
        *self.inwards(&self.outward.apply(body)) == *body
    }

    /// Computes from the content what can be known of it.
    fn read(&self, document: &Document) -> Result<Known, CrossingFault> {
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
            patients: patients_of(document, &key, &self.base),
            marks: self.labelling.marks(document, &key, &self.base),
            key,
        };
        let with = belongs_with(document, of, &self.base);
        Ok(Known::new(Arc::new(facts), with, version.is_some(), document.text()))
    }

    /// The bytes that the other server is to keep.
    pub fn outgoing(&self, change: &Change, content: &Forwarded, updated: Instant) -> Vec<u8> {
        let version = change.facts(updated).version;
        let text = content.prepared.stamp(version, updated);
        self.outward.apply(text.as_bytes()).into_owned()
    }

    /// Whether a record that came has this content, version and time aside. `moved`: it has another version than the one before, so that
    /// the server may have added to it.
    pub fn is_same(&self, content: &Forwarded, taken: &Taken, moved: bool) -> bool {
        let sent = self.parsed(&self.outward.apply(content.prepared.body().as_bytes()));
        sent.is_ok_and(|sent| is_echo(&sent, taken.document(), moved))
    }

    /// A Bundle of type transaction that makes these changes, each only if the record still has this version, where there is one that the
    /// other server knows by its number.
    pub fn transaction(&self, changes: &[Change], conditions: &[Option<Version>], updated: Instant) -> Vec<u8> {
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
            let condition = match conditions.get(at) {
                Some(Some(version)) if change.content.is_some() => format!(",\"ifMatch\":\"W/\\\"{version}\\\"\""),
                _ => String::new(),
            };
            out.extend_from_slice(
                format!("\"request\":{{\"method\":\"{method}\",\"url\":\"{}\"{condition}}}}}", change.key).as_bytes(),
            );
        }
        out.extend_from_slice(b"]}");
        out
    }

    /// A row of the gateway's own store, opened for the same uses.
    ///
    /// # Errors
    /// [`CrossingFault`] when stored content is damaged; for a deletion, which has none.
    pub fn reopened(&self, row: Row) -> Result<Taken, CrossingFault> {
        let content = row.content.as_ref().ok_or(CrossingFault::NoRecord)?;
        let document = super::record::open(content).map_err(|_| CrossingFault::NoRecord)?;
        let known = Known::new(row.facts, Vec::new(), true, document.text());
        Ok(Taken::read(Arc::new(known), document, &self.base))
    }
}
