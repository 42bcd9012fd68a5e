//! Search: the query as data, the values of a record, and whether the one holds for the other.

mod date;
mod decimal;
mod element_type;
pub(crate) mod expression;
mod extract;
mod folding;
mod index;
mod parameter;
mod query;
mod reference;

pub use extract::extract;
pub(crate) use extract::values_of;
pub use folding::fold;
pub use index::{IndexEntry, IndexValue};
pub use parameter::{Component, ParameterId, ParameterType, SearchParameter};
pub use reference::Pointer;
pub use query::{
    Criterion, DateValue, Include, Modifier, NumberValue, Prefix, QuantityValue, ReferenceValue, ResultShape, SearchQuery, Sort,
    SortKey, SystemMatch, TokenValue, Total, Value,
};
