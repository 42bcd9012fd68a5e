//! `amanat incident`: from the first suspicion to the closed file.

mod contain;
mod outline;
mod report;
mod scope;

use super::audit::evidence::{Evidence, failed};
use super::places;
use super::screen::{Failure, Screen, wait};
use crate::audit::{Agent, Entry, Event};
use crate::fhir::Instant;
use crate::store::watch::{Incident as Kept, IncidentLine, Restriction, Step, WatchStore as _};
use clap::Subcommand;
use contain::Whom;
use outline::written;
use report::Profile;
use scope::Touching;
use serde_json::{Value, json};
use std::path::PathBuf;

const EXAMPLES: &str = "Examples:\n  \
    amanat incident open \"mass read\" --by Practitioner/dpo\n  \
    amanat incident scope ID --client app --from 2026-06-01T00:00:00Z --to 2026-06-02T00:00:00Z --by Practitioner/dpo\n  \
    amanat incident contain ID --client app --by Practitioner/dpo\n  \
    amanat incident notify ID --profile gdpr --by Practitioner/dpo --client app --from ... --to ...\n  \
    amanat incident close ID --cause \"stolen laptop\" --by Practitioner/ciso";

/// The arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Incident {
    /// The file of settings.
    #[arg(long, value_name = "FILE", env = "AMANAT_CONFIG", global = true)]
    config: Option<PathBuf>,
    /// Answer with JSON.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Open one; the clocks run from its discovery.
    Open {
        /// What it is called.
        title: String,
        /// Who opens it.
        #[arg(long, value_name = "NAME")]
        by: String,
        /// Who leads; by default who opens it.
        #[arg(long, value_name = "NAME")]
        owner: Option<String>,
        /// When it was discovered; by default now.
        #[arg(long, value_name = "MOMENT")]
        discovered: Option<String>,
    },
    /// Report a suspicion, by anybody, without a name.
    Suspect {
        /// What was seen.
        text: String,
    },
    /// Every incident.
    List,
    /// One incident: its history, and how much of each clock is left.
    Show {
        /// Which.
        id: String,
    },
    /// What a token, user, client or address touched between two moments, down to patients and records.
    Scope {
        /// Which incident.
        id: String,
        #[command(flatten)]
        touching: Touching,
        /// Who asks.
        #[arg(long, value_name = "NAME")]
        by: String,
    },
    /// Lock out whom the options name, and what else they say; in force on every node within a second.
    Contain {
        /// Which incident.
        id: String,
        #[command(flatten)]
        whom: Whom,
        /// Who orders it.
        #[arg(long, value_name = "NAME")]
        by: String,
    },
    /// Lift what was contained.
    Lift {
        /// Which incident.
        id: String,
        /// Who orders it.
        #[arg(long, value_name = "NAME")]
        by: String,
    },
    /// The report of a breach, with the clock of the regime.
    Notify {
        /// Which incident.
        id: String,
        /// `hipaa`, `gdpr` or `pk-pdpb`.
        #[arg(long, value_parser = Profile::parse)]
        profile: Profile,
        #[command(flatten)]
        touching: Touching,
        /// Who reports.
        #[arg(long, value_name = "NAME")]
        by: String,
    },
    /// Add a line to its history.
    Note {
        /// Which incident.
        id: String,
        /// What was done or found.
        text: String,
        /// By whom.
        #[arg(long, value_name = "NAME")]
        by: String,
    },
    /// Close it: with its cause, by somebody other than who opened it.
    Close {
        /// Which incident.
        id: String,
        /// What was the cause.
        #[arg(long)]
        cause: String,
        /// Who closes it.
        #[arg(long, value_name = "NAME")]
        by: String,
    },
}

