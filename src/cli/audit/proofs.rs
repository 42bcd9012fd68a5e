//! `amanat audit prove | consistency | checkpoint | key`

use super::Common;
use super::evidence::{Evidence, failed};
use crate::audit::tree::{Consistency, Inclusion, Prover};
use crate::cli::places;
use crate::cli::screen::{Failure, Screen, wait};
use crate::fhir::{Id, Outcome};
use crate::store::evidence::KeptCheckpoint;

/// The arguments of `prove`.
#[derive(Debug, clap::Args)]
pub(super) struct Prove {
    #[command(flatten)]
    common: Common,
    /// The id of an `AuditEvent`, or the number of an entry.
    id: String,
}

/// The arguments of `consistency`.
#[derive(Debug, clap::Args)]
pub(super) struct Prolong {
    #[command(flatten)]
    common: Common,
    /// Entries of the earlier state.
    earlier: u64,
    /// Entries of the later state.
    later: u64,
}

/// The arguments of `checkpoint`.
#[derive(Debug, clap::Args)]
pub(super) struct Sign {
    #[command(flatten)]
    common: Common,
}

/// The arguments of `key`.
#[derive(Debug, clap::Args)]
pub(super) struct ShowKey {
    #[command(flatten)]
    common: Common,
}

/// The newest checkpoint, made now when it does not reach so far.
async fn reaching(evidence: &Evidence, seq: i64) -> Result<KeptCheckpoint, Failure> {
    let kept = evidence.store().last_checkpoint().await.map_err(failed)?.filter(|kept| kept.size >= seq);
    if let Some(kept) = kept {
        return Ok(kept);
    }
    let made = evidence.keeper.checkpoint().await.map_err(failed)?;
    made.filter(|kept| kept.size >= seq).ok_or_else(|| Failure::Failed(format!("there is no entry {seq}")))
}

impl Prove {
    pub(super) fn run(self, screen: &mut Screen<'_>) -> Result<(), Failure> {
        let config = places::settings(self.common.config.as_deref())?;
        let proof = wait(async {
            let evidence = Evidence::open(&config).await?;
            let proof = self.proof(&evidence, &config.audit.node).await;
            evidence.close().await;
            proof
        })?;
        // The proof is a document for programs, whoever asks.
        screen.json(&serde_json::json!(proof))?;
        Ok(())
    }

    async fn proof(&self, evidence: &Evidence, node: &str) -> Result<Inclusion, Failure> {
        let seq = self.seq(node).ok_or_else(|| Failure::Usage(format!("`{}` is no AuditEvent of this node", self.id)))?;
        let row = evidence.row(seq).await?;
        let kept = reaching(evidence, seq).await?;
        let (index, size) = (u64::try_from(seq - 1).map_err(failed)?, u64::try_from(kept.size).map_err(failed)?);
        let prover = Prover::inclusion(index, size).ok_or_else(|| failed("the entry is not in the checkpoint"))?;
        let hashes = evidence.proof(prover, size).await?;
        evidence.desk.note_trail_use("proved", Outcome::Success, &format!("prove entry={seq} size={size}")).await;
        Ok(Inclusion::new(index, String::from_utf8(row.leaf).map_err(failed)?, &hashes, kept.note))
    }

    fn seq(&self, node: &str) -> Option<i64> {
        if let Ok(seq) = self.id.parse::<i64>() {
            return Some(seq).filter(|seq| *seq > 0);
        }
        let id = self.id.rsplit('/').next().unwrap_or_default();
        let rest = Id::parse(id)?.as_str().strip_prefix(node)?.strip_prefix('-')?.to_owned();
        rest.split('-').next()?.parse().ok()
    }
}

impl Prolong {
    pub(super) fn run(self, screen: &mut Screen<'_>) -> Result<(), Failure> {
        let config = places::settings(self.common.config.as_deref())?;
        let prover = Prover::consistency(self.earlier, self.later)
            .ok_or_else(|| Failure::Usage(format!("{} is more than {}", self.earlier, self.later)))?;
        let proof = wait(async {
            let evidence = Evidence::open(&config).await?;
            let proof = self.proof(prover, &evidence).await;
            evidence.close().await;
            proof
        })?;
        screen.json(&serde_json::json!(proof))?;
        Ok(())
    }

    async fn proof(&self, prover: Prover, evidence: &Evidence) -> Result<Consistency, Failure> {
        let (first, second) = (evidence.root(self.earlier).await?, evidence.root(self.later).await?);
        let hashes = evidence.proof(prover, self.later).await?;
        let told = format!("consistency {} {}", self.earlier, self.later);
        evidence.desk.note_trail_use("proved", Outcome::Success, &told).await;
        Ok(Consistency::new((self.earlier, first), (self.later, second), &hashes))
    }
}

impl Sign {
    pub(super) fn run(self, screen: &mut Screen<'_>) -> Result<(), Failure> {
        let config = places::settings(self.common.config.as_deref())?;
        let kept = wait(async {
            let evidence = Evidence::open(&config).await?;
            let head = evidence.store().last_row().await.map_err(failed)?.map_or(0, |row| row.seq);
            let kept = reaching(&evidence, head).await;
            evidence.close().await;
            kept
        })?;
        if self.common.json {
            screen.json(&serde_json::json!({ "size": kept.size, "made": kept.made.to_string(), "note": kept.note }))?;
        } else {
            screen.line(kept.note)?;
        }
        Ok(())
    }
}

impl ShowKey {
    pub(super) fn run(self, screen: &mut Screen<'_>) -> Result<(), Failure> {
        let config = places::settings(self.common.config.as_deref())?;
        let key = wait(async {
            let evidence = Evidence::open(&config).await?;
            let key = evidence.keeper.public_key().to_string();
            evidence.close().await;
            Ok(key)
        })?;
        if self.common.json {
            screen.json(&serde_json::json!({ "key": key }))?;
        } else {
            screen.line(key)?;
        }
        Ok(())
    }
}
