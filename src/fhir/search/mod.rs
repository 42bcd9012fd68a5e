//! Search: the query as data, the values of a record, and whether the one holds for the other.

mod constraint;
mod date;
mod decimal;
mod element_type;
pub(crate) mod expression;
mod extract;
mod folding;
mod index;
mod matches;
mod parameter;
mod parse;
mod query;
mod reference;

pub use constraint::parse_constraint;
pub(crate) use date::interval;
pub(crate) use element_type::ElementType;
pub(crate) use extract::values_of;
pub use extract::{extract, order};
pub use folding::fold;
pub use index::{IndexEntry, IndexValue};
pub use matches::holds;
pub use parameter::{Component, ParameterId, ParameterType, SearchParameter};
pub use parse::{ParseOptions, parse_search};
pub use query::{
    Criterion, DateValue, Include, Modifier, NumberValue, Prefix, QuantityValue, ReferenceValue, ResultShape, SearchQuery, Sort,
    SortKey, SystemMatch, TokenValue, Total, Value,
};
pub use reference::Pointer;
