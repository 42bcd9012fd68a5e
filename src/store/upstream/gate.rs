//! The permit's predicate on a record that came, in memory: what it needs of other records is fetched first.

use super::UpstreamStore;
use super::fault::Fault;
use super::needle::{Needle, Silent, references};
use super::round::{Alone, Round};
use crate::access::{Look, Permit, Predicate};
use crate::disclosure::{Taken, joined};
use crate::fhir::naming::belongs_to_patients;
use crate::fhir::search::ParameterId;
use crate::fhir::{Fact, Facts, Key, ResourceType};
use std::collections::HashSet;
use std::sync::Arc;

impl UpstreamStore {
    /// Whether a record may be seen. `values` is the record itself when a condition on its values can hold: it is current and live.
    /// What stays unknown does not hold.
    pub(super) async fn shows(
        &self,
        predicate: &Predicate,
        facts: &Facts,
        values: Option<&Taken>,
        round: &mut Round,
    ) -> Result<bool, Fault> {
        let (decided, asked) = decide(predicate, facts, values, round);
        if decided.is_some() || asked.is_empty() {
            return Ok(decided == Some(true));
        }
        for key in asked {
            self.facts_known(&key, round).await?;
        }
        Ok(decide(predicate, facts, values, round).0 == Some(true))
    }

    /// A record that came, with what it owes to others: the patients of the records that it belongs with, and the labels that earlier
    /// versions of it are known to have had.
    pub(super) async fn settled(&self, mut taken: Taken, round: &mut Round) -> Result<Taken, Fault> {
        self.raised(&mut taken);
        if taken.with().is_empty() {
            return Ok(taken);
        }
        let others = self.kin(taken.key(), taken.with(), round).await?;
        taken.join(&others);
        Ok(taken)
    }

    /// The facts of all with which a record belongs: of these, of those with which they belong, and so on, each once, whatever circles
    /// they make and however long the way is.
    async fn kin(&self, of: &Key, with: &[Key], round: &mut Round) -> Result<Vec<Facts>, Fault> {
        let mut seen = HashSet::from([of.clone()]);
        let (mut next, mut all) = (with.to_vec(), Vec::new());
        while let Some(key) = next.pop() {
            if !seen.insert(key.clone()) {
                continue;
            }
            if seen.len() > self.options.hop_records {
                return Err(Fault::Costly(TOO_MANY_KIN));
            }
            if let Some(alone) = self.alone(&key, round).await? {
                next.extend_from_slice(&alone.1);
                all.push(alone.0.as_ref().clone());
            }
        }
        Ok(all)
    }

    /// A live record by itself, looked up once a request.
    async fn alone(&self, key: &Key, round: &mut Round) -> Result<Alone, Fault> {
        if let Some(found) = round.found(key) {
            return Ok(found);
        }
        let found = if self.is_own(key.resource_type) {
            self.own.facts(std::slice::from_ref(key)).await?.pop().map(|facts| (Arc::new(facts), Vec::new()))
        } else {
            if round.lasted(self.options.whole) {
                return Err(Fault::Slow("one record after the other"));
            }
            self.there(key, true).await?.map(|taken| (taken.facts.clone(), taken.with().to_vec()))
        };
        let found = found.map(Arc::new);
        round.remember(key, found.clone(), self.options.looked_at)?;
        Ok(found)
    }

    /// Which references of a record are silent to a caller, of those that these conditions listen to. A record that is not there counts as
    /// hidden where the patient of this one restricts the caller: nobody can tell the two apart then.
    pub(super) async fn silent(
        &self,
        permit: &Permit,
        needles: &[Needle],
        taken: &Taken,
        round: &mut Round,
    ) -> Result<Silent, Fault> {
        let mut silent = Silent::default();
        let listened: Vec<Option<ParameterId>> = needles.iter().flat_map(Needle::listens).collect();
        if listened.is_empty() {
            return Ok(silent);
        }
        let consents = permit.consents();
        if matches!(consents, Predicate::All) {
            return Ok(silent);
        }
        let whole = listened.contains(&None);
        let heard = |id: ParameterId| whole || listened.contains(&Some(id));
        let references: Vec<(ParameterId, Key)> = references(taken).filter(|(id, _)| heard(*id)).collect();
        for (by, key) in references.into_iter().filter(|(_, key)| belongs_to_patients(key.resource_type)) {
            let hidden = match self.facts_known(&key, round).await? {
                Some(facts) => !self.shows(&consents, &facts, None, round).await?,
                None => permit.is_restricted_by(&taken.facts.patients),
            };
            if hidden {
                silent.0.insert(by);
            }
        }
        Ok(silent)
    }

    /// The facts of a live record, whoever may see it; looked up once a request.
    pub(super) async fn facts_known(&self, key: &Key, round: &mut Round) -> Result<Option<Facts>, Fault> {
        if let Some(known) = round.known.get(key) {
            return Ok(known.clone());
        }
        let facts = match self.alone(key, round).await? {
            Some(alone) => Some(joined(&alone.0, &self.kin(key, &alone.1, round).await?)),
            None => None,
        };
        round.known.insert(key.clone(), facts.clone());
        Ok(facts)
    }

    /// Takes over the labels that earlier versions of a record are known to have had.
    pub(super) fn raised(&self, taken: &mut Taken) {
        if let Some(marks) = self.labels.of(taken.key()) {
            taken.raise(&marks);
        }
    }

    /// Types that the gateway keeps itself.
    pub(super) fn is_own(&self, of: ResourceType) -> bool {
        of == ResourceType::AuditEvent || self.options.own_types.contains(&of)
    }
}

const TOO_MANY_KIN: &str = "a record belongs with more others than can be looked up";

/// Decides by what is known, and tells what else would have to be.
fn decide(predicate: &Predicate, facts: &Facts, values: Option<&Taken>, round: &Round) -> (Option<bool>, Vec<Key>) {
    let mut asked = Vec::new();
    let mut refers = |key: &Key| match round.known.get(key) {
        Some(Some(other)) if other.marks.is_unread() => None,
        Some(other) => Some(other.as_ref().is_some_and(|other| other.marks.facts.contains(Fact::names(&facts.key)))),
        None => {
            asked.push(key.clone());
            None
        }
    };
    let compute = || values.map(|taken| taken.values().to_vec()).unwrap_or_default();
    let look = if values.is_some() { Look::new(facts, &compute) } else { Look::without_values(facts) };
    let decided = predicate.holds_given(&look, &mut refers);
    (decided, asked)
}
