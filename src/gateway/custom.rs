//! Search parameters that the site defines: stored SearchParameter resources, once every record has been indexed by them.

use super::Gateway;
use crate::fhir::search::{CustomParameters, STANDARD};
use std::sync::RwLock;

/// What can be searched by beside the parameters of R4. Whoever has taken a look keeps what they saw.
pub(super) struct Known(RwLock<&'static CustomParameters>);

impl Default for Known {
    fn default() -> Self {
        Self(RwLock::new(&STANDARD))
    }
}

impl Gateway {
    pub(super) fn known(&self) -> &'static CustomParameters {
        self.known.0.read().map_or_else(|poisoned| *poisoned.into_inner(), |known| *known)
    }
}
