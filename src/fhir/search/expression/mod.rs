//! Search expressions, compiled to steps over the JSON tree.
//!
//! R4 writes the expressions of its parameters in a small part of FHIRPath: paths, unions, `where(x='y')`,
//! `where(resolve() is T)`, `(x as T)`, `.as(T)`, `.ofType(T)`, `.extension('url')`, `hasExtension('url')`, `[0]`, and one
//! `x.exists() and x != false`. Types are known when an expression is compiled, so a step names the JSON member to read.

mod compile;

pub(crate) use compile::{Elements, Types, compile};

use super::element_type::ElementType;
use super::reference::Inside;
use crate::fhir::ResourceType;
use crate::fhir::json::{Element, Kind};

/// A compiled expression.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Program {
    pub(crate) branches: Vec<Branch>,
    pub(crate) yields: Yields,
}

/// What the result of a program is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Yields {
    /// The elements that the branches reach.
    Elements,
    /// `x.exists() and x != false`: a boolean that says whether a branch reaches an element other than `false`.
    Presence,
}

/// One side of a union: a way from the root to elements.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Branch {
    /// True when it starts at the resource even inside a composite (`%resource`).
    pub(crate) from_resource: bool,
    pub(crate) steps: Vec<Step>,
}

/// One step of a way.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Step {
    /// The member of this name, which has elements of this type.
    Member(String, ElementType),
    /// Whichever of these members is there: a choice element.
    Choice(Vec<(String, ElementType)>),
    /// Only the first of what was reached.
    First,
    /// Only those whose member has this text.
    Where(String, String),
    /// Only references to this type.
    Refers(ResourceType),
    /// The values of the extensions with this URL.
    Extension(String),
    /// Only those that have an extension with this URL.
    HasExtension(String),
}

/// An element that a program reached, with its type.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reached<'d> {
    pub(crate) element: Element<'d>,
    pub(crate) element_type: ElementType,
}

impl Program {
    /// Calls `take` with each element reached from `context`. `resource` is where `%resource` starts; `inside` is what its record contains.
    pub(crate) fn each<'d>(
        &self,
        inside: &Inside,
        resource: Element<'d>,
        context: Element<'d>,
        take: &mut dyn FnMut(Reached<'d>),
    ) {
        for branch in &self.branches {
            let start = if branch.from_resource { resource } else { context };
            branch.each(inside, start, take);
        }
    }
}

impl Program {
    /// Whether elements of type `string` are among what it reaches.
    pub(crate) fn reaches_texts(&self) -> bool {
        self.branches.iter().any(|branch| branch.steps.iter().rev().find_map(Step::reaches_texts) == Some(true))
    }
}

impl Branch {
    /// Calls `take` with each element reached from `start`.
    pub(crate) fn each<'d>(&self, inside: &Inside, start: Element<'d>, take: &mut dyn FnMut(Reached<'d>)) {
        walk(inside, &self.steps, Reached { element: start, element_type: ElementType::Resource }, take);
    }
}

fn walk<'d>(inside: &Inside, steps: &[Step], at: Reached<'d>, take: &mut dyn FnMut(Reached<'d>)) {
    let Some((step, rest)) = steps.split_first() else {
        return take(at);
    };
    // `[0]` after a member means the first of its items, so the two are one move.
    let (rest, only_first) = match rest.split_first() {
        Some((Step::First, after)) => (after, true),
        _ => (rest, false),
    };
    let bound = if only_first { 1 } else { usize::MAX };
    let mut go = |value: Element<'d>, element_type: ElementType| {
        for item in value.flattened().filter(|item| item.kind() != Kind::Null).take(bound) {
            walk(inside, rest, Reached { element: item, element_type }, take);
        }
    };
    match step {
        Step::Member(name, element_type) => {
            if let Some(value) = at.element.get(name) {
                go(value, *element_type);
            }
        }
        Step::Choice(variants) => {
            for (name, value) in at.element.members() {
                if let Some((_, element_type)) = variants.iter().find(|(variant, _)| *variant == name) {
                    go(value, *element_type);
                }
            }
        }
        Step::Extension(url) => {
            for extension in extensions(at.element, url) {
                for (name, value) in extension.members() {
                    if let Some(suffix) = name.strip_prefix("value") {
                        go(value, ElementType::of_suffix(suffix));
                    }
                }
            }
        }
        condition => {
            if condition.holds(inside, at.element) {
                walk(inside, rest, at, take);
            }
        }
    }
}

impl Step {
    /// For the steps that lead on: whether to elements of type `string`.
    fn reaches_texts(&self) -> Option<bool> {
        match self {
            Self::Member(_, element_type) => Some(*element_type == ElementType::String),
            Self::Choice(variants) => Some(variants.iter().any(|(_, element_type)| *element_type == ElementType::String)),
            _ => None,
        }
    }

    /// For the steps that only let some elements pass: whether this one does.
    fn holds(&self, inside: &Inside, element: Element<'_>) -> bool {
        match self {
            Self::Where(name, text) => element.text_at(name).is_some_and(|found| found == text.as_str()),
            Self::Refers(resource_type) => refers_to(inside, element, *resource_type),
            Self::HasExtension(url) => extensions(element, url).next().is_some(),
            Self::First | Self::Member(..) | Self::Choice(_) | Self::Extension(_) => true,
        }
    }
}

fn extensions<'d>(element: Element<'d>, url: &str) -> impl Iterator<Item = Element<'d>> {
    let all = element.get("extension").into_iter().flat_map(Element::items);
    all.filter(move |extension| extension.text_at("url").is_some_and(|found| found == url))
}

/// `resolve() is T`, decided without resolving: by the type in the reference's text, of what is contained, or by its `type`. Nothing is
/// fetched.
fn refers_to(inside: &Inside, element: Element<'_>, wanted: ResourceType) -> bool {
    if let Some(resource_type) = element.text_at("resourceType") {
        return resource_type == wanted.name();
    }
    let text = element.text_at("reference").or_else(|| element.as_str());
    let named = text.as_deref().and_then(|text| type_in_reference(text).or_else(|| inside.type_of(text)));
    named.map_or_else(|| element.text_at("type").is_some_and(|name| name == wanted.name()), |found| found == wanted)
}

/// The type that stands before the id in `Type/id`, `http://.../Type/id` or either with `/_history/version`.
pub(crate) fn type_in_reference(text: &str) -> Option<ResourceType> {
    let text = text.split_once("/_history/").map_or(text, |(before, _)| before);
    let (before, _id) = text.rsplit_once('/')?;
    ResourceType::parse(before.rsplit_once('/').map_or(before, |(_, name)| name))
}
