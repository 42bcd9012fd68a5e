//! A batch or transaction taken apart into its entries (R4 http § batch/transaction).

use super::json::{Document, Element, Kind};
use super::{Method, Problem, ResourceType, shape};
use base64::Engine as _;
use std::collections::HashMap;

/// How the entries belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BundleKind {
    /// Each on its own.
    Batch,
    /// All or none.
    Transaction,
}

/// One request of a batch or transaction.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Position in `Bundle.entry`, from 0.
    pub index: usize,
    /// `fullUrl`
    pub full_url: Option<String>,
    /// `request.method`
    pub method: Method,
    /// `request.url`, as written.
    pub url: String,
    /// `request.ifMatch`
    pub if_match: Option<String>,
    /// `request.ifNoneMatch`
    pub if_none_match: Option<String>,
    /// `request.ifModifiedSince`
    pub if_modified_since: Option<String>,
    /// `request.ifNoneExist`
    pub if_none_exist: Option<String>,
    /// The resource, as a document of its own; its shape is not judged yet. Present exactly for POST, PUT and PATCH.
    pub resource: Option<Document>,
}

impl Entry {
    /// The patch that a PATCH carries: the content of a Binary of type `application/json-patch+json` (R4 http § transaction).
    ///
    /// # Errors
    /// Any other resource, type or content, with its FHIRPath.
    pub fn patch_body(&self) -> Result<Vec<u8>, Problem> {
        let place = |below: &str| format!("Bundle.entry[{}].resource{below}", self.index);
        let root = self.resource.as_ref().map(Document::root);
        let binary = root.filter(|root| root.text_at("resourceType").as_deref() == Some("Binary"));
        let binary =
            binary.ok_or_else(|| Problem::at("not-supported", place(""), "A PATCH carries a JSON Patch in a Binary."))?;
        if binary.text_at("contentType").as_deref() != Some("application/json-patch+json") {
            let text = "The Binary of a PATCH has the type `application/json-patch+json`.";
            return Err(Problem::at("not-supported", place(".contentType"), text));
        }
        let base64: String = binary.text_at("data").unwrap_or_default().split_ascii_whitespace().collect();
        let bytes = base64::engine::general_purpose::STANDARD.decode(base64);
        bytes.map_err(|_| Problem::at("value", place(".data"), "A base64Binary is base64 (RFC 4648 section 4)."))
    }
}

/// Takes a Bundle apart. The shape of the Bundle itself is judged here, that of the resources inside is not.
///
/// # Errors
/// Every problem found, with its FHIRPath.
pub fn split(document: &Document) -> Result<(BundleKind, Vec<Entry>), Vec<Problem>> {
    let resource_type = shape::check_envelope(document)?;
    if resource_type != ResourceType::Bundle {
        let text = format!("A batch or transaction is a Bundle; here is a {resource_type}.");
        return Err(vec![Problem::at("invalid", "Bundle", text)]);
    }
    let root = document.root();
    let kind = match root.text_at("type").as_deref() {
        Some("batch") => BundleKind::Batch,
        Some("transaction") => BundleKind::Transaction,
        _ => return Err(vec![Problem::at("value", "Bundle.type", "The base takes Bundles of type `batch` or `transaction`.")]),
    };
    let mut problems = Vec::new();
    let mut entries = Vec::new();
    let mut urls = HashMap::new();
    for (index, element) in root.get("entry").into_iter().flat_map(Element::items).enumerate() {
        match entry(index, element) {
            Ok(entry) => {
                problems.extend(repeated(&entry, &mut urls));
                entries.push(entry);
            }
            Err(problem) => problems.push(problem),
        }
        if problems.len() >= shape::MAX_PROBLEMS {
            break;
        }
    }
    if problems.is_empty() { Ok((kind, entries)) } else { Err(problems) }
}

