//! `amanat selftest`: the gateway tries itself.

mod case;
mod changes;
mod draw;
mod hunt;
mod masks;
mod records;
mod twin;
mod words;
mod world;

pub use case::{Case, Reply};
pub use hunt::{Hunt, Leak, Outcome};
pub use twin::Over;
pub use world::World;

use super::screen::{Failure, Screen, wait};
use clap::Subcommand;
use serde_json::json;
use std::time::Duration;

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
        let plan = Hunt { seed, cases: u64::MAX, time: Some(Duration::from_secs(self.seconds)) };
        let outcome = wait(hunt::hunt(plan, &|store| store))?;
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

/// Hunts for leaks over stores with something between them and their gateways, for tests of the hunt itself.
///
/// # Errors
/// In words, when it could not be done.
pub async fn hunt_over(plan: Hunt, over: &Over<'_>) -> Result<Outcome, String> {
    hunt::hunt(plan, over).await.map_err(|failure| failure.to_string())
}
