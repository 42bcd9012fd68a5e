//! `amanat audit review | digest`

use super::Common;
use super::evidence::{Evidence, failed};
use crate::audit::{Agent, Entry, Event, Leaf};
use crate::cli::places;
use crate::cli::screen::{Failure, Screen, wait};
use crate::fhir::{Instant, Outcome};
use crate::store::emergency::Disposition;
use crate::store::emergency::Review as Closing;
use crate::store::watch::{Mute, Reviewed, WatchStore as _};
use clap::Subcommand;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

pub(super) const EXAMPLES: &str = "Examples:\n  \
    amanat audit review list\n  \
    amanat audit review close R3-120-Practitioner/d1 --by Practitioner/dpo --as justified --note \"ward round\"\n  \
    amanat audit review mute R8 --subject Practitioner/d1 --days 14 --by Practitioner/dpo --reason \"night shifts\"";

/// The arguments.
#[derive(Debug, clap::Args)]
pub(super) struct Review {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// What waits, that due first at the front; exit code 3 when something is overdue.
    List {
        #[command(flatten)]
        common: Common,
        /// Also what is closed.
        #[arg(long)]
        all: bool,
    },
    /// Close a case. Nobody closes a case of their own.
    Close {
        #[command(flatten)]
        common: Common,
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
    /// Do not hear a rule for a while: with an end, a reason and a name.
    Mute {
        #[command(flatten)]
        common: Common,
        /// The rule.
        rule: String,
        /// About whom; everybody, when nobody is named.
        #[arg(long, value_name = "NAME", default_value = "")]
        subject: String,
        /// For how many days.
        #[arg(long, value_parser = clap::value_parser!(i64).range(1..=90))]
        days: i64,
        /// Who mutes it.
        #[arg(long, value_name = "NAME")]
        by: String,
        /// Why.
        #[arg(long)]
        reason: String,
    },
}

impl Review {
    pub(super) fn run(self, screen: &mut Screen<'_>) -> Result<(), Failure> {
        let (Action::List { common, .. } | Action::Close { common, .. } | Action::Mute { common, .. }) = &self.action;
        let (config, json) = (places::settings(common.config.as_deref())?, common.json);
        wait(async {
            let evidence = Evidence::open(&config).await?;
            let done = match self.action {
                Action::List { all, .. } => list(&evidence, all, json, screen).await,
                Action::Close { case, by, disposition, note, .. } => {
                    let told = close(&evidence, &case, &by, &disposition, &note).await;
                    told.and_then(|told| Ok(tell(&json!({ "closed": case, "as": told }), json, screen)?))
                }
                Action::Mute { rule, subject, days, by, reason, .. } => {
                    let told = mute(&evidence, &rule, &subject, days, &by, &reason).await;
                    told.and_then(|until| Ok(tell(&json!({ "muted": rule, "until": until }), json, screen)?))
                }
            };
            evidence.close().await;
            done
        })
    }
}

fn tell(told: &Value, json: bool, screen: &mut Screen<'_>) -> std::io::Result<()> {
    if json {
        return screen.json(told);
    }
    let parts = told.as_object().into_iter().flatten();
    screen
        .line(parts.map(|(name, value)| format!("{name}: {}", value.as_str().unwrap_or_default())).collect::<Vec<_>>().join("; "))
}

fn is_overdue(case: &Reviewed, now: Instant) -> bool {
    matches!(case.state.as_str(), "open" | "escalated") && case.due <= now
}

async fn list(evidence: &Evidence, all: bool, json: bool, screen: &mut Screen<'_>) -> Result<(), Failure> {
    let (queue, now) = (evidence.watch().queue(all).await.map_err(failed)?, evidence.desk.now());
    let alarms: BTreeMap<String, String> =
        evidence.watch().alarms(true, 10_000).await.map_err(failed)?.into_iter().map(|one| (one.id, one.text)).collect();
    let told = |case: &Reviewed| {
        json!({
            "case": case.id, "kind": case.kind, "about": case.about, "patient": case.patient, "actor": case.actor, "state": case.state,
            "opened": case.opened.to_string(), "due": case.due.to_string(), "overdue": is_overdue(case, now),
            "reviewer": case.reviewer, "note": case.note, "text": alarms.get(&case.about),
        })
    };
    if json {
        screen.json(&json!({ "cases": queue.iter().map(told).collect::<Vec<_>>() }))?;
    } else if queue.is_empty() {
        screen.line("nothing waits")?;
    }
    for case in queue.iter().filter(|_| !json) {
        let mark = if is_overdue(case, now) { "OVERDUE" } else { case.state.as_str() };
        let text = alarms.get(&case.about).map(String::as_str).unwrap_or_default();
        screen.line(format_args!("{}  {}  {mark}  due {}  {}  {text}", case.id, case.kind, case.due, case.actor))?;
    }
    if queue.iter().any(|case| is_overdue(case, now)) { Err(Failure::Found) } else { Ok(()) }
}

fn by(name: &str) -> Agent {
    Agent { client: "amanat".to_owned(), subject: name.to_owned(), ..Agent::default() }
}

async fn close(evidence: &Evidence, case: &str, name: &str, disposition: &str, note: &str) -> Result<&'static str, Failure> {
    let disposition = Disposition::parse(disposition)
        .ok_or_else(|| Failure::Usage(format!("--as: `{disposition}` is not one of justified, violation, escalated")))?;
    let now = evidence.desk.now();
    let entry = Entry::concluded(Event::Guard("reviewed"), by(name), now, uuid::Uuid::now_v7().to_string());
    let review = Closing {
        case: case.to_owned(),
        disposition,
        reviewer: name.to_owned(),
        note: note.to_owned(),
        now,
        entry: entry.asking(&format!("case={case} disposition={} by={name}", disposition.word())),
    };
    evidence.watch().review(review).await.map_err(failed)?;
    Ok(disposition.word())
}

