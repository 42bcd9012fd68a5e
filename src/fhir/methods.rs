//! Which methods there are at an address.

use super::ResourceType;
use super::route::operation;

const READ: &str = "GET, HEAD, OPTIONS";
const READ_AND_POST: &str = "GET, HEAD, POST, OPTIONS";
const ANY: &str = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";

/// The methods that exist at a raw path below the base, for `Allow`. The trail can be read, and added to, never changed.
pub fn methods(path: &str) -> &'static str {
    let all: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    if let Ok(Some((row, _))) = operation(&all) {
        return if row.reads { READ_AND_POST } else { "POST, OPTIONS" };
    }
    let mut segments = path.split('/').filter(|segment| !segment.is_empty());
    let trail = ResourceType::AuditEvent.name();
    match [segments.next(), segments.next(), segments.next(), segments.next(), segments.next()] {
        [None, ..] => READ_AND_POST,
        [Some("_search"), None, ..]
        | [Some(_), Some("_search"), None, ..]
        | [Some(_), Some(_), Some(_), Some("_search"), None] => "POST, OPTIONS",
        [Some("metadata" | "_history"), None, ..] | [Some(_), Some("_history"), None, ..] | [Some(_), Some(_), Some(_), ..] => {
            READ
        }
        [Some(one), None, ..] if one == trail => READ_AND_POST,
        [Some(one), Some(_), None, ..] if one == trail => READ,
        [Some(_), None, ..] => ANY,
        [Some(_), Some(_), None, ..] => "GET, HEAD, PUT, PATCH, DELETE, OPTIONS",
    }
}

#[cfg(test)]
mod tests {
    use super::{ANY, READ, READ_AND_POST, methods};
    use crate::fhir::{Headers, Instant, Method, Refusal, Request, RouteOptions, interaction};

    #[test]
    fn each_path_tells_its_methods() {
        for (path, told) in [
            ("", READ_AND_POST),
            ("/", READ_AND_POST),
            ("metadata", READ),
            ("_history", READ),
            ("Patient/_history", READ),
            ("Patient/p1/_history", READ),
            ("Patient/p1/_history/2", READ),
            ("Patient/p1/Observation", READ),
            ("_search", "POST, OPTIONS"),
            ("Patient/_search", "POST, OPTIONS"),
            ("Patient/p1/Observation/_search", "POST, OPTIONS"),
            ("Patient", ANY),
            ("AuditEvent", READ_AND_POST),
            ("Patient/p1", "GET, HEAD, PUT, PATCH, DELETE, OPTIONS"),
            ("AuditEvent/a1", READ),
        ] {
            assert_eq!(methods(path), told, "{path}");
        }
    }

    #[test]
    fn no_method_that_is_told_is_refused_as_unknown_and_the_others_are() {
        let options =
            RouteOptions { base: "https://fhir.example", now: Instant(0), max_count: 10, known: &crate::fhir::search::STANDARD };
        for path in [
            "",
            "metadata",
            "_history",
            "Patient",
            "Patient/p1",
            "Patient/_search",
            "Patient/p1/_history/1",
            "Patient/p1/Observation",
        ] {
            for method in [Method::Get, Method::Head, Method::Post, Method::Put, Method::Patch, Method::Delete] {
                let (query, headers) = ("_id=a".to_owned(), Headers::default());
                let request = Request { method, path: path.to_owned(), query, form: None, headers };
                let refused = matches!(interaction(&request, &options), Err(Refusal::MethodNotAllowed(_)));
                let told = methods(path).split(", ").any(|one| one == method.name());
                assert_eq!(refused, !told, "{} {path}", method.name());
            }
        }
    }
}