impl Incident {
    pub(super) fn run(self, screen: &mut Screen<'_>) -> Result<(), Failure> {
        let config = places::settings(self.config.as_deref())?;
        let json = self.json;
        let told = wait(async {
            let evidence = Evidence::open(&config).await?;
            let told = perform(self.action, &evidence).await;
            evidence.close().await;
            told
        })?;
        if json {
            screen.json(&told)?;
        } else {
            screen.line(written(&told, 0).trim_end())?;
        }
        Ok(())
    }
}

async fn perform(action: Action, evidence: &Evidence) -> Result<Value, Failure> {
    match action {
        Action::Open { title, by, owner, discovered } => {
            let discovered = discovered.map(|text| moment(&text)).transpose()?;
            open(evidence, title, by, owner, discovered).await
        }
        Action::Suspect { text } => suspect(evidence, &text).await,
        Action::List => {
            let all = evidence.watch().incidents().await.map_err(failed)?;
            Ok(json!({ "incidents": all.iter().map(told).collect::<Vec<_>>() }))
        }
        Action::Show { id } => show(evidence, &id).await,
        Action::Scope { id, touching, by } => {
            find(evidence, &id).await?;
            let found = scope::touched(evidence, &touching).await?;
            let text = format!("{}: {}", touching.told(), found.summary());
            step(evidence, &id, ("scoped", "scoped"), &by, &text, Vec::new()).await?;
            Ok(found.told())
        }
        Action::Contain { id, whom, by } => contain::contain(evidence, &id, &whom, &by).await,
        Action::Lift { id, by } => contain::lift(evidence, &id, &by).await,
        Action::Notify { id, profile, touching, by } => {
            let (incident, lines) = find(evidence, &id).await?;
            let found = scope::touched(evidence, &touching).await?;
            let checkpoint = evidence.keeper.checkpoint().await.map_err(failed)?;
            let kept = match checkpoint {
                Some(kept) => Some(kept),
                None => evidence.store().last_checkpoint().await.map_err(failed)?,
            };
            let note = kept.map(|kept| kept.note).unwrap_or_default();
            let report = report::report(profile, &incident, &lines, &found, &note, evidence.desk.now());
            let text = format!("report for {} of {} patients", profile.name(), found.patients.len());
            step(evidence, &id, ("notified", "notified"), &by, &text, Vec::new()).await?;
            Ok(report)
        }
        Action::Note { id, text, by } => {
            find(evidence, &id).await?;
            step(evidence, &id, ("noted", "noted"), &by, &text, Vec::new()).await?;
            Ok(json!({ "noted": id }))
        }
        Action::Close { id, cause, by } => close(evidence, &id, &cause, &by).await,
    }
}

fn moment(text: &str) -> Result<Instant, Failure> {
    Instant::parse(text).ok_or_else(|| Failure::Usage(format!("`{text}` is no moment, such as 2026-06-01T12:00:00Z")))
}

async fn find(evidence: &Evidence, id: &str) -> Result<(Kept, Vec<IncidentLine>), Failure> {
    let found = evidence.watch().incident(id).await.map_err(failed)?;
    found.ok_or_else(|| Failure::Usage(format!("there is no incident `{id}`: `amanat incident list`")))
}

fn entry(word: &'static str, by: &str, now: Instant, text: &str) -> Entry {
    let agent = Agent { client: "amanat".to_owned(), subject: by.to_owned(), ..Agent::default() };
    Entry::concluded(Event::Incident(word), agent, now, uuid::Uuid::now_v7().to_string()).asking(text)
}

async fn open(
    evidence: &Evidence,
    title: String,
    by: String,
    owner: Option<String>,
    discovered: Option<Instant>,
) -> Result<Value, Failure> {
    let now = evidence.desk.now();
    let id = uuid::Uuid::now_v7().to_string();
    let incident = Kept {
        id: id.clone(),
        title: title.clone(),
        discovered: discovered.unwrap_or(now),
        opened: now,
        opened_by: by.clone(),
        owner: owner.unwrap_or_else(|| by.clone()),
        state: "open".to_owned(),
        cause: String::new(),
        closed: None,
        closed_by: String::new(),
    };
    let line = IncidentLine { at: now, kind: "opened".to_owned(), by: by.clone(), text: title };
    let entry = entry("opened", &by, now, &format!("incident={id}"));
    let told = told(&incident);
    evidence.watch().open_incident(incident, line, entry).await.map_err(failed)?;
    Ok(told)
}

