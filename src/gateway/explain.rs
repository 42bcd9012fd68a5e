//! Why somebody sees a record, or does not (`consent` § 13): for auditors whole, for patients in plain words. Nothing of a record is
//! shown; the decision comes from the same consents, memberships and scopes that answer requests.

use super::explain_words::{parts, plain};
use super::{Errand, Gateway};
use crate::access::{Caller, Look, Permit, Predicate, Scopes, SignIn, authorize};
use crate::consent::ImplicitPolicy;
use crate::consent::reference::Trace;
use crate::disclosure::{Input, Pending, input};
use crate::fhir::search::SearchQuery;
use crate::fhir::{Facts, Id, Instant, Interaction, Key, Need, Operation, Problem, ReadConditions, Refusal, ResourceType};
use crate::identity::normalised_purpose;
use crate::smart::Client;
use serde::Serialize;
use std::sync::Arc;

/// Records that one question may name or find.
const RECORDS: u32 = 100;

/// Somebody who might ask. What is not said is taken from the client's registration, where there is one.
#[derive(Debug, Clone, Default)]
pub struct Somebody {
    /// `client_id`
    pub client: Option<String>,
    /// `fhirUser`
    pub user: Option<Key>,
    /// The organization acted for.
    pub organization: Option<String>,
    /// Scopes; without them and without a client, scopes are not asked about.
    pub scope: Option<String>,
    /// Purposes of use.
    pub purposes: Vec<String>,
}

/// The decision on one record.
#[derive(Debug, Clone, Serialize)]
pub struct Explained {
    /// Whether it would be shown: scopes and every patient of it permit.
    pub shown: bool,
    /// The scopes that open it; `None` when nobody asked about scopes.
    pub scopes: Option<Vec<String>>,
    /// What holds where no consent speaks.
    pub implicit_policy: &'static str,
    /// What the patients say.
    pub decision: Trace,
}

impl Gateway {
    /// `Patient/id/$explain-access`
    pub(super) async fn explain_access(
        &self,
        caller: &Arc<Caller>,
        patient: &Id,
        operation: &Operation,
        errand: &Errand,
    ) -> Result<Pending, Refusal> {
        let permit = self.permit(caller, Interaction::Operate(operation.clone()), errand)?;
        let auditor = matches!(permit.granted(ResourceType::AuditEvent, Need::Read), Predicate::All);
        let own = caller.own_patient() == Some(patient);
        if !auditor && !own {
            return Err(Refusal::ExplanationRefused);
        }
        let given = input(&errand.body, operation)?;
        let somebody = somebody(&given)?;
        let mut explained = Vec::new();
        for key in records(&given, patient)? {
            // To patients their own records alone, as far as they see them.
            if !auditor && self.parts.store.read(&permit, Need::Read, &key).await?.is_none() {
                return Err(Refusal::NotFound);
            }
            let facts = self.parts.store.facts_of(&key)?.filter(|facts| facts.patients.contains(patient));
            explained.push(self.explained(&somebody, &facts.ok_or(Refusal::NotFound)?, errand.visit.now).await?);
        }
        let list = if auditor { parts(&explained) } else { plain(&somebody, &explained) };
        let document = serde_json::json!({"resourceType": "Parameters", "parameter": list});
        let entry = errand.visit.concluded(vec![patient.clone()], errand.visit.record.iter().cloned().collect());
        Ok(Pending::public(document.to_string()).owes(entry))
    }

    /// Why this somebody sees a record, or does not.
    ///
    /// # Errors
    /// [`Refusal::NotFound`] when there is no such record; when the store fails.
    pub async fn explain(&self, somebody: &Somebody, record: &Key) -> Result<Explained, Refusal> {
        let facts = self.parts.store.facts_of(record)?.ok_or(Refusal::NotFound)?;
        self.explained(somebody, &facts, self.parts.clock.now()).await
    }

    /// The same for what a search finds that the scopes let through, before any patient is asked.
    ///
    /// # Errors
    /// [`Refusal::Invalid`] for what is no search; [`Refusal::ScopeMissing`]; when the store fails.
    pub async fn explain_search(&self, somebody: &Somebody, search: SearchQuery) -> Result<Vec<Explained>, Refusal> {
        let (caller, scoped) = self.caller_of(somebody, self.parts.clock.now()).await?;
        let caller = if scoped { caller } else { Caller { user: None, scopes: Scopes::parse("system/*.rs"), ..caller } };
        let permit = authorize(&Arc::new(caller), Interaction::Search(Box::new(search.clone())))?;
        let rows = self.parts.store.select(&permit, Need::Search, &search, RECORDS).await?;
        let mut explained = Vec::new();
        for row in rows {
            explained.push(self.explained(somebody, &row.facts, self.parts.clock.now()).await?);
        }
        Ok(explained)
    }

