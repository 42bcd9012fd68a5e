//! What a request says, before anybody has an opinion about it.

use super::Instant;
use std::borrow::Cow;

/// The methods that the FHIR API knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Method {
    /// `GET`
    Get,
    /// `HEAD`: a GET whose body is not sent.
    Head,
    /// `POST`
    Post,
    /// `PUT`
    Put,
    /// `PATCH`
    Patch,
    /// `DELETE`
    Delete,
}

impl Method {
    /// The method of this exact name.
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "GET" => Self::Get,
            "HEAD" => Self::Head,
            "POST" => Self::Post,
            "PUT" => Self::Put,
            "PATCH" => Self::Patch,
            "DELETE" => Self::Delete,
            _ => return None,
        })
    }

    /// The name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

/// `Prefer: return=` (RFC 7240, R4 http § 3.1.0.1.8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Return {
    /// The record.
    #[default]
    Representation,
    /// No body.
    Minimal,
    /// An OperationOutcome.
    OperationOutcome,
}

/// The headers that an interaction may depend on. Absent is `None`.
#[derive(Debug, Clone, Default)]
pub struct Headers {
    /// `If-Match`
    pub if_match: Option<String>,
    /// `If-None-Match`
    pub if_none_match: Option<String>,
    /// `If-Modified-Since`
    pub if_modified_since: Option<Instant>,
    /// `If-None-Exist`: a search query.
    pub if_none_exist: Option<String>,
    /// `Prefer: return=`
    pub prefer_return: Option<Return>,
    /// `Prefer: handling=lenient`
    pub lenient: bool,
    /// `Accept`
    pub accept: Option<String>,
    /// `Content-Type` without parameters, in lower case.
    pub content_type: Option<String>,
    /// `DPoP`: a proof that the caller has the key that the token is bound to.
    pub proof: Option<String>,
    /// `X-Purpose-Of-Use`: some of the token's purposes, separated by commas.
    pub purposes: Option<String>,
}

/// A request of the FHIR API, without its body.
#[derive(Debug, Clone)]
pub struct Request {
    /// Method.
    pub method: Method,
    /// Path below the FHIR base, without leading slash, still percent-encoded: `Patient/p1/_history`.
    pub path: String,
    /// The raw query string, without `?`.
    pub query: String,
    /// The raw body of a `POST .../_search` form; it counts as part of the query.
    pub form: Option<String>,
    /// Headers.
    pub headers: Headers,
}

impl Request {
    /// A GET of this path and query (`Patient?name=x`), without headers.
    pub fn get(place: &str) -> Self {
        let (path, query) = place.split_once('?').unwrap_or((place, ""));
        let (path, query) = (path.to_owned(), query.to_owned());
        Self { method: Method::Get, path, query, form: None, headers: Headers::default() }
    }
}

/// How an answer is to be written: `_format`, `_pretty`, `_summary`, `_elements`, `Prefer`, HEAD.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rendering {
    /// Indent.
    pub pretty: bool,
    /// `_summary`, when other than `false`.
    pub summary: Option<Summary>,
    /// `_elements`: names of top-level elements; empty means all.
    pub elements: Vec<String>,
    /// `Prefer: return=`, when the caller named one.
    pub prefer: Option<Return>,
}

/// `_summary` (R4 search § 3.1.1.5.8).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Summary {
    /// Elements marked as summary.
    True,
    /// `text`, `id`, `meta` and mandatory top-level elements.
    Text,
    /// Everything but `text`.
    Data,
    /// The count alone.
    Count,
}

/// Splits a query string or form into decoded pairs, in order, repetitions kept.
///
/// # Errors
/// The raw pair that is not valid percent-encoded UTF-8.
pub fn pairs(query: &str) -> Result<Vec<(String, String)>, String> {
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            match (decode(name), decode(value)) {
                (Some(name), Some(value)) => Ok((name.into_owned(), value.into_owned())),
                _ => Err(pair.to_owned()),
            }
        })
        .collect()
}

/// Whether a parameter has a value. One without says nothing, and a search goes on as if it were not there: forms send the fields that were
/// left blank, too (R4 search § 3.1.1.1). Where a parameter decides which record is changed or meant, saying nothing is a mistake instead.
pub fn has_value((_, value): &(String, String)) -> bool {
    !value.trim().is_empty()
}

/// Resolves `+` and `%XX`. `None` when an escape is broken, or the result is not UTF-8 or holds NUL.
pub fn decode(text: &str) -> Option<Cow<'_, str>> {
    if !text.bytes().any(|b| b == b'%' || b == b'+') {
        return Some(Cow::Borrowed(text));
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        rest = tail;
        match first {
            b'+' => bytes.push(b' '),
            b'%' => {
                let (hex, tail) = rest.split_at_checked(2)?;
                let hex = std::str::from_utf8(hex).ok().filter(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()))?;
                bytes.push(u8::from_str_radix(hex, 16).ok()?);
                rest = tail;
            }
            other => bytes.push(other),
        }
    }
    String::from_utf8(bytes).ok().filter(|text| !text.contains('\0')).map(Cow::Owned)
}

/// Writes a text so that it can stand in a query value.
pub fn encode(text: &str) -> String {
    use std::fmt::Write as _;
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b':' | b'/' | b'|' | b',' | b'$' | b'*' => {
                out.push(char::from(byte));
            }
            other => drop(write!(out, "%{other:02X}")),
        }
    }
    out
}
