//! Terminology, as far as searches need it: which codes a value set holds, and what lies above and below a code.
//!
//! Only what is stored counts: value sets and code systems come from a [`Source`], which shows those that the caller may see.

mod code_system;
mod codes;
mod expand;
mod filter;
mod value_set;

pub use code_system::CodeSystem;
pub use codes::{Codes, Of};
pub use expand::{Source, TermsError, above, below, expand};
pub use value_set::ValueSet;

/// Splits a canonical into URL and version.
pub fn canonical(text: &str) -> (&str, Option<&str>) {
    match text.split_once('|') {
        Some((url, version)) if !version.is_empty() => (url, Some(version)),
        Some((url, _)) => (url, None),
        None => (text, None),
    }
}

#[cfg(test)]
mod tests;