    async fn explained(&self, somebody: &Somebody, facts: &Facts, now: Instant) -> Result<Explained, Refusal> {
        let (caller, known) = self.caller_of(somebody, now).await?;
        let user = caller.user.clone();
        let held = self.parts.emergency.holding(now, |grant| user.as_ref() == Some(&grant.user) && grant.client == caller.client);
        let grants: Vec<Id> = held.iter().map(|grant| grant.patient.clone()).collect();
        let look = |key: &Key| self.parts.store.facts_of(key).ok().flatten();
        let decision = self.parts.consent.explain(&caller, &grants, facts, &look, now);
        let scopes = known.then(|| opening(&caller, facts));
        let shown = decision.permitted && scopes.as_ref().is_none_or(|scopes| !scopes.is_empty());
        let implicit_policy = policy_name(self.parts.consent.site().settings().implicit_policy);
        Ok(Explained { shown, scopes, implicit_policy, decision })
    }

    /// The caller that somebody would be, and whether scopes are known.
    async fn caller_of(&self, somebody: &Somebody, now: Instant) -> Result<(Caller, bool), Refusal> {
        let registered = match &somebody.client {
            Some(id) => self.parts.tokens.registry.store().find(id).await.map_err(|_| Refusal::StoreUnavailable)?,
            None => None,
        };
        let of = |what: fn(&Client) -> Vec<String>| registered.as_ref().map(what).unwrap_or_default();
        let scope = somebody.scope.clone().or_else(|| registered.as_ref().map(|client| client.scopes.clone()));
        let patient = somebody.user.as_ref().filter(|user| user.resource_type == ResourceType::Patient);
        let purposes =
            if somebody.purposes.is_empty() { of(|client| client.purposes.clone()) } else { somebody.purposes.clone() };
        let caller = Caller {
            issuer: String::new(),
            subject: somebody.user.as_ref().map(ToString::to_string).unwrap_or_default(),
            client: somebody.client.clone().unwrap_or_default(),
            user: somebody.user.clone(),
            organization: somebody
                .organization
                .clone()
                .or_else(|| registered.as_ref().and_then(|client| client.organization.clone())),
            scopes: Scopes::parse(scope.as_deref().unwrap_or_default()),
            patient: patient.map(|user| user.id.clone()),
            encounter: None,
            purposes,
            acr: None,
            token_id: None,
            expires: now,
            sign_in: SignIn::default(),
        };
        Ok((caller, scope.is_some()))
    }
}

/// The scopes that open a record, each looked at alone.
fn opening(caller: &Caller, facts: &Facts) -> Vec<String> {
    let key = &facts.key;
    let opens = |permit: Permit| permit.granted(key.resource_type, Need::Read).holds(&Look::new(facts, &Vec::new)) == Some(true);
    let alone = |grant: &&crate::access::Grant| {
        let scopes = Scopes { grants: vec![(*grant).clone()], ..Scopes::default() };
        let caller = Arc::new(Caller { scopes, ..caller.clone() });
        let read = Interaction::Read(key.clone(), ReadConditions::default());
        // Whether a constraint holds takes the record's values, which are not looked at here: such a scope counts as one that may.
        authorize(&caller, read).is_ok_and(|permit| !grant.constraint.is_empty() || opens(permit))
    };
    caller.scopes.grants.iter().filter(alone).map(|grant| grant.text.clone()).collect()
}

fn policy_name(policy: ImplicitPolicy) -> &'static str {
    match policy {
        ImplicitPolicy::Deny => "Policy-deny",
        ImplicitPolicy::BreakGlassOnly => "Policy-break-glass-only",
        ImplicitPolicy::BasicNormal => "Policy-basic-normal",
        ImplicitPolicy::AllNormal => "Policy-all-normal",
    }
}

fn wrong(name: &str, text: &str) -> Refusal {
    Refusal::Invalid(vec![Problem::at("value", name, text)])
}

fn somebody(given: &Input) -> Result<Somebody, Refusal> {
    let user = given.text("user").map(|text| Key::parse(text).ok_or_else(|| wrong("user", "write `Type/id`"))).transpose()?;
    let purpose = |text: &str| normalised_purpose(text).ok_or_else(|| wrong("purpose", "this is no purpose of use"));
    let mut purposes = given.texts("purpose").map(purpose).collect::<Result<Vec<_>, _>>()?;
    // Without a word of whom and for what, the question is about treatment.
    if purposes.is_empty() && given.text("client").is_none() {
        purposes.push("TREAT".to_owned());
    }
    let text = |name: &str| given.text(name).map(str::to_owned);
    Ok(Somebody { client: text("client"), user, organization: text("organization"), scope: text("scope"), purposes })
}

fn records(given: &Input, patient: &Id) -> Result<Vec<Key>, Refusal> {
    let named = given.texts("record").map(|text| Key::parse(text).ok_or_else(|| wrong("record", "write `Type/id`")));
    let named = named.collect::<Result<Vec<_>, _>>()?;
    if named.len() > RECORDS as usize {
        return Err(wrong("record", "at most a hundred records can be asked about at once"));
    }
    Ok(if named.is_empty() { vec![Key::new(ResourceType::Patient, patient.clone())] } else { named })
}
