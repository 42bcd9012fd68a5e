//! The answer to a change that is durable.

use super::pending::{Pending, Proof};
use super::record::{Eye, all_of, rendered};
use super::released::{location, version_headers};
use super::{Stored, outcome};
use crate::audit::{Entry, Receipt};
use crate::fhir::{Facts, Problem, Refusal, Rendering, Return};

/// Answers a create, update, patch or delete. `created` gives 201 and `Location`. After a patch the caller is shown what they did not
/// send: `cut` says by whose eyes. All else is their own words.
///
/// # Errors
/// [`Refusal::Internal`] when the stored content cannot be read back.
pub fn written(
    stored: &Stored,
    created: bool,
    rendering: &Rendering,
    warnings: &[Problem],
    base: &str,
    cut: Option<(Eye<'_>, &Facts)>,
) -> Result<Pending, Refusal> {
    let mut headers = version_headers(stored.version, stored.updated);
    if created || stored.content.is_some() {
        headers.push(location(base, &stored.key, stored.version));
    }
    let body = match (&stored.content, rendering.prefer.unwrap_or_default()) {
        (None, Return::OperationOutcome) => outcome::success("deleted", warnings).into_bytes(),
        (None, _) | (_, Return::Minimal) => Vec::new(),
        (Some(_), Return::OperationOutcome) => outcome::success("stored", warnings).into_bytes(),
        (Some(content), Return::Representation) => match cut {
            Some((eye, facts)) => rendered(eye, facts, content, &Rendering::default())?.into_owned(),
            None => all_of(content)?,
        },
    };
    let status = match (&stored.content, created, body.is_empty()) {
        (None, _, true) => 204,
        (Some(_), true, _) => 201,
        _ => 200,
    };
    Ok(Pending { status, headers, body, proof: Proof::Owed(Vec::new()) })
}

impl Pending {
    /// The same answer without its content (`HEAD`).
    #[must_use]
    pub fn bare(self) -> Self {
        Self { body: Vec::new(), ..self }
    }
}

impl Pending {
    /// The same answer, whose entry the commit has written.
    #[must_use]
    pub fn paid(mut self, receipt: Receipt) -> Self {
        self.proof = Proof::Paid(receipt);
        self
    }
}

impl Pending {
    /// The same answer, which owes this entry first.
    #[must_use]
    pub fn owes(mut self, entry: Entry) -> Self {
        self.proof = Proof::Owed(vec![entry]);
        self
    }
}

impl Pending {
    /// An answer without content: there was nothing to do.
    pub fn nothing(entry: Entry) -> Self {
        Self { status: 204, headers: Vec::new(), body: Vec::new(), proof: Proof::Owed(vec![entry]) }
    }

    /// The same answer, with one more entry to be written first.
    #[must_use]
    pub fn with_entry(mut self, entry: Entry) -> Self {
        if let Proof::Owed(entries) = &mut self.proof {
            entries.insert(0, entry);
        }
        self
    }
}