/// Nothing about who reports is kept.
async fn suspect(evidence: &Evidence, text: &str) -> Result<Value, Failure> {
    let now = evidence.desk.now();
    let id = uuid::Uuid::now_v7().to_string();
    let incident = Kept {
        id: id.clone(),
        title: text.chars().take(80).collect(),
        discovered: now,
        opened: now,
        opened_by: "anonymous".to_owned(),
        owner: String::new(),
        state: "open".to_owned(),
        cause: String::new(),
        closed: None,
        closed_by: String::new(),
    };
    let line = IncidentLine { at: now, kind: "suspected".to_owned(), by: "anonymous".to_owned(), text: text.to_owned() };
    evidence
        .watch()
        .open_incident(incident, line, entry("suspected", "anonymous", now, &format!("incident={id}")))
        .await
        .map_err(failed)?;
    Ok(json!({ "incident": id }))
}

async fn step(
    evidence: &Evidence,
    id: &str,
    (kind, word): (&str, &'static str),
    by: &str,
    text: &str,
    restrictions: Vec<Restriction>,
) -> Result<(), Failure> {
    let now = evidence.desk.now();
    let line = IncidentLine { at: now, kind: kind.to_owned(), by: by.to_owned(), text: text.to_owned() };
    let entry = entry(word, by, now, &format!("incident={id} {text}"));
    let step = Step { incident: id.to_owned(), line, restrictions, closes: None, entry };
    evidence.watch().step(step).await.map(drop).map_err(failed)
}

async fn close(evidence: &Evidence, id: &str, cause: &str, by: &str) -> Result<Value, Failure> {
    let (incident, _) = find(evidence, id).await?;
    if incident.state == "closed" {
        return Err(Failure::Failed("the incident is closed already".to_owned()));
    }
    if cause.trim().is_empty() {
        return Err(Failure::Usage("--cause: say what it was".to_owned()));
    }
    if incident.opened_by == by {
        return Err(Failure::Failed("nobody closes an incident that they opened: a second person must".to_owned()));
    }
    let now = evidence.desk.now();
    let line = IncidentLine { at: now, kind: "closed".to_owned(), by: by.to_owned(), text: cause.to_owned() };
    let entry = entry("closed", by, now, &format!("incident={id} cause={cause}"));
    let step = Step { incident: id.to_owned(), line, restrictions: Vec::new(), closes: Some(cause.to_owned()), entry };
    evidence.watch().step(step).await.map_err(failed)?;
    Ok(json!({ "closed": id, "cause": cause }))
}

fn told(incident: &Kept) -> Value {
    json!({
        "incident": incident.id, "title": incident.title, "state": incident.state, "discovered": incident.discovered.to_string(),
        "opened": incident.opened.to_string(), "opened_by": incident.opened_by, "owner": incident.owner, "cause": incident.cause,
        "closed": incident.closed.map(|at| at.to_string()), "closed_by": incident.closed_by,
    })
}

async fn show(evidence: &Evidence, id: &str) -> Result<Value, Failure> {
    let (incident, lines) = find(evidence, id).await?;
    let now = evidence.desk.now();
    let mut shown = told(&incident);
    if let Some(members) = shown.as_object_mut() {
        let clocks: Vec<Value> = Profile::ALL.iter().map(|profile| profile.clock(incident.discovered, now)).collect();
        members.insert("clocks".to_owned(), Value::from(clocks));
        members.insert("history".to_owned(), report::history(&lines));
    }
    Ok(shown)
}
