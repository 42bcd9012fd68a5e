//! What makes the trail evidence for outsiders: the tree over its entries, checkpoints of it, proofs, and whole exports.

mod export;
mod merkle;
mod note;
mod proof;

pub use export::{Checked, ExportError, ExportHead, ExportReader, export_head, export_notes, export_row};
pub use merkle::{Frontier, Hash, Prover, is_consistent, node_hash, root_of_inclusion};
pub use note::{Checkpoint, NoteError, NoteSigner, NoteVerifier, Purpose, notes_of};
pub use proof::{Consistency, Inclusion, ProofError};
