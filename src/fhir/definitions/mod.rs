//! The R4 definition tables, loaded once from `fhir-profiles`.

mod structures;
mod structures_table;

pub use structures::{Content, Member, Primitive, Shape, resource, shape};