/// Two resources must not have one `fullUrl`: a reference to it would have two meanings.
fn repeated(entry: &Entry, urls: &mut HashMap<String, usize>) -> Option<Problem> {
    let url = entry.full_url.clone().filter(|_| entry.resource.is_some())?;
    let first = urls.insert(url, entry.index)?;
    let text = format!("`Bundle.entry[{first}]` has the same fullUrl.");
    Some(Problem::at("duplicate", format!("Bundle.entry[{}].fullUrl", entry.index), text))
}

fn entry(index: usize, element: Element<'_>) -> Result<Entry, Problem> {
    let place = |below: &str| format!("Bundle.entry[{index}]{below}");
    let missing = |below: &str, what: &str| Problem::at("required", place(below), format!("{what} is missing."));
    let request = element.get("request").ok_or_else(|| missing("", "`request`"))?;
    let text = |name: &str| request.text_at(name).map(std::borrow::Cow::into_owned);
    let method = text("method").ok_or_else(|| missing(".request", "`method`"))?;
    let method = Method::parse(&method).ok_or_else(|| {
        Problem::at("value", place(".request.method"), "The methods are GET, HEAD, POST, PUT, PATCH and DELETE.")
    })?;
    let url = text("url").ok_or_else(|| missing(".request", "`url`"))?;
    let resource = element.get("resource");
    let carries = matches!(method, Method::Post | Method::Put | Method::Patch);
    match resource {
        None if carries => return Err(missing("", &format!("`resource`, which a {} needs,", method.name()))),
        Some(_) if !carries => {
            let text = format!("A {} carries no resource.", method.name());
            return Err(Problem::at("invalid", place(".resource"), text));
        }
        Some(resource) if resource.kind() != Kind::Object => {
            return Err(Problem::at("structure", place(".resource"), "A resource is a JSON object."));
        }
        Some(resource) if is_nested(resource, &url) => {
            let text = "A Bundle inside a batch or transaction can be stored at `Bundle`; it is not carried out.";
            return Err(Problem::at("not-supported", place(".resource"), text));
        }
        _ => {}
    }
    Ok(Entry {
        index,
        full_url: element.text_at("fullUrl").map(std::borrow::Cow::into_owned),
        method,
        url,
        if_match: text("ifMatch"),
        if_none_match: text("ifNoneMatch"),
        if_modified_since: text("ifModifiedSince"),
        if_none_exist: text("ifNoneExist"),
        resource: resource.map(Document::from_element),
    })
}

/// Whether the resource is a Bundle that goes anywhere but to the store of Bundles.
fn is_nested(resource: Element<'_>, url: &str) -> bool {
    let target = url.split(['/', '?']).next().unwrap_or("");
    resource.text_at("resourceType").as_deref() == Some("Bundle") && target != "Bundle"
}

#[cfg(test)]
mod tests {
    use super::{BundleKind, Entry, split};
    use crate::fhir::json::Document;
    use crate::fhir::{Method, Problem};

