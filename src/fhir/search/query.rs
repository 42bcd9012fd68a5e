//! A search as data: parsed, typed, not yet anybody's SQL.

use super::globe::Globe;
use super::parameter::{ParameterId, SearchParameter};
use super::words::Words;
use crate::fhir::terms::Codes;
use crate::fhir::{CompartmentOwner, Id, Instant, Key, Rendering, ResourceType};
use std::collections::BTreeSet;
use std::sync::Arc;

/// A search of one type, of several (`_type`), or of all.
#[derive(Debug, Clone)]
pub struct SearchQuery {
    /// The types searched; empty means every type.
    pub types: Vec<ResourceType>,
    /// `Patient/p1/...`
    pub compartment: Option<CompartmentOwner>,
    /// `_contained`: the types searched are those of contained resources.
    pub contained: Option<Contained>,
    /// All must hold.
    pub criteria: Vec<Criterion>,
    /// How many, in which order, with what beside.
    pub shape: ResultShape,
    /// How to write the answer.
    pub rendering: Rendering,
    /// What was understood, as pairs for the `self` link, in the caller's order.
    pub applied: Vec<(String, String)>,
    /// Under `handling=lenient`: the parameters that were ignored.
    pub ignored: Vec<String>,
}

/// `_contained`, `_containedType`.
#[derive(Debug, Clone)]
pub struct Contained {
    /// The type of contained resources that is searched.
    pub of: ResourceType,
    /// `both`: records of the type itself are searched as well.
    pub containers_too: bool,
    /// `_containedType=contained`: what is shown is the contained resource.
    pub shows_contained: bool,
    /// What must hold of it; the query's own criteria say the same of the container.
    pub criteria: Vec<Criterion>,
}

/// One condition on a record.
#[derive(Debug, Clone)]
pub enum Criterion {
    /// The record has a value of the parameter that satisfies one of the values.
    Match {
        /// Which parameter.
        parameter: &'static SearchParameter,
        /// How to compare.
        modifier: Modifier,
        /// Any one suffices (comma).
        values: Vec<Value>,
    },
    /// `:missing`
    Missing {
        /// Which parameter.
        parameter: &'static SearchParameter,
        /// `true`: has no value.
        missing: bool,
    },
    /// `_id`: one of these.
    Id(Vec<Id>),
    /// `_lastUpdated`: any one of these ranges (comma).
    LastUpdated(Vec<DateValue>),
    /// `_has:Type:parameter:...`: some record of the type refers to this one by the parameter and satisfies the criterion.
    Has {
        /// The type that refers.
        resource_type: ResourceType,
        /// By which parameter.
        parameter: &'static SearchParameter,
        /// What it must satisfy.
        criterion: Box<Criterion>,
    },
    /// `parameter[:Type].rest`: a record referred to by the parameter satisfies the criterion for its type.
    Chain {
        /// The reference followed.
        parameter: &'static SearchParameter,
        /// Per target type, the criterion as it reads for that type.
        targets: Vec<(ResourceType, Criterion)>,
    },
    /// A search of several types by a parameter that each of them defines for itself: per type, the criterion as it reads for that
    /// type. Holds for no other.
    OfEach(Vec<(ResourceType, Criterion)>),
    /// `and` of a `_filter`: all of these.
    All(Vec<Criterion>),
    /// `or` of a `_filter`: any of these.
    Any(Vec<Criterion>),
    /// `not` of a `_filter`.
    Not(Box<Criterion>),
    /// `_text`, `_content`: the words of the record satisfy this.
    Words(ParameterId, Words),
    /// `near`: the record lies within one of these circles.
    Near {
        /// Which parameter.
        parameter: &'static SearchParameter,
        /// Any one suffices (comma).
        circles: Vec<Circle>,
    },
    /// `_contained`: the record contains a resource of this type for which all of these hold.
    Contained {
        /// Of which type.
        of: ResourceType,
        /// What must hold for one and the same contained resource.
        criteria: Vec<Criterion>,
    },
}

/// How a value is compared (R4 search § 3.1.1.5.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Modifier {
    /// None.
    Plain,
    /// `:exact`
    Exact,
    /// `:contains`
    Contains,
    /// `:not`
    Not,
    /// `:text`
    Text,
    /// `:identifier`
    Identifier,
    /// `:[type]`
    Type(ResourceType),
    /// `:above`
    Above,
    /// `:below`
    Below,
    /// `:in`
    In,
    /// `:not-in`
    NotIn,
    /// `:of-type`
    OfType,
    /// `eq` of a `_filter` on a string: equal when case and accents do not count.
    Equal,
    /// `ew` of a `_filter`.
    Ends,
    /// `sw` of a `_filter` on what is no string.
    Begins,
    /// `ne` of a `_filter`: some value of the record is none of these.
    Unequal,
}

