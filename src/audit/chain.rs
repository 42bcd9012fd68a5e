//! The hash chain: each leaf names the hash of the one before, so that none can be changed, dropped or moved alone.

use super::{Entry, leaf};
use crate::fhir::Instant;
use aws_lc_rs::digest;
use std::sync::Arc;

/// The hash before the first leaf.
pub const GENESIS: [u8; 32] = [0; 32];

/// The name of a node that was given none. [`super::Site`] must be made with the name that the chain has.
pub const FIRST_NODE: &str = "n1";

/// The end of a chain, where entries are added.
#[derive(Debug, Clone)]
pub struct Chain {
    seq: i64,
    head: [u8; 32],
    node: Arc<str>,
}

/// An entry in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Its number: 1, 2, 3, ... without gaps.
    pub seq: i64,
    /// When it happened.
    pub recorded: Instant,
    /// What was hashed, canonical JSON in UTF-8.
    pub leaf: Vec<u8>,
    /// [`leaf_hash`] of the leaf.
    pub hash: [u8; 32],
}

/// A place to return to, when what was added could not be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    seq: i64,
    head: [u8; 32],
}

impl Chain {
    /// Continues behind the entry `seq` whose hash is `head`; `(0, GENESIS)` begins.
    pub fn resume(seq: i64, head: [u8; 32]) -> Self {
        Self { seq, head, node: Arc::from(FIRST_NODE) }
    }

    /// The same chain, its leaves signed with the name of this node.
    #[must_use]
    pub fn on_node(mut self, node: &str) -> Self {
        self.node = Arc::from(node);
        self
    }

    /// Gives an entry its place.
    pub fn link(&mut self, entry: &Entry) -> Link {
        self.seq += 1;
        let leaf = leaf::encode(entry, self.seq, &self.node, &self.head).into_bytes();
        self.head = leaf_hash(&leaf);
        Link { seq: self.seq, recorded: entry.recorded, leaf, hash: self.head }
    }

    /// The present end.
    pub fn mark(&self) -> Mark {
        Mark { seq: self.seq, head: self.head }
    }

    /// Takes back everything that was linked since.
    pub fn restore(&mut self, mark: Mark) {
        self.seq = mark.seq;
        self.head = mark.head;
    }
}

impl Mark {
    /// The number of the last entry.
    pub fn seq(&self) -> i64 {
        self.seq
    }

    /// The hash of the last entry.
    pub fn head(&self) -> [u8; 32] {
        self.head
    }
}

/// SHA-256 of `0x00` and the leaf: the leaf hash of RFC 6962 § 2.1, so that the same leaves make a Merkle tree.
pub fn leaf_hash(leaf: &[u8]) -> [u8; 32] {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(&[0]);
    context.update(leaf);
    let mut hash = [0; 32];
    hash.copy_from_slice(context.finish().as_ref());
    hash
}

#[cfg(test)]
mod tests {
    use super::super::samples::read;
    use super::super::{Leaf, canonical};
    use super::{Chain, GENESIS, leaf_hash};

    fn hex(bytes: &[u8]) -> String {
        let mut text = String::new();
        canonical::hex(bytes, &mut text);
        text
    }

    #[test]
    fn leaf_hashes_are_those_of_rfc_6962() {
        assert_eq!(hex(&leaf_hash(b"")), "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d");
    }

    #[test]
    fn each_leaf_names_its_place_its_node_and_the_hash_before() {
        let mut chain = Chain::resume(0, GENESIS).on_node("west");
        let (first, second) = (chain.link(&read("p1")), chain.link(&read("p2")));
        assert_eq!((first.seq, second.seq), (1, 2));
        let leaf = Leaf::decode(&second.leaf).unwrap();
        assert_eq!((leaf.seq, leaf.node.as_str(), leaf.previous), (2, "west", first.hash));
        assert_eq!(leaf.entry, read("p2"));
    }

    #[test]
    fn a_restored_chain_gives_the_same_links_again() {
        let mut chain = Chain::resume(41, [7; 32]);
        let mark = chain.mark();
        let link = chain.link(&read("p1"));
        chain.restore(mark);
        assert_eq!(chain.link(&read("p1")), link);
        assert_eq!((chain.mark().seq(), chain.mark().head()), (42, link.hash));
    }

    #[test]
    fn the_written_form_stays_as_it_is() {
        let link = Chain::resume(0, GENESIS).link(&read("p1"));
        let expected = concat!(
            r#"{"agent":{"address":"192.0.2.7","client":"app","issuer":"https://idp.example","purposes":["TREAT"],"subject":"s-1","#,
            r#""token_id":"jti-1","user":"Practitioner/d1"},"event":{"kind":"rest","word":"read"},"node":"n1","outcome":"0","#,
            r#""patients":["p1"],"prev_hash":"0000000000000000000000000000000000000000000000000000000000000000","#,
            r#""recorded":"2026-01-02T03:04:05.678Z","records":["Observation/o1/_history/3"],"request_id":"req-1","seq":1,"v":1}"#
        );
        assert_eq!(std::str::from_utf8(&link.leaf), Ok(expected));
    }
}