    fn parts(kind: &str, entries: &str) -> Result<(BundleKind, Vec<Entry>), Vec<Problem>> {
        let text = format!(r#"{{"resourceType":"Bundle","type":"{kind}","entry":[{entries}]}}"#);
        split(&Document::parse(text.as_bytes()).unwrap())
    }

    fn refused(entries: &str) -> Vec<String> {
        parts("transaction", entries).unwrap_err().into_iter().map(|problem| problem.expression.unwrap()).collect()
    }

    #[test]
    fn entries_come_with_their_conditions_and_their_resource_alone() {
        let post = r#"{"fullUrl":"urn:uuid:a","resource":{"resourceType":"Patient","x":[1.50]},"request":{"method":"POST","url":"Patient","ifNoneExist":"identifier=1"}}"#;
        let get = r#"{"request":{"method":"GET","url":"Patient?name=a","ifNoneMatch":"W/\"1\""}}"#;
        let (kind, entries) = parts("batch", &format!("{post},{get}")).unwrap();
        assert_eq!((kind, entries.len()), (BundleKind::Batch, 2));
        assert_eq!(entries[0].resource.as_ref().unwrap().text(), r#"{"resourceType":"Patient","x":[1.50]}"#);
        assert_eq!((entries[0].method, entries[0].url.as_str()), (Method::Post, "Patient"));
        assert_eq!(entries[0].if_none_exist.as_deref(), Some("identifier=1"));
        assert_eq!(entries[0].full_url.as_deref(), Some("urn:uuid:a"));
        assert_eq!((entries[1].index, entries[1].if_none_match.as_deref()), (1, Some("W/\"1\"")));
        assert!(entries[1].resource.is_none());
    }

    #[test]
    fn other_resources_and_other_kinds_of_bundles_are_refused() {
        assert_eq!(parts("searchset", "{\"fullUrl\":\"u:x\"}").unwrap_err()[0].expression.as_deref(), Some("Bundle.type"));
        assert!(split(&Document::parse(br#"{"resourceType":"Patient"}"#).unwrap()).is_err());
        assert!(split(&Document::parse(br#"{"resourceType":"Bundle"}"#).unwrap()).is_err());
        assert!(split(&Document::parse(br#"{"resourceType":"Bundle","type":"batch"}"#).unwrap()).unwrap().1.is_empty());
    }

    #[test]
    fn what_an_entry_lacks_or_has_too_much_is_told_for_all_entries_at_once() {
        let entries = concat!(
            r#"{"fullUrl":"urn:a"},{"request":{"method":"POST","url":"Patient"}},"#,
            r#"{"request":{"method":"GET","url":"Patient"},"resource":{"resourceType":"Patient"}},"#,
            r#"{"request":{"method":"TRACE","url":"Patient"}},{"request":{"method":"GET"}}"#
        );
        let expected = [
            "Bundle.entry[0]",
            "Bundle.entry[1]",
            "Bundle.entry[2].resource",
            "Bundle.entry[3].request.method",
            "Bundle.entry[4].request",
        ];
        assert_eq!(refused(entries), expected);
        assert_eq!(refused(r#"{"requets":{}}"#), ["Bundle.entry[0].requets"]);
    }

    #[test]
    fn one_full_url_names_one_resource() {
        let post =
            r#"{"fullUrl":"urn:uuid:a","resource":{"resourceType":"Patient"},"request":{"method":"POST","url":"Patient"}}"#;
        assert_eq!(refused(&format!("{post},{post}")), ["Bundle.entry[1].fullUrl"]);
    }

    #[test]
    fn a_patch_is_the_content_of_a_binary() {
        let entry = |resource: &str| {
            let text = format!(r#"{{"resource":{{{resource}}},"request":{{"method":"PATCH","url":"Patient/1"}}}}"#);
            parts("transaction", &text).unwrap().1.remove(0)
        };
        let body = |content: &str, base64: &str| {
            entry(&format!(r#""resourceType":"Binary","contentType":"{content}","data":"{base64}""#)).patch_body()
        };
        assert_eq!(body("application/json-patch+json", "W10=").unwrap(), b"[]");
        assert_eq!(body("text/plain", "W10=").unwrap_err().expression.unwrap(), "Bundle.entry[0].resource.contentType");
        assert_eq!(body("application/json-patch+json", "W1").unwrap_err().expression.unwrap(), "Bundle.entry[0].resource.data");
        assert!(entry(r#""resourceType":"Parameters""#).patch_body().is_err());
    }

    #[test]
    fn a_bundle_inside_is_stored_but_not_carried_out() {
        let inner = |url: &str| {
            format!(r#"{{"resource":{{"resourceType":"Bundle","type":"batch"}},"request":{{"method":"POST","url":"{url}"}}}}"#)
        };
        assert!(parts("batch", &inner("Bundle")).is_ok());
        assert_eq!(refused(&inner("/")), ["Bundle.entry[0].resource"]);
    }
}
