//! May this record be shown: what patients said in their Consents, to whom and for what. Pure.
//!
//! Semantics are those of IHE PCF *Basic*, *Intermediate* and *Advanced* on FHIR R4, with everything else that R4 lets a provision say. A
//! permit reads narrow, a deny reads broad, and what cannot be evaluated denies.
//!
//! There are two evaluators. [`verdicts`] folds what is the same for a whole request and leaves a condition on records, which a
//! store runs in its query. [`reference`] decides one record at a time, rule by rule as the requirement words them, and says why; tests hold
//! the first to the second.

mod codes;
mod compile;
mod compiled;
mod criteria;
mod decide;
mod directory;
mod labels;
mod memberships;
mod name;
mod placed;
mod problems;
mod program;
pub mod reference;
mod requester;
mod residual;
mod rule;
mod sensitivity;
mod settings;
mod shards;
mod site;
mod span;
mod standing;
mod succession;
mod tidy;

#[cfg(test)]
#[path = "mistakes_of_circumstance_tests.rs"]
mod mistakes_of_circumstance_tests;
#[cfg(test)]
#[path = "mistakes_tests.rs"]
mod mistakes_tests;
#[cfg(test)]
#[path = "problems_tests.rs"]
mod problems_tests;
#[cfg(test)]
mod samples;
#[cfg(test)]
#[path = "vectors_tests.rs"]
mod vectors_tests;

pub use codes::canonical as canonical_system;
pub use compile::compile;
pub use compiled::Compiled;
pub use decide::{Question, Ruling, deciding, narrow, verdict_of, verdicts};
pub use directory::Directory;
pub use labels::{LabelRules, LabelRulesError, Labelling};
pub use memberships::Memberships;
pub use problems::{Filing, Findings, problems_on_write};
pub use requester::{Actions, Requester};
pub use residual::{ResidualError, residual};
pub use sensitivity::{Label, LocalSensitivity, OTHER, Vocabulary, bit_of, handling_of};
pub use settings::{BreakGlass, Ceiling, Combine, ConsentSettings, ImplicitPolicy, LabelsTo, Untyped, Zone};
pub use site::Site;
pub use standing::{CLINICIAN, Identified, Standing};
pub use succession::{Succession, succession};
