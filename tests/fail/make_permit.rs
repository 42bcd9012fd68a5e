//! E0451: private
use amanat::access::{Caller, Permit, Predicate};
pub fn forge(caller: std::sync::Arc<Caller>, interaction: amanat::fhir::Interaction) -> Permit {
    Permit { caller, interaction, narrowing: Predicate::All }
}
