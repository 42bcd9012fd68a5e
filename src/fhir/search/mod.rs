//! Search: the query as data, the values of a record, and whether the one holds for the other.

mod constraint;
mod custom;
mod date;
mod decimal;
mod element_type;
pub(crate) mod expression;
mod extract;
mod folding;
mod globe;
mod index;
mod matches;
mod parameter;
mod parse;
mod query;
mod reference;
mod sorted;
mod words;

pub use constraint::parse_constraint;
pub use custom::{Custom, CustomParameters, STANDARD};
pub(crate) use date::interval;
pub(crate) use element_type::ElementType;
pub(crate) use extract::values_of;
pub use extract::{EXTRACTION, contained_matching, extract, extract_some, order};
pub use folding::fold;
pub use globe::{Globe, chord_square};
pub use index::{IndexEntry, IndexValue};
pub use matches::holds;
pub use parameter::{BETWEEN, CONTAINED, Component, ELEMENTS, ParameterId, ParameterType, SearchParameter};
pub use parse::{ParseOptions, parse_search};
pub use query::{
    Circle, Contained, Criterion, DateValue, Include, Modifier, NumberValue, Prefix, QuantityValue, ReferenceValue, ResultShape,
    SearchQuery, Sort, SortKey, SystemMatch, TokenValue, Total, Value,
};
pub(crate) use reference::Inside;
pub use reference::Pointer;
pub use sorted::{OrderKey, OrderKind, OrderedBefore, ordered_before};
pub use words::{Words, words_of};
