//! What may differ between two answers that say the same: sealed links, and the ids that a gateway made up.

use super::case::Reply;
use std::collections::HashMap;
use std::fmt::Write as _;

/// Length of a UUID as text.
const UUID: usize = 36;

/// The ids that one gateway made up, each known by when it first appeared. Two gateways that say the same name them alike.
#[derive(Debug, Default)]
pub(super) struct Names(HashMap<String, usize>);

impl Names {
    /// Whether any appeared.
    pub(super) fn any(&self) -> bool {
        !self.0.is_empty()
    }

    /// The answer with made-up ids and sealed links replaced. How long a link is stays to be seen.
    pub(super) fn masked(&mut self, reply: &Reply) -> Reply {
        let headers = reply.headers.iter().map(|(name, value)| (name.clone(), self.named(value))).collect();
        Reply { status: reply.status, headers, body: self.named(&without_seals(&reply.body)) }
    }

    fn named(&mut self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, id, after)) = split_at_uuid(rest) {
            let known = self.0.len();
            let number = *self.0.entry(id.to_owned()).or_insert(known);
            out.push_str(before);
            let _ = write!(out, "made-{number}");
            rest = after;
        }
        out.push_str(rest);
        out
    }
}

/// The first UUID of a text, with what stands around it. Only a hyphen can be in the middle of one, so only there is looked closer.
fn split_at_uuid(text: &str) -> Option<(&str, &str, &str)> {
    let mut from = 0;
    while let Some(hyphen) = text.get(from..).and_then(|rest| rest.find('-')).map(|at| at + from) {
        let start = hyphen.saturating_sub(8);
        if let Some(id) = text.get(start..start + UUID).filter(|id| is_uuid(id)) {
            return Some((text.get(..start)?, id, text.get(start + UUID..)?));
        }
        from = hyphen + 1;
    }
    None
}

fn is_uuid(text: &str) -> bool {
    text.bytes().enumerate().all(|(at, byte)| match at {
        8 | 13 | 18 | 23 => byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    })
}

/// Replaces what is sealed in links by how long it is.
fn without_seals(text: &str) -> String {
    let mut parts = text.split("_page=");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (sealed, rest) = part.split_at(part.find('"').unwrap_or(part.len()));
        let _ = write!(out, "_page=sealed:{}{rest}", sealed.len());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{Names, Reply};

    fn reply(body: &str) -> Reply {
        Reply { status: 200, headers: vec![("Location".to_owned(), body.to_owned())], body: body.to_owned() }
    }

    #[test]
    fn made_up_ids_are_known_by_their_order_and_seals_by_their_length() {
        let (one, two) = ("3f2504e0-4f89-41d3-9a0c-0305e82c3301", "7d444840-9dc0-11d1-b245-5ffdce74fad2");
        let mut left = Names::default();
        let text = |a: &str, b: &str| format!("a-b {a}/{b} {a} _page=xyz\" 2026-01-01T00:00:00Z");
        let masked = left.masked(&reply(&text(one, two)));
        assert_eq!(masked.body, "a-b made-0/made-1 made-0 _page=sealed:3\" 2026-01-01T00:00:00Z");
        assert_eq!(left.masked(&reply(two)).body, "made-1", "it remembers");
        let mut right = Names::default();
        assert_eq!(right.masked(&reply(&text(two, one))), masked);
        assert_ne!(right.masked(&reply(&text(one, two))), masked);
    }
}
