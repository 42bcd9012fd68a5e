//! Which purposes a request is for: those of the token, or the subset of them that the caller selects (`consent` § 8).

use crate::access::Caller;
use crate::fhir::{Problem, Refusal};
use crate::identity::normalised_purpose;
use quick_cache::sync::Cache;
use std::sync::Arc;

/// Selections that are remembered.
const REMEMBERED: usize = 1_000;

/// Decides it.
pub(super) struct Purposes {
    required: bool,
    selected: Cache<(usize, String), Arc<Selection>>,
}

/// A selection. The address of the caller is part of its name as long as this holds on to it.
struct Selection {
    _from: Arc<Caller>,
    selected: Arc<Caller>,
}

impl Purposes {
    /// With `required`, a token without any purpose is refused.
    pub(super) fn new(required: bool) -> Self {
        Self { required, selected: Cache::new(REMEMBERED) }
    }

    /// The caller with the purposes of this request.
    pub(super) fn of(&self, caller: Arc<Caller>, header: Option<&str>) -> Result<Arc<Caller>, Refusal> {
        if self.required && caller.purposes.is_empty() {
            return Err(Refusal::PurposeRefused("missing"));
        }
        let Some(header) = header else { return Ok(caller) };
        let name = (Arc::as_ptr(&caller) as usize, header.to_owned());
        if let Some(known) = self.selected.get(&name) {
            return Ok(Arc::clone(&known.selected));
        }
        let purposes = selection(&caller, header)?;
        let selected = Arc::new(Caller { purposes, ..Caller::clone(&caller) });
        self.selected.insert(name, Arc::new(Selection { _from: caller, selected: Arc::clone(&selected) }));
        Ok(selected)
    }
}

/// A header selects; it never adds.
fn selection(caller: &Caller, header: &str) -> Result<Vec<String>, Refusal> {
    let mut purposes = Vec::new();
    for text in header.split(',').map(str::trim).filter(|text| !text.is_empty()) {
        let purpose = normalised_purpose(text).ok_or(Refusal::PurposeRefused("unknown"))?;
        if !caller.purposes.contains(&purpose) {
            return Err(Refusal::PurposeRefused("not-held"));
        }
        if !purposes.contains(&purpose) {
            purposes.push(purpose);
        }
    }
    if purposes.is_empty() {
        let text =
            "the header `X-Purpose-Of-Use` names no purpose; leave it out, or name some of the token's, separated by commas";
        return Err(Refusal::Invalid(vec![Problem::of("invalid", text)]));
    }
    Ok(purposes)
}
