//! Labels that earlier versions of a record had and the current one no longer tells (`consent` § 3.4, high-water mark): the server behind
//! keeps no such thing, so the gateway does.

use crate::fhir::{Key, Marks};
use crate::store::{Answering, CommitError, StoreError};
use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

/// Where such labels are kept, beside the trail.
pub trait LabelLedger: Send + Sync {
    /// All of them: confidentiality, sensitivities and handling; nothing else of the marks means anything.
    fn labels(&self) -> Answering<'_, Vec<(Key, Marks)>>;

    /// Keeps some, in place of those before.
    fn keep_labels(&self, labels: Vec<(Key, Marks)>) -> Answering<'_, (), CommitError>;
}

/// The labels, at hand.
#[derive(Debug, Default)]
pub(super) struct Labels(RwLock<HashMap<Key, Marks>>);

impl Labels {
    /// Reads what is kept.
    pub(super) async fn load(ledger: &dyn LabelLedger) -> Result<Self, StoreError> {
        Ok(Self(RwLock::new(ledger.labels().await?.into_iter().collect())))
    }

    /// Takes over what other nodes have kept since.
    pub(super) async fn reload(&self, ledger: &dyn LabelLedger) -> Result<(), StoreError> {
        let kept = ledger.labels().await?;
        self.0.write().unwrap_or_else(PoisonError::into_inner).extend(kept);
        Ok(())
    }

    /// Those of a record.
    pub(super) fn of(&self, key: &Key) -> Option<Marks> {
        let kept = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if kept.is_empty() { None } else { kept.get(key).cloned() }
    }

    /// Takes over some.
    pub(super) fn put(&self, labels: &[(Key, Marks)]) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).extend(labels.iter().cloned());
    }
}

/// What of `raised` a record with its `own` marks does not say by itself.
pub(super) fn beyond(raised: &Marks, own: &Marks) -> Option<Marks> {
    let more = raised.confidentiality > own.confidentiality
        || raised.sensitivity & !own.sensitivity != 0
        || raised.handling & !own.handling != 0;
    more.then(|| Marks {
        confidentiality: raised.confidentiality,
        sensitivity: raised.sensitivity,
        handling: raised.handling,
        ..Marks::default()
    })
}

#[cfg(test)]
mod tests {
    use super::beyond;
    use crate::fhir::{Confidentiality, Marks};

    #[test]
    fn only_what_the_record_does_not_say_is_kept() {
        let own = Marks { sensitivity: 3, ..Marks::default() };
        assert_eq!(beyond(&own, &own), None);
        let raised = Marks { confidentiality: Confidentiality::R, ..own.clone() };
        assert_eq!(beyond(&raised, &own).map(|marks| marks.confidentiality), Some(Confidentiality::R));
        assert!(beyond(&Marks { sensitivity: 4, ..Marks::default() }, &own).is_some());
        assert!(beyond(&Marks { sensitivity: 1, ..Marks::default() }, &own).is_none());
    }
}
