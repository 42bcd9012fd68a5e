//! `amanat lab queue|show|fix|replay`: the queue for people.

use crate::cli::desk::Desk;
use crate::cli::places;
use crate::cli::screen::{Failure, Screen, wait};
use crate::config::Config;
use crate::gateway::Queued;
use crate::store::lab::{Correction, Listing, State};
use serde_json::json;
use std::path::{Path, PathBuf};

/// The arguments of `queue`.
#[derive(Debug, clap::Args)]
pub(super) struct Queue {
    /// Every message, also those that are filed.
    #[arg(long)]
    all: bool,
    /// Only in this state: received, filed, superseded, held, failed, rejected, dismissed.
    #[arg(long, value_name = "STATE", conflicts_with = "all")]
    state: Option<String>,
    /// Only for this reason, such as unmatched, unmapped, syntax.
    #[arg(long, value_name = "WORD")]
    reason: Option<String>,
    /// Only with a finding about this code or unit.
    #[arg(long, value_name = "CODE")]
    about: Option<String>,
    /// So many at most.
    #[arg(long, default_value_t = 200)]
    limit: u32,
}

/// The arguments of `show`.
#[derive(Debug, clap::Args)]
pub(super) struct Show {
    /// The message.
    id: String,
    /// Who looks.
    #[arg(long, value_name = "NAME", default_value = "operator")]
    by: String,
}

/// The arguments of `fix`.
#[derive(Debug, clap::Args)]
pub(super) struct Fix {
    /// The message.
    id: String,
    /// Whose it is, such as Patient/p01; once for each PID segment, in order.
    #[arg(long, value_name = "REFERENCE", required_unless_present_any = ["message", "dismiss"])]
    patient: Vec<String>,
    /// A corrected text in place of the one that came, which is kept beside it.
    #[arg(long, value_name = "FILE")]
    message: Option<PathBuf>,
    /// There is nothing to file, for this reason.
    #[arg(long, value_name = "REASON", conflicts_with_all = ["patient", "message"])]
    dismiss: Option<String>,
    /// Who decides.
    #[arg(long, value_name = "NAME")]
    by: String,
}

/// The arguments of `replay`.
#[derive(Debug, clap::Args)]
pub(super) struct Replay {
    /// The messages.
    #[arg(required_unless_present_any = ["reason", "about"])]
    ids: Vec<String>,
    /// All that wait for this reason.
    #[arg(long, value_name = "WORD")]
    reason: Option<String>,
    /// All with a finding about this code or unit, filed ones too: they get the mended code.
    #[arg(long, value_name = "CODE")]
    about: Option<String>,
    /// Who replays.
    #[arg(long, value_name = "NAME")]
    by: String,
}

/// Runs something at a desk.
fn at_desk<T>(config: Option<&Path>, work: impl AsyncFnOnce(&Desk) -> Result<T, Failure>) -> Result<T, Failure> {
    let config: Config = places::settings(config)?;
    wait(async {
        let desk = Desk::open(&config).await?;
        let result = work(&desk).await;
        desk.close().await;
        result
    })
}

impl Queue {
    /// Lists; exit code 3 when something waits.
    pub(super) fn run(self, config: Option<&Path>, json: bool, screen: &mut Screen<'_>) -> Result<(), Failure> {
        let states = match &self.state {
            Some(word) => vec![State::parse(word).ok_or_else(|| {
                let known: Vec<&str> = State::ALL.iter().map(|state| state.word()).collect();
                Failure::Usage(format!("--state: `{word}` is not one of {}", known.join(", ")))
            })?],
            None if self.all || self.reason.is_some() || self.about.is_some() => Vec::new(),
            None => State::ALL.into_iter().filter(|state| state.is_open()).collect(),
        };
        let listing = Listing { states, reason: self.reason, about: self.about, limit: self.limit };
        let found = at_desk(config, async |desk| desk.lab_queue(listing).await)?;
        if json {
            screen.json(&json!({ "messages": found }))?;
        } else {
            print(&found, screen)?;
        }
        let waits = found.iter().any(|one| State::parse(one.state).is_some_and(State::is_open));
        if waits { Err(Failure::Found) } else { Ok(()) }
    }
}

