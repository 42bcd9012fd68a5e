//! Writes, exactly once in front of a server that may not be exact.
//!
//! Writers of the same thing take turns. Under the lock the conditions are asked again, the versions compared again, an opening entry is
//! made durable, and then the change is sent: under an address that was chosen before, so that sending it twice is writing it once, and
//! that a doubtful end can be looked up. The concluding entries are durable before anybody hears of it. Without them the answer is 503,
//! and the opening entry tells what was begun.

use super::UpstreamStore;
use super::doubt::{certain, unsure};
use super::fault::Fault;
use super::fetch::Current;
use super::labels::beyond;
use super::locks::{Held, Wishes, identities_given};
use super::peer::Peer;
use super::round::Round;
use super::turns::Turn;
use super::wire::{Answer, Ask};
use crate::audit::{Entry, Receipt};
use crate::disclosure::{Arrived, Change, Commit, Committed, Expected, Forwarded, Guard, Stored, Taken};
use crate::fhir::{Key, Marks, Version};
use crate::store::{CommitError, StoreError};
use futures_util::future::join_all;

/// What a change made, and the labels that the content tells by itself.
pub(super) type Written = (Stored, Option<Marks>);

/// What is under an address before a change: its version, whether that is a deletion, and whether it can be named in a condition.
type Before = Option<(Version, bool, bool)>;

const BOTH: &str = "a change that concerns records behind and records of the gateway's own store cannot be made all or nothing; send them one after the other";
const APART: &str =
    "a change of records that different servers keep cannot be made all or nothing; send them one after the other";
const ADDRESS: &str = "it names the address of the server that keeps the records, which means another record here than was decided on; refer to records by this base, or relative to it";
const REFUSED: &str = "the server that keeps the records does not take this content or this change; its log says why";

impl UpstreamStore {
    /// Applies a commit.
    pub(super) async fn apply(&self, commit: Commit) -> Result<Committed, CommitError> {
        let own = commit.changes.iter().filter(|change| self.is_own(change.key.resource_type)).count();
        if own > 0 && own < commit.changes.len() {
            return Err(CommitError::Store(StoreError::Rejected(BOTH)));
        }
        if own == 0 && self.peers.of_all(commit.changes.iter().map(|change| change.key.resource_type)).is_none() {
            return Err(CommitError::Store(StoreError::Rejected(APART)));
        }
        let wishes = Wishes::of(&commit);
        let held = self.locks.take(&wishes).await;
        let turn = self.turns.take(&wishes).await?;
        for guard in &commit.guards {
            self.recheck(guard).await?;
        }
        if own == 0
            && commit.changes.iter().filter_map(|change| change.content.as_ref()).any(|content| !self.crossing.keeps(content))
        {
            return Err(CommitError::Store(StoreError::Rejected(ADDRESS)));
        }
        if own > 0 || commit.changes.is_empty() {
            return self.own.commit(Commit { guards: Vec::new(), ..commit }).await;
        }
        let mut before = Vec::with_capacity(commit.changes.len());
        for change in &commit.changes {
            before.push(self.expected(change).await?);
        }
        let Commit { changes, entries, .. } = commit;
        let mut entries = entries;
        let begun = changes.iter().flat_map(|change| identities_given(change).into_iter().map(|one| (one, change.key.clone())));
        let deciding: Vec<Key> = changes.iter().map(|change| change.key.clone()).filter(|key| self.decides(key)).collect();
        let (by_identifier, by_type) = (self.turns.begin(begun.collect()), self.turns.decide(deciding.clone()));
        let (announced, begun, decided) = tokio::join!(self.announce(&entries), by_identifier, by_type);
        announced?;
        begun?;
        decided?;
        self.keep_raised(&changes).await?;
        let stored = self.send(&changes, &before).await?;
        self.standing.written(stored.iter().map(|(stored, _)| stored), &self.options.deciding);
        self.keep_labels(&changes, &stored).await?;
        if !deciding.is_empty() {
            self.turns.decide(deciding).await?;
            self.turns.tell().await?;
        }
        for one in &stored {
            tell_version(&mut entries, &one.0);
        }
        let receipt = self.conclude(entries, (held, turn)).await?;
        Ok(Committed { stored: stored.into_iter().map(|(stored, _)| stored).collect(), receipt })
    }

