//! A document that can be changed: only the way to a change is taken apart, the rest stays the text that it is.

use super::pointer::position;
use crate::fhir::json::{Element, Kind, quote, unquote};
use std::borrow::Cow;

/// A value under change.
#[derive(Debug, Clone)]
pub(super) enum Tree<'d> {
    /// As in the document that it came from.
    Untouched(Element<'d>),
    Object(Vec<Field<'d>>),
    Array(Vec<Tree<'d>>),
}

/// A member: its name as a literal without quotes, and its value.
#[derive(Debug, Clone)]
pub(super) struct Field<'d> {
    literal: Cow<'d, str>,
    pub(super) value: Tree<'d>,
}

impl<'d> Field<'d> {
    pub(super) fn new(name: &str, value: Tree<'d>) -> Self {
        let mut literal = quote(name);
        literal.pop();
        literal.remove(0);
        Self { literal: Cow::Owned(literal), value }
    }

    pub(super) fn name(&self) -> Cow<'_, str> {
        unquote(&self.literal)
    }
}

impl<'d> Tree<'d> {
    /// Takes an object or list one level apart, so that it can be changed.
    pub(super) fn open(&mut self) {
        let Self::Untouched(element) = *self else { return };
        match element.kind() {
            Kind::Object => {
                let field =
                    |value: Element<'d>| Field { literal: Cow::Borrowed(value.raw_name()), value: Tree::Untouched(value) };
                *self = Self::Object(element.members().map(|(_, value)| field(value)).collect());
            }
            Kind::Array => *self = Self::Array(element.items().map(Tree::Untouched).collect()),
            _ => {}
        }
    }

    /// The value that a step leads to.
    pub(super) fn step(&mut self, step: &str) -> Option<&mut Tree<'d>> {
        self.open();
        match self {
            Self::Object(fields) => fields.iter_mut().find(|field| field.name() == step).map(|field| &mut field.value),
            Self::Array(items) => position(step).and_then(|at| items.get_mut(at)),
            Self::Untouched(_) => None,
        }
    }

    /// The value at the end of several steps.
    pub(super) fn walk(&mut self, steps: &[String]) -> Option<&mut Tree<'d>> {
        let mut tree = self;
        for step in steps {
            tree = tree.step(step)?;
        }
        Some(tree)
    }

    /// Bytes of the text.
    pub(super) fn weight(&self) -> usize {
        match self {
            Self::Untouched(element) => element.raw().len(),
            Self::Object(fields) => fields.iter().map(|field| field.literal.len() + 4 + field.value.weight()).sum::<usize>() + 2,
            Self::Array(items) => items.iter().map(|item| item.weight() + 1).sum::<usize>() + 2,
        }
    }

    /// How deep it nests: 0 for a string, 1 for a list of strings.
    pub(super) fn height(&self) -> usize {
        match self {
            Self::Untouched(element) => height(*element),
            Self::Object(fields) => 1 + fields.iter().map(|field| field.value.height()).max().unwrap_or(0),
            Self::Array(items) => 1 + items.iter().map(Self::height).max().unwrap_or(0),
        }
    }

    /// Appends the text.
    pub(super) fn write(&self, out: &mut String) {
        match self {
            Self::Untouched(element) => out.push_str(element.raw()),
            Self::Object(fields) => {
                out.push('{');
                for (index, field) in fields.iter().enumerate() {
                    out.push_str(if index > 0 { ",\"" } else { "\"" });
                    out.push_str(&field.literal);
                    out.push_str("\":");
                    field.value.write(out);
                }
                out.push('}');
            }
            Self::Array(items) => {
                out.push('[');
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    item.write(out);
                }
                out.push(']');
            }
        }
    }
}

fn height(element: Element<'_>) -> usize {
    match element.kind() {
        Kind::Object => 1 + element.members().map(|(_, value)| height(value)).max().unwrap_or(0),
        Kind::Array => 1 + element.items().map(height).max().unwrap_or(0),
        _ => 0,
    }
}
