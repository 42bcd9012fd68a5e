//! The values of a record's search parameters, as an index holds them.

use super::parameter::ParameterId;
use crate::fhir::{Instant, ResourceType};

/// One value of one parameter of one record.
#[derive(Debug, Clone, PartialEq)]
pub struct IndexEntry {
    /// Which parameter.
    pub parameter: ParameterId,
    /// Which of the record's elements the value comes from: 0 outside composites; inside, components of one element share a number.
    pub group: i32,
    /// The value.
    pub value: IndexValue,
}

/// A value, by the type of its parameter.
#[derive(Debug, Clone, PartialEq)]
pub enum IndexValue {
    /// Of a token; `system` is empty when there is none.
    Token {
        /// System or empty.
        system: String,
        /// Code; for a bare system (an identifier without value) empty.
        code: String,
    },
    /// Of a string, or of a token's display text.
    Text {
        /// Lower case, accents and surplus white space removed.
        folded: String,
        /// As written.
        exact: String,
    },
    /// Of a reference to a local record: version stripped, own base stripped; or to a resource that the same record contains.
    Reference {
        /// Type.
        resource_type: ResourceType,
        /// Id; of a contained resource `#` and its id, which is no id of a record.
        id: String,
    },
    /// Of a reference to elsewhere, of a canonical (stored with and without `|version`), or of a uri.
    Uri(String),
    /// Of a date: `[low, high)`; an open end is `i64::MIN` or `i64::MAX`.
    Date {
        /// Inclusive.
        low: Instant,
        /// Exclusive.
        high: Instant,
    },
    /// Of a number or a range of numbers; open ends are infinite.
    Number {
        /// Lowest.
        low: f64,
        /// Highest, inclusive.
        high: f64,
    },
    /// Of a quantity. `unit` is one of code and unit text; a quantity with both makes two entries.
    Quantity {
        /// Lowest.
        low: f64,
        /// Highest, inclusive.
        high: f64,
        /// System or empty.
        system: String,
        /// Code or unit text, or empty.
        unit: String,
    },
    /// The words of a narrative, or of the whole record: folded, separated by single blanks.
    Words(String),
}
