//! What one request has come to know of other records, and how much it has looked at.

use crate::fhir::{Facts, Key};
use std::collections::HashMap;

/// One request's own memory. Nothing in it outlives the request.
#[derive(Debug, Default)]
pub(super) struct Round {
    /// The facts of live records; `None` for those that are not there.
    pub(super) known: HashMap<Key, Option<Facts>>,
    /// Records looked at.
    pub(super) looked: usize,
}
