//! From the pairs of a query to a [`SearchQuery`].
//!
//! Strict: what is not understood is a problem, and all problems are told at once. Under `handling=lenient` an unknown parameter
//! is ignored and named, unless it may have been meant to narrow whose records are asked for.

mod broad;
mod contained;
mod criteria;
mod escapes;
mod filter;
mod modifiers;
mod naming;
mod results;
mod values;

pub(super) use criteria::Reader;

use super::custom::CustomParameters;
use super::query::{Criterion, ResultShape, SearchQuery, Total};
use crate::fhir::definitions::is_unsearchable;
use crate::fhir::{CompartmentOwner, Instant, Problem, Rendering, ResourceType, has_value};

/// What reading a query depends on, beside the query.
#[derive(Debug, Clone, Copy)]
pub struct ParseOptions<'o> {
    /// The server's own base URL: absolute references below it are local ones.
    pub base: &'o str,
    /// The moment that `ap` measures its distance from.
    pub now: Instant,
    /// `Prefer: handling=lenient`
    pub lenient: bool,
    /// The largest page; `_count` above it is lowered to it.
    pub max_count: u32,
    /// What can be searched by beside the parameters of R4.
    pub known: &'o CustomParameters,
}

/// Why a pair cannot be read.
pub(super) enum Fault {
    /// There is no such parameter: may be ignored under lenient handling.
    Unknown(Problem),
    /// Never ignored.
    Wrong(Problem),
}

impl Fault {
    fn wrong(text: impl Into<String>) -> Self {
        Self::Wrong(Problem::of("invalid", text))
    }

    fn unsupported(text: impl Into<String>) -> Self {
        Self::Wrong(Problem::of("not-supported", text))
    }

    fn problem(self) -> Problem {
        match self {
            Self::Unknown(problem) | Self::Wrong(problem) => problem,
        }
    }
}

/// Reads the decoded pairs of a query, in order. `types` empty is a search of all types, which `_type` may narrow.
///
/// # Errors
/// Every problem found, in the order of the pairs.
pub fn parse_search(
    types: &[ResourceType],
    compartment: Option<CompartmentOwner>,
    pairs: &[(String, String)],
    options: &ParseOptions<'_>,
) -> Result<SearchQuery, Vec<Problem>> {
    let mut search = Search::new(types, compartment, options);
    search.narrow_types(pairs, types.len() != 1);
    search.read_contained(pairs);
    for (name, value) in pairs.iter().filter(|pair| pair.0.is_empty() || has_value(pair)) {
        match search.pair(name, value) {
            Ok(()) => search.query.applied.push((name.clone(), value.clone())),
            Err(Fault::Unknown(_)) if options.lenient && !naming::may_narrow(name) => search.query.ignored.push(name.clone()),
            Err(fault) => search.problems.push(fault.problem()),
        }
    }
    search.settle_contained();
    search.settle_summary(options.lenient);
    if search.problems.is_empty() { Ok(search.query) } else { Err(search.problems) }
}

struct Search<'o> {
    reader: Reader<'o>,
    query: SearchQuery,
    problems: Vec<Problem>,
    max_count: u32,
    /// Parameters that may come once only, and did.
    seen: Vec<&'static str>,
}

impl<'o> Search<'o> {
    fn new(types: &[ResourceType], compartment: Option<CompartmentOwner>, options: &ParseOptions<'o>) -> Self {
        let query = SearchQuery {
            types: types.to_vec(),
            compartment,
            contained: None,
            criteria: Vec::new(),
            shape: ResultShape { total: Total::Unasked, ..ResultShape::default() },
            rendering: Rendering::default(),
            applied: Vec::new(),
            ignored: Vec::new(),
        };
        let reader = Reader::new(options.base, options.now, options.known);
        Self { reader, query, problems: Vec::new(), max_count: options.max_count, seen: Vec::new() }
    }

    /// `_type` decides what the other parameters mean, so it is read before them. It narrows a search of the whole server, or of all that
    /// a compartment has.
    fn narrow_types(&mut self, pairs: &[(String, String)], open: bool) {
        let members = if open { std::mem::take(&mut self.query.types) } else { Vec::new() };
        for (_, value) in pairs.iter().filter(|pair| pair.0 == "_type" && has_value(pair)) {
            if !open || !self.query.types.is_empty() {
                let text = "`_type` may come once, in a search of the whole server or of `*` in a compartment";
                self.problems.push(Problem::of("invalid", text));
                return;
            }
            for name in value.split(',') {
                match ResourceType::parse(name) {
                    Some(resource_type) if self.query.types.contains(&resource_type) => {}
                    Some(resource_type) if !members.is_empty() && !members.contains(&resource_type) => {
                        self.problems
                            .push(Problem::of("invalid", format!("`_type`: {resource_type} is no member of this compartment")));
                    }
                    Some(resource_type) => self.query.types.push(resource_type),
                    None => self.problems.push(Problem::of("invalid", format!("`_type`: `{name}` is no resource type of R4"))),
                }
            }
        }
        if self.query.types.is_empty() {
            self.query.types = members;
        }
    }

    fn pair(&mut self, name: &str, value: &str) -> Result<(), Fault> {
        if name.is_empty() {
            return Err(Fault::wrong("A parameter has no name"));
        }
        if self.result_parameter(name, value)? {
            return Ok(());
        }
        let criterion = self.criterion(name, value)?;
        self.query.criteria.push(criterion);
        Ok(())
    }

    fn criterion(&mut self, name: &str, value: &str) -> Result<Criterion, Fault> {
        let base = naming::base(name);
        let known: &[ResourceType] = if self.query.types.is_empty() { &[ResourceType::Patient] } else { &self.query.types };
        let unsearchable = known.iter().any(|&one| is_unsearchable(one, base));
        if unsearchable && base != "_filter" {
            return Err(Fault::unsupported(format!("`{base}` is a parameter of R4 that this server does not support")));
        }
        let types = self.query.types.clone();
        self.reader.criterion(&types, name, value)
    }
}

#[cfg(test)]
mod tests;
