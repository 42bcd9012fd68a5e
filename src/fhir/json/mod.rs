//! JSON as FHIR needs it: one parse, one meaning, every number and string kept as it was written.
//!
//! [`Document`] is strict RFC 8259 plus what a gateway must refuse because two parsers could read it differently: duplicate
//! member names, byte order marks, lone surrogates, excessive depth. White space between tokens is dropped; all else stays, to the byte.

mod copies;
mod document;
mod parse;
mod pieces;
mod strings;

pub use document::{Document, Element, Items, Kind, Members};
pub use parse::{JsonError, JsonFault, MAX_DEPTH};
pub use pieces::{Piece, Pieces, PiecesFault};
pub use strings::{quote, quote_into, unquote};

#[cfg(test)]
mod tests;
