//! Search: the query as data, the values of a record, and whether the one holds for the other.

mod index;
mod parameter;
mod query;

pub use index::{IndexEntry, IndexValue};
pub use parameter::{Component, ParameterId, ParameterType, SearchParameter};
pub use query::{
    Criterion, DateValue, Include, Modifier, NumberValue, Prefix, QuantityValue, ReferenceValue, ResultShape, SearchQuery, Sort,
    SortKey, SystemMatch, TokenValue, Total, Value,
};

mod matches;
pub use matches::holds;

mod constraint;
pub use constraint::parse_constraint;
