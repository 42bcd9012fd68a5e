//! May this record be shown: what patients said in their Consents, to whom and for what. Pure.
//!
//! Semantics are those of IHE PCF *Basic* on FHIR R4: period, actor, action, purpose, nested exceptions, base and implicit policies,
//! supersession and strengths. A permit reads narrow, a deny reads broad, and what cannot be evaluated denies. A consent
//! that decides by the content of a record (labels, class, code, data) is not enforceable yet and therefore denies.

mod codes;
mod compile;
mod compiled;
mod decide;
mod directory;
mod labels;
mod name;
mod problems;
mod requester;
mod rule;
mod sensitivity;
mod settings;
mod span;

pub use codes::canonical as canonical_system;
pub use compile::{compile, compile_at};
pub use compiled::Compiled;
pub use decide::{Ruling, narrow, permits, verdicts};
pub use directory::Directory;
pub use labels::{LabelRules, LabelRulesError, Labelling};
pub use problems::{Findings, problems_on_write};
pub use requester::{Actions, Requester};
pub use sensitivity::{Label, LocalSensitivity, OTHER, Vocabulary, bit_of, handling_of};
pub use settings::{Combine, ConsentSettings, ImplicitPolicy, Untyped};
