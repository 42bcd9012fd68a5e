//! `amanat keys rotate`

use super::desk::Desk;
use super::places;
use super::screen::{Failure, Screen, wait};
use crate::smart::KEY_LEAD;
use clap::Subcommand;
use serde_json::json;
use std::path::PathBuf;

/// The arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: amanat keys rotate")]
pub(super) struct Keys {
    #[command(subcommand)]
    action: Action,
    /// The file of settings.
    #[arg(long, global = true, value_name = "FILE", env = "AMANAT_CONFIG")]
    config: Option<PathBuf>,
    /// Answer with JSON.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Make new keys. They are published at once and sign some minutes later; the old ones verify until their last token has ended.
    #[command(after_help = "Example: amanat keys rotate")]
    Rotate {
        /// Somebody else may have the old keys: the new ones sign at once, and every token that the old ones signed is refused.
        #[arg(long)]
        lost: bool,
    },
}

impl Keys {
    /// Changes the keys.
    pub(super) fn run(self, screen: &mut Screen<'_>) -> Result<(), Failure> {
        let config = places::settings(self.config.as_deref())?;
        wait(async {
            let desk = Desk::open(&config).await?;
            let Action::Rotate { lost } = self.action;
            let rotated = desk.rotate_keys(lost).await;
            desk.close().await;
            let names = rotated?;
            let wait = if lost { 0 } else { KEY_LEAD };
            if self.json {
                screen.json(&json!({ "keys": names, "sign_in_seconds": wait, "lost": lost }))?;
            } else if lost {
                screen.line(format_args!("new keys sign now; what the old ones signed is refused: {}", names.join(", ")))?;
            } else {
                screen.line(format_args!("new keys are published, and sign in {wait} seconds: {}", names.join(", ")))?;
            }
            Ok(())
        })
    }
}
