//! `amanat audit verify`

use super::desk::Desk;
use super::places;
use super::screen::{Failure, Screen, wait};
use clap::Subcommand;
use std::path::PathBuf;

/// The arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: amanat audit verify --json")]
pub(super) struct Audit {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Compute the chain of the trail again; exit code 3 names the first entry that does not fit.
    #[command(after_help = "Example: amanat audit verify --json")]
    Verify {
        /// The file of settings.
        #[arg(long, value_name = "FILE", env = "AMANAT_CONFIG")]
        config: Option<PathBuf>,
        /// Answer with JSON.
        #[arg(long)]
        json: bool,
    },
}

impl Audit {
    /// Verifies.
    pub(super) fn run(self, screen: &mut Screen<'_>) -> Result<(), Failure> {
        let Action::Verify { config, json } = self.action;
        let config = places::settings(config.as_deref())?;
        let verified = wait(async {
            let desk = Desk::open(&config).await?;
            let verified = desk.verify_trail(None).await;
            desk.close().await;
            verified
        })?;
        if json {
            screen.json(&serde_json::json!(verified))?;
        } else {
            let found = verified.broken.as_deref().unwrap_or("the chain is whole");
            screen.line(format_args!("{} entries are right; {found}", verified.entries))?;
            screen.line(verified.caveat)?;
        }
        if verified.broken.is_some() { Err(Failure::Found) } else { Ok(()) }
    }
}
