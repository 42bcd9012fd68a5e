//! What an operation is given: read to the letter, record content kept inside.

use super::Sealed;
use super::draft::{Draft, parse};
use crate::fhir::parameters::Parameters;
use crate::fhir::{Id, Operation, Refusal, ResourceType};

/// The parameters of an operation. The resources among them stay inside.
#[derive(Default)]
pub struct Input(Parameters);

/// Reads the body of a POST, or the query of a GET. An operation that needs nothing may come without a body.
///
/// # Errors
/// [`Refusal::Malformed`] for what is not JSON, [`Refusal::Invalid`] for what the operation does not take.
pub fn input(body: &Sealed, operation: &Operation) -> Result<Input, Refusal> {
    let slots = operation.slots();
    let read = match operation {
        Operation::ExplainAccess(_, query)
        | Operation::BreakGlassNotices(_, query)
        | Operation::Accounting(_, query)
        | Operation::AccessLog(_, query)
            if !query.is_empty() || body.is_empty() =>
        {
            Parameters::of_query(query, slots)
        }
        _ if body.is_empty() => Parameters::of_query(&[], slots),
        _ => Parameters::read(&parse(body)?, slots),
    };
    read.map(Input).map_err(Refusal::Invalid)
}

impl Input {
    /// The text of a parameter.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.text(name)
    }

    /// Every text of a parameter that repeats.
    pub fn texts(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.texts(name)
    }

    /// The number of a parameter.
    pub fn whole(&self, name: &str) -> Option<u32> {
        self.0.whole(name)
    }

    /// The resource of a parameter as new content, and the id that it names, if it does.
    ///
    /// # Errors
    /// As [`Draft::read`]; `None` when the parameter was not given.
    pub fn draft(&self, name: &str) -> Result<Option<(Draft, Option<Id>)>, Refusal> {
        let Some(document) = self.0.record(name) else { return Ok(None) };
        let named = document.root().text_at("resourceType").and_then(|name| ResourceType::parse(&name));
        let id = document.root().text_at("id").and_then(|id| Id::parse(&id));
        let draft = Draft::of(document.clone(), named.ok_or(Refusal::Internal)?, None)?;
        Ok(Some((draft, id)))
    }
}
