//! Search parameters that the site defines: stored SearchParameter resources, once every record has been indexed by them.

use super::{Errand, Gateway, capabilities};
use crate::access::{Caller, Predicate};
use crate::disclosure::{Pending, Stored, parameter_of, values_under};
use crate::fhir::definitions::{Proposed, search_parameter};
use crate::fhir::search::{Custom, CustomParameters, ParameterId, STANDARD};
use crate::fhir::{Interaction, Need, Operation, Refusal, ResourceType};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;
use tokio::sync::Notify;

/// The first number of a site's own parameters; those of R4 end far before it.
const FIRST: i32 = 1_000_000;

/// Between two small commits, so that others get to write.
const PAUSE: Duration = Duration::from_millis(5);

/// How often to look for what another node, or the command line, has defined.
const LOOK: Duration = Duration::from_secs(5);

/// The same while something is not indexed yet, or could not be looked at.
const SOON: Duration = Duration::from_secs(1);

/// What can be searched by beside the parameters of R4. Whoever has taken a look keeps what they saw.
pub(super) struct Known {
    parameters: RwLock<&'static CustomParameters>,
    wake: Notify,
    /// One at a time reads what there is and publishes it: what was read first must not be published last.
    turn: tokio::sync::Mutex<()>,
    /// What was published last, so that the same is not published again.
    last: Mutex<String>,
}

impl Default for Known {
    fn default() -> Self {
        Self {
            parameters: RwLock::new(&STANDARD),
            wake: Notify::new(),
            turn: tokio::sync::Mutex::default(),
            last: Mutex::default(),
        }
    }
}

/// How far a parameter has come, as the store keeps it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Standing {
    pub(super) url: String,
    pub(super) code: String,
    #[serde(rename = "type")]
    pub(super) of: String,
    expression: String,
    number: i32,
    /// Every record of the type has been indexed.
    pub(super) indexed: bool,
    /// Records looked at so far.
    pub(super) records: u64,
    reached: i64,
    /// Why it cannot be searched by.
    pub(super) problem: Option<String>,
}

impl Standing {
    /// Whether nothing that a query can notice has changed.
    fn stands_as(&self, other: &Self) -> bool {
        (self.number, self.indexed, self.problem.is_some()) == (other.number, other.indexed, other.problem.is_some())
    }

    fn id(&self) -> ParameterId {
        ParameterId(self.number * 8)
    }
}

