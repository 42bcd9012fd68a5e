//! `amanat audit verify`: the whole of it here, an export anywhere, or a proof.

use super::evidence::{BATCH, Evidence, failed};
use super::{Common, text_of};
use crate::audit::tree::{Checkpoint, ExportReader, Inclusion, NoteError, NoteVerifier, notes_of};
use crate::audit::{Examined, TAIL_CAVEAT};
use crate::cli::places;
use crate::cli::screen::{Failure, Screen, wait};
use crate::fhir::Outcome;
use serde::Serialize;
use std::io::BufRead as _;
use std::path::{Path, PathBuf};

pub(super) const EXAMPLES: &str = "Example: amanat audit verify --checkpoint /media/usb/checkpoints\n\
    Example: amanat audit verify --export trail.jsonl --key trail.pub\n\
    Example: amanat audit verify --proof proof.json --key trail.pub";

/// The arguments.
#[derive(Debug, clap::Args)]
pub(super) struct Verify {
    #[command(flatten)]
    common: Common,
    /// Begin with this entry; those before are taken as they lie.
    #[arg(long, value_name = "NUMBER")]
    from: Option<i64>,
    /// End with this entry.
    #[arg(long, value_name = "NUMBER")]
    to: Option<i64>,
    /// Checkpoints that were kept elsewhere: one signed note, or many.
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
    /// The public key of the trail; by default the one of the store.
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// The public key of a witness whose word the checkpoints must carry too.
    #[arg(long, value_name = "FILE")]
    witness: Option<PathBuf>,
    /// Verify an export, without any gateway; needs --key.
    #[arg(long, value_name = "FILE", requires = "key", conflicts_with_all = ["from", "to", "proof"])]
    export: Option<PathBuf>,
    /// Verify the proof of an entry, without any gateway; needs --key.
    #[arg(long, value_name = "FILE", requires = "key", conflicts_with_all = ["from", "to"])]
    proof: Option<PathBuf>,
}

/// What was found.
#[derive(Debug, Serialize)]
struct Found {
    /// Entries that are right, up to the first that is not.
    entries: u64,
    /// The number of the first that is wrong.
    first_bad: Option<i64>,
    /// What is wrong with it.
    broken: Option<String>,
    /// Entries in the tree, up to the last right one.
    size: u64,
    /// The root of the tree, in base64 as checkpoints have it.
    root: String,
    /// The size of the largest checkpoint that fits.
    confirmed: Option<u64>,
    /// What could not be seen.
    caveat: Option<&'static str>,
}

impl Found {
    fn of(examined: &Examined, elsewhere: bool) -> Self {
        let (first_bad, broken) = examined.verdict.finding.map(|finding| (finding.seq, finding.to_string())).unzip();
        let size = examined.tree.size();
        let text = Checkpoint { origin: "-".to_owned(), size, root: examined.tree.root() }.text();
        let root = text.lines().nth(2).unwrap_or_default().to_owned();
        let caveat = (!elsewhere || examined.confirmed.is_none()).then_some(TAIL_CAVEAT);
        Self { entries: examined.verdict.entries, first_bad, broken, size, root, confirmed: examined.confirmed, caveat }
    }

    fn tell(self, json: bool, screen: &mut Screen<'_>) -> Result<(), Failure> {
        if json {
            screen.json(&serde_json::json!(self))?;
        } else {
            let found = self.broken.as_deref().unwrap_or("chain and tree are whole");
            screen.line(format_args!("{} entries are right; {found}", self.entries))?;
            if let Some(size) = self.confirmed {
                screen.line(format_args!("the checkpoint of {size} entries fits"))?;
            }
            if let Some(caveat) = self.caveat {
                screen.line(caveat)?;
            }
        }
        if self.broken.is_some() { Err(Failure::Found) } else { Ok(()) }
    }
}

impl Verify {
    pub(super) fn run(self, screen: &mut Screen<'_>) -> Result<(), Failure> {
        let json = self.common.json;
        let key = self.key.as_deref().map(read_key).transpose()?;
        let witness = self.witness.as_deref().map(read_key).transpose()?;
        if let (Some(file), Some(key)) = (&self.proof, &key) {
            return proof(file, key, json, screen);
        }
        if let (Some(file), Some(key)) = (&self.export, &key) {
            let kept = self.checkpoint.as_deref().map(|file| checkpoints(file, key, witness.as_ref())).transpose()?;
            return match kept {
                Some(Err(finding)) => forged(&finding, json, screen),
                Some(Ok(kept)) => exported(file, key, &kept, json, screen),
                None => exported(file, key, &[], json, screen),
            };
        }
        let config = places::settings(self.common.config.as_deref())?;
        let outcome = wait(async {
            let evidence = Evidence::open(&config).await?;
            let outcome = self.whole(&evidence, key, witness.as_ref()).await;
            evidence.close().await;
            outcome
        })?;
        match outcome {
            Ok(found) => found.tell(json, screen),
            Err(finding) => forged(&finding, json, screen),
        }
    }

