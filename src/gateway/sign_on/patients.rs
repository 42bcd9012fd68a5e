//! Which patients somebody may choose from: looked up through the corridor like everything else, with its entry in the trail.

use super::proceed::UnderWay;
use super::{Browser, Gateway, Halt};
use crate::access::{Caller, Scopes, SignIn};
use crate::audit::Agent;
use crate::disclosure::{Sealed, Visit, refuse, release};
use crate::fhir::{
    Headers, Id, Instant, Interaction, Key, Method, Request, ResourceType, RouteOptions, encode, interaction, rendering,
};
use crate::gateway::Errand;
use crate::gateway::space::Found;
use crate::smart::{Account, Client, Present};
use serde_json::Value;
use std::sync::Arc;

/// Patients that are shown to choose from at a time.
const SHOWN: usize = 20;

/// A patient to choose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PatientRow {
    /// Logical id.
    pub id: Id,
    /// Name.
    pub name: String,
    /// Birth date, as recorded.
    pub born: String,
}

impl Gateway {
    /// One patient, when this person may open their record for this app.
    pub(super) async fn patient(
        &self,
        under_way: &UnderWay,
        present: &Present,
        id: &Id,
        browser: &Browser,
        now: Instant,
    ) -> Result<Option<PatientRow>, Halt> {
        if present.account.patients().is_some_and(|own| !own.contains(id)) {
            return Ok(None);
        }
        let caller = self.looker(under_way, present, Some(id));
        let found = self.looked_up(caller, &format!("Patient/{id}"), "", browser, now).await?;
        Ok(found.as_ref().and_then(row))
    }

    /// Those that somebody acts for, or those that a clinician finds by name and birth date.
    pub(super) async fn patients(
        &self,
        under_way: &UnderWay,
        present: &Present,
        search: Option<&(String, String)>,
        browser: &Browser,
        now: Instant,
    ) -> Result<Vec<PatientRow>, Halt> {
        if let Some(own) = present.account.patients() {
            let mut rows = Vec::new();
            for id in own.iter().take(SHOWN) {
                rows.extend(self.patient(under_way, present, id, browser, now).await?);
            }
            return Ok(rows);
        }
        let (name, born) = search.map_or(("", ""), |(name, born)| (name.trim(), born.trim()));
        let mut query = format!("_count={SHOWN}&_sort=family");
        for (parameter, value) in [("name", name), ("birthdate", born)] {
            if !value.is_empty() {
                let plain = value.replace(['\\', ',', '$', '|'], " ");
                query.extend(["&", parameter, "=", &encode(plain.trim())]);
            }
        }
        let found = self.looked_up(self.looker(under_way, present, None), "Patient", &query, browser, now).await?;
        let entries = found.as_ref().and_then(|bundle| bundle.get("entry")).and_then(Value::as_array);
        Ok(entries.into_iter().flatten().filter_map(|entry| row(entry.get("resource")?)).collect())
    }

    /// The person, as they will act through this app: with what they are, and nothing but a look at patients.
    fn looker(&self, under_way: &UnderWay, present: &Present, patient: Option<&Id>) -> Caller {
        let account = &present.account;
        let scope = if account.patients().is_some() { "patient/Patient.r" } else { "user/Patient.rs" };
        Caller {
            issuer: self.parts.base.clone(),
            subject: account.subject.clone(),
            client: under_way.client.id.clone(),
            user: account.user(),
            organization: account.organization.clone().or_else(|| under_way.client.organization.clone()),
            scopes: Scopes::parse(scope),
            patient: patient.cloned(),
            encounter: None,
            purposes: purposes(account, &under_way.client),
            acr: Some(present.session.acr.clone()),
            token_id: None,
            expires: now_or_later(present),
            sign_in: SignIn {
                at: Some(present.session.signed_in()),
                methods: present.session.amr.clone(),
                roles: account.roles.clone(),
                registered_purposes: under_way.client.purposes.clone(),
                ..SignIn::default()
            },
        }
    }

    /// A read or search through the corridor, and its entry. `None` for what is not shown.
    async fn looked_up(
        &self,
        caller: Caller,
        path: &str,
        query: &str,
        browser: &Browser,
        now: Instant,
    ) -> Result<Option<Value>, Halt> {
        let request = Request {
            method: Method::Get,
            path: path.to_owned(),
            query: query.to_owned(),
            form: None,
            headers: Headers::default(),
        };
        let options = RouteOptions { base: &self.parts.base, now, max_count: self.parts.limits.page_max, known: self.known() };
        // What somebody typed may be no search at all: then nothing is found.
        let (Ok(interaction), Ok(rendering)) = (interaction(&request, &options), rendering(&request)) else { return Ok(None) };
        let visit = Visit {
            request_id: browser.request_id.clone(),
            agent: Agent::of(&caller, browser.address.clone()),
            event: interaction.code(),
            record: super::super::inbound::named_record(&interaction),
            query: matches!(interaction, Interaction::Search(_)).then(|| format!("GET {path}?{query}")),
            now,
        };
        let body = Sealed::from_wire(Vec::new());
        let mut errand = Errand { visit: visit.clone(), rendering, body, peer: None, room: Found::default() };
        let answer = match self.perform(&Arc::new(caller), interaction, &mut errand).await {
            Ok(pending) => release(pending, &errand.rendering, &errand.visit, self.parts.trail.as_ref()).await,
            Err(refusal) => Err(refuse(&refusal, &errand.visit, self.parts.trail.as_ref()).await),
        };
        match answer {
            Ok(released) => Ok(serde_json::from_slice(&released.into_body()).ok()),
            Err(refused) if refused.status() >= 500 => Err(Halt::Away),
            Err(_) => Ok(None),
        }
    }
}

fn now_or_later(present: &Present) -> Instant {
    Instant(present.session.ends)
}

/// For which purposes somebody acts through an app: those that it is registered for, else what their part in care says.
pub(super) fn purposes(account: &Account, client: &Client) -> Vec<String> {
    if !client.purposes.is_empty() {
        return client.purposes.clone();
    }
    let usual = match account.user().map(|user| user.resource_type) {
        Some(ResourceType::Practitioner | ResourceType::PractitionerRole) => "TREAT",
        Some(ResourceType::Patient) => "PATRQT",
        _ => "FAMRQT",
    };
    vec![usual.to_owned()]
}

/// Name and birth date out of a Patient.
fn row(patient: &Value) -> Option<PatientRow> {
    let id = Id::parse(patient.get("id")?.as_str()?)?;
    let name = patient.get("name").and_then(Value::as_array).and_then(|names| names.first());
    let text = |of: &Value, member: &str| of.get(member).and_then(Value::as_str).map(str::to_owned);
    let told = name.and_then(|name| {
        text(name, "text").or_else(|| {
            let given = name.get("given").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
            let all: Vec<&str> = given.chain(name.get("family").and_then(Value::as_str)).collect();
            (!all.is_empty()).then(|| all.join(" "))
        })
    });
    let name = told.unwrap_or_else(|| Key::new(ResourceType::Patient, id.clone()).to_string());
    Some(PatientRow { id, name, born: text(patient, "birthDate").unwrap_or_default() })
}
