//! How a user and a patient stand to each other, for the alert rules that ask: looked up beside the requests, with the gateway's own eyes,
//! and told as yes or no.

use super::Gateway;
use crate::access::{Caller, Permit, Scopes, SignIn, authorize};
use crate::audit::rules::{Acquaintance, Acquainting, Known};
use crate::disclosure::{Row, Traits, period_end, stay_end};
use crate::fhir::{
    Id, Instant, Interaction, Key, Need, ReadConditions, Refusal, Request, ResourceType, RouteOptions, interaction,
};
use std::collections::HashMap;
use std::sync::Arc;

/// Encounters that are looked at.
const ENCOUNTERS: u32 = 50;

impl Acquaintance for Gateway {
    fn known<'a>(&'a self, user: &'a Key, patients: &'a [Id], labels: &'a [String]) -> Acquainting<'a> {
        Box::pin(async move {
            let mut known = HashMap::new();
            // Beyond so many at once it is no glance at somebody one knows.
            for patient in patients.iter().take(20) {
                if let Ok(found) = self.acquainted(user, patient, labels).await {
                    known.insert(patient.clone(), found);
                }
            }
            known
        })
    }
}

impl Gateway {
    async fn acquainted(&self, user: &Key, patient: &Id, labels: &[String]) -> Result<Known, Refusal> {
        let (theirs, own) = (self.glance(&Key::new(ResourceType::Patient, patient.clone())).await?, self.glance(user).await?);
        let (patient_traits, user_traits) = (traits(theirs.as_ref()), traits(own.as_ref()));
        let marked = patient_traits.carries(labels);
        let encounters = self.look_for(&format!("Encounter?patient={patient}&_sort=-date")).await?;
        let now = self.parts.clock.now();
        let ended = |row: &Row| (period_end(row).unwrap_or(now), stay_end(row));
        let last = encounters.iter().map(ended).max_by_key(|(end, _)| *end);
        let (last_encounter, discharged) = (last.map(|(end, _)| end), last.and_then(|(_, stay)| stay));
        // Whether there is a care relation is asked only where it decides.
        let cares = if marked { Some(self.cares(user, patient).await?) } else { None };
        Ok(Known {
            marked,
            cares,
            own: patient_traits.is_same(&user_traits),
            surname: patient_traits.shares_surname(&user_traits),
            contact: patient_traits.shares_contact(&user_traits),
            last_encounter,
            discharged,
        })
    }

    async fn cares(&self, user: &Key, patient: &Id) -> Result<bool, Refusal> {
        for search in [
            format!("CareTeam?patient={patient}&participant={user}"),
            format!("Encounter?patient={patient}&participant={user}"),
            format!("Appointment?patient={patient}&actor={user}"),
            format!("Patient?_id={patient}&general-practitioner={user}"),
        ] {
            if !self.look_for(&search).await?.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn glance(&self, key: &Key) -> Result<Option<Row>, Refusal> {
        let permit = own_eyes(Interaction::Read(key.clone(), ReadConditions::default()))?;
        Ok(self.parts.store.read(&permit, Need::Read, key).await?.filter(|row| !row.facts.deleted))
    }

    async fn look_for(&self, search: &str) -> Result<Vec<Row>, Refusal> {
        let options =
            RouteOptions { base: &self.parts.base, now: self.parts.clock.now(), max_count: ENCOUNTERS, known: self.known() };
        let asked = interaction(&Request::get(search), &options)?;
        let Interaction::Search(query) = asked.clone() else { return Err(Refusal::Internal) };
        let permit = own_eyes(asked)?;
        Ok(self.parts.store.select(&permit, Need::Search, &query, ENCOUNTERS).await?)
    }
}

fn traits(row: Option<&Row>) -> Traits {
    row.map(Traits::of).unwrap_or_default()
}

/// The gateway itself: what it sees here goes nowhere.
pub(super) fn own_eyes(interaction: Interaction) -> Result<Permit, Refusal> {
    let caller = Caller {
        issuer: String::new(),
        subject: String::new(),
        client: "amanat".to_owned(),
        user: None,
        organization: None,
        scopes: Scopes::parse("system/*.rs system/AuditEvent.rs"),
        patient: None,
        encounter: None,
        purposes: Vec::new(),
        acr: None,
        token_id: None,
        expires: Instant(i64::MAX),
        sign_in: SignIn::default(),
    };
    authorize(&Arc::new(caller), interaction)
}
