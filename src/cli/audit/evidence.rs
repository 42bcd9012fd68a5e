//! What the subcommands ask of the store: rows, the tree up to somewhere, proofs.

use crate::audit::tree::{Frontier, Hash, Prover};
use crate::audit::{Examiner, GENESIS};
use crate::cli::desk::Desk;
use crate::cli::screen::Failure;
use crate::config::Config;
use crate::store::evidence::{EvidenceStore, LeafRow, Sealed};
use crate::store::sql::SqlStore;
use crate::watch::Keeper;
use std::sync::Arc;

/// Rows read at once.
pub(in crate::cli) const BATCH: u32 = 5_000;

/// Hashes read at once.
const HASHES: u32 = 50_000;

/// The trail of a store, as evidence.
pub(in crate::cli) struct Evidence {
    pub(in crate::cli) desk: Desk,
    pub(in crate::cli) keeper: Keeper,
    store: Arc<SqlStore>,
}

/// Where the trail begins: what was before is sealed away.
pub(in crate::cli) struct Beginning {
    pub(in crate::cli) seq: i64,
    pub(in crate::cli) hash: Hash,
    pub(in crate::cli) tree: Frontier,
}

impl Evidence {
    /// Opens the store of these settings.
    pub(in crate::cli) async fn open(config: &Config) -> Result<Self, Failure> {
        let desk = Desk::open(config).await?;
        let store = Arc::clone(&desk.parts().store);
        let evidence = Arc::clone(&store) as Arc<dyn EvidenceStore>;
        let keeper = Keeper::open(evidence, &config.trail_origin(), &crate::clock::Clock::system()).await.map_err(failed)?;
        Ok(Self { desk, keeper, store })
    }

    pub(in crate::cli) fn watch(&self) -> &SqlStore {
        &self.store
    }

    pub(in crate::cli) fn store(&self) -> &dyn EvidenceStore {
        self.store.as_ref()
    }

    /// Where it begins.
    pub(in crate::cli) async fn beginning(&self) -> Result<Beginning, Failure> {
        let Some(Sealed { upto, hash, frontier, .. }) = self.store().sealed().await.map_err(failed)? else {
            return Ok(Beginning { seq: 0, hash: GENESIS, tree: Frontier::default() });
        };
        let damaged = || Failure::Failed("the seal of the dropped entries is damaged".to_owned());
        let tree = Frontier::from_bytes(&frontier).ok_or_else(damaged)?;
        Ok(Beginning { seq: upto, hash: hash.try_into().map_err(|_| damaged())?, tree })
    }

    /// An examiner that begins with the entry of this number; what is before it is taken as it lies.
    pub(in crate::cli) async fn examiner(&self, from: Option<i64>) -> Result<(Examiner, i64), Failure> {
        let mut begin = self.beginning().await?;
        let from = from.unwrap_or(1).max(begin.seq + 1);
        while begin.seq + 1 < from {
            let wanted = u32::try_from(from - 1 - begin.seq).unwrap_or(HASHES).min(HASHES);
            let hashes = self.store().hashes(begin.seq, wanted).await.map_err(failed)?;
            if hashes.is_empty() {
                return Err(Failure::Usage(format!("there is no entry {from}")));
            }
            for hash in hashes {
                begin.hash = hash.try_into().map_err(|_| Failure::Failed("a hash of the trail is damaged".to_owned()))?;
                begin.tree.push(begin.hash);
                begin.seq += 1;
            }
        }
        Ok((Examiner::behind(begin.seq, begin.hash, begin.tree), begin.seq))
    }

    /// The row of a number.
    pub(in crate::cli) async fn row(&self, seq: i64) -> Result<LeafRow, Failure> {
        let found = self.store().rows(seq - 1, 1).await.map_err(failed)?.into_iter().next();
        found.filter(|row| row.seq == seq).ok_or_else(|| Failure::Failed(format!("there is no entry {seq}")))
    }

    /// The hashes of a proof over the first so many entries.
    pub(in crate::cli) async fn proof(&self, prover: Prover, size: u64) -> Result<Vec<Hash>, Failure> {
        let begin = self.beginning().await?;
        let mut at = begin.tree.size();
        let mut prover = prover.behind(&begin.tree);
        while at < size {
            let wanted = u32::try_from(size - at).unwrap_or(HASHES).min(HASHES);
            let hashes = self.store().hashes(i64::try_from(at).map_err(failed)?, wanted).await.map_err(failed)?;
            if hashes.is_empty() {
                break;
            }
            for hash in hashes {
                prover.push(hash.try_into().map_err(|_| Failure::Failed("a hash of the trail is damaged".to_owned()))?);
                at += 1;
            }
        }
        prover.finish().ok_or_else(|| Failure::Failed("the entries that the proof needs are not there".to_owned()))
    }

    /// The root of the first so many entries.
    pub(in crate::cli) async fn root(&self, size: u64) -> Result<Hash, Failure> {
        let Beginning { mut tree, .. } = self.beginning().await?;
        while tree.size() < size {
            let wanted = u32::try_from(size - tree.size()).unwrap_or(HASHES).min(HASHES);
            let hashes = self.store().hashes(i64::try_from(tree.size()).map_err(failed)?, wanted).await.map_err(failed)?;
            if hashes.is_empty() {
                return Err(Failure::Usage(format!("there are only {} entries", tree.size())));
            }
            for hash in hashes {
                tree.push(hash.try_into().map_err(|_| Failure::Failed("a hash of the trail is damaged".to_owned()))?);
            }
        }
        if tree.size() == size {
            Ok(tree.root())
        } else {
            Err(Failure::Usage("those entries were sealed and dropped".to_owned()))
        }
    }

    pub(in crate::cli) async fn close(self) {
        self.desk.close().await;
    }
}

pub(in crate::cli) fn failed(error: impl std::fmt::Display) -> Failure {
    Failure::Failed(error.to_string())
}
