//! The permit's predicate on a record that came, in memory: what it needs of other records is fetched first.

use super::UpstreamStore;
use super::fault::Fault;
use super::fetch::Current;
use super::needle::{Needle, Silent, references};
use super::round::Round;
use crate::access::{Look, Permit, Predicate};
use crate::disclosure::Taken;
use crate::fhir::naming::belongs_to_patients;
use crate::fhir::search::ParameterId;
use crate::fhir::{Fact, Facts, Key, ResourceType};

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
        if let Some(marks) = self.labels.of(taken.key()) {
            taken.raise(&marks);
        }
        if taken.with().is_empty() {
            return Ok(taken);
        }
        let mut others = Vec::new();
        for key in taken.with().to_vec() {
            others.extend(self.facts_known(&key, round).await?);
        }
        taken.join(&others);
        Ok(taken)
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
        // A record that belongs with itself, by whatever detour, is looked up once.
        round.known.insert(key.clone(), None);
        let facts = if self.is_own(key.resource_type) {
            self.own.facts(std::slice::from_ref(key)).await?.into_iter().next()
        } else {
            match Box::pin(self.current(key, round)).await? {
                Current::Live(taken) => Some(taken.facts),
                Current::Deleted(_) | Current::Absent => None,
            }
        };
        round.known.insert(key.clone(), facts.clone());
        Ok(facts)
    }

    /// Types that the gateway keeps itself.
    pub(super) fn is_own(&self, of: ResourceType) -> bool {
        of == ResourceType::AuditEvent || self.options.own_types.contains(&of)
    }
}

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
