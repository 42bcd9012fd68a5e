//! A batch or transaction that came in, opened into its entries.

use super::Sealed;
use super::draft::{Draft, parse};
use crate::fhir::bundle::{self, BundleKind, Entry};
use crate::fhir::{Headers, Id, Instant, Method, Problem, Refusal, Request, ResourceType};

/// One entry; its content stays inside.
pub struct Part {
    /// `request`, as if it had come alone.
    pub request: Request,
    entry: Entry,
}

/// Opens a Bundle.
///
/// # Errors
/// [`Refusal::Malformed`] for what is not JSON, [`Refusal::Unprocessable`] for what is no batch or transaction, [`Refusal::TooLarge`] for more
/// entries than `most`.
pub fn unpack(body: &Sealed, most: usize) -> Result<(BundleKind, Vec<Part>), Refusal> {
    let (kind, entries) = bundle::split(&parse(body)?).map_err(Refusal::Unprocessable)?;
    if entries.len() > most {
        return Err(Refusal::TooLarge("the Bundle has more entries than this server takes at once; send it in parts"));
    }
    let parts: Result<Vec<Part>, Refusal> = entries.into_iter().map(part).collect();
    Ok((kind, parts?))
}

fn part(entry: Entry) -> Result<Part, Refusal> {
    let (path, query) = entry.url.split_once('?').map_or((entry.url.as_str(), ""), |(path, query)| (path, query));
    let since = entry.if_modified_since.as_deref().map(|text| {
        let place = format!("Bundle.entry[{}].request.ifModifiedSince", entry.index);
        Instant::parse(text).ok_or_else(|| Refusal::Unprocessable(vec![Problem::at("value", place, "an instant was expected")]))
    });
    let content_type = if entry.method == Method::Patch { "application/json-patch+json" } else { "application/fhir+json" };
    let headers = Headers {
        if_match: entry.if_match.clone(),
        if_none_match: entry.if_none_match.clone(),
        if_modified_since: since.transpose()?,
        if_none_exist: entry.if_none_exist.clone(),
        content_type: entry.resource.as_ref().map(|_| content_type.to_owned()),
        ..Headers::default()
    };
    let request = Request { method: entry.method, path: path.to_owned(), query: query.to_owned(), form: None, headers };
    Ok(Part { request, entry })
}

impl Part {
    /// `fullUrl`
    pub fn full_url(&self) -> Option<&str> {
        self.entry.full_url.as_deref()
    }

    /// The id that the content names.
    pub fn id(&self) -> Option<Id> {
        self.entry.resource.as_ref().and_then(|resource| resource.root().text_at("id")).and_then(|id| Id::parse(&id))
    }

    /// The content as if it had come alone; for a PATCH the patch inside the Binary.
    ///
    /// # Errors
    /// [`Refusal::Unprocessable`] for a PATCH without a patch.
    pub fn body(&self) -> Result<Sealed, Refusal> {
        if self.entry.method == Method::Patch {
            let patch = self.entry.patch_body().map_err(|problem| Refusal::Unprocessable(vec![problem]))?;
            return Ok(Sealed::from_wire(patch));
        }
        let text = self.entry.resource.as_ref().map(|resource| resource.text().to_owned());
        Ok(Sealed::from_wire(text.unwrap_or_default().into_bytes()))
    }

    /// The content of a create or update.
    ///
    /// # Errors
    /// As [`Draft::read`].
    pub fn draft(&self, resource_type: ResourceType, id: Option<&Id>) -> Result<Draft, Refusal> {
        let resource = self.entry.resource.clone().ok_or(Refusal::Internal)?;
        Draft::of(resource, resource_type, id)
    }
}
