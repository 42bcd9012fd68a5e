//! The walk over a record beside the shapes of its type.

use super::MAX_PROBLEMS;
use super::formats::{Fault, judge};
use super::place::Place;
use crate::fhir::definitions::{Content, Member, Primitive, Shape, resource, shape};
use crate::fhir::json::{Element, Kind};
use crate::fhir::{Problem, ResourceType};

/// A longer name is not worth the search for one like it.
const LONGEST_NAME: usize = 64;

/// What has been found so far.
pub(super) struct Walk {
    problems: Vec<Problem>,
    /// Whether to look into `Bundle.entry.resource`.
    entries: bool,
    /// Whether the walk is inside `contained`.
    contained: bool,
}

impl Walk {
    pub(super) fn new(entries: bool) -> Self {
        Self { problems: Vec::new(), entries, contained: false }
    }

    /// Judges a record from its root.
    pub(super) fn judge(mut self, root: Element<'_>) -> Result<ResourceType, Vec<Problem>> {
        let resource_type = self.resource(root, &Place::root("Resource"), true);
        match resource_type {
            Some(resource_type) if self.problems.is_empty() => Ok(resource_type),
            _ => Err(self.problems),
        }
    }

    fn say(&mut self, issue: &'static str, place: &Place<'_>, text: impl Into<String>) {
        if !self.full() {
            self.problems.push(Problem::at(issue, place.to_string(), text));
        }
    }

    fn full(&self) -> bool {
        self.problems.len() >= MAX_PROBLEMS
    }

    /// A resource of the type that it names itself; at the root its type begins the path.
    fn resource(&mut self, value: Element<'_>, place: &Place<'_>, root: bool) -> Option<ResourceType> {
        if value.kind() != Kind::Object {
            self.say("structure", place, format!("A resource is a JSON object; here is {}.", said(value.kind())));
            return None;
        }
        let Some(named) = value.get("resourceType") else {
            self.say("structure", place, "`resourceType` is missing.");
            return None;
        };
        let resource_type = named.as_str().and_then(|name| ResourceType::parse(&name));
        let Some((resource_type, shape)) = resource_type.and_then(|it| resource(it).map(|shape| (it, shape))) else {
            self.say("structure", &place.element("resourceType"), unknown_type(named));
            return None;
        };
        if root {
            self.object(value, shape, &Place::root(resource_type.name()));
        } else {
            self.object(value, shape, place);
        }
        Some(resource_type)
    }

    fn object(&mut self, object: Element<'_>, shape: &Shape, place: &Place<'_>) {
        if object.kind() != Kind::Object {
            self.say("structure", place, format!("An object in `{{}}` is expected; here is {}.", said(object.kind())));
            return;
        }
        let mut chosen: Vec<&Member> = Vec::new();
        let mut empty = true;
        for (name, value) in object.members() {
            empty = false;
            if self.full() {
                return;
            }
            if shape.is_resource() && name == "resourceType" {
                continue;
            }
            let plain = name.strip_prefix('_');
            match shape.member(plain.unwrap_or(&name)) {
                Some(member) if plain.is_none() => {
                    self.choose(&mut chosen, member, place);
                    self.values(object, member, value, place);
                }
                Some(member) if matches!(member.content(), Content::Primitive(_)) => {
                    self.choose(&mut chosen, member, place);
                    self.siblings(object, member, value, place);
                }
                _ => self.say("structure", &place.element(&name), unknown_element(shape, &name)),
            }
        }
        if empty {
            self.say("structure", place, "An object must not be empty; leave the element out instead.");
        } else if shape.path() == "Extension" && object.get("url").is_none() {
            self.say("required", place, "An extension needs its `url`.");
        }
    }

