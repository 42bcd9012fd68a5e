//! `amanat break-glass list|close|notices|acknowledge|end`

use super::desk::Desk;
use super::places;
use super::screen::{Failure, Screen, wait};
use crate::fhir::{Instant, Key};
use crate::store::emergency::{Case, Disposition, Kept};
use clap::Subcommand;
use serde_json::{Value, json};
use std::path::PathBuf;

/// The arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: amanat break-glass list --json")]
pub(super) struct BreakGlass {
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
    /// The cases that wait for a review; exit code 3 when one is overdue.
    #[command(after_help = "Example: amanat break-glass list")]
    List {
        /// Those that are closed too.
        #[arg(long)]
        all: bool,
    },
    /// Close a case. Nobody closes a case of their own.
    #[command(
        after_help = "Example: amanat break-glass close 0199... --by Practitioner/dpo --as justified --note \"on call that night\""
    )]
    Close {
        /// The case.
        case: String,
        /// Who reviewed it.
        #[arg(long, value_name = "NAME")]
        by: String,
        /// `justified`, `violation` or `escalated`.
        #[arg(long = "as", value_name = "DISPOSITION")]
        disposition: String,
        /// Why.
        #[arg(long)]
        note: String,
    },
    /// What was told of emergency access, to the privacy office and to patients, and nobody took note of yet.
    #[command(after_help = "Example: amanat break-glass notices --all --json")]
    Notices {
        /// Those that were taken note of too.
        #[arg(long)]
        all: bool,
    },
    /// Take note for the privacy office.
    #[command(after_help = "Example: amanat break-glass acknowledge 0199... --by Practitioner/dpo")]
    Acknowledge {
        /// The notices.
        #[arg(required = true)]
        notices: Vec<String>,
        /// Who took note.
        #[arg(long, value_name = "NAME")]
        by: String,
    },
    /// End emergency access before its time: of one grant, or all of a user who was locked out.
    #[command(after_help = "Example: amanat break-glass end --user Practitioner/d1 --by \"privacy office\"")]
    End {
        /// The grant.
        grant: Option<String>,
        /// All grants of this user.
        #[arg(long, value_name = "REFERENCE", conflicts_with = "grant")]
        user: Option<String>,
        /// Who ends it.
        #[arg(long, value_name = "NAME")]
        by: String,
    },
}

impl BreakGlass {
    /// Tells or changes what is known of emergency access.
    pub(super) fn run(self, screen: &mut Screen<'_>) -> Result<(), Failure> {
        let config = places::settings(self.config.as_deref())?;
        let json = self.json;
        wait(async {
            let desk = Desk::open(&config).await?;
            let result = match self.action {
                Action::List { all } => list(&desk, all, json, screen).await,
                Action::Close { case, by, disposition, note } => {
                    let disposition = Disposition::parse(&disposition).ok_or_else(|| {
                        Failure::Usage(format!("--as: `{disposition}` is not one of justified, violation, escalated"))
                    })?;
                    close(&desk, &case, &by, disposition, &note, json, screen).await
                }
                Action::Notices { all } => notices(&desk, all, json, screen).await,
                Action::Acknowledge { notices, by } => acknowledge(&desk, &notices, &by, json, screen).await,
                Action::End { grant, user, by } => end(&desk, grant, user, &by, json, screen).await,
            };
            desk.close().await;
            result
        })
    }
}

async fn list(desk: &Desk, all: bool, json: bool, screen: &mut Screen<'_>) -> Result<(), Failure> {
    let (cases, now) = (desk.cases(all).await?, desk.now());
    let overdue = cases.iter().any(|case| case.is_overdue(now));
    if json {
        screen.json(&json!({ "cases": cases.iter().map(|case| told(case, now)).collect::<Vec<_>>() }))?;
    } else if cases.is_empty() {
        screen.line("no case waits")?;
    }
    for case in cases.iter().filter(|_| !json) {
        let mark = if case.is_overdue(now) { "OVERDUE" } else { case.state.as_str() };
        let grant = &case.grant;
        screen.line(format_args!(
            "{}  {mark}  due {}  {} -> Patient/{} through {}  {}: {}",
            case.id, case.due, grant.user, grant.patient, grant.client, grant.reason, grant.text
        ))?;
    }
    if overdue { Err(Failure::Found) } else { Ok(()) }
}

