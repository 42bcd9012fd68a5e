//! A request built step by step, sent on a connection of its own, and the answer to the byte.

use super::Server;
use serde_json::Value;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

/// A request that is put together.
#[must_use]
pub(crate) struct Call<'s> {
    server: &'s Server,
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl<'s> Call<'s> {
    /// `path` below the FHIR base, or from the root when it begins with a slash. What a request line cannot hold is escaped.
    pub(super) fn new(server: &'s Server, method: &str, path: &str) -> Self {
        let path = path.replace(' ', "%20").replace('|', "%7C").replace('"', "%22");
        let target = match path.as_str() {
            "" => "/fhir".to_owned(),
            query if query.starts_with('?') => format!("/fhir{query}"),
            root if root.starts_with('/') => root.to_owned(),
            below => format!("/fhir/{below}"),
        };
        Self { server, method: method.to_owned(), target, headers: Vec::new(), body: Vec::new() }
    }

    /// With a bearer token; the empty one is none at all.
    pub(crate) fn token(self, token: &str) -> Self {
        if token.is_empty() { self } else { self.header("Authorization", &format!("Bearer {token}")) }
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A body of FHIR JSON (of JSON Patch, when the method is PATCH).
    pub(crate) fn json(self, body: &Value) -> Self {
        let kind = if self.method == "PATCH" { "application/json-patch+json" } else { "application/fhir+json" };
        self.body(kind, body.to_string())
    }

    /// The body of a `_search` or of the token endpoint.
    pub(crate) fn form(self, body: &str) -> Self {
        self.body("application/x-www-form-urlencoded", body)
    }

    pub(crate) fn body(mut self, kind: &str, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self.header("Content-Type", kind)
    }

    pub(crate) fn send(self) -> Reply {
        let mut head = format!("{} {} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n", self.method, self.target);
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if !self.body.is_empty() || matches!(self.method.as_str(), "POST" | "PUT" | "PATCH") {
            head.push_str(&format!("Content-Length: {}\r\n", self.body.len()));
        }
        head.push_str("\r\n");
        let mut stream = TcpStream::connect(self.server.address()).unwrap();
        stream.set_read_timeout(Some(Duration::from_mins(2))).unwrap();
        // The server may answer and close before all was written.
        drop(stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&self.body)));
        let mut bytes = Vec::new();
        drop(stream.read_to_end(&mut bytes));
        let reply = Reply::read(&bytes).unwrap_or_else(|| panic!("no answer to {} {}", self.method, self.target));
        self.server.coverage.note(&reply);
        reply
    }
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    /// Names in lower case, in the order in which they came.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    fn read(bytes: &[u8]) -> Option<Self> {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
        let head = std::str::from_utf8(&bytes[..end]).ok()?;
        let mut lines = head.lines();
        let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
        let headers = lines.filter_map(|line| line.split_once(": "));
        let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect();
        Some(Self { status, headers, body: bytes[end + 4..].to_vec() })
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub(crate) fn request_id(&self) -> &str {
        self.header("x-request-id").unwrap()
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in {:?}", self.text()))
    }

    /// The gateway's own code of the first issue.
    pub(crate) fn code(&self) -> String {
        self.json()["issue"][0]["details"]["coding"][0]["code"].as_str().unwrap_or_default().to_owned()
    }

    /// This status, or the test ends with the answer in its message.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", String::from_utf8_lossy(&self.body));
        self
    }

    /// `Type/id` of every entry of a Bundle with a resource, in order.
    pub(crate) fn keys(&self) -> Vec<String> {
        let bundle = self.json();
        let entries = bundle["entry"].as_array().cloned().unwrap_or_default();
        let key = |entry: &Value| {
            let record = &entry["resource"];
            Some(format!("{}/{}", record["resourceType"].as_str()?, record["id"].as_str()?))
        };
        entries.iter().filter_map(key).collect()
    }

    /// The `next` link, as a path that can be asked for.
    pub(crate) fn next(&self) -> Option<String> {
        let bundle = self.json();
        let link = bundle["link"].as_array()?.iter().find(|link| link["relation"] == "next")?.clone();
        Some(link["url"].as_str()?.strip_prefix(super::BASE)?.to_owned())
    }

    /// Everything that the caller can see, but for what differs between any two requests: request id, date, and the sealed links
    /// and moments of a Bundle.
    pub(crate) fn masked(&self) -> String {
        let mut out = format!("{}\n", self.status);
        let mut headers: Vec<_> = self.headers.iter().collect();
        headers.sort();
        for (name, value) in headers {
            let value = if matches!(name.as_str(), "x-request-id" | "date") { "*" } else { value };
            out.push_str(&format!("{name}: {value}\n"));
        }
        out.push_str(&mask_links(self.text()).replace(self.request_id(), "*"));
        out
    }
}

/// Replaces what follows `_page=` up to the quote.
fn mask_links(text: &str) -> String {
    let mut parts = text.split("_page=");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find('"').unwrap_or(part.len());
        out.push_str("_page=*");
        out.push_str(&part[end..]);
    }
    out
}
