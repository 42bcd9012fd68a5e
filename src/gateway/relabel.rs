//! Reading the store anew for marks, in the background: after an upgrade from a release without them, and when the rules have changed.
//!
//! Until a record has been read, it counts as restricted, and a consent that asks for more shows it to nobody.

use super::Gateway;
use crate::fhir::{Facts, Id, Key, Refusal};
use crate::store::{Marked, Row, Unmarked};
use std::collections::HashSet;
use std::time::Duration;

/// Between two small commits, so that others get to write.
const PAUSE: Duration = Duration::from_millis(10);

impl Gateway {
    /// Marks every record that other rules marked, or none did; how many that were. Goes on where an earlier run was ended.
    ///
    /// # Errors
    /// When the store cannot be read or written; what was done until then stays.
    pub async fn relabel(&self) -> Result<u64, Refusal> {
        let ruleset = self.parts.labelling.ruleset();
        let mut count = 0_u64;
        // Records that wait for those that they are decided together with; none waits twice.
        let mut waited = HashSet::new();
        while let Some(batch) = self.parts.store.unmarked(ruleset).await? {
            let mut marked = Vec::with_capacity(batch.records.len());
            for record in &batch.records {
                marked.extend(self.marked(record, &mut waited).await?);
            }
            if count == 0 && !marked.is_empty() {
                tracing::info!(ruleset, "records are being labelled");
            }
            count += u64::try_from(marked.len()).unwrap_or(0);
            metrics::counter!("amanat_relabelled_total").increment(u64::try_from(marked.len()).unwrap_or(0));
            let worked = !marked.is_empty();
            self.parts.store.mark(ruleset, marked, batch.reached, batch.last).await?;
            if worked {
                tokio::time::sleep(PAUSE).await;
            }
        }
        if count > 0 {
            tracing::info!(ruleset, records = count, "records have been labelled");
        }
        Ok(count)
    }

    /// `None` for a record whose content is damaged: it stays as it is.
    async fn marked(&self, record: &Unmarked, waited: &mut HashSet<i64>) -> Result<Option<Marked>, Refusal> {
        let Ok(marks) = self.marking().chain(&record.versions) else {
            tracing::error!(place = record.place, "a record cannot be read to be labelled: its content is damaged");
            return Ok(None);
        };
        let versions = record.versions.iter().map(|row| row.facts.version);
        let mut marked = Marked { place: record.place, marks: versions.zip(marks).collect(), patients: None };
        for (row, (_, marks)) in record.versions.iter().zip(&mut marked.marks) {
            let Some((facts, complete, named)) = self.kin(row).await? else { continue };
            let before = std::mem::take(marks);
            *marks = facts.iter().fold(before, |marks, one| marks.joined_with(&row.facts.key, &one.marks));
            if !complete && !row.facts.marks.is_unread() {
                // Of one that is gone nothing is known but what was known before.
                *marks = std::mem::take(marks).raised_to(&row.facts.marks);
            }
            let behind = facts.iter().any(|one| one.marks.ruleset != self.parts.labelling.ruleset());
            if behind && waited.insert(record.place) {
                marks.ruleset = 0;
            }
            let mut patients: Vec<Id> =
                facts.iter().flat_map(|one| one.patients.clone()).chain(named).chain(row.facts.patients.clone()).collect();
            patients.sort();
            patients.dedup();
            marked.patients = Some(patients);
        }
        Ok(Some(marked))
    }

    /// The facts of the records that a version is decided together with, whether they are all there, and the patients whom it names itself;
    /// `None` when there are none.
    async fn kin(&self, row: &Row) -> Result<Option<(Vec<Facts>, bool, Vec<Id>)>, Refusal> {
        let (keys, named): (Vec<Key>, Vec<Id>) = self.marking().kin(row)?;
        if keys.is_empty() {
            return Ok(None);
        }
        let facts = self.parts.store.facts(&keys).await?;
        let complete = facts.len() == keys.len();
        Ok(Some((facts, complete, named)))
    }
}
