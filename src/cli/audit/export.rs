//! `amanat audit export`

use super::Common;
use super::evidence::{BATCH, Evidence, failed};
use crate::audit::tree::{ExportHead, export_head, export_notes, export_row};
use crate::cli::places;
use crate::cli::screen::{Failure, Screen, wait};
use crate::fhir::Outcome;
use std::io::{BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

/// The arguments.
#[derive(Debug, clap::Args)]
pub(super) struct Export {
    #[command(flatten)]
    common: Common,
    /// The file to write. One that exists is not overwritten.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Begin with this entry.
    #[arg(long, value_name = "NUMBER")]
    from: Option<i64>,
    /// End with this entry.
    #[arg(long, value_name = "NUMBER")]
    to: Option<i64>,
}

impl Export {
    pub(super) fn run(self, screen: &mut Screen<'_>) -> Result<(), Failure> {
        let config = places::settings(self.common.config.as_deref())?;
        let entries = wait(async {
            let evidence = Evidence::open(&config).await?;
            let written = self.write(&evidence).await;
            evidence.close().await;
            written
        })?;
        if self.common.json {
            screen.json(&serde_json::json!({ "entries": entries, "file": self.out.display().to_string() }))?;
        } else {
            screen.line(format_args!("{entries} entries are in `{}`", self.out.display()))?;
            screen.line("verify it anywhere: amanat audit verify --export FILE --key FILE")?;
        }
        Ok(())
    }

    async fn write(&self, evidence: &Evidence) -> Result<u64, Failure> {
        // Named before it is taken out: who exports is in the trail that is exported.
        let told = format!("export from={} to={}", self.from.unwrap_or(1), self.to.map_or("end".to_owned(), |to| to.to_string()));
        evidence.desk.note_trail_use("exported", Outcome::Success, &told).await;
        evidence.keeper.checkpoint().await.map_err(failed)?;
        let made = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&self.out);
        let file = made.map_err(|error| Failure::file(&self.out, error))?;
        let mut out = BufWriter::new(file);
        let entries = self.write_into(evidence, &mut out).await?;
        let file = out.into_inner().map_err(|error| Failure::file(&self.out, error.error()))?;
        file.sync_all().map_err(|error| Failure::file(&self.out, error))?;
        Ok(entries)
    }

    async fn write_into(&self, evidence: &Evidence, out: &mut impl Write) -> Result<u64, Failure> {
        let (begin, mut at) = evidence.examiner(self.from).await?;
        let (verdict, first) = (begin.finish(), at);
        let head =
            ExportHead { origin: evidence.keeper.origin().to_owned(), before: verdict.verdict.last, frontier: verdict.tree };
        writeln!(out, "{}", export_head(&head))?;
        let last = match self.to {
            Some(to) => to,
            None => evidence.store().last_checkpoint().await.map_err(failed)?.map_or(i64::MAX, |kept| kept.size),
        };
        let mut after = first;
        loop {
            let notes = evidence.store().checkpoints(after, BATCH).await.map_err(failed)?;
            let Some(size) = notes.last().map(|kept| kept.size) else { break };
            after = size;
            for kept in notes.iter().filter(|kept| kept.size <= last) {
                writeln!(out, "{}", export_notes(&kept.note))?;
            }
        }
        let mut entries = 0;
        while at < last {
            let wanted = u32::try_from(last - at).unwrap_or(BATCH).min(BATCH);
            let rows = evidence.store().rows(at, wanted).await.map_err(failed)?;
            let Some(end) = rows.last().map(|row| row.seq) else { break };
            at = end;
            for row in rows {
                writeln!(out, "{}", export_row(row.seq, &row.leaf, &row.hash))?;
                entries += 1;
            }
        }
        Ok(entries)
    }
}
