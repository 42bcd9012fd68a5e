//! Logical ids, and the address of a record.

use super::ResourceType;
use std::fmt;
use std::sync::Arc;

/// A logical id: 1 to 64 characters of `[A-Za-z0-9\-.]` (R4 datatypes, `id`). `.` and `..` are none: no address can hold them, since whoever
/// reads one takes them for steps in it (RFC 3986 § 5.2.4).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(Arc<str>);

impl Id {
    /// The id, when the text has the form of one.
    pub fn parse(text: &str) -> Option<Self> {
        let fits = !text.is_empty() && text.len() <= 64 && !matches!(text, "." | "..");
        let legal = text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.');
        (fits && legal).then(|| Self(Arc::from(text)))
    }

    /// A new random id. It carries no meaning (no time, no order), so it tells nothing about other records.
    pub fn random() -> Self {
        Self(Arc::from(uuid::Uuid::new_v4().to_string()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The address of a record: `Type/id`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// The type.
    pub resource_type: ResourceType,
    /// The logical id.
    pub id: Id,
}

impl Key {
    /// The address with these parts.
    pub fn new(resource_type: ResourceType, id: Id) -> Self {
        Self { resource_type, id }
    }

    /// Reads `Type/id`, nothing before and nothing behind.
    pub fn parse(text: &str) -> Option<Self> {
        let (name, id) = text.split_once('/')?;
        Some(Self { resource_type: ResourceType::parse(name)?, id: Id::parse(id)? })
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.resource_type, self.id)
    }
}

/// A version of a record: 1, 2, 3, ... as it stands in `meta.versionId` and in `ETag: W/"n"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(pub i64);

impl Version {
    /// The first version of a record.
    pub const FIRST: Self = Self(1);

    /// The version behind the text of a `versionId` or of a weak or strong entity tag.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let text = text.strip_prefix("W/").unwrap_or(text);
        let text = text.strip_prefix('"').and_then(|t| t.strip_suffix('"')).unwrap_or(text);
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) && !text.starts_with('0');
        digits.then(|| text.parse().ok().map(Self)).flatten()
    }

    /// The version that follows.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// The entity tag of this version, `W/"n"`.
    pub fn etag(self) -> String {
        format!("W/\"{}\"", self.0)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::{Id, Key, Version};

    #[test]
    fn ids_follow_the_grammar() {
        assert!(Id::parse("a-1.B").is_some());
        assert!(Id::parse(&"x".repeat(64)).is_some());
        for bad in ["", "a b", "a/b", "a_b", "é"] {
            assert!(Id::parse(bad).is_none(), "{bad}");
        }
        assert!(Id::parse(&"x".repeat(65)).is_none());
    }

    #[test]
    fn keys_read_what_they_write() {
        let key = Key::parse("Patient/p1");
        assert_eq!(key.map(|k| k.to_string()).as_deref(), Some("Patient/p1"));
        assert!(Key::parse("Patient").is_none() && Key::parse("Patient/p1/x").is_none() && Key::parse("/p1").is_none());
    }

    #[test]
    fn versions_read_tags_of_both_strengths() {
        for text in ["3", "\"3\"", "W/\"3\""] {
            assert_eq!(Version::parse(text), Some(Version(3)));
        }
        for bad in ["", "0", "03", "-1", "x", "W/3\""] {
            assert_eq!(Version::parse(bad), None, "{bad}");
        }
    }
}
