//! Searches answered word for word as R4 has them (<https://hl7.org/fhir/R4/search.html>), from the raw JSON of the records and a table of
//! parameters written out by hand. Slow and obvious on purpose. It shares nothing with the gateway: not its definitions, its parser, its
//! extraction of values nor its comparisons.

mod evaluate;
mod table;
mod values;

pub(crate) use evaluate::{World, askable};
pub(crate) use table::{Kind, Parameter, find, parameters};
