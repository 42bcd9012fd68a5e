//! Documents made of documents, without parsing again.

use super::document::{Document, Element, Kind, Node};
use super::strings::quote_into;

impl Document {
    /// The value at `element` as a document of its own.
    pub fn from_element(element: Element<'_>) -> Self {
        let (base, first) = (at(element.span().start), element.node);
        let end = element.document.node(first).map_or(first, |node| node.next);
        let below = element.document.nodes.get(first as usize..end as usize).unwrap_or_default();
        let shift = |(from, to): (u32, u32)| (from.saturating_sub(base), to.saturating_sub(base));
        let moved = |node: &Node| Node { kind: node.kind, key: shift(node.key), span: shift(node.span), next: node.next - first };
        let mut nodes: Vec<Node> = below.iter().map(moved).collect();
        if let Some(root) = nodes.first_mut() {
            root.key = (0, 0);
        }
        Self { text: element.raw().to_owned(), nodes }
    }

    /// This document with some of its strings replaced; every other byte stays. Elements that are no strings are left alone.
    #[must_use]
    pub fn with_strings(&self, replacements: &[(Element<'_>, String)]) -> Self {
        let strings = replacements.iter().filter(|(element, _)| element.kind() == Kind::String);
        let mut edits: Vec<(u32, u32, &str)> =
            strings.map(|(element, new)| (at(element.span().start), at(element.span().end), new.as_str())).collect();
        edits.sort_unstable_by_key(|edit| edit.0);
        let mut text = String::with_capacity(self.text.len() + 32 * edits.len());
        let mut shifts = Vec::with_capacity(edits.len());
        let mut from = 0;
        for (start, end, new) in edits {
            text.push_str(self.slice((from, start)));
            quote_into(new, &mut text);
            shifts.push((end, i64::from(at(text.len())) - i64::from(end)));
            from = end;
        }
        text.push_str(self.slice((from, at(self.text.len()))));
        Self { text, nodes: self.nodes.iter().map(|node| shifted(node, &shifts)).collect() }
    }
}

/// The node with its places moved by the last edit that ends at or before them.
fn shifted(node: &Node, shifts: &[(u32, i64)]) -> Node {
    let shift = |place: u32| {
        let before = shifts.partition_point(|&(end, _)| end <= place);
        let by = before.checked_sub(1).and_then(|last| shifts.get(last)).map_or(0, |&(_, by)| by);
        u32::try_from(i64::from(place) + by).unwrap_or(u32::MAX)
    };
    let pair = |(from, to): (u32, u32)| (shift(from), shift(to));
    Node { kind: node.kind, key: pair(node.key), span: pair(node.span), next: node.next }
}

/// Places are 32 bits, as in the parser.
fn at(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use crate::fhir::json::{Document, Element};

    fn same_tree(a: Element<'_>, b: Element<'_>) {
        assert_eq!((a.kind(), a.raw(), a.name()), (b.kind(), b.raw(), b.name()));
        for ((_, a), (_, b)) in a.members().zip(b.members()) {
            same_tree(a, b);
        }
        for (a, b) in a.items().zip(b.items()) {
            same_tree(a, b);
        }
    }

    #[test]
    fn a_copy_of_an_element_is_what_parsing_its_text_gives() {
        let whole = Document::parse(br#"{"a":[1,{"b":"c","d":[true,null]}],"e":"f"}"#).unwrap();
        let inner = whole.root().get("a").unwrap().items().nth(1).unwrap();
        let copy = Document::from_element(inner);
        assert_eq!(copy.text(), r#"{"b":"c","d":[true,null]}"#);
        same_tree(copy.root(), Document::parse(copy.text().as_bytes()).unwrap().root());
    }

    #[test]
    fn replaced_strings_leave_a_tree_that_parsing_would_give() {
        let whole = Document::parse(br#"{"a":["x","y",1.50],"b":{"c":"longer than before","d":""}}"#).unwrap();
        let a: Vec<_> = whole.root().get("a").unwrap().items().collect();
        let c = whole.root().get("b").unwrap().get("c").unwrap();
        let changed = whole.with_strings(&[(c, "z".into()), (a[0], "\"quoted\"".into()), (a[2], "no string".into())]);
        assert_eq!(changed.text(), r#"{"a":["\"quoted\"","y",1.50],"b":{"c":"z","d":""}}"#);
        same_tree(changed.root(), Document::parse(changed.text().as_bytes()).unwrap().root());
    }
}
