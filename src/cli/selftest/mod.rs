//! `amanat selftest`: the gateway tries itself.

mod case;
mod changes;
mod draw;
mod hunt;
mod masks;
mod records;
mod target;
mod twin;
mod wire;
mod words;
mod world;

pub use case::{Case, Reply};
pub use hunt::{Hunt, Leak, Outcome};
pub use twin::{Ground, Over, Places};
pub use world::World;

use super::screen::{Failure, Screen, wait};
use clap::Subcommand;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::time::Duration;
use target::Target;
use wire::Wire;

/// The arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: amanat selftest leaks --seconds 60")]
pub(super) struct Selftest {
    #[command(subcommand)]
    check: Check,
}

#[derive(Debug, Subcommand)]
enum Check {
    /// Look for a request whose answer tells of records that the caller may not see.
    #[command(after_help = "Example: amanat selftest leaks --seconds 60 --seed 7")]
    Leaks(Leaks),
}

#[derive(Debug, clap::Args)]
struct Leaks {
    /// How long to look.
    #[arg(long, value_name = "N", default_value_t = 60)]
    seconds: u64,
    /// Draws the requests; the same seed draws the same ones. By the clock when absent.
    #[arg(long, value_name = "S")]
    seed: Option<u64>,
    /// Look at this running gateway instead: its FHIR base. Records of a new patient who refuses everybody are written, compared with,
    /// and deleted again; their versions stay in its history.
    #[arg(long, value_name = "URL", requires_all = ["caller_token", "writer_token"])]
    target: Option<String>,
    /// A file with the token of a caller whose answers are compared: one whom a refusal of a patient binds.
    #[arg(long, value_name = "FILE", requires = "target")]
    caller_token: Option<PathBuf>,
    /// A file with the token that writes: `system/*.cruds system/Consent.cruds`.
    #[arg(long, value_name = "FILE", requires = "target")]
    writer_token: Option<PathBuf>,
    /// The certificate that the target is trusted by, PEM.
    #[arg(long, value_name = "FILE", requires = "target")]
    ca: Option<PathBuf>,
    /// Write even where nothing says that the target is for trying things.
    #[arg(long, requires = "target")]
    i_know_this_writes: bool,
    /// Answer with JSON.
    #[arg(long)]
    json: bool,
}

impl Selftest {
    /// Tries, and tells what was found.
    pub(super) fn run(self, screen: &mut Screen<'_>) -> Result<(), Failure> {
        let Check::Leaks(leaks) = self.check;
        leaks.run(screen)
    }
}

impl Leaks {
    fn run(self, screen: &mut Screen<'_>) -> Result<(), Failure> {
        let seed = self.seed.unwrap_or_else(|| u64::try_from(crate::clock::Clock::system().now().0).unwrap_or_default());
        if let Some(target) = &self.target {
            return self.run_against(target, seed, screen);
        }
        let plan = Hunt { seed, cases: u64::MAX, time: Some(Duration::from_secs(self.seconds)) };
        let outcome = wait(hunt::hunt(plan, Ground { over: &|store| store, places: &twin::embedded }))?;
        if self.json {
            let leak = outcome.leak.as_ref().map(ToString::to_string);
            screen.json(&json!({"seed": seed, "requests": outcome.cases, "answers": outcome.answers, "leak": leak}))?;
        } else if let Some(leak) = &outcome.leak {
            screen.line(leak)?;
        } else {
            screen.line(format_args!("no leak in {} requests, {} answers (seed {seed})", outcome.cases, outcome.answers))?;
        }
        if outcome.leak.is_some() { Err(Failure::Found) } else { Ok(()) }
    }
}

impl Leaks {
    /// Compares the answers of a running gateway.
    fn run_against(&self, target: &str, seed: u64, screen: &mut Screen<'_>) -> Result<(), Failure> {
        let wire = Wire::new(target, self.ca.as_deref())?;
        if !self.i_know_this_writes && !wire.is_demo()? {
            let text = "the target does not say that it is a demo, and this writes: repeat with --i-know-this-writes if it may";
            return Err(Failure::Usage(text.to_owned()));
        }
        let (caller, writer) = (token(self.caller_token.as_deref())?, token(self.writer_token.as_deref())?);
        let target = Target { wire: &wire, caller: &caller, writer: &writer };
        let found = target.compare(seed, Duration::from_secs(self.seconds))?;
        if self.json {
            let (compared, restless) = (found.compared, found.restless);
            screen.json(&json!({"seed": seed, "requests": compared, "restless": restless, "leak": found.leak}))?;
        } else if let Some(leak) = &found.leak {
            screen.line(leak)?;
        } else {
            let left_out = found.restless;
            screen.line(format_args!("no leak in {} requests, {left_out} left out as restless (seed {seed})", found.compared))?;
        }
        if found.leak.is_some() { Err(Failure::Found) } else { Ok(()) }
    }
}

/// The token in a file.
fn token(file: Option<&Path>) -> Result<String, Failure> {
    let file = file.ok_or_else(|| Failure::Usage("a token is missing".to_owned()))?;
    let text = std::fs::read_to_string(file).map_err(|error| Failure::file(file, error))?;
    Ok(text.trim().to_owned())
}

/// Hunts for leaks over stores with something between them and their gateways, for tests of the hunt itself.
///
/// # Errors
/// In words, when it could not be done.
pub async fn hunt_over(plan: Hunt, over: &Over<'_>) -> Result<Outcome, String> {
    let ground = Ground { over, places: &twin::embedded };
    hunt::hunt(plan, ground).await.map_err(|failure| failure.to_string())
}

/// Hunts for leaks of gateways whose records are elsewhere.
///
/// # Errors
/// In words, when it could not be done.
pub async fn hunt_at(plan: Hunt, places: &Places<'_>) -> Result<Outcome, String> {
    let ground = Ground { over: &|store| store, places };
    hunt::hunt(plan, ground).await.map_err(|failure| failure.to_string())
}
