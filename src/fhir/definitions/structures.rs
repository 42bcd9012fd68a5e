//! Which members an R4 type has in JSON, and what each may hold.
//!
//! A [`Shape`] is a type (`Patient`, `Quantity`) or a nested element (`Observation.component`). Its members are those that may
//! stand in JSON: inherited ones are there, and a choice such as `value[x]` stands once for each of its types (`valueQuantity`).

use super::structures_table;
use crate::fhir::ResourceType;
use std::collections::HashMap;
use std::sync::LazyLock;

static STRUCTURES: LazyLock<Structures> = LazyLock::new(structures_table::load);

/// The shape of a resource type.
pub fn resource(resource_type: ResourceType) -> Option<&'static Shape> {
    let at = STRUCTURES.resources.get(resource_type as usize)?;
    STRUCTURES.shapes.get(usize::from(*at))
}

/// The shape of a type or of a nested element: `Patient`, `Quantity`, `Observation.component`, `Element`.
pub fn shape(path: &str) -> Option<&'static Shape> {
    let at = STRUCTURES.by_path.get(path)?;
    STRUCTURES.shapes.get(usize::from(*at))
}

/// All shapes and the ways to them.
#[derive(Debug, Default)]
pub(super) struct Structures {
    pub(super) shapes: Vec<Shape>,
    pub(super) by_path: HashMap<String, u16>,
    /// By [`ResourceType`] as a number.
    pub(super) resources: Vec<u16>,
}

/// A type or nested element.
#[derive(Debug)]
pub struct Shape {
    pub(super) path: String,
    pub(super) resource: bool,
    /// Sorted by name.
    pub(super) members: Vec<Member>,
}

impl Shape {
    /// The type, or the type and the way to the element: `Quantity`, `Observation.component`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Whether this is a resource type, whose JSON begins with `resourceType`.
    pub fn is_resource(&self) -> bool {
        self.resource
    }

    /// The member of this JSON name (without the `_` of a primitive's sibling).
    pub fn member(&self, name: &str) -> Option<&Member> {
        self.members.binary_search_by(|member| member.name.as_str().cmp(name)).ok().and_then(|at| self.members.get(at))
    }

    /// Every member, sorted by name.
    pub fn members(&self) -> &[Member] {
        &self.members
    }
}

/// A member that a shape may have in JSON.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "four independent facts of the table, as it states them")]
pub struct Member {
    pub(super) name: String,
    /// How much of the name is the element's own; less than all in a choice.
    pub(super) stem: u8,
    pub(super) repeats: bool,
    pub(super) required: bool,
    pub(super) summary: bool,
    pub(super) modifier: bool,
    pub(super) content: Content,
}

impl Member {
    /// The name in JSON: `valueQuantity`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The name in FHIRPath: `value`, for a choice without its type.
    pub fn element(&self) -> &str {
        self.name.get(..usize::from(self.stem)).unwrap_or(&self.name)
    }

    /// Whether this is one of the types of a choice (`value[x]`).
    pub fn is_choice(&self) -> bool {
        usize::from(self.stem) < self.name.len()
    }

    /// Whether it stands in a JSON array.
    pub fn repeats(&self) -> bool {
        self.repeats
    }

    /// Whether its owner must have it (`min` is 1; for a choice: in one of its types).
    pub fn is_required(&self) -> bool {
        self.required
    }

    /// Whether `_summary=true` keeps it.
    pub fn is_summary(&self) -> bool {
        self.summary
    }

    /// Whether it changes the meaning of its owner.
    pub fn is_modifier(&self) -> bool {
        self.modifier
    }

    /// What it holds.
    pub fn content(&self) -> Content {
        self.content
    }

    /// The shape of its value, when that is an object of a known one.
    pub fn shape(&self) -> Option<&'static Shape> {
        self.content.shape()
    }
}

/// What a member holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// A value that JSON writes as string, number or boolean.
    Primitive(Primitive),
    /// An object; [`Content::shape`] tells its members.
    Complex(ShapeKey),
    /// A resource of the type that its `resourceType` names.
    AnyResource,
}

/// Which shape a member's objects have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShapeKey(pub(super) u16);

impl Content {
    /// What the `_` sibling of a primitive holds: an `Element`, with id and extensions.
    pub fn element() -> Option<Self> {
        STRUCTURES.by_path.get("Element").map(|&at| Self::Complex(ShapeKey(at)))
    }

    /// The shape, when this is complex.
    pub fn shape(self) -> Option<&'static Shape> {
        match self {
            Self::Complex(ShapeKey(at)) => STRUCTURES.shapes.get(usize::from(at)),
            Self::Primitive(_) | Self::AnyResource => None,
        }
    }
}

