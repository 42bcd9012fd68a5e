//! `amanat explain` and `amanat explain shadow`

use super::desk::Desk;
use super::places;
use super::screen::{Failure, Screen, wait};
use crate::fhir::json::Document;
use crate::fhir::{Instant, Key};
use crate::gateway::{Draft, Explained, Shift, Somebody};
use crate::identity::normalised_purpose;
use clap::Subcommand;
use serde_json::json;
use std::path::{Path, PathBuf};

/// The arguments.
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Example: amanat explain --user Practitioner/d1 --purpose TREAT --record Observation/o1"
)]
pub(super) struct Explain {
    #[command(subcommand)]
    action: Option<Action>,
    #[command(flatten)]
    question: Question,
}

#[derive(Debug, clap::Args)]
struct Question {
    /// The client that would ask; its registration tells scopes, organization and purposes that are not named here.
    #[arg(long, value_name = "CLIENT_ID")]
    client: Option<String>,
    /// The user who would ask, such as Practitioner/d1.
    #[arg(long, value_name = "REFERENCE")]
    user: Option<String>,
    /// The organization acted for.
    #[arg(long, value_name = "REFERENCE")]
    organization: Option<String>,
    /// Scopes; without them and without a client, scopes are not asked about.
    #[arg(long)]
    scope: Option<String>,
    /// A purpose of use; may be repeated.
    #[arg(long, value_name = "CODE")]
    purpose: Vec<String>,
    /// The record, such as Observation/o1.
    #[arg(long, value_name = "REFERENCE", required_unless_present = "search")]
    record: Option<String>,
    /// A search, such as "Observation?patient=p1".
    #[arg(long, value_name = "SEARCH", conflicts_with = "record")]
    search: Option<String>,
    /// The file of settings.
    #[arg(long, value_name = "FILE", env = "AMANAT_CONFIG")]
    config: Option<PathBuf>,
    /// Answer with JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Decide again what the trail of a window tells, under a draft: who would gain or lose what.
    #[command(after_help = "Example: amanat explain shadow --draft draft.toml --consent draft.json --since 2026-11-01T00:00:00Z")]
    Shadow {
        /// A file of settings whose `[consent]` is the draft, its label rules among it.
        #[arg(long, value_name = "FILE", required_unless_present = "consent")]
        draft: Option<PathBuf>,
        /// A Consent resource that would be filed; may be repeated.
        #[arg(long, value_name = "FILE")]
        consent: Vec<PathBuf>,
        /// Where the window begins.
        #[arg(long, value_name = "INSTANT")]
        since: String,
        /// The file of settings in force.
        #[arg(long, value_name = "FILE", env = "AMANAT_CONFIG")]
        config: Option<PathBuf>,
        /// Answer with JSON.
        #[arg(long)]
        json: bool,
    },
}

impl Explain {
    /// Explains.
    pub(super) fn run(self, screen: &mut Screen<'_>) -> Result<(), Failure> {
        match self.action {
            Some(Action::Shadow { draft, consent, since, config, json }) => {
                let since = Instant::parse(&since)
                    .ok_or_else(|| Failure::Usage(format!("--since: `{since}` is no instant, such as 2026-11-01T00:00:00Z")))?;
                let config = places::settings(config.as_deref())?;
                let other = draft.map(|file| places::settings(Some(&file))).transpose()?;
                let consents = consent.iter().map(|file| document(file)).collect::<Result<_, _>>()?;
                let (settings, labelling) = other.map(|other| (other.consent, other.labelling)).unzip();
                let draft = Draft { settings, labelling, consents };
                let shifts = wait(async {
                    let desk = Desk::open(&config).await?;
                    let shifts = desk.shadow(&draft, since).await;
                    desk.close().await;
                    shifts
                })?;
                tell_shifts(&shifts, json, screen)
            }
            None => self.question.run(screen),
        }
    }
}

