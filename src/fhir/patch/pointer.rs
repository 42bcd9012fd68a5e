//! JSON Pointer (RFC 6901).

/// A way to a value: names or positions from the root; none for the root itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pointer {
    text: String,
    steps: Vec<String>,
}

impl Pointer {
    /// Reads a pointer; `None` when it does not begin with `/` or has a `~` without `0` or `1` behind it.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let steps = match text.strip_prefix('/') {
            Some(rest) => rest.split('/').map(step).collect::<Option<Vec<_>>>()?,
            None if text.is_empty() => Vec::new(),
            None => return None,
        };
        Some(Self { text: text.to_owned(), steps })
    }

    /// As it was written.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn steps(&self) -> &[String] {
        &self.steps
    }

    /// Whether this one leads to something that holds what `other` leads to.
    pub(super) fn is_above(&self, other: &Self) -> bool {
        self.steps.len() < other.steps.len() && other.steps.starts_with(&self.steps)
    }
}

fn step(raw: &str) -> Option<String> {
    let mut parts = raw.split('~');
    let mut text = parts.next()?.to_owned();
    for part in parts {
        let (escaped, rest) =
            part.strip_prefix('0').map(|rest| ('~', rest)).or(part.strip_prefix('1').map(|rest| ('/', rest)))?;
        text.push(escaped);
        text.push_str(rest);
    }
    Some(text)
}

/// A position in a list: digits without a leading zero.
pub(super) fn position(step: &str) -> Option<usize> {
    let plain = step.bytes().all(|b| b.is_ascii_digit()) && (step == "0" || !step.starts_with('0'));
    plain.then(|| step.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::{Pointer, position};

    #[test]
    fn escapes_are_resolved_once() {
        assert_eq!(Pointer::parse("/a~1b/~01//m~0n").unwrap().steps(), ["a/b", "~1", "", "m~n"]);
        assert!(Pointer::parse("").unwrap().steps().is_empty());
        for bad in ["a", "/~", "/~2", "/a~"] {
            assert!(Pointer::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn positions_are_plain_digits() {
        assert_eq!(position("0"), Some(0));
        assert_eq!(position("10"), Some(10));
        for bad in ["", "01", "-1", "+1", "1e0", "-", "99999999999999999999"] {
            assert_eq!(position(bad), None, "{bad}");
        }
    }
}