/// A value to compare with.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `[system|]code`
    Token(TokenValue),
    /// A string; folded where the comparison folds.
    Text(String),
    /// A reference.
    Reference(ReferenceValue),
    /// A date with prefix.
    Date(DateValue),
    /// A number with prefix.
    Number(NumberValue),
    /// A quantity with prefix.
    Quantity(QuantityValue),
    /// A URI.
    Uri(String),
    /// `a$b`: one value per component, in the parameter's order.
    Composite(Vec<Value>),
    /// `:in`, `:not-in`: a value set, by canonical or `ValueSet/id`. A store looks it up before it searches.
    ValueSet(String),
    /// What a store found under a value set, or above or below a code.
    Codes(Arc<Codes>),
    /// What a store found above or below a record.
    Records(Arc<BTreeSet<Key>>),
}

/// `code`, `system|code`, `|code`, `system|`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenValue {
    /// Which systems will do.
    pub system: SystemMatch,
    /// The code; `None` is any.
    pub code: Option<String>,
}

/// Which system a token must have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SystemMatch {
    /// Any or none.
    Any,
    /// None at all (`|code`).
    Absent,
    /// Exactly this.
    Is(String),
}

/// `id`, `Type/id`, or an absolute URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReferenceValue {
    /// An id of any type that the parameter allows.
    Id(Id),
    /// A local record. An absolute URL below our own base is read as this.
    Local(ResourceType, Id),
    /// A URL elsewhere, or a canonical.
    Url(String),
}

/// Comparison prefixes (R4 search § 3.1.1.5.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the two letters are the standard's own")]
pub enum Prefix {
    Eq,
    Ne,
    Gt,
    Lt,
    Ge,
    Le,
    Sa,
    Eb,
    Ap,
}

/// A date or a part of one, as the interval `[low, high)` that it stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DateValue {
    /// Prefix. `Ap` has already widened the interval (by a tenth of its distance from now) and compares by overlap.
    pub prefix: Prefix,
    /// Inclusive.
    pub low: Instant,
    /// Exclusive.
    pub high: Instant,
}

/// A number. `low..high` is the interval that its precision implies (`100` stands for 99.5 to 100.5).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NumberValue {
    /// Prefix. `Ap` has already widened the interval by a tenth of the value and compares by overlap.
    pub prefix: Prefix,
    /// The number itself: what `gt`, `lt`, `ge`, `le`, `sa`, `eb` compare with.
    pub exact: f64,
    /// Inclusive.
    pub low: f64,
    /// Exclusive.
    pub high: f64,
}

/// A circle on the globe.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Circle {
    /// Its centre.
    pub centre: Globe,
    /// Metres along the ground.
    pub radius: f64,
}

/// A number with a unit.
#[derive(Debug, Clone, PartialEq)]
pub struct QuantityValue {
    /// The number.
    pub number: NumberValue,
    /// The unit's system; any when there is none.
    pub system: Option<String>,
    /// The unit, as code or as text; any when there is none.
    pub unit: Option<String>,
}

/// `_count`, `_sort`, `_total`, `_include`, `_revinclude`.
#[derive(Debug, Clone, Default)]
pub struct ResultShape {
    /// `_count`; `Some(0)` is a count only.
    pub count: Option<u32>,
    /// `_sort`, most significant first.
    pub sort: Vec<Sort>,
    /// `_total`
    pub total: Total,
    /// `_include`
    pub includes: Vec<Include>,
    /// `_revinclude`
    pub reverse_includes: Vec<Include>,
}

/// One key of `_sort`.
#[derive(Debug, Clone)]
pub struct Sort {
    /// By what.
    pub by: SortKey,
    /// `-`
    pub descending: bool,
}

/// What `_sort` can name.
#[derive(Debug, Clone)]
pub enum SortKey {
    /// `_id`
    Id,
    /// `_lastUpdated`
    LastUpdated,
    /// Any parameter of the type.
    Parameter(&'static SearchParameter),
}

/// `_total`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Total {
    /// Told when it costs nothing.
    #[default]
    Unasked,
    /// `none`: absent.
    None,
    /// `estimate` or `accurate`: counted, under the caller's predicate.
    Accurate,
}

/// `Source:parameter[:Target]`
#[derive(Debug, Clone)]
pub struct Include {
    /// The type that refers.
    pub source: ResourceType,
    /// By which parameters (`*` is every reference parameter of the type).
    pub parameters: Vec<ParameterId>,
    /// Only targets of this type.
    pub target: Option<ResourceType>,
    /// `:iterate`
    pub iterate: bool,
}
