//! `Patient/id/$break-glass` and `$end-break-glass` (`consent` § 7): the only place where a caller comes to more than the patients
//! allow. Every condition is looked at before the patient is, so that a refusal tells nothing of whether there is one.

use super::{Errand, Gateway};
use crate::access::{BreakGlass, Caller, Level, Permit, Scopes, authorize};
use crate::audit::{Entry, Event};
use crate::disclosure::{Input, Pending, input};
use crate::fhir::{Id, Instant, Interaction, Key, Need, Operation, Problem, Refusal, ResourceType};
use crate::smart::{self, Issued};
use crate::store::emergency::{Notice, Opening, Recipient};
use serde_json::{Value, json};
use std::sync::Arc;

/// A sign-in is fresh for this many seconds.
const FRESH_SECONDS: u32 = 300;

/// Seconds in which somebody else must close the case.
const REVIEW: i64 = 72 * 3600;

/// Repetition is told for this many seconds.
const REMEMBERED: i64 = 30 * 24 * 3600;

/// The purpose of a grant's token, and nothing else.
const BREAK_THE_GLASS: &str = "BTG";

/// What was asked for, in order.
struct Wish {
    reason: String,
    text: String,
    minutes: u32,
}

impl Gateway {
    /// Opens one patient to one user for a while.
    pub(super) async fn break_glass(&self, caller: &Arc<Caller>, patient: &Id, errand: &Errand) -> Result<Pending, Refusal> {
        let operation = Operation::BreakGlass(patient.clone());
        let permit = authorize(caller, Interaction::Operate(operation.clone()))?;
        let user = self.may_break(caller, errand.visit.now)?;
        let wish = self.wish(&input(&errand.body, &operation)?)?;
        self.within_reach(&permit, patient).await?;
        let scope = scope(&caller.scopes, caller.patient.as_ref() == Some(patient));
        if scope.is_empty() {
            return Err(Refusal::NotFound);
        }
        let id = uuid::Uuid::new_v4().to_string();
        let certificate = caller.sign_in.certificate.clone().or_else(|| errand.peer.clone());
        let token = self.emergency_token(caller, patient, &scope, &id, certificate.clone(), &wish, errand.visit.now)?;
        let grant = BreakGlass {
            id,
            patient: patient.clone(),
            issuer: caller.issuer.clone(),
            subject: caller.subject.clone(),
            user,
            client: caller.client.clone(),
            certificate,
            token_id: token.id.clone(),
            reason: wish.reason,
            text: wish.text,
            begins: errand.visit.now,
            ends: token.expires,
            ended: None,
            ended_by: None,
        };
        let answer = answer(&grant, &token, &scope, caller.sign_in.key.is_some(), errand.visit.now);
        let receipt = self.parts.emergency.open(self.opening(grant, errand).await?).await?;
        tracing::warn!(rule = "R9", request_id = errand.visit.request_id, "emergency access began");
        metrics::counter!(crate::telemetry::BREAK_GLASS_GRANTS).increment(1);
        Ok(Pending::public(answer.to_string()).paid(receipt))
    }

    /// Is this caller one who may? Nothing of the patient is looked at.
    fn may_break(&self, caller: &Caller, now: Instant) -> Result<Key, Refusal> {
        let rules = self.parts.emergency.rules();
        let refused = |why| Err(Refusal::BreakGlassRefused(why));
        let person = caller.user.as_ref();
        let clinician = |key: &&Key| matches!(key.resource_type, ResourceType::Practitioner | ResourceType::PractitionerRole);
        let Some(user) = person.filter(clinician) else { return refused("user") };
        if !rules.enabled {
            return refused("disabled");
        }
        if !caller.sign_in.roles.iter().any(|role| rules.roles.contains(role)) {
            return refused("role");
        }
        if !caller.sign_in.registered_purposes.iter().any(|purpose| purpose == BREAK_THE_GLASS) {
            return refused("client");
        }
        if !caller.signed_in_since(now.plus_seconds(-i64::from(FRESH_SECONDS)), &rules.acr) {
            return Err(Refusal::StepUp { acr_values: rules.acr.join(" "), max_age: FRESH_SECONDS });
        }
        Ok(user.clone())
    }

    fn wish(&self, input: &Input) -> Result<Wish, Refusal> {
        let rules = self.parts.emergency.rules();
        let wrong = |name: &str, text: String| Err(Refusal::Unprocessable(vec![Problem::at("code-invalid", name, text)]));
        let reason = input.text("reason").unwrap_or_default();
        if !rules.reasons.iter().any(|known| known == reason) {
            return wrong(
                "reason",
                format!("`{reason}` is no reason of this site; those that are: {}", rules.reasons.join(", ")),
            );
        }
        let minutes = input.whole("minutes").unwrap_or(rules.minutes);
        if !(1..=rules.max_minutes).contains(&minutes) {
            return wrong("minutes", format!("`minutes` must lie between 1 and {}", rules.max_minutes));
        }
        Ok(Wish { reason: reason.to_owned(), text: input.text("text").unwrap_or_default().to_owned(), minutes })
    }

    /// Is the patient one whom the token could reach, if patients allowed everything? A grant never widens what the token opens.
    async fn within_reach(&self, permit: &Permit, patient: &Id) -> Result<(), Refusal> {
        let key = Key::new(ResourceType::Patient, patient.clone());
        let found = self.parts.store.read(permit, Need::Read, &key).await?;
        found.filter(|row| !row.facts.deleted).map(drop).ok_or(Refusal::NotFound)
    }

