//! What developers of apps read before they have anything here (ONC § 170.315(g)(10): both ways to register are documented in public).

use super::{Gateway, Step, Turn};
use crate::smart::Admission;

/// The page for developers.
#[derive(Debug)]
pub struct DevelopersPage {
    /// The FHIR base.
    pub base: String,
    /// Where apps register themselves, where they do.
    pub registration: Option<String>,
    /// A registration counts at once.
    pub at_once: bool,
    /// Where apps keep states of their own.
    pub app_state: Option<String>,
}

impl Gateway {
    /// The page.
    pub fn developers(&self) -> Turn {
        let endpoints = &self.parts.endpoints;
        let page = DevelopersPage {
            base: self.parts.base.clone(),
            registration: endpoints.registration.clone(),
            at_once: self.parts.registrar.admission == Admission::AtOnce,
            app_state: endpoints.app_state.clone(),
        };
        Step::Developers(Box::new(page)).into()
    }
}