    /// Notes the type taken of a choice; two types at once are a problem.
    fn choose<'m>(&mut self, chosen: &mut Vec<&'m Member>, member: &'m Member, place: &Place<'_>) {
        if !member.is_choice() {
            return;
        }
        match chosen.iter().find(|other| other.element() == member.element()) {
            Some(other) if other.name() == member.name() => {}
            Some(other) => {
                let text = format!(
                    "`{}` and `{}` exclude each other: `{}` has one type.",
                    other.name(),
                    member.name(),
                    member.element()
                );
                self.say("structure", &place.element(member.element()), text);
            }
            None => chosen.push(member),
        }
    }

    fn values(&mut self, object: Element<'_>, member: &Member, value: Element<'_>, above: &Place<'_>) {
        let place = above.element(member.element());
        if !member.repeats() {
            return self.value(member, value, &place);
        }
        if value.kind() != Kind::Array {
            return self.say(
                "structure",
                &place,
                format!("It repeats, so a list in `[]` is expected; here is {}.", said(value.kind())),
            );
        }
        if value.items().next().is_none() {
            return self.say("structure", &place, "A list must not be empty; leave the element out instead.");
        }
        let primitive = matches!(member.content(), Content::Primitive(_));
        let mut siblings = primitive.then(|| object.get(&format!("_{}", member.name()))).flatten().map(Element::items);
        for (index, item) in value.items().enumerate() {
            let place = place.item(index);
            let sibling = siblings.as_mut().and_then(Iterator::next);
            if item.kind() == Kind::Null && primitive {
                if sibling.is_none_or(|sibling| sibling.kind() != Kind::Object) {
                    let text = format!("`null` may stand only where `_{}` has an object at the same position.", member.name());
                    self.say("structure", &place, text);
                }
            } else {
                self.value(member, item, &place);
            }
            if self.full() {
                return;
            }
        }
    }

    fn value(&mut self, member: &Member, value: Element<'_>, place: &Place<'_>) {
        match member.content() {
            Content::Primitive(primitive) => self.primitive(primitive, value, place),
            content @ Content::Complex(_) => match content.shape() {
                Some(shape) => self.object(value, shape, place),
                None => self.say("structure", place, "This element has no definition."),
            },
            Content::AnyResource => self.inner_resource(member, value, place),
        }
    }

    fn inner_resource(&mut self, member: &Member, value: Element<'_>, place: &Place<'_>) {
        if member.name() != "contained" {
            if self.entries {
                let outer = std::mem::replace(&mut self.contained, false);
                self.resource(value, place, false);
                self.contained = outer;
            }
        } else if self.contained {
            self.say("structure", place, "A contained resource must not contain others.");
        } else {
            self.contained = true;
            self.resource(value, place, false);
            self.contained = false;
        }
    }

    fn primitive(&mut self, primitive: Primitive, value: Element<'_>, place: &Place<'_>) {
        match judge(primitive, value) {
            Ok(()) => {}
            Err(Fault::Json(expected)) => {
                let text = format!("A {} is {expected}; here is {}.", primitive.name(), said(value.kind()));
                self.say("structure", place, text);
            }
            Err(Fault::Format(format)) => self.say("value", place, format!("A {} is {format}.", primitive.name())),
        }
    }

    /// `_name`: id and extensions of the primitive `name`, aligned with it when it repeats.
    fn siblings(&mut self, object: Element<'_>, member: &Member, value: Element<'_>, above: &Place<'_>) {
        let Some(shape) = shape("Element") else { return };
        let place = above.element(member.element());
        if !member.repeats() {
            return self.object(value, shape, &place);
        }
        if value.kind() != Kind::Array || value.items().next().is_none() {
            let text = format!("`_{}` is a list in `[]`, as `{}` is.", member.name(), member.name());
            return self.say("structure", &place, text);
        }
        let plain = object.get(member.name());
        if plain.is_some_and(|plain| plain.kind() == Kind::Array && plain.items().count() != value.items().count()) {
            let text = format!("`_{}` and `{}` must have the same length; fill up with `null`.", member.name(), member.name());
            self.say("structure", &place, text);
        }
        for (index, item) in value.items().enumerate() {
            let place = place.item(index);
            if item.kind() != Kind::Null {
                self.object(item, shape, &place);
            } else if plain.is_none() {
                self.say("structure", &place, "Neither a value nor an extension stands here.");
            }
            if self.full() {
                return;
            }
        }
    }
}

fn unknown_element(shape: &Shape, name: &str) -> String {
    if name.len() > LONGEST_NAME {
        return format!("`{}` has no element of this name.", shape.path());
    }
    if let Some(choice) = shape.members().iter().find(|member| member.is_choice() && member.element() == name) {
        return format!("`{name}` has its type in its name, such as `{}`.", choice.name());
    }
    let names = shape.members().iter().map(Member::name);
    did_you_mean(format!("`{}` has no element `{name}`.", shape.path()), name.trim_start_matches('_'), names)
}

fn unknown_type(named: Element<'_>) -> String {
    match named.as_str().filter(|name| name.len() <= LONGEST_NAME) {
        Some(name) => {
            did_you_mean(format!("R4 has no resource type `{name}`."), &name, ResourceType::ALL.iter().map(|it| it.name()))
        }
        None => "`resourceType` must be the name of an R4 resource type.".to_owned(),
    }
}

/// Adds the nearest of the names to a sentence, when one is near.
fn did_you_mean<'n>(sentence: String, name: &str, names: impl Iterator<Item = &'n str>) -> String {
    let near = names.map(|known| (strsim::jaro_winkler(known, name), known)).max_by(|a, b| a.0.total_cmp(&b.0));
    match near {
        Some((likeness, known)) if likeness > 0.84 => format!("{sentence} Did you mean `{known}`?"),
        _ => sentence,
    }
}

fn said(kind: Kind) -> &'static str {
    match kind {
        Kind::Object => "an object",
        Kind::Array => "a list",
        Kind::String => "a string",
        Kind::Number => "a number",
        Kind::Bool => "a boolean",
        Kind::Null => "null",
    }
}
