//! `amanat user add|list|disable|enable|setup-link`

use super::desk::Desk;
use super::places;
use super::screen::{Failure, Screen, wait};
use crate::fhir::{Id, Key};
use crate::smart::Account;
use clap::Subcommand;
use serde_json::json;
use std::path::PathBuf;

/// The arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: amanat user list --json")]
pub(super) struct User {
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
    /// Add a person, and print a link by which they choose a password.
    #[command(after_help = "Example: amanat user add a.khan --name \"Dr A. Khan\" --fhir-user Practitioner/khan")]
    Add(Box<Add>),
    /// Every person.
    #[command(after_help = "Example: amanat user list --json")]
    List,
    /// Lock a person out: their sessions end, and apps get no new tokens for them.
    #[command(after_help = "Example: amanat user disable a.khan")]
    Disable {
        /// What they type to sign in.
        username: String,
    },
    /// Let a person in again, also after too many failures.
    #[command(after_help = "Example: amanat user enable a.khan")]
    Enable {
        /// What they type to sign in.
        username: String,
    },
    /// Print a new link by which a person chooses a password. It holds for half an hour, once.
    #[command(after_help = "Example: amanat user setup-link a.khan")]
    SetupLink {
        /// What they type to sign in.
        username: String,
    },
    /// Give up a person's second factor: they lost their phone and their recovery codes.
    #[command(after_help = "Example: amanat user forget-phone a.khan")]
    ForgetPhone {
        /// What they type to sign in.
        username: String,
    },
}

#[derive(Debug, clap::Args)]
struct Add {
    /// What they type to sign in: a-z 0-9 . _ - @
    username: String,
    /// What people call them; the username when absent.
    #[arg(long)]
    name: Option<String>,
    /// Their own record: a `Practitioner`, `PractitionerRole`, `Patient`, `RelatedPerson` or `Person`.
    #[arg(long, value_name = "TYPE/ID")]
    fhir_user: String,
    /// A patient whom they act for, beside themselves; may be repeated.
    #[arg(long, value_name = "ID")]
    patient: Vec<String>,
    /// A role word, as in `[consent.break_glass] roles`; may be repeated.
    #[arg(long, value_name = "WORD")]
    role: Vec<String>,
    /// The organization that they act for, such as Organization/ward.
    #[arg(long, value_name = "REFERENCE")]
    organization: Option<String>,
}

impl Add {
    fn account(self) -> Result<Account, Failure> {
        let user = Key::parse(&self.fhir_user);
        let user = user.ok_or_else(|| Failure::Usage(format!("--fhir-user: `{}` is not `Type/id`", self.fhir_user)))?;
        if let Some(wrong) = self.patient.iter().find(|id| Id::parse(id).is_none()) {
            return Err(Failure::Usage(format!("--patient: `{wrong}` is not an id")));
        }
        let name = self.name.unwrap_or_else(|| self.username.clone());
        let account = Account::new(&self.username, &name, &user).ok_or_else(|| {
            let text = "a username is 1 to 100 characters of a-z 0-9 . _ - @, and --fhir-user names a Practitioner, PractitionerRole, \
                        Patient, RelatedPerson or Person";
            Failure::Usage(text.to_owned())
        })?;
        Ok(Account { patients: self.patient, roles: self.role, organization: self.organization, ..account })
    }
}

impl User {
    /// Changes or tells the people.
    pub(super) fn run(self, screen: &mut Screen<'_>) -> Result<(), Failure> {
        let config = places::settings(self.config.as_deref())?;
        let json = self.json;
        wait(async {
            let desk = Desk::open(&config).await?;
            let result = match self.action {
                Action::Add(add) => added(&desk, add.account()?, json, screen).await,
                Action::List => list(&desk, json, screen).await,
                Action::Disable { username } => locked(&desk, &username, true, json, screen).await,
                Action::Enable { username } => locked(&desk, &username, false, json, screen).await,
                Action::SetupLink { username } => link(&desk, &username, json, screen).await,
                Action::ForgetPhone { username } => forgotten(&desk, &username, json, screen).await,
            };
            desk.close().await;
            result
        })
    }
}

async fn added(desk: &Desk, account: Account, json: bool, screen: &mut Screen<'_>) -> Result<(), Failure> {
    desk.add_user(&account).await?;
    let link = desk.setup_link(&account.username).await?;
    if json {
        screen.json(&json!({ "added": account.username, "subject": account.subject, "setup_link": link }))?;
    } else {
        screen.line(format_args!("added `{}`. To choose a password, within half an hour, once:", account.username))?;
        screen.line(format_args!("  {link}"))?;
    }
    Ok(())
}

async fn list(desk: &Desk, json: bool, screen: &mut Screen<'_>) -> Result<(), Failure> {
    let people = desk.list_users().await?;
    let state = |account: &Account| if account.disabled { "disabled" } else { "enabled" };
    if json {
        let told: Vec<_> = people
            .iter()
            .map(|one| {
                json!({
                    "username": one.username, "name": one.name, "subject": one.subject, "fhirUser": one.user, "patients": one.patients,
                    "roles": one.roles, "state": state(one), "password": one.password.is_some(), "second_factor": one.totp.is_some(),
                })
            })
            .collect();
        screen.json(&json!({ "users": told }))?;
        return Ok(());
    }
    let width = people.iter().map(|one| one.username.len()).max().unwrap_or(0).max(8);
    screen.line(format_args!("{:width$}  {:8}  FHIR USER", "USERNAME", "STATE"))?;
    for one in people {
        screen.line(format_args!("{:width$}  {:8}  {}", one.username, state(&one), one.user))?;
    }
    Ok(())
}

async fn locked(desk: &Desk, username: &str, out: bool, json: bool, screen: &mut Screen<'_>) -> Result<(), Failure> {
    desk.lock_user(username, out).await?;
    let word = if out { "disabled" } else { "enabled" };
    if json {
        screen.json(&json!({ word: username }))?;
    } else {
        screen.line(format_args!("{word} `{username}`"))?;
    }
    Ok(())
}

async fn link(desk: &Desk, username: &str, json: bool, screen: &mut Screen<'_>) -> Result<(), Failure> {
    let link = desk.setup_link(username).await?;
    if json {
        screen.json(&json!({ "setup_link": link }))?;
    } else {
        screen.line(format_args!("{link}"))?;
    }
    Ok(())
}

async fn forgotten(desk: &Desk, username: &str, json: bool, screen: &mut Screen<'_>) -> Result<(), Failure> {
    desk.forget_phone(username).await?;
    if json {
        screen.json(&json!({ "changed": username }))?;
    } else {
        screen.line(format_args!("`{username}` signs in with the password alone"))?;
    }
    Ok(())
}