/// One line a message, and below how many wait for which reason.
fn print(found: &[Queued], screen: &mut Screen<'_>) -> Result<(), Failure> {
    if found.is_empty() {
        screen.line("no message waits")?;
    }
    let mut reasons: Vec<(String, usize)> = Vec::new();
    for one in found {
        let first =
            one.findings.as_array().and_then(|all| all.first()).and_then(|first| first.get("text")?.as_str().map(str::to_owned));
        screen.line(format_args!(
            "{}  {:<10} {:<12} {:>8}  {}  {}  {}",
            one.id,
            one.state,
            one.reason,
            age(one.age_seconds),
            one.kind,
            one.sender,
            first.unwrap_or_default()
        ))?;
        let cause = format!("{} {}", one.state, one.reason);
        match reasons.iter_mut().find(|(known, _)| *known == cause) {
            Some((_, count)) => *count += 1,
            None => reasons.push((cause, 1)),
        }
    }
    for (cause, count) in reasons {
        screen.line(format_args!("{count:>6} {cause}"))?;
    }
    Ok(())
}

/// `12s`, `7min`, `3h`, `2d`
fn age(seconds: i64) -> String {
    match seconds {
        i64::MIN..120 => format!("{}s", seconds.max(0)),
        120..7_200 => format!("{}min", seconds / 60),
        7_200..172_800 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

impl Show {
    /// Shows a message.
    pub(super) fn run(self, config: Option<&Path>, json: bool, screen: &mut Screen<'_>) -> Result<(), Failure> {
        let (queued, text) = at_desk(config, async |desk| desk.lab_message(&self.id, &self.by).await)?;
        if json {
            return Ok(screen.json(&json!({ "message": queued, "text": text }))?);
        }
        screen.line(format_args!(
            "{}  {} {}  {} from {}  received {}",
            queued.id, queued.state, queued.reason, queued.kind, queued.sender, queued.received
        ))?;
        for finding in queued.findings.as_array().into_iter().flatten() {
            let part = |name: &str| finding.get(name).and_then(|part| part.as_str()).unwrap_or_default().to_owned();
            screen.line(format_args!("  {} {} {}: {}", part("kind"), part("place"), part("about"), part("text")))?;
        }
        screen.line("")?;
        Ok(screen.line(text.trim_end())?)
    }
}

impl Fix {
    /// Decides.
    pub(super) fn run(self, config: Option<&Path>, json: bool, screen: &mut Screen<'_>) -> Result<(), Failure> {
        let content = match &self.message {
            // Line ends of an editor are those of a message.
            Some(file) => Some(std::fs::read(file).map_err(|error| Failure::file(file, error))?),
            None => None,
        };
        let decided = (!self.patient.is_empty()).then(|| self.patient.join(" "));
        let correction = Correction { decided, content, dismissed: self.dismiss, editor: self.by };
        let queued = at_desk(config, async |desk| desk.lab_correct(&self.id, correction).await)?;
        told(&[queued], json, screen)
    }
}

impl Replay {
    /// Files again.
    pub(super) fn run(self, config: Option<&Path>, json: bool, screen: &mut Screen<'_>) -> Result<(), Failure> {
        let done = at_desk(config, async |desk| {
            let mut ids = self.ids.clone();
            if self.reason.is_some() || self.about.is_some() {
                let listing =
                    Listing { states: Vec::new(), reason: self.reason.clone(), about: self.about.clone(), limit: 100_000 };
                let found = desk.lab_queue(listing).await?;
                ids.extend(found.into_iter().filter(|one| one.state != State::Dismissed.word()).map(|one| one.id));
            }
            let mut done = Vec::new();
            for id in ids {
                done.push(desk.lab_correct(&id, Correction { editor: self.by.clone(), ..Correction::default() }).await?);
            }
            Ok(done)
        })?;
        told(&done, json, screen)
    }
}

/// What became of messages; exit code 3 when one still waits.
fn told(done: &[Queued], json: bool, screen: &mut Screen<'_>) -> Result<(), Failure> {
    if json {
        screen.json(&json!({ "messages": done }))?;
    } else {
        print(done, screen)?;
    }
    let waits = done.iter().any(|one| State::parse(one.state).is_some_and(State::is_open));
    if waits { Err(Failure::Found) } else { Ok(()) }
}
