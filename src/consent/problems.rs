//! What to say to the author of a Consent (`consent` § 12).

use super::compile::compile_with_notes;
use super::span::Span;
use crate::fhir::json::{Document, Element};
use crate::fhir::{Instant, Problem};

/// Clocks may differ by this much.
const SKEW_SECONDS: i64 = 300;
/// A date without time is already tomorrow's where the sun rises first.
const EARLIEST_ZONE_SECONDS: i64 = 14 * 3600;

/// What is wrong with a Consent that is to be written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings {
    /// It must not be stored.
    pub refuse: Vec<Problem>,
    /// It may be stored; its author should know.
    pub warn: Vec<Problem>,
}

/// Looks at a Consent before it is stored. Only a `dateTime` in the future is refused: it would supersede what comes until then.
pub fn problems_on_write(document: &Document, now: Instant) -> Findings {
    let (compiled, notes) = compile_with_notes(document, "");
    let written = document.root().get("dateTime").and_then(Element::as_str);
    let refuse = match written.as_deref().and_then(|text| Span::of(text).map(|span| (text, span))) {
        Some((text, span)) if span.low > now.plus_seconds(tolerance(text)) => {
            vec![Problem::at("business-rule", "Consent.dateTime", "A consent cannot be given in the future.")]
        }
        _ => Vec::new(),
    };
    Findings { refuse, warn: compiled.faults().iter().cloned().chain(notes).collect() }
}

fn tolerance(text: &str) -> i64 {
    if text.contains('T') { SKEW_SECONDS } else { EARLIEST_ZONE_SECONDS + SKEW_SECONDS }
}