    fn decides(&self, key: &Key) -> bool {
        self.options.deciding.contains(&key.resource_type)
    }

    /// One more than the condition selected suffices to see a difference.
    async fn recheck(&self, guard: &Guard) -> Result<(), CommitError> {
        let limit = u32::try_from(guard.selected.len()).unwrap_or(u32::MAX).saturating_add(1);
        let rows = self.selected(&guard.permit, guard.need, &guard.query, limit).await?;
        let mut keys: Vec<Key> = rows.iter().map(|row| row.facts.key.clone()).collect();
        keys.sort();
        if keys == guard.selected { Ok(()) } else { Err(CommitError::Stale) }
    }

    /// What a change meets, when that is what it was decided on.
    async fn expected(&self, change: &Change) -> Result<Before, CommitError> {
        let before = match self.current(&change.key, &mut Round::default()).await? {
            Current::Live(taken) => Some((taken.facts.version, false, taken.is_numbered())),
            Current::Deleted(facts) => Some((facts.version, true, false)),
            Current::Absent => None,
        };
        match (before, change.expected) {
            (None, Expected::Absent) => Ok(None),
            (Some((found, ..)), Expected::Version(wanted)) if found == wanted => Ok(before),
            _ => Err(CommitError::Stale),
        }
    }

    /// Entries that say what is about to be sent: one for each change, so that no patient's log tells of another.
    async fn announce(&self, entries: &[Entry]) -> Result<(), CommitError> {
        let mut openings: Vec<Entry> = entries.iter().filter(|entry| !entry.records.is_empty()).cloned().collect();
        for opening in &mut openings {
            Entry::OPENED.clone_into(&mut opening.reason);
        }
        if openings.is_empty() {
            return Err(CommitError::Trail);
        }
        let written = join_all(openings.into_iter().map(|opening| self.trail.append(opening))).await;
        if written.iter().all(Result::is_ok) { Ok(()) } else { Err(CommitError::Trail) }
    }

    /// The entries that say how it ended.
    async fn conclude(&self, entries: Vec<Entry>, held: (Held, Option<Turn>)) -> Result<Receipt, CommitError> {
        let receipts = join_all(entries.into_iter().map(|entry| self.trail.append(entry))).await;
        drop(held);
        let receipts: Result<Vec<Receipt>, _> = receipts.into_iter().collect();
        receipts.ok().and_then(|mut receipts| receipts.pop()).ok_or(CommitError::Trail)
    }

    /// Sends the changes; gives what is there now, with the content that was read back.
    async fn send(&self, changes: &[Change], before: &[Before]) -> Result<Vec<Written>, CommitError> {
        let [only] = changes else { return self.send_together(changes, before).await };
        let peer = self.peers.of(only.key.resource_type);
        let answer = peer.wire.ask(&self.request(only, before.first().copied().flatten())).await;
        match certain(answer) {
            Ok(answer) => match answer.status {
                200 | 201 | 204 => Ok(vec![self.outcome(only, answer).await?]),
                409 | 412 => Err(CommitError::Stale),
                status => Err(refused(status)),
            },
            Err(fault) => self.found_out(changes, fault).await,
        }
    }

    fn request(&self, change: &Change, before: Before) -> Ask {
        let place = change.key.to_string();
        let ask = match &change.content {
            Some(content) => {
                Ask::put(place, self.crossing.outgoing(change, content, self.clock.now())).prefer("return=representation")
            }
            None => Ask::delete(place),
        };
        match named(before) {
            Some(version) => ask.only_if(&version.etag()),
            None => ask,
        }
    }

