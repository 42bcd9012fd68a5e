//! `amanat doctor`: numbered checks, each finding with its evidence and its fix.

mod files;
mod ledger;
mod settings;
mod transport;
mod upstream;

use super::places::SETTINGS;
use super::screen::{Failure, Screen};
use crate::clock::Clock;
use crate::config::{Config, Sources};
use crate::fhir::Instant;
use serde::Serialize;
use std::path::{Path, PathBuf};

/// The arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: amanat doctor --config amanat.toml --json")]
pub(super) struct Doctor {
    /// The file of settings.
    #[arg(long, value_name = "FILE", env = "AMANAT_CONFIG", default_value = SETTINGS)]
    config: PathBuf,
    /// Answer with JSON.
    #[arg(long)]
    json: bool,
    /// Try conditional writes on the FHIR server behind too, on a record that is made for it and deleted.
    #[arg(long)]
    try_writes: bool,
}

/// What a check may look at.
struct Patient<'a> {
    file: &'a Path,
    config: &'a Config,
    now: Instant,
    try_writes: bool,
}

/// How a check ended.
#[derive(Debug, Clone, Serialize, PartialEq, Eq)]
#[serde(tag = "result", rename_all = "lowercase")]
enum Finding {
    /// As it should be.
    Fine {
        /// What was seen.
        seen: String,
    },
    /// Not as it should be.
    Wrong {
        /// How urgent.
        severity: Severity,
        /// What was seen.
        seen: String,
        /// What to do.
        fix: String,
    },
    /// Does not apply here.
    Skipped {
        /// Why.
        seen: String,
    },
}

/// How urgent a finding is.
#[derive(Debug, Clone, Copy, Serialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Severity {
    /// Will become a problem.
    Warning,
    /// Is one.
    Error,
}

impl Finding {
    fn fine(seen: impl Into<String>) -> Self {
        Self::Fine { seen: seen.into() }
    }

    fn skipped(seen: impl Into<String>) -> Self {
        Self::Skipped { seen: seen.into() }
    }

    fn warning(seen: impl Into<String>, fix: impl Into<String>) -> Self {
        Self::Wrong { severity: Severity::Warning, seen: seen.into(), fix: fix.into() }
    }

    fn error(seen: impl Into<String>, fix: impl Into<String>) -> Self {
        Self::Wrong { severity: Severity::Error, seen: seen.into(), fix: fix.into() }
    }
}

/// One check.
trait Check {
    /// Stable number, never given to another check.
    fn number(&self) -> u16;

    /// What is checked, in words.
    fn title(&self) -> &'static str;

    /// Looks.
    fn look(&self, patient: &Patient<'_>) -> Finding;
}

/// A check as a row of a table.
struct Row {
    number: u16,
    title: &'static str,
    look: fn(&Patient<'_>) -> Finding,
}

impl Check for Row {
    fn number(&self) -> u16 {
        self.number
    }

    fn title(&self) -> &'static str {
        self.title
    }

    fn look(&self, patient: &Patient<'_>) -> Finding {
        (self.look)(patient)
    }
}

/// Every check that needs a configuration, in order of number.
fn checks() -> impl Iterator<Item = Box<dyn Check>> {
    let rows = [settings::CHECKS, files::CHECKS, transport::CHECKS, ledger::CHECKS, upstream::CHECKS].into_iter().flatten();
    rows.map(|row| Box::new(Row { ..*row }) as Box<dyn Check>)
}

/// A check with its result, as it is told.
#[derive(Debug, Serialize)]
struct Told {
    number: u16,
    title: &'static str,
    #[serde(flatten)]
    finding: Finding,
}

impl Doctor {
    /// Checks all, tells all.
    pub(super) fn run(self, screen: &mut Screen<'_>) -> Result<(), Failure> {
        let told = examine(&self.config, self.try_writes);
        let found = told.iter().filter(|told| matches!(told.finding, Finding::Wrong { .. })).count();
        if self.json {
            screen.json(&serde_json::json!({ "checks": told, "found": found }))?;
        } else {
            for told in &told {
                tell(told, screen)?;
            }
            screen.line(format_args!("{} checks, {found} with something to do", told.len()))?;
        }
        if found > 0 { Err(Failure::Found) } else { Ok(()) }
    }
}

fn examine(file: &Path, try_writes: bool) -> Vec<Told> {
    let first = |finding| Told { number: 1, title: "the settings can be read", finding };
    let config = match Config::load(Sources::file_and_environment(file)) {
        Ok(config) => config,
        Err(error) => return vec![first(Finding::error(error.to_string(), "correct the file, or make one with `amanat init`"))],
    };
    let patient = Patient { file, config: &config, now: Clock::system().now(), try_writes };
    let mut told = vec![first(Finding::fine(file.display().to_string()))];
    told.extend(checks().map(|check| Told { number: check.number(), title: check.title(), finding: check.look(&patient) }));
    told
}

fn tell(told: &Told, screen: &mut Screen<'_>) -> std::io::Result<()> {
    let line = |mark: &str, seen: &str| format!("{mark:5} {:02}  {}: {seen}", told.number, told.title);
    match &told.finding {
        Finding::Fine { seen } => screen.line(line("ok", seen)),
        Finding::Skipped { seen } => screen.line(line("-", seen)),
        Finding::Wrong { severity, seen, fix } => {
            let mark = if *severity == Severity::Error { "ERROR" } else { "warn" };
            screen.line(line(mark, seen))?;
            screen.line(format_args!("          fix  {fix}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Finding, checks, examine};

    #[test]
    fn checks_have_rising_numbers_and_there_are_many() {
        let numbers: Vec<_> = checks().map(|check| check.number()).collect();
        assert!(numbers.len() >= 12, "{numbers:?}");
        assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
    }

    #[test]
    fn settings_that_cannot_be_read_are_the_one_finding() {
        let told = examine(std::path::Path::new("/nowhere/amanat.toml"), false);
        assert!(matches!(told.as_slice(), [only] if matches!(only.finding, Finding::Wrong { .. })));
    }
}
