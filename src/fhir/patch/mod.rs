//! JSON Patch (RFC 6902) on a document: what an operation does not name keeps its bytes.

mod apply;
mod equal;
mod parse;
mod pointer;
mod tree;

use super::Problem;
use super::json::Document;
use pointer::Pointer;
use std::fmt;

pub use apply::apply;
pub use parse::{MAX_OPERATIONS, parse};

/// A patch that has been read: operations in their order.
#[derive(Debug, Clone)]
pub struct JsonPatch {
    operations: Vec<Operation>,
}

#[derive(Debug, Clone)]
struct Operation {
    path: Pointer,
    action: Action,
}

#[derive(Debug, Clone)]
enum Action {
    Add(Document),
    Remove,
    Replace(Document),
    Move(Pointer),
    Copy(Pointer),
    Test(Document),
}

/// Why a patch cannot be applied to this document. Nothing of it was done then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PatchFault {
    /// A `test` found another value.
    TestFailed {
        /// Position in the patch, from 0.
        operation: usize,
        /// The JSON Pointer, as written.
        path: String,
    },
    /// A pointer does not lead where the operation needs it.
    Target {
        /// Position in the patch, from 0.
        operation: usize,
        /// The JSON Pointer, as written.
        path: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The copies would make the document too large, or the result nests too deep.
    TooLarge,
}

impl PatchFault {
    /// The fault in the caller's own terms.
    pub fn problem(&self) -> Problem {
        Problem::of("processing", self.to_string())
    }
}

impl fmt::Display for PatchFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TestFailed { operation, path } => {
                write!(f, "Operation {operation} of the patch: the value at `{path}` is not the one that `test` names.")
            }
            Self::Target { operation, path, why } => write!(f, "Operation {operation} of the patch: `{path}` {why}."),
            Self::TooLarge => f.write_str("The patch would make the record too large or too deep."),
        }
    }
}

impl std::error::Error for PatchFault {}

#[cfg(test)]
mod tests;