    async fn whole(
        &self,
        evidence: &Evidence,
        key: Option<NoteVerifier>,
        witness: Option<&NoteVerifier>,
    ) -> Result<Result<Found, String>, Failure> {
        let key = key.unwrap_or_else(|| evidence.keeper.public_key());
        let (mut examiner, mut at) = evidence.examiner(self.from).await?;
        let kept = match &self.checkpoint {
            Some(file) => checkpoints(file, &key, witness)?,
            None => own(evidence, &key).await?,
        };
        let kept = match kept {
            Ok(kept) => kept,
            Err(finding) => {
                evidence.desk.note_trail_use("verified", Outcome::Serious, &format!("verify: {finding}")).await;
                return Ok(Err(finding));
            }
        };
        let last = self.to.unwrap_or(i64::MAX);
        let within = |checkpoint: &&Checkpoint| i64::try_from(checkpoint.size).is_ok_and(|size| size <= last);
        for checkpoint in kept.iter().filter(within) {
            examiner.expect(checkpoint);
        }
        loop {
            let wanted = u32::try_from(last - at).unwrap_or(BATCH).min(BATCH);
            let rows = evidence.store().rows(at, wanted).await.map_err(failed)?;
            at = rows.last().map_or(at, |row| row.seq);
            let rows = rows.iter().filter(|row| row.seq <= last).collect::<Vec<_>>();
            let sound = rows.iter().try_for_each(|row| examiner.check(row.seq, &row.leaf, &row.hash)).is_ok();
            if rows.is_empty() || !sound || at >= last {
                break;
            }
        }
        let found = Found::of(&examiner.finish(), self.checkpoint.is_some());
        let (outcome, told) = match &found.broken {
            Some(broken) => (Outcome::Serious, broken.as_str()),
            None => (Outcome::Success, "whole"),
        };
        evidence.desk.note_trail_use("verified", outcome, &format!("verify entries={}: {told}", found.entries)).await;
        Ok(Ok(found))
    }
}

/// A checkpoint that cannot be believed is a finding by itself.
fn forged(finding: &str, json: bool, screen: &mut Screen<'_>) -> Result<(), Failure> {
    if json {
        screen.json(&serde_json::json!({ "entries": 0, "first_bad": null, "broken": finding, "caveat": TAIL_CAVEAT }))?;
    } else {
        screen.line(finding)?;
    }
    Err(Failure::Found)
}

/// Reads a public key.
pub(super) fn read_key(file: &Path) -> Result<NoteVerifier, Failure> {
    NoteVerifier::parse(&text_of(file)?).map_err(|fault| Failure::file(file, fault))
}

type Kept = Result<Vec<Checkpoint>, String>;

/// The checkpoints of a file; the inner error is a finding.
fn checkpoints(file: &Path, key: &NoteVerifier, witness: Option<&NoteVerifier>) -> Result<Kept, Failure> {
    let notes = notes_of(&text_of(file)?);
    if notes.is_empty() {
        return Err(Failure::file(file, "there is no checkpoint in it"));
    }
    let read = |note: &String| -> Result<Checkpoint, NoteError> {
        if let Some(witness) = witness {
            witness.open(note)?;
        }
        key.checkpoint(note)
    };
    let all: Result<Vec<_>, _> = notes.iter().map(read).collect();
    Ok(all.map_err(|fault| format!("a checkpoint of `{}` is not to be believed: {fault}", file.display())))
}

/// The checkpoints of the store itself: of no use against who holds the store and the key, but against everybody else.
async fn own(evidence: &Evidence, key: &NoteVerifier) -> Result<Kept, Failure> {
    let (mut all, mut after) = (Vec::new(), 0);
    loop {
        let some = evidence.store().checkpoints(after, BATCH).await.map_err(failed)?;
        let Some(last) = some.last() else { return Ok(Ok(all)) };
        after = last.size;
        for kept in some {
            match key.checkpoint(&kept.note) {
                Ok(checkpoint) => all.push(checkpoint),
                Err(fault) => return Ok(Err(format!("the kept checkpoint of {} entries: {fault}", kept.size))),
            }
        }
    }
}

fn exported(file: &Path, key: &NoteVerifier, kept: &[Checkpoint], json: bool, screen: &mut Screen<'_>) -> Result<(), Failure> {
    let opened = std::fs::File::open(file).map_err(|error| Failure::file(file, error))?;
    let mut reader = ExportReader::new(key);
    for (at, line) in std::io::BufReader::new(opened).lines().enumerate() {
        reader.line(&line?).map_err(|fault| Failure::file(file, fault))?;
        if at == 0 {
            for checkpoint in kept {
                reader.expect(checkpoint);
            }
        }
    }
    let checked = reader.finish().map_err(|fault| Failure::file(file, fault))?;
    Found::of(&checked.examined, !kept.is_empty()).tell(json, screen)
}

fn proof(file: &Path, key: &NoteVerifier, json: bool, screen: &mut Screen<'_>) -> Result<(), Failure> {
    let proof: Inclusion = serde_json::from_str(&text_of(file)?).map_err(|error| Failure::file(file, error))?;
    match proof.check(key) {
        Ok(checkpoint) if json => {
            screen.json(&serde_json::json!({ "proved": true, "index": proof.index, "size": checkpoint.size }))?;
            Ok(())
        }
        Ok(checkpoint) => {
            screen.line(format_args!("entry {} is in the trail of {} entries", proof.index + 1, checkpoint.size))?;
            Ok(())
        }
        Err(fault) => {
            if json {
                screen.json(&serde_json::json!({ "proved": false, "broken": fault.to_string() }))?;
            } else {
                screen.line(fault)?;
            }
            Err(Failure::Found)
        }
    }
}
