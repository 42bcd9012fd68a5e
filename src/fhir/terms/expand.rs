//! From value sets and codes to sets of codes.

use super::codes::Codes;
use super::value_set::Part;
use super::{CodeSystem, ValueSet, filter};
use std::sync::Arc;

/// Where value sets and code systems come from: those that the caller may see.
pub trait Source {
    /// What goes wrong when it is asked.
    type Error;

    /// The value set of a canonical or of `ValueSet/id`.
    ///
    /// # Errors
    /// When the source cannot be asked.
    fn value_set(&mut self, canonical: &str) -> Result<Option<Arc<ValueSet>>, Self::Error>;

    /// The code system of a canonical.
    ///
    /// # Errors
    /// When the source cannot be asked.
    fn code_system(&mut self, canonical: &str) -> Result<Option<Arc<CodeSystem>>, Self::Error>;
}

/// Why there are no codes.
#[derive(Debug)]
pub enum TermsError<E> {
    /// The source failed.
    Source(E),
    /// What was asked cannot be answered: the reason, in the caller's terms.
    Unknown(String),
}

impl<E> From<E> for TermsError<E> {
    fn from(error: E) -> Self {
        Self::Source(error)
    }
}

/// Value sets that may stand in each other.
const DEPTH: usize = 16;

/// Codes that one set may list.
const MOST: usize = 1_000_000;

/// The codes of a value set.
///
/// # Errors
/// [`TermsError::Unknown`] for a value set that is not there, or that rests on something that is not there.
pub fn expand<S: Source>(source: &mut S, canonical: &str) -> Result<Codes, TermsError<S::Error>> {
    expand_within(source, canonical, &mut Vec::new())
}

fn expand_within<S: Source>(source: &mut S, canonical: &str, within: &mut Vec<String>) -> Result<Codes, TermsError<S::Error>> {
    if within.iter().any(|outer| outer == canonical) || within.len() >= DEPTH {
        return unknown(format!("the value set `{canonical}` stands in itself, or more than {DEPTH} deep in others"));
    }
    let Some(set) = source.value_set(canonical)? else {
        return unknown(format!("the value set `{canonical}` is not known to this server, or not to you"));
    };
    if let Some(codes) = &set.expansion {
        return Ok(codes.clone());
    }
    if set.include.is_empty() {
        return unknown(format!(
            "the value set `{canonical}` has neither an expansion nor a definition by which to find its codes"
        ));
    }
    within.push(canonical.to_owned());
    let mut codes = Codes::default();
    for part in &set.include {
        codes = codes.with(of_part(source, part, within)?);
        if codes.len() > MOST {
            return unknown(format!("the value set `{canonical}` has more than {MOST} codes"));
        }
    }
    for part in &set.exclude {
        codes = codes.without(&of_part(source, part, within)?);
    }
    within.pop();
    Ok(codes)
}

fn of_part<S: Source>(source: &mut S, part: &Part, within: &mut Vec<String>) -> Result<Codes, TermsError<S::Error>> {
    let mut codes = match &part.system {
        Some(system) => Some(of_system(source, system, part)?),
        None => None,
    };
    for canonical in &part.value_sets {
        let inner = expand_within(source, canonical, within)?;
        codes = Some(match codes {
            Some(codes) => codes.within(&inner),
            None => inner,
        });
    }
    codes.map_or_else(|| unknown("a value set includes neither a system nor another value set".to_owned()), Ok)
}

fn of_system<S: Source>(source: &mut S, system: &str, part: &Part) -> Result<Codes, TermsError<S::Error>> {
    if !part.concepts.is_empty() {
        return Ok(Codes::of(system, part.concepts.iter().cloned()));
    }
    if part.filters.is_empty() {
        return Ok(Codes::whole(system));
    }
    let canonical = part.version.as_ref().map_or_else(|| system.to_owned(), |version| format!("{system}|{version}"));
    let defined = known(source, &canonical)?;
    let mut codes: Option<Codes> = None;
    for one in &part.filters {
        let found = filter::codes(&defined, one).map_err(TermsError::Unknown)?;
        codes = Some(match codes {
            Some(codes) => codes.within(&found),
            None => found,
        });
    }
    Ok(codes.unwrap_or_default())
}

/// A code and everything that it subsumes (`:below`).
///
/// # Errors
/// [`TermsError::Unknown`] when the code system or the code is not there.
pub fn below<S: Source>(source: &mut S, system: &str, code: &str) -> Result<Codes, TermsError<S::Error>> {
    let defined = known(source, system)?;
    defined.below(code).map_or_else(|| unknown(format!("`{system}` has no code `{code}`")), |codes| Ok(Codes::of(system, codes)))
}

/// A code and everything that subsumes it (`:above`).
///
/// # Errors
/// [`TermsError::Unknown`] when the code system or the code is not there.
pub fn above<S: Source>(source: &mut S, system: &str, code: &str) -> Result<Codes, TermsError<S::Error>> {
    let defined = known(source, system)?;
    defined.above(code).map_or_else(|| unknown(format!("`{system}` has no code `{code}`")), |codes| Ok(Codes::of(system, codes)))
}

fn known<S: Source>(source: &mut S, canonical: &str) -> Result<Arc<CodeSystem>, TermsError<S::Error>> {
    match source.code_system(canonical)? {
        Some(system) if !system.concepts().is_empty() => Ok(system),
        Some(_) => unknown(format!(
            "the code system `{canonical}` is stored without its concepts, so that nothing is known of its hierarchy"
        )),
        None => unknown(format!(
            "the code system `{canonical}` is not known to this server, or not to you, so that nothing is known of its hierarchy"
        )),
    }
}

fn unknown<T, E>(reason: String) -> Result<T, TermsError<E>> {
    Err(TermsError::Unknown(reason))
}
