//! One request of the self-test, as data that can be asked in this process, sent over the wire, and printed.

use crate::fhir::{Method, encode};
use std::fmt;

/// A request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// Method.
    pub method: Method,
    /// Below the FHIR base, as it travels: `Observation?code=x`.
    pub place: String,
    /// Conditions, by the name of the header.
    pub headers: Vec<(&'static str, String)>,
    /// The form of a `_search`.
    pub form: Option<String>,
    /// The content.
    pub body: Option<String>,
}

impl Case {
    /// A GET.
    pub(super) fn get(place: impl Into<String>) -> Self {
        Self::new(Method::Get, place)
    }

    pub(super) fn new(method: Method, place: impl Into<String>) -> Self {
        Self { method, place: place.into(), headers: Vec::new(), form: None, body: None }
    }

    pub(super) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(super) fn json(mut self, body: &serde_json::Value) -> Self {
        self.body = Some(body.to_string());
        self
    }

    /// What `Content-Type` says of the body.
    pub(super) fn content_type(&self) -> Option<&'static str> {
        match (self.method, &self.form, &self.body) {
            (_, Some(_), _) => Some("application/x-www-form-urlencoded"),
            (Method::Patch, _, Some(_)) => Some("application/json-patch+json"),
            (_, _, Some(_)) => Some("application/fhir+json"),
            _ => None,
        }
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method.name(), self.place)?;
        self.headers.iter().try_for_each(|(name, value)| write!(f, "\n{name}: {value}"))?;
        self.form.iter().chain(&self.body).try_for_each(|body| write!(f, "\n\n{body}"))
    }
}

/// A path with its query, of pairs not yet escaped.
pub(super) fn place(path: &str, pairs: &[(String, String)]) -> String {
    let query: Vec<String> = pairs.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
    if query.is_empty() { path.to_owned() } else { format!("{path}?{}", query.join("&")) }
}

/// What came back: everything that a caller can tell two answers apart by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// Headers that depend on the answer, in their order.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

impl Reply {
    /// The `next` link, as a place below this base.
    pub(super) fn next(&self, base: &str) -> Option<String> {
        let (_, rest) = self.body.split_once("{\"relation\":\"next\",\"url\":\"")?;
        let (url, _) = rest.split_once('"')?;
        url.strip_prefix(base).map(|place| place.trim_start_matches('/').to_owned())
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.status)?;
        self.headers.iter().try_for_each(|(name, value)| writeln!(f, "{name}: {value}"))?;
        f.write_str(&self.body)
    }
}