    #[expect(clippy::too_many_arguments, reason = "a token says many things, and each comes from somewhere else")]
    fn emergency_token(
        &self,
        caller: &Caller,
        patient: &Id,
        scope: &str,
        id: &str,
        certificate: Option<String>,
        wish: &Wish,
        now: Instant,
    ) -> Result<Issued, Refusal> {
        let tokens = &self.parts.tokens;
        let grant = smart::Grant {
            issuer: tokens.issuer.clone(),
            audience: tokens.audience.clone(),
            client: caller.client.clone(),
            subject: Some(caller.subject.clone()),
            scope: scope.to_owned(),
            lifetime: wish.minutes * 60,
            user: caller.user.clone(),
            patient: Some(patient.clone()),
            organization: caller.organization.clone(),
            purposes: vec![BREAK_THE_GLASS.to_owned()],
            certificate,
            key: caller.sign_in.key.clone(),
            emergency: Some((id.to_owned(), caller.issuer.clone())),
            ..smart::Grant::default()
        };
        smart::issue(&tokens.keys.signing(), &grant, now).map_err(|fault| {
            tracing::error!(%fault, "a token could not be signed");
            Refusal::Internal
        })
    }

    /// The grant with everything that must happen with it.
    async fn opening(&self, grant: BreakGlass, errand: &Errand) -> Result<Opening, Refusal> {
        let since = errand.visit.now.plus_seconds(-REMEMBERED);
        let user = grant.user.to_string();
        let (same, all) = self.parts.emergency.store().history(&user, &grant.patient, since).await?;
        let asked = format!("{} reason={} grant={}", errand.visit.query.as_deref().unwrap_or_default(), grant.reason, grant.id);
        let entry = emergency_entry("started", &grant, errand).asking(&asked);
        let notices = vec![
            Notice { rule: "R9", recipient: Recipient::PrivacyOffice, text: to_the_office(&grant, same, all) },
            Notice { rule: "R9", recipient: Recipient::Patient(grant.patient.clone()), text: to_the_patient(&grant) },
        ];
        Ok(Opening { due: grant.begins.plus_seconds(REVIEW), grant, notices, entry })
    }

    /// Ends the caller's own emergency access to a patient.
    pub(super) async fn end_break_glass(&self, caller: &Arc<Caller>, patient: &Id, errand: &Errand) -> Result<Pending, Refusal> {
        let operation = Operation::EndBreakGlass(patient.clone());
        authorize(caller, Interaction::Operate(operation.clone()))?;
        input(&errand.body, &operation)?;
        let now = errand.visit.now;
        let own = |grant: &BreakGlass| {
            grant.patient == *patient && caller.user.as_ref() == Some(&grant.user) && caller.client == grant.client
        };
        let held = self.parts.emergency.holding(now, own);
        let first = held.first().ok_or(Refusal::NotFound)?;
        let ids: Vec<String> = held.iter().map(|grant| grant.id.clone()).collect();
        let entry = emergency_entry("ended", first, errand).asking(&format!("grant={}", ids.join(",")));
        let receipt = self.parts.emergency.end(&ids, &first.user.to_string(), now, entry).await?;
        let answer = json!({"resourceType": "Parameters", "parameter": [{"name": "ended", "valueInstant": now.to_string()}]});
        Ok(Pending::public(answer.to_string()).paid(receipt))
    }
}

fn emergency_entry(word: &'static str, grant: &BreakGlass, errand: &Errand) -> Entry {
    let mut entry = errand.visit.concluded(vec![grant.patient.clone()], Vec::new());
    entry.event = Event::Override(word);
    entry.agent.purposes = vec![BREAK_THE_GLASS.to_owned()];
    entry
}

/// The part of what the old token grants that looks at this patient: reading and searching, confined to the patient. Writing needs no
/// grant, and the trail is for auditors.
fn scope(old: &Scopes, same_patient: bool) -> String {
    let reads = old.grants.iter().filter_map(|grant| {
        let level = grant.level == Level::User || (grant.level == Level::Patient && same_patient);
        let letters: String =
            grant.needs.iter().filter(|need| matches!(need, Need::Read | Need::Search)).map(|need| need.letter()).collect();
        let name = grant.resource_type.map_or("*", ResourceType::name);
        let query = grant.text.split_once('?').map(|(_, query)| format!("?{query}")).unwrap_or_default();
        let looks = level && !letters.is_empty() && grant.resource_type != Some(ResourceType::AuditEvent);
        looks.then(|| format!("patient/{name}.{letters}{query}"))
    });
    let mut found: Vec<String> = reads.collect();
    found.dedup();
    found.join(" ")
}

fn to_the_office(grant: &BreakGlass, same: i64, all: i64) -> String {
    let mut text = format!(
        "Emergency access: {} through client {} to Patient/{}, reason {}, until {}.",
        grant.user, grant.client, grant.patient, grant.reason, grant.ends
    );
    if same > 0 {
        text.push_str(" Not the first of this user to this patient within 30 days.");
    }
    if all >= 3 {
        text.push_str(" More than three of this user within 30 days.");
    }
    text
}

fn to_the_patient(grant: &BreakGlass) -> String {
    format!(
        "Your record was opened for an emergency at {} by {} (reason given: {}). It closes again at {}. Somebody else reviews why.",
        grant.begins, grant.user, grant.reason, grant.ends
    )
}

fn answer(grant: &BreakGlass, token: &Issued, scope: &str, bound: bool, now: Instant) -> Value {
    json!({"resourceType": "Parameters", "parameter": [
        {"name": "access_token", "valueString": token.token},
        {"name": "token_type", "valueCode": if bound { "DPoP" } else { "Bearer" }},
        {"name": "expires_in", "valueInteger": token.expires.seconds() - now.seconds()},
        {"name": "scope", "valueString": scope},
        {"name": "grant", "valueId": grant.id},
        {"name": "ends", "valueInstant": grant.ends.to_string()},
    ]})
}
