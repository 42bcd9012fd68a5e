//! A parsed text and the way through it.

use super::strings::unquote;
use std::borrow::Cow;

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `{...}`
    Object,
    /// `[...]`
    Array,
    /// `"..."`
    String,
    /// A number, in the text that it was written in.
    Number,
    /// `true` or `false`
    Bool,
    /// `null`
    Null,
}

#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) kind: Kind,
    /// Span of the member name between its quotes; empty for items and the root.
    pub(super) key: (u32, u32),
    pub(super) span: (u32, u32),
    /// Index of the node behind this one and all below it.
    pub(super) next: u32,
}

/// A JSON text without white space between tokens, and its tree. Immutable.
#[derive(Debug, Clone, Default)]
pub struct Document {
    pub(super) text: String,
    pub(super) nodes: Vec<Node>,
}

impl Document {
    pub(super) fn new(text: String, nodes: Vec<Node>) -> Self {
        Self { text, nodes }
    }

    /// The whole text, compact.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The whole text, compact, given away.
    pub fn into_text(self) -> String {
        self.text
    }

    /// The value that the text consists of.
    pub fn root(&self) -> Element<'_> {
        Element { document: self, node: 0 }
    }

    /// A value in this document as one of its own.
    pub fn part(element: Element<'_>) -> Self {
        let Some(root) = element.document.node(element.node) else { return Self::default() };
        let from = root.span.0;
        let back = |(low, high): (u32, u32)| (low.saturating_sub(from), high.saturating_sub(from));
        let all = element.document.nodes.get(element.node as usize..root.next as usize).unwrap_or_default();
        let mut nodes: Vec<Node> = Vec::with_capacity(all.len());
        nodes.extend(all.iter().map(|node| Node {
            kind: node.kind,
            key: back(node.key),
            span: back(node.span),
            next: node.next - element.node,
        }));
        if let Some(root) = nodes.first_mut() {
            root.key = (0, 0);
        }
        Self { text: element.raw().to_owned(), nodes }
    }

    pub(super) fn node(&self, at: u32) -> Option<&Node> {
        self.nodes.get(at as usize)
    }

    pub(super) fn slice(&self, span: (u32, u32)) -> &str {
        self.text.get(span.0 as usize..span.1 as usize).unwrap_or("")
    }
}

/// A value inside a [`Document`].
#[derive(Debug, Clone, Copy)]
pub struct Element<'d> {
    pub(super) document: &'d Document,
    pub(super) node: u32,
}

impl<'d> Element<'d> {
    /// What it is.
    pub fn kind(self) -> Kind {
        self.document.node(self.node).map_or(Kind::Null, |node| node.kind)
    }

    /// The exact text of the value, compact; for a string with its quotes and escapes.
    pub fn raw(self) -> &'d str {
        self.document.node(self.node).map_or("null", |node| self.document.slice(node.span))
    }

    /// Where [`Element::raw`] lies in [`Document::text`].
    pub fn span(self) -> std::ops::Range<usize> {
        self.document.node(self.node).map_or(0..0, |node| node.span.0 as usize..node.span.1 as usize)
    }

    /// Where the whole member lies in [`Document::text`], from the quote before its name; for items and the root like [`Element::span`].
    pub fn member_span(self) -> std::ops::Range<usize> {
        let span = self.span();
        match self.document.node(self.node) {
            Some(node) if node.key.0 > 0 => node.key.0 as usize - 1..span.end,
            _ => span,
        }
    }

    /// The name as it stands between its quotes, escapes unresolved; empty for items and the root.
    pub fn raw_name(self) -> &'d str {
        self.document.node(self.node).map_or("", |node| self.document.slice(node.key))
    }

    /// The name under which an object holds this value, with escapes resolved; empty for items and the root.
    pub fn name(self) -> Cow<'d, str> {
        self.document.node(self.node).map_or(Cow::Borrowed(""), |node| unquote(self.document.slice(node.key)))
    }

    /// The member of this name, when this is an object that has it.
    pub fn get(self, name: &str) -> Option<Element<'d>> {
        self.children(Kind::Object).find(|member| stands_for(member.raw_name(), name))
    }

    /// The members in their order; none when this is no object.
    pub fn members(self) -> Members<'d> {
        Members(self.children(Kind::Object))
    }

    /// The items in their order; none when this is no array.
    pub fn items(self) -> Items<'d> {
        self.children(Kind::Array)
    }

    /// The items of an array, or the value itself when it is none: FHIRPath's view of a repeating element.
    pub fn flattened(self) -> Items<'d> {
        if self.kind() == Kind::Array {
            self.items()
        } else {
            let after = self.document.node(self.node).map_or(self.node, |node| node.next);
            Items { document: self.document, at: self.node, end: after }
        }
    }

    fn children(self, of: Kind) -> Items<'d> {
        let (at, end) = match self.document.node(self.node) {
            Some(node) if node.kind == of => (self.node + 1, node.next),
            _ => (self.node, self.node),
        };
        Items { document: self.document, at, end }
    }

    /// The text of a string, with escapes resolved.
    pub fn as_str(self) -> Option<Cow<'d, str>> {
        let node = self.document.node(self.node).filter(|node| node.kind == Kind::String)?;
        Some(unquote(self.document.slice((node.span.0 + 1, node.span.1 - 1))))
    }

    /// The digits of a number, as they were written.
    pub fn number_text(self) -> Option<&'d str> {
        (self.kind() == Kind::Number).then(|| self.raw())
    }

    /// `true` or `false`.
    pub fn as_bool(self) -> Option<bool> {
        (self.kind() == Kind::Bool).then(|| self.raw() == "true")
    }

    /// The text of the member of this name, when it is a string.
    pub fn text_at(self, name: &str) -> Option<Cow<'d, str>> {
        self.get(name).and_then(Element::as_str)
    }
}

/// Whether a name as it stands between its quotes is this name. An escape is longer than what it stands for, so that most names are told
/// apart by their length.
fn stands_for(raw: &str, name: &str) -> bool {
    raw == name || raw.len() > name.len() && raw.contains('\\') && unquote(raw) == name
}

/// The items of an array, in order.
#[derive(Debug, Clone)]
pub struct Items<'d> {
    document: &'d Document,
    at: u32,
    end: u32,
}

impl<'d> Iterator for Items<'d> {
    type Item = Element<'d>;

    fn next(&mut self) -> Option<Element<'d>> {
        if self.at >= self.end {
            return None;
        }
        let item = Element { document: self.document, node: self.at };
        self.at = self.document.node(self.at).map_or(self.end, |node| node.next);
        Some(item)
    }
}

/// The members of an object, in order.
#[derive(Debug, Clone)]
pub struct Members<'d>(Items<'d>);

impl<'d> Iterator for Members<'d> {
    type Item = (Cow<'d, str>, Element<'d>);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(|value| (value.name(), value))
    }
}
