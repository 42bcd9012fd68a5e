//! `amanat audit`: the trail as evidence.

pub(super) mod evidence;
mod export;
mod proofs;
mod review;
mod verify;
mod witness;

use super::screen::{Failure, Screen};
use clap::Subcommand;
use std::path::{Path, PathBuf};

/// The arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: amanat audit verify --json")]
pub(super) struct Audit {
    #[command(subcommand)]
    action: Action,
}

/// What every subcommand takes.
#[derive(Debug, clap::Args)]
struct Common {
    /// The file of settings.
    #[arg(long, value_name = "FILE", env = "AMANAT_CONFIG")]
    config: Option<PathBuf>,
    /// Answer with JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Compute the chain and the tree again; exit code 3 names the first entry that does not fit.
    #[command(after_help = verify::EXAMPLES)]
    Verify(verify::Verify),
    /// Prove that an entry is in the trail, to somebody who has only the public key.
    #[command(after_help = "Example: amanat audit prove site-12-0 > proof.json")]
    Prove(proofs::Prove),
    /// Prove that a later state of the trail goes on from an earlier one.
    #[command(after_help = "Example: amanat audit consistency 1000 2000 > proof.json")]
    Consistency(proofs::Prolong),
    /// Sign the present state of the trail and print the checkpoint.
    #[command(after_help = "Example: amanat audit checkpoint >> /media/usb/checkpoints")]
    Checkpoint(proofs::Sign),
    /// Print the public key that checkpoints are verified with.
    #[command(after_help = "Example: amanat audit key > trail.pub")]
    Key(proofs::ShowKey),
    /// Write the trail into a file that can be verified without this gateway.
    #[command(after_help = "Example: amanat audit export --out trail.jsonl")]
    Export(export::Export),
    /// The review queue: emergency access, alarms, accesses drawn at random.
    #[command(after_help = review::EXAMPLES)]
    Review(review::Review),
    /// What each user did in a week, to be sent to them.
    #[command(after_help = "Example: amanat audit digest --days 7 --json")]
    Digest(review::Digest),
    /// Be a witness of somebody else's trail: check that it only grew, and co-sign.
    #[command(after_help = witness::EXAMPLES)]
    Witness(witness::Witness),
}

impl Audit {
    /// Does what was asked for.
    pub(super) fn run(self, screen: &mut Screen<'_>) -> Result<(), Failure> {
        match self.action {
            Action::Verify(verify) => verify.run(screen),
            Action::Prove(prove) => prove.run(screen),
            Action::Consistency(consistency) => consistency.run(screen),
            Action::Checkpoint(sign) => sign.run(screen),
            Action::Key(key) => key.run(screen),
            Action::Export(export) => export.run(screen),
            Action::Review(review) => review.run(screen),
            Action::Digest(digest) => digest.run(screen),
            Action::Witness(witness) => witness.run(screen),
        }
    }
}

/// The text of a file.
fn text_of(file: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(file).map_err(|error| Failure::file(file, error))
}
