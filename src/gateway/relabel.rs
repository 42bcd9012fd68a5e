//! Reading the store anew for marks, in the background: after an upgrade from a release without them, and when the rules have changed.
//!
//! Until a record has been read, it counts as restricted, and a consent that asks for more shows it to nobody.

use super::Gateway;
use crate::disclosure::Marking;
use crate::fhir::Refusal;
use crate::store::{Marked, Unmarked};
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
        while let Some(batch) = self.parts.store.unmarked(ruleset).await? {
            let marking = self.marking();
            let marked: Vec<Marked> = batch.records.iter().filter_map(|record| marked(marking, record)).collect();
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
}

/// `None` for a record whose content is damaged: it stays as it is.
fn marked(marking: Marking<'_>, record: &Unmarked) -> Option<Marked> {
    let Ok(marks) = marking.chain(&record.versions) else {
        tracing::error!(place = record.place, "a record cannot be read to be labelled: its content is damaged");
        return None;
    };
    let versions = record.versions.iter().map(|row| row.facts.version);
    Some(Marked { place: record.place, marks: versions.zip(marks).collect() })
}