macro_rules! primitives {
    ($($name:ident = $text:literal),* $(,)?) => {
        /// The primitive types of R4 (<https://hl7.org/fhir/R4/datatypes.html#primitive>).
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[expect(missing_docs, reason = "each variant is the FHIR name itself")]
        pub enum Primitive { $($name),* }

        impl Primitive {
            /// The primitive type of this name.
            pub fn parse(name: &str) -> Option<Self> {
                match name { $($text => Some(Self::$name),)* _ => None }
            }

            /// The FHIR name.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $text),* }
            }
        }
    };
}

primitives! {
    Base64Binary = "base64Binary", Boolean = "boolean", Canonical = "canonical", Code = "code", Date = "date", DateTime = "dateTime",
    Decimal = "decimal", Id = "id", Instant = "instant", Integer = "integer", Markdown = "markdown", Oid = "oid",
    PositiveInt = "positiveInt", String = "string", Time = "time", UnsignedInt = "unsignedInt", Uri = "uri", Url = "url",
    Uuid = "uuid", Xhtml = "xhtml",
}

#[cfg(test)]
mod tests {
    use super::{Content, Primitive, STRUCTURES, resource, shape};
    use crate::fhir::ResourceType;

    fn names(path: &str, member: &str) -> Option<(String, bool)> {
        let member = shape(path)?.member(member)?;
        let content = match member.content() {
            Content::Primitive(primitive) => primitive.name().to_owned(),
            Content::Complex(_) => member.shape()?.path().to_owned(),
            Content::AnyResource => "Resource".to_owned(),
        };
        Some((content, member.repeats()))
    }

    #[test]
    fn every_resource_type_has_its_shape() {
        for &resource_type in ResourceType::ALL {
            let shape = resource(resource_type).unwrap();
            assert_eq!(shape.path(), resource_type.name());
            assert!(shape.is_resource() && shape.member("id").is_some(), "{resource_type}");
        }
    }

    #[test]
    fn members_are_own_inherited_nested_and_referred_to() {
        assert_eq!(names("Patient", "name"), Some(("HumanName".to_owned(), true)));
        assert_eq!(names("Patient", "birthDate"), Some(("date".to_owned(), false)));
        assert_eq!(names("Patient", "contained"), Some(("Resource".to_owned(), true)));
        assert_eq!(names("Patient", "id"), Some(("id".to_owned(), false)));
        assert_eq!(names("Bundle", "contained"), None);
        assert_eq!(names("Observation.component", "modifierExtension"), Some(("Extension".to_owned(), true)));
        assert_eq!(names("Observation.component", "referenceRange"), Some(("Observation.referenceRange".to_owned(), true)));
        assert_eq!(names("Bundle.entry", "link"), Some(("Bundle.link".to_owned(), true)));
        assert_eq!(names("Bundle.entry", "resource"), Some(("Resource".to_owned(), false)));
        assert_eq!(names("Timing", "repeat"), Some(("Timing.repeat".to_owned(), false)));
        assert_eq!(names("Timing.repeat", "modifierExtension"), None);
        assert_eq!(names("Age", "value"), Some(("decimal".to_owned(), false)));
        assert_eq!(names("ExampleScenario.instance", "resourceType"), Some(("code".to_owned(), false)));
    }

    #[test]
    fn a_choice_stands_once_for_each_type() {
        assert_eq!(names("Observation", "valueQuantity"), Some(("Quantity".to_owned(), false)));
        assert_eq!(names("Observation", "valueDateTime"), Some(("dateTime".to_owned(), false)));
        assert_eq!(names("Observation", "value"), None);
        assert_eq!(names("Observation", "valueAddress"), None);
        let value = shape("Extension").unwrap().member("valueBase64Binary").unwrap();
        assert_eq!((value.element(), value.is_choice()), ("value", true));
        assert!(!shape("Extension").unwrap().member("url").unwrap().is_choice());
    }

    #[test]
    fn flags_are_those_of_the_standard() {
        let status = shape("Observation").unwrap().member("status").unwrap();
        assert!(status.is_required() && status.is_modifier() && status.is_summary());
        let note = shape("Observation").unwrap().member("note").unwrap();
        assert!(!note.is_required() && !note.is_modifier() && !note.is_summary() && note.repeats());
    }

    #[test]
    fn no_shape_of_an_object_is_empty_and_names_are_sorted() {
        assert_eq!(STRUCTURES.shapes.len(), 189 + 473, "types and nested elements of 4.0.1");
        for shape in &STRUCTURES.shapes {
            assert!(shape.members().windows(2).all(|pair| pair[0].name() < pair[1].name()), "{}", shape.path());
            assert!(shape.member("id").is_some(), "{}", shape.path());
        }
    }

    #[test]
    fn primitive_names_find_their_type_again() {
        assert_eq!(Primitive::parse("positiveInt").map(Primitive::name), Some("positiveInt"));
        assert_eq!(Primitive::parse("Quantity"), None);
    }
}