    /// What a change that was accepted has made.
    async fn outcome(&self, change: &Change, answer: Answer) -> Result<Written, CommitError> {
        let told = answer.header("etag").and_then(Version::parse);
        let Some(content) = &change.content else { return Ok((self.removed(change, told), None)) };
        let body = if answer.status == 204 || answer.demand_json().is_err() {
            // Its turn ends with it: another one is needed in a moment.
            drop(answer);
            None
        } else {
            answer.whole(self.options.record_bytes).await.ok().filter(|body| !body.is_empty())
        };
        // A server that answers with an OperationOutcome, or with nothing, is asked for the record.
        let taken = body.and_then(|body| self.crossing.record(&body).ok()).filter(|taken| *taken.key() == change.key);
        match taken {
            Some(taken) => as_decided(change, content, &taken),
            None => self.read_back(change, content).await,
        }
    }

    pub(super) fn removed(&self, change: &Change, told: Option<Version>) -> Stored {
        let version = told.unwrap_or_else(|| change.facts(self.clock.now()).version);
        Stored { key: change.key.clone(), version, updated: self.clock.now(), content: None }
    }

    async fn read_back(&self, change: &Change, content: &Forwarded) -> Result<Written, CommitError> {
        match self.current(&change.key, &mut Round::default()).await.map_err(unsure)? {
            Current::Live(taken) if self.is_after(change, content, &taken) => as_decided(change, content, &taken),
            _ => Err(Fault::wrong("a record that was accepted is not there").into()),
        }
    }

    /// Whether a record is another version than the one before a change, or the same and the change changes nothing.
    fn is_after(&self, change: &Change, content: &Forwarded, taken: &Taken) -> bool {
        match change.expected {
            Expected::Absent => true,
            Expected::Version(before) => taken.facts.version > before || self.crossing.is_same(content, taken, false),
        }
    }

    /// Several changes are one transaction of the server behind: all of them or none.
    async fn send_together(&self, changes: &[Change], before: &[Before]) -> Result<Vec<Written>, CommitError> {
        let peer = self.peers.of_all(changes.iter().map(|change| change.key.resource_type));
        let peer = peer.ok_or(CommitError::Store(StoreError::Rejected(APART)))?;
        let conditions: Vec<Option<Version>> = before.iter().map(|before| named(*before)).collect();
        let bundle = self.crossing.transaction(changes, &conditions, self.clock.now());
        let answer = peer.wire.ask(&Ask::post("", bundle).prefer("return=representation")).await;
        let answer = match certain(answer) {
            Ok(answer) if answer.status == 200 => answer,
            Ok(answer) if matches!(answer.status, 409 | 412) => return Err(CommitError::Stale),
            Ok(answer) => return Err(refused(answer.status)),
            Err(fault) => return self.found_out(changes, fault).await,
        };
        // It was done, whatever becomes of the answer: what that does not tell is read.
        let answers = match self.answers(peer, answer, changes.len()).await {
            Ok(answers) if answers.len() == changes.len() && answers.iter().all(is_done) => answers,
            // All or nothing, it was: what it says now must show in the records.
            Ok(_) => return self.found_out(changes, Fault::wrong("a transaction that was answered as done in part")).await,
            Err(fault) => {
                tracing::warn!(%fault, "the answer to a transaction broke off; its records are read");
                Vec::new()
            }
        };
        self.read_all(changes, answers).await
    }

    /// The answers to so many entries; one more where there are more.
    async fn answers(&self, peer: &Peer, answer: Answer, most: usize) -> Result<Vec<Arrived>, Fault> {
        let mut page = self.bundle(peer, answer, "")?;
        let mut answers = Vec::new();
        while let Some(arrived) = page.entry().await? {
            if answers.len() <= most {
                answers.push(arrived);
            }
        }
        page.close().await?;
        Ok(answers)
    }

