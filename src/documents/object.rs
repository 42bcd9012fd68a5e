//! The outermost object of a document.
//!
//! The parts of a document are typed; its outermost object is written member by member. A typed resource may contain any other,
//! so serialising a single one compiles the serialisation of all of them: ten times the build time, for nothing that is used.

use serde::Serialize;

/// A JSON object in the making.
pub(crate) struct Object(String);

impl Object {
    /// A resource of this type.
    pub(crate) fn resource(resource_type: &str) -> Self {
        let mut object = Self::new();
        object.member("resourceType", resource_type);
        object
    }

    /// An object without members.
    pub(crate) fn new() -> Self {
        Self(String::from("{"))
    }

    /// Adds a member. The types that come here serialise without fail; `null` stands for one that did not.
    pub(crate) fn member<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) {
        self.raw(name, &json(value));
    }

    /// Adds a member when there is a value.
    pub(crate) fn optional(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.member(name, value);
        }
    }

    /// Adds a member that is an array, unless it is empty: R4 knows no empty array.
    pub(crate) fn array<T: Serialize>(&mut self, name: &str, values: &[T]) {
        if !values.is_empty() {
            self.member(name, values);
        }
    }

    /// Adds a member whose JSON is written already.
    pub(crate) fn raw(&mut self, name: &str, value: &str) {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        self.0.push_str(&json(name));
        self.0.push(':');
        self.0.push_str(value);
    }

    /// The object as text.
    pub(crate) fn finish(mut self) -> String {
        self.0.push('}');
        self.0
    }
}

/// The JSON of a value.
pub(crate) fn json<T: Serialize + ?Sized>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_else(|_| String::from("null"))
}
