//! The identity of a search parameter. The table itself is `fhir::definitions`.

use crate::fhir::ResourceType;

/// The type of a search parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names are the standard's own")]
pub enum ParameterType {
    Token,
    String,
    Reference,
    Date,
    Number,
    Quantity,
    Uri,
    Composite,
    Special,
}

/// Which rows of the index tables belong to a parameter of one resource type, stable across releases.
///
/// A parameter takes eight consecutive numbers: 0 its own values; 1 to 5 the components of a composite, or of tokens, 1 identifiers
/// with their type; 6 the text of its codings for `:text`; 7 the identifiers inside its references
/// for `:identifier`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ParameterId(pub i32);

impl ParameterId {
    /// The rows of component `n` (from 0, at most 4) of a composite.
    #[must_use]
    pub const fn component(self, n: i32) -> Self {
        Self(self.0 + 1 + n)
    }

    /// The rows of identifiers with their type, for `:of-type`: the type's system, and its code and the value around [`BETWEEN`].
    #[must_use]
    pub const fn typed(self) -> Self {
        Self(self.0 + 1)
    }

    /// Whether these are rows of this parameter: of whatever kind, of the record or of what it contains.
    #[must_use]
    pub const fn holds(self, rows: Self) -> bool {
        (rows.0 & !(1 << 28)) / 8 == self.0 / 8
    }

    /// Whether these are a parameter's own values, of the record itself: by which it is sorted.
    #[must_use]
    pub const fn is_its_own(self) -> bool {
        self.0 % 8 == 0 && self.0 & 1 << 28 == 0
    }

    /// The same rows of contained resources: their group is that of the value plus [`ELEMENTS`] times the resource's number (from 1).
    #[must_use]
    pub const fn inside(self) -> Self {
        Self(self.0 | 1 << 28)
    }

    /// The rows of display texts.
    #[must_use]
    pub const fn text(self) -> Self {
        Self(self.0 + 6)
    }

    /// The rows of identifiers in references.
    #[must_use]
    pub const fn identifier(self) -> Self {
        Self(self.0 + 7)
    }
}

/// One token for each contained resource: its type. No parameter of R4 has this number.
pub const CONTAINED: ParameterId = ParameterId(7);

/// Groups that a contained resource may have.
pub const ELEMENTS: i32 = 1 << 12;

/// Stands between the type's code and the value of an identifier; neither contains it.
pub const BETWEEN: char = '\u{1f}';

/// A search parameter as it applies to one resource type.
#[derive(Debug)]
pub struct SearchParameter {
    /// Its rows.
    pub id: ParameterId,
    /// The type that it searches.
    pub resource_type: ResourceType,
    /// The name in a query.
    pub code: String,
    /// Its type.
    pub parameter_type: ParameterType,
    /// For references: the types that it may point at (all types when the definition names none).
    pub targets: Vec<ResourceType>,
    /// For composites: the components, in order.
    pub components: Vec<Component>,
    /// The canonical URL of its definition.
    pub url: String,
    /// The system of its codes, where its elements are of type `code`: records do not spell it out, queries may.
    pub implied_system: Option<String>,
    /// A token whose elements are of type `string`: case does not count (R4 search § 3.1.1.4.10).
    pub ignores_case: bool,
}

/// A component of a composite.
#[derive(Debug)]
pub struct Component {
    /// The type of the parameter that the component follows.
    pub parameter_type: ParameterType,
    /// Its rows.
    pub id: ParameterId,
    /// For references: the types that it may point at.
    pub targets: Vec<ResourceType>,
}
