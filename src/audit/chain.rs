//! The chain that makes a lost or altered entry show.

use super::Entry;
use crate::fhir::Instant;

/// The end of the chain: what the next entry is linked to.
#[derive(Debug, Clone)]
pub struct Chain {
    seq: i64,
    head: [u8; 32],
}

/// A place in the chain to go back to.
#[derive(Debug, Clone)]
pub struct Mark(Chain);

/// An entry in its place.
#[derive(Debug)]
pub struct Link {
    /// Its number.
    pub seq: i64,
    /// When.
    pub recorded: Instant,
    /// Its written form.
    pub leaf: Vec<u8>,
    /// The head of the chain after it.
    pub hash: [u8; 32],
}

impl Chain {
    /// Goes on after entry `seq`, whose hash is `head`.
    pub fn resume(seq: i64, head: [u8; 32]) -> Self {
        Self { seq, head }
    }

    /// Puts an entry at the end.
    pub fn link(&mut self, entry: &Entry) -> Link {
        let leaf = format!("{entry:?}").into_bytes();
        let mut context = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
        context.update(&self.head);
        context.update(&leaf);
        self.head.copy_from_slice(context.finish().as_ref());
        self.seq += 1;
        Link { seq: self.seq, recorded: entry.recorded, leaf, hash: self.head }
    }

    /// Where it stands.
    pub fn mark(&self) -> Mark {
        Mark(self.clone())
    }

    /// Back to where it stood.
    pub fn restore(&mut self, mark: Mark) {
        *self = mark.0;
    }
}