fn told(case: &Case, now: Instant) -> Value {
    let grant = &case.grant;
    json!({
        "case": case.id, "state": case.state, "overdue": case.is_overdue(now), "opened": case.opened.to_string(),
        "due": case.due.to_string(), "reviewer": case.reviewer, "note": case.note, "grant": grant.id,
        "user": grant.user.to_string(), "client": grant.client, "patient": format!("Patient/{}", grant.patient),
        "reason": grant.reason, "text": grant.text, "begins": grant.begins.to_string(), "ends": grant.ends.to_string(),
        "ended": grant.ended.map(|at| at.to_string()), "ended_by": grant.ended_by,
    })
}

async fn close(
    desk: &Desk,
    case: &str,
    by: &str,
    disposition: Disposition,
    note: &str,
    json: bool,
    screen: &mut Screen<'_>,
) -> Result<(), Failure> {
    desk.close_case(case, by, disposition, note).await?;
    if json {
        screen.json(&json!({ "closed": case, "as": disposition.word() }))?;
    } else {
        screen.line(format_args!("closed {case} as {}", disposition.word()))?;
    }
    Ok(())
}

async fn notices(desk: &Desk, all: bool, json: bool, screen: &mut Screen<'_>) -> Result<(), Failure> {
    let kept = desk.notices(all).await?;
    if json {
        screen.json(&json!({ "notices": kept.iter().map(noticed).collect::<Vec<_>>() }))?;
    } else if kept.is_empty() {
        screen.line("no notice waits")?;
    }
    for notice in kept.iter().filter(|_| !json) {
        let taken = notice.taken.as_ref().map(|(at, by)| format!("  taken note of by {by} at {at}")).unwrap_or_default();
        screen.line(format_args!("{}  {}  to {}  {}{taken}", notice.id, notice.made, notice.recipient, notice.text))?;
    }
    Ok(())
}

fn noticed(notice: &Kept) -> Value {
    let (at, by) = notice.taken.as_ref().map(|(at, by)| (at.to_string(), by.clone())).unzip();
    json!({
        "id": notice.id, "rule": notice.rule, "to": notice.recipient, "grant": notice.grant,
        "patient": format!("Patient/{}", notice.patient), "text": notice.text, "made": notice.made.to_string(),
        "acknowledged": at, "acknowledged_by": by,
    })
}

async fn acknowledge(desk: &Desk, ids: &[String], by: &str, json: bool, screen: &mut Screen<'_>) -> Result<(), Failure> {
    let taken = desk.acknowledge(ids, by).await?;
    if json {
        screen.json(&json!({ "acknowledged": taken }))?;
    } else {
        screen.line(format_args!("acknowledged {}", taken.len()))?;
    }
    let missed = ids.iter().filter(|id| !taken.contains(id)).map(String::as_str).collect::<Vec<_>>().join(", ");
    if missed.is_empty() { Ok(()) } else { Err(Failure::Failed(format!("no notice for the privacy office waits as {missed}"))) }
}

async fn end(
    desk: &Desk,
    grant: Option<String>,
    user: Option<String>,
    by: &str,
    json: bool,
    screen: &mut Screen<'_>,
) -> Result<(), Failure> {
    let user =
        user.map(|text| Key::parse(&text).ok_or_else(|| Failure::Usage(format!("--user: `{text}` is not one")))).transpose()?;
    if grant.is_none() && user.is_none() {
        return Err(Failure::Usage("name a grant, or a user with --user".to_owned()));
    }
    let ended = desk.end_emergency(grant.as_deref(), user.as_ref(), by).await?;
    if json {
        screen.json(&json!({ "ended": ended }))?;
    } else {
        screen.line(format_args!("ended {ended}"))?;
    }
    Ok(())
}