fn document(file: &Path) -> Result<Document, Failure> {
    let wrong = |why: String| Failure::Usage(format!("--consent: `{}` {why}", file.display()));
    let bytes = std::fs::read(file).map_err(|error| wrong(format!("cannot be read: {error}")))?;
    Document::parse(&bytes).map_err(|error| wrong(format!("is no JSON that is accepted here: {error}")))
}

impl Question {
    fn run(self, screen: &mut Screen<'_>) -> Result<(), Failure> {
        let config = places::settings(self.config.as_deref())?;
        let (json, somebody) = (self.json, self.somebody()?);
        let explained = wait(async {
            let desk = Desk::open(&config).await?;
            let explained = match (&self.record, &self.search) {
                (_, Some(search)) => desk.explain_search(&somebody, search).await,
                (Some(record), None) => desk.explain(&somebody, record).await.map(|one| vec![one]),
                (None, None) => Ok(Vec::new()),
            };
            desk.close().await;
            explained
        })?;
        if json {
            return Ok(screen.json(&json!({ "explained": explained }))?);
        }
        explained.iter().try_for_each(|one| tell(one, screen))
    }

    fn somebody(&self) -> Result<Somebody, Failure> {
        let wrong = |flag: &str, text: &str| Failure::Usage(format!("{flag}: `{text}` is not one"));
        let user = self.user.as_deref().map(|text| Key::parse(text).ok_or_else(|| wrong("--user", text))).transpose()?;
        let purpose = |text: &String| normalised_purpose(text).ok_or_else(|| wrong("--purpose", text));
        Ok(Somebody {
            client: self.client.clone(),
            user,
            organization: self.organization.clone(),
            scope: self.scope.clone(),
            purposes: self.purpose.iter().map(purpose).collect::<Result<_, _>>()?,
        })
    }
}

fn tell(one: &Explained, screen: &mut Screen<'_>) -> Result<(), Failure> {
    let decision = &one.decision;
    screen.line(format_args!("{}: {}", decision.record, if one.shown { "shown" } else { "hidden" }))?;
    match one.scopes.as_deref() {
        Some([]) => screen.line("  scopes: none opens it")?,
        Some(scopes) => screen.line(format_args!("  scopes: {}", scopes.join(" ")))?,
        None => {}
    }
    screen.line(format_args!(
        "  labels: {} by rules {}; without a consent: {}",
        decision.confidentiality, decision.ruleset, one.implicit_policy
    ))?;
    for (patient, said) in decision.patients.iter().flat_map(|patient| patient.purposes.iter().map(move |said| (patient, said))) {
        let verb = if said.permitted { "permits" } else { "denies" };
        let purpose = said.purpose.as_deref().unwrap_or("(no purpose)");
        screen.line(format_args!(
            "  {} {verb} for {purpose}: {:?}{}",
            patient.patient,
            said.ground,
            if said.grant { ", under a grant" } else { "" }
        ))?;
        for consent in &said.consents {
            let verdict = consent.verdict.map_or_else(|| "says nothing".to_owned(), |verdict| format!("{verdict:?}"));
            let place = consent.path.as_deref().map(|path| format!(" at {path}")).unwrap_or_default();
            let apart = consent.apart.map(|why| format!(", apart: {why}")).unwrap_or_default();
            screen.line(format_args!("    {}: {verdict}{place}{apart}", consent.consent))?;
            for failed in &consent.failed {
                screen.line(format_args!("      {} does not match by {}", failed.path, failed.criteria.join(", ")))?;
            }
            for fault in &consent.faults {
                screen.line(format_args!("      cannot be enforced: {fault}"))?;
            }
        }
    }
    Ok(())
}

fn tell_shifts(shifts: &[Shift], json: bool, screen: &mut Screen<'_>) -> Result<(), Failure> {
    if json {
        return Ok(screen.json(&json!({ "shifts": shifts }))?);
    }
    if shifts.is_empty() {
        screen.line("nobody would gain or lose anything in this window")?;
    }
    for one in shifts {
        let verb = if one.gains { "gains" } else { "loses" };
        screen.line(format_args!("{verb}  {} ({})  {}", one.who, one.purposes.join(" "), one.record))?;
    }
    Ok(())
}
