//! Proofs as documents that can be handed to somebody else.

use super::super::canonical;
use super::super::leaf_hash;
use super::merkle::{Hash, is_consistent, root_of_inclusion};
use super::note::{Checkpoint, NoteError, NoteVerifier};
use serde::{Deserialize, Serialize};

/// Why a proof proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The checkpoint is not to be believed.
    #[error("the checkpoint: {0}")]
    Note(#[from] NoteError),
    /// A hash is not 64 hexadecimal digits.
    #[error("a hash of the proof is not 64 hexadecimal digits")]
    Hash,
    /// The hashes do not lead to the root.
    #[error("the hashes do not lead to the root of the checkpoint")]
    Root,
}

/// That an entry is in the trail that a checkpoint tells of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inclusion {
    /// The number of the entry in the tree, from 0.
    pub index: u64,
    /// The entry as it was written.
    pub leaf: String,
    /// The hashes from the leaf upward, in hexadecimal.
    pub proof: Vec<String>,
    /// The signed checkpoint.
    pub checkpoint: String,
}

/// That a later state of the trail goes on from an earlier one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consistency {
    /// Entries of the earlier state.
    pub first: u64,
    /// The root of the earlier state, in hexadecimal.
    pub first_root: String,
    /// Entries of the later state.
    pub second: u64,
    /// The root of the later state, in hexadecimal.
    pub second_root: String,
    /// The hashes of the proof, in hexadecimal.
    pub proof: Vec<String>,
}

impl Inclusion {
    /// Checks the proof with the public key of the log; gives the checkpoint.
    ///
    /// # Errors
    /// [`ProofError`]
    pub fn check(&self, key: &NoteVerifier) -> Result<Checkpoint, ProofError> {
        let checkpoint = key.checkpoint(&self.checkpoint)?;
        let root = root_of_inclusion(self.index, checkpoint.size, leaf_hash(self.leaf.as_bytes()), &unhexed(&self.proof)?);
        if root == Some(checkpoint.root) { Ok(checkpoint) } else { Err(ProofError::Root) }
    }
}

impl Consistency {
    /// The document of a proof.
    pub fn new(first: (u64, Hash), second: (u64, Hash), proof: &[Hash]) -> Self {
        let [first_root, second_root] = [first.1, second.1].map(|root| hexed(&root));
        Self { first: first.0, first_root, second: second.0, second_root, proof: proof.iter().map(hexed).collect() }
    }

    /// Checks that this later checkpoint goes on from this earlier one.
    ///
    /// # Errors
    /// [`ProofError`]
    pub fn check(&self, earlier: &Checkpoint, later: &Checkpoint) -> Result<(), ProofError> {
        let (first, second) = ((earlier.size, earlier.root), (later.size, later.root));
        let same = earlier.origin == later.origin && (self.first, self.second) == (earlier.size, later.size);
        if same && is_consistent(first, second, &unhexed(&self.proof)?) { Ok(()) } else { Err(ProofError::Root) }
    }
}

/// A hash as text.
pub(super) fn hexed(hash: &Hash) -> String {
    let mut text = String::with_capacity(64);
    canonical::hex(hash, &mut text);
    text
}

impl Inclusion {
    /// The document of a proof.
    pub fn new(index: u64, leaf: String, proof: &[Hash], checkpoint: String) -> Self {
        Self { index, leaf, proof: proof.iter().map(hexed).collect(), checkpoint }
    }
}

fn unhexed(texts: &[String]) -> Result<Vec<Hash>, ProofError> {
    texts.iter().map(|text| canonical::unhex(text).ok_or(ProofError::Hash)).collect()
}
