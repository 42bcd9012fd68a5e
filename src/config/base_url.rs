//! The address under which the world knows the FHIR API. Links in answers come from it, never from `Host`.

use std::fmt;
use std::net::IpAddr;

/// `https://host[:port]/path`, without a slash at the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseUrl {
    text: String,
    origin: usize,
    host: (usize, usize),
}

impl BaseUrl {
    /// Reads it.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let scheme = ["https://", "http://"].into_iter().find(|scheme| text.starts_with(scheme));
        let scheme = scheme.ok_or("must begin with https:// (http:// on loopback only)")?;
        if text.bytes().any(|byte| !byte.is_ascii_graphic() || b"?#@\\%".contains(&byte)) {
            return Err("must be an address without user, query, fragment or escapes");
        }
        let rest = text.get(scheme.len()..).unwrap_or_default();
        let (authority, path) = rest.split_once('/').ok_or("needs a path, such as https://fhir.example/fhir")?;
        if path.is_empty() || path.ends_with('/') || path.split('/').any(|segment| matches!(segment, "" | "." | "..")) {
            return Err("needs a path without empty segments, such as https://fhir.example/fhir");
        }
        let host = match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((host, _)) => (scheme.len() + 1, host.len()),
            None => (scheme.len(), authority.split(':').next().unwrap_or_default().len()),
        };
        if host.1 == 0 {
            return Err("names no host");
        }
        Ok(Self { text: text.to_owned(), origin: scheme.len() + authority.len(), host })
    }

    /// All of it.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Scheme, host and port: `https://fhir.example:8443`.
    pub fn origin(&self) -> &str {
        self.text.get(..self.origin).unwrap_or_default()
    }

    /// The path, with the slash in front: `/fhir`.
    pub fn path(&self) -> &str {
        self.text.get(self.origin..).unwrap_or_default()
    }

    /// The host, an IPv6 address without brackets.
    pub fn host(&self) -> &str {
        self.text.get(self.host.0..self.host.0 + self.host.1).unwrap_or_default()
    }

    /// Whether partners must come by TLS.
    pub fn is_https(&self) -> bool {
        self.text.starts_with("https://")
    }

    /// Whether it names this computer.
    pub fn is_loopback(&self) -> bool {
        is_this_computer(self.host())
    }
}

/// Whether a host, an IPv6 address without brackets, is this computer itself.
pub(super) fn is_this_computer(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
