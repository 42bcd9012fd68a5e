//! What all changes share: commit, take over consents, answer.

use super::{Errand, Gateway};
use crate::access::{Permit, Predicate};
use crate::disclosure::{Change, Commit, Committed, Guard, Pending, Row, Stored, written};
use crate::fhir::{Id, Interaction, Need, Problem, Refusal, Rendering, ResourceType, Return, Touched, methods};
use crate::store::CommitError;

/// How often a change is decided anew when another one came between.
pub(super) const ATTEMPTS: usize = 5;

/// Whether deciding and committing again makes sense.
pub(super) enum Failed {
    /// Something changed since the decision.
    Stale,
    /// No.
    Refused(Refusal),
}

impl From<Refusal> for Failed {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<crate::store::StoreError> for Failed {
    fn from(error: crate::store::StoreError) -> Self {
        Self::Refused(error.into())
    }
}

impl From<crate::store::StoreError> for Refusal {
    fn from(error: crate::store::StoreError) -> Self {
        match error {
            crate::store::StoreError::Cursor => Self::NotFound,
            crate::store::StoreError::Asked(problem) => Self::Invalid(vec![*problem]),
            crate::store::StoreError::Unavailable(reason) => {
                tracing::error!(reason, "the record store failed");
                Self::StoreUnavailable
            }
            crate::store::StoreError::Slow(reason) => {
                tracing::error!(reason, "the upstream is slow");
                Self::UpstreamSlow
            }
            crate::store::StoreError::InDoubt(reason) => {
                tracing::error!(reason, "how a change ended is not known");
                Self::UpstreamInDoubt
            }
            crate::store::StoreError::Untrusted(reason) => {
                tracing::error!(reason, "the upstream is not to be believed");
                Self::UpstreamUntrusted
            }
            crate::store::StoreError::Busy(seconds) => Self::UpstreamBusy(seconds),
            crate::store::StoreError::Costly(why) => Self::Invalid(vec![Problem::of("too-costly", why)]),
            crate::store::StoreError::Rejected(why) => Self::Unprocessable(vec![Problem::of("processing", why)]),
        }
    }
}

impl From<CommitError> for Refusal {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Stale => Self::Conflict,
            CommitError::Trail => Self::TrailUnavailable,
            CommitError::Unavailable(reason) => {
                tracing::error!(reason, "the record store failed");
                Self::StoreUnavailable
            }
            CommitError::Store(error) => error.into(),
        }
    }
}

/// Decides and commits until nothing comes between, a few times at most.
macro_rules! until_settled {
    ($attempt:expr) => {{
        let mut attempts = 0;
        loop {
            match $attempt {
                Err($crate::gateway::write::Failed::Stale) if attempts < $crate::gateway::write::ATTEMPTS => attempts += 1,
                Err($crate::gateway::write::Failed::Stale) => break Err($crate::fhir::Refusal::Conflict),
                Err($crate::gateway::write::Failed::Refused(refusal)) => break Err(refusal),
                Ok(done) => break Ok(done),
            }
        }
    }};
}
pub(super) use until_settled;

impl Gateway {
    /// Commits one change with its entry and answers; `had` is what the change was decided on.
    pub(super) async fn conclude(
        &self,
        permit: &Permit,
        (change, had): (Change, Option<&Row>),
        guards: Vec<Guard>,
        warnings: &[Problem],
        errand: &Errand,
    ) -> Result<Pending, Failed> {
        let created = creates(had);
        let entry = errand.visit.concluded(change.patients.clone(), vec![version_made(&change)]);
        let facts = change.facts(errand.visit.now);
        let committed = self.commit(Commit { guards, changes: vec![change], entries: vec![entry] }).await?;
        let stored = committed.stored.first().ok_or(Refusal::Internal)?;
        let rendering = told(permit, stored, created, &errand.rendering);
        let redaction = self.redaction();
        let cut = is_patch(permit).then_some(((permit, Need::Read, &redaction), &facts));
        Ok(written(stored, created, &rendering, warnings, &self.parts.base, cut)?.paid(committed.receipt))
    }

    /// Makes changes durable and lets the consents among them take effect.
    pub(super) async fn commit(&self, commit: Commit) -> Result<Committed, Failed> {
        let committed = self.parts.store.commit(commit).await.map_err(|error| match error {
            CommitError::Stale => Failed::Stale,
            other => Failed::Refused(other.into()),
        })?;
        self.parts.consent.changed(&committed.stored)?;
        self.note_parameters(&committed.stored);
        Ok(committed)
    }
}

/// Whether content makes a record of this: of nothing, or of one that was deleted
/// (<https://hl7.org/fhir/R4/http.html#delete>: it is brought back, and `201` says so).
pub(super) fn creates(had: Option<&Row>) -> bool {
    had.is_none_or(|had| had.facts.deleted)
}

/// How a change is answered: a caller who may not read the type is not shown what was there before a patch.
fn told(permit: &Permit, stored: &Stored, created: bool, asked: &Rendering) -> Rendering {
    let blind = matches!(permit.granted(stored.key.resource_type, Need::Read), Predicate::None);
    if blind && is_patch(permit) && !created {
        Rendering { prefer: Some(Return::Minimal), ..asked.clone() }
    } else {
        asked.clone()
    }
}

/// Whether the answer may hold what the caller did not send.
pub(super) fn is_patch(permit: &Permit) -> bool {
    matches!(permit.interaction(), Interaction::Patch(..) | Interaction::ConditionalPatch(..))
}

/// The version that a change makes, for the trail.
pub(super) fn version_made(change: &Change) -> Touched {
    use crate::disclosure::Expected;
    use crate::fhir::Version;
    let version = match change.expected {
        Expected::Absent => Version::FIRST,
        Expected::Version(version) => version.next(),
    };
    Touched { resource_type: change.key.resource_type, id: change.key.id.clone(), version: Some(version) }
}

/// The trail is nobody's to change (`audit` § 3).
pub(super) fn changeable(interaction: &Interaction) -> Result<(), Refusal> {
    let trail = ResourceType::AuditEvent;
    let refused = match interaction {
        Interaction::Update(key, _) | Interaction::Patch(key, _) | Interaction::Delete(key, _) => {
            (key.resource_type == trail).then(|| methods(&key.to_string()))
        }
        Interaction::ConditionalUpdate(query, _)
        | Interaction::ConditionalPatch(query, _)
        | Interaction::ConditionalDelete(query) => query.types.contains(&trail).then(|| methods(trail.name())),
        _ => None,
    };
    refused.map_or(Ok(()), |allow| Err(Refusal::MethodNotAllowed(allow)))
}

/// A fresh id of an event that somebody else reports.
pub(super) fn received_id() -> Id {
    let fresh = Id::random();
    Id::parse(&format!("received-{fresh}")).unwrap_or(fresh)
}

/// A fresh id.
pub(super) fn new_id() -> Id {
    Id::random()
}
