//! The records that decisions are made with (consents, who belongs to what), read whole. Nobody is shown them here.
//!
//! A search may not know yet what was written a moment ago, and pages shift while others write: a consent that is missing in one answer is
//! not gone for that. What stood before and is missing, or is older than it was, is looked up by its address, and so is what any gateway
//! has written lately, of which the ledger knows.

use super::UpstreamStore;
use super::fault::Fault;
use super::round::Round;
use super::turns::Begun;
use super::wire::Ask;
use crate::disclosure::{Row, Stored, Taken};
use crate::fhir::{Key, ResourceType, Version};
use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Searches are believed to show by then what was written.
const LAG: Duration = Duration::from_mins(10);
/// Answers that all of a type may come to.
const ANSWERS: usize = 16;
/// Bytes that a record takes beside its text, about.
const BESIDE: usize = 1_000;

type Versions = HashMap<Key, Version>;

/// In which versions the records that decisions are made with were seen last. One that was deleted through a gateway has that of its
/// deletion, until no answer shows it any more.
#[derive(Debug, Default)]
pub(super) struct Standing {
    versions: Mutex<Versions>,
    /// Which of the writes that the ledger knows of were looked up, each by its time.
    looked_up: Mutex<HashMap<Key, i64>>,
}

impl Standing {
    fn versions(&self) -> MutexGuard<'_, Versions> {
        self.versions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Those among what was written of which a listing may not tell yet: each is looked up once.
    fn unheard(&self, written: &[Begun], listed: &Versions) -> Vec<Key> {
        let looked_up = self.looked_up.lock().unwrap_or_else(PoisonError::into_inner);
        let unheard =
            |one: &&Begun| looked_up.get(&one.key) != Some(&one.at) && (one.age < LAG || !listed.contains_key(&one.key));
        written.iter().filter(unheard).map(|one| one.key.clone()).collect()
    }

    /// These were looked up, or are old enough to be listed.
    fn heard(&self, of: ResourceType, written: Vec<Begun>) {
        let mut looked_up = self.looked_up.lock().unwrap_or_else(PoisonError::into_inner);
        looked_up.retain(|key, _| key.resource_type != of);
        looked_up.extend(written.into_iter().map(|one| (one.key, one.at)));
    }

    fn of(&self, of: ResourceType) -> Versions {
        self.versions().iter().filter(|(key, _)| key.resource_type == of).map(|(key, version)| (key.clone(), *version)).collect()
    }

    /// What was written through the gateway, of these types.
    pub(super) fn written<'s>(&self, stored: impl Iterator<Item = &'s Stored>, of: &[ResourceType]) {
        let stored = stored.filter(|stored| of.contains(&stored.key.resource_type));
        self.versions().extend(stored.map(|stored| (stored.key.clone(), stored.version)));
    }

    /// What was seen now. What was written since the look `before` is newer than that.
    fn seen(&self, before: &Versions, now: Versions) {
        let mut versions = self.versions();
        for key in before.keys().filter(|key| !now.contains_key(key)) {
            if versions.get(key) == before.get(key) {
                versions.remove(key);
            }
        }
        for (key, version) in now {
            if versions.get(&key) == before.get(&key) {
                versions.insert(key, version);
            }
        }
    }
}

impl UpstreamStore {
    /// Every current record of a type. What cannot be read to the end is not read at all: half of the consents would be a lie.
    pub(super) async fn everything(&self, of: ResourceType) -> Result<Vec<Row>, Fault> {
        let before = self.standing.of(of);
        let mut found = match self.listed(of).await {
            // It says that it has none, and this is how servers answer then. What it merely says is not believed: there may be a denial.
            Err(Fault::Status(400 | 403..=405 | 501)) if !self.peers.of(of).abilities().serves(of) => HashMap::new(),
            other => other?,
        };
        let mut now: Versions = found.iter().map(|(key, taken)| (key.clone(), taken.facts.version)).collect();
        if self.options.deciding.contains(&of) {
            let doubtful = before.iter().filter(|(key, version)| now.get(key).is_none_or(|seen| seen < version));
            let written = self.turns.decided(of).await?;
            let unheard = self.standing.unheard(&written, &now);
            for key in doubtful.map(|(key, _)| key.clone()).chain(unheard).collect::<HashSet<_>>() {
                match self.there(&key, false).await? {
                    Some(taken) => {
                        now.insert(key.clone(), taken.facts.version);
                        found.insert(key, taken);
                    }
                    // Where a search shows it still, that it is gone is to be remembered.
                    None => {
                        if let Some(shown) = found.remove(&key) {
                            let gone = shown.facts.version.next();
                            now.insert(key.clone(), before.get(&key).map_or(gone, |version| gone.max(*version)));
                        }
                    }
                }
            }
            self.standing.heard(of, written);
            self.standing.seen(&before, now);
        }
        Ok(found.into_values().map(Taken::into_row).collect())
    }

    /// What a search of all of a type finds, page by page.
    async fn listed(&self, of: ResourceType) -> Result<HashMap<Key, Taken>, Fault> {
        let peer = self.peers.of(of);
        let mut found = HashMap::new();
        let mut round = Round::default();
        let mut bytes = 0_usize;
        let mut next = Some(format!("{of}?_count=250"));
        while let Some(place) = next.take() {
            let mut page = self.page(peer, &Ask::search(place.clone())).await?.ok_or(Fault::Status(404))?;
            let before = found.len();
            while let Some(arrived) = page.entry().await? {
                if let Some(taken) = arrived.record.filter(|taken| taken.key().resource_type == of) {
                    bytes = bytes.saturating_add(taken.bytes() + BESIDE);
                    if bytes > self.options.answer_bytes.saturating_mul(ANSWERS) {
                        return Err(Fault::Costly(
                            "there are more consents, or records of who belongs to what, than can be held",
                        ));
                    }
                    let taken = self.settled(taken, &mut round).await?;
                    found.insert(taken.key().clone(), taken);
                }
            }
            next = page.close().await?.next;
            if next.as_ref() == Some(&place) || (next.is_some() && found.len() == before) {
                return Err(Fault::wrong("pages that lead nowhere"));
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::{Standing, Versions};
    use crate::fhir::{Key, Version};

    fn versions(all: &[(&str, i64)]) -> Versions {
        all.iter().map(|(key, version)| (Key::parse(key).unwrap(), Version(*version))).collect()
    }

    #[test]
    fn what_was_written_since_a_look_is_newer_than_the_look() {
        let standing = Standing::default();
        standing.seen(&Versions::new(), versions(&[("Consent/a", 1), ("Consent/b", 1), ("Consent/c", 1)]));
        let before = standing.of(crate::fhir::ResourceType::Consent);
        standing.versions().extend(versions(&[("Consent/a", 2), ("Consent/d", 1)]));
        standing.seen(&before, versions(&[("Consent/a", 1), ("Consent/b", 3)]));
        assert_eq!(*standing.versions(), versions(&[("Consent/a", 2), ("Consent/b", 3), ("Consent/d", 1)]));
    }
}
