//! An authorization request under way: it survives sign-in, second factor, the choice of a patient and the way back.

use super::request::Asked;
use crate::fhir::{Id, Instant};
use crate::smart::launch::Context;
use crate::smart::state::{Kind, Stored};
use serde::{Deserialize, Serialize};

/// Seconds that a person has for everything.
const PENDING_LIFE: i64 = 1800;

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answered {
    /// The app was given a code.
    Allowed,
    /// The person said no.
    Refused,
}

/// A request under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// What is asked.
    pub asked: Asked,
    /// The context of the launch from an EHR.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub launched: Option<Context>,
    /// By whom that launch was begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub launched_by: Option<String>,
    /// The patient that was chosen, and by whom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chosen: Option<(String, String)>,
    /// The session that was begun for it, by its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// How it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered: Option<Answered>,
    /// When it came, in milliseconds.
    pub came: i64,
}

impl Stored for Pending {
    const KIND: Kind = Kind::Request;

    fn owner(&self) -> &str {
        &self.asked.client
    }

    fn expires(&self) -> Instant {
        Instant(self.came).plus_seconds(PENDING_LIFE)
    }
}

impl Pending {
    /// Does it ask for something of one patient?
    pub fn needs_patient(&self) -> bool {
        self.asked.scope.split(' ').any(|scope| scope == "launch/patient" || scope.starts_with("patient/"))
    }

    /// The patient that this person chose, or the one of the launch.
    pub fn patient(&self, username: &str) -> Option<Id> {
        if let Some(context) = &self.launched
            && let Some(patient) = context.patient()
        {
            return Some(patient);
        }
        self.chosen.as_ref().filter(|(by, _)| by == username).and_then(|(_, id)| Id::parse(id))
    }
}