impl Gateway {
    pub(super) fn known(&self) -> &'static CustomParameters {
        self.known.parameters.read().map_or_else(|poisoned| *poisoned.into_inner(), |known| *known)
    }

    /// A SearchParameter was written or deleted.
    pub(super) fn note_parameters(&self, stored: &[Stored]) {
        if stored.iter().any(|one| one.key.resource_type == ResourceType::SearchParameter) {
            self.known.wake.notify_one();
        }
    }

    /// Brings the index up to date with what this release indexes, and indexes by what the site defines, as long as the process serves. It
    /// never ends.
    pub async fn follow_parameters(&self) {
        tokio::join!(self.index_earlier(), self.follow_definitions());
    }

    /// One node of a store indexes; the others take over what it has come to.
    async fn follow_definitions(&self) {
        loop {
            let done = if self.fresh.leads() { self.reindex().await.map(|_| true) } else { self.take_over_parameters().await };
            if done.is_err() {
                tracing::warn!("the site's search parameters could not be looked at; it is tried again");
            }
            let pause = if done.is_ok_and(|done| done) { LOOK } else { SOON };
            let _woken_or_time = tokio::time::timeout(pause, self.known.wake.notified()).await;
        }
    }

    /// Takes over the SearchParameter resources as they stand, and indexes every record by those that are new. How many parameters can be
    /// searched by.
    ///
    /// # Errors
    /// When the store cannot be read or written; what was done until then stays, and is gone on from.
    pub async fn reindex(&self) -> Result<usize, Refusal> {
        let turn = self.known.turn.lock().await;
        let before = self.standings().await?;
        let proposals = self.proposals().await?;
        let mut standings = settle(&before, &proposals);
        for gone in before.iter().filter(|old| !standings.iter().any(|one| one.number == old.number)) {
            self.publish(&standings, &proposals);
            self.parts.store.unindex(gone.id()).await?;
        }
        if before.is_empty() && standings.is_empty() {
            return Ok(0);
        }
        self.publish(&standings, &proposals);
        drop(turn);
        let is_known = |one: &Standing| before.iter().any(|old| old.stands_as(one));
        if before.len() != standings.len() || !standings.iter().all(is_known) {
            // Its number is everybody's before anybody's records are read for it.
            self.keep_standings(&standings, true).await?;
            self.fresh.let_others_hear().await;
        }
        for at in 0..standings.len() {
            self.index_by(at, &mut standings).await?;
        }
        Ok(standings.iter().filter(|one| one.indexed).count())
    }

    /// Takes over what any node has defined, deleted, or indexed by now: what was acknowledged there holds here from the next request on.
    /// Whether all of it is indexed.
    async fn take_over_parameters(&self) -> Result<bool, Refusal> {
        let _turn = self.known.turn.lock().await;
        let (before, proposals) = (self.standings().await?, self.proposals().await?);
        let all = settle(&before, &proposals);
        // What has no number yet gets it from the node that indexes.
        let standings: Vec<Standing> =
            all.iter().filter(|one| before.iter().any(|old| old.number == one.number)).cloned().collect();
        if !(before.is_empty() && standings.is_empty()) {
            self.publish(&standings, &proposals);
        }
        Ok(standings.len() == all.len() && all.iter().all(|one| one.indexed || one.problem.is_some()))
    }

    /// The same, when another node said that there is something new.
    pub(super) async fn hear_of_parameters(&self) -> Result<(), Refusal> {
        if !self.take_over_parameters().await? {
            self.known.wake.notify_one();
        }
        Ok(())
    }

    /// `SearchParameter/$index-status`: what has become of each parameter that the site defined. How many records there are is nobody's
    /// business, so progress in numbers is for the log.
    pub(super) async fn index_status(
        &self,
        caller: &Arc<Caller>,
        operation: &Operation,
        errand: &Errand,
    ) -> Result<Pending, Refusal> {
        let permit = self.permit(caller, Interaction::Operate(operation.clone()), errand)?;
        let whole = matches!(permit.granted(ResourceType::SearchParameter, Need::Search), Predicate::All);
        let standings = if whole { self.standings().await? } else { Vec::new() };
        let part = |one: &Standing| {
            let state = if one.problem.is_some() {
                "refused"
            } else if one.indexed {
                "indexed"
            } else {
                "indexing"
            };
            let mut parts = vec![
                json!({"name": "url", "valueUri": one.url}),
                json!({"name": "base", "valueCode": one.of}),
                json!({"name": "code", "valueCode": one.code}),
                json!({"name": "state", "valueCode": state}),
            ];
            parts.extend(one.problem.as_ref().map(|problem| json!({"name": "problem", "valueString": problem})));
            json!({"name": "parameter", "part": parts})
        };
        let list: Vec<_> = standings.iter().map(part).collect();
        let document = json!({"resourceType": "Parameters", "parameter": list});
        Ok(Pending::public(document.to_string()).owes(errand.visit.concluded(Vec::new(), Vec::new())))
    }

    /// How far each parameter has come.
    pub(super) async fn standings(&self) -> Result<Vec<Standing>, Refusal> {
        let state = self.parts.store.parameter_state().await?;
        Ok(state.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default())
    }

    async fn keep_standings(&self, standings: &[Standing], tell: bool) -> Result<(), Refusal> {
        let state = serde_json::to_vec(standings).map_err(|_| Refusal::Internal)?;
        Ok(self.parts.store.keep_parameter_state(state, tell).await?)
    }

    async fn proposals(&self) -> Result<Vec<Proposed>, Refusal> {
        let rows = self.parts.store.current(ResourceType::SearchParameter).await?;
        let read = rows.iter().filter(|row| !row.facts.deleted).map(parameter_of);
        read.filter_map(Result::transpose).collect()
    }

    async fn index_by(&self, at: usize, standings: &mut [Standing]) -> Result<(), Refusal> {
        loop {
            let Some(one) = standings.get_mut(at).filter(|one| !one.indexed && one.problem.is_none()) else { return Ok(()) };
            let Some(of) = ResourceType::parse(&one.of) else { return Ok(()) };
            let rows = self.parts.store.records_after(of, one.reached).await?;
            let mut entries = Vec::with_capacity(rows.len());
            for (place, row) in &rows {
                // A record whose content is damaged stays as it is.
                let values = values_under(row, &[one.id()], &self.marking()).unwrap_or_default();
                entries.push((*place, row.facts.version, values));
            }
            match rows.last() {
                Some((place, _)) => one.reached = *place,
                None => one.indexed = true,
            }
            one.records += u64::try_from(rows.len()).unwrap_or(0);
            let done = one.indexed;
            tracing::info!(code = one.code, resource_type = one.of, records = one.records, done, "records are being indexed");
            if !entries.is_empty() {
                self.parts.store.index(entries).await?;
            }
            if done {
                // Whoever reads that it is indexed can search by it, unless its definition is gone by now.
                let _turn = self.known.turn.lock().await;
                self.publish(standings, &self.proposals().await?);
                return self.keep_standings(standings, true).await;
            }
            self.keep_standings(standings, false).await?;
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Lets queries, writes and the CapabilityStatement see what there is now.
    fn publish(&self, standings: &[Standing], proposals: &[Proposed]) {
        let now: Vec<_> = standings.iter().map(|one| (one.number, one.indexed, one.problem.is_some())).collect();
        let now = format!("{now:?}");
        if self.known.last.lock().is_ok_and(|mut last| std::mem::replace(&mut *last, now.clone()) == now) {
            return;
        }
        let known = CustomParameters::new(standings.iter().filter_map(|one| custom(one, proposals)).collect());
        let known: &'static CustomParameters = Box::leak(Box::new(known));
        if let Ok(mut place) = self.known.parameters.write() {
            *place = known;
        }
        self.restate();
        tracing::info!(parameters = known.all().len(), "the site's search parameters have changed");
    }

    /// Tells in the CapabilityStatement what can be done now.
    pub(super) fn restate(&self) {
        if let Ok(mut statement) = self.capabilities.write() {
            let parts = &self.parts;
            let behind = parts.store.served();
            let (base, legacy) = (&parts.base, parts.endpoints.legacy());
            *statement = capabilities::statement(base, legacy, parts.clock.now(), self.known(), behind.as_ref());
        }
    }
}

fn custom(one: &Standing, proposals: &[Proposed]) -> Option<Custom> {
    let proposed = proposals.iter().find(|proposed| is_of(one, proposed))?;
    let defined = proposed.define(ResourceType::parse(&one.of)?, one.number).ok()?;
    Some(Custom::new(defined, one.indexed))
}

fn is_of(one: &Standing, proposed: &Proposed) -> bool {
    (one.url.as_str(), one.code.as_str(), one.expression.as_str())
        == (proposed.url.as_str(), proposed.code.as_str(), proposed.expression.as_str())
}

/// What stands of what is proposed: what is known already as far as it has come, what is new from the beginning. R4's own parameters,
/// which a site may store too, are not the site's.
fn settle(before: &[Standing], proposals: &[Proposed]) -> Vec<Standing> {
    let mut standings: Vec<Standing> = Vec::new();
    let mut number = before.iter().map(|one| one.number + 1).max().unwrap_or(FIRST);
    for proposed in proposals {
        for &of in &proposed.types {
            if search_parameter(of, &proposed.code).is_some() {
                continue;
            }
            let taken = standings.iter().any(|one| one.of == of.name() && one.code == proposed.code);
            let known = before.iter().find(|one| one.of == of.name() && is_of(one, proposed));
            let mut standing = known.cloned().unwrap_or_else(|| Standing {
                url: proposed.url.clone(),
                code: proposed.code.clone(),
                of: of.name().to_owned(),
                expression: proposed.expression.clone(),
                number,
                indexed: false,
                records: 0,
                reached: -1,
                problem: None,
            });
            number = number.max(standing.number + 1);
            standing.problem = if taken {
                Some(format!("another SearchParameter defines `{}` for {of}", proposed.code))
            } else {
                proposed.define(of, standing.number).err()
            };
            standing.indexed &= standing.problem.is_none();
            standings.push(standing);
        }
    }
    standings
}