async fn mute(evidence: &Evidence, rule: &str, subject: &str, days: i64, name: &str, reason: &str) -> Result<String, Failure> {
    let rule = crate::audit::rules::Rule::parse(rule).ok_or_else(|| Failure::Usage(format!("`{rule}` is no rule: R1 to R15")))?;
    if reason.trim().is_empty() {
        return Err(Failure::Usage("--reason: say why".to_owned()));
    }
    let now = evidence.desk.now();
    let ends = now.plus_seconds(days * 24 * 3_600);
    let entry = Entry::concluded(Event::Guard("muted"), by(name), now, uuid::Uuid::now_v7().to_string());
    let entry = entry.asking(&format!("{} subject={subject} until={ends}: {reason}", rule.name()));
    let mute =
        Mute { rule: rule.name().to_owned(), subject: subject.to_owned(), ends, reason: reason.to_owned(), by: name.to_owned() };
    evidence.watch().mute(mute, entry).await.map_err(failed)?;
    Ok(ends.to_string())
}

/// The arguments of `digest`.
#[derive(Debug, clap::Args)]
pub(super) struct Digest {
    #[command(flatten)]
    common: Common,
    /// Of how many days, up to now.
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(i64).range(1..=366))]
    days: i64,
    /// Of this user alone.
    #[arg(long, value_name = "REFERENCE")]
    user: Option<String>,
}

/// What one user did.
#[derive(Debug, Default)]
struct Week {
    accesses: u64,
    patients: BTreeSet<String>,
    emergencies: u64,
    under_emergency: BTreeSet<String>,
    refused: u64,
}

impl Digest {
    pub(super) fn run(self, screen: &mut Screen<'_>) -> Result<(), Failure> {
        let config = places::settings(self.common.config.as_deref())?;
        let weeks = wait(async {
            let evidence = Evidence::open(&config).await?;
            let weeks = self.weeks(&evidence).await;
            evidence.close().await;
            weeks
        })?;
        if self.common.json {
            let told = |(user, week): (&String, &Week)| {
                json!({
                    "user": user, "accesses": week.accesses, "patients": week.patients.len(), "emergencies": week.emergencies,
                    "records_under_emergency": week.under_emergency.len(), "refused": week.refused, "text": self.text(week),
                })
            };
            screen.json(&json!({ "digests": weeks.iter().map(told).collect::<Vec<_>>() }))?;
        } else {
            for (user, week) in &weeks {
                screen.line(format_args!("{user}: {}", self.text(week)))?;
            }
        }
        Ok(())
    }

    fn text(&self, week: &Week) -> String {
        format!(
            "In the last {} days you opened records {} times, of {} patients. You opened {} records under break-glass ({} times). \
             {} requests of yours were refused. If any of this was not you, tell the privacy office.",
            self.days,
            week.accesses,
            week.patients.len(),
            week.under_emergency.len(),
            week.emergencies,
            week.refused
        )
    }

    async fn weeks(&self, evidence: &Evidence) -> Result<BTreeMap<String, Week>, Failure> {
        let since = evidence.desk.now().plus_seconds(-self.days * 24 * 3_600);
        let mut at = evidence.store().before(since).await.map_err(failed)?;
        let mut weeks: BTreeMap<String, Week> = BTreeMap::new();
        loop {
            let rows = evidence.store().rows(at, super::evidence::BATCH).await.map_err(failed)?;
            let Some(last) = rows.last().map(|row| row.seq) else { return Ok(weeks) };
            at = last;
            for entry in rows.iter().filter_map(|row| Leaf::decode(&row.leaf).ok()).map(|leaf| leaf.entry) {
                let Some(user) = entry.agent.user.as_ref().map(ToString::to_string) else { continue };
                if self.user.as_ref().is_none_or(|only| *only == user) {
                    weeks.entry(user).or_default().add(&entry);
                }
            }
        }
    }
}

impl Week {
    fn add(&mut self, entry: &Entry) {
        if entry.outcome != Outcome::Success {
            self.refused += 1;
            return;
        }
        match entry.event {
            Event::Rest(_) if !entry.patients.is_empty() => {
                self.accesses += 1;
                self.patients.extend(entry.patients.iter().map(ToString::to_string));
                if entry.agent.purposes.iter().any(|purpose| purpose == "BTG") {
                    let records = entry.records.iter().map(|record| format!("{}/{}", record.resource_type, record.id));
                    self.under_emergency.extend(records);
                }
            }
            Event::Override("started") => self.emergencies += 1,
            _ => {}
        }
    }
}
