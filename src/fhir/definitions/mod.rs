//! The R4 definition tables, loaded once from `fhir-profiles`.

mod structures;
mod structures_table;

pub use structures::{Content, Member, Primitive, Shape, resource, shape};
mod compartments;
mod custom;
mod search_parameters;

pub use compartments::{compartment_members, compartment_parameters};
pub use custom::{Defined, Proposed};
pub(crate) use search_parameters::{Definition, Values, definition, definitions};
pub use search_parameters::{is_unsearchable, search_parameter, search_parameter_by_id, search_parameters};

/// Why an embedded table cannot be read. Tests read every table, so a release cannot meet it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct DefinitionError(String);