    async fn read_all(&self, changes: &[Change], answers: Vec<Arrived>) -> Result<Vec<Written>, CommitError> {
        let mut answers = answers.into_iter();
        let mut stored = Vec::with_capacity(changes.len());
        for change in changes {
            let answer = answers.next();
            let told = answer.as_ref().and_then(super::fetch::told_version);
            let Some(content) = &change.content else {
                stored.push((self.removed(change, told), None));
                continue;
            };
            let taken = answer.and_then(|answer| answer.record).filter(|taken| *taken.key() == change.key);
            stored.push(match taken {
                Some(taken) => as_decided(change, content, &taken)?,
                None => self.read_back(change, content).await?,
            });
        }
        Ok(stored)
    }

    /// Labels that the new content no longer tells, before it is sent: whether it ends in doubt or the gateway does, it may be made.
    async fn keep_raised(&self, changes: &[Change]) -> Result<(), CommitError> {
        let labelled = changes.iter().filter(|change| beyond(&change.marks, &Marks::default()).is_some());
        let mut labels = Vec::new();
        for (change, content) in labelled.filter_map(|change| Some((change, change.content.as_ref()?))) {
            let new = self.crossing.record(&self.crossing.outgoing(change, content, self.clock.now())).map_err(Fault::from)?;
            labels.extend(beyond(&change.marks, &new.facts.marks).map(|marks| (change.key.clone(), marks)));
        }
        self.keep(labels).await
    }

    /// Labels that the record as the server has it does not tell.
    async fn keep_labels(&self, changes: &[Change], stored: &[Written]) -> Result<(), CommitError> {
        let mut labels = Vec::new();
        for (change, (_, own)) in changes.iter().zip(stored) {
            let raised = own.as_ref().and_then(|own| beyond(&change.marks, own));
            labels.extend(raised.map(|marks| (change.key.clone(), marks)));
        }
        labels.retain(|(key, marks)| self.labels.of(key).as_ref() != Some(marks));
        self.keep(labels).await
    }

    async fn keep(&self, labels: Vec<(Key, Marks)>) -> Result<(), CommitError> {
        if labels.is_empty() {
            return Ok(());
        }
        self.labels.put(&labels);
        self.label_ledger.keep_labels(labels).await
    }
}

/// What a change made. The server may add to a record, but not make it somebody else's. Whoever wrote it is told their own words: what the
/// server tells instead, nobody has decided on.
pub(super) fn as_decided(change: &Change, content: &Forwarded, taken: &Taken) -> Result<Written, CommitError> {
    let decided = |patient| change.patients.contains(patient);
    if !taken.facts.patients.iter().all(decided) {
        return Err(Fault::wrong("a record that was written belongs to somebody else than was decided").into());
    }
    let (version, updated, key) = (taken.facts.version, taken.facts.updated, change.key.clone());
    let told = Some(content.told(version, updated));
    Ok((Stored { key, version, updated, content: told }, Some(taken.facts.marks.clone())))
}

/// The version that can be named in a condition.
fn named(before: Before) -> Option<Version> {
    before.and_then(|(version, deleted, numbered)| (numbered && !deleted).then_some(version))
}

/// Whether the answer to an entry says that it was done, or says nothing.
fn is_done(answer: &Arrived) -> bool {
    answer.status.as_deref().is_none_or(|status| status.starts_with('2'))
}

fn refused(status: u16) -> CommitError {
    tracing::warn!(status, "the upstream refused a change");
    match status {
        400 | 405 | 422 | 501 => CommitError::Store(StoreError::Rejected(REFUSED)),
        413 => CommitError::Store(StoreError::Rejected("the server that keeps the records does not take so much at once")),
        status => Fault::Status(status).into(),
    }
}

/// The version that a change has made, where the entry tells the one that it was expected to make.
fn tell_version(entries: &mut [Entry], stored: &Stored) {
    for touched in entries.iter_mut().flat_map(|entry| entry.records.iter_mut()) {
        if touched.resource_type == stored.key.resource_type && touched.id == stored.key.id {
            touched.version = Some(stored.version);
        }
    }
}
