//! Records that came in part, by what they say of themselves (R4 resource § 2.27.1.8, `SUBSETTED`).
//!
//! What is not there decides too, so that a part is nobody's to see. Nor is the tag believed: a record may have been stored with it. Either way
//! the whole is asked for, by the record's own address and without anything that cuts, and what comes then is decided on (decision 82).

use super::crossing::{Crossing, CrossingFault};
use super::known::{Kind, Known};
use super::taken::Taken;
use crate::fhir::json::{Document, Element};
use crate::fhir::{Key, Version};

/// A record of which a part came, or so it says. Nothing of it can be had but its address.
#[derive(Debug)]
pub struct Fragment {
    taken: Taken,
    /// The entry that it came in.
    entry: Box<[u8]>,
    past: bool,
}

impl Fragment {
    pub(super) fn new(taken: Taken, entry: &[u8], past: bool) -> Self {
        Self { taken, entry: entry.into(), past }
    }

    /// Its address.
    pub fn key(&self) -> &Key {
        self.taken.key()
    }

    /// Its version.
    pub fn version(&self) -> Version {
        self.taken.facts.version
    }

    /// Whether it came as one version among others.
    pub fn is_past(&self) -> bool {
        self.past
    }
}

impl Crossing {
    /// The whole of it, if just this part came before.
    pub fn whole_before(&self, part: &Fragment) -> Option<Taken> {
        self.known.find(Kind::Part, &part.entry).ok().map(|known| Taken::known(known, self.base_shared()))
    }

    /// What was found under its address, as the whole of it. Labels that the part tells count, too. Where both are one version it is known
    /// the next time.
    ///
    /// # Errors
    /// [`CrossingFault::Earlier`] when it is from before the part.
    pub fn whole(&self, part: &Fragment, mut found: Taken) -> Result<Taken, CrossingFault> {
        let (told, now) = (&part.taken.facts, found.facts.version);
        if now < told.version || found.key() != part.key() {
            return Err(CrossingFault::Earlier);
        }
        found.raise(&told.marks);
        if now == told.version && found.facts.updated == told.updated && found.is_numbered() && part.taken.is_numbered() {
            let known = Known::new(found.facts.clone(), found.with().to_vec(), true, found.document().text());
            let hash = self.known.find(Kind::Part, &part.entry).err();
            if let Some(hash) = hash {
                self.known.keep(known.of(Kind::Part, hash, &part.entry));
            }
        }
        Ok(found)
    }
}

/// R4 resource § 2.27.1.8: a server tags so what it has left elements out of.
pub(super) fn is_part(document: &Document) -> bool {
    says(document, "tag", "SUBSETTED")
}

/// Whether the server says that it leaves something out because of who asks, which is the gateway.
pub(super) fn is_redacted(document: &Document) -> bool {
    says(document, "security", "REDACTED")
}

fn says(document: &Document, list: &str, code: &str) -> bool {
    let codings = document.root().get("meta").and_then(|meta| meta.get(list));
    codings.into_iter().flat_map(Element::flattened).any(|coding| coding.text_at("code").as_deref() == Some(code))
}
