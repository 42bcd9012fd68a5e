//! `amanat lab map|send|queue|show|fix|replay`

mod map;
mod queue;
mod send;

use super::screen::{Failure, Screen};
use clap::Subcommand;
use std::path::PathBuf;

/// The arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: amanat lab queue")]
pub(super) struct Lab {
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
    /// Show what a file of HL7 v2 messages would become. Nothing is stored or sent.
    #[command(after_help = "Example: amanat lab map result.hl7 --tables lab-tables.toml")]
    Map(map::Map),
    /// Send a file of HL7 v2 messages over MLLP, and print each acknowledgement.
    #[command(
        after_help = "Example: amanat lab send result.hl7 --to localhost:2575 --ca ca.pem --certificate lab-cert.pem --key lab-key.pem"
    )]
    Send(send::Send),
    /// The messages that wait for a person, the oldest first; exit code 3 when there are some.
    #[command(after_help = "Example: amanat lab queue --reason unmatched")]
    Queue(queue::Queue),
    /// One message with its text. That you looked is entered into the trail.
    #[command(after_help = "Example: amanat lab show 0199... --by \"Sara Khan\"")]
    Show(queue::Show),
    /// Decide what a message lacked, and file it: whose it is, a corrected text, or that there is nothing to file.
    #[command(after_help = "Example: amanat lab fix 0199... --patient Patient/p01 --by \"Sara Khan\"")]
    Fix(queue::Fix),
    /// File messages again, after the tables or the grants were mended.
    #[command(after_help = "Example: amanat lab replay --about GLU-F --by \"Sara Khan\"")]
    Replay(queue::Replay),
}

impl Lab {
    /// Does it.
    pub(super) fn run(self, screen: &mut Screen<'_>) -> Result<(), Failure> {
        let (config, json) = (self.config.as_deref(), self.json);
        match self.action {
            Action::Map(map) => map.run(config, json, screen),
            Action::Send(send) => send.run(json, screen),
            Action::Queue(queue) => queue.run(config, json, screen),
            Action::Show(show) => show.run(config, json, screen),
            Action::Fix(fix) => fix.run(config, json, screen),
            Action::Replay(replay) => replay.run(config, json, screen),
        }
    }
}
